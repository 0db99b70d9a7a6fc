"""Judges the accuracy of each candidate over a run, by what its tests counted against labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec import structs

from pytest_ocrparity.comparison import RECORDED
from pytest_ocrparity.diagnosis import UNKNOWN
from pytest_ocrparity.errors import LabelError
from pytest_ocrparity.evaluate.verdict import FAILED, UNDECIDED
from pytest_ocrparity.report.accuracy_record import AccuracyRecord, StoredCounts, judge_accuracy
from pytest_ocrparity.report.document import Caught, Compared, Counted, Evaluated, Failed, Record
from pytest_ocrparity.report.table import PLAIN, Tally
from pytest_ocrparity.session.worst import diagnosis_text
from pytest_ocrparity.stages import PRODUCTS, RECOGNITION
from pytest_ocrparity.wording import image_label, number_of_images

if TYPE_CHECKING:
    from pytest_ocrparity.evaluate.counts import ImageCounts
    from pytest_ocrparity.evaluate.labels import Labels
    from pytest_ocrparity.session.label_book import LabelBook
    from pytest_ocrparity.session.worst import Sides, Worst
    from pytest_ocrparity.settings import Settings
    from pytest_ocrparity.tolerance import Limit, Value

_NAMED: Final = 3
"""How many images a sentence names."""


@dataclass(frozen=True)
class AccuracyOfRun:
    """What a run shows of accuracy: a record per candidate, why it fails without one, and what else is to be said."""

    records: list[AccuracyRecord] = field(default_factory=list)
    nothing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of(
        cls, settings: Settings, tally: Tally, labels: LabelBook, worst: Mapping[Sides, Worst], *, is_whole: bool
    ) -> AccuracyOfRun:
        """Judge what the tests of a run left.

        Args:
            settings: the run's.
            tally: what its tests left.
            labels: those of its images.
            worst: what was found on the worst image of two sides.
            is_whole: whether it came to its end.
        """
        found = cls()
        for part in settings.parts:
            if part.labels is not None:
                groups = [each for each in _groups(tally) if settings.of_task(each.task).prefix == part.prefix]
                found._judge_part(part, groups, tally, labels, worst, is_whole=is_whole)
        return found

    def _judge_part(
        self,
        part: Settings,
        groups: Sequence[_Group],
        tally: Tally,
        book: LabelBook,
        worst: Mapping[Sides, Worst],
        *,
        is_whole: bool,
    ) -> None:
        try:
            labels = book.of(part) if groups else None
        except LabelError as error:
            self.nothing.append(f"{part.prefix}labels: {error}")
            return
        if labels is None:
            return
        for group in groups:
            labelled = {image for (_, image), each in group.counted.items() if each is not None}
            if not labelled:
                text = _nothing_counted(part, group, labels)
                (self.nothing if is_whole and _ran_all(part, group) else self.notes).append(text)
                continue
            left = {
                "no_label": len(group.counted_images - labelled),
                "no_result": len(group.images - group.counted_images),
                **labels.census.left_out,
                "not_compared": len(labels) - len(labelled),
            }
            for limit, found in group.by_limit:
                counts = tuple(each.counts for each in found)
                record = AccuracyRecord(
                    reference=group.sides[0],
                    candidate=group.sides[1],
                    limit=limit,
                    result=judge_accuracy(counts, group.task, limit),
                    not_counted={name: count for name, count in left.items() if count},
                    counts=StoredCounts(counts, partial(_whole_counts, tally, found)),
                )
                self.records.append(_with_cause(record, tally, worst))


def asserted_accuracy(tally: Tally) -> list[AccuracyRecord]:
    """Return what tests judged by `assert_same_accuracy`, but for those that expect a difference."""
    found = []
    for test, records in _of_unexpected_tests(tally).items():
        for place, each in enumerate(records):
            if isinstance(each, Evaluated):
                whole = partial(_whole_asserted_counts, tally, test, place)
                found.append(structs.replace(each.accuracy, counts=StoredCounts(each.accuracy.counts, whole)))
    return found


def _of_unexpected_tests(tally: Tally) -> dict[str, list[Record]]:
    """Return what tests left, but for those that expect a difference: they are about another candidate."""
    return {
        test: records
        for test, records in tally.light.items()
        if not any(isinstance(each, Caught) and each.is_expected for each in records)
    }


class _CountedPlace(NamedTuple):
    """Where what a test counted of an image is among its records, and what of it is in memory."""

    test: str
    record: int
    limit: Limit
    counts: ImageCounts


def _whole_counts(tally: Tally, found: Sequence[_CountedPlace], place: int) -> ImageCounts:
    """Return counts with their changes."""
    record = tally.records[found[place].test][found[place].record]
    assert isinstance(record, Counted) and record.counts is not None
    return record.counts


def _whole_asserted_counts(tally: Tally, test: str, record: int, place: int) -> ImageCounts:
    """Return counts that a test asserted, with their changes."""
    found = tally.records[test][record]
    assert isinstance(found, Evaluated)
    return found.accuracy.counts[place]


@dataclass
class _Group:
    """What the tests of a run compared between two sides."""

    task: str
    sides: Sides
    images: set[str] = field(default_factory=set)
    kinds: set[str] = field(default_factory=set)
    counted: dict[tuple[Value, str], _CountedPlace | None] = field(default_factory=dict)
    """By limit and image, of which several tests may have compared it under one limit: the last; None: no label."""

    @property
    def counted_images(self) -> set[str]:
        """The images of which both sides returned something."""
        return {image for _, image in self.counted}

    @property
    def by_limit(self) -> list[tuple[Limit, list[_CountedPlace]]]:
        """Each limit, with the counts of the images that it judges: whoever set its value, they are one sample."""
        values: dict[Value, list[_CountedPlace]] = {}
        for (value, _), each in sorted(self.counted.items(), key=lambda item: (item[0][1], str(item[0][0]))):
            if each is not None:
                values.setdefault(value, []).append(each)
        return [
            # Where the user set a value that a preset has too, an undecided run fails.
            (min((each.limit for each in found), key=lambda limit: limit.is_preset), found)
            for found in values.values()
        ]


def _groups(tally: Tally) -> list[_Group]:
    """Return what was compared by task and sides."""
    groups: dict[tuple[str, Sides], _Group] = {}
    for test, records in _of_unexpected_tests(tally).items():
        for place, each in enumerate(records):
            compared = each.comparison if isinstance(each, Compared) else each if isinstance(each, Counted) else None
            if compared is None:
                continue
            sides = compared.reference, compared.candidate
            if sides == PLAIN or getattr(compared, "status", "") == RECORDED:
                continue
            group = groups.setdefault((compared.task, sides), _Group(compared.task, sides))
            group.images.add(compared.image)
            if isinstance(compared, Counted):
                limit, counts = compared.limit, compared.counts
                found = None if counts is None else _CountedPlace(test, place, limit, counts)
                group.counted[limit.value, compared.image] = found
            else:
                group.kinds.add(compared.kind)
    return list(groups.values())


def _ran_all(part: Settings, group: _Group) -> bool:
    """Tell whether all images of the settings were compared: a run of some of them shows nothing of labels."""
    return "images" not in part.typed and all(image_label(str(path)) in group.images for path in part.image_paths())


def _nothing_counted(part: Settings, group: _Group, labels: Labels) -> str:
    reference, candidate = group.sides
    head = f"{part.prefix}labels are set, and no image of {candidate} against {reference} was counted"
    names = ", ".join(sorted(group.images)[:_NAMED])
    if unknown := len(group.counted_images):
        return (
            f"{head}: {number_of_images(unknown)} without a label ({names}), where labels are of "
            f"{image_label(labels.images[0])} and others: correct labels.data_dir, or the images"
        )
    what, assertion = (
        ("texts", "assert_same_text") if group.task == RECOGNITION.name else ("boxes", "assert_same_detections")
    )
    if PRODUCTS.keys() & group.kinds:
        return f"{head}: a side returned no {what} ({names})"
    return f"{head}: no test compared {what}: use {assertion}"


def _with_cause(record: AccuracyRecord, tally: Tally, worst: Mapping[Sides, Worst]) -> AccuracyRecord:
    """Return a record with what experiments showed on the image that lost most, of those that they explain.

    Where part of what an image shows is unknown, that part may be what it lost. What is not known is said as well.
    """
    losing = [each.image for each in record.changed if each.is_worse]
    if record.result.verdict not in (FAILED, UNDECIDED) or not losing:
        return record
    causes: dict[str, dict[str, None]] = {}
    failed = [each for records in _of_unexpected_tests(tally).values() for each in records if isinstance(each, Failed)]
    for each in failed:
        for diagnosis in each.diagnoses if (each.reference, each.candidate) == record.sides else ():
            causes.setdefault(each.image, {})[diagnosis_text(diagnosis)] = None
    if (found := worst.get(record.sides)) is not None and found.causes:
        causes.setdefault(found.image, dict.fromkeys(found.causes))
    for image in losing:
        known = causes.get(image, {})
        if known and UNKNOWN not in known:
            more = "" if image == losing[0] else f"; {losing[0]} lost more, and its cause is not known"
            cause = f"{image}, which lost most of those with a cause: {'; '.join(known)}{more}"
            return structs.replace(record, cause=cause)
    tried = next((image for image in losing if image in causes), "")
    why = f"experiments on {tried} do not show it" if tried else "no experiment ran on an image that lost something"
    return structs.replace(record, cause=f"the cause is not known: {why}")
