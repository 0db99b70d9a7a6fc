"""Which differences of boxes and scores the permitted difference of the maps explains, and which it does not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from diagnosing import SPREAD, moved
from replay import ReplayPipeline
from toy import PAGE, Toy, page

from pytest_ocrparity import DifferenceError, Trace, assert_same_detections
from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.compare.borderline import mark_borderline
from pytest_ocrparity.tolerance import BUILT_IN
from pytest_ocrparity.trace import Detections, Shape


class TestBorderline:
    """A box on the edge of a threshold may come and go with a permitted map difference, and with nothing else."""

    EDGE = page(boxes=((8, 8, 40, 20), (50, 30, 80, 44)))

    def sides(self, **candidate: Any) -> tuple[Trace, Trace]:
        reference = Toy().trace(self.EDGE)
        assert reference.detections is not None
        assert reference.detections.scores is not None
        on_edge = float(reference.detections.scores[1]) - 1e-5
        toy = Toy(box_thresh=on_edge)
        return toy.trace(self.EDGE), Toy(name="inference", box_thresh=on_edge, **candidate).trace(self.EDGE)

    def test_a_box_that_the_map_difference_explains_is_listed_and_passes(self) -> None:
        reference, candidate = self.sides(offset=-5e-5)
        comparison = assert_same_detections(reference, candidate)
        assert comparison.counts["borderline"] > 0
        assert {finding.kind for finding in comparison.boxes} == {"missing"}

    def test_a_post_process_that_changed_too_does_not_hide_behind_it(self) -> None:
        reference, _ = self.sides()
        changed = Toy(name="inference", box_thresh=0.999999, offset=-5e-5).trace(self.EDGE)
        with pytest.raises(DifferenceError, match="missing"):
            assert_same_detections(reference, changed)

    def test_equal_maps_leave_no_allowance(self) -> None:
        reference, _ = self.sides()
        changed = Toy(name="inference", box_thresh=0.999999).trace(self.EDGE)
        with pytest.raises(DifferenceError, match="missing"):
            assert_same_detections(reference, changed)

    def test_an_extra_box_is_explained_in_the_same_way(self) -> None:
        reference, candidate = self.sides(offset=-5e-5)
        comparison = assert_same_detections(replace(candidate, pipeline="train"), replace(reference, pipeline="x"))
        assert {finding.kind for finding in comparison.boxes} == {"extra"}
        assert comparison.counts["borderline"] == comparison.counts["different"] + len(comparison.boxes)

    def test_without_the_candidates_post_process_the_references_is_tried(self) -> None:
        reference, candidate = self.sides(offset=-5e-5)
        assert assert_same_detections(reference, replace(candidate, source=None)).counts["borderline"] > 0
        extra = assert_same_detections(replace(candidate, pipeline="train"), replace(reference, source=None))
        assert extra.counts["borderline"] > 0

    def test_without_either_nothing_is_borderline(self) -> None:
        reference, candidate = self.sides(offset=-5e-5)
        with pytest.raises(DifferenceError, match="missing"):
            assert_same_detections(replace(reference, source=None), replace(candidate, source=None))

    def test_a_map_limit_that_is_off_explains_nothing(self) -> None:
        reference, candidate = self.sides(offset=-5e-5)
        limits = {"probability_maps": {"atol": "off"}}
        with pytest.raises(DifferenceError, match="missing"):
            assert_same_detections(reference, candidate, tolerance=limits)

    def test_maps_beyond_their_limit_explain_nothing(self) -> None:
        reference, candidate = self.sides(offset=-5e-2)
        with pytest.raises(DifferenceError, match="first difference at probability_map"):
            assert_same_detections(reference, candidate)

    def spread_sides(self) -> tuple[Trace, Trace]:
        reference = Toy().trace(SPREAD)
        assert reference.detections is not None and reference.detections.scores is not None
        thresh = float(reference.detections.scores.min()) - 1e-5
        port = Toy(name="port", box_thresh=thresh, offset=-5e-5)
        return Toy(box_thresh=thresh).trace(SPREAD), port.trace(SPREAD)

    def test_boxes_moved_after_the_post_process_are_explained_by_no_map(self) -> None:
        reference, candidate = self.spread_sides()
        explained = Comparisons(reference, candidate, BUILT_IN).of("detections")
        assert (explained.is_match, explained.counts["borderline"]) == (True, 1)
        shifted = moved(candidate.detections, lambda _, polygon: polygon + 5)
        comparison = Comparisons(reference, replace(candidate, detections=shifted), BUILT_IN).of("detections")
        assert (comparison.is_match, comparison.counts["borderline"]) == (False, 0)

    def test_boxes_recorded_without_a_map_count_as_its_own(self) -> None:
        reference, candidate = self.spread_sides()
        maps = Comparisons(reference, candidate, BUILT_IN).of("probability_maps")
        findings = Comparisons(reference, candidate, BUILT_IN).of("detections").boxes
        unmarked = tuple(replace(finding, is_borderline=False) for finding in findings)
        marked = mark_borderline(reference, replace(candidate, probability_map=None), maps, unmarked, False)
        assert [(finding.kind, finding.is_borderline) for finding in marked] == [("missing", True)]


class TestNothingPassesUnjudged:
    """A limit that is off, or can't be judged, never makes a difference pass unseen."""

    def test_a_borderline_limit_asked_of_one_call_is_judged_there(self) -> None:
        reference, candidate = TestBorderline().sides(offset=-5e-5)
        with pytest.raises(DifferenceError, match=r"would pass  detections\.max_borderline=0\.5"):
            assert_same_detections(reference, candidate, max_borderline=0.0)
        assert assert_same_detections(reference, candidate, max_borderline=0.5).is_match


