"""Add up what a run compared, and print it as a table.

Works on the records that tests leave behind, so that it can run in another process than they did.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from sys import intern
from typing import Any, Final, TypeAlias, TypeVar

from msgspec.structs import replace

from pytest_ocrparity.comparison import LEAST, RECORDED, ROUGHLY, UNPAIRED, Measure
from pytest_ocrparity.report.accuracy_record import light_counts
from pytest_ocrparity.report.batch_lines import batch_lines
from pytest_ocrparity.report.document import (
    Batched,
    BatchLimit,
    Compared,
    Count,
    Counted,
    Evaluated,
    Failed,
    Golden,
    Loads,
    Record,
    RecordedComparison,
    Used,
    pack_document_part,
    unpack_document_part,
)
from pytest_ocrparity.stages import DETECTION, KINDS, PAGE, RECOGNITION, task_named
from pytest_ocrparity.tolerance import OFF, Limit, is_looser_tolerance
from pytest_ocrparity.wording import counted, number_of_edits

T = TypeVar("T", bound=Record)
Sides: TypeAlias = tuple[str, str]
PLAIN = ("reference", "candidate")
"""What sides are called that are no traces."""


@dataclass
class Tally:
    """The records of a run, by test; of comparisons what `comparison_for_table` keeps, as `placed` returns it."""

    records: Mapping[str, Sequence[Record]]
    placed: Callable[[str, RecordedComparison], RecordedComparison] = lambda test, comparison: comparison

    def all(self, sort: type[T]) -> list[T]:
        """Return the records of one sort, in the order of the tests."""
        return self._by_sort[sort]

    @cached_property
    def light(self) -> dict[str, list[Record]]:
        """The records by test, made light once: to unpack those of a large run takes seconds."""
        return {test: [self._light_record(test, each) for each in records] for test, records in self.records.items()}

    def _light_record(self, test: str, record: Record) -> Record:
        if isinstance(record, Compared):
            return replace(record, comparison=self.placed(test, comparison_for_table(record.comparison)))
        if isinstance(record, Failed):
            others = tuple(self.placed(test, comparison_for_table(each)) for each in record.others)
            return replace(record, message=_first_line(record.message), others=others)
        if isinstance(record, Counted) and record.counts is not None and record.counts.changes:
            return replace(record, counts=light_counts(record.counts))
        if isinstance(record, Evaluated):
            counts = tuple(map(light_counts, record.accuracy.counts))
            return replace(record, accuracy=replace(record.accuracy, counts=counts))
        return _kept_once(record) if isinstance(record, Used | Loads) else record

    @cached_property
    def _by_sort(self) -> dict[type, list[Any]]:
        found = defaultdict[type, list[Any]](list)
        for record in (each for records in self.light.values() for each in records):
            found[type(record)].append(record)
        return found

    @cached_property
    def compared(self) -> list[RecordedComparison]:
        """What assertions judged."""
        return [record.comparison for record in self.all(Compared)]

    def table(self, *, per_image: bool) -> list[str]:
        """Return the run's table as lines: one per sort of comparison, or one per image and sort."""
        lines = []
        for sides, task in dict.fromkeys((_sides_of(each), each.task) for each in self.compared):
            chosen = [each for each in self.compared if _sides_of(each) == sides and each.task == task]
            images = len({each.image for each in chosen})
            what = "line" if task == RECOGNITION.name else "image"
            lines.append(f"{sides[1]} against {sides[0]}: {counted(images, what)}")
            records = [each for each in self.all(Compared) if each.comparison.task == task]
            if all(each.has_same_files for each in records if _sides_of(each.comparison) == sides):
                lines.append("  both sides come from the same model files: only engine, options or versions can differ")
            for kind in KINDS:
                rows = [each for each in chosen if each.kind == kind]
                if rows:
                    lines.append(_table_row(kind.replace("_", " "), rows))
                if per_image:
                    width = max([_WIDTH, *(len(each.image) + 2 for each in rows)])
                    lines += [_table_row(f"  {each.image}", [each], width) for each in rows]
            lines += _roughly_judged(chosen)
            lines += self._never_compared(sides, chosen, task)
        return [*lines, *batch_lines(self.all(Batched), self.all(BatchLimit)), *self._golden_lines()]

    def loosened(self) -> list[str]:
        """Return a line that names the limits in force that may permit more than the fp32 preset, or nothing."""
        found: dict[str, dict[str, None]] = {}
        for each in self.compared:
            for name, limit in each.limits.items():
                if is_looser_tolerance(name, limit.value) and _is_judged_by(name, each):
                    found.setdefault(limit.origin, {})[f"{name} = {_limit_text(limit.value)}"] = None
        named = [f"{', '.join(limits)} ({origin})" for origin, limits in found.items()]
        return [f"limits that may permit more than the fp32 preset: {'; '.join(named)}"] if named else []

    def _never_compared(self, sides: Sides, chosen: Sequence[RecordedComparison], task: str) -> list[str]:
        """Return a line that names what no test compared of two sides, or nothing; plain polygons have no more."""
        others = [
            other
            for failure in self.all(Failed)
            if (failure.reference, failure.candidate) == sides
            for other in failure.others
            if other.task == task
        ]
        compared = {each.kind for each in (*chosen, *others)}
        kinds = (task_named(task) or DETECTION).kinds
        missing = [kind.replace("_", " ") for kind in kinds if kind not in compared]
        return [f"  never compared: {', '.join(missing)}"] if missing and sides != PLAIN else []

    def _golden_lines(self) -> list[str]:
        recorded = {record.image: record for record in self.all(Golden) if record.recorded}
        if not recorded:
            return []
        references = ", ".join(sorted({record.reference for record in recorded.values()}))
        lines = [f"{counted(len(recorded), 'baseline')} recorded from {references}"]
        if any(each.status == RECORDED for each in self.compared):
            lines.append("recorded, not compared: a side always equals its own baseline")
        lines += [f"  {image}: {record.drift}" for image, record in recorded.items() if record.drift]
        return lines


