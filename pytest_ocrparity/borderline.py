"""Tell by experiment which box differences the permitted difference of the maps explains.

A map difference within its limit can still lose, split or move a box that stood on the edge of a threshold. Such a
box is borderline: listed and counted, but not a difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.pairing import nearest_distance
from pytest_ocrparity.trace import Trace
from pytest_ocrparity.verdict import BoxFinding, Comparison

__all__ = ["mark_borderline"]

SAME_BOX = 1.0
"""Source px within which a re-run post-process returns "the same" box: both round to whole pixels."""


def mark_borderline(
    reference: Trace, candidate: Trace, maps: Comparison, findings: tuple[BoxFinding, ...], is_poly: bool
) -> tuple[BoxFinding, ...]:
    """Return the findings with those marked that the maps' difference explains.

    The candidate's own post-process on the reference's map must return the reference's boxes at that place. Where it
    can't be run, the reference's post-process on its map plus and minus the measured largest difference must lose,
    add or move the box as far. Where neither can be run nothing is borderline. The caller makes sure that the maps
    differ, and within their limit.
    """
    if not findings or reference.probability_map is None or reference.shape is None:
        return findings
    if candidate.source is not None:
        again = candidate.source.postprocess(reference.probability_map, reference.shape).polygons
        return tuple(
            replace(finding, is_borderline=_returns_reference(finding, reference, candidate, again, is_poly))
            for finding in findings
        )
    largest = maps.measure("probability_maps.atol")
    if reference.source is None or largest is None:
        return findings
    moved = [
        reference.source.postprocess(reference.probability_map + np.float32(sign * largest.value), reference.shape)
        for sign in (-1, 1)
    ]
    return tuple(
        replace(finding, is_borderline=any(_as_far(finding, reference, candidate, m.polygons, is_poly) for m in moved))
        for finding in findings
    )


def _box_of(finding: BoxFinding, reference: Trace, candidate: Trace) -> tuple[npt.NDArray[Any], bool]:
    """Return the finding's box, and whether it is one of the reference's."""
    assert reference.detections is not None
    assert candidate.detections is not None
    if finding.reference is not None:
        return reference.detections.polygons[finding.reference], True
    assert finding.candidate is not None
    return candidate.detections.polygons[finding.candidate], False


def _returns_reference(
    finding: BoxFinding, reference: Trace, candidate: Trace, again: Sequence[npt.NDArray[Any]], is_poly: bool
) -> bool:
    box, is_references = _box_of(finding, reference, candidate)
    is_returned = nearest_distance(box, again, is_poly) <= SAME_BOX
    return is_returned if is_references else not is_returned


def _as_far(
    finding: BoxFinding, reference: Trace, candidate: Trace, moved: Sequence[npt.NDArray[Any]], is_poly: bool
) -> bool:
    box, is_references = _box_of(finding, reference, candidate)
    distance = nearest_distance(box, moved, is_poly)
    if not is_references:
        return distance <= SAME_BOX
    return distance >= (finding.shift if finding.shift is not None else float("inf"))
