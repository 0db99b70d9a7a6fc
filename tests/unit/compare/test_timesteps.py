"""Maps of recognisers: whether their timesteps pair, which changed, and where each lies in the source image."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from properties import quickly
from toy_reader import LINE, Reader, line

from pytest_ocrparity.compare import timesteps
from pytest_ocrparity.compare.timesteps import (
    changed_timesteps,
    is_size,
    timestep_column_place,
    timestep_form_difference,
    timestep_margins,
    timestep_place,
    timestep_sum_difference,
)

ROWS = np.array([[[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.1, 0.1, 0.8]]], np.float32)


def changed(**places: float) -> Any:
    """Return the rows with other values, by places such as `at12` for timestep 1, class 2."""
    found = ROWS.copy()
    for name, value in places.items():
        found[0, int(name[2]), int(name[3])] = value
    return found


@pytest.mark.parametrize(
    ("shapes", "kind"),
    [
        (((1, 3, 3), (1, 3, 3)), None),
        (((1, 3, 3), (1, 4, 3)), "timesteps"),
        (((1, 3, 3), (1, 3, 4)), "classes"),
        (((1, 3, 3), (1, 4, 4)), "classes"),
        (((2, 3, 3), (2, 3, 3)), "line_shape"),
        (((1, 3, 3), (1, 1, 3, 3)), "line_shape"),
        (((1, 0, 3), (1, 0, 3)), "no_values"),
    ],
)
def test_whether_they_pair(shapes: tuple[tuple[int, ...], tuple[int, ...]], kind: str | None) -> None:
    found = timestep_form_difference(*(np.zeros(shape, np.float32) for shape in shapes))
    assert (found and found.kind) == kind


class TestRowSums:
    def test_probabilities_have_none(self) -> None:
        assert timestep_sum_difference(ROWS, changed(at00=0.6009)) is None

    def test_one_side_without_them_fails(self) -> None:
        found = timestep_sum_difference(ROWS, changed(at00=0.602))
        assert found is not None and found.fails
        assert (round(found.reference, 4), round(found.candidate, 4)) == (0.0, 0.002)

    def test_logits_on_both_sides_are_a_fact(self) -> None:
        found = timestep_sum_difference(ROWS * 3, ROWS * 3)
        assert found is not None and not found.fails


class TestChanges:
    def test_another_value_is_no_other_class(self) -> None:
        assert len(changed_timesteps(ROWS, changed(at11=0.31))) == len(timestep_margins(ROWS, changed(at11=0.31))) == 0

    def test_another_best_class_is(self) -> None:
        other = changed(at11=0.29, at22=0.0)
        assert changed_timesteps(ROWS, other).tolist() == [1, 2]
        # Of the reference, from its class to that of the candidate, which need not be its second.
        assert timestep_margins(ROWS, other) == pytest.approx([0.2, 0.7])
        assert timestep_margins(ROWS, changed(at11=0.0, at12=0.0)) == pytest.approx([0.3])


class TestPlaces:
    def test_a_line_that_is_enlarged_and_padded(self) -> None:
        trace = Reader(height=32, base_width=256).trace(line("abc"))  # 48 px become 96 of 256
        assert timestep_column_place(trace, 48.0, 16.0) == (24.0, 8.0)
        assert timestep_place(trace, 0) == (2.0, 8.0)
        assert timestep_place(trace, 31) == (126.0, 8.0)  # in the padding, right of the image

    def test_what_does_not_say_its_widths_has_none(self) -> None:
        trace = Reader().trace(LINE)
        assert timestep_place(replace(trace, decode=None), 0) is None
        for wrong in ({}, {"height": 16}, {"height": 16, "content_width": 0, "width": 64}):
            assert timestep_place(replace(trace, parameters={"resize": wrong}), 0) is None
        odd = {"height": True, "content_width": "9", "width": [1]}
        assert timestep_column_place(replace(trace, parameters={"resize": odd}), 0) is None
        assert timestep_place(replace(trace, probability_map=None), 0) is None


def test_both_edges_of_a_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timesteps, "ROW_SUM", 2.0**-10)
    whole, edge, beyond = (np.array([[[0.5, 0.5 + off]]]) for off in (0.0, 2.0**-10, 2.0**-9))
    assert timestep_sum_difference(whole, edge) is None
    assert timestep_sum_difference(edge, whole) is None
    found = timestep_sum_difference(whole, beyond)
    assert found is not None and (found.reference, found.candidate) == (0.0, 2.0**-9)


@pytest.mark.parametrize(
    ("value", "is_one"),
    [*((0, False), (1, True), (0.5, True), (-1, False), (999_999_999, True), (1e9, False), (float("inf"), False))],
)
def test_what_is_a_size(value: float, is_one: bool) -> None:
    assert is_size(value) == is_one
    assert not is_size(True) and not is_size(str(value)) and not is_size(None) and not is_size(float("nan"))


@quickly
@given(npst.arrays(np.float32, (1, 5, 4), elements=st.floats(0, 1, width=16)), st.permutations(range(5)))
def test_which_steps_changed_is_a_matter_of_each_step_alone(maps: Any, order: list[int]) -> None:
    other = maps[:, order]
    changed = set(changed_timesteps(maps, other).tolist())
    assert changed == {step for step in range(5) if maps[0, step].argmax() != other[0, step].argmax()}
    margins = timestep_margins(maps, other)
    assert len(margins) == len(changed) and np.all(margins >= 0)
    assert len(changed_timesteps(maps, maps)) == 0
    assert changed == set(changed_timesteps(other, maps).tolist())


def test_a_sum_may_be_off_by_a_thousandth() -> None:
    assert timestep_sum_difference(ROWS, changed(at00=0.6012)) is not None
    assert timestep_sum_difference(ROWS, changed(at00=0.6008)) is None


def test_a_column_alone_lies_at_the_top() -> None:
    trace = Reader(height=32, base_width=256).trace(line("abc"))
    assert timestep_column_place(trace, 48.0) == (24.0, 0.0)
