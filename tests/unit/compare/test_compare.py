"""Comparisons of all stages: the first that differs is named, and each tolerance is kept to exactly."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from properties import quickly, violated
from sides import traces
from specimens import Box, box
from toy import PAGE, Toy

from pytest_ocrparity import (
    DifferenceError,
    StageError,
    Trace,
    assert_same_detections,
    assert_same_preprocessing,
    assert_same_probability_maps,
)
from pytest_ocrparity.compare import Comparisons, compare
from pytest_ocrparity.tolerance import BUILT_IN, OFF, Tolerance
from pytest_ocrparity.trace import Detections


class TestStages:
    """The stage that is named is the first."""

    def test_pixels_that_differ_are_not_hidden_by_later_maps(self) -> None:
        other = PAGE.copy()
        other[8:20, 8:40] -= 90
        for check in (assert_same_preprocessing, assert_same_probability_maps, assert_same_detections):
            with pytest.raises(DifferenceError, match="first difference at decode"):
                check(Toy().trace(PAGE), Toy(name="inference").trace(other))

    def test_a_stage_of_one_side_is_a_fact_that_does_not_decide(self) -> None:
        reference, candidate = traces()
        comparison = assert_same_preprocessing(reference, replace(candidate, decode=None))
        assert [(d.stage, d.kind, d.fails) for d in comparison.differences] == [("decode", "one_sided", False)]

    def test_both_sides_may_be_wrong_in_the_same_way(self) -> None:
        reference, candidate = traces()
        assert reference.probability_map is not None
        wide = np.repeat(reference.probability_map, 3, axis=1)
        with pytest.raises(DifferenceError, match="channels of the map: 3 in train, 3 in inference, 1 is right"):
            assert_same_probability_maps(
                replace(reference, probability_map=wide), replace(candidate, probability_map=wide.copy())
            )
        flat = [
            replace(trace, probability_map=reference.probability_map[0, 0].copy()) for trace in (reference, candidate)
        ]
        with pytest.raises(
            DifferenceError, match="has shape 64x96 in train, 64x96 in inference, where 1x1xHxW is right"
        ):
            assert_same_probability_maps(*flat)

    def test_integers_do_not_wrap_around(self) -> None:
        reference, candidate = traces()
        black, white = (np.full((1, 3, 4, 4), value, np.uint8) for value in (0, 255))
        one: Any = replace(reference, tensor=black)  # type: ignore[arg-type]
        two: Any = replace(candidate, tensor=white)  # type: ignore[arg-type]
        with pytest.raises(DifferenceError, match="differ by 255"):
            assert_same_preprocessing(one, two, atol=2)

    def test_a_long_error_is_cut_to_its_first_line(self) -> None:
        reference, candidate = traces()
        error = StageError("probability_map", "RuntimeError: " + "x" * 300 + "\nC++ trace\n" * 50)
        stopped = replace(candidate, probability_map=None, detections=None, error=error)
        with pytest.raises(DifferenceError, match=r"stopped at probability_map: RuntimeError: x{300}\n") as failure:
            assert_same_detections(reference, stopped)
        assert len(str(failure.value).splitlines()) < 10

    @pytest.mark.parametrize(
        "lines", [("  ShapeError: 2 channels", "  [Hint: 3]", "  [operator < conv > error]"), ("Trace:", "2 channels")]
    )
    def test_an_announced_error_is_told_by_its_name_or_its_last_line(self, lines: tuple[str, ...]) -> None:
        reference, candidate = traces()
        error = StageError("probability_map", "\n".join(["ValueError: In user code:", "", *lines]))
        stopped = replace(candidate, probability_map=None, detections=None, error=error)
        with pytest.raises(DifferenceError, match=r"ValueError: In user code: (ShapeError: )?2 channels\n"):
            assert_same_detections(reference, stopped)


Compare = Callable[[Trace, Trace, Tolerance], str]
Form = Callable[[Box], Box]
REFERENCE = Toy().trace(PAGE)


def tolerance_of(stage: str, beside: Mapping[str, Any] | None = None, **limits: Any) -> Tolerance:
    """Return limits under test, which the twin scales, beside others, which it leaves."""
    return BUILT_IN.override({stage: beside or {}}, "beside").override({stage: limits}, "test")


def status_of(kind: int) -> Compare:
    def run(reference: Trace, candidate: Trace, tolerance: Tolerance) -> str:
        return compare(reference=reference, candidate=candidate, tolerance=tolerance)[kind].status

    return run


amounts = st.floats(1e-6, 0.25)
factors = st.one_of(st.sampled_from((0.98, 1.02)), st.floats(0.0, 0.98), st.floats(1.02, 50.0))


def check_values(compared: Compare, stage: str, name: str, limited: str = "atol") -> None:
    """Values, anywhere, that are off by more than the limit, or by more on average, fail; by less, they pass."""
    is_mean = limited == "mean_atol"
    expected = getattr(REFERENCE, name)

    @quickly
    @given(amounts, factors, st.sets(st.integers(0, expected.size - 1), min_size=1), st.sampled_from((-1, 1)))
    def check(limit: float, factor: float, places: set[int], sign: int) -> None:
        array = expected.copy()
        amount = limit * factor * (array.size / len(places) if is_mean else 1)
        array.flat[sorted(places)] += np.resize((sign * amount, -sign * amount), len(places)).astype(np.float32)
        distances = np.abs(array.astype(np.float64) - expected)
        off = float(distances.mean() if is_mean else distances.max())
        assume(abs(off / limit - 1) > 0.01)  # float32 itself rounds
        candidate = replace(Toy(name="inference").trace(PAGE), **{name: array})
        beside = {"atol": OFF} if is_mean else {}
        status = compared(REFERENCE, candidate, tolerance_of(stage, beside, **{limited: limit}))
        assert status == ("same" if off < limit else "different")

    check()


def check_pixels(compared: Compare, limited: str, atol: float | str, of: int, change: Callable[..., Any]) -> None:
    """More pixels than the limit fail; as many pass, and so do others, which `change` does less to."""
    expected = REFERENCE.probability_map
    assert expected is not None

    @quickly
    @given(st.integers(0, 10), st.integers(0, 20), st.randoms(use_true_random=False))
    def check(limit: int, count: int, random: Any) -> None:
        is_chosen = np.zeros(expected.shape, np.bool_)
        is_chosen.flat[random.sample(range(expected.size), count)] = True
        array = change(expected, is_chosen).astype(np.float32)
        candidate = replace(Toy(name="inference").trace(PAGE), probability_map=array)
        tolerance = tolerance_of("probability_maps", {"atol": atol}, **{limited: limit / of})
        assert compared(REFERENCE, candidate, tolerance) == ("same" if count <= limit else "different")

    check()


def octagon(polygon: Box) -> Box:
    """Return a quad with its corners cut off."""
    ahead = np.roll(polygon, -1, axis=0)
    return np.stack([0.75 * polygon + 0.25 * ahead, 0.25 * polygon + 0.75 * ahead], axis=1).reshape(-1, 2)


def halved(polygon: Box) -> Box:
    """Return the same boundary with a point more on each edge."""
    return np.stack([polygon, (polygon + np.roll(polygon, -1, axis=0)) / 2], axis=1).reshape(-1, 2)


def sides(form: Form, which: int, change: Form) -> tuple[Trace, Trace]:
    """Return two traces whose boxes have a form, of which the candidate's has one changed."""
    candidate = Toy(name="inference").trace(PAGE)
    assert candidate.detections is not None
    ours = [form(polygon) for polygon in candidate.detections.polygons]
    theirs = [change(polygon) if index == which else polygon for index, polygon in enumerate(ours)]
    both = [Detections(tuple(polygons), candidate.detections.scores) for polygons in (ours, theirs)]
    return replace(REFERENCE, detections=both[0]), replace(candidate, detections=both[1])


