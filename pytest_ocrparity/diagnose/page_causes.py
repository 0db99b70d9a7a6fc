"""Finds why two pages differ: which model is at fault, or what stands between and around them.

The detectors are compared and examined as they are alone. Each line that is read otherwise is followed from its box to
its text: through what was cut out and turned, the lines that it was read with, and the recognisers, which both read
what the candidate's was given. What belongs to no model is claimed where the candidate itself, run again without it,
reads as the reference does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.compare.whole_page import PageComparisons
from pytest_ocrparity.comparison import LineFinding
from pytest_ocrparity.contract import offered
from pytest_ocrparity.contract.page_readers import (
    BATCH,
    CUT,
    ORDER,
    SCORES,
    TURN,
    ChangesSteps,
    HasModels,
    LineOfPage,
    ShowsLines,
)
from pytest_ocrparity.diagnose.laboratory import Names
from pytest_ocrparity.diagnosis import UNKNOWN, Diagnosis
from pytest_ocrparity.stages import CROP, DETECTION, PAGE, RECOGNITION, RESIZE, TEXT
from pytest_ocrparity.trace import Trace
from pytest_ocrparity.wording import quoted

REFERENCE, CANDIDATE = 0, 1
"""The sides, whose recognisers run alone."""
OF_NO_MODEL: Final = "pipeline"
"""The `Diagnosis.model` of what stands between and around the models."""
MOST_LINES: Final = 3
"""How many lines are examined that only the recognisers can explain."""
_STEP_CAUSES: Final = {
    CUT: ("pipeline.crop_rule", CROP),
    TURN: ("pipeline.textline_orientation", CROP),
    BATCH: ("resize.batch_padding", RESIZE),
    SCORES: ("pipeline.score_thresh", PAGE),
    ORDER: ("pipeline.order", PAGE),
}
_CHANGED: Final = {
    CUT: "its lines cut out as paddlex does",
    TURN: "no line turned",
    BATCH: "its lines read one by one",
    SCORES: "no text left out",
    ORDER: "its boxes set in paddlex's order",
}
"""What is changed of a page that runs again, for the proof."""

Diagnose = Callable[[Comparisons], Sequence[Diagnosis]]


def examine_page(made: PageComparisons, diagnose: Diagnose) -> list[Diagnosis]:
    """Return the causes of two pages that differ, in the order of the data flow.

    `diagnose` finds those of two models alone.
    """
    if made.page.has_no_text:
        return []
    found = []
    if not made.are_boxes_same or made.candidate.texts is None or made.reference.texts is None:
        found += [replace(each, model=_model_of_detection(each)) for each in diagnose(made.boxes)]
    if made.candidate.texts is not None and made.reference.texts is not None:
        found += _PageExaminer(made, diagnose).causes()
    elif made.candidate.error is not None and made.candidate.error.stage in (TEXT, CROP):
        found = [each for each in found if each.cause != UNKNOWN] + _PageExaminer(made, diagnose).of_stopped()
    found.sort(key=_place_in_flow)
    return found or [unknown_cause_of_page(made, "each step that could be run alone agrees with the reference")]


def _model_of_detection(diagnosis: Diagnosis) -> str:
    return OF_NO_MODEL if diagnosis.cause.startswith("pipeline.") else DETECTION.name


def _place_in_flow(diagnosis: Diagnosis) -> int:
    """Return where a cause stands: what precedes the detector, it, what is cut out, the recogniser, the whole page."""
    if diagnosis.model == OF_NO_MODEL:
        if diagnosis.cause == "pipeline.doc_preprocessor":
            return 0
        return {CROP: 2, RESIZE: 3, PAGE: 5}.get(diagnosis.stage, 1)
    return 1 if diagnosis.model == DETECTION.name else 4


def unknown_cause_of_page(made: PageComparisons, summary: str, **notes: Any) -> Diagnosis:
    """Return that the cause of a difference between two pages is not known."""
    return Diagnosis(stage=made.page.stage or PAGE, cause=UNKNOWN, summary=summary, model=OF_NO_MODEL, **notes)


@dataclass
class _PageExaminer:
    """Follows the lines of a page.

    Attributes:
        made: the comparisons of the two pages.
        diagnose: finds the causes of two models alone.
        not_tried: what could not be run, with the error.
    """

    made: PageComparisons
    diagnose: Diagnose
    not_tried: list[str] = field(default_factory=list)
    _again: dict[str, Trace | None] = field(default_factory=dict)
    _alone: dict[tuple[int, bytes], Trace] = field(default_factory=dict)
    _pictures: dict[int, Any] = field(default_factory=dict)
    """By box, the picture of a line as it would be without a step that is at fault too."""

    def __post_init__(self) -> None:
        self.reference, self.candidate = self.made.reference, self.made.candidate
        self.names = Names(self.reference.pipeline, self.candidate.pipeline)
        self._steps = offered(self.candidate.source, ChangesSteps)
        models = [offered(trace.source, HasModels) for trace in (self.reference, self.candidate)]
        self._recognisers = [None if each is None else each.recogniser for each in models]
        self._lines = self._lines_of(self.candidate)

    def causes(self) -> list[Diagnosis]:
        """Return the causes of lines that are read otherwise, or left out, or in another order."""
        found: list[Diagnosis] = []
        changed = [each for each in self.made.page.lines if each.differs and each.kind not in ("missing", "extra")]
        left: list[LineFinding] = []
        for line in changed:
            left += [] if self._is_explained(line, found) else [line]
        found += self._of_recognisers(left)
        if self.made.page.counts.get("moved") and any(each.kind == "order" for each in self.made.page.differences):
            found += self._of_order()
        if not found and changed and self.made.are_boxes_same:
            found.append(unknown_cause_of_page(self.made, self._what_remains(changed), not_tried=tuple(self.not_tried)))
        return found

    def _is_explained(self, line: LineFinding, found: list[Diagnosis]) -> bool:
        """Return whether a step that belongs to no model explains a line, after its cause is in `found`."""
        own = self._own(line)
        if self._steps is None or own is None or line.candidate_box is None:
            return False
        for step in self._suspects(line, own):
            read = self._read_again(step, line.candidate_box)
            if read is not None and read == line.reference:
                self._state(found, step, line, own)
                return True
            if step == SCORES and read is not None:
                self._state(found, step, line, own)  # what it reads is another matter
            if step in (TURN, CUT) and (picture := self._picture_of_reference(step, line, own)) is not None:
                self._state(found, step, line, own, picture)
                self._pictures[line.candidate_box] = picture
                return False  # its recogniser reads that otherwise as well
        return False

    def _picture_of_reference(self, step: str, line: LineFinding, own: LineOfPage) -> Any:
        """Return the picture of a line without a step in which the reference reads its text, and in the other not."""
        again = self._run_again(step)
        lines, box = () if again is None else self._lines_of(again), line.candidate_box or 0
        if box >= len(lines) or own.read is None or self._text_alone(CANDIDATE, own.given) != own.read.text:
            return None
        read = [self._text_alone(REFERENCE, picture) for picture in (lines[box].given, own.given)]
        return lines[box].given if read[0] == line.reference != read[1] else None

    def _suspects(self, line: LineFinding, own: LineOfPage) -> list[str]:
        """Return the steps that did something to a line."""
        steps = [SCORES] if line.kind == "left out" else []
        steps += [TURN] if not np.array_equal(own.cut, own.given) else []
        plain = self._cut_by_paddlex(line.candidate_box or 0)
        steps += [CUT] if plain is not None and not np.array_equal(plain, own.cut) else []
        alone = self._text_alone(CANDIDATE, own.given)
        if own.read is not None and alone is not None and alone != own.read.text:
            steps.append(BATCH)
        return steps

    def _state(
        self, found: list[Diagnosis], step: str, line: LineFinding, own: LineOfPage, picture: Any = None
    ) -> None:
        """Add the cause of a step, unless an earlier line showed it."""
        assert self._steps is not None
        cause, stage = _STEP_CAUSES[step]
        if any(each.cause == cause for each in found):
            return
        reference, candidate = self.names
        if picture is None:
            read = self._read_again(step, line.candidate_box or 0)
            same = f", as {reference} does" if read == line.reference else ""
            before = "nothing" if line.candidate is None else repr(line.candidate)
            proof = f"with {_CHANGED[step]}, {candidate} reads {read!r} at {_place(line)}{same}; else {before}"
        else:
            proof = f"with {_CHANGED[step]}, {reference} reads {line.reference!r} at {_place(line)}; in what "
            proof += f"{candidate} gives its recogniser there, {reference} reads "
            proof += repr(self._text_alone(REFERENCE, own.given))
        found.append(
            Diagnosis(
                stage=stage,
                cause=cause,
                summary=self._summary(step, own),
                evidence=(proof,),
                fix=self._steps.step_fix(step),
                model=OF_NO_MODEL,
            )
        )

    def _summary(self, step: str, own: LineOfPage) -> str:
        """Return what a step that is at fault does to lines."""
        (reference, name), steps = self.names, {} if self._steps is None else self._steps.steps
        if step == TURN:
            return f"{name}'s text-line orientation classifier turns lines by 180 degrees, and {reference} has none"
        if step == CUT:
            return f"{name} cuts lines out by a rule of its own, and not as paddlex does"
        if step == BATCH:
            return f"{name} reads lines otherwise in a batch, where they are filled up to the widest"
        thresh = steps.get("text_rec_score_thresh")
        read = own.read
        score = "" if read is None or read.score is None else f", and that of {quoted(read.text)} is {read.score:.3g}"
        return f"{name} leaves out texts with a score below {thresh}{score}"

    def _of_recognisers(self, lines: Sequence[LineFinding]) -> list[Diagnosis]:
        """Return why both recognisers read the same pictures of lines otherwise, as far as they do."""
        found: dict[tuple[str, str], Diagnosis] = {}
        examined = 0
        for line in lines:
            own = self._own(line)
            if own is None or examined >= MOST_LINES:
                continue
            picture = self._pictures.get(line.candidate_box or 0, own.given)
            one, two = (self._trace_alone(side, picture) for side in (REFERENCE, CANDIDATE))
            if one is None or two is None:
                continue
            label = f"{self.candidate.label}, the line at {_place(line)}"
            one, two = replace(one, image=label), replace(two, image=label)
            read = [None if each.recognition is None else each.recognition.text for each in (one, two)]
            if read[0] == read[1] and line.kind != "score":
                continue
            examined += 1
            for each in self.diagnose(Comparisons(one, two, self.made.tolerance)):
                found.setdefault((each.stage, each.cause), replace(each, model=RECOGNITION.name))
        known = [each for each in found.values() if each.cause != UNKNOWN]
        return known or list(found.values())

    def of_stopped(self) -> list[Diagnosis]:
        """Return why the candidate's recogniser stops at a line, as it does alone."""
        for own in self._lines:
            one, two = (self._trace_alone(side, own.given) for side in (REFERENCE, CANDIDATE))
            if one is None or two is None or two.error is None:
                continue
            found = self.diagnose(Comparisons(one, two, self.made.tolerance))
            return [replace(each, model=RECOGNITION.name) for each in found]
        error = self.candidate.error
        is_cut = error is not None and error.stage == CROP
        where = "stops where it cuts lines out" if is_cut else "stops, and no line stops its recogniser alone"
        summary = f"{self.names.candidate} {where}: {' '.join(str(error).split())}"
        return [unknown_cause_of_page(self.made, summary, not_tried=tuple(self.not_tried))]

    def _of_order(self) -> list[Diagnosis]:
        """Return that the candidate's own order is the cause, where its boxes stand right in paddlex's."""
        again = None if self._steps is None else self._run_again(ORDER)
        if again is None or again.texts is None:
            return [unknown_cause_of_page(self.made, "the texts are in another order", not_tried=tuple(self.not_tried))]
        moved = PageComparisons(self.reference, again, self.made.tolerance).page
        if any(each.kind == "order" for each in moved.differences):
            summary = "the texts are in another order, and in paddlex's order too"
            return [] if not self.made.are_boxes_same else [unknown_cause_of_page(self.made, summary)]
        assert self._steps is not None
        cause, stage = _STEP_CAUSES[ORDER]
        count = self.made.page.counts["moved"]
        reference, candidate = self.names
        proof = f"with {_CHANGED[ORDER]}, {candidate}'s texts are in {reference}'s order; else {count} are not"
        fix, summary = self._steps.step_fix(ORDER), f"{candidate} sets the boxes in an order of its own"
        return [Diagnosis(stage=stage, cause=cause, summary=summary, evidence=(proof,), fix=fix, model=OF_NO_MODEL)]

    def _what_remains(self, changed: Sequence[LineFinding]) -> str:
        if not self._lines:
            return "no experiment was made: the candidate does not show what it cuts out"
        missing = [name for name, each in zip(self.names, self._recognisers, strict=True) if each is None]
        if missing:
            return f"no step that runs without a recogniser explains it, and {' and '.join(missing)} gives none"
        given = [own.given for own in map(self._own, changed) if own]
        if any(self._text_alone(REFERENCE, each) != self._text_alone(CANDIDATE, each) for each in given):
            return "no step that ran again explains it"
        return (
            "both recognisers read what the candidate's was given alike: what differs are the boxes, within their "
            "limits, and so what is cut out"
        )

    def _own(self, line: LineFinding) -> LineOfPage | None:
        """Return what became of a line's box on the candidate's side."""
        place = line.candidate_box
        return None if place is None or place >= len(self._lines) else self._lines[place]

    def _lines_of(self, trace: Trace) -> Sequence[LineOfPage]:
        shows = offered(trace.source, ShowsLines)
        found = None if shows is None else self._attempt(lambda: shows.lines(trace), "what was cut out of the page")
        return found or ()

    def _cut_by_paddlex(self, box: int) -> Any:
        again = self._run_again(CUT)
        lines = () if again is None else self._lines_of(again)
        return lines[box].cut if box < len(lines) else None

    def _read_again(self, step: str, box: int) -> str | None:
        """Return what a box reads on the page that runs again; None where it has no text, or can't be run."""
        again = self._run_again(step)
        if again is None or again.texts is None or again.detections is None or self.candidate.detections is None:
            return None
        if len(again.detections) != len(self.candidate.detections):
            return None
        same = np.array_equal(again.detections.polygons[box], self.candidate.detections.polygons[box])
        said = again.texts[box] if same else None
        return None if said is None else said.text

    def _run_again(self, step: str) -> Trace | None:
        if step not in self._again:
            steps = self._steps
            self._again[step] = (
                None
                if steps is None
                else self._attempt(lambda: steps.with_step(self.candidate, step), f"the page with {_CHANGED[step]}")
            )
        return self._again[step]

    def _text_alone(self, side: int, line: Any) -> str | None:
        trace = self._trace_alone(side, line)
        return None if trace is None or trace.recognition is None else trace.recognition.text

    def _trace_alone(self, side: int, line: Any) -> Trace | None:
        """Return what a side's recogniser makes of one picture of a line."""
        recogniser, pixels = self._recognisers[side], np.ascontiguousarray(line)
        key = side, pixels.tobytes()
        if recogniser is None:
            return None
        if key not in self._alone:
            made = self._attempt(lambda: recogniser.trace(pixels), f"the recogniser of {self.names[side]}")
            if made is None:
                return None
            self._alone[key] = made
        return self._alone[key]

    def _attempt(self, run: Callable[[], Any], what: str) -> Any:
        """Run a part of a side; note what it raises, and return None."""
        try:
            return run()
        except Exception as error:  # a side of the user's may only trace
            self.not_tried.append(f"{what}: {type(error).__name__}: {' '.join(str(error).split())[-200:]}")
            return None


def _place(line: LineFinding) -> str:
    return f"x={line.at[0]:.0f} y={line.at[1]:.0f}"
