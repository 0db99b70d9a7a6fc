"""An ONNX file as a graph whose arrays can be read and replaced, run by ONNX Runtime as it is written."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.onnx.node_order import taken_names
from pytest_ocrparity.backends.onnx.onnx_reading import load_onnx, reading_onnx, session_of
from pytest_ocrparity.contract.network_graph import Node
from pytest_ocrparity.errors import ModelError

Array: TypeAlias = "npt.NDArray[Any]"

OPERATORS: Final = {
    "Conv": "conv2d",
    "ConvTranspose": "conv2d_transpose",
    "BatchNormalization": "batch_norm",
    "Relu": "relu",
    "LeakyRelu": "leaky_relu",
    "Sigmoid": "sigmoid",
    "HardSigmoid": "hardsigmoid",
    "HardSwish": "hardswish",
    "Add": "add",
    "Mul": "multiply",
    "Sub": "subtract",
    "Div": "divide",
    "Concat": "concat",
    "Clip": "clip",
    "MatMul": "matmul",
    "Softmax": "softmax",
    "Transpose": "transpose",
    "Reshape": "reshape",
    "GlobalAveragePool": "pool2d",
    "AveragePool": "pool2d",
    "MaxPool": "pool2d",
}
"""What paddle calls the operators of ONNX; a Resize is called by its mode."""
RESIZES: Final[Mapping[str, Mapping[str, Any]]] = {
    "align_corners": {"align_corners": True},
    "half_pixel": {"align_corners": False, "align_mode": 0},
    "pytorch_half_pixel": {"align_corners": False, "align_mode": 0},
    "asymmetric": {"align_corners": False, "align_mode": 1},
}
"""By ONNX's word for where a pixel lies, paddle's attributes; of the nearest one, the last says nothing."""
OWN: Final = ("", "ai.onnx")
"""The names of ONNX's own set of operators."""
NO_VALUES: Final = ("Shape",)
"""Operators that make sizes of an array, and nothing of its values."""
PASSED_ON: Final = ("Identity",)
"""Operators that make the array that they are given."""
END: Final = 2**62
"""A place after the last of any axis."""
SAMPLE: Final = "sample_of_"
"""Begins the names of samples."""
FLOAT: Final = 1
"""The type of float32 arrays in ONNX."""
OTHER_TYPES: Final[Mapping[int, str]] = {10: "float16", 11: "float64", 16: "bfloat16"}
"""The other types of numbers that operators compute in."""


class _Row(NamedTuple):
    operator: Any
    name: str
    inputs: tuple[int, ...]


class OnnxGraph:
    """An ONNX file."""

    def __init__(self, file: Path) -> None:
        """Read a file.

        Raises:
            ModelError: the package onnx, which alone reads its graph, is not installed, the file is damaged, or it
                holds operators that are not ONNX's.
        """
        self._file = file
        with reading_onnx(file, "graph"):
            graph = _load(file).graph
            foreign = sorted({f"{node.op_type} ({node.domain})" for node in graph.node if node.domain not in OWN})
            if foreign:  # of what they make not even the type is known
                raise ModelError(f"not read: {file.name} holds {', '.join(foreign)}, as of a file that was optimised")
            rows, known = _rows(graph)
            shapes, others = _stored_shapes(graph), _of_other_types(graph)
            self.nodes = [Node("data"), *(_node(row, shapes, others) for row in rows[1:])]
            places = known[graph.output[0].name]
            self.output = places[0]

    def run(self, tensor: Array, wanted: Sequence[int], replaced: Mapping[int, Array] | None = None) -> list[Array]:
        """Run the file without ONNX Runtime's own changes of the graph; see `NetworkGraph.run`."""
        with isolated():
            import onnx

            model = _load(self._file)
            graph = model.graph
            rows, _ = _rows(graph)
            feed = {rows[0].name: np.ascontiguousarray(tensor)}
            for place, array in (replaced or {}).items():
                other = f"replaced_{place}"
                _rename_inputs(graph, rows[place].name, other)
                graph.input.append(onnx.helper.make_tensor_value_info(other, FLOAT, array.shape))
                feed[other] = np.ascontiguousarray(array)
            made = _made(model, [rows[place].name for place in wanted if place], feed)
        others = iter(made)
        return [np.asarray(next(others), np.float32) if place else tensor for place in wanted]

    def samples(self, tensor: Array, step: int) -> list[Array]:
        """Return every `step`-th row and column of each array; see `SamplesArrays.samples`."""
        with isolated():
            model = _load(self._file)
            rows, _ = _rows(model.graph)
            names = _with_samples(model.graph, [row.name for row in rows[1:]], step)
            made = _made(model, names, {rows[0].name: np.ascontiguousarray(tensor)})
        for place, (name, array) in enumerate(zip(names, made, strict=True)):
            if array.ndim == 4 and not name.startswith(SAMPLE):
                made[place] = array[:, :, ::step, ::step].copy()  # so that the whole array is let go of
        return [tensor[:, :, ::step, ::step], *(np.asarray(each, np.float32) for each in made)]