def check_shift(compared: Compare, form: Form = np.copy, points: Form = np.copy, **beside: Any) -> None:
    """A box that is shifted by more than the limit, plus the free pixel of rounding, fails; by less, it passes."""

    @quickly
    @given(st.floats(0.25, 3), factors, st.integers(0, 2), st.floats(0, 6.3))
    def check(limit: float, factor: float, which: int, angle: float) -> None:
        shift = min((limit + 1) * factor, 6.0)  # boxes of 12 px that keep an IoU and so a partner
        assume(abs(shift / (limit + 1) - 1) > 0.01)
        way = shift * np.array([math.cos(angle), math.sin(angle)])
        reference, candidate = sides(form, which, lambda polygon: points(polygon + way))
        status = compared(reference, candidate, tolerance_of("detections", beside, max_shift=limit))
        assert status == ("same" if shift < limit + 1 else "different")

    check()


def check_iou(compared: Compare, form: Form = np.copy) -> None:
    """A box that shrinks to less of its area than the limit fails; to more, it passes."""

    @quickly
    @given(st.floats(0.3, 0.95), st.floats(0.26, 1), st.integers(0, 2))
    def check(limit: float, iou: float, which: int) -> None:
        assume(abs(iou - limit) > 1e-6)

        def shrunk(polygon: Box) -> Box:
            middle: Box = polygon.mean(axis=0)
            return middle + math.sqrt(iou) * (polygon - middle)

        status = compared(*sides(form, which, shrunk), tolerance_of("detections", {"max_shift": OFF}, min_iou=limit))
        assert status == ("same" if iou > limit else "different")

    check()