class TestPipelinesOfTheUser:
    """What a user's pipeline cannot do is unknown, and never a crash."""

    def test_a_replay_explains_no_box(self) -> None:
        reference, candidate = TestBorderline().sides(offset=-5e-5)
        replayed = ReplayPipeline([candidate], name="replayed").trace("page.png")
        assert assert_same_detections(reference, replayed).counts["borderline"] > 0  # by the reference's post-process
        with pytest.raises(DifferenceError, match="missing"):
            assert_same_detections(ReplayPipeline([reference], name="r").trace("page.png"), replayed)


NOISE = 5e-5  # moves the map within its limit, and scores by less than 1e-4


@dataclass
class Rescored(Toy):
    """A side whose post-process multiplies its scores."""

    factor: float = 1.0

    def postprocess(self, probability_map: Any, shape: Shape) -> Detections:
        found = super().postprocess(probability_map, shape)
        assert found.scores is not None
        return replace(found, scores=found.scores * self.factor)


def sides(factor: float = 1.0, noise: float = NOISE) -> tuple[Trace, Trace]:
    return Toy().trace(PAGE), Rescored(name="inference", noise=noise, factor=factor).trace(PAGE)


def scores(trace: Trace) -> Any:
    assert trace.detections is not None
    return trace.detections.scores


@pytest.mark.parametrize("source", [True, False], ids=["run again", "by the reference's post-process"])
@pytest.mark.parametrize("factor", [0.5, float("nan")])
def test_a_wrong_score_differs(factor: float, source: bool) -> None:
    reference, candidate = sides(factor)
    candidate = candidate if source else replace(candidate, source=None)
    with pytest.raises(DifferenceError, match="first difference at detections"):
        assert_same_detections(reference, candidate, max_score_difference=0.01)


@pytest.mark.parametrize("source", [True, False], ids=["run again", "by the reference's post-process"])
def test_a_score_that_the_map_moved_is_borderline(source: bool) -> None:
    reference, candidate = sides()
    candidate = replace(candidate, source=None) if not source else candidate
    moved = np.abs(scores(candidate) - scores(reference)).max()
    assert 1e-7 < moved < NOISE
    judged = assert_same_detections(reference, candidate, max_score_difference=moved / 2)
    assert judged.counts["borderline"] > 0
    assert {box.kind for box in judged.boxes if box.is_borderline} == {"score"}


def test_scores_that_changed_after_the_post_process_are_explained_by_no_map() -> None:
    reference, candidate = sides()
    assert candidate.detections is not None
    changed = replace(candidate.detections, scores=scores(candidate) + 1e-4)
    with pytest.raises(DifferenceError):
        assert_same_detections(reference, replace(candidate, detections=changed), max_score_difference=5e-5)


@pytest.mark.parametrize("source", [True, False], ids=["run again", "by the reference's post-process"])
def test_a_box_that_is_none_differs(source: bool) -> None:
    reference, candidate = sides()
    assert candidate.detections is not None
    polygons = (*candidate.detections.polygons[:-1], np.full((4, 2), np.nan))
    boxes = Detections(polygons, scores(candidate))
    other, broken = replace(reference, detections=boxes, source=None), replace(candidate, detections=boxes)
    with pytest.raises(DifferenceError):
        assert_same_detections(other, broken if source else replace(broken, source=None))


def test_a_post_process_that_returns_no_scores_explains_none() -> None:
    reference, candidate = sides()
    moved = np.abs(scores(candidate) - scores(reference)).max()
    reference = replace(reference, source=Toy(has_scores=False))
    with pytest.raises(DifferenceError):
        assert_same_detections(reference, replace(candidate, source=None), max_score_difference=moved / 2)
