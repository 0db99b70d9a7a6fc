"""The score that each of a candidate's boxes must have: the reference's post-process, run on the candidate's map.

A bound from the difference of the maps does not exist, as one map pixel can re-fit a rectangle: under map noise of 1e-3
scores of the same boxes moved by 0.05.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.compare.borderline import SAME_BOX, boxes_of_map
from pytest_ocrparity.compare.box_pairs import pair_boxes
from pytest_ocrparity.compare.judge import BoxLimits
from pytest_ocrparity.trace import Detections, Trace


def detections_with_expected_scores(reference: Trace, candidate: Trace) -> Detections | None:
    """Return what the reference's post-process finds in the candidate's map, in source px; None where it can't be run.

    Only of maps of one shape and images of one size: then both sides mean the same by a pixel of the map.
    """
    if reference.probability_map is None or candidate.probability_map is None or reference.shape is None:
        return None
    if reference.probability_map.shape != candidate.probability_map.shape:
        return None
    if candidate.shape is not None and candidate.shape[:2] != reference.shape[:2]:
        return None
    return boxes_of_map(reference, candidate.probability_map)


def expected_scores(expected: Detections | None, found: Detections, limits: BoxLimits) -> Mapping[int, float]:
    """Return by index the score that each found box must have; boxes that are not among the expected ones have none.

    A box that the limits take for an expected one has its score: DBPostProcess scores a box of the map, before it is
    scaled and rounded.
    """
    if expected is None or expected.scores is None:
        return {}
    pairs, findings = pair_boxes(expected, found, limits)
    moved = {each.candidate for each in findings if each.kind != "score"}
    if limits.max_shift is None:  # then no distance is too far, and another box has another score
        moved |= {pair.candidate for pair in pairs if pair.shift is None or pair.shift > SAME_BOX}
    return {
        pair.candidate: float(expected.scores[pair.reference])
        for pair in pairs
        if pair.candidate not in moved and pair.candidate is not None and pair.reference is not None
    }


def are_scores_permuted(
    found: Sequence[float] | npt.NDArray[np.float64], expected: Sequence[float], within: float
) -> bool:
    """Return whether scores are the expected ones in another order: they agree once both are sorted, and only then."""
    found_scores, right_scores = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    if (
        len(found_scores) != len(right_scores)
        or len(found_scores) < 2
        or np.all(np.abs(found_scores - right_scores) <= within)
    ):
        return False
    return bool(np.all(np.abs(np.sort(found_scores) - np.sort(right_scores)) <= within))
