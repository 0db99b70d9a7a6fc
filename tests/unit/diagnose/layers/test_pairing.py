"""Which of the reference's arrays belongs in a place of an export."""

from __future__ import annotations

import numpy as np
from toy_graphs import ROWS, TENSOR, Function, ToyGraph, export, network, relu

from pytest_ocrparity.contract.network_graph import Node
from pytest_ocrparity.diagnose.layers.matching import Matches, Values, reference_values
from pytest_ocrparity.diagnose.layers.pairing import Pair, pairs_of


def values(graph: ToyGraph) -> Values:
    arrays = graph.run(TENSOR, range(len(graph.nodes)))
    return reference_values(graph, arrays, arrays)


def matched(candidate: ToyGraph, reference: ToyGraph | None = None) -> Matches:
    return Matches(values(reference or network()), values(candidate))


def plus_one(array: np.ndarray) -> np.ndarray:
    return array + 1


def places(pairs: list[Pair]) -> list[tuple[int, int]]:
    return [(pair.own, pair.right) for pair in pairs]


def test_the_same_operator_comes_first() -> None:
    first = pairs_of(matched(export({4: plus_one})), 4)[0]
    assert first == Pair(4, 4, frozenset({4}), {3: 3}, is_certain=True)  # the other branch is held


APART: list[tuple[Node, Function]] = [
    (Node("conv2d", (0,), "first"), ROWS[0][1]),  # 1
    (Node("relu", (1,), "first.act"), relu),  # 2
    (Node("relu6", (1,), "second.act"), lambda array: np.clip(array, 0, 1)),  # 3
    (Node("scale", (3,), "second.scale"), lambda array: array * 2),  # 4
]
"""Two branches that one array begins."""


def test_what_is_made_of_something_else_is_none() -> None:
    assert places(pairs_of(matched(export({4: plus_one}, APART), ToyGraph(APART)), 4)) == [(4, 4)]


def test_one_operator_of_the_same_arrays_is_certain_and_one_of_two_is_not() -> None:
    assert pairs_of(matched(export({7: plus_one})), 7)[0].is_certain
    both = pairs_of(matched(export({4: plus_one, 5: plus_one})), 4)
    assert places(both)[:2] == [(4, 4), (4, 5)]  # both branches are convolutions of the stem
    assert not any(pair.is_certain for pair in both)


def test_an_operator_that_takes_another_array_is_meant_to_be_that_which_takes_the_others() -> None:
    rows = [*ROWS]
    rows[5] = (Node("add", (5, 5), "neck"), np.add)
    first = pairs_of(matched(export(rows=rows)), 6)[0]
    assert first == Pair(6, 6, frozenset({6}), {5: 5}, is_certain=False)


def test_an_operator_that_takes_nothing_alike_is_not() -> None:
    rows: list[tuple[Node, Function]] = [
        (Node("relu", (0,)), relu),  # 1
        (Node("relu6", (0,)), lambda array: np.clip(array, 0, 1)),  # 2
        (Node("scale", (0,)), lambda array: array * 2),  # 3
        (Node("add", (1, 2), "sum"), np.add),  # 4
    ]
    other: list[tuple[Node, Function]] = [*rows[:3], (Node("add", (3, 3)), np.add)]
    assert pairs_of(matched(ToyGraph(other), ToyGraph(rows)), 4) == []


DECOMPOSED: list[tuple[Node, Function]] = [
    *ROWS[:2],
    (Node("sigmoid", (2,)), lambda array: 1 / (1 + np.exp(-array))),  # 3
    (Node("multiply", (2, 3)), np.multiply),  # 4
    *((Node(node.operator, tuple(each + 1 for each in node.inputs)), function) for node, function in ROWS[3:]),
]
"""The network with a swish in the place of the relu, which a file holds as two operators."""


def test_of_several_operators_that_stand_for_one_the_last_is_meant() -> None:
    first = pairs_of(matched(ToyGraph(DECOMPOSED)), 3)[0]
    assert (first.own, first.right, first.between) == (4, 3, frozenset({3}))
