"""The weights of an ONNX file: the numbers that its operators compute with, in the order in which they take them.

A file also stores what says how to compute, such as the scales of a resize or the limits of a clip: no weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from pytest_ocrparity.backends.onnx.quantised_file import dequantised_arrays, names_of_steps
from pytest_ocrparity.trace import Array

NO_WEIGHTS: Final = frozenset(
    {"Resize", "Upsample", "Clip", "Pad", "Pow", "Min", "Max", "Dropout", "QuantizeLinear", "DequantizeLinear", "Where"}
    | {"ConstantOfShape", "Range", "Expand", "Tile", "Slice", "OneHot", "Equal", "Less", "Greater"}
)
"""Operators to which stored numbers say how to compute."""
STORED_FIRST: Final = {"BatchNormalization": (3, 4)}
"""Which inputs come first in the order of use: batch norm's statistics, as in paddle's programs."""
PASSED_ON: Final = ("Identity", "Cast", "Reshape", "Squeeze", "Unsqueeze")
"""Operators behind which a stored array holds the same numbers."""


def weights_of_graph(graph: Any) -> dict[str, Array]:
    """Return the weights of a graph by the names under which they are stored, in the order of use.

    Weights that are stored as steps are returned as the numbers that these stand for. A kernel that its operator takes
    transposed is returned as (inputs, outputs), as paddle stores it.
    """
    stored = _stored_arrays(graph)
    sources = {name: name for name in stored}
    found: dict[str, Array] = {}
    for node in _nodes(graph):
        if node.op_type in PASSED_ON and node.input[0] in sources:
            sources[node.output[0]] = sources[node.input[0]]
            continue
        if node.op_type in NO_WEIGHTS:
            continue
        first = STORED_FIRST.get(node.op_type, ())
        for place in sorted(range(len(node.input)), key=lambda place: place not in first):
            name = sources.get(node.input[place])
            if name is not None and stored[name].size and stored[name].dtype.kind == "f":
                is_turned = node.op_type == "Gemm" and place == 1 and _number(node, "transB")
                found.setdefault(name, np.ascontiguousarray(stored[name].T) if is_turned else stored[name])
    return found


def _stored_arrays(graph: Any) -> dict[str, Array]:
    from onnx import numpy_helper

    steps = names_of_steps(graph)
    found = {
        each.name: _as_numbers(numpy_helper.to_array(each)) for each in graph.initializer if each.name not in steps
    }
    for node in graph.node:  # some converters keep weights as constants
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            found[node.output[0]] = _as_numbers(numpy_helper.to_array(node.attribute[0].t))
        elif node.op_type == "Constant" and node.attribute[0].name == "value_floats":
            found[node.output[0]] = np.asarray(node.attribute[0].floats, np.float32)
    return found | dequantised_arrays(graph)


def _nodes(graph: Any) -> Iterator[Any]:
    """Yield the operators of a graph in their order, those of branches and loops behind what runs them."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _nodes(attribute.g)


def _number(node: Any, name: str) -> int:
    return next((int(each.i) for each in node.attribute if each.name == name), 0)


def _as_numbers(array: Any) -> Array:
    """Return an array of a file in a type that numpy has: not of bfloat16."""
    return np.asarray(array, np.float32 if array.dtype.name == "bfloat16" else array.dtype)
