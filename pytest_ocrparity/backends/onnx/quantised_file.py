"""A quantised ONNX file: its kernels as the numbers that their steps stand for, and the file with less rounding.

Read is the form of QuantizeLinear and DequantizeLinear around each operator (QDQ), which `quantize_static` writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.onnx.onnx_reading import load_onnx, reading_onnx, session_of
from pytest_ocrparity.contract.quantised_programs import RoundedOperator
from pytest_ocrparity.errors import ModelError
from pytest_ocrparity.trace import Array

ROUNDS, UNDOES = "QuantizeLinear", "DequantizeLinear"
OTHER_FORMS: Final = ("QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger")
WITH_KERNELS: Final = ("Conv", "ConvTranspose", "MatMul", "Gemm")


class QuantisedFile:
    """A quantised ONNX file."""

    quantiser = "onnxruntime.quantization.quantize_static"
    per_channel = "per_channel=True"
    leaves_out = "nodes_to_exclude"
    other_steps = ("with calibration images that are preprocessed as in production", "with another way of calibration")

    def __init__(self, file: Path) -> None:
        """Read a file.

        Raises:
            ModelError: the package onnx is not installed, the file is damaged, or it is quantised in another form.
        """
        self._file = file
        with reading_onnx(file, "rounding"):
            graph = load_onnx(file).graph
            if others := sorted({node.op_type for node in graph.node if node.op_type in OTHER_FORMS}):
                what = f"{file.name} is quantised with {', '.join(others)}, a form that is not read"
                raise ModelError(f"{what}; quantize_static with QuantFormat.QDQ writes the one that is")
            self.operators: Sequence[RoundedOperator] = list(_operators(graph))
            self.rounded = len(_ways(graph))

    def run(
        self,
        tensor: npt.NDArray[np.float32],
        *,
        rounds: bool = True,
        kept: Mapping[str, tuple[Array, Array | None]] | None = None,
    ) -> npt.NDArray[np.float32]:
        """Run the file without ONNX Runtime's own changes of the graph; see `contract.QuantisedProgram.run`."""
        kept = kept or {}
        with isolated():
            from onnx import numpy_helper

            model = load_onnx(self._file)
            graph = model.graph
            for undo, given, around in _ways(graph):
                if not rounds or (around and around <= kept.keys()):
                    undo.op_type = "Relu" if _begins_at_zero(graph, undo) else "Identity"
                    del undo.input[:], undo.attribute[:]
                    undo.input.append(given)
            for node in graph.node:
                for place, array in enumerate(kept.get(node.name, ()), 1):
                    if array is not None:
                        name = f"kept_{node.name}_{place}"
                        graph.initializer.append(numpy_helper.from_array(np.asarray(array, np.float32), name))
                        node.input[place:] = [name, *node.input[place + 1 :]]
            session = session_of(model)
            (made, *_) = session.run(None, {session.get_inputs()[0].name: np.ascontiguousarray(tensor)})
        return np.asarray(made, np.float32)


def dequantised_arrays(graph: Any) -> dict[str, Array]:
    """Return the stored steps of a graph as the numbers that they stand for, by the name of what takes them."""
    stored = {each.name: each for each in graph.initializer}
    return {
        node.output[0]: _undone(node, stored)[0]
        for node in graph.node
        if node.op_type == UNDOES and node.input[0] in stored
    }


def names_of_steps(graph: Any) -> set[str]:
    """Return the names of what says how large steps are and where their zero lies."""
    return {name for node in graph.node if node.op_type in (ROUNDS, UNDOES) for name in node.input[1:]}


