"""How networks are built: what makes a part another one, and what does not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pytest_ocrparity.contract import Node
from pytest_ocrparity.diagnose.network.structure import kernels_of, kind_of, parts_of

KERNEL = (8, 3, 3, 3)


def conv(
    *inputs: int, kernel: Sequence[int] = KERNEL, operator: str = "conv2d", strides: Sequence[int] = (1, 1)
) -> Node:
    return Node(operator, inputs, None, {"strides": list(strides)}, tuple(kernel))


NETWORK = [
    Node("data"),
    conv(0),  # 1
    Node("batch_norm", (1,), kernel=(8,)),  # 2
    Node("relu", (2,)),  # 3
    conv(3, kernel=(8, 8, 1, 1)),  # 4
    conv(3, kernel=(8, 8, 1, 1)),  # 5
    Node("add", (4, 5)),  # 6
]


def changed(place: int, node: Node) -> list[Node]:
    return [node if each == place else other for each, other in enumerate(NETWORK)]


FOLDED = [Node("data"), conv(0), conv(1, kernel=(8, 8, 1, 1)), conv(1, kernel=(8, 8, 1, 1)), Node("add", (2, 3))]
SAME = {
    "folded": FOLDED,
    "pruned": changed(1, conv(0, kernel=(5, 3, 3, 3))),
    "another activation": changed(3, Node("hardswish", (2,))),
    "an engine's name": changed(1, conv(0, operator="fused_conv2d")),
    "another way to multiply by itself": changed(3, Node("multiply", (2, 1))),
}
OTHERS = {
    "a larger kernel": changed(1, conv(0, kernel=(8, 3, 5, 5))),
    "a stride": changed(1, conv(0, strides=(2, 2))),
    "single channels": changed(4, conv(3, kernel=(8, 1, 1, 1))),
    "another way to join": changed(6, Node("concat", (4, 5))),
    "a branch of the tensor": changed(5, conv(0, kernel=(8, 8, 1, 1))),
}


@pytest.mark.parametrize("name", SAME)
def test_other_forms_have_the_same_parts(name: str) -> None:
    assert parts_of(SAME[name]) == parts_of(NETWORK)


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_built_otherwise_has_other_parts(name: str) -> None:
    assert parts_of(OTHERS[name]) != parts_of(NETWORK)


def test_kernels_are_told_by_their_shapes() -> None:
    assert kernels_of(NETWORK) == {KERNEL: 1, (8, 8, 1, 1): 2}
    assert kernels_of(SAME["pruned"]) != kernels_of(NETWORK)


def test_what_engines_call_convolutions_are_convolutions() -> None:
    assert kind_of("depthwise_conv2d") == kind_of("fused_conv2d") == "conv2d"
    assert kind_of("conv2d_transpose") == "conv2d_transpose"
