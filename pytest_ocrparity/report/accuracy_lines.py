"""The accuracy of both sides in words and rows, for the terminal, the page and the summary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from pytest_ocrparity.evaluate.counts import ImageCounts
from pytest_ocrparity.report.accuracy_record import AccuracyRecord
from pytest_ocrparity.stages import RECOGNITION
from pytest_ocrparity.tolerance import ACCURACY, OFF
from pytest_ocrparity.wording import number_of_boxes, number_of_images, percent_text, points_text

_MOST: Final = 3
"""How many images a line names."""
_REASONS: Final = {
    "no_label": "without a label",
    "no_result": "of which a side returned nothing",
    "unlabelled": "that nobody labelled",
    "unconfirmed": "that PPOCRLabel does not list as confirmed",
    "not_compared": "with a label, which no test compared",
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


def accuracy_lines(records: Sequence[AccuracyRecord]) -> list[str]:
    """Return what the terminal prints of each candidate with labels."""
    return [line for record in records for line in _lines(record)]


def _lines(record: AccuracyRecord) -> list[str]:
    rows = [("", record.reference, record.candidate, "difference", "95 %")]
    rows += [(row.name, *row.cells) for row in accuracy_figure_rows(record)]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    table = ["  ".join([f"  {row[0]:<{widths[0]}}", *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows]
    return [accuracy_title(record), *table, *(f"  {line}" for line in accuracy_notes(record))]


def accuracy_title(record: AccuracyRecord) -> str:
    """Return what was compared with how many labels."""
    result = record.result
    truth = sum(each.reference.truth for each in record.counts)
    counted = (
        f"{truth} line{'s' * (truth != 1)} with a label"
        if result.task == RECOGNITION.name
        else f"{number_of_images(result.images)} with labels, {number_of_boxes(truth)}"
    )
    documents = f", {result.units} documents" if result.units != result.images else ""
    return f"accuracy of {record.candidate} against {record.reference}: {counted}{documents}"


def accuracy_notes(record: AccuracyRecord) -> list[str]:
    """Return the verdict and what else is to be known, a line each."""
    alarms, result = record.result.false_alarms, record.result
    blank = sum(each.is_blank for each in record.counts)
    lost = [each for each in record.changed if each.lost]
    gained = sorted((each for each in record.changed if each.gained), key=lambda each: (-len(each.gained), each.image))
    changes = [
        f"{word} on {', '.join(_change_text(each, places) for each, places in found[:_MOST])}{_more(found)}"
        for word, found in (
            ("lost", [(each, each.lost) for each in lost]),
            ("gained", [(each, each.gained) for each in gained]),
        )
        if found
    ]
    found = [f"{result.verdict}: {result.text}{_limit_text(record)}", *changes]
    if record.cause:
        found.append(record.cause)
    if blank:
        what = f"{blank} blank page{'s' * (blank != 1)}"
        found.append(f"false alarms on {what}: {alarms[0]} in {record.reference}, {alarms[1]} in {record.candidate}")
    if left := accuracy_not_counted_text(record):
        found.append(f"not counted: {left}")
    return found


def _limit_text(record: AccuracyRecord) -> str:
    if record.limit.value == OFF:
        return ""
    return f" (limit {float(record.limit.value):g}, {ACCURACY}, {record.limit.origin})"


def _change_text(counts: ImageCounts, places: Sequence[int]) -> str:
    return counts.image if len(places) == 1 else f"{counts.image} ({len(places)})"


def _more(found: Sequence[object]) -> str:
    return f" and {len(found) - _MOST} more" if len(found) > _MOST else ""


def accuracy_not_counted_text(record: AccuracyRecord) -> str:
    """Return which images and labels do not count, in words, or nothing."""
    left = {name: count for name, count in record.not_counted.items() if count}
    missing = left.pop("missing", 0)
    texts = [f"{number_of_images(count)} {_REASONS.get(name, name)}" for name, count in left.items()]
    texts += [f"{missing} label{'s' * (missing != 1)} without an image"] if missing else []
    return ", ".join(texts)
