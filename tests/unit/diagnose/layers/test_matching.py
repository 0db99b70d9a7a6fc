"""What of two graphs holds the same, and where they part."""

from __future__ import annotations

import numpy as np
import pytest
from toy_graphs import FOLDED, ROWS, TENSOR, Function, ToyGraph, export, network, relu

from pytest_ocrparity.contract.network_graph import Node
from pytest_ocrparity.diagnose.layers.matching import (
    LEAST,
    Matches,
    Values,
    distance,
    kind_of,
    largest,
    reference_values,
    unlikeness,
)


def values(graph: ToyGraph) -> Values:
    arrays = graph.run(TENSOR, range(len(graph.nodes)))
    return reference_values(graph, arrays, arrays)


def test_equal_networks_match_in_each_place() -> None:
    matches = Matches(values(network()), values(export()))
    assert all(place in matches.equal[place] for place in range(len(ROWS) + 1))
    assert matches.breaks == []


def test_a_difference_breaks_where_it_begins_and_not_after() -> None:
    matches = Matches(values(network()), values(export({4: lambda array: array + 1})))
    assert matches.breaks == [4]
    assert matches.frontier(4) == {3}
    assert matches.counterparts(4)[0] == 4


def test_what_lies_within_one_operator_is_no_break() -> None:
    matches = Matches(values(ToyGraph(FOLDED)), values(export()))
    assert 1 not in matches.equal
    assert matches.breaks == []


def test_what_is_made_of_something_else_is_no_counterpart() -> None:
    sides = values(ToyGraph(APART)), values(export({4: lambda array: array + 1}, APART))
    assert Matches(*sides).counterparts(4) == [4]
    assert Matches(*sides).counterparts(4, back=1) == [4]  # what the export holds elsewhere is none either


APART: list[tuple[Node, Function]] = [
    (Node("conv2d", (0,), "first"), ROWS[0][1]),  # 1
    (Node("relu", (1,), "first.act"), relu),  # 2
    (Node("relu6", (1,), "second.act"), lambda array: np.clip(array, 0, 1)),  # 3
    (Node("scale", (3,), "second.scale"), lambda array: array * 2),  # 4
]
"""Two branches that one array begins."""


def test_one_operator_of_the_same_arrays_is_certain_and_one_of_two_is_not() -> None:
    reference = values(network())
    assert Matches(reference, values(export({7: lambda array: array + 1}))).is_certain(7, 7)
    matches = Matches(reference, values(export({4: lambda array: array + 1})))
    assert matches.is_certain(4, 4)  # the other branch is held
    assert not matches.is_certain(7, 7)  # it is made of what differs
    both = Matches(reference, values(export({4: lambda array: array + 1, 5: lambda array: array + 1})))
    assert not both.is_certain(4, 4)  # both branches are convolutions of the stem


def test_a_limit_is_of_the_largest_value_or_of_what_rounding_moves() -> None:
    still, moving = np.full(3, 10.0, np.float32), np.full(3, 10.1, np.float32)
    assert reference_values(network(), [still], [still]).limits == [LEAST * 10]
    found = reference_values(network(), [still], [moving])
    assert found.limits[0] > 0.7
    assert found.movements[0] == pytest.approx(0.1, rel=1e-4)


def test_distances_of_what_is_not_finite() -> None:
    one, nan = np.ones(3, np.float32), np.full(3, np.nan, np.float32)
    assert distance(one, one) == 0
    assert distance(one, nan) == np.inf
    assert unlikeness(one, one) == 0
    assert unlikeness(one, -one) == 2
    assert unlikeness(one, nan) == 2
    assert largest(np.zeros(3)) == 1


def test_an_engines_operator_is_of_its_kind() -> None:
    assert kind_of("depthwise_conv2d") == kind_of("conv2d") != kind_of("relu")
