"""Whether chance explains how far two sides lie apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle

import numpy as np
import pytest
from diagnosing import Array

from pytest_ocrparity.diagnose.chance import Chance, Drawn


def array(*values: float) -> Array:
    return np.asarray(values, np.float32)


class Draws:
    """Returns some arrays by turns, and counts how often it was asked."""

    def __init__(self, *arrays: Array | None) -> None:
        self.arrays: Iterator[Array | None] = cycle(arrays)
        self.count = 0

    def __call__(self) -> Array | None:
        self.count += 1
        return next(self.arrays)


def chance(reference: Sequence[Array], candidate: Sequence[Array], limit: float = 0.0) -> Chance:
    return Chance(Drawn.of(reference), Drawn.of(candidate), limit)


def test_what_overlaps_is_explained() -> None:
    found = chance([array(0, 5)], [array(-1, 5), array(0.5, 5)])
    assert (found.noise, found.gap, found.explains_all) == (1.5, 0, True)


@pytest.mark.parametrize(("right", "explained"), [(1.9, True), (2.0, True), (2.1, False), (-1.1, False), (-0.9, True)])
def test_what_lies_no_further_off_than_it_lies_apart_is_explained(right: float, explained: bool) -> None:
    found = chance([array(right, 0)], [array(0, 0), array(1, 0)])
    assert found.explains_all is explained


def test_both_sides_may_not_repeat_themselves() -> None:
    found = chance([array(0), array(1)], [array(4), array(6)])
    assert (found.noise, found.gap, found.explains_all) == (3, 0, True)


def test_values_are_compared_place_by_place() -> None:
    """Noise in one place explains nothing of another, however large it is: near miss, the other changes as well."""
    found = chance([array(0, 0)], [array(0, 3), array(3, 3)])
    assert (found.noise, found.gap, found.explains_all) == (3, 3, False)
    found = chance([array(0, 0)], [array(0, 2.5), array(3, 3)])
    assert (found.noise, found.gap, found.explains_all) == (3, 0, True)


@pytest.mark.parametrize(("off", "limit", "explained"), [(3 / 32, 0, True), (0.1, 0, False), (0.1, 0.1, True)])
def test_values_that_do_not_change_are_the_same_within_a_limit(off: float, limit: float, explained: bool) -> None:
    found = chance([array(0, 0)], [array(0, off), array(3, off)], limit)
    assert found.explains_all is explained


@pytest.mark.parametrize(("changing", "explained"), [(32, True), (31, False)])
def test_few_values_may_come_the_same_each_time(changing: int, explained: bool) -> None:
    """As those that are clipped do: near miss, one less that changes."""
    found = chance([array(0, *[0] * changing)], [array(1, *[1] * changing), array(1, *[3] * changing)])
    assert (found.explains_all, found.gap) == (explained, 0 if explained else 1)


def test_another_shape_is_never_explained() -> None:
    found = chance([array(0, 0)], [array(0), array(1)])
    assert (found.gap, found.explains_all) == (float("inf"), False)


def test_what_is_no_number_each_time_is_not_explained_and_what_is_one_once_counts() -> None:
    nan = float("nan")
    found = chance([array(0, 0)], [array(nan, 0), array(nan, 0.5)])
    assert (found.noise, found.gap) == (0.5, float("inf"))
    assert chance([array(0)], [array(nan), array(0)]).explains_all


def test_it_is_drawn_until_that_explains_all() -> None:
    draws = Draws(array(1.6), array(0.5), array(9))
    found = Chance(Drawn.of([array(0)]), Drawn.of([array(2)], draws))
    found.draw(12, lambda: None)
    assert (found.candidate.runs, draws.count, found.explains_all) == (3, 2, True)


def test_it_is_drawn_so_often_at_most_and_what_repeats_itself_is_not() -> None:
    draws = Draws(array(3), array(2.5))
    checks: list[int] = []
    found = Chance(Drawn.of([array(0)]), Drawn.of([array(2)], draws))
    found.draw(5, lambda: checks.append(1))
    assert (found.candidate.runs, draws.count, found.explains_all, found.gap) == (5, 4, False, 2)
    assert len(checks) == 5


def test_next_to_no_noise_is_not_drawn_often() -> None:
    draws = Draws(array(2.01), array(2.02))
    found = Chance(Drawn.of([array(0)]), Drawn.of([array(2)], draws))
    found.draw(12, lambda: None)
    assert found.candidate.runs == 3


@pytest.mark.parametrize("last", [None, array(1, 2)])
def test_a_run_that_fails_or_returns_another_shape_is_the_last(last: Array | None) -> None:
    draws = Draws(array(3), last)
    found = Chance(Drawn.of([array(0)]), Drawn.of([array(2)], draws))
    found.draw(12, lambda: None)
    assert (found.candidate.runs, draws.count) == (2, 2)


@pytest.mark.parametrize(("noise", "runs"), [(1 / 16, 3), (5 / 64, 12)])
def test_next_to_no_noise_is_a_thirty_second_of_the_gap_or_less(noise: float, runs: int) -> None:
    found = Chance(Drawn.of([array(0)]), Drawn.of([array(2)], Draws(array(2 + noise), array(2))))
    found.draw(12, lambda: None)
    assert (found.noise, found.gap, found.candidate.runs) == (noise, 2, runs)


def test_each_side_that_does_not_repeat_itself_is_drawn_three_times_at_least() -> None:
    sides = [Drawn.of([array(0), array(0.01), array(0)], Draws(array(0))), Drawn.of([array(2)], Draws(array(2)))]
    found = Chance(sides[0], sides[1])
    found.draw(12, lambda: None)
    assert [side.runs for side in sides] == [5, 3]


def test_infinity_on_one_side_is_infinitely_far_and_no_more_than_once() -> None:
    found = chance([array(float("inf"), 0)], [array(0, 0), array(0, 1)])
    assert (found.gap, found.noise) == (float("inf"), 1)
    found = chance([array(0, 0)], [array(float("-inf"), 0), array(0, 0)])
    assert (found.gap, found.noise) == (0, float("inf"))
