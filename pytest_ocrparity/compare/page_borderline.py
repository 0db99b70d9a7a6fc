"""Whether what limits permit explains that a line of a page is read otherwise: a box moved by a pixel, or rounded maps.

A box that moved within its limits is cut out otherwise, and a crop that is cut otherwise may be read otherwise: then
both recognisers read each crop alike. Nothing is explained where a step of the deployment cuts or turns lines in a way
of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.comparison import LineFinding
from pytest_ocrparity.contract import offered
from pytest_ocrparity.contract.page_readers import CUT, ORDER, ChangesSteps, HasModels, LineOfPage, ShowsLines
from pytest_ocrparity.stages import TEXT
from pytest_ocrparity.tolerance import Tolerance
from pytest_ocrparity.trace import Trace

MOST_LINES = 8
"""How many lines of a page are looked at: where more differ, borderline lines are not why."""


def with_borderline_lines(
    reference: Trace, candidate: Trace, lines: Sequence[LineFinding], within: Collection[int], tolerance: Tolerance
) -> list[LineFinding]:
    """Return the lines, of which those are marked that what limits permit explains.

    `within` are the places of the lines whose boxes keep their limits.
    """
    differing = [place for place in within if lines[place].kind == "text"]
    if not differing or len(differing) > MOST_LINES:
        return list(lines)
    try:
        explained = _Explained(reference, candidate, tolerance)
        return [
            replace(each, is_borderline=explained.is_line(each)) if place in differing else each
            for place, each in enumerate(lines)
        ]
    except Exception:  # a side of the user's may only trace: then it explains nothing
        return list(lines)


def do_boxes_explain_order(reference: Trace, candidate: Trace) -> bool:
    """Return whether the candidate's order is paddlex's own, so that only boxes within their limits changed it."""
    steps = offered(candidate.source, ChangesSteps)
    if steps is None or offered(reference.source, ShowsLines) is None or candidate.detections is None:
        return False
    try:
        again = steps.with_step(candidate, ORDER)
    except Exception:
        return False
    return again.detections is not None and _keys(again) == _keys(candidate)


def _keys(trace: Trace) -> list[bytes]:
    return [] if trace.detections is None else [polygon.tobytes() for polygon in trace.detections.polygons]


class _Explained:
    """What both sides cut out of a page and read.

    Raises TypeError where a side does not show it.
    """

    def __init__(self, reference: Trace, candidate: Trace, tolerance: Tolerance) -> None:
        self._tolerance = tolerance
        shows = [offered(trace.source, ShowsLines) for trace in (reference, candidate)]
        models = [offered(trace.source, HasModels) for trace in (reference, candidate)]
        steps = offered(candidate.source, ChangesSteps)
        if shows[0] is None or shows[1] is None or models[0] is None or models[1] is None or steps is None:
            raise TypeError("a side does not show its lines")  # as a baseline and sides of the user's
        self._reference, self._candidate = shows[0].lines(reference), shows[1].lines(candidate)
        self._recognisers = models[0].recogniser, models[1].recogniser
        self._trace, self._steps, self._shows = candidate, steps, shows[1]
        self._plain: Sequence[LineOfPage] | None = None

    def is_line(self, line: LineFinding) -> bool:
        """Return whether a line whose texts differ is explained."""
        assert line.reference_box is not None and line.candidate_box is not None
        own, other = self._reference[line.reference_box], self._candidate[line.candidate_box]
        if not np.array_equal(other.cut, other.given) or other.read is None or other.read.text != line.candidate:
            return False
        traces = [each.trace(np.ascontiguousarray(other.given)) for each in self._recognisers]
        read = [None if each.recognition is None else each.recognition.text for each in traces]
        if read[1] != line.candidate:
            return False  # the lines that were read with it change it
        if read[0] != read[1]:
            found = Comparisons(traces[0], traces[1], self._tolerance).of(TEXT).texts
            return found is not None and found.is_borderline and np.array_equal(own.given, other.given)
        again = self._recognisers[1].trace(np.ascontiguousarray(own.given)).recognition
        if again is None or again.text != line.reference:
            return False
        return self._is_cut_as_paddlex_does(line.candidate_box, other.cut)

    def _is_cut_as_paddlex_does(self, box: int, cut: npt.NDArray[np.uint8]) -> bool:
        if self._plain is None:
            again = self._steps.with_step(self._trace, CUT)
            if _keys(again) != _keys(self._trace):
                return False
            self._plain = self._shows.lines(again)
        return len(self._plain) > box and np.array_equal(self._plain[box].cut, cut)