def _made(model: Any, names: Sequence[str], feed: Mapping[str, Array]) -> list[Array]:
    """Run a model without ONNX Runtime's own changes of it; return the arrays of these names."""
    import onnx

    had = {each.name for each in model.graph.output}
    model.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, FLOAT, None) for name in names if name not in had
    )
    session = session_of(model)
    used = {each.name for each in session.get_inputs()}
    found: list[Array] = session.run(names, {name: array for name, array in feed.items() if name in used})
    return found


def _with_samples(graph: Any, names: Sequence[str], step: int) -> list[str]:
    """Add operators that take every `step`-th row and column of some arrays, each behind its own; return their names.

    An array of which it is not known to have rows and columns stays whole.
    """
    import onnx

    for name, values in (("from", [0, 0]), ("to", [END, END]), ("axes", [2, 3]), ("step", [step, step])):
        graph.initializer.append(onnx.numpy_helper.from_array(np.array(values, np.int64), f"sample_{name}"))
    ranks = {each.name: len(each.type.tensor_type.shape.dim) for each in [*graph.value_info, *graph.output]}
    makers = {name: place for place, node in enumerate(graph.node) for name in node.output}
    given = [f"sample_{name}" for name in ("from", "to", "axes", "step")]
    sampled = [name for name in names if ranks.get(name) == 4]
    for name in sorted(sampled, key=lambda name: makers[name], reverse=True):
        graph.node.insert(makers[name] + 1, onnx.helper.make_node("Slice", [name, *given], [f"{SAMPLE}{name}"]))
    return [f"{SAMPLE}{name}" if ranks.get(name) == 4 else name for name in names]


def _load(file: Path) -> Any:
    import onnx

    return onnx.shape_inference.infer_shapes(load_onnx(file))


def _rename_inputs(graph: Any, name: str, other: str) -> None:
    for node in graph.node:
        for index, each in enumerate(node.input):
            if each == name:
                node.input[index] = other
        for attribute in node.attribute:
            _rename_inputs(attribute.g, name, other)


def _rows(graph: Any) -> tuple[list[_Row], dict[str, tuple[int, ...]]]:
    """Return what makes a float32 array of the input, the input itself first, and the places of each name."""
    kinds = {each.name: each.type.tensor_type.elem_type for each in [*graph.value_info, *graph.output]}
    constants = {each.name for each in graph.initializer}
    given = next(each.name for each in graph.input if each.name not in constants)
    rows = [_Row(None, given, ())]
    sources: dict[str, tuple[int, ...]] = {given: (0,)}
    for node in graph.node:
        inputs = tuple(dict.fromkeys(place for name in taken_names(node) for place in sources.get(name, ())))
        if not inputs or node.op_type in NO_VALUES:
            continue
        sources |= dict.fromkeys(node.output, inputs)
        if node.op_type in PASSED_ON:
            continue
        outputs = node.output if node.op_type == "Split" else node.output[:1]
        for name in outputs:
            if kinds.get(name) == FLOAT:
                sources[name] = (len(rows),)
                rows.append(_Row(node, name, inputs))
    return rows, sources


def _stored_shapes(graph: Any) -> dict[str, tuple[int, ...]]:
    """Return the shapes of what a file holds, by name."""
    constants = [
        (node.output[0], each.t) for node in graph.node for each in node.attribute if node.op_type == "Constant"
    ]
    stored = [*((each.name, each) for each in graph.initializer), *constants]
    return {name: tuple(each.dims) for name, each in stored if each.data_type == FLOAT}


def _of_other_types(graph: Any) -> dict[str, str]:
    """Return what makes arrays of numbers that are not float32, by name, such as "conv2d in float16"."""
    kinds = {each.name: each.type.tensor_type.elem_type for each in graph.value_info}
    return {
        name: f"{OPERATORS.get(node.op_type, node.op_type.lower())} in {OTHER_TYPES[kinds[name]]}"
        for node in graph.node
        for name in node.output
        if kinds.get(name) in OTHER_TYPES
    }


def _node(row: _Row, shapes: Mapping[str, tuple[int, ...]], others: Mapping[str, str]) -> Node:
    """Return a row as a node; what only turns numbers into float32 is called by what makes them."""
    import onnx

    known = {each.name: onnx.helper.get_attribute_value(each) for each in row.operator.attribute}
    kind = OPERATORS.get(row.operator.op_type, row.operator.op_type.lower())
    if kind == "cast":
        kind = others.get(row.operator.input[0], kind)
    if row.operator.op_type == "Resize":
        mode = known.get("mode", b"nearest").decode()
        kind = {"nearest": "nearest_interp", "linear": "bilinear_interp", "cubic": "bicubic_interp"}.get(mode, kind)
        known |= RESIZES.get(known.get("coordinate_transformation_mode", b"half_pixel").decode(), {})
        if kind == "nearest_interp":
            known.pop("align_mode", None)
    kernel = max((shapes[name] for name in row.operator.input if name in shapes), key=math.prod, default=())
    return Node(kind, row.inputs, None, _attributes(known), kernel)


def _attributes(known: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes by paddle's names; padding that differs at the two ends has none there."""
    found = dict(known)
    if (pads := found.pop("pads", None)) is not None and pads[: len(pads) // 2] == pads[len(pads) // 2 :]:
        found["paddings"] = pads[: len(pads) // 2]
    if "alpha" in found:
        found["negative_slope"] = found.pop("alpha")
    return found
