"""Pairs of boxes: which belong together, and how far each may move."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sides import QUAD, traces

from pytest_ocrparity import Detections, DifferenceError, Trace, assert_same_detections
from pytest_ocrparity.compare.box_pairs import box_centre, box_pair_limits, pair_boxes, pair_with_nearest_box
from pytest_ocrparity.compare.judge import BoxLimits
from pytest_ocrparity.tolerance import BUILT_IN, Limit


class TestDetections:
    def test_order_and_first_vertex_do_not_matter(self) -> None:
        reference, candidate = traces()
        assert candidate.detections is not None
        assert candidate.detections.scores is not None
        turned = Detections(
            tuple(np.roll(polygon, 1, axis=0) for polygon in candidate.detections.polygons[::-1]),
            candidate.detections.scores[::-1],
        )
        assert assert_same_detections(reference, replace(candidate, detections=turned)).is_match

    @pytest.mark.parametrize(("pad", "passes"), [(2, True), (5, False)])
    def test_a_quad_may_move_by_one_map_pixel_and_one_of_rounding(self, pad: int, passes: bool) -> None:
        reference, candidate = traces(pad=pad)  # the diagonal grows by sqrt(2) per pixel of padding
        if passes:
            assert assert_same_detections(reference, candidate).is_match
        else:
            with pytest.raises(DifferenceError, match=r"moved .*by 5.66 px, IoU 0\.\d\d|3 moved"):
                assert_same_detections(reference, candidate)

    def test_the_shift_limit_is_in_map_pixels(self) -> None:
        reference, candidate = traces()
        # the map has half the source's resolution, so one map pixel is two source pixels
        reference, candidate = (replace(t, shape=(128.0, 192.0, 0.5, 0.5)) for t in (reference, candidate))
        assert candidate.detections is not None
        moved = Detections(tuple(polygon + np.array([2.9, 0]) for polygon in candidate.detections.polygons))
        assert assert_same_detections(reference, replace(candidate, detections=moved)).is_match
        further = Detections(tuple(polygon + np.array([3.1, 0]) for polygon in candidate.detections.polygons))
        with pytest.raises(DifferenceError, match="3 moved"):
            assert_same_detections(reference, replace(candidate, detections=further))

    def test_polygons_are_judged_by_their_boundary(self) -> None:
        angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        circle = np.stack([50 + 30 * np.cos(angles), 50 + 30 * np.sin(angles)], axis=1)
        fewer_points = circle[::2]  # vertices are 7.8 px from their nearest twin, boundaries 1 px
        assert assert_same_detections([circle], [fewer_points]).is_match
        with pytest.raises(DifferenceError, match="1 moved"):
            assert_same_detections([circle], [fewer_points + np.array([4, 0])])


class TestWhatNumbersMayBe:
    def test_equal_boxes_belong_together_by_their_scores(self) -> None:
        box = np.array([[8.0, 8], [30, 8], [30, 18], [8, 18]])
        one, two = (Detections((box, box), np.array(scores)) for scores in ([0.9, 0.6], [0.6, 0.9]))
        assert assert_same_detections(one, two).is_match
        with pytest.raises(DifferenceError):
            assert_same_detections(one, Detections((box, box), np.array([0.6, 0.6])))


class TestLimits:
    """What judges the boxes of two traces, of their tolerance, their maps and their points."""

    def limits(self, *polygons: Any, maps_equal: bool = False, box_type: str = "", **given: Any) -> BoxLimits:
        shape, half = (128.0, 96.0, 1.0, 1.0), np.zeros((1, 1, 32, 48), np.float32)
        boxes = Detections(tuple(polygons) or (QUAD,))
        trace = Trace(pipeline="train", image="page.png", shape=shape, probability_map=half, detections=boxes)
        said = {"detections": {"box_type": box_type}}
        other = replace(trace, pipeline="port", map_error=3e-5, detections=Detections((QUAD,)), parameters=said)
        tolerance = BUILT_IN.override({"detections": given}, "marker")
        return box_pair_limits(replace(trace, map_error=2e-5), other, tolerance, maps_equal)

    def test_of_fp32(self) -> None:
        found = self.limits()
        assert (found.max_shift, found.map_px, found.is_poly, found.max_score_difference) == (1.0, 4.0, False, 0.2)
        assert found.exact_score == pytest.approx(6e-5)  # rounding, and what storing changed on either side
        assert found.min_iou.value == "auto"

    def test_equal_maps_have_exact_scores_unless_a_number_was_set(self) -> None:
        assert self.limits(maps_equal=True).max_score_difference == pytest.approx(6e-5)
        for maps_equal in (True, False):
            found = self.limits(maps_equal=maps_equal, max_score_difference=0.3)
            assert (found.max_score_difference, found.exact_score) == (0.3, None)
            off = self.limits(maps_equal=maps_equal, max_score_difference="off", max_shift="off")
            assert (off.max_score_difference, off.exact_score, off.max_shift) == (None, None, None)

    def test_a_polygon_or_a_side_that_says_so_makes_it_one_of_polygons(self) -> None:
        assert self.limits(QUAD, QUAD[:3]).is_poly
        assert self.limits(box_type="poly").is_poly
        assert not self.limits(QUAD, QUAD + 50, box_type="quad").is_poly

    def test_a_polygon_of_either_side_does(self) -> None:
        shape = (128.0, 96.0, 1.0, 1.0)
        quad, pentagon = Detections((QUAD,)), Detections((np.vstack([QUAD, QUAD[:1] + 1]),))
        for one, two, is_poly in ((quad, quad, False), (pentagon, quad, True), (quad, pentagon, True)):
            traces = [
                Trace(pipeline=name, image="a.png", shape=shape, detections=each)
                for name, each in zip("ab", (one, two), strict=True)
            ]
            assert box_pair_limits(traces[0], traces[1], BUILT_IN, False).is_poly == is_poly


LIMITS = BoxLimits(Limit("auto", ""), 1.0, 1.0, 0.9, False, exact_score=0.25)


@pytest.mark.parametrize(("score", "is_asked"), [(0.25, False), (0.125, True)])
def test_scores_that_agree_exactly_enough_need_no_rerun(score: float, is_asked: bool) -> None:
    asked = []

    def expected() -> dict[int, float]:
        asked.append(True)
        return {0: 0.5}

    one, two = (Detections((QUAD,), np.array([value])) for value in (0.5, score))
    ((pair,), _) = pair_boxes(one, two, LIMITS, expected)
    assert (bool(asked), pair.score_error) == (is_asked, 0.5 - score if is_asked else None)


@pytest.mark.parametrize("scores", [(None, [0.5, 0.25]), ([0.5, 0.25], None), (None, None)])
def test_equal_boxes_of_a_side_without_scores_pair_by_their_place(scores: Any) -> None:
    one, two = (Detections((QUAD, QUAD), None if each is None else np.array(each)) for each in scores)
    pairs, findings = pair_boxes(one, two, LIMITS)
    assert [(each.reference, each.candidate) for each in pairs] == [(0, 0), (1, 1)]
    assert findings == ()


def test_the_nearest_box_of_quads_is_as_far_as_vertices_and_of_polygons_as_boundaries() -> None:
    whole = np.array([[0, 0], [100, 0], [100, 40], [0, 40]], dtype=np.float64)
    leaning = np.array([[0, 0], [80, 0], [100, 40], [0, 40]], dtype=np.float64)
    fifth = np.vstack([leaning, [[0, 20]]])
    boundary: Any = pytest.approx(20 * np.cos(np.arctan2(20, 40)), abs=1e-3)
    assert pair_with_nearest_box(whole, [leaning], False) == (20.0, 0)
    assert pair_with_nearest_box(whole, [leaning], True) == (boundary, 0)
    assert pair_with_nearest_box(whole, [QUAD + 900, fifth], False) == (boundary, 1)
    assert pair_with_nearest_box(fifth, [whole], False) == (boundary, 0)
    assert pair_with_nearest_box(whole, [QUAD + 900], False) == (float("inf"), None)


def test_scores_are_run_again_where_any_differs_and_another_limit_judges() -> None:
    one, two = (Detections((QUAD, QUAD + 90), np.array([0.5, score])) for score in (0.5, 0.0))
    pairs, _ = pair_boxes(one, two, LIMITS, lambda: {1: 0.25})
    assert [pair.score_error for pair in pairs] == [None, 0.25]
    exact = replace(LIMITS, max_score_difference=0.25)
    pairs, findings = pair_boxes(one, two, exact, lambda: {1: 0.0})
    assert [pair.score_error for pair in pairs] == [None, None]
    assert [each.kind for each in findings] == ["score"]


def test_the_centre_of_a_box_is_that_of_its_finite_points() -> None:
    nan, inf = float("nan"), float("inf")
    assert box_centre(np.array([[0, 0], [10, 0], [nan, 90], [5, inf], [5, 30]])) == (5.0, 10.0)
    assert np.isnan(box_centre(np.array([[nan, 1], [2, inf]]))).all()
