"""Finds by experiment which box differences the permitted difference of the maps explains.

A map difference within its limit can still lose, split or move a box that stood on the edge of a threshold. Such a
box is borderline: listed and counted, but not a difference.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.compare.box_pairs import pair_with_nearest_box
from pytest_ocrparity.comparison import BoxFinding, Comparison
from pytest_ocrparity.contract import pipeline_of
from pytest_ocrparity.tolerance import EQUAL_MAP_SCORE
from pytest_ocrparity.trace import Detections, Trace

SAME_BOX = 1.0
"""Source px within which a re-run post-process returns "the same" box: both round to whole pixels."""


def mark_borderline(
    reference: Trace, candidate: Trace, maps: Comparison, findings: tuple[BoxFinding, ...], is_poly: bool
) -> tuple[BoxFinding, ...]:
    """Return the findings with those marked that the maps' difference explains.

    The candidate's own post-process on the reference's map must return the reference's boxes at that place, and where
    scores differ their scores. Where it can't be run, the reference's post-process on its map plus and minus the
    measured largest difference must lose, add or move the box as far, or change its score as much. Where neither can
    be run nothing is borderline, and a box that is none never is. The caller makes sure that the maps differ, and
    within their limit.
    """
    if not findings or reference.probability_map is None:
        return findings
    again = boxes_of_map(candidate, reference.probability_map)
    if again is not None and not _has_boxes_of_own_map(candidate):
        return findings  # something moved its boxes after the post-process, which no map explains
    if again is not None:
        return tuple(
            replace(finding, is_borderline=_rerun_returns_reference_box(finding, reference, candidate, again, is_poly))
            for finding in findings
        )
    largest = maps.measure("largest")
    assert largest is not None
    map_, most = reference.probability_map, np.float32(largest.value)
    moved = [boxes_of_map(reference, map_ - most), boxes_of_map(reference, map_ + most)]
    return tuple(
        replace(
            finding,
            is_borderline=any(
                boxes is not None and _rerun_moves_box_as_far(finding, reference, candidate, boxes, is_poly)
                for boxes in moved
            ),
        )
        for finding in findings
    )


def _has_boxes_of_own_map(candidate: Trace) -> bool:
    """Return whether the recorded boxes are those that the side's post-process finds in the recorded map."""
    assert candidate.detections is not None
    if candidate.probability_map is None:
        return True
    return boxes_of_map(candidate, candidate.probability_map) == candidate.detections


def boxes_of_map(trace: Trace, probability_map: npt.NDArray[np.float32]) -> Detections | None:
    """Return the boxes that the trace's own side finds in a map, with its own shape row, or None where it can't run."""
    source = pipeline_of(trace)
    if source is None or trace.shape is None:
        return None
    try:
        return source.postprocess(np.array(probability_map), trace.shape)  # it may write in place
    except Exception:  # a pipeline of the user's may only trace, or replay: then it explains nothing
        return None


def _box_of_finding(finding: BoxFinding, reference: Trace, candidate: Trace) -> tuple[npt.NDArray[Any], bool]:
    """Return the finding's box, and whether it is one of the reference's."""
    assert reference.detections is not None
    assert candidate.detections is not None
    if finding.reference is not None:
        return reference.detections.polygons[finding.reference], True
    assert finding.candidate is not None
    return candidate.detections.polygons[finding.candidate], False


def _rerun_returns_reference_box(
    finding: BoxFinding, reference: Trace, candidate: Trace, again: Detections, is_poly: bool
) -> bool:
    box, is_references = _box_of_finding(finding, reference, candidate)
    distance, index = pair_with_nearest_box(box, again.polygons, is_poly)
    is_returned = distance <= SAME_BOX
    if finding.kind == "score":
        stored = reference.map_error
        return is_returned and _score_difference(finding, reference, again, index) <= EQUAL_MAP_SCORE + stored
    return (is_returned if is_references else not is_returned) and finding.kind != "invalid"


def _rerun_moves_box_as_far(
    finding: BoxFinding, reference: Trace, candidate: Trace, moved: Detections, is_poly: bool
) -> bool:
    box, is_references = _box_of_finding(finding, reference, candidate)
    distance, index = pair_with_nearest_box(box, moved.polygons, is_poly)
    if finding.kind == "score":
        assert finding.score_difference is not None
        return distance <= SAME_BOX and _score_difference(finding, reference, moved, index) >= finding.score_difference
    if not is_references:
        return distance <= SAME_BOX
    return finding.kind != "invalid" and distance >= (finding.shift if finding.shift is not None else float("inf"))


def _score_difference(finding: BoxFinding, reference: Trace, other: Detections, index: int | None) -> float:
    """Return how far the score of a re-run's box is from that of the reference's; NaN where either has none."""
    assert reference.detections is not None
    reference_scores, other_scores = reference.detections.scores, other.scores
    if reference_scores is None or other_scores is None or index is None or finding.reference is None:
        return float("nan")
    return float(abs(reference_scores[finding.reference] - other_scores[index]))