@lru_cache(maxsize=256)
def _kept_once(record: Used | Loads) -> Used | Loads:
    """Return the first record that equals this one: each test uses the same fixtures and models."""
    return record


def comparison_for_table(comparison: RecordedComparison) -> RecordedComparison:
    """Return what sums, lists and causes need of a comparison.

    No pictures, no boxes, of the parameters the box type, and of the message its first line.

    A run of ten thousand images keeps all of them, so that equal limits, counts, amounts and texts are kept once.
    """
    return replace(
        comparison,
        test=intern(comparison.test),
        file=intern(comparison.file),
        image=intern(comparison.image),
        reference=intern(comparison.reference),
        candidate=intern(comparison.candidate),
        kind=intern(comparison.kind),
        status=intern(comparison.status),
        headline=intern(comparison.headline),
        limits=_shared_limits(pack_document_part(comparison.limits)),
        measures=tuple(_light_measure(each) for each in comparison.measures if _is_summed(each)),
        counts=_shared_counts(tuple(comparison.counts.items())),
        parameters=tuple(each for each in comparison.parameters if each.name == "box_type"),
        boxes=(),
        texts=None,
        lines=(),
        of_detectors=(),
        pictures=(),
        message=_first_line(comparison.message),
    )


def _first_line(text: str) -> str:
    return text.partition("\n")[0]


def _is_summed(measure: Measure) -> bool:
    return measure.limit is not None or measure.name in SHOWN


@lru_cache(maxsize=1024)
def _light_measure(measure: Measure) -> Measure:
    return dataclasses.replace(measure, name=intern(measure.name), origin=intern(measure.origin), at=None)


@lru_cache(maxsize=64)
def _shared_limits(data: bytes) -> dict[str, Limit]:
    return unpack_document_part(data, dict[str, Limit])


@lru_cache(maxsize=1024)
def _shared_counts(counts: tuple[tuple[str, Count], ...]) -> dict[str, Count]:
    return {intern(name): count for name, count in counts}


