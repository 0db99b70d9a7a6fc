"""What judges a page: which of its lines are read otherwise, how many may be, and what its boxes come to.

Pages that were compared and pages that were recorded are judged by this, see `rejudge`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from pytest_ocrparity.compare.judge import Limits
from pytest_ocrparity.comparison import (
    ALLOWED_EMPTY,
    DIFFERENT,
    EMPTY,
    MATCHES,
    NOT_JUDGEABLE,
    SAME,
    UNDECIDED,
    Difference,
    LineFinding,
    Measure,
)
from pytest_ocrparity.stages import PAGE
from pytest_ocrparity.tolerance import AUTO, OFF, PAGE_SCORE

BLANK: Final = "empty_page"
"""The difference of two pages of which neither side reads a character."""
NO_BOXES: Final = "empty"
"""That of a page on which neither side finds a box, and whose maps do not show that it has no text."""


def judged_line(line: LineFinding, limits: Limits) -> LineFinding:
    """Return a line with the kind that its texts and scores give it; one that a side does not read stays as it is."""
    if line.reference is None or line.candidate is None:
        return line
    if line.edits:
        return replace(line, kind="text")
    if line.reference_score is None or line.candidate_score is None:
        return line
    limit = limits["text.max_score_difference"].value
    most = PAGE_SCORE if limit == AUTO else limit
    is_same = limit == OFF or abs(line.reference_score - line.candidate_score) <= float(most)
    return replace(line, kind="same" if is_same else "score")


def changed_lines(lines: Sequence[LineFinding], limits: Limits) -> list[LineFinding]:
    """Return the lines that count as read otherwise; boxes without partner are judged as boxes."""
    most = limits["text.max_cer"].value
    return [
        line
        for line in lines
        if line.differs
        and line.kind not in ("missing", "extra")
        and (line.kind != "text" or most == OFF or line.edits / max(1, len(line.reference or "")) > float(most))
    ]


def line_counts(lines: Sequence[LineFinding], limits: Limits) -> dict[str, int]:
    """Return how many lines are what."""
    return {
        "lines": len(lines),
        "same": sum(each.kind == "same" for each in lines),
        "different": len(changed_lines(lines, limits)),
        "borderline": sum(each.is_borderline for each in lines),
        "missing": sum(each.kind == "missing" for each in lines),
        "extra": sum(each.kind == "extra" for each in lines),
        "left_out": sum(each.kind == "left out" for each in lines),
        "edits": sum(each.edits for each in lines if each.differs),
        "characters": sum(len(each.reference or "") for each in lines),
    }


def blank_page(lines: Sequence[LineFinding], limits: Limits) -> list[Difference]:
    """Return the difference of a page with boxes of which neither side reads anything, where that is not allowed."""
    is_blank = bool(lines) and not any(each.reference or each.candidate for each in lines)
    return [Difference(PAGE, BLANK, True, True)] if is_blank and not limits["text.allow_empty"].value else []


def page_measures(counts: Mapping[str, int], limits: Limits, *, defers: bool) -> tuple[Measure, ...]:
    """Return the share of lines that are read otherwise and of those that are borderline, with their limits.

    With `defers`, the run judges how many are borderline.
    """
    lines = max(1, counts["lines"])
    changed, borderline = limits["text.max_changed"], limits["text.max_borderline"]
    share = counts["borderline"] / lines
    if counts["borderline"] <= 1 and borderline.value:
        share = 0.0  # a page of a few lines has no smaller share than one
    return (
        Measure("text.max_changed", counts["different"] / lines, float(changed.value), changed.origin),
        Measure("text.max_borderline", share, float(borderline.value), borderline.origin, decides=not defers),
    )


def are_boxes_accepted(status: str, counts: Mapping[str, int], limits: Limits) -> bool:
    """Return whether the boxes of a page keep their limits, by the status and the counts of their comparison."""
    limit = limits["detections.max_borderline"].value
    most = max(1.0, float(limit) * counts.get("boxes", 0)) if limit else 0.0
    return status in MATCHES and counts.get("borderline", 0) <= most


def page_status(
    differences: Sequence[Difference], measures: Sequence[Measure], boxes: str, *, are_boxes_same: bool
) -> str:
    """Return the status of a page: of what differs in kind, of its texts, then of its boxes, whose status is given."""
    if any(each.fails for each in differences) or any(each.fails for each in measures):
        return DIFFERENT
    if boxes == UNDECIDED or (not are_boxes_same and boxes == NOT_JUDGEABLE):
        return boxes
    if not are_boxes_same:
        return DIFFERENT
    return boxes if boxes in (EMPTY, ALLOWED_EMPTY) else SAME
