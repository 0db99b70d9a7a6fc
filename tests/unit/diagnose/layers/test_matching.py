"""What of two graphs holds the same, and where they part."""

from __future__ import annotations

import numpy as np
import pytest
from toy_graphs import FOLDED, ROWS, TENSOR, Function, ToyGraph, export, network

from pytest_ocrparity.contract.network_graph import Node
from pytest_ocrparity.diagnose.layers.matching import (
    LEAST,
    Matches,
    Values,
    distance,
    largest,
    reference_values,
    unlikeness,
)
from pytest_ocrparity.diagnose.network.structure import kind_of


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


def test_what_lies_within_one_operator_is_no_break() -> None:
    matches = Matches(values(ToyGraph(FOLDED)), values(export()))
    assert 1 not in matches.equal
    assert matches.breaks == []


SATURATED: list[tuple[Node, Function]] = [
    (Node("conv2d", (0,), "first"), ROWS[0][1]),  # 1
    (Node("scale", (1,), "gate.scale"), lambda array: array * 2),  # 2
    (Node("conv2d", (2,), "gate"), ROWS[3][1]),  # 3
    (Node("clip", (3,), "gate.clip"), lambda array: np.clip(array, -1e-6, 1e-6)),  # 4
    (Node("scale", (4,), "gate.last"), lambda array: array * 3),  # 5
]
"""An activation that makes almost the same of whatever it is given: `clip` of what lies far outside."""


def test_what_an_activation_hides_is_still_a_break() -> None:
    matches = Matches(values(ToyGraph(SATURATED)), values(export({2: lambda array: array * 1.01}, SATURATED)))
    assert 4 in matches.equal
    assert matches.breaks == [2]


def test_what_is_rounded_otherwise_and_vanishes_further_on_is_no_break() -> None:
    faults: dict[int, Function] = {2: lambda array: array * (1 + 4 * LEAST)}
    matches = Matches(values(ToyGraph(SATURATED)), values(export(faults, SATURATED)))
    assert 2 not in matches.equal
    assert matches.breaks == []


def test_zeros_are_the_same_where_the_same_operator_makes_them_of_the_same() -> None:
    rows: list[tuple[Node, Function]] = [*ROWS[:3], (Node("clip", (3,), "off"), lambda array: array * 0)]
    matches = Matches(values(ToyGraph(rows)), values(export({3: lambda array: array * 0}, rows)))
    assert matches.breaks == [3]  # and not the same as what `clip` makes
    assert Matches(values(ToyGraph(rows)), values(export(rows=rows))).equal[4] == [4]


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
