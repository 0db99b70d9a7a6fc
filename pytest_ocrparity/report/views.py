"""A document in the groups in which people read it: by image, by pair of sides, by cause. Made once for all outputs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_ocrparity.comparison import LEAST, MATCHES, NOT_JUDGEABLE, Measure
from pytest_ocrparity.diagnosis import UNKNOWN, Diagnosis
from pytest_ocrparity.report.document import RecordedComparison, Results
from pytest_ocrparity.report.history import Plot
from pytest_ocrparity.report.permalinks import image_anchor, stage_anchor
from pytest_ocrparity.report.table import SHOWN, Sides, comparison_for_table
from pytest_ocrparity.stages import KINDS, TASKS, first_stage

RANKS = ("failed", "not judgeable", "left to the run", "recorded", "same", "empty, as allowed", "empty")
"""What a pair or an image can be, the worst first."""


@dataclass(slots=True)
class Pair:
    """The comparisons of one image between two sides, in the order of the data flow, each kind once."""

    reference: str
    candidate: str
    comparisons: list[RecordedComparison] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    """The place of each in the document, whose comparison is whole; these are light."""

    @property
    def failing(self) -> list[RecordedComparison]:
        """Those that differ."""
        return [each for each in self.comparisons if each.status not in MATCHES]

    @property
    def status(self) -> str:
        """Return "failed", or the one word that holds for what matches."""
        if self.failing:
            return NOT_JUDGEABLE if all(each.status == NOT_JUDGEABLE for each in self.failing) else "failed"
        statuses = {each.status for each in self.comparisons}
        return next(
            (word for word in ("recorded", "left to the run", "empty", "empty, as allowed") if word in statuses), "same"
        )

    @property
    def stage(self) -> str | None:
        """The first differing stage."""
        return first_stage({each.stage for each in self.failing if each.stage})

    @property
    def rank(self) -> int:
        """Its place among the pairs of an image: the failed ones come first."""
        return RANKS.index(self.status)

    @property
    def headline(self) -> str:
        """One line on what is wrong: the known causes, else the first difference."""
        known = [diagnosis for each in self.failing for diagnosis in each.diagnoses if diagnosis.cause != UNKNOWN]
        summaries = dict.fromkeys(f"{diagnosis.stage}: {diagnosis.summary}" for diagnosis in known)
        return "; ".join(summaries) or next((each.headline for each in self.failing), "")

    @property
    def margin(self) -> float:
        """The least headroom of its amounts, 0 to 1; what is left of the limit that is used most."""
        return min((_share_left(measure) for each in self.comparisons for measure in each.measures), default=1.0)

    @property
    def used(self) -> float | None:
        """The largest leading amount in terms of its limit, from 0 up; None where none has a limit."""
        shares = [
            measure.used
            for each in self.comparisons
            for measure in each.measures
            if measure.name in SHOWN and measure.limit is not None
        ]
        return max(shares, default=None)

    @property
    def different(self) -> int:
        """How many boxes, or lines, differ."""
        return sum(each.counts.get("different", 0) for each in self.failing)

    @property
    def causes(self) -> list[str]:
        """The codes of what diagnoses say, each once."""
        return list(dict.fromkeys(found.cause for each in self.failing for found in each.diagnoses))


@dataclass(slots=True)
class Group:
    """All pairs of one image."""

    image: str
    number: int
    pairs: list[Pair] = field(default_factory=list)

    @property
    def status(self) -> str:
        """The worst of its pairs."""
        return min((pair.status for pair in self.pairs), key=RANKS.index)

    def pair(self, sides: Sides) -> Pair | None:
        """Return the pair of these two sides, or None where they were not compared on this image."""
        return next((pair for pair in self.pairs if (pair.reference, pair.candidate) == sides), None)

    @property
    def used(self) -> float | None:
        """The largest amount of its pairs in terms of its limit; None where nothing has a limit."""
        return max((pair.used for pair in self.pairs if pair.used is not None), default=None)

    @property
    def anchor(self) -> str:
        """The fragment of the page that shows it."""
        return image_anchor(self.image)

    def stage_anchor(self, pair: Pair, stage: str, order: Sequence[Sides]) -> str:
        """Return the fragment of a stage of a pair; that of the first pair in the order of the run is the shortest."""
        is_first = next(filter(None, map(self.pair, order)), None) is pair
        return stage_anchor(self.image, stage, None if is_first else (pair.reference, pair.candidate))


def _image_groups(comparisons: Iterable[RecordedComparison]) -> list[Group]:
    """Return the images, the worst first: most comparisons that differ, then most boxes, then the least headroom."""
    groups: dict[str, Group] = {}
    ordered = sorted(enumerate(comparisons), key=lambda placed: (_kind_order(placed[1].kind), not placed[1].judged))
    for place, each in ordered:
        group = groups.setdefault(each.image, Group(each.image, len(groups) + 1))
        pair = group.pair((each.reference, each.candidate))
        if pair is None:
            pair = Pair(each.reference, each.candidate)
            group.pairs.append(pair)
        _keep_worse(pair, each, place)
    return sorted(
        groups.values(),
        key=lambda group: (
            RANKS.index(group.status),
            -sum(len(pair.failing) for pair in group.pairs),
            -sum(each.counts.get("different", 0) for pair in group.pairs for each in pair.failing),
            min(pair.margin for pair in group.pairs),
            group.image,
        ),
    )


def _kind_order(kind: str) -> int:
    """Return where a kind stands in the data flow; one of a newer version comes last."""
    return KINDS.index(kind) if kind in KINDS else len(KINDS)


def _keep_worse(pair: Pair, comparison: RecordedComparison, place: int) -> None:
    """Add a comparison to a pair. Of several of one kind, which several tests made, keep one that fails."""
    for index, other in enumerate(pair.comparisons):
        if other.kind == comparison.kind:
            if other.status in MATCHES and comparison.status not in MATCHES:
                pair.comparisons[index], pair.places[index] = comparison, place
            return
    pair.comparisons.append(comparison)
    pair.places.append(place)


def _pairs_of_sides(comparisons: Iterable[RecordedComparison]) -> list[Sides]:
    """Return the pairs of sides, reference and candidate, in the order in which they were compared."""
    return list(dict.fromkeys((each.reference, each.candidate) for each in comparisons))


@dataclass(slots=True)
class Cause:
    """One cause with all images that show it; `diagnosis` is that of the first."""

    reference: str
    candidate: str
    diagnosis: Diagnosis
    comparisons: list[RecordedComparison] = field(default_factory=list)

    @property
    def images(self) -> list[str]:
        """The images, each once."""
        return list(dict.fromkeys(each.image for each in self.comparisons))


def causes_of(comparisons: Iterable[RecordedComparison]) -> list[Cause]:
    """Return the diagnoses of failed comparisons, those of most images first; a failure without any by its headline."""
    found: dict[tuple[Any, ...], Cause] = {}
    for each in comparisons:
        if each.status in MATCHES or not each.judged or each.outcome == "passed":
            continue
        word = NOT_JUDGEABLE if each.status == NOT_JUDGEABLE else "not diagnosed"
        undiagnosed = Diagnosis(stage=each.stage or "no stage", cause=word, summary=each.headline)
        for diagnosis in each.diagnoses or [undiagnosed]:
            what = diagnosis.fix.text if diagnosis.fix else _error_text(each) or (each.stage, *_nothing_compared(each))
            key = each.reference, each.candidate, diagnosis.stage, diagnosis.cause, what
            cause = found.setdefault(key, Cause(each.reference, each.candidate, diagnosis))
            cause.comparisons.append(each)
    return sorted(found.values(), key=lambda cause: -len(cause.images))


def _error_text(comparison: RecordedComparison) -> str:
    """Return what stopped a side, as two errors at one stage are two causes; nothing where both went on."""
    stopped = any(difference.kind == "stopped" and difference.fails for difference in comparison.differences)
    return comparison.headline if stopped else ""


def _nothing_compared(comparison: RecordedComparison) -> list[str]:
    """Return the kinds by which nothing was compared at a stage: another cause than what was found in others."""
    return sorted({each.kind for each in comparison.differences if each.fails and each.compared_nothing})


def errors_in_view(comparisons: Iterable[RecordedComparison]) -> list[Cause]:
    """Return the causes without what a test marked xfail shows, which is no error of the run."""
    return causes_of(each for each in comparisons if each.outcome != "skipped")


@dataclass(slots=True)
class Headroom:
    """How much of the limit is left in the worst place, for one kind of comparison between two sides that matches."""

    sides: Sides
    task: str
    kind: str
    measure: Measure
    image: str

    @property
    def left(self) -> float:
        """The share of the limit that is left, 0 to 1."""
        return _share_left(self.measure)

    @property
    def is_least(self) -> bool:
        """Return whether the limit is only a rule's least; then more headroom may be left than is shown."""
        return LEAST in self.measure.origin


