"""The accuracy of both sides in words and rows, for the terminal, the page and the summary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from pytest_ocrparity.evaluate.counts import ALARM_GONE, GAINED, NEW_ALARM, ImageCounts, LabelChange
from pytest_ocrparity.evaluate.verdict import FAILED, UNDECIDED
from pytest_ocrparity.report.accuracy_record import AccuracyRecord
from pytest_ocrparity.stages import RECOGNITION
from pytest_ocrparity.tolerance import ACCURACY, OFF
from pytest_ocrparity.wording import (
    counted,
    image_label,
    listed,
    number_of_boxes,
    number_of_images,
    percent_text,
    points_text,
    quoted,
)

_MOST: Final = 3
"""How many images a line names, and how many boxes of an image."""
_REASONS: Final = {
    "no_label": "without a label",
    "no_result": "of which a side returned nothing",
    "unlabelled": "that nobody labelled",
    "unconfirmed": "that PPOCRLabel does not list as confirmed",
    "not_compared": "with a label, which no test compared",
    "repeated": "under a second name, counted once",
}


class FigureRow(NamedTuple):
    """One figure of both sides, as shares; `interval` is that of the difference, where there is one."""

    key: str
    name: str
    reference: float
    candidate: float
    interval: tuple[float, float] | None = None

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """Return both figures in percent, their difference in points, and its interval."""
        difference = points_text(self.candidate - self.reference)
        return percent_text(self.reference), percent_text(self.candidate), difference, self.interval_text

    @property
    def interval_text(self) -> str:
        """Return the interval in points, or nothing."""
        return "" if self.interval is None else " to ".join(map(points_text, self.interval))


def accuracy_figure_rows(record: AccuracyRecord) -> list[FigureRow]:
    """Return the figures of a record in the order in which they are shown; the judged one has the interval."""
    one, two, result = record.result.reference, record.result.candidate, record.result
    judged = result.interval.low, result.interval.high
    if result.task != RECOGNITION.name:
        return [
            FigureRow("precision", "precision", one.precision, two.precision),
            FigureRow("recall", "recall", one.recall, two.recall),
            FigureRow("hmean", "hmean", one.hmean, two.hmean, judged),
            FigureRow("in_order", "hmean of PaddleOCR's evaluator", one.in_order, two.in_order),
        ]
    others = [
        ("spaceless", "accuracy without spaces", one.spaceless, two.spaceless),
        ("similarity", "1 - edit distance", one.similarity, two.similarity),
        ("spaceless_similarity", "1 - edit distance, no spaces", one.spaceless_similarity, two.spaceless_similarity),
    ]
    rows = [
        FigureRow(key, name, reference, candidate)
        for key, name, reference, candidate in others
        if reference is not None and candidate is not None
    ]
    return [FigureRow("accuracy", "accuracy", one.hmean, two.hmean, judged), *rows]


class AccuracyName(NamedTuple):
    """What tells a record from others of the same two sides; nothing of what all of them share."""

    task: str = ""
    test: str = ""
    limit: str = ""
    number: str = ""

    @property
    def words(self) -> str:
        """Return it as a title has it: the task shows in what a title counts."""
        test = f" in {self.test}" if self.test else ""
        limit = f" under max_drop {self.limit}" if self.limit else ""
        return f"{test}{limit}{f', number {self.number}' if self.number else ''}"

    @property
    def key(self) -> str:
        """Return it as the name of a property has it."""
        limit = f"max_drop={self.limit}" if self.limit else ""
        parts = ",".join(filter(None, (self.task, self.test, limit, self.number)))
        return f"[{parts}]" if parts else ""


def accuracy_names(records: Sequence[AccuracyRecord]) -> list[AccuracyName]:
    """Return the names of records, no two of which are the same of the same two sides."""
    names = []
    for place, record in enumerate(records):
        of_sides = [each for each in records if each.sides == record.sides]
        of_test = [each for each in of_sides if (each.result.task, each.test) == (record.result.task, record.test)]
        of_limit = [each for each in of_test if each.limit.value == record.limit.value]
        before = [each for each in records[:place] if any(each is other for other in of_limit)]
        names.append(
            AccuracyName(
                task=record.result.task if len({each.result.task for each in of_sides}) > 1 else "",
                test=record.test,
                limit=_limit_value(record) if len({each.limit.value for each in of_test}) > 1 else "",
                number=str(len(before) + 1) if len(of_limit) > 1 else "",
            )
        )
    return names


def _limit_value(record: AccuracyRecord) -> str:
    return OFF if record.limit.value == OFF else f"{float(record.limit.value):g}"


def accuracy_lines(records: Sequence[AccuracyRecord]) -> list[str]:
    """Return what the terminal prints of each candidate with labels."""
    titles = accuracy_titles(records)
    return [line for title, record in zip(titles, records, strict=True) for line in (title, *_lines(record))]


def _lines(record: AccuracyRecord) -> list[str]:
    rows = [("", record.reference, record.candidate, "difference", "95 %")]
    rows += [(row.name, *row.cells) for row in accuracy_figure_rows(record)]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    table = ["  ".join([f"  {row[0]:<{widths[0]}}", *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows]
    return [*table, *(f"  {line}" for line in accuracy_notes(record, has_boxes=True))]


def accuracy_titles(records: Sequence[AccuracyRecord]) -> list[str]:
    """Return for each record what was compared with how many labels; no two titles are the same."""
    return [_title(record, name.words) for record, name in zip(records, accuracy_names(records), strict=True)]


def _title(record: AccuracyRecord, words: str) -> str:
    result = record.result
    truth = sum(each.reference.truth for each in record.light)
    count = (
        f"{counted(truth, 'line')} with a label"
        if result.task == RECOGNITION.name
        else f"{number_of_images(result.images)} with labels, {number_of_boxes(truth)}"
    )
    documents = f", {counted(result.units, 'document')}" if result.units != result.images else ""
    return f"accuracy of {record.candidate} against {record.reference}{words}: {count}{documents}"


def accuracy_notes(record: AccuracyRecord, *, has_boxes: bool = False) -> list[str]:
    """Return the verdict and what else is to be known, a line each.

    `has_boxes` adds which boxes or lines the images that lost most have lost and gained, where that may be a fault.
    """
    alarms, result = record.result.false_alarms, record.result
    blank = sum(each.is_blank for each in record.light)
    changed = record.changed
    lost = [each for each in changed if each.lost]
    gained = sorted((each for each in changed if each.gained), key=lambda each: (-len(each.gained), each.image))
    changes = [
        f"{word} on {listed([_change_text(each, places) for each, places in found], _MOST)}"
        for word, found in (
            ("lost", [(each, each.lost) for each in lost]),
            ("gained", [(each, each.gained) for each in gained]),
        )
        if found
    ]
    found = [f"{result.verdict}: {result.text}{_limit_text(record)}", *changes]
    if has_boxes and result.verdict in (FAILED, UNDECIDED):
        worst = (record.counts[place] for place in record.changed_places[:_MOST])
        found += [f"  {each.image}: {accuracy_changes_text(each, *record.sides)}" for each in worst if each.is_worse]
    if record.cause:
        found.append(record.cause)
    if blank:
        what = f"{counted(blank, 'blank page')}"
        found.append(f"false alarms on {what}: {alarms[0]} in {record.reference}, {alarms[1]} in {record.candidate}")
    if record.otherwise:
        found.append(
            f"WARNING: tests counted {number_of_images(record.otherwise)} differently, as where two models have one "
            "name; what lost most counts"
        )
    if outside := outside_boxes_text(record.light):
        found.append(f"WARNING: {outside}")
    if left := accuracy_not_counted_text(record):
        found.append(f"not counted: {left}")
    return found


def accuracy_changes_text(counts: ImageCounts, reference: str, candidate: str) -> str:
    """Return a few of the boxes or lines that an image lost and gained, in words."""
    texts = [label_change_text(each, reference, candidate) for each in counts.changes]
    return listed(texts, _MOST)


def label_change_text(change: LabelChange, reference: str, candidate: str) -> str:
    """Return a box or a line that is lost or gained in words, with its text and its place."""
    if change.read is not None:
        reader = reference if change.kind == GAINED else candidate
        return f"{change.kind} {quoted(change.text)}, which {reader} reads as {quoted(change.read)}"
    place = "" if change.at is None else f" at x={change.at[0]:.0f} y={change.at[1]:.0f}"
    if change.kind in (NEW_ALARM, ALARM_GONE):
        return f"{change.kind}{place} (box {change.index} of {candidate if change.kind == NEW_ALARM else reference})"
    return f"{change.kind} box {change.index}{f' {quoted(change.text)}' if change.text else ''}{place}"


def outside_boxes_text(counts: Sequence[ImageCounts]) -> str:
    """Return which boxes of labels lie outside of their images, in words, or nothing."""
    found = [(each.image, each.outside) for each in counts if each.outside is not None]
    if not found:
        return ""
    boxes = sum(len(outside.boxes) for _, outside in found)
    image, first = found[0]
    where = f"{image_label(first.where)}: " if first.where else ""
    named = ", ".join(map(str, first.boxes[:_MOST])) + (", ..." if len(first.boxes) > _MOST else "")
    size = "{} x {} px".format(*first.size)
    turned = " (none would with width and height exchanged)" if first.is_turned else ""
    more = f" and {len(found) - 1} more" if found[1:] else ""
    return (
        f"{number_of_boxes(boxes)} of the labels of {number_of_images(len(found))} {'lies' if boxes == 1 else 'lie'} "
        f"outside of the image, where nothing can match: {where}box {named} of {image}, which is {size}{turned}"
        f"{more}; labels are in pixels of the image as cv2 reads it, turned as its EXIF tag says"
    )


def _limit_text(record: AccuracyRecord) -> str:
    if record.limit.value == OFF:
        return ""
    return f" (limit {_limit_value(record)}, {ACCURACY}, {record.limit.origin})"


def _change_text(counts: ImageCounts, places: Sequence[int]) -> str:
    return counts.image if len(places) == 1 else f"{counts.image} ({len(places)})"


def accuracy_not_counted_text(record: AccuracyRecord) -> str:
    """Return which images and labels do not count, in words, or nothing."""
    left = {name: count for name, count in record.not_counted.items() if count}
    missing = left.pop("missing", 0)
    texts = {name: f"{number_of_images(count)} {_REASONS.get(name, name)}" for name, count in left.items()}
    if missing:
        texts["missing"] = f"{counted(missing, 'label')} without an image"
    if unseen := len(record.light) - record.result.images:
        texts["unseen"] = f"{number_of_images(unseen)} on which all boxes are don't care or invalid"
    named = {name: record.named.get(name, ()) for name in texts}
    count = {**record.not_counted, "unseen": unseen}
    return ", ".join(
        f"{text} ({', '.join(named[name][:_MOST])}{', ...' * (count[name] > _MOST)})" if named[name] else text
        for name, text in texts.items()
    )
