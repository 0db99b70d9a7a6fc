"""Judges the accuracy of each candidate over a run, by what its tests counted against labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec import structs

from pytest_ocrparity.comparison import DIFFERENT, RECORDED
from pytest_ocrparity.diagnosis import UNKNOWN
from pytest_ocrparity.errors import LabelError
from pytest_ocrparity.evaluate.verdict import FAILED, UNDECIDED
from pytest_ocrparity.report.accuracy_record import AccuracyRecord, StoredCounts, judge_accuracy
from pytest_ocrparity.report.document import (
    Caught,
    Compared,
    Counted,
    Evaluated,
    Failed,
    LabelFault,
    Record,
    Used,
)
from pytest_ocrparity.report.table import PLAIN, Tally
from pytest_ocrparity.session.fixtures import OWN_IMAGE
from pytest_ocrparity.session.label_book import LEFT_OUT, NO_LABEL, NO_RESULT, OTHER_TASK
from pytest_ocrparity.session.worst import diagnosis_text
from pytest_ocrparity.stages import PRODUCTS, RECOGNITION
from pytest_ocrparity.wording import image_label, number_of_boxes, number_of_images

if TYPE_CHECKING:
    from pytest_ocrparity.evaluate.counts import ImageCounts
    from pytest_ocrparity.evaluate.labels import Labels
    from pytest_ocrparity.report.table import Sides
    from pytest_ocrparity.session.label_book import LabelBook
    from pytest_ocrparity.session.worst import Worst
    from pytest_ocrparity.settings import Settings
    from pytest_ocrparity.stages import TaskSides
    from pytest_ocrparity.tolerance import Limit, Value

MOST_NAMED: Final = 100
"""How many images that do not count a record names, by reason."""
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
        cls, settings: Settings, tally: Tally, labels: LabelBook, worst: Mapping[TaskSides, Worst], *, is_whole: bool
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
                left = _LeftOfPart.of(settings, part, tally)
                found._judge_part(part, left, tally, labels, worst, is_whole=is_whole)
        return found

    def _judge_part(
        self,
        part: Settings,
        left: _LeftOfPart,
        tally: Tally,
        book: LabelBook,
        worst: Mapping[TaskSides, Worst],
        *,
        is_whole: bool,
    ) -> None:
        faults = list(left.faults)
        labels = None
        try:
            labels = book.of(part) if left.groups or left.plain else None
        except LabelError as error:
            faults.append(str(error))
        if faults:
            self.nothing.append(f"{part.prefix}labels: {min(faults)}")  # of one for each process that saw it
            return
        if labels is None:
            return
        if (census := labels.census).invalid:
            first = image_label(dict(census.first)["invalid"])
            self.notes.append(
                f"{part.prefix}labels: {number_of_boxes(census.invalid)} with points that cross, or without area, left "
                f"out as by PaddleOCR, the first in {first}: order the points around each box"
            )
        is_counted = any(group.labelled for group in left.groups)
        missing = [
            (_nothing_counted(part, group, labels), is_whole and _ran_all(part, group.images))
            for group in left.groups
            if not group.labelled
        ]
        if left.plain and not left.groups:
            missing = [(_plain_text(part, left.plain), is_whole and len(left.plain) >= len(part.image_paths()))]
        for text, is_fault in missing:
            # Another pair of sides may be compared in part alone, beside one whose images count.
            (self.nothing if is_fault and not is_counted else self.notes).append(text)
        for group in left.groups:
            for limit, found in group.by_limit:
                counts = tuple(each.counts for each in found)
                record = AccuracyRecord(
                    reference=group.sides[0],
                    candidate=group.sides[1],
                    limit=limit,
                    result=judge_accuracy(counts, group.task, limit),
                    not_counted={name: count for name, count in group.not_counted(labels).items() if count},
                    named=group.named(labels),
                    otherwise=len(group.otherwise),
                    counts=StoredCounts(counts, partial(_whole_counts, tally, found)),
                )
                self.records.append(_with_cause(record, tally, worst))


def asserted_accuracy(tally: Tally, xfailed: Set[str] = frozenset()) -> list[AccuracyRecord]:
    """Return what tests judged by `assert_same_accuracy`, but for those that expect a difference, or are `xfailed`."""
    found = []
    for test, records in _of_unexpected_tests(tally).items():
        for place, each in enumerate(records):
            if isinstance(each, Evaluated) and test not in xfailed:
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

    @property
    def order(self) -> tuple[object, ...]:
        """By what it lost, then by its name, so that the order of tests decides nothing."""
        return self.counts.rank, self.counts.image


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
    """What the tests of a run compared between two sides. An image is known by its label, however tests name it."""

    task: str
    sides: Sides
    images: set[str] = field(default_factory=set)
    """As tests name them."""
    kinds: set[str] = field(default_factory=set)
    counted: dict[tuple[Value, str], _CountedPlace] = field(default_factory=dict)
    """By limit and image; of several that tests counted under one limit that which lost most."""
    names: dict[str, set[str]] = field(default_factory=dict)
    """How tests name each image that counts."""
    ranks: dict[str, tuple[object, ...]] = field(default_factory=dict)
    """What was counted first of each."""
    otherwise: set[str] = field(default_factory=set)
    """Those that tests counted differently."""
    why: dict[str, set[str]] = field(default_factory=dict)
    """Those that do not count, by reason."""

    def add(self, test: str, place: int, record: Counted) -> None:
        """Take what a test counted of an image, or why it did not."""
        image = record.label or record.image
        if record.counts is None:
            self.why.setdefault(record.why, set()).add(image)
            return
        found = _CountedPlace(test, place, record.limit, record.counts)
        self.names.setdefault(image, set()).add(record.image)
        if self.ranks.setdefault(image, record.counts.rank) != record.counts.rank:
            self.otherwise.add(image)
        before = self.counted.setdefault((record.limit.value, image), found)
        self.counted[record.limit.value, image] = max(before, found, key=lambda each: each.order)

    @property
    def labelled(self) -> set[str]:
        """The images that count."""
        return set(self.names)

    def not_counted(self, labels: Labels) -> dict[str, int]:
        """Return how many images and labels do not count, each by one reason; and how many names are given besides."""
        no_result = self.why.get(NO_RESULT, set()) - self.labelled
        return {
            "no_label": len(self.why.get(NO_LABEL, ())),
            "no_result": len(no_result),
            **labels.census.left_out,
            "not_compared": len(labels) - len(self.labelled | no_result),
            "repeated": sum(len(names) - 1 for names in self.names.values()),
        }

    def named(self, labels: Labels) -> dict[str, tuple[str, ...]]:
        """Return the first images that do not count, by reason."""
        no_result = self.why.get(NO_RESULT, set()) - self.labelled
        compared = self.labelled | no_result
        found = {
            "no_label": sorted(self.why.get(NO_LABEL, ())),
            "no_result": sorted(no_result),
            "missing": labels.missing,
            "not_compared": [image for image in labels.images if image not in compared],
        }
        return {name: tuple(map(image_label, images[:MOST_NAMED])) for name, images in found.items() if images}

    @property
    def by_limit(self) -> list[tuple[Limit, list[_CountedPlace]]]:
        """Each limit, with the counts of the images that it judges: whoever set its value, they are one sample."""
        values: dict[Value, list[_CountedPlace]] = {}
        for (value, _), each in sorted(self.counted.items(), key=lambda item: (item[1].counts.image, str(item[0][0]))):
            values.setdefault(value, []).append(each)
        return [
            # Where the user set a value that a preset has too, an undecided run fails.
            (min((each.limit for each in found), key=lambda limit: limit.is_preset), found)
            for found in values.values()
        ]


@dataclass
class _LeftOfPart:
    """What the tests of a run left that is of the labels of one task."""

    groups: list[_Group]
    faults: list[str]
    """Why labels could not be used when an image was to be counted."""
    plain: list[str]
    """The kinds of what tests of images compared that names none."""

    @classmethod
    def of(cls, settings: Settings, part: Settings, tally: Tally) -> _LeftOfPart:
        """Find it; the labels are those of a part of the settings."""

        def is_of_part(task: str) -> bool:
            return settings.of_task(task).prefix == part.prefix

        groups: dict[tuple[str, Sides], _Group] = {}
        plain: list[str] = []
        for test, records in _of_unexpected_tests(tally).items():
            counted = {(each.reference, each.candidate) for each in records if isinstance(each, Counted)}
            has_image = any(isinstance(each, Used) and each.fixture == OWN_IMAGE for each in records)
            for place, each in enumerate(records):
                if not isinstance(each, Compared | Counted):
                    continue
                compared = each.comparison if isinstance(each, Compared) else each
                if not is_of_part(compared.task):
                    continue
                sides = compared.reference, compared.candidate
                if sides == PLAIN and sides not in counted:  # traces may be called so
                    plain += [each.comparison.kind] if isinstance(each, Compared) and has_image else []
                elif getattr(compared, "status", "") != RECORDED:
                    group = groups.setdefault((compared.task, sides), _Group(compared.task, sides))
                    group.images.add(compared.image)
                    if isinstance(compared, Counted):
                        group.add(test, place, compared)
                    else:
                        group.kinds.add(compared.kind)
        faults = [each.text for each in tally.all(LabelFault) if is_of_part(each.task)]
        return cls(list(groups.values()), faults, plain)


def _ran_all(part: Settings, images: set[str]) -> bool:
    """Tell whether all images of the settings were compared: a run of some of them shows nothing of labels."""
    return "images" not in part.typed and all(image_label(str(path)) in images for path in part.image_paths())


def _plain_text(part: Settings, kinds: Sequence[str]) -> str:
    what, assertion = ("texts", "assert_same_text") if "text" in kinds else ("boxes", "assert_same_detections")
    return (
        f"{part.prefix}labels are set, and no image was counted: tests compare {what} by themselves, which name no "
        f"image: give {assertion} the traces that they are of"
    )


def _nothing_counted(part: Settings, group: _Group, labels: Labels) -> str:
    reference, candidate = group.sides
    head = f"{part.prefix}labels are set, and no image of {candidate} against {reference} was counted"
    what, assertion, other = (
        ("texts", "assert_same_text", "boxes")
        if group.task == RECOGNITION.name
        else ("boxes", "assert_same_detections", "texts")
    )
    if OTHER_TASK in group.why:
        return f"{head}: labels are of {other}, as the first of them shows, and tests compared {what}"
    if unknown := group.why.get(NO_LABEL):
        names = ", ".join(sorted(unknown)[:_NAMED])
        return (
            f"{head}: {number_of_images(len(unknown))} without a label ({names}), where labels are of "
            f"{image_label(labels.images[0])} and others: correct labels.data_dir, or the images"
        )
    names = ", ".join(sorted(group.images)[:_NAMED])
    if group.why.keys() == {LEFT_OUT}:
        return f"{head}: the labels of all that were compared are left out ({names})"
    if PRODUCTS.keys() & group.kinds:
        return f"{head}: a side returned no {what} ({names})"
    return f"{head}: no test compared {what}: use {assertion}"


def _with_cause(record: AccuracyRecord, tally: Tally, worst: Mapping[TaskSides, Worst]) -> AccuracyRecord:
    """Return a record with what experiments showed on the image that lost most, of those that they explain.

    Only where boxes or texts differ beyond their limits do experiments explain them. Where part of what an image shows
    is unknown, that part may be what it lost. What is not known is said as well.
    """
    losing = [each.image for each in record.changed if each.is_worse]
    if record.result.verdict not in (FAILED, UNDECIDED) or not losing:
        return record
    causes: dict[str, dict[str, None]] = {}
    product = next(kind for kind, task in PRODUCTS.items() if task.name == record.result.task)
    failed = [each for records in _of_unexpected_tests(tally).values() for each in records if isinstance(each, Failed)]
    for each in failed:
        explains = (each.reference, each.candidate) == record.sides and _has_other_product(each, product)
        for diagnosis in each.diagnoses if explains else ():
            causes.setdefault(each.image, {})[diagnosis_text(diagnosis)] = None
    found = worst.get((record.result.task, *record.sides))
    if found is not None and found.causes and product in found.kinds:
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


def _has_other_product(failed: Failed, product: str) -> bool:
    """Return whether a failure is of other boxes, or texts, or has them besides: not where a side has none."""
    others = {each.kind for each in failed.others if each.status == DIFFERENT and each.counts}
    return product in {failed.kind, *others}
