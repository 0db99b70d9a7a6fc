"""What a comparison found, as plain values: amounts, limits, places, counts. No arrays, no sentences, no numpy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.errors import OcrParityError
from pytest_ocrparity.jsonable import jsonable
from pytest_ocrparity.stages import DETECTION
from pytest_ocrparity.tolerance import Limit

__all__ = [
    "BoxFinding",
    "Comparison",
    "Difference",
    "DifferenceError",
    "LineFinding",
    "Measure",
    "ParameterDifference",
    "TextFinding",
]

SAME, DIFFERENT, NOT_COMPARABLE, RECORDED = "same", "different", "not comparable", "recorded"
EMPTY, ALLOWED_EMPTY = "empty", "empty, as allowed"
NOT_JUDGEABLE = "not judgeable"
"""Rounding the tensor moves the reference's own map by more than the limit: it fails, and no cause is looked for."""
LEFT_TO_RUN = "left to the run"
"""An amount exceeds a limit that is judged over the whole run, so that this image alone decides nothing."""
LEAST = "the rule's least"
"""How the origin of a limit says that its rule stopped early: the amount was so small that it passes in any case."""
ROUGHLY = ": no post-process of the reference was run on the candidate's map"
"""How the origin of a score's limit says that scores were not judged exactly."""
UNPAIRED = ": no maps that pair say by how much they may differ"
"""The same of a recogniser's score."""
UNDECIDED = "undecided"
"""The recorded measures do not suffice to judge it by another limit."""
MATCHES = (SAME, EMPTY, ALLOWED_EMPTY, LEFT_TO_RUN, RECORDED)
"""The statuses under which nothing that decides was found."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One measured amount beside its limit.

    `name` is a limit of `tolerance.LIMITS` or a plain word for what is only reported; `limit` is None where nothing
    judges it; `at` is the worst place, x and y in source-image pixels. `smallest` is true where the amount must not
    fall below its limit (IoU). `decides` is false where something else does: the run, or the boxes one by one.
    """

    name: str
    value: float
    limit: Annotated[float | None, "null: not judged"] = None
    origin: Annotated[str, "who set the limit, and by which rule"] = ""
    at: Annotated[tuple[float, float] | None, "x and y in pixels of the source image"] = None
    smallest: Annotated[bool, "true: the value must not fall below the limit"] = False
    decides: Annotated[bool, "false: the run decides, or the boxes one by one"] = True

    @property
    def is_within(self) -> bool:
        """Return whether the amount keeps its limit; NaN never does."""
        if self.limit is None:
            return True
        return self.value >= self.limit if self.smallest else self.value <= self.limit

    @property
    def fails(self) -> bool:
        """Return whether this amount makes its comparison fail."""
        return self.decides and not self.is_within


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that differs in kind and not by an amount, such as a shape; `fails`: it fails its comparison."""

    stage: Annotated[str, "decode, resize, tensor, probability_map, detections, text; of a page also crop, page"]
    kind: str
    reference: Any = None
    candidate: Any = None
    fails: bool = True

    @property
    def compared_nothing(self) -> bool:
        """Return whether it says why nothing was compared, and not what differs."""
        return self.kind in _NOTHING_COMPARED


_NOTHING_COMPARED = frozenset(("not_recorded", "empty", "empty_text", "empty_page", "no_values"))


@dataclass(frozen=True, slots=True)
class BoxFinding:
    """A box without partner, or a pair beyond the limits.

    `kind` is missing, extra, split, merged, moved or score; `at` the box's centre in source px; `shift` in source px;
    `defect` names an invalid polygon; `is_borderline`: the maps' permitted difference explains it; `score_error` is
    how far its score is from the right one, None where that is not known (see `scores`).
    """

    kind: Annotated[str, "missing, extra, split, merged, moved, score, invalid"]
    at: Annotated[tuple[float, float], "its centre: x and y in pixels of the source image"]
    reference: Annotated[int | None, "index of the box among the reference's"] = None
    candidate: Annotated[int | None, "index of the box among the candidate's"] = None
    iou: float | None = None
    shift: Annotated[float | None, "source px"] = None
    score_difference: float | None = None
    defect: str | None = None
    is_borderline: bool = False
    score_error: Annotated[
        float | None,
        "from version 2 on: how far the candidate's score is from what the reference's post-process gives this box "
        "on the candidate's map",
    ] = None


@dataclass(frozen=True, slots=True)
class TextFinding:
    """What two sides read in one line; `is_borderline`: the maps' permitted difference explains that they differ."""

    reference: str
    candidate: str
    edits: Annotated[int, "characters to insert, remove or replace"]
    is_borderline: bool = False
    reference_score: Annotated[float | None, "the score of its text; null: it has none"] = None
    candidate_score: Annotated[float | None, "the score of its text; null: it has none"] = None


