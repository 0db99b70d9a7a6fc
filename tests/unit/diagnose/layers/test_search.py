"""The first layer that differs, on a network of numpy: each place, several at once, and what must not be named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from toy_graphs import FOLDED, LEFT, NEXT, ROWS, TENSOR, Function, ToyGraph, export, mixes, network, relu

from pytest_ocrparity.contract.network_graph import Node
from pytest_ocrparity.diagnose.layers.search import NOT_SHOWN, Runs, Search, search_layers


def moved(array: np.ndarray) -> np.ndarray:
    return array * 1.3 + 0.2


def search(candidate: ToyGraph, reference: ToyGraph | None = None, runs: Runs | None = None) -> Search:
    return search_layers(reference or network(), candidate, TENSOR, 1e-5, runs)


def own_places(found: Search) -> list[int]:
    return [place.own for place in found.places]


@pytest.mark.parametrize("place", range(1, len(ROWS) + 1))
def test_the_place_of_a_fault_is_named_and_proved(place: int) -> None:
    found = search(export({place: moved}))
    assert found.is_proved, found.why
    assert own_places(found) == [place]
    assert found.places[0].right == place
    assert found.left < 1e-6 < found.off
    assert found.runs <= 8


def test_an_export_that_is_right_has_no_place() -> None:
    found = search(export())
    assert (found.places, found.is_proved, found.why) == ((), False, NOT_SHOWN)


def test_a_fault_without_an_effect_has_no_place() -> None:
    def flipped_below_zero(array: np.ndarray) -> np.ndarray:
        return np.where(array < 0, array - 1, array)

    assert search(export({2: flipped_below_zero})).places == ()


def test_of_two_faults_one_after_the_other_the_first_is_first() -> None:
    found = search(export({4: moved, 7: moved}))
    assert found.is_proved
    assert own_places(found) == [4, 7]


def test_two_faults_side_by_side_are_proved_together() -> None:
    rows = [*ROWS]
    rows[4] = (Node("depthwise", (3,), "right"), ROWS[4][1])
    found = search(export({4: moved, 5: moved}, rows), ToyGraph(rows))
    assert found.is_proved, found.why
    assert own_places(found) == [4, 5]


def test_two_faults_in_branches_that_cannot_be_told_apart_stay_a_hint() -> None:
    """Each may have been meant to be the other: their sum is right either way."""
    found = search(export({4: moved, 5: moved}))
    assert not found.is_proved
    assert found.why == "which of the reference's arrays belongs in a place is not known"


@pytest.mark.parametrize(("place", "between"), [(1, (1, 2)), (2, (3,)), (6, (7,))])
def test_a_folded_operator_stands_for_all_that_is_folded_into_it(place: int, between: tuple[int, ...]) -> None:
    found = search(export({place: moved}, FOLDED))
    assert found.is_proved, found.why
    assert found.places[0].between == between


def test_channels_that_are_left_out_are_found_where_the_shape_is_the_same_again() -> None:
    fewer = [*ROWS]
    fewer[3] = (ROWS[3][0], lambda array: LEFT(array)[:, :3])
    fewer[4] = (ROWS[4][0], lambda array: ROWS[4][1](array)[:, :3])
    fewer[6] = (ROWS[6][0], lambda array: NEXT(np.concatenate([array, np.zeros_like(array[:, :2])], axis=1)))
    found = search(export(rows=fewer))
    assert found.is_proved, found.why
    assert found.places[0].between == (4, 5, 6, 7)


def halved(array: np.ndarray) -> np.ndarray:
    return array[..., ::2, ::2]


def pooled(array: np.ndarray) -> np.ndarray:
    return np.asarray((array + np.roll(array, -1, axis=-1))[..., ::2, ::2] / 2)


MAIN, LATERAL = mixes(4, 4), mixes(4, 4)
STRIDED: Sequence[tuple[Node, Function]] = [
    (Node("conv2d", (0,), "stem"), ROWS[0][1]),  # 1
    (Node("conv2d", (1,), "main"), lambda array: halved(MAIN(array))),  # 2
    (Node("conv2d", (1,), "lateral"), LATERAL),  # 3
    (Node("slice", (3,), "lateral.half"), halved),  # 4
    (Node("add", (2, 4), "sum"), np.add),  # 5
    (Node("slice", (5,), "sum"), lambda array: array[:, :1]),  # 6
]
POOLED: Sequence[tuple[Node, Function]] = [
    (Node("conv2d", (0,)), ROWS[0][1]),  # 1
    (Node("conv2d", (1,)), MAIN),  # 2
    (Node("pool2d", (2,)), pooled),  # 3
    (Node("conv2d", (1,)), LATERAL),  # 4
    (Node("slice", (4,)), halved),  # 5
    (Node("add", (3, 5)), np.add),  # 6
    (Node("slice", (6,)), lambda array: array[:, :1]),  # 7
]
"""The same with a pool in the place of a stride, so that a convolution makes the shape of another layer."""


def test_a_layer_that_the_export_holds_elsewhere_is_not_named() -> None:
    found = search(ToyGraph(POOLED), ToyGraph(STRIDED))
    assert found.is_proved, found.why
    assert own_places(found) == [3]
    assert found.places[0].between == (2,)


def alike() -> list[tuple[Node, Function]]:
    """Return the network with branches that compute the same."""
    rows = [*ROWS]
    rows[4] = (ROWS[4][0], LEFT)
    return rows


def test_which_of_two_layers_that_compute_the_same_it_is_stays_a_hint() -> None:
    found = search(export({5: moved}, alike()), ToyGraph(alike()))
    assert not found.is_proved
    assert found.why == "another layer makes the same of the same"
    assert own_places(found) == [5]


ZEROS: Sequence[tuple[Node, Function]] = [
    (Node("conv2d", (0,), "first"), ROWS[0][1]),  # 1
    (Node("relu", (1,), "first.act"), relu),  # 2
    (Node("clip", (1,), "second.act"), lambda array: array * 0),  # 3
    (Node("scale", (3,), "second.scale"), lambda array: array * 2),  # 4
    (Node("add", (2, 4), "sum"), np.add),  # 5
    (Node("slice", (5,), "sum"), lambda array: array[:, :1]),  # 6
]


@pytest.mark.parametrize("place", [1, 2, 4, 5, 6])
def test_a_place_after_the_fault_is_not_named_where_arrays_are_equal_by_chance(place: int) -> None:
    """A relu that makes zeros holds what another layer holds, and what follows it seems to be the first."""
    faults: Mapping[int, Function] = {place: (lambda array: array * 0) if place == 2 else moved}
    found = search(export(faults, ZEROS), ToyGraph(ZEROS))
    if found.is_proved:
        assert place in found.places[0].between
    assert found.is_proved or place == 2


def test_an_export_that_knows_nothing_of_the_network_is_a_hint_at_most() -> None:
    found = search(export(dict.fromkeys(range(1, 9), moved)))
    assert not found.is_proved
    assert found.why


def test_a_search_ends_with_its_runs() -> None:
    candidate = export({4: moved, 7: moved})
    found = search(candidate, runs=Runs(most=4))
    assert not found.is_proved
    assert found.why == "4 runs did not suffice"
    assert found.runs == 4


def test_what_is_not_finite_is_not_the_same() -> None:
    def broken(array: np.ndarray) -> np.ndarray:
        return np.where(array > 1, np.nan, array)

    found = search(export({4: broken}))
    assert found.is_proved
    assert own_places(found) == [4]


def test_an_operator_that_takes_another_array_is_named_and_not_what_it_misses() -> None:
    rows = [*ROWS]
    rows[5] = (Node("add", (5, 5), "neck"), np.add)
    found = search(export(rows=rows))
    assert found.is_proved, found.why
    assert own_places(found) == [6]
    assert found.places[0].between == (6,)


BIASED: Sequence[tuple[Node, Function]] = [
    (Node("conv2d", (0,), "first"), ROWS[0][1]),  # 1
    (Node("add", (1,), "first"), lambda array: array + 1000),  # 2
    (Node("batch_norm", (2,), "norm"), lambda array: (array - 1000) * 100),  # 3
    (Node("conv2d", (3,), "second"), mixes(4, 4)),  # 4
    (Node("slice", (4,), "head"), lambda array: array[:, :1]),  # 5
]
"""A bias that is large, so that what it is off by is seen further on alone."""


def test_what_of_the_same_layer_is_off_by_less_than_is_seen_is_put_right_with_it() -> None:
    faults: Mapping[int, Function] = {1: lambda array: array * 1.1, 2: lambda array: array + 0.01}
    found = search(export(faults, BIASED), ToyGraph(BIASED))
    assert found.is_proved, found.why
    assert own_places(found) == [1]
    assert found.left == 0


def test_what_an_engine_rounds_otherwise_is_not_named_where_it_moves_no_map() -> None:
    """The first place is off by more than is the same, and the network's own map does not move with it."""
    rows: Sequence[tuple[Node, Function]] = [
        (Node("conv2d", (0,), "first"), ROWS[0][1]),  # 1
        (Node("pool2d", (1,), "gate.pool"), lambda array: array.mean(axis=(2, 3), keepdims=True)),  # 2
        (Node("multiply", (1, 2), "gate"), lambda one, two: one * (1 + two * 1e-4)),  # 3
        (Node("conv2d", (3,), "second"), mixes(4, 4)),  # 4
        (Node("slice", (4,), "head"), lambda array: array[:, :1]),  # 5
    ]
    faults: dict[int, Function] = {2: lambda array: array * 1.0005, 4: moved}
    found = search_layers(ToyGraph(rows), export(faults, rows), TENSOR, 1e-3)
    assert found.is_proved, found.why
    assert own_places(found) == [4]
    faults[2] = lambda array: array * 100  # near miss: this moves it
    found = search_layers(ToyGraph(rows), export(faults, rows), TENSOR, 1e-3)
    assert found.is_proved, found.why
    assert own_places(found) == [2, 4]


