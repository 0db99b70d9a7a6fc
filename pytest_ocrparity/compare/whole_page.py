"""Compare two pages: the boxes as a detector's are, what was read in each pair of boxes, and the reading order."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.compare.box_pairs import box_centre, box_pair_limits, pair_boxes
from pytest_ocrparity.compare.page_borderline import do_boxes_explain_order, with_borderline_lines
from pytest_ocrparity.compare.page_verdict import (
    NO_BOXES,
    are_boxes_accepted,
    blank_page,
    changed_lines,
    judged_line,
    line_counts,
    page_measures,
    page_status,
)
from pytest_ocrparity.compare.preconditions import comparison_of, missing_preconditions
from pytest_ocrparity.comparison import (
    DIFFERENT,
    MATCHES,
    RECORDED,
    BoxFinding,
    Comparison,
    Difference,
    LineFinding,
)
from pytest_ocrparity.contract import offered
from pytest_ocrparity.contract.page_readers import HasModels
from pytest_ocrparity.edits import edit_distance
from pytest_ocrparity.stages import DETECTION, DETECTIONS, PAGE, PROBABILITY_MAPS, TEXT
from pytest_ocrparity.tolerance import Tolerance
from pytest_ocrparity.trace import Detections, Recognition, Trace

_DETECTORS: Final = frozenset(stage for stages in DETECTION.comparisons.values() for stage in stages)
"""The stages of a detector."""


class PageComparisons:
    """The comparisons of two traces of a page.

    Attributes:
        reference, candidate: the traces.
        tolerance: what judges: boxes by its limits of `detections`, texts by those of `text`.
        boxes: the comparisons of their detectors, each made when it is first asked for.
    """

    def __init__(self, reference: Trace, candidate: Trace, tolerance: Tolerance, *, defers: bool = False) -> None:
        """Take two traces of one image; with `defers`, the run judges how many lines are borderline."""
        self.reference, self.candidate, self.tolerance, self._defers = reference, candidate, tolerance, defers
        self.boxes = Comparisons(detector_part(reference), detector_part(candidate), tolerance)
        self.page = self._compare()

    def all(self) -> tuple[Comparison, ...]:
        """Return the comparisons of the detectors, then that of the page."""
        return (*self.boxes.all(), self.page)

    @property
    def are_boxes_same(self) -> bool:
        """Return whether the boxes keep their limits."""
        found = self.boxes.of(DETECTIONS)
        return are_boxes_accepted(found.status, found.counts, self.tolerance.limits)

    def _compare(self) -> Comparison:
        reference, candidate = self.reference, self.candidate
        differences = missing_preconditions(reference, candidate, (PAGE,))
        if differences:
            stage = differences[0].stage
            return self._made(DIFFERENT, stage=stage, differences=tuple(differences))
        found = self.boxes.of(DETECTIONS)
        lines, findings = self._paired_lines()
        moved_boxes = {each.reference for each in findings}
        within = [place for place, each in enumerate(lines) if each.reference_box not in moved_boxes]
        lines = with_borderline_lines(reference, candidate, lines, within, self.tolerance)
        moved = _out_of_order(lines)
        if moved and do_boxes_explain_order(reference, candidate):
            moved = []
        if moved:
            differences.append(Difference(PAGE, "order", len(moved), [list(lines[moved[0]].at)]))
        counts = {
            "reference": len(reference.texts or ()),
            "candidate": len(candidate.texts or ()),
            "moved": len(moved),
            **line_counts(lines, self.tolerance.limits),
        }
        differences += blank_page(lines, self.tolerance.limits)
        differences += [each for each in found.differences if each.kind == NO_BOXES]
        measures = page_measures(counts, self.tolerance.limits, defers=self._defers)
        status = page_status(differences, measures, found.status, are_boxes_same=self.are_boxes_same)
        if reference.is_recording_of(candidate):
            status = RECORDED
        is_wrong = status not in MATCHES
        are_read = any(each.kind in ("text", "score") for each in changed_lines(lines, self.tolerance.limits))
        stage = DETECTIONS if not self.are_boxes_same else TEXT if are_read else PAGE
        return self._made(
            status,
            stage=stage if is_wrong else None,
            differences=tuple(differences),
            measures=measures,
            counts=counts,
            lines=tuple(lines),
            boxes=() if self.are_boxes_same else findings or found.boxes,
            of_detectors=(self.boxes.of(PROBABILITY_MAPS), found),
        )

    def _made(self, status: str, **values: object) -> Comparison:
        # Those of maps as well: by them a text is borderline.
        of_kinds = ("detections.", "text.", "probability_maps.")
        limits = {name: limit for name, limit in self.tolerance.limits.items() if name.startswith(of_kinds)}
        return comparison_of(
            PAGE, self.reference, self.candidate, self.tolerance, status=status, limits=limits, **values
        )

    def _paired_lines(self) -> tuple[list[LineFinding], tuple[BoxFinding, ...]]:
        """Return what was read at each place, and what differs of the boxes.

        The places are in the reference's order; those that only the candidate has come last.
        """
        reference, candidate = self.reference, self.candidate
        one, two = reference.detections or Detections(()), candidate.detections or Detections(())
        pairs, findings = pair_boxes(one, two, box_pair_limits(reference, candidate, self.tolerance, False))
        partner = {pair.reference: pair.candidate for pair in pairs}
        reference_texts, candidate_texts = reference.texts or (), candidate.texts or ()
        lines = []
        for place, polygon in enumerate(one.polygons):
            at, other, read = box_centre(polygon), partner.get(place), reference_texts[place]
            if other is None:
                lines.append(LineFinding("missing", at, _text(read), None, place))
            else:
                lines.append(self._line(at, read, candidate_texts[other], place, other))
        paired = set(partner.values())
        for place, polygon in enumerate(two.polygons):
            if place not in paired:
                text = _text(candidate_texts[place])
                lines.append(LineFinding("extra", box_centre(polygon), None, text, None, place))
        return lines, findings

    def _line(
        self, at: tuple[float, float], one: Recognition | None, two: Recognition | None, place: int, other: int
    ) -> LineFinding:
        """Return what both sides say of a pair of boxes."""
        if one is None or two is None:
            kind = "same" if one is two else "left out" if two is None else "added"
            texts = _text(one), _text(two)
            return LineFinding(kind, at, *texts, place, other, len(texts[0] or texts[1] or ""))
        edits = edit_distance(one.text, two.text)
        line = LineFinding("same", at, one.text, two.text, place, other, edits, False, one.score, two.score)
        return judged_line(line, self.tolerance.limits)


def _text(read: Recognition | None) -> str | None:
    return None if read is None else read.text


def detector_part(trace: Trace) -> Trace:
    """Return what a trace of a page shows of its detector, as a trace of that one."""
    models = offered(trace.source, HasModels)
    # In the detector's own order, which experiments with it look at.
    found = trace.memo.get(DETECTIONS, trace.detections)
    error = trace.error if trace.error is not None and trace.error.stage in _DETECTORS else None
    source = None if models is None else models.detector
    return replace(trace, texts=None, detections=found, error=error, source=source)


def _out_of_order(lines: Sequence[LineFinding]) -> list[int]:
    """Return the places of the lines that must move for the candidate's order to be the reference's: the fewest."""
    paired = [
        place for place, line in enumerate(lines) if line.reference_box is not None and line.candidate_box is not None
    ]
    order = [lines[place].candidate_box or 0 for place in paired]
    ends: list[int] = []  # by length, the last of the increasing sequence that ends lowest
    at: list[int] = []
    for value in order:
        length = bisect_left(ends, value)
        ends[length : length + 1] = [value]
        at.append(length)
    kept, wanted = set[int](), len(ends) - 1
    for index in range(len(order) - 1, -1, -1):
        if at[index] == wanted:
            kept.add(index)
            wanted -= 1
    return [paired[index] for index in range(len(order)) if index not in kept]
