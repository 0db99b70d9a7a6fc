"""What of an ONNX file is a weight, and in which order its operators take them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pytest

from pytest_ocrparity.backends.onnx.stored_weights import weights_of_graph

onnx = pytest.importorskip("onnx")

Array: TypeAlias = "npt.NDArray[Any]"
RNG = np.random.default_rng(3)


def numbers(*shape: int) -> Array:
    return RNG.normal(size=shape).astype(np.float32)


def node(operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> Any:
    return onnx.helper.make_node(operator, inputs, [output], **attributes)


def constant(name: str, array: Array) -> Any:
    return node("Constant", [], name, value=onnx.numpy_helper.from_array(array, name))


def weights(nodes: Sequence[Any], **stored: Array) -> dict[str, Array]:
    kept = [onnx.numpy_helper.from_array(array, name) for name, array in stored.items()]
    return weights_of_graph(onnx.helper.make_graph(nodes, "net", [], [], kept))


def test_they_are_in_the_order_of_use_and_the_statistics_of_batch_norm_come_first() -> None:
    stored = {name: numbers(4) for name in ("bias", "mean", "offset", "scale", "variance")}
    norm = node("BatchNormalization", ["a", "scale", "offset", "mean", "variance"], "b")
    found = weights([constant("w", numbers(4, 3, 1, 1)), node("Conv", ["x", "w", "bias"], "a"), norm], **stored)
    assert list(found) == ["w", "bias", "mean", "variance", "scale", "offset"]
    np.testing.assert_array_equal(found["mean"], stored["mean"])


@pytest.mark.parametrize("operator", ["Resize", "Upsample", "Clip", "Pad"])
@pytest.mark.parametrize("is_weight", [False, True])
def test_what_says_how_an_operator_computes_is_none(operator: str, is_weight: bool) -> None:
    """An array that another operator computes with is one, whatever takes it as well."""
    nodes = [node(operator, ["x", "", "numbers"], "a")] + [node("Mul", ["a", "numbers"], "b")] * is_weight
    assert list(weights(nodes, numbers=numbers(4))) == ["numbers"] * is_weight


def test_what_no_operator_takes_and_what_is_empty_or_an_integer_is_none() -> None:
    nodes = [node("Add", ["x", "empty"], "a"), node("Gather", ["a", "index"], "b")]
    stored = {"unused": numbers(3), "empty": numbers(0), "index": np.arange(3)}
    assert weights(nodes, **stored) == {}
    assert list(weights([*nodes, node("Add", ["b", "unused"], "c")], **stored)) == ["unused"]


def test_a_weight_that_is_passed_on_has_the_name_under_which_it_is_stored() -> None:
    passed = [
        node("Identity", ["w"], "same"),
        node("Reshape", ["b", "shape"], "flat"),
        node("Cast", ["flat"], "c", to=1),
    ]
    use = [node("ConvTranspose", ["x", "same"], "y"), node("Add", ["y", "c"], "z")]
    stored = {"b": numbers(1), "w": numbers(3, 1, 2, 2), "shape": np.array([1, 1, 1, 1])}
    assert list(weights([*passed, *use], **stored)) == ["w", "b"]
    assert weights(passed, **stored) == {}


@pytest.mark.parametrize("is_turned", [0, 1])
def test_a_kernel_that_is_taken_transposed_is_turned(is_turned: int) -> None:
    kernel = numbers(5, 3)
    found = weights([node("Gemm", ["x", "w", "b"], "y", transB=is_turned)], w=kernel, b=numbers(5))
    np.testing.assert_array_equal(found["w"], kernel.T if is_turned else kernel)
    assert list(found) == ["w", "b"]


def test_those_within_a_branch_are_found() -> None:
    branch = onnx.helper.make_graph([node("Mul", ["x", "w"], "y")], "branch", [], [])
    chosen = node("If", ["size"], "z", then_branch=branch, else_branch=branch)
    assert list(weights([chosen], w=numbers(2), other=numbers(2))) == ["w"]
