"""A program in PIR, a `.json`, as a graph whose arrays can be read and replaced."""

from __future__ import annotations

import gc
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from pytest_ocrparity.backends.graphs.weightless_operators import operator_output
from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.paddlex.program import scope_of_its_own
from pytest_ocrparity.contract.network_graph import Node
from pytest_ocrparity.trace import Array

LAYER: Final = "layer:"
"""Before the name of the layer that an operator belongs to, in the attribute where paddle writes its class."""
NAMED_IN: Final = "struct_name"
PARAMETER: Final = "builtin.parameter"
"""What makes an array of weights."""
SHAPES: Final = ("pd_op.shape", "pd_op.shape64")
"""Operators that make sizes of an array, and nothing of its values."""
END: Final = 2**31 - 1
"""A place after the last of any axis."""
OF_EACH_RESULT: Final = ("builtin.split", "builtin.slice")
"""Operators that take one of several arrays that another made."""
NO_ATTRIBUTES: Final = frozenset(
    {*("struct_name", "op_callstack", "stop_gradient", "op_role", "place", "name"), "persistable", "data_format"}
)
"""Attributes that say nothing of what is computed."""


class _Row(NamedTuple):
    operator: Any
    value: Any
    inputs: tuple[int, ...]


class PirGraph:
    """A PIR program."""

    def __init__(self, program: Path, *, output: int = 0) -> None:
        """Read a program.

        Args:
            program: the `.json` file, which is read again for each run.
            output: which of its outputs is the map.
        """
        self._program = program
        with isolated(), loaded_program(program) as (block, _, outputs, _, _):
            rows = _rows(block)
            self.nodes = [_node(row) for row in rows]
            self.output = next(place for place, row in enumerate(rows) if row.value.is_same(outputs[output]))

    def run(self, tensor: Array, wanted: Sequence[int], replaced: Mapping[int, Array] | None = None) -> list[Array]:
        """Run the program; see `NetworkGraph.run`."""
        with isolated(), loaded_program(self._program) as (block, feeds, _, program, executor):
            import paddle

            rows = _rows(block)
            feed = {feeds[0]: np.ascontiguousarray(tensor)}
            for number, (place, array) in enumerate((replaced or {}).items()):
                with paddle.static.program_guard(program):
                    data = paddle.static.data(f"replaced_{number}", array.shape, "float32")
                data.get_defining_op().move_before(rows[place].operator)
                rows[place].value.replace_all_uses_with(data)
                feed[f"replaced_{number}"] = np.ascontiguousarray(array)
            made = executor.run(program, feed=feed, fetch_list=[rows[place].value for place in wanted if place])
            others = iter([np.array(each, np.float32) for each in made])  # made is memory of the program's
        return [next(others) if place else tensor for place in wanted]

    def samples(self, tensor: Array, step: int) -> list[Array]:
        """Return every `step`-th row and column of each array; see `SamplesArrays.samples`."""
        with isolated(), loaded_program(self._program) as (block, feeds, _, program, executor):
            import paddle

            wanted = []
            with paddle.static.program_guard(program):
                for row in _rows(block)[1:]:
                    paddle.pir.set_insertion_point_after(row.operator)
                    wanted.append(_sample(row.value, step))
            made = executor.run(program, feed={feeds[0]: np.ascontiguousarray(tensor)}, fetch_list=wanted)
            return [tensor[:, :, ::step, ::step], *(np.array(each, np.float32) for each in made)]

    def operator_output(
        self, operator: str, attributes: Mapping[str, Any], array: Array, shape: Sequence[int]
    ) -> Array | None:
        """Return what an operator makes by itself; see `RunsOperators.operator_output`."""
        return operator_output(operator, attributes, array, shape)


@contextmanager
def static_mode() -> Iterator[None]:
    """Let this thread make and run programs; other threads stay as they are."""
    from paddle.base import framework

    with framework._dygraph_guard(None):
        yield


@contextmanager
def loaded_program(program: Path) -> Iterator[tuple[Any, Sequence[str], list[Any], Any, Any]]:
    """Load a program anew: its block without fetches, its inputs' names, its outputs, itself, and what runs it."""
    import paddle

    with static_mode(), scope_of_its_own():
        executor = paddle.static.Executor(paddle.CPUPlace())
        loaded, feeds, outputs = paddle.static.load_inference_model(str(program.with_suffix("")), executor)
        block = loaded.global_block()
        for operator in list(block.ops):
            if operator.name() == "pd_op.fetch":
                block.remove_op(operator)
        try:
            yield block, feeds, list(outputs), loaded, executor
        finally:
            _forget_programs(executor)


def _forget_programs(executor: Any) -> None:
    """Let go of what an executor keeps of its programs: it and they hold each other, with all arrays of a run."""
    kept = getattr(getattr(executor, "_executor_cache", None), "_get_cached_program_and_executor_pir_mode", None)
    if kept is None:  # a paddle that keeps them elsewhere
        gc.collect()
    else:
        kept.cache_clear()


def _rows(block: Any) -> list[_Row]:
    """Return what makes a float32 array of the input, the input itself first."""
    rows: list[_Row] = []
    known: dict[tuple[int, int], int] = {}
    sources: dict[int, tuple[int, ...]] = {}
    for operator in block.ops:
        name = operator.name()
        is_input = name in ("pd_op.data", "pd_op.feed")
        inputs: dict[int, None] = {}
        for value in _taken(operator):
            maker = value.get_defining_op()
            if maker is None or name in SHAPES:
                continue
            index = _index(maker, value)
            place = known.get((maker.id(), index))
            inputs |= dict.fromkeys(sources.get(maker.id(), ()) if place is None else [place])
        made = [operator.result(index) for index in range(operator.num_results())]
        kept = made if name in OF_EACH_RESULT else made[:1]
        for index, value in enumerate(kept):
            if (inputs or (is_input and not rows)) and _is_float(value):
                known[operator.id(), index] = len(rows)
                rows.append(_Row(operator, value, tuple(inputs)))
        sources[operator.id()] = tuple(inputs)
    return rows


def _taken(operator: Any) -> Iterator[Any]:
    """Yield the values that an operator takes, and those that its branches take."""
    yield from operator.operands_source()
    for block in operator.blocks():
        for each in block.ops:
            yield from _taken(each)


def _sample(value: Any, step: int) -> Any:
    import paddle

    if len(value.shape) != 4:
        return paddle.assign(value)
    return paddle.strided_slice(value, axes=[2, 3], starts=[0, 0], ends=[END, END], strides=[step, step])


def _index(operator: Any, value: Any) -> int:
    return next((index for index in range(operator.num_results()) if operator.result(index).is_same(value)), 0)


def _is_float(value: Any) -> bool:
    try:
        return str(value.dtype).rpartition(".")[2].lower() == "float32"
    except Exception:  # a list of arrays, which has no dtype
        return False


def _node(row: _Row) -> Node:
    attributes = dict(row.operator.attrs())
    where = str(attributes.get(NAMED_IN) or "")
    layer = where.removeprefix(LAYER) if where.startswith(LAYER) else None
    known = {name: value for name, value in attributes.items() if name not in NO_ATTRIBUTES}
    return Node(row.operator.name().rpartition(".")[2].rstrip("_"), row.inputs, layer, known, _kernel(row.operator))


def _kernel(operator: Any) -> tuple[int, ...]:
    makers = [(value, value.get_defining_op()) for value in operator.operands_source()]
    shapes = [tuple(value.shape) for value, maker in makers if maker is not None and maker.name() == PARAMETER]
    return max(shapes, key=math.prod, default=())
