"""How an operator of an export differs from that of the trained network."""

from __future__ import annotations

from pytest_ocrparity.contract.network_graph import Node
from pytest_ocrparity.diagnose.layers.attributes import attribute_difference, structural_difference


def test_an_attribute_that_differs_is_said_with_both_values() -> None:
    right = Node("batch_norm", attributes={"epsilon": 9.999999747378752e-06, "momentum": 0.9})
    found = attribute_difference(right, Node("batch_norm", attributes={"epsilon": 0.01, "momentum": 0.1}))
    assert found is not None
    assert (found.values, found.text) == ({"epsilon": 0.01}, "epsilon 0.01 in the export, 1e-05 in training")


def test_rounding_and_what_is_of_training_alone_are_no_difference() -> None:
    right = Node("batch_norm", attributes={"epsilon": 9.999999747378752e-06, "momentum": 0.9})
    assert attribute_difference(right, Node("batch_norm", attributes={"epsilon": 1e-5, "momentum": 0.1})) is None
    assert attribute_difference(right, Node("batch_norm", attributes={})) is None


def test_lists_are_compared_by_what_they_hold() -> None:
    right = Node("conv2d", attributes={"strides": [1, 1], "paddings": [1, 1]})
    found = attribute_difference(right, Node("depthwise_conv2d", attributes={"strides": (1, 1), "paddings": [2, 2]}))
    assert found is not None
    assert found.values == {"paddings": [2, 2]}


def test_another_operator_is_a_difference() -> None:
    found = attribute_difference(Node("relu"), Node("leaky_relu", attributes={"negative_slope": 0.05}))
    assert found is not None
    assert found.values == {"operator": "leaky_relu", "negative_slope": 0.05}
    assert found.text == "leaky_relu in the export, relu in training"


def test_several_operators_that_stand_for_one_are_said() -> None:
    found = structural_difference([Node("relu")], [Node("sigmoid"), Node("multiply")])
    assert found is not None
    assert (found.values, found.text) == ({}, "sigmoid and multiply in the export, relu in training")
    same = [Node("depthwise_conv2d"), Node("add")], [Node("conv2d"), Node("add")]
    assert structural_difference(*same) is None
