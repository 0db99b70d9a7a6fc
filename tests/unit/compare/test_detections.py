"""Detections: what is lost, found, moved or scored otherwise is named, and its twin passes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from properties import quickly
from sides import QUAD, first_line, traces

from pytest_ocrparity import Detections, DifferenceError, Trace, assert_same_detections
from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.compare.detections import compare_detections
from pytest_ocrparity.comparison import Measure
from pytest_ocrparity.tolerance import BUILT_IN, EQUAL_MAP_SCORE


class TestDetections:
    def test_equal_sides_pass(self) -> None:
        comparison = assert_same_detections(*traces())
        assert comparison.status == "same"
        assert comparison.counts["paired"] == 3

    def test_scores_given_to_the_wrong_boxes_fail_on_equal_maps(self) -> None:
        reference, candidate = traces()
        assert candidate.detections is not None
        swapped = replace(candidate.detections, scores=np.array([0.9, 0.8, 0.7]))
        with pytest.raises(DifferenceError, match="with another score"):
            assert_same_detections(reference, replace(candidate, detections=swapped))

    def test_a_side_without_scores_is_compared_by_its_boxes(self) -> None:
        comparison = assert_same_detections(*traces(has_scores=False))
        assert comparison.measure("detections.max_score_difference") is None

    def test_a_lost_box_is_missing(self) -> None:
        reference, candidate = traces()
        assert candidate.detections is not None
        fewer = Detections(candidate.detections.polygons[1:])
        with pytest.raises(DifferenceError) as error:
            assert_same_detections(reference, replace(candidate, detections=fewer))
        assert first_line(error) == (
            "page.png: first difference at detections: 1 missing of 3 boxes (train against inference)"
        )
        assert "missing     box 0 of train at x=24 y=14" in str(error.value)
        assert "would pass" not in str(error.value)  # a third of the boxes is no tolerance

    def test_a_found_box_is_extra(self) -> None:
        reference, candidate = traces()
        assert candidate.detections is not None
        more = Detections((*candidate.detections.polygons, QUAD + 70))
        with pytest.raises(DifferenceError, match="1 extra of 3 boxes"):
            assert_same_detections(reference, replace(candidate, detections=more))

    def test_the_message_says_which_shift_would_pass(self) -> None:
        reference, candidate = traces(pad=5)
        with pytest.raises(DifferenceError) as error:
            assert_same_detections(reference, candidate)
        line = next(line for line in str(error.value).splitlines() if "would pass" in line)
        value = float(line.rpartition("=")[2])
        assert assert_same_detections(reference, candidate, max_shift=value).is_match
        with pytest.raises(DifferenceError):
            assert_same_detections(reference, candidate, max_shift=value * 0.95)

    def test_exact_allows_no_pixel(self) -> None:
        reference, candidate = traces(pad=2)
        with pytest.raises(DifferenceError, match="3 moved"):
            assert_same_detections(reference, candidate, tolerance="exact")
        assert assert_same_detections(*traces(), tolerance="exact").is_match

    def test_split_and_merged_boxes_are_named(self) -> None:
        halves = [QUAD * np.array([0.45, 1]), QUAD * np.array([0.45, 1]) + np.array([11, 0])]
        with pytest.raises(DifferenceError, match="split"):
            assert_same_detections([QUAD], halves)
        with pytest.raises(DifferenceError, match="merged"):
            assert_same_detections(halves, [QUAD])

    def test_invalid_boxes_are_named_and_never_crash(self) -> None:
        bowtie = QUAD[[0, 2, 1, 3]]
        with pytest.raises(DifferenceError, match="self-crossing"):
            assert_same_detections([QUAD], [bowtie])
        with pytest.raises(DifferenceError, match="not finite"):
            assert_same_detections([QUAD], [QUAD * np.nan])
        assert assert_same_detections([bowtie, QUAD + 50], [bowtie.copy(), QUAD + 50]).is_match

    def test_detections_and_arrays_are_taken_as_they_are(self) -> None:
        boxes = np.stack([QUAD, QUAD + 40])
        assert assert_same_detections(boxes, [QUAD, QUAD + 40]).is_match
        one = Detections((QUAD,), np.array([0.9]))
        assert assert_same_detections(one, Detections((QUAD,), np.array([0.9]))).is_match
        with pytest.raises(DifferenceError, match="1 with another score"):
            assert_same_detections(one, Detections((QUAD,), np.array([0.1])))
        with pytest.raises(DifferenceError, match="1 missing"):
            assert_same_detections(boxes, [QUAD])

    def test_what_is_no_polygon_is_refused(self) -> None:
        with pytest.raises(ValueError, match="polygon 0 has shape"):
            assert_same_detections([[1, 2, 3]], [QUAD])
        with pytest.raises(ValueError, match="1 polygons but 2 scores"):
            Detections((QUAD,), np.array([0.1, 0.2]))


def measure_of(name: str, *sides: Detections, **limits: Any) -> Measure:
    found = compare_detections(*plain(*sides), BUILT_IN.override({"detections": limits}, "marker")).measure(name)
    assert found is not None
    return found


def plain(*sides: Detections) -> tuple[Trace, Trace]:
    one, other = (
        Trace(pipeline=name, image="page.png", detections=side)
        for name, side in zip(("train", "inference"), sides, strict=True)
    )
    return one, other


class TestMeasures:
    """The worst pair's amounts, each with its place and what judges it."""

    NEAR = Detections((QUAD, QUAD + 100), np.array([0.9, 0.8]))
    FAR = Detections((QUAD + np.array([3, 0]), QUAD + 101), np.array([0.7, 0.75]))

    def test_shift_is_that_of_the_worst_pair_without_the_free_pixel(self) -> None:
        found = measure_of("detections.max_shift", self.NEAR, self.FAR)
        assert (found.value, found.limit, found.at, found.smallest, found.decides) == (
            2.0,
            1.0,
            (10.0, 5.0),
            False,
            False,
        )
        assert found.origin == "fp32 preset, built-in"
        off = measure_of("detections.max_shift", self.NEAR, self.FAR, max_shift="off")
        assert (off.limit, off.origin) == (None, "")
        assert measure_of("shift", self.NEAR, self.FAR) == Measure("shift", 3.0, at=(10.0, 5.0))
        assert measure_of("map_px", self.NEAR, self.FAR) == Measure("map_px", 1.0)

    def test_iou_is_the_smallest(self) -> None:
        found = measure_of("detections.min_iou", self.NEAR, self.FAR, min_iou=0.5)
        assert found.value == pytest.approx(17 / 23)
        assert (found.limit, found.origin) == (0.5, "marker")
        assert (found.at, found.smallest) == ((10.0, 5.0), True)

    def test_the_worst_pair_may_stand_anywhere(self) -> None:
        near, far = (Detections(side.polygons[::-1], np.array([0.8, 0.9])) for side in (self.NEAR, self.FAR))
        assert measure_of("detections.min_iou", near, far, min_iou=0.5).at == (10.0, 5.0)
        lower = Detections((QUAD, QUAD + 100)), Detections((QUAD + 1, QUAD + 103))
        assert measure_of("detections.min_iou", *lower, min_iou=0.3).at == (110.0, 105.0)
        assert measure_of("detections.max_shift", near, far).at == (10.0, 5.0)
        assert measure_of("shift", near, far).at == (10.0, 5.0)

    def test_score_is_the_largest(self) -> None:
        found = measure_of("detections.max_score_difference", self.NEAR, self.FAR)
        assert found.value == pytest.approx(0.2)
        assert (found.limit, found.at, found.decides) == (0.2, (10.0, 5.0), False)
        assert found.origin.startswith("fp32 preset, built-in: no post-process of the reference")
        asked = measure_of("detections.max_score_difference", self.NEAR, self.FAR, max_score_difference=0.1)
        assert (asked.limit, asked.origin) == (0.1, "marker")

    def test_counts(self) -> None:
        fewer = Detections((QUAD,), np.array([0.9]))
        counts = compare_detections(*plain(self.NEAR, fewer), BUILT_IN).counts
        assert counts == {"reference": 2, "candidate": 1, "paired": 1, "boxes": 2, "borderline": 0, "different": 1}
        assert measure_of("detections.max_unmatched", self.NEAR, fewer).value == 0.5

    def test_a_side_without_boxes_is_said_by_the_others_boxes(self) -> None:
        none = Detections((), np.zeros(0))
        for one, two, kind in ((self.NEAR, none, "missing"), (none, self.NEAR, "extra")):
            found = compare_detections(*plain(one, two), BUILT_IN)
            assert (found.differences, [each.kind for each in found.boxes]) == ((), [kind, kind])
        (empty,) = compare_detections(*plain(none, none), BUILT_IN).differences
        assert empty.kind == "empty"

    def test_scores_within_their_limit_stand_in_no_wrong_order(self) -> None:
        """Though each box has the score of the other, and both moved."""
        moved = Detections(tuple(polygon + np.array([4, 0]) for polygon in self.NEAR.polygons), np.array([0.8, 0.9]))
        found = compare_detections(*plain(self.NEAR, moved), BUILT_IN)
        assert (found.differences, [each.kind for each in found.boxes]) == ((), ["moved", "moved"])
        strict = BUILT_IN.override({"detections": {"max_score_difference": 0.05, "max_shift": 9}}, "test")
        found = compare_detections(*plain(self.NEAR, moved), strict)
        assert [each.kind for each in found.differences] == ["score_order"]

    @pytest.mark.parametrize(("off", "kinds"), [(0.0, ["score_order"]), (0.008, ["score_order"]), (0.012, [])])
    def test_scores_in_another_order_may_be_off_by_what_noise_makes(self, off: float, kinds: list[str]) -> None:
        strict = BUILT_IN.override({"detections": {"max_score_difference": 0.05}}, "test")
        other = Detections(self.NEAR.polygons, np.array([0.8 + off, 0.9]))
        found = compare_detections(*plain(self.NEAR, other), strict)
        assert [each.kind for each in found.differences] == kinds
        assert [each.kind for each in found.boxes] == ["score", "score"]

    @pytest.mark.parametrize(("off", "kinds"), [(0.0, ["score_order"]), (0.005, [])])
    def test_on_equal_maps_they_may_not(self, off: float, kinds: list[str]) -> None:
        reference, candidate = traces()
        assert candidate.detections is not None and candidate.detections.scores is not None
        other = Detections(candidate.detections.polygons, candidate.detections.scores[::-1] + off)
        sides = replace(reference, source=None), replace(candidate, source=None, detections=other)
        found = Comparisons(*sides, BUILT_IN).of("detections")
        assert [each.kind for each in found.differences] == kinds

    def test_each_image_decides_unless_a_run_judges_it(self) -> None:
        some = BUILT_IN.override({"detections": {"max_unmatched": 0.1, "per_run": True}}, "test")
        fewer = Detections((QUAD,), np.array([0.9]))
        sides = plain(self.NEAR, fewer)
        assert (
            compare_detections(*sides, some).status == Comparisons(*sides, some).of("detections").status == "different"
        )
        assert compare_detections(*sides, some, defers=True).status == "left to the run"
        assert Comparisons(*sides, some, defers=True).of("detections").status == "left to the run"

    @pytest.mark.parametrize(("score", "limit"), [(EQUAL_MAP_SCORE, EQUAL_MAP_SCORE), (2e-5, 0.2)])
    def test_scores_that_agree_to_within_rounding_are_judged_exactly(self, score: float, limit: float) -> None:
        one, two = (Detections((QUAD,), np.array([value])) for value in (0.0, score))
        assert measure_of("detections.max_score_difference", one, two).limit == limit

    @pytest.mark.parametrize(("noise", "passes"), [(0.0, False), (5e-5, True)])
    def test_equal_maps_have_equal_scores_and_others_may_differ_roughly(self, noise: float, passes: bool) -> None:
        reference, candidate = traces(noise=noise)
        assert candidate.detections is not None and candidate.detections.scores is not None
        changed = replace(candidate.detections, scores=candidate.detections.scores - 1e-3)
        sides = replace(reference, source=None), replace(candidate, detections=changed, source=None)
        found = Comparisons(*sides, BUILT_IN).of("detections")
        assert found.is_match == passes
        measure = found.measure("detections.max_score_difference")
        assert measure is not None and measure.limit == pytest.approx(0.2 if passes else 1e-5)


