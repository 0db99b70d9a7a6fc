"""The experiment with a filter of small boxes, as predict_det.py's `filter_tag_det_res`, which PaddleOCR 3.x lacks."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.contract import pipeline_of
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.stages import DETECTIONS
from pytest_ocrparity.trace import Array, Detections, Trace

MOST: Final = 3
"""PaddleOCR's own filter drops boxes with a side of up to so many whole px."""
INFINITE: Final = float("inf")


def by_small_box_filter(
    lab: Laboratory, made: Detections, own: Detections | None, own_right: Detections | None
) -> list[Diagnosis]:
    """Drop the reference's boxes with a short side; if the candidate's are left, its filter is the cause.

    They must be left on this map and on a drawn one, with limits that fit both. On the drawn map boxes have many
    sizes, and some must be kept, so that another rule would keep others.

    Args:
        lab: the diagnosis.
        made: the boxes that the patched candidate makes of the reference's map.
        own: the boxes that the candidate really returned, with what was put right so far.
        own_right: the boxes that its own map should give.
    """
    source, found = pipeline_of(lab.reference), lab.reference.detections
    if source is None or found is None or not lab.can_run or lab.reference.probability_map is None:
        return []
    here = _find_cut(lab, lab.with_boxes(made), found)
    if here is None or own is None or own_right is None:
        return []
    if _find_cut(lab, replace(lab.candidate, detections=own), own_right) is None:
        return []
    # The drawn map is scaled so that a filter by side drops some of its boxes and keeps others.
    drawn, ratio = map_of_small_boxes(), max(0.25, (here.kept or 2 * here.dropped) / 16)
    shape = (PROBE * ratio, PROBE * ratio, 1 / ratio, 1 / ratio)
    both = lab.attempt(lambda: (source.postprocess(drawn, shape), lab.patched.postprocess(drawn, shape)))
    if both is None:
        return []
    right, kept = both
    drawn_trace = replace(lab.reference, probability_map=drawn, shape=shape, detections=right)
    sides = Comparisons(drawn_trace, lab.candidate, lab.tolerance, defers=lab.comparisons.defers)
    probe = replace(lab, comparisons=sides, memo={})
    there = _find_cut(probe, probe.with_boxes(kept), right)
    if there is None or there.kept is None or here.dropped >= there.kept or there.dropped >= (here.kept or INFINITE):
        return []  # one limit can't fit both maps
    least, from_ = max(here.dropped, there.dropped), min(here.kept or there.kept, there.kept)
    reference, candidate = lab.names
    proof = (
        f"{reference}'s boxes without those that have a side of up to {least:.1f} px are {candidate}'s, here and on a "
        f"drawn map of {len(right)} boxes, of which {candidate} keeps {len(kept)}"
    )
    summary = f"{candidate} drops boxes by their shorter side: "
    summary += f"those of up to {least:.1f} px, and none from {from_:.1f} px on"
    summary += ", as predict_det.py's filter_tag_det_res does" if least < MOST + 1 <= from_ + 0.1 else ""
    fix = f"take the filter out of {candidate}, or filter {reference}'s boxes in the same way"
    return [lab.proven_cause(DETECTIONS, "postprocess.filter", summary, [proof], fix)]


class Cut(NamedTuple):
    """A cut by shortest side in px: the longest that is dropped, and the shortest that is kept, if one is."""

    dropped: float
    kept: float | None


def _find_cut(lab: Laboratory, trace: Trace, right: Detections) -> Cut | None:
    """Return the cut that leaves a trace's boxes of the right ones; None where no cut does."""
    made = trace.detections
    assert made is not None
    if not all(len(polygon) for polygon in right.polygons):
        return None  # a box without points has no side
    sides = sorted((_shortest_side(polygon), index) for index, polygon in enumerate(right.polygons))
    count = len(right) - len(made)
    if count <= 0:
        return None
    dropped, least = sides[count - 1][0], sides[count][0] if count < len(sides) else None
    if dropped == least:
        return None
    kept = sorted(index for _, index in sides[count:])
    scores = None if right.scores is None or made.scores is None else right.scores[kept]
    filtered = Detections(tuple(right.polygons[index] for index in kept), scores)
    reference = replace(lab.reference, detections=filtered, source=None)
    is_same = lab.is_same(DETECTIONS, replace(trace, source=None), reference)
    return Cut(dropped, least) if is_same else None


def _shortest_side(polygon: Array) -> float:
    """Return a quad's shortest side in px."""
    return float(np.min(np.linalg.norm(polygon - np.roll(polygon, 1, axis=0), axis=1)))


PROBE: Final = 1024
"""Side in px of the drawn map."""


def map_of_small_boxes(*, weakest: float = 1.0) -> npt.NDArray[np.float32]:
    """Return a (1, 1, PROBE, PROBE) map of rectangles 4 to 23 px high and 6 to 48 px wide, far from each other.

    Their values run from `weakest` to 1 in steps that repeat. With `weakest` below 1 each is weaker at its rim, and one
    px higher: what is just as high as PaddleOCR's smallest outline is dropped or not by how a port rounds.
    """
    drawn = np.zeros((1, 1, PROBE, PROBE), np.float32)
    values = np.linspace(weakest, 1, 7, dtype=np.float32)
    top, count = 16, 0
    for height in range(4, 24) if weakest == 1 else range(5, 25):
        left = 16
        for width in (6, 12, 24, 48):
            value = values[count % len(values)]
            drawn[0, 0, top : top + height, left : left + width] = value if weakest == 1 else value * 0.8
            drawn[0, 0, top + 1 : top + height - 1, left + 1 : left + width - 1] = value
            left, count = left + 96, count + 1
        top += height + 32
    return drawn
