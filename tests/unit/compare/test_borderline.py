"""A score or a box that no map explains is no borderline one, however close the maps are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from toy import PAGE, Toy

from pytest_ocrparity import DifferenceError, assert_same_detections
from pytest_ocrparity.trace import Detections, Shape, Trace

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