def _undone(node: Any, stored: Mapping[str, Any]) -> tuple[Array, Array, str]:
    """Return what stored steps stand for, how large each is, and how they are said."""
    from onnx import numpy_helper

    given = [np.asarray(numpy_helper.to_array(stored[name])) for name in node.input]
    steps, step = given[0], np.asarray(given[1], np.float32)
    zero = given[2].astype(np.float32).reshape(step.shape) if given[2:] else np.zeros_like(step)
    axis = next((each.i for each in node.attribute if each.name == "axis"), 1)
    if step.ndim == 1 and step.size > 1:
        shape = [-1 if each == axis % steps.ndim else 1 for each in range(steps.ndim)]
        step, zero = step.reshape(shape), zero.reshape(shape)
    if np.broadcast_shapes(steps.shape, step.shape) != steps.shape:  # what they stand for would be as large as it likes
        raise ValueError(f"{node.name}: steps of shape {steps.shape} and sizes of steps of shape {step.shape}")
    where = "per channel" if step.size > 1 else "per tensor"
    words = f"{8 * steps.dtype.itemsize} bits {where}, {'with a zero point' if np.any(zero) else 'symmetric'}"
    return (steps.astype(np.float32) - zero) * step, step, words


def _operators(graph: Any) -> Iterator[RoundedOperator]:
    stored = {each.name: each for each in graph.initializer}
    undone = {node.output[0]: node for node in graph.node if node.op_type == UNDOES and node.input[0] in stored}
    takers = _takers(graph)
    for node in graph.node:
        if node.op_type not in WITH_KERNELS or node.input[1] not in undone:
            continue
        kernel, step, words = _undone(undone[node.input[1]], stored)
        after = dict.fromkeys(each.name for each in _ends(takers, node.output[0]))
        yield RoundedOperator(node.name, kernel, step, *_bias(node, stored, undone), words, tuple(after))


def _takers(graph: Any) -> dict[str, list[Any]]:
    """Return by the name of an array the nodes that take it."""
    found: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            found.setdefault(name, []).append(node)
    return found


def _ends(takers: Mapping[str, Sequence[Any]], name: str) -> Iterator[Any]:
    """Yield the operators that take an array, behind what rounds it; each array is followed once."""
    waiting, followed = [name], {name}
    while waiting:
        for node in takers.get(waiting.pop(), ()):
            if node.op_type not in (ROUNDS, UNDOES):
                yield node
            elif node.output[0] not in followed:
                followed.add(node.output[0])
                waiting.append(node.output[0])


def _bias(node: Any, stored: Mapping[str, Any], undone: Mapping[str, Any]) -> tuple[Array | None, Array]:
    from onnx import numpy_helper

    none = np.zeros((), np.float32)
    if len(node.input) < 3 or not node.input[2]:
        return None, none
    name = node.input[2]
    if name in undone:
        return _undone(undone[name], stored)[:2]
    return np.asarray(numpy_helper.to_array(stored[name])), none


def _ways(graph: Any) -> list[tuple[Any, str, frozenset[str]]]:
    """Return where arrays are rounded on their way: the node that ends it, the array before, the operators around it.

    What makes an array counts where it takes something rounded itself: another operator was not quantised.
    """
    makers = {name: node for node in graph.node for name in node.output}
    takers = _takers(graph)
    is_undone = {node.output[0] for node in graph.node if node.op_type == UNDOES}
    found = []
    for node in graph.node:
        maker = makers.get(node.input[0]) if node.op_type == UNDOES else None
        if maker is None or maker.op_type != ROUNDS:
            continue
        before = makers.get(maker.input[0])
        around = {each.name for each in takers.get(node.output[0], ())}
        if before is not None and not is_undone.isdisjoint(before.input):
            around.add(before.name)
        found.append((node, maker.input[0], frozenset(around)))
    return found


def _begins_at_zero(graph: Any, undo: Any) -> bool:
    """Return whether the lowest step stands for 0: such rounding cuts off what a ReLU would, which is then left out."""
    from onnx import numpy_helper

    zero = next((numpy_helper.to_array(each) for each in graph.initializer if each.name in undo.input[2:]), None)
    return zero is not None and zero.dtype.kind in "iu" and bool(np.all(zero == np.iinfo(zero.dtype).min))