def check_unmatched(compared: Compare) -> None:
    """Boxes that are missing, moved or extra fail where they are a larger share than the limit; as large, they pass."""
    every = [box(20 * x, 20 * y, 12, 12) for x in range(4) for y in range(3)]

    @quickly
    @given(st.integers(0, 12), *[st.integers(0, 4)] * 3)
    def check(limit: int, missing: int, moved: int, extra: int) -> None:
        theirs = [each + 3 * (index < missing + moved) for index, each in enumerate(every) if index >= missing]
        theirs += [box(20 * x, 80, 12, 12) for x in range(extra)]
        reference = replace(REFERENCE, detections=Detections(tuple(every)))
        candidate = replace(Toy(name="inference").trace(PAGE), detections=Detections(tuple(theirs)))
        status = compared(reference, candidate, tolerance_of("detections", max_unmatched=limit / 12))
        share = (missing + moved + extra) / (12 + extra)
        assert status == ("same" if share <= limit / 12 else "different")

    check()


def check_scores(compared: Compare) -> None:
    """A score that is off by more than the limit fails; by less, it passes."""

    @quickly
    @given(st.floats(1e-4, 0.4), factors, st.integers(0, 2))
    def check(limit: float, factor: float, which: int) -> None:
        candidate = Toy(name="inference").trace(PAGE)
        assert candidate.detections is not None and candidate.detections.scores is not None
        scores = candidate.detections.scores.copy()
        scores[which] -= limit * factor
        candidate = replace(candidate, detections=Detections(candidate.detections.polygons, scores))
        status = compared(REFERENCE, candidate, tolerance_of("detections", max_score_difference=limit))
        assert status == ("same" if factor < 1 else "different")

    check()


def beyond(values: Any, is_chosen: Any) -> Any:
    """Move the chosen by twice an atol of 0.01, the others by half of it."""
    return values + np.where(is_chosen, 0.02, 0.005)


def across(values: Any, is_chosen: Any) -> Any:
    """Mirror the chosen at the thresh of 0.3, and move the others away from it."""
    return np.where(is_chosen, 0.6 - values, values + 0.1 * np.sign(values - 0.3))


COMPARED: dict[str, tuple[Callable[[Compare], None], int]] = {
    "tensor": (lambda compared: check_values(compared, "preprocessing", "tensor"), 0),
    "map": (lambda compared: check_values(compared, "probability_maps", "probability_map"), 1),
    "mean": (lambda compared: check_values(compared, "probability_maps", "probability_map", "mean_atol"), 1),
    "share": (lambda compared: check_pixels(compared, "max_share", 0.01, PAGE.size // 3, beyond), 1),
    "crossings": (lambda compared: check_pixels(compared, "max_crossings", OFF, 1, across), 1),
    "shift": (check_shift, 2),
    "shift of polygons": (lambda compared: check_shift(compared, octagon, halved, min_iou=0), 2),
    "IoU": (check_iou, 2),
    "IoU of polygons": (lambda compared: check_iou(compared, octagon), 2),
    "unmatched": (check_unmatched, 2),
    "score": (check_scores, 2),
}


@pytest.mark.parametrize("name", COMPARED)
def test_a_tolerance_is_kept_to_exactly(name: str) -> None:
    check, kind = COMPARED[name]
    check(status_of(kind))


@pytest.mark.parametrize("name", COMPARED)
@pytest.mark.parametrize("scale", [0.25, 4.0], ids=["a quarter", "four times"])
def test_another_tolerance_is_noticed(name: str, scale: float) -> None:
    check, kind = COMPARED[name]

    def off(reference: Trace, candidate: Trace, tolerance: Tolerance) -> str:
        values = {
            limit: replace(value, value=float(value.value) * scale) if value.origin == "test" else value
            for limit, value in tolerance.limits.items()
        }
        return status_of(kind)(reference, candidate, Tolerance(values))

    violated(lambda: check(off))


def test_each_image_decides_unless_a_run_judges_it() -> None:
    some = BUILT_IN.override({"probability_maps": {"atol": "off", "mean_atol": 1e-4, "per_run": True}}, "test")
    one, two = Toy().trace(PAGE), Toy(name="port", offset=1e-2).trace(PAGE)
    assert Comparisons(one, two, some).of("probability_maps").status == "different"
    assert Comparisons(one, two, some, defers=True).of("probability_maps").status == "left to the run"
