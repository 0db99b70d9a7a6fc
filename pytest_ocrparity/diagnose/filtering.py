"""The experiment with predict_det.py's `filter_tag_det_res`, which ports have and PaddleOCR 3.x has not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.trace import DETECTIONS, Detections

__all__ = ["by_filter"]

Array: TypeAlias = "npt.NDArray[Any]"

PROBE: Final = 1024
"""Side in px of a drawn map that stands for a page of a quarter of it, so that small boxes survive the post-process."""


def by_filter(lab: Laboratory, made: Detections) -> list[Diagnosis]:
    """Drop the reference's boxes with a side of up to 3 px: left are the candidate's, on this map and on one drawn.

    On the drawn map boxes have sides of 1 to 8 px, some of which must be kept, so that no other rule keeps the same.
    """
    one, two = lab.names
    source, found = lab.reference.source, lab.reference.detections
    if source is None or found is None or lab.remedy is None or not _is_filtered(lab, found, made):
        return []
    drawn, shape = _drawn(), (PROBE / 4, PROBE / 4, 4.0, 4.0)
    try:
        ours, theirs = source.postprocess(drawn, shape), lab.remedy.postprocess(drawn, shape)
    except Exception:  # a pipeline of the user's may only trace
        return []
    probe = replace(lab, reference=replace(lab.reference, probability_map=drawn, shape=shape, detections=ours))
    if not len(theirs) or not _is_filtered(probe, ours, theirs):
        return []
    proof = (
        f"{one}'s boxes without those that have a side of up to 3 px are {two}'s, here and on a drawn map of "
        f"{len(ours)} boxes, of which {two} keeps {len(theirs)}"
    )
    summary = f"{two} drops boxes with a side of up to 3 px, as predict_det.py's filter_tag_det_res does"
    fix = f"take the filter out of {two}, or filter {one}'s boxes in the same way"
    return [lab.claim(DETECTIONS, "postprocess.filter", summary, [proof], fix)]


def _is_filtered(lab: Laboratory, ours: Detections, made: Detections) -> bool:
    """Tell whether the reference's boxes without small sides are the candidate's, at least one being dropped."""
    kept = [index for index, polygon in enumerate(ours.polygons) if _shortest(polygon) > 3]
    if len(kept) == len(ours) or len(kept) != len(made):
        return False
    scores = None if ours.scores is None or made.scores is None else ours.scores[kept]
    filtered = Detections(tuple(ours.polygons[index] for index in kept), scores)
    return replace(lab, reference=replace(lab.reference, detections=filtered)).is_same_boxes(made)


def _shortest(polygon: Array) -> int:
    """Return a quad's shortest side in whole px."""
    return int(np.min(np.linalg.norm(polygon - np.roll(polygon, 1, axis=0), axis=1)))


def _drawn() -> npt.NDArray[np.float32]:
    """Return a (1, 1, PROBE, PROBE) map of rectangles 4 to 24 px high and 6 to 48 px wide, far from each other."""
    drawn = np.zeros((1, 1, PROBE, PROBE), np.float32)
    top = 16
    for height in range(4, 24):
        left = 16
        for width in (6, 12, 24, 48):
            drawn[0, 0, top : top + height, left : left + width] = 1
            left += 96
        top += height + 32
    return drawn
