"""The values of pixels, as the page's script unpacks them."""

from __future__ import annotations

import numpy as np
import pytest
from reports import unpacked

from pytest_ocrparity.report.pictures.pixel_values import MOST_VALUES, pixel_values_script


def test_values_come_back_to_a_thousandth_of_their_range() -> None:
    values = np.random.default_rng(1).normal(0.4, 2, (3, 20, 31)).astype(np.float32)
    head, found = unpacked(pixel_values_script(values))
    assert (head["width"], head["height"], head["step"]) == (31, 20, 1)
    assert np.abs(found - values).max() <= np.ptp(values) / 1999
    assert np.abs(found - values[::-1]).max() > np.ptp(values) / 10


def test_of_a_large_array_each_kept_value_is_that_of_its_place() -> None:
    values = np.arange(1200 * 900, dtype=np.float32).reshape(1, 1200, 900)
    head, found = unpacked(pixel_values_script(values))
    assert head["step"] == 3 and found.size <= MOST_VALUES
    assert found[0, 10, 20] == pytest.approx(values[0, 30, 60], abs=values.size / 1000)


def test_of_a_difference_no_pixel_is_lost_and_none_becomes_nothing() -> None:
    values = np.zeros((1, 1200, 900), np.float32)
    values[0, 778, 334] = 1.0
    values[0, 5, 5] = 1e-7
    found = unpacked(pixel_values_script(values, is_difference=True))[1]
    assert found[0, 778 // 3, 334 // 3] == 1.0
    assert found[0, 1, 1] > 0
    assert np.count_nonzero(found) == 2
    assert unpacked(pixel_values_script(values))[1].max() < 1  # where each block gives its first value


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_says_so(bad: float) -> None:
    values = np.full((1, 2, 2), 0.5, np.float32)
    values[0, 1, 0] = bad
    found = unpacked(pixel_values_script(values))[1]
    assert np.isnan(found).tolist() == [[[False, False], [True, False]]]
    assert found[0, 0, 0] == 0.5


def test_equal_values_have_a_scale() -> None:
    assert (unpacked(pixel_values_script(np.full((1, 3, 3), -2, np.float32)))[1] == -2).all()
