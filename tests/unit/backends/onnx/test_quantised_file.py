"""A quantised ONNX file: what its steps stand for, and what it returns with less rounding."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pytest

from pytest_ocrparity.backends.onnx.quantised_file import QuantisedFile
from pytest_ocrparity.backends.onnx.runtime import runtime_arrays, runtime_quantised
from pytest_ocrparity.errors import ModelError

onnx = pytest.importorskip("onnx")

Array: TypeAlias = "npt.NDArray[Any]"
RNG = np.random.default_rng(0)
FIRST = RNG.integers(-127, 128, (4, 3, 1, 1)).astype(np.int8)
SECOND = RNG.integers(0, 256, (1, 4, 1, 1)).astype(np.uint8)
STEP, ZERO = np.float32(0.01), 120
CHANNELS = np.array([0.01, 0.02, 0.03, 0.001], np.float32)
BIAS = np.array([5, -3, 8, 100], np.int32)
TENSOR = RNG.normal(size=(1, 3, 5, 6)).astype(np.float32)
WAY = np.float32(0.05)


def model(folder: Path, *, is_cut: bool = False) -> Path:
    """Write a file of two convolutions with what quantize_static puts around them; `is_cut`: 0 is the lowest step."""
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    stored = {
        "first_steps": FIRST,
        "first_step": CHANNELS,
        "first_zero": np.zeros(4, np.int8),
        "second_steps": SECOND,
        "second_step": STEP,
        "second_zero": np.uint8(ZERO),
        "bias_steps": BIAS,
        "bias_step": np.float32(0.001),
        "bias_zero": np.int32(0),
        "way_step": WAY,
        "way_zero": np.int8(-128 if is_cut else 0),
        "whole": np.float32(1),
    }
    nodes = [
        helper.make_node("DequantizeLinear", ["first_steps", "first_step", "first_zero"], ["first"], axis=0),
        helper.make_node("DequantizeLinear", ["second_steps", "second_step", "second_zero"], ["second"]),
        helper.make_node("DequantizeLinear", ["bias_steps", "bias_step", "bias_zero"], ["bias"]),
        helper.make_node("QuantizeLinear", ["x", "way_step", "way_zero"], ["x_steps"]),
        helper.make_node("DequantizeLinear", ["x_steps", "way_step", "way_zero"], ["x_way"]),
        helper.make_node("Conv", ["x_way", "first", "bias"], ["hidden"], name="one"),
        helper.make_node("QuantizeLinear", ["hidden", "way_step", "way_zero"], ["hidden_steps"]),
        helper.make_node("DequantizeLinear", ["hidden_steps", "way_step", "way_zero"], ["hidden_way"]),
        helper.make_node("Conv", ["hidden_way", "second"], ["map"], name="two"),
        helper.make_node("Mul", ["map", "whole"], ["y"], name="times one"),
    ]
    given = helper.make_tensor_value_info("x", 1, [None, 3, None, None])
    made = helper.make_tensor_value_info("y", 1, None)
    initializers = [numpy_helper.from_array(np.asarray(array), name) for name, array in stored.items()]
    graph = helper.make_graph(nodes, "graph", [given], [made], initializers)
    file = folder / "inference.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(file))
    return file


KERNELS = FIRST * CHANNELS.reshape(-1, 1, 1, 1), (SECOND.astype(np.float32) - ZERO) * STEP
EXACT = KERNELS[0] + np.float32(0.003), KERNELS[1] + np.float32(0.002)


def convolved(tensor: Array, kernel: Array, bias: Array | float = 0.0) -> Array:
    return np.asarray(np.einsum("oc,nchw->nohw", kernel[:, :, 0, 0], tensor) + np.reshape(bias, (-1, 1, 1)))


def on_way(array: Array, *, is_cut: bool = False) -> Array:
    steps = np.round(array / WAY)
    return np.asarray((np.clip(steps, 0, 255) if is_cut else np.clip(steps, -128, 127)) * WAY)


def test_steps_are_the_numbers_that_they_stand_for(tmp_path: Path) -> None:
    first, second = QuantisedFile(model(tmp_path)).operators
    assert (first.takers, second.takers) == (("two",), ("times one",))
    assert (first.name, first.grid) == ("one", "8 bits per channel, symmetric")
    assert (second.name, second.grid) == ("two", "8 bits per tensor, with a zero point")
    np.testing.assert_allclose(first.kernel, KERNELS[0], atol=1e-7)
    np.testing.assert_allclose(second.kernel, KERNELS[1], atol=1e-6)
    assert first.bias is not None
    np.testing.assert_allclose(first.bias, BIAS * 0.001, atol=1e-7)
    assert second.bias is None
    assert float(first.bias_step) == pytest.approx(0.001)
    assert float(second.bias_step) == 0
    assert first.step.shape == (4, 1, 1, 1)


def test_the_weights_of_a_file_are_these_numbers_and_not_its_steps(tmp_path: Path) -> None:
    arrays = runtime_arrays(model(tmp_path))
    assert arrays.keys() == {"first", "second", "bias", "whole"}
    np.testing.assert_allclose(arrays["first"], KERNELS[0], atol=1e-7)


@pytest.mark.parametrize("is_cut", [False, True])
def test_it_runs_as_it_is_written_and_without_rounding_on_the_way(tmp_path: Path, is_cut: bool) -> None:
    found = QuantisedFile(model(tmp_path, is_cut=is_cut))
    assert found.rounded == 2
    tensor = np.abs(TENSOR) if is_cut else TENSOR
    bias = BIAS * np.float32(0.001)
    hidden = on_way(convolved(on_way(tensor, is_cut=is_cut), KERNELS[0], bias), is_cut=is_cut)
    np.testing.assert_allclose(found.run(tensor), convolved(hidden, KERNELS[1]), atol=1e-4)
    exact = convolved(tensor, KERNELS[0], bias)
    assert exact.min() < 0
    exact = np.maximum(exact, 0) if is_cut else exact
    np.testing.assert_allclose(found.run(tensor, rounds=False), convolved(exact, KERNELS[1]), atol=1e-5)
    assert np.max(np.abs(found.run(tensor) - found.run(tensor, rounds=False))) > 1e-3


def test_what_lies_between_operators_in_fp32_alone_is_not_rounded(tmp_path: Path) -> None:
    found = QuantisedFile(model(tmp_path))
    bias = np.ones(4, np.float32)
    one, two = {"one": (EXACT[0], bias)}, {"two": (EXACT[1], None)}
    own = convolved(TENSOR, EXACT[0], bias)  # what the tensor passes is rounded where `one` takes it alone
    np.testing.assert_allclose(found.run(TENSOR, kept=one), convolved(on_way(own), KERNELS[1]), atol=1e-4)
    hidden = on_way(convolved(on_way(TENSOR), KERNELS[0], BIAS * np.float32(0.001)))
    np.testing.assert_allclose(found.run(TENSOR, kept=two), convolved(hidden, EXACT[1]), atol=1e-4)
    np.testing.assert_allclose(found.run(TENSOR, kept={**one, **two}), convolved(own, EXACT[1]), atol=1e-4)


def test_a_file_without_steps_is_not_quantised() -> None:
    from paths import EXAMPLE

    file = EXAMPLE / "inference_onnx" / "inference.onnx"
    assert runtime_quantised(file) is None
    assert len(runtime_arrays(file)) == 50, "the trained ones, without what its Resize operators take"


def test_another_form_is_said_to_be_none_that_is_read(tmp_path: Path) -> None:
    file = model(tmp_path)
    assert runtime_quantised(file) is not None
    made = onnx.load(str(file))
    next(node for node in made.graph.node if node.op_type == "Conv").op_type = "ConvInteger"
    onnx.save(made, str(file))
    with pytest.raises(ModelError, match=r"is quantised with ConvInteger, a form that is not read; quantize_static"):
        runtime_quantised(file)
