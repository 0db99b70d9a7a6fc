"""The first layer that differs on a page of which no part shows it: found in four runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from toy_graphs import ROWS, Function, SampledToyGraph, ToyGraph, network

from pytest_ocrparity.contract.network_graph import Node
from pytest_ocrparity.diagnose.layers.feature_maps import feature_maps
from pytest_ocrparity.diagnose.layers.layer_texts import layer_of_search
from pytest_ocrparity.diagnose.layers.sampled_search import search_whole_page
from pytest_ocrparity.diagnose.layers.search import NOT_NEEDED, NOT_SHOWN, SAME_OF_SAME, Runs, Search

PAGE = np.random.default_rng(3).normal(size=(1, 3, 32, 48)).astype(np.float32)
STEP = 4


def wrong_where_large(array: np.ndarray) -> np.ndarray:
    """Return what an operator makes that is right up to 16 rows, as of one that was written for a size."""
    return array * 1.3 if array.shape[2] > 16 else array


def search(
    faults: Mapping[int, Function],
    rows: Sequence[tuple[Node, Function]] = ROWS,
    tensor: np.ndarray = PAGE,
    reference: Sequence[tuple[Node, Function]] = ROWS,
) -> tuple[Search, int]:
    """Return what was found, and how many runs were counted."""
    runs = Runs(most=4)
    candidate = SampledToyGraph([(Node(node.operator, node.inputs), function) for node, function in rows], faults)
    right = SampledToyGraph(reference)
    found = search_whole_page(right, candidate, tensor, STEP, [2e-5] * (len(reference) + 1), 1e-5, runs)
    assert found is not None
    assert found.runs == runs.count == candidate.runs + right.runs
    return found, runs.count


@pytest.mark.parametrize("place", range(1, len(ROWS) + 1))
def test_the_place_is_proved_in_four_runs(place: int) -> None:
    found, count = search({place: wrong_where_large})
    assert found.is_proved, found.why
    assert ([each.own for each in found.places], count) == ([place], 4)
    assert found.places[0].right == place
    assert found.left < 1e-6 < found.off


def test_the_arrays_around_the_place_are_read_whole() -> None:
    found, _ = search({7: wrong_where_large})
    right, own = network(), ToyGraph(ROWS, {7: wrong_where_large})
    for place in (6, 7):
        for made, graph in ((found.right(place), right), (found.own(place), own)):
            np.testing.assert_allclose(made, graph.run(PAGE, [place])[0], rtol=1e-5)
    assert found.right(4).shape == found.own(4).shape == (1, 5, 8, 12)
    maps = feature_maps(found, layer_of_search(found), "page 0")
    assert maps.given is not None
    assert "from its" not in maps.made.text
    assert np.max(np.abs(maps.made.reference - maps.made.candidate)) > 0.1
    np.testing.assert_allclose(maps.given.reference, maps.given.candidate, rtol=1e-5)


def test_a_part_does_not_show_it() -> None:
    found, count = search({4: wrong_where_large}, tensor=np.ascontiguousarray(PAGE[:, :, :16]))
    assert (found.places, found.why, count) == ((), NOT_SHOWN, 2)


def test_of_two_faults_the_first_is_a_hint() -> None:
    found, count = search({4: wrong_where_large, 7: wrong_where_large})
    assert not found.is_proved
    assert ([each.own for each in found.places], count) == ([4], 4)
    assert found.why.startswith("with the reference's array there the map is still off by ")


LINE: Sequence[tuple[Node, Function]] = [
    *ROWS[:4],
    (Node("slice", (4,), "head"), ROWS[7][1]),  # 5
    (Node("sigmoid", (5,), "head"), ROWS[8][1]),  # 6
]


def test_an_operator_that_is_not_there_is_named_and_not_the_right_one_after_it() -> None:
    rows = [*LINE[:2], *((Node(node.operator, (node.inputs[0] - 1,)), made) for node, made in LINE[3:])]
    found, _ = search({}, rows, reference=LINE)
    (place,) = found.places
    assert found.is_proved, found.why
    assert (place.between, place.is_lacking) == ((3, 4), True)
    found, _ = search({4: wrong_where_large}, LINE, reference=LINE)
    assert [(each.between, each.is_lacking) for each in found.places] == [((4,), False)]


def test_another_layer_that_makes_the_same_of_the_same_leaves_a_hint() -> None:
    twin: Sequence[tuple[Node, Function]] = [*ROWS[:4], (Node("conv2d", (3,), "right"), ROWS[3][1]), *ROWS[5:]]
    found, _ = search({4: wrong_where_large}, twin, reference=twin)
    assert ([each.own for each in found.places], found.is_proved, found.why) == ([4], False, SAME_OF_SAME)


@pytest.mark.parametrize("is_meant", [False, True])
def test_an_operator_too_many_is_proved_where_no_array_may_belong_there(is_meant: bool) -> None:
    """A scale behind the first activation; near miss: the reference holds an array of that shape further on."""
    line: list[tuple[Node, Function]] = [*ROWS[:3]]
    if is_meant:
        line.append((Node("sigmoid", (3,), "gate"), ROWS[8][1]))
    line += [(Node("conv2d", (len(line),), "left"), ROWS[3][1]), (Node("slice", (len(line) + 1,), "head"), ROWS[7][1])]
    more = [(Node(node.operator, tuple(each + (each > 2) for each in node.inputs)), made) for node, made in line[3:]]
    rows = [*line[:3], (Node("scale", (3,)), wrong_where_large), *more]
    rows[4] = (Node(rows[4][0].operator, (4,)), rows[4][1])
    found, _ = search({}, rows, reference=line)
    (place,) = found.places
    assert place.is_one_too_many
    assert (found.is_proved, found.why) == ((False, NOT_NEEDED) if is_meant else (True, ""))


@pytest.mark.parametrize("has_samples", [(False, False), (True, False), (False, True)])
def test_a_graph_without_samples_is_not_searched(has_samples: tuple[bool, bool]) -> None:
    right, own = (SampledToyGraph(ROWS) if each else network() for each in has_samples)
    assert search_whole_page(right, own, PAGE, STEP, [2e-5] * 10, 1e-5, Runs(most=0)) is None
