"""The metrics of a test, made of its records where they arrive: properties that JUnit and other reporters write."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pytest_ocrparity.evaluate.counts import ImageCounts
    from pytest_ocrparity.report.accuracy_record import AccuracyRecord
    from pytest_ocrparity.report.document import Record, RecordedComparison

PREFIX: Final = "ocr."
"""What the names of metrics begin with."""
_COUNTED: Final = ("boxes", "different", "borderline")
_WORST_FIRST: Final = (
    *("different", "not comparable", "not judgeable"),
    *("left to the run", "recorded", "empty", "empty, as allowed", "same"),
)


def metric_properties(records: Sequence[Record]) -> list[tuple[str, object]]:
    """Return a test's metrics by name: of several comparisons of a kind the worst, each stage and each cause once."""
    from pytest_ocrparity.report.document import Compared, Counted, Failed

    measured: dict[str, object] = {}
    counted: dict[tuple[str, str], dict[str, ImageCounts]] = {}
    stages: dict[tuple[str, ...], str] = {}
    failed: dict[tuple[str, object], None] = {}
    for record in records:
        if isinstance(record, Compared):
            stages[record.comparison.key] = record.comparison.stage or ""
            for name, value in _metrics(record.comparison).items():
                measured[name] = _worse(measured.get(name, value), value, name)
        elif isinstance(record, Counted) and record.counts is not None:
            images = counted.setdefault((record.candidate, record.reference), {})
            key = record.label or record.image
            images[key] = max(images.get(key, record.counts), record.counts, key=lambda each: each.rank)
        elif isinstance(record, Failed):
            failed["stage", stages.get(record.key, "")] = None
            failed |= {("cause", diagnosis.cause): None for diagnosis in record.diagnoses}
    is_alone = len(counted) == 1
    sums = [pair for sides, images in counted.items() for pair in _counts(() if is_alone else sides, images)]
    return [(f"{PREFIX}{name}", value) for name, value in (*measured.items(), *sums, *failed)]


def _counts(sides: Sequence[str], images: Mapping[str, ImageCounts]) -> list[tuple[str, int]]:
    """Return what images count against their labels, in sums; `sides` are named where a test compares others too."""
    head = ".".join(("accuracy", *sides))
    found: Counter[str] = Counter()
    for counts in images.values():
        found["truth"] += counts.reference.truth
        for name, each in (("reference", counts.reference), ("candidate", counts.candidate)):
            found[f"{name}.matched"] += each.matched
            found[f"{name}.found"] += each.found
    return [(f"{head}.{name}", count) for name, count in found.items()]


def accuracy_properties(records: Sequence[AccuracyRecord]) -> list[tuple[str, object]]:
    """Return the accuracy of each candidate as properties of the whole run."""
    from pytest_ocrparity.report.accuracy_lines import accuracy_figure_rows, accuracy_names

    found: list[tuple[str, object]] = []
    for record, name in zip(records, accuracy_names(records), strict=True):
        result, head = record.result, f"{PREFIX}accuracy.{record.candidate}.{record.reference}{name.key}"
        found += [(f"{head}.verdict", result.verdict), (f"{head}.images", result.images)]
        for row in accuracy_figure_rows(record):
            key = f"{head}.{row.key}"
            found += [(f"{key}.reference", row.reference), (f"{key}.candidate", row.candidate)]
            if row.interval is not None:
                found += [(f"{key}.difference", result.difference)]
                found += [(f"{key}.low", row.interval[0]), (f"{key}.high", row.interval[1])]
    return found


def _metrics(comparison: RecordedComparison) -> dict[str, Any]:
    """Return a comparison's metrics by name, such as `probability_maps.largest`.

    `status`, every measured amount, and of the boxes how many were compared, differ and are borderline.
    """
    kind, counts = comparison.kind, comparison.counts
    found: dict[str, Any] = {f"{kind}.status": comparison.status}
    for measure in comparison.measures:
        found[measure.name if "." in measure.name else f"{kind}.{measure.name}"] = measure.value
    return found | {f"{kind}.{name}": counts[name] for name in _COUNTED if name in counts}


def _worse(one: Any, two: Any, name: str) -> Any:
    """Return the worse of two values of a metric: the smaller IoU, the larger of all else, NaN before any number."""
    if isinstance(one, str):
        ranked: Iterable[str] = (status for status in _WORST_FIRST if status in (one, two))
        return next(iter(ranked), one)
    if math.isnan(one) or math.isnan(two):
        return math.nan
    return min(one, two) if name.endswith("min_iou") else max(one, two)


def add_metrics_to_junit(config: Any, properties: Iterable[tuple[str, object]]) -> None:
    """Write properties of a run where pytest writes JUnit XML, as its fixture `record_testsuite_property` does."""
    for plugin in config.pluginmanager.get_plugins():
        if callable(add := getattr(plugin, "add_global_property", None)):
            for name, value in properties:
                add(name, value)
