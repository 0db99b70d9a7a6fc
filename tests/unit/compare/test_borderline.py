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
from pytest_ocrparity.compare.borderline import boxes_of_map, mark_borderline
from pytest_ocrparity.comparison import BoxFinding, Measure
from pytest_ocrparity.tolerance import BUILT_IN, EQUAL_MAP_SCORE
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


# At the edges of its rules, with post-processes that answer what a test says.

ONE = np.array([[10.0, 10], [40, 10], [40, 30], [10, 30]])
LARGEST = 2e-5


@dataclass
class Answering(Toy):
    """A side whose post-process returns `risen` for a map that rose by no less than LARGEST, `fallen`, or `same`."""

    same: Detections | None = None
    risen: Detections | None = None
    fallen: Detections | None = None

    def postprocess(self, probability_map: Any, shape: Shape) -> Detections:
        steps = int(np.rint(float(probability_map.mean() - 0.5) / LARGEST))
        found = {0: self.same, 1: self.risen, -1: self.fallen}[steps]
        if found is None:
            raise NotImplementedError
        return found


def box(shift: float = 0.0, score: float | None = 0.9) -> Detections:
    return Detections((ONE + np.array([shift, 0]),), None if score is None else np.array([score]))


NO_BOX = Detections(())
FAR = box(shift=500)


def judged(
    finding: BoxFinding,
    reference: Detections = NO_BOX,
    candidate: Detections = NO_BOX,
    *,
    again: Detections | None = None,
    risen: Detections | None = None,
    fallen: Detections | None = None,
    map_error: float = 0.0,
) -> bool:
    """Return whether a finding is borderline where the candidate's post-process, or the reference's, answers so."""
    half = np.full((1, 1, 64, 96), 0.5, np.float32)
    shape = (64.0, 96.0, 1.0, 1.0)
    known = Trace(pipeline="train", image="page.png", shape=shape, probability_map=half, map_error=map_error)
    runs_again = None if again is None else Answering(same=again)
    left = replace(known, detections=reference, source=Answering(risen=risen, fallen=fallen))
    right = replace(known, detections=candidate, source=runs_again, probability_map=None)
    maps = Comparisons(Toy().trace(PAGE), Toy().trace(PAGE), BUILT_IN).of("probability_maps")
    maps = replace(maps, measures=(Measure("largest", LARGEST),))
    (marked,) = mark_borderline(left, right, maps, (finding,), False)
    assert replace(marked, is_borderline=False) == finding
    return marked.is_borderline


MISSING, EXTRA = BoxFinding("missing", (0, 0), reference=0), BoxFinding("extra", (0, 0), candidate=0)


@pytest.mark.parametrize(("shift", "is_it"), [(0.0, True), (1.0, True), (1.01, False), (500, False)])
def test_the_same_box_lies_within_one_px(shift: float, is_it: bool) -> None:
    again = box(shift)
    assert judged(MISSING, box(), again=again) == is_it
    assert judged(EXTRA, candidate=box(), again=again) == (not is_it)
    invalid = BoxFinding("invalid", (0, 0), reference=0)
    assert not judged(invalid, box(), again=again)
    assert not judged(replace(EXTRA, kind="invalid"), candidate=box(), again=again)
    assert judged(EXTRA, candidate=box(), risen=again) == is_it


@pytest.mark.parametrize("where", ["risen", "fallen"])
def test_a_map_that_rose_or_fell_by_the_largest_difference_may_explain(where: str) -> None:
    other = "fallen" if where == "risen" else "risen"

    def found(finding: BoxFinding, one: Detections, two: Detections | None) -> bool:
        answers: dict[str, Any] = {where: one, other: two}
        return judged(finding, box() if finding is MISSING else NO_BOX, box(), **answers)

    assert found(MISSING, FAR, box())
    assert found(EXTRA, box(), FAR)
    assert not found(MISSING, box(), box())
    assert not found(EXTRA, FAR, FAR)
    assert found(MISSING, FAR, None)  # the other can't be run


