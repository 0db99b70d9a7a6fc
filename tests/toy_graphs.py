"""A network of numpy as a graph, right or with other functions in some places."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.contract.network_graph import Node

Array: TypeAlias = "npt.NDArray[Any]"
Function: TypeAlias = Callable[..., Array]

RANDOM = np.random.default_rng(7)
TENSOR: Final[Array] = RANDOM.normal(size=(1, 3, 8, 8)).astype(np.float32)


def mixes(inputs: int, outputs: int) -> Function:
    """Return a 1x1 convolution."""
    weights = RANDOM.normal(size=(outputs, inputs))
    return lambda array: np.einsum("oi,nihw->nohw", weights, array)


def scales(factor: float, shift: float) -> Function:
    """Return a batch norm."""
    return lambda array: array * factor + shift


def relu(array: Array) -> Array:
    return np.maximum(array, 0)


def squashed(array: Array) -> Array:
    return 1 / (1 + np.exp(-array))


def last(array: Array) -> Array:
    return array[:, :1]


@dataclass
class ToyGraph:
    """A graph whose operators are functions."""

    rows: Sequence[tuple[Node, Function]]
    faults: Mapping[int, Function] = field(default_factory=dict)
    """By place, what is made of the right array there."""
    runs: int = 0

    @property
    def nodes(self) -> list[Node]:
        return [Node("data"), *(node for node, _ in self.rows)]

    @property
    def output(self) -> int:
        return len(self.rows)

    def run(self, tensor: Array, wanted: Sequence[int], replaced: Mapping[int, Array] | None = None) -> list[Array]:
        self.runs += 1
        made, given = [tensor], [tensor]
        for place, (node, function) in enumerate(self.rows, 1):
            array = function(*(given[each] for each in node.inputs))
            if place in self.faults:
                array = self.faults[place](array)
            made.append(array.astype(np.float32))
            given.append((replaced or {}).get(place, made[-1]))
        return [made[place] for place in wanted]


class SampledToyGraph(ToyGraph):
    """A graph of which some rows and columns can be read."""

    def samples(self, tensor: Array, step: int) -> list[Array]:
        arrays = self.run(tensor, range(len(self.rows) + 1))
        return [array[:, :, ::step, ::step] for array in arrays]


STEM, NORM, LEFT, RIGHT, NEXT = mixes(3, 4), scales(0.7, 0.1), mixes(4, 5), mixes(4, 5), mixes(5, 5)
ROWS: Final[list[tuple[Node, Function]]] = [
    (Node("conv2d", (0,), "stem.conv"), STEM),  # 1
    (Node("batch_norm", (1,), "stem.norm", {"epsilon": 1e-5}), NORM),  # 2
    (Node("relu", (2,), "stem.act"), relu),  # 3
    (Node("conv2d", (3,), "left"), LEFT),  # 4
    (Node("conv2d", (3,), "right"), RIGHT),  # 5
    (Node("add", (4, 5), "neck"), np.add),  # 6
    (Node("conv2d", (6,), "head.conv"), NEXT),  # 7
    (Node("slice", (7,), "head"), last),  # 8
    (Node("sigmoid", (8,), "head"), squashed),  # 9
]
"""Two branches after a stem, their sum, and a head."""
FOLDED: Final[list[tuple[Node, Function]]] = [
    (Node("conv2d", (0,)), lambda array: NORM(STEM(array))),  # 1
    (Node("relu", (1,)), relu),  # 2
    *((Node(node.operator, tuple(each - 1 for each in node.inputs)), function) for node, function in ROWS[3:]),
]
"""The same as an export writes it: the batch norm is folded into its convolution, and layers have no names."""


def network() -> ToyGraph:
    """Return the trained network."""
    return ToyGraph(ROWS)


def export(faults: Mapping[int, Function] | None = None, rows: Sequence[tuple[Node, Function]] = ROWS) -> ToyGraph:
    """Return an export, with faults by place."""
    unnamed = [(Node(node.operator, node.inputs, None, node.attributes), function) for node, function in rows]
    return ToyGraph(unnamed, faults or {})
