"""An ONNX file whose operators compute in float16, as it is stored and with float32 in the place of that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.onnx.onnx_reading import load_onnx, reading_onnx, session_of

FLOAT, HALF = 1, 10
"""Numbers of ONNX's types."""
MOVES: Final = ("Cast", "Constant", "Identity")
"""Operators that compute nothing."""


class HalfFile:
    """An ONNX file whose operators compute in float16."""

    def __init__(self, file: Path, providers: Sequence[tuple[str, dict[str, Any]]]) -> None:
        """Read a file, which ONNX Runtime is to run on these providers.

        Raises:
            ModelError: the package onnx is not installed, or the file is damaged.
        """
        self._file, self._providers = file, list(providers)
        with reading_onnx(file, "float16 operators"):
            import onnx

            graph = onnx.shape_inference.infer_shapes(load_onnx(file)).graph
        kinds = {each.name: each.type.tensor_type.elem_type for each in [*graph.value_info, *graph.output]}
        computing = [node for node in graph.node if node.op_type not in MOVES]
        self.operators = sum(any(kinds.get(name) == HALF for name in node.output) for node in computing)

    def run(self, tensor: npt.NDArray[np.float32], *, in_half: bool = True) -> npt.NDArray[np.float32]:
        """Run the file as ONNX Runtime does by default; see `contract.HalfProgram.run`."""
        with isolated():
            model = load_onnx(self._file)
            if not in_half:
                _compute_in_single(model.graph)
            session = session_of(model, self._providers, is_optimized=True)
            (made, *_) = session.run(None, {session.get_inputs()[0].name: np.ascontiguousarray(tensor)})
        return np.asarray(made, np.float32)


def _compute_in_single(graph: Any) -> None:
    """Put float32 in the place of float16 throughout a graph: in what it stores, declares and casts to."""
    for each in _stored(graph):
        if each.data_type == HALF:
            _widen(each)
    for declared in (*graph.input, *graph.output, *graph.value_info):
        if declared.type.tensor_type.elem_type == HALF:
            declared.type.tensor_type.elem_type = FLOAT
    for attribute in _attributes(graph):
        if attribute.name in ("to", "dtype") and attribute.i == HALF:
            attribute.i = FLOAT
        if attribute.HasField("g"):
            _compute_in_single(attribute.g)


def _attributes(graph: Any) -> Iterator[Any]:
    for node in graph.node:
        yield from node.attribute


def _stored(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for attribute in _attributes(graph):
        if attribute.HasField("t"):
            yield attribute.t


def _widen(tensor: Any) -> None:
    from onnx import numpy_helper

    wide = numpy_helper.to_array(tensor).astype(np.float32)
    tensor.CopyFrom(numpy_helper.from_array(wide, tensor.name))