@pytest.mark.parametrize(("shift", "is_it"), [(2.0, True), (2.5, True), (1.9, False), (0.0, False)])
def test_a_moved_map_has_to_move_the_box_as_far(shift: float, is_it: bool) -> None:
    finding = BoxFinding("moved", (0, 0), reference=0, candidate=0, shift=2.0)
    assert judged(finding, box(), box(2), risen=box(shift)) == is_it
    assert not judged(replace(finding, kind="invalid"), box(), box(2), risen=box(shift))


@pytest.mark.parametrize(("error", "is_it"), [(0.9e-5, True), (1.1e-5, False), (2.9e-5, False)])
@pytest.mark.parametrize("stored", [0.0, 2e-5])
def test_a_score_run_again_is_the_references_within_rounding_and_what_storing_changed(
    error: float, is_it: bool, stored: float
) -> None:
    finding = BoxFinding("score", (0, 0), reference=0, candidate=0, score_difference=0.1)
    given: dict[str, Any] = {"reference": box(), "candidate": box(score=0.8), "map_error": stored}
    assert judged(finding, again=box(score=0.9 + error), **given) == (is_it or error < 1e-5 + stored)
    assert not judged(finding, again=box(shift=2, score=0.9), **given)  # another box's


@pytest.mark.parametrize(("score", "is_it"), [(0.75, True), (1.05, True), (0.7, True), (0.8, False), (0.9, False)])
def test_a_moved_map_has_to_change_the_score_as_much(score: float, is_it: bool) -> None:
    finding = BoxFinding("score", (0, 0), reference=0, candidate=0, score_difference=0.9 - 0.75)
    assert judged(finding, box(), box(score=0.75), risen=box(score=score)) == is_it
    assert judged(finding, box(), box(score=0.75), risen=box(1.0, score=score)) == is_it  # the same box
    assert not judged(finding, box(), box(score=0.75), risen=box(1.01, score=score))


@pytest.mark.parametrize("side", ["reference", "again"])
def test_scores_that_a_side_lacks_explain_nothing(side: str) -> None:
    finding = BoxFinding("score", (0, 0), reference=0, candidate=0, score_difference=0.1)
    scores = {"reference": 0.9, "again": 0.9}
    assert judged(finding, box(), box(score=0.8), again=box(score=0.9))
    left, again = (box(score=None if side == name else value) for name, value in scores.items())
    assert not judged(finding, left, box(score=0.8), again=again)
    assert not judged(replace(finding, reference=None), box(), box(score=0.8), again=box(score=0.9))


def test_what_has_no_findings_or_no_map_of_the_reference_is_left_as_it_is() -> None:
    reference, candidate = sides()
    maps = Comparisons(reference, candidate, BUILT_IN).of("probability_maps")
    asked = replace(candidate, source=Answering(same=box()))
    assert mark_borderline(replace(reference, probability_map=None), asked, maps, (MISSING,), False) == (MISSING,)
    assert mark_borderline(reference, asked, maps, (), False) == ()


def test_without_a_size_no_post_process_runs() -> None:
    reference, _ = sides()
    assert reference.probability_map is not None
    assert boxes_of_map(reference, reference.probability_map) is not None
    assert boxes_of_map(replace(reference, shape=None), reference.probability_map) is None
    assert boxes_of_map(replace(reference, source=None), reference.probability_map) is None
    asked = replace(reference, source=Answering(same=box()), probability_map=np.full((1, 1, 64, 96), 0.5, np.float32))
    assert asked.probability_map is not None
    assert boxes_of_map(asked, asked.probability_map) == box()  # which needs no size
    assert boxes_of_map(replace(asked, shape=None), asked.probability_map) is None


def test_a_score_run_again_may_be_off_by_what_rounding_leaves() -> None:
    finding = BoxFinding("score", (0, 0), reference=0, candidate=0, score_difference=0.1)
    for score, is_it in ((EQUAL_MAP_SCORE, True), (np.nextafter(EQUAL_MAP_SCORE, 1), False)):
        assert judged(finding, box(score=0.0), box(score=0.1), again=box(score=float(score))) == is_it
