"""Judges a recorded page again: its boxes as their comparison is judged again, its lines by what they read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from msgspec import structs

from pytest_ocrparity.compare.judge import Limits
from pytest_ocrparity.compare.page_verdict import (
    are_boxes_accepted,
    blank_page,
    judged_line,
    line_counts,
    page_measures,
    page_status,
)
from pytest_ocrparity.comparison import MATCHES, UNDECIDED
from pytest_ocrparity.report.document import RecordedComparison
from pytest_ocrparity.stages import DETECTIONS

_OF_PAIRS: Final = tuple(f"detections.{name}" for name in ("min_iou", "max_shift", "max_score_difference"))
"""The limits of a pair of boxes."""


def judge_recorded_page(
    was: RecordedComparison, after: Mapping[str, RecordedComparison], limits: Limits
) -> RecordedComparison:
    """Return a recorded page as limits judge it, of which nothing differs in kind but its order; or undecided.

    Args:
        was: the page.
        after: the comparisons of its detectors by kind, as these limits judge them.
        limits: what judges now, by name.
    """
    boxes = after[DETECTIONS]
    are_same = are_boxes_accepted(boxes.status, boxes.counts, limits)

    def judged(explained: bool | None) -> RecordedComparison:
        """Judge it with all its other texts explained by what limits permit, with none, or as the run found them."""
        lines = [judged_line(each, limits) for each in was.lines]
        if explained is not None:
            lines = [replace(each, is_borderline=explained) if each.kind == "text" else each for each in lines]
        counts = {**was.counts, **line_counts(lines, limits)}
        differences = [each for each in was.differences if each.kind == "order"] + blank_page(lines, limits)
        measures = page_measures(counts, limits, defers=True)
        status = page_status(differences, measures, boxes.status, are_boxes_same=are_same)
        found: dict[str, Any] = {"measures": measures, "differences": tuple(differences), "counts": counts}
        return structs.replace(was, status=status, limits=limits, lines=tuple(lines), **found)

    found = judged(None)
    before = {each.kind: each for each in was.of_detectors}
    are_maps_old = all(
        each.value == limits[name].value for name, each in was.limits.items() if name.startswith("probability_maps.")
    )
    if are_maps_old and _are_boxes_explained_alike(before[DETECTIONS], after[DETECTIONS]):
        return found
    # Which texts other limits explain only both recognisers show; the run judges how many it is.
    ends = [(each.status, each.counts if each.status in MATCHES else None) for each in (judged(True), judged(False))]
    return found if ends[0] == ends[1] else structs.replace(found, status=UNDECIDED)


def _are_boxes_explained_alike(before: RecordedComparison, after: RecordedComparison) -> bool:
    """Return whether the same boxes may hold borderline texts: they have the limits that they had, or keep both."""
    judged = [each for each in after.measures if each.name in _OF_PAIRS]
    do_all_keep = not before.boxes and all(each.is_within for each in judged)
    return do_all_keep or all(before.limits[name].value == after.limits[name].value for name in _OF_PAIRS)
