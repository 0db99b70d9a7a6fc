"""How alike two networks are built: by the operators that have kernels or join arrays, and what these are made of.

What an export folds, splits or renames makes no difference, nor do numbers of channels: a pruned network is built as
before. Names, values and numbers of layers are not looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final, TypeAlias

from pytest_ocrparity.contract.network_graph import Node

Parts: TypeAlias = "Counter[str]"

WITH_KERNELS: Final = ("conv2d", "conv2d_transpose", "matmul", "rnn")
JOINING: Final = ("add", "multiply", "concat")
"""Operators that are of the network's structure where they take more than one array of it."""
OF_STRUCTURE: Final = (*JOINING, "data", "pool2d", "nearest_interp", "bilinear_interp", "bicubic_interp")
CONVOLUTIONS: Final = ("depthwise_conv2d", "fused_conv2d")
"""What engines call convolutions."""
DEPTH: Final = 2
"""How many operators back a part reaches."""


def kind_of(operator: str) -> str:
    """Return an operator's name without what an engine makes of it."""
    return "conv2d" if operator in CONVOLUTIONS else operator


def parts_of(nodes: Sequence[Node]) -> Parts:
    """Return how often each part occurs: an operator with those that it is made of, and those that these are."""
    inputs: dict[int, tuple[int, ...]] = {}  # of those of the structure, with those of it that they are made of
    nearest: list[tuple[int, ...]] = []  # of each node
    for place, node in enumerate(nodes):
        taken = tuple(sorted({each for given in node.inputs for each in nearest[given]}))
        if place and (_word(node) == "" or (node.operator in JOINING and len(taken) < 2)):
            nearest.append(taken)
            continue
        inputs[place], nearest = taken, [*nearest, (place,)]
    words = {place: _word(nodes[place]) for place in inputs}
    parts = dict(words)
    for _ in range(DEPTH):
        parts = {
            place: f"{words[place]}({' '.join(sorted(parts[each] for each in inputs[place]))})" for place in inputs
        }
    return Counter(part for place, part in parts.items() if place)


def kernels_of(nodes: Sequence[Node]) -> Counter[tuple[int, ...]]:
    """Return how often each shape of a kernel occurs."""
    return Counter(node.kernel for node in nodes if len(node.kernel) > 1)


def _word(node: Node) -> str:
    """Return what an operator is called in a part, "" where it is none of the structure."""
    kind = kind_of(node.operator)
    if kind in WITH_KERNELS and len(node.kernel) > 1:
        size = "x".join(str(side) for side in node.kernel[2:])
        is_depthwise = len(node.kernel) > 2 and node.kernel[1] == 1 and kind == "conv2d"
        strides = node.attributes.get("strides") or ()
        return f"{kind} {size}{' depthwise' if is_depthwise else ''}{' strided' if max(strides, default=1) > 1 else ''}"
    return kind if kind in OF_STRUCTURE else ""
