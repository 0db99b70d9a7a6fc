"""A program in PIR with fake-quantised operators, as Paddle's quantisation-aware training (QAT) leaves it.

Such an operator rounds an array to steps and hands it on in float32: a kernel before the operator that takes it, or
what one operator makes before the next one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.backends.graphs.pir_graph import PARAMETER, loaded_program
from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.contract.quantised_programs import RoundedOperator
from pytest_ocrparity.trace import Array

ROUNDS: Final = "pd_op.fake_quantize_dequantize"
"""How the names of operators begin that round what they are given and hand it on in float32."""
DATA: Final = ("pd_op.data", "pd_op.feed")
"""Operators that hand on what a program is given."""
SHAPE: Final = (1, 3, 64, 64)
"""What a program is given where it takes any side: kernels do not depend on it, but all operators run."""
SCALE: Final = 1
"""Which of an operator's inputs is the largest value."""
NO_BIAS: Final = np.zeros((), np.float32)


class FakeQuantisedProgram:
    """A PIR program with fake-quantised operators."""

    quantiser = "paddle.quantization"
    per_channel = ""
    leaves_out = "add_layer_config of QuantConfig"
    other_steps = ("after training on images that are preprocessed as in production",)

    def __init__(self, program: Path) -> None:
        """Read a program. Raises what paddle raises."""
        self._program = program
        with isolated(), loaded_program(program) as (block, feeds, _, loaded, executor):
            rounding = _rounding(block)
            kernels = [each for each in rounding if _stored(each)]
            self.rounded = len(rounding) - len(kernels)
            names = _names(block)
            values = [value for each in kernels for value in (each.result(0), each.operand_source(SCALE))]
            made = executor.run(loaded, feed={feeds[0]: np.zeros(_shape(block), np.float32)}, fetch_list=values)
            arrays = [np.array(each, np.float32) for each in made]
            self.operators: Sequence[RoundedOperator] = [
                _operator(each, kernel, largest, names)
                for each, kernel, largest in zip(kernels, arrays[::2], arrays[1::2], strict=True)
            ]

    def run(
        self,
        tensor: npt.NDArray[np.float32],
        *,
        rounds: bool = True,
        kept: Mapping[str, tuple[Array, Array | None]] | None = None,
    ) -> npt.NDArray[np.float32]:
        """Run the program without the engine's passes; see `contract.QuantisedProgram.run`.

        The kernels of `kept` are those that the program stores, before it rounds them.
        """
        kept = kept or {}
        with isolated(), loaded_program(self._program) as (block, feeds, outputs, loaded, executor):
            names = _names(block)
            for each in _rounding(block):
                is_kept = {names[taker.id()] for taker in each.result(0).all_used_ops()} <= kept.keys()
                if is_kept or not (rounds or _stored(each)):
                    each.result(0).replace_all_uses_with(each.operand_source(0))
            (made, *_) = executor.run(loaded, feed={feeds[0]: np.ascontiguousarray(tensor)}, fetch_list=outputs)
            return np.array(made, np.float32)


def _shape(block: Any) -> tuple[int, ...]:
    """Return a shape that a program takes, which may be for one height or width alone."""
    stated = next(each.result(0).shape for each in block.ops if each.name() in DATA)
    return tuple(side if side > 0 else usual for side, usual in zip(stated, SHAPE, strict=True))


def _rounding(block: Any) -> list[Any]:
    return [each for each in block.ops if each.name().startswith(ROUNDS)]


def _stored(operator: Any) -> bool:
    """Return whether what an operator rounds is stored in the program."""
    maker = operator.operand_source(0).get_defining_op()
    return maker is not None and maker.name() == PARAMETER


def _operator(rounding: Any, kernel: Array, largest: Array, names: Mapping[int, str]) -> RoundedOperator:
    """Return the operator that takes a rounded kernel, given that and the largest value that a step stands for."""
    bits = int(rounding.attrs().get("bit_length", 8))
    axis = int(rounding.attrs().get("quant_axis", 0))
    step = np.asarray(largest / np.float32(2 ** (bits - 1) - 1), np.float32)
    shape = [-1 if each == axis else 1 for each in range(kernel.ndim)] if step.size > 1 else []
    taker = rounding.result(0).all_used_ops()[0]
    grid = f"{bits} bits {'per channel' if shape else 'per tensor'}, symmetric"
    return RoundedOperator(names[taker.id()], kernel, step.reshape(shape), None, NO_BIAS, grid, None)


def _names(block: Any) -> dict[int, str]:
    """Return what messages call each operator: its kind, and its number among those of that kind."""
    counts: dict[str, int] = {}
    found = {}
    for each in block.ops:
        kind = each.name().rpartition(".")[2].rstrip("_")
        found[each.id()] = f"{kind}.{counts.get(kind, 0)}"
        counts[kind] = counts.get(kind, 0) + 1
    return found