def with_one_more(behind: int, operator: str, function: Function, takers: Sequence[int]) -> list[tuple[Node, Function]]:
    """Return the export's rows with an operator behind a place, whose array some of those after it take."""
    rows = [*ROWS[:behind], (Node(operator, (behind,)), function)]
    for place, (node, made) in enumerate(ROWS[behind:], behind + 1):
        inputs = [each + 1 if each > behind or (each == behind and place in takers) else each for each in node.inputs]
        rows.append((Node(node.operator, tuple(inputs)), made))
    return rows


@pytest.mark.parametrize(("behind", "takers"), [(3, (4, 5)), (3, (5,)), (6, (7,)), (9, ())])
def test_an_operator_too_many_is_named_and_not_those_that_take_its_array(behind: int, takers: tuple[int, ...]) -> None:
    candidate = export(rows=with_one_more(behind, "scale", moved, takers))
    if behind == 9:
        candidate = ToyGraph(candidate.rows)
    found = search(candidate)
    assert found.is_proved, found.why
    (place,) = found.places
    assert (place.own, place.right, place.is_one_too_many) == (behind + 1, behind, True)
    assert found.left < 1e-6 < found.off


@pytest.mark.parametrize("place", [2, 3])
def test_an_operator_in_the_place_of_another_is_not_one_too_many(place: int) -> None:
    rows = [*ROWS]
    rows[place - 1] = (Node("clip", rows[place - 1][0].inputs), moved)
    found = search(export(rows=rows))
    assert found.is_proved, found.why
    assert [(each.right, each.is_one_too_many) for each in found.places] == [(place, False)]