@dataclass(frozen=True, slots=True)
class LineFinding:
    """What two sides read at one place of a page, whether it differs or not.

    `kind` is "same", or "text": other characters; "score": the same with another score; "missing" or "extra": a box
    without partner; "left out": the candidate found the box and returned no text for it, "added": the reference did.
    `is_borderline`: what limits permit explains that the texts differ.
    """

    kind: Annotated[str, "same, text, score, missing, extra, left out, added"]
    at: Annotated[tuple[float, float], "the box's centre: x and y in pixels of the source image"]
    reference: Annotated[str | None, "what the reference reads; null: nothing there"] = None
    candidate: Annotated[str | None, "what the candidate reads; null: nothing there"] = None
    reference_box: Annotated[int | None, "index of the box among the reference's, in reading order"] = None
    candidate_box: Annotated[int | None, "index of the box among the candidate's, in reading order"] = None
    edits: Annotated[int, "characters to insert, remove or replace"] = 0
    is_borderline: bool = False
    reference_score: Annotated[float | None, "the score of its text; null: it has none"] = None
    candidate_score: Annotated[float | None, "the score of its text; null: it has none"] = None

    @property
    def differs(self) -> bool:
        """Return whether it is a finding that nothing explains."""
        return self.kind != "same" and not self.is_borderline


@dataclass(frozen=True, slots=True)
class ParameterDifference:
    """A parameter that ran with another value on each side; None where a side does not have it."""

    stage: str
    name: str
    reference: Any
    candidate: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The outcome of one assertion on one image. Deliberately without a truth value: raise or read `status`.

    Printed, as by a doctest or an interactive session, it is one line: `<Comparison detections of page.png: same>`.
    """

    kind: str
    image: str
    reference: str
    candidate: str
    status: str
    stage: str | None = None
    """The first differing stage, one of `stages.STAGES`."""
    measures: tuple[Measure, ...] = ()
    differences: tuple[Difference, ...] = ()
    boxes: tuple[BoxFinding, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    parameters: tuple[ParameterDifference, ...] = ()
    limits: Mapping[str, Limit] = field(default_factory=dict)
    """By name, each limit of this kind that was in force."""
    task: str = DETECTION.name
    """What the models do, one of `stages.TASKS`."""
    texts: TextFinding | None = None
    """Of the kind text, what was read."""
    lines: tuple[LineFinding, ...] = ()
    """Of the kind page, what was read at each place, in the reference's reading order."""
    of_detectors: tuple[Comparison, ...] = ()
    """Of the kind page, the comparisons of its detectors, which judge its boxes."""
    table: str = ""
    """The settings table that the candidate was loaded by, such as inference; none for an engine of the user's own."""

    def __repr__(self) -> str:
        """Return one line: every measure, box and parameter would fill pages."""
        return f"<Comparison {self.kind} of {self.image}: {self.status}>"

    def __bool__(self) -> bool:
        """Refuse: `assert compare(...)` would pass whatever was found."""
        __tracebackhide__ = True
        raise TypeError("a Comparison has no truth value: read its status, or use assert_same_...()")

    @property
    def is_match(self) -> bool:
        """Return whether nothing that decides was found."""
        return self.status in MATCHES

    @property
    def compared_nothing(self) -> bool:
        """Return whether it fails, and by nothing but that nothing was compared."""
        failing = [difference for difference in self.differences if difference.fails]
        is_measured = any(measure.fails for measure in self.measures)
        return bool(failing) and all(each.compared_nothing for each in failing) and not is_measured

    @property
    def has_no_text(self) -> bool:
        """Return whether it fails, as a page of which neither side finds or reads anything, and by nothing else."""
        failing = [difference for difference in self.differences if difference.fails]
        # An "empty" one says whether maps were compared, which then differ.
        is_empty = all(each.kind == "empty_page" or (each.kind == "empty" and not each.reference) for each in failing)
        return is_empty and self.compared_nothing and not self.boxes

    @property
    def is_missing(self) -> bool:
        """Return whether nothing was found but that a side did not record a stage."""
        failing = {difference.kind for difference in self.differences if difference.fails}
        return failing == {"not_recorded"} and not any(measure.fails for measure in self.measures)

    def measure(self, name: str) -> Measure | None:
        """Return the measure of that name, or None where it was not taken."""
        return next((measure for measure in self.measures if measure.name == name), None)

    def as_json(self) -> dict[str, Any]:
        """Return this comparison in plain JSON types."""
        result: dict[str, Any] = jsonable(self)
        return result


class DifferenceError(OcrParityError, AssertionError):
    """Two sides differ: `comparisons` holds what was measured, `diagnoses` the causes that experiments showed."""

    # The name by which users import it, and shorter in pytest's one-line summary.
    __module__ = "pytest_ocrparity"

    def __init__(
        self, message: str, comparisons: Sequence[Comparison] = (), diagnoses: Sequence[Diagnosis] = ()
    ) -> None:
        """Keep comparisons and diagnoses beside the message, for reports and tests."""
        super().__init__(message)
        self.comparisons, self.diagnoses = tuple(comparisons), tuple(diagnoses)
        self.heard_as: object = None
