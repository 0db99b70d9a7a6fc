"""The interval of the difference of two accuracies."""

from __future__ import annotations

from fractions import Fraction
from math import prod

import numpy as np
import pytest
from scipy.stats import beta

from pytest_ocrparity.evaluate.interval import (
    DRAWS,
    Interval,
    Units,
    differences_for_interval,
    hmean,
    interval_of,
    unseen_units,
)


def lines(right: int, lost: int, gained: int = 0, wrong: int = 0) -> Units:
    """Return lines of a recogniser: right on both sides, lost, gained, and wrong on both sides."""
    rows = [[1, 1, 1, 1, 1]] * right + [[1, 0, 1, 1, 1]] * lost + [[0, 1, 1, 1, 1]] * gained + [[0, 0, 1, 1, 1]] * wrong
    return np.array(rows, np.float64)


def test_hmean() -> None:
    assert hmean(3, 4, 6) == pytest.approx(2 * 0.75 * 0.5 / 1.25)
    assert hmean(0, 0, 0) == 0
    assert differences_for_interval(np.array([[4, 3, 4, 4, 6], [0, 0, 0, 0, 0]])).tolist() == pytest.approx([-0.2, 0])


@pytest.mark.parametrize(("n", "lost"), [(10, 1), (30, 3), (100, 3), (1000, 40)])
def test_of_lost_lines_it_is_clopper_and_pearsons(n: int, lost: int) -> None:
    found = interval_of(lines(n - lost, lost))
    low, high = -beta.ppf(0.975, lost + 1, n - lost), -beta.ppf(0.025, lost, n - lost + 1)
    tolerance = 0.05 * (high - low)
    assert [found.low, found.high] == pytest.approx([low, high], abs=tolerance)


def exact_quantile(values: list[Fraction], share: float) -> float:
    """Return a quantile of the sum of values that are weighted evenly over all weights of sum 1.

    Its distribution function is a sum over those of the values, no two of them equal, that are above a point.
    """

    def below(point: Fraction) -> Fraction:
        above = [value for value in values if value > point]
        others = [[value - other for other in values if other != value] for value in above]
        parts = [(value - point) ** (len(values) - 1) / prod(each) for value, each in zip(above, others, strict=True)]
        return 1 - sum(parts, Fraction(0))

    low, high = min(values), max(values)
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) < share else (low, middle)
    return float(low)


@pytest.mark.parametrize("found", [[9, 7, 4], [9, 8, 6, 5], [9, 8, 7, 6, 5, 4, 3], [1]])
def test_of_pages_of_one_size_it_is_gaffkes_bound(found: list[int]) -> None:
    units = np.array([[10, each, 10, 10, 10] for each in found], np.float64)
    values = [Fraction(each - 10, 10) for each in found]
    low, high = exact_quantile([*values, Fraction(-1)], 0.025), exact_quantile([*values, Fraction(0)], 0.975)
    interval = interval_of(units)
    assert [interval.low, interval.high] == pytest.approx([low, high], abs=0.006)
    more = exact_quantile([*values, Fraction(-2)], 0.025)  # another unit that was not seen
    assert more != pytest.approx(low, abs=0.006)


def test_lines_that_were_wrong_before_do_not_matter() -> None:
    one, two = interval_of(lines(50, 3, wrong=47)), interval_of(lines(97, 3))
    assert [one.low, one.high] == pytest.approx([two.low, two.high], abs=0.002)
    assert interval_of(lines(97, 3)).high < interval_of(lines(98, 2)).high


def test_where_nothing_differs_only_what_was_not_seen_can_be_lost() -> None:
    found = interval_of(lines(100, 0))
    assert found.high == 0 and found.low == pytest.approx(-(1 - 0.025 ** (1 / 100)), rel=0.05)
    assert interval_of(lines(100, 1)).high < 0 < interval_of(lines(100, 0, 1)).high


def test_gains_of_what_was_seen_widen_the_upper_end_alone() -> None:
    one, two = interval_of(lines(90, 10)), interval_of(lines(80, 10, 10))
    assert two.high > one.high and two.high > 0 > two.low


def test_more_images_narrow_it() -> None:
    units = lines(95, 4, 1)
    one, ten = interval_of(units), interval_of(units, times=10)
    repeated = interval_of(np.repeat(units, 10, axis=0))
    assert ten.high - ten.low < 0.5 * (one.high - one.low)
    assert [ten.low, ten.high] == pytest.approx([repeated.low, repeated.high], abs=1e-3)


def test_the_order_of_units_does_not_matter_and_the_answer_is_the_same_again() -> None:
    units = np.random.default_rng(3).integers(0, 9, (40, 5)).astype(np.float64)
    assert interval_of(units) == interval_of(units[::-1]) == interval_of(units.copy())
    assert interval_of(units) != interval_of(units, draws=DRAWS // 2)


def test_blocks_of_draws_hold_as_many_as_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    units = lines(50, 5)
    whole = interval_of(units)
    monkeypatch.setattr("pytest_ocrparity.evaluate.interval._BLOCK", 300)
    parts = interval_of(units)
    assert [parts.low, parts.high] == pytest.approx([whole.low, whole.high], abs=0.02)


def test_the_unseen_unit_is_the_largest_that_can_be_lost_or_kept() -> None:
    units = np.array([[5, 5, 6, 6, 7], [20, 18, 21, 22, 25], [1, 1, 1, 1, 1]], np.float64)
    low, high = unseen_units(units)
    assert low.tolist() == [20, 0, 21, 21, 25]
    assert high.tolist() == [20, 20, 21, 21, 25]


def test_what_was_seen_may_be_worse_or_better() -> None:
    storm = np.array([[10, 0, 10, 500, 10], [12, 12, 12, 12, 12], [0, 12, 0, 12, 12]], np.float64)
    low, high = unseen_units(storm)
    assert low.tolist() == [10, 0, 10, 500, 10]
    assert high.tolist() == [0, 12, 0, 12, 12]


def test_many_samples_at_once_have_the_unit_of_each() -> None:
    one, two = lines(3, 1), lines(2, 1, 1)
    low, high = unseen_units(np.stack([one, two]))
    for index, units in enumerate((one, two)):
        alone = unseen_units(units)
        assert low[index].tolist() == alone[0].tolist() and high[index].tolist() == alone[1].tolist()


def test_images_without_a_box_have_no_difference() -> None:
    assert interval_of(np.zeros((5, 5))) == Interval(0.0, 0.0)