boxes = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), unique=True, max_size=6)
MIRRORED = {"missing": "extra", "extra": "missing", "split": "merged", "merged": "split"}


@quickly
@given(boxes, boxes, st.sampled_from(["fp32", "exact", "fp16"]), st.integers(0, 4))
def test_swapped_sides_enlarged_pages_and_moved_ones_change_no_verdict(
    left: list[tuple[int, int]], right: list[tuple[int, int]], preset: str, shift: int
) -> None:
    def made(places: list[tuple[int, int]], scale: int = 1, by: int = 0) -> Detections:
        return Detections(tuple((QUAD + np.array([30 * x + by, 20 * y + by])) * scale for x, y in places))

    tolerance = BUILT_IN.override(preset, "test")
    found = compare_detections(*plain(made(left), made(right, by=shift)), tolerance)
    swapped = compare_detections(*plain(made(right, by=shift), made(left)), tolerance)
    assert swapped.status == found.status
    assert sorted(each.kind for each in swapped.boxes) == sorted(MIRRORED.get(e.kind, e.kind) for e in found.boxes)
    moved = compare_detections(*plain(made(left, by=500), made(right, by=shift + 500)), tolerance)
    assert (moved.status, [each.kind for each in moved.boxes]) == (found.status, [each.kind for each in found.boxes])
    backwards = compare_detections(*plain(made(left[::-1]), made(right[::-1], by=shift)), tolerance)
    assert backwards.status == found.status and backwards.counts == found.counts
    if not shift:
        enlarged = compare_detections(*plain(made(left, 3), made(right, 3)), tolerance)
        assert enlarged.status == found.status and enlarged.counts == found.counts
