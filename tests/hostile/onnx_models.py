"""What the fuzz gives to the readers of `.onnx` files, made with the package onnx, which is not always installed."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from hypothesis import strategies as st
from onnx import helper, numpy_helper
from onnx_files import write_blob

from hostile.inputs import mangled

INTEGERS = (0, 1, -1, 2, 3, 10, 16, 99, 2**31 - 1, -(2**31), 2**40, 2**63 - 1, -(2**63))
FLOATS = (0.0, -1.5, 1e30, float("nan"), float("inf"))
BYTES = (b"", b"\0", b"\xff" * 3, b"linear", b"asymmetric", b"\x80" * 64)
OPERATORS = (
    *("Constant", "Conv", "DequantizeLinear", "Gemm", "Identity", "If", "MatMul", "QuantizeLinear", "Relu"),
    *("Reshape", "Resize", "Shape", "Split", "NoSuchOperator"),
)
NAMES = (
    "",
    "x",
    "y",
    "maps",
    "before",
    "kernel",
    "kernel_steps",
    "step",
    "zero",
    "x_steps",
    "x_way",
    "value",
    "\0",
    "é",
)
LOCATIONS = ("", "a.onnx", "../a.onnx", "/etc/passwd", "../../../../../../etc/passwd", "no_such", "\0", ".")


@cache
def plain() -> bytes:
    """Return a detector of two convolutions in float32."""
    with tempfile.TemporaryDirectory() as folder:
        return write_blob(Path(folder) / "a.onnx").read_bytes()


@cache
def quantised() -> bytes:
    """Return a convolution with what `quantize_static` puts around it, a resize and a constant."""
    stored = {
        "kernel_steps": np.ones((4, 3, 1, 1), np.int8),
        "steps": np.array([0.1, 0.2, 0.3, 0.4], np.float32),
        "zeros": np.zeros(4, np.int8),
        "step": np.float32(0.05),
        "zero": np.int8(-128),
        "bias": np.zeros(4, np.float32),
        "scales": np.array([1, 1, 2, 2], np.float32),
    }
    nodes = [
        helper.make_node("DequantizeLinear", ["kernel_steps", "steps", "zeros"], ["kernel"], axis=0),
        helper.make_node("QuantizeLinear", ["x", "step", "zero"], ["x_steps"]),
        helper.make_node("DequantizeLinear", ["x_steps", "step", "zero"], ["x_way"]),
        helper.make_node("Conv", ["x_way", "kernel", "bias"], ["before"], name="conv"),
        helper.make_node("Resize", ["before", "", "scales"], ["wide"], mode="linear"),
        helper.make_node("Constant", [], ["one"], value=numpy_helper.from_array(np.ones(1, np.float32))),
        helper.make_node("Mul", ["wide", "one"], ["y"]),
    ]
    return _file(nodes, stored, "y")


def fan(levels: int) -> bytes:
    """Return a file in which 2 ** levels ways lead from a kernel to what takes it."""
    nodes = [helper.make_node("DequantizeLinear", ["kernel_steps", "step"], ["kernel"])]
    nodes += [helper.make_node("Conv", ["x", "kernel"], ["a0"]), helper.make_node("Conv", ["x", "kernel"], ["b0"])]
    for level in range(levels):
        given = [f"a{level}", f"b{level}"]
        nodes += [helper.make_node("QuantizeLinear", given, [f"{end}{level + 1}"]) for end in "ab"]
    stored = {"kernel_steps": np.ones((3, 3, 1, 1), np.int8), "step": np.float32(1)}
    return _file(nodes, stored, f"a{levels}")


def quantised_kernel(steps: Any, channels: int) -> bytes:
    """Return a file that multiplies by these steps, with a size of the step for each of so many channels."""
    stored = {"steps": steps, "sizes": np.ones(channels, np.float32)}
    nodes = [helper.make_node("DequantizeLinear", list(stored), ["kernel"], axis=0)]
    nodes.append(helper.make_node("MatMul", ["x", "kernel"], ["made"]))
    return _file(nodes, stored, "made")


def _file(nodes: Any, stored: Any, output: str) -> bytes:
    ends = [helper.make_tensor_value_info(name, 1, ["n", 3, "h", "w"]) for name in ("x", output)]
    initializers = [numpy_helper.from_array(np.asarray(array), name) for name, array in stored.items()]
    graph = helper.make_graph(nodes, "graph", ends[:1], ends[1:], initializers)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return bytes(made.SerializeToString())


@st.composite
def onnx_files(draw: Any) -> Any:
    """Draw the bytes of an `.onnx` file with something wrong in it."""
    data = draw(st.sampled_from((plain(), quantised())))
    what = draw(st.integers(0, 9))
    if what == 0:
        return draw(st.binary(max_size=40))
    if what == 1:
        return data
    if what <= 3:
        return draw(mangled(data))
    model = onnx.ModelProto.FromString(data)
    for _ in range(draw(st.integers(1, 3))):
        if draw(st.integers(0, 9)) == 0:
            _store_elsewhere(draw, model)
        else:
            _edit(draw, model)
    return model.SerializeToString()


def _store_elsewhere(draw: Any, model: Any) -> None:
    """Let an array of the file lie in another file."""
    if not model.graph.initializer:
        return
    tensor = draw(st.sampled_from(list(model.graph.initializer)))
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, values in (("location", LOCATIONS), ("offset", INTEGERS), ("length", INTEGERS)):
        if draw(st.integers(0, 3)):
            tensor.external_data.add(key=key, value=str(draw(st.sampled_from(values))))


def _edit(draw: Any, message: Any) -> None:
    """Change one field at some depth of a message: its value, or how often what it holds is there."""
    while fields := message.ListFields():
        field, value = draw(st.sampled_from(fields))
        is_repeated = hasattr(value, "MergeFrom") and not hasattr(value, "ListFields")
        what = draw(st.integers(0, 9))
        if what == 0:
            message.ClearField(field.name)
            return
        if is_repeated:
            place = draw(st.integers(0, len(value) - 1))
            if what == 1:
                del value[place]
                return
            if what == 2:
                value.MergeFrom([value[place]])
                return
            if not hasattr(value[place], "ListFields"):
                with suppress(ValueError):
                    value[place] = _other(draw, value[place])
                return
            message = value[place]
        elif hasattr(value, "ListFields"):
            message = value
        else:
            with suppress(ValueError):  # protobuf refuses it for this field
                setattr(message, field.name, _other(draw, value))
            return


def _other(draw: Any, value: Any) -> Any:
    """Return another value of the same type."""
    if isinstance(value, str):
        return draw(st.sampled_from(OPERATORS + NAMES))
    if isinstance(value, bytes):
        return draw(st.one_of(st.sampled_from(BYTES), mangled(value)))
    if isinstance(value, float):
        return draw(st.sampled_from(FLOATS))
    return draw(st.sampled_from(INTEGERS))
