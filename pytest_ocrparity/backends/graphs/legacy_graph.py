"""A program of before PIR, a `.pdmodel`, as a graph whose arrays can be read and replaced."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.paddlex.program import load_legacy_program
from pytest_ocrparity.contract.network_graph import Node
from pytest_ocrparity.trace import Array

OUTPUTS: Final = ("Out", "Output", "Y")
"""The slots of an operator's first output; what else it makes is of training."""
NO_VALUES: Final = ("shape",)
"""Operators that make sizes of an array, and nothing of its values."""
OPERATORS: Final = {
    "elementwise_add": "add",
    "elementwise_mul": "multiply",
    "elementwise_sub": "subtract",
    "elementwise_div": "divide",
    "nearest_interp_v2": "nearest_interp",
    "bilinear_interp_v2": "bilinear_interp",
    "matmul_v2": "matmul",
    "hard_sigmoid": "hardsigmoid",
    "hard_swish": "hardswish",
    "reshape2": "reshape",
    "transpose2": "transpose",
}
"""Operators that PIR calls otherwise."""


class _Row(NamedTuple):
    operator: Any
    name: str
    inputs: tuple[int, ...]


class LegacyGraph:
    """A `.pdmodel`."""

    def __init__(self, program: Path) -> None:
        """Read a program."""
        self._program = program
        with isolated(), load_legacy_program(program) as (loaded, _, (feeds, fetches)):
            rows = _rows(loaded.global_block(), feeds[0])
            self.nodes = [Node("data"), *(_node(row, loaded.global_block()) for row in rows[1:])]
            self.output = next(place for place, row in enumerate(rows) if row.name == fetches[0].name)

    def run(self, tensor: Array, wanted: Sequence[int], replaced: Mapping[int, Array] | None = None) -> list[Array]:
        """Run the program; see `NetworkGraph.run`."""
        with isolated(), load_legacy_program(self._program) as (loaded, _, (feeds, _)):
            import paddle

            block = loaded.global_block()
            rows = _rows(block, feeds[0])
            feed = {feeds[0]: np.ascontiguousarray(tensor)}
            for place, array in (replaced or {}).items():
                other = f"replaced_{place}"
                block.create_var(name=other, shape=array.shape, dtype="float32", is_data=True, need_check_feed=False)
                for operator in block.ops:
                    if operator is not rows[place].operator and rows[place].name in operator.input_arg_names:
                        operator._rename_input(rows[place].name, other)
                feed[other] = np.ascontiguousarray(array)
            for index in reversed(range(len(block.ops))):
                if block.ops[index].type in ("feed", "fetch"):
                    block._remove_op(index)
            names = [rows[place].name for place in wanted if place]
            made = paddle.static.Executor(paddle.CPUPlace()).run(loaded, feed=feed, fetch_list=names)
            others = iter([np.array(each, np.float32) for each in made])  # made is memory of the program's
        return [next(others) if place else tensor for place in wanted]


def _rows(block: Any, feed: str) -> list[_Row]:
    """Return what makes a float32 array of the input, the input itself first."""
    rows = [_Row(None, feed, ())]
    sources: dict[str, tuple[int, ...]] = {feed: (0,)}
    for operator in block.ops:
        if operator.type in ("feed", "fetch") or operator.type in NO_VALUES:
            continue
        inputs = tuple(dict.fromkeys(place for name in operator.input_arg_names for place in sources.get(name, ())))
        if not inputs:
            continue
        sources |= dict.fromkeys(operator.output_arg_names, inputs)
        of_slot = next((slot for slot in OUTPUTS if slot in operator.output_names and operator.output(slot)), None)
        for name in operator.output(of_slot) if of_slot else ():
            if str(block.var(name).dtype).rpartition(".")[2].upper() in ("FP32", "FLOAT32"):
                sources[name] = (len(rows),)
                rows.append(_Row(operator, name, inputs))
    return rows


def _node(row: _Row, block: Any) -> Node:
    kind = row.operator.type
    known = {name: row.operator.attr(name) for name in row.operator.attr_names if name != "op_callstack"}
    if "alpha" in known:
        known["negative_slope"] = known.pop("alpha")
    stored = [block.var(name) for name in row.operator.input_arg_names]
    kernel = max((tuple(each.shape) for each in stored if each.persistable), key=math.prod, default=())
    return Node(OPERATORS.get(kind, kind), row.inputs, None, known, kernel)