def _sides_of(compared: RecordedComparison) -> Sides:
    return compared.reference, compared.candidate


def _is_judged_by(name: str, compared: RecordedComparison) -> bool:
    """Tell whether this limit takes part: `min_iou` widens nothing where quads are judged by their shift."""
    if name != "detections.min_iou" or compared.limits["detections.max_shift"].value == OFF:
        return True
    return any("poly" in (each.reference, each.candidate) for each in compared.parameters if each.name == "box_type")


def _limit_text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value).lower()


def _roughly_judged(compared: Sequence[RecordedComparison]) -> list[str]:
    """Return a line where scores were not judged exactly."""
    limits = {
        (measure.limit, why)
        for each in compared
        for measure in each.measures
        for why in (ROUGHLY, UNPAIRED)
        if measure.limit is not None and measure.origin.endswith(why)
    }
    return [f"  scores were judged within {limit:g} only{why}" for limit, why in sorted(limits)]


_WIDTH: Final = 32
"""Of the first column, at least."""


def _table_row(name: str, rows: Sequence[RecordedComparison], width: int = 0) -> str:
    """Return one line: how many of each status, the worst amount, and how much of the limit is left.

    A line of a single image is given the width of its column.
    """
    text = rows[0].status if width else table_status_counts(rows)
    return f"  {name:<{width or _WIDTH}} {text:<24} {table_amounts(rows)}".rstrip()


def table_status_counts(rows: Sequence[RecordedComparison]) -> str:
    """Return how many comparisons ended how, such as "1 different, 13 same"."""
    statuses = [each.status for each in rows]
    return ", ".join(f"{statuses.count(status)} {status}" for status in dict.fromkeys(sorted(statuses)))


SHOWN = {
    "preprocessing.atol": ("tensor", ""),
    "probability_maps.atol": ("map", ""),
    "detections.max_shift": ("shift", " map px"),
    "text.max_score_difference": ("score", ""),
}


def table_amounts(rows: Sequence[RecordedComparison]) -> str:
    """Return how many boxes or lines differ; where none does, the worst amount of the leading measure, its headroom."""
    if any(each.kind == PAGE for each in rows):
        same, whole = (sum(each.counts.get(name, 0) for each in rows) for name in ("same", "lines"))
        return f"{same} of {whole} texts are the same"
    different = sum(each.counts.get("different", 0) for each in rows)
    lines = sum(each.counts.get("lines", 0) for each in rows)
    if different and lines:
        edits, characters = (sum(each.counts.get(name, 0) for each in rows) for name in ("edits", "characters"))
        return f"{different} of {counted(lines, 'line')} read otherwise, {number_of_edits(edits, characters)}"
    if different:
        return f"{different} of {sum(each.counts.get('boxes', 0) for each in rows)} boxes differ"
    measures = [measure for each in rows for measure in each.measures if measure.name in SHOWN]
    text = []
    if measures:
        # The worst is the one that used most of its own limit, not the largest number. What stayed within a rule's
        # least is not as bad as what needed the rule's limit.
        judged = [each for each in measures if LEAST not in each.origin] or measures
        worst = max(judged, key=lambda each: (each.used, each.value))
        name, unit = SHOWN[worst.name]
        text.append(f"worst {name} {worst.value:.2g}")
        if worst.limit and LEAST in worst.origin:
            text[-1] += f", below {worst.limit:.2g}{unit}, the least that the automatic limit can be"
        elif worst.limit is not None and worst.used > 1:
            text.append(f"beyond {worst.limit:.2g}{unit}")
        elif worst.limit:
            text.append(f"of {worst.limit:.2g}{unit}, headroom {1 - worst.used:.0%}")
    borderline = sum(each.counts.get("borderline", 0) for each in rows)
    boxes = sum(each.counts.get("reference", 0) for each in rows)
    if lines:
        text.append(f"({counted(lines, 'line')}{f', {borderline} borderline' if borderline else ''})")
    elif boxes:
        text.append(f"({boxes} boxes{f', {borderline} borderline' if borderline else ''})")
    return " ".join(text)