def _headroom_of_passed(comparisons: Sequence[RecordedComparison]) -> list[Headroom]:
    """Return the headroom of what passed, by pair of sides, task and kind."""
    found = []
    for sides in _pairs_of_sides(comparisons):
        for name, kind in ((task.name, kind) for task in TASKS for kind in task.kinds):
            measured = (
                Headroom(sides, name, kind, measure, each.image)
                for each in comparisons
                if (each.reference, each.candidate, each.kind) == (*sides, kind)
                if each.task == name and each.status in MATCHES
                for measure in each.measures
                if measure.name in SHOWN and measure.limit is not None
            )
            worst = min(measured, key=lambda each: (each.is_least, each.left), default=None)
            found += [] if worst is None else [worst]
    return found


def _share_left(measure: Measure) -> float:
    """Return which share of a limit is left; 1 where there is none, 0 where it is used up."""
    return max(0.0, 1 - measure.used)


@dataclass(frozen=True, slots=True)
class View:
    """A document as the page, the Markdown summary and the annotations show it.

    `compared` and the groups hold light comparisons: see `table.comparison_for_table`.
    """

    results: Results
    compared: list[RecordedComparison]
    images: list[Group]
    sides: list[Sides]
    causes: list[Cause]
    errors: list[Cause]
    headroom: list[Headroom]
    plots: Sequence[Plot] = ()
    """How accuracies go over earlier runs and this one."""

    @property
    def anchors(self) -> dict[str, str]:
        """The fragment of the page for each image."""
        return {group.image: group.anchor for group in self.images}

    @classmethod
    def of(cls, results: Results, found: list[RecordedComparison] | None = None) -> View:
        """Return the groups of a document, whose light comparisons are made here where they are not at hand."""
        found = [comparison_for_table(each) for each in results.comparisons] if found is None else found
        return cls(
            results,
            found,
            _image_groups(found),
            _pairs_of_sides(found),
            causes_of(found),
            errors_in_view(found),
            _headroom_of_passed(found),
        )

    def whole(self, pair: Pair) -> list[RecordedComparison]:
        """Return the comparisons of a pair with all that the document holds of them."""
        return [self.results.comparisons[place] for place in pair.places]
