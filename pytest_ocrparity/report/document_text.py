"""Writes `results.json` record by record: no run's document is in memory as a whole."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from pytest_ocrparity.report.accuracy_record import AccuracyRecord
from pytest_ocrparity.report.document import RecordedComparison, Results, non_finite_in_document
from pytest_ocrparity.stages import DETECTION, PAGE


def as_text(results: Results) -> str:
    """Return the document as it is written."""
    return "".join(report_document_parts(results))


def report_document_parts(results: Results, comparisons: Iterable[RecordedComparison] | None = None) -> Iterator[str]:
    """Yield the document as it is written, record by record: no run's document is in memory as a whole.

    `comparisons` are its own, for who sees them pass by.
    """
    whole = _as_json(msgspec.structs.replace(results, comparisons=(), accuracy=()))
    before, between = _around_list(whole, "comparisons")
    between, after = _around_list(between, "accuracy")
    yield before
    yield from _list_parts([_as_line(each)] for each in (results.comparisons if comparisons is None else comparisons))
    yield between
    yield from _list_parts(map(_accuracy_parts, results.accuracy))
    yield f"{after}\n"


def _accuracy_parts(record: AccuracyRecord) -> Iterator[str]:
    before, after = _around_list(_as_json(msgspec.structs.replace(record, counts=())), "counts")
    yield before
    yield from _list_parts([_as_json(each)] for each in record.counts)
    yield after


def _around_list(text: str, key: str) -> tuple[str, str]:
    """Return what stands before and after an empty list: texts have no line breaks, as JSON escapes them."""
    before, empty, after = text.partition(f'\n "{key}": []')
    return f"{before}{empty[:-2]}", after


def _list_parts(items: Iterable[Iterable[str]]) -> Iterator[str]:
    """Yield a list one space deep, of items that are written in parts."""
    opens = "["
    for item in items:
        yield f"{opens}\n  "
        yield from (part.replace("\n", "\n  ") for part in item)
        opens = ","
    yield "[]" if opens == "[" else "\n ]"


def _as_line(comparison: RecordedComparison) -> str:
    """Return a comparison on one line: of a thousand images, indentation takes more than the values."""
    return _as_json(comparison, indent=None, separators=(",", ":"))


def _as_json(value: Any, **how: Any) -> str:
    found = msgspec.to_builtins(value)
    if isinstance(value, RecordedComparison) and value.kind != PAGE:
        del found["lines"], found["of_detectors"]
    if isinstance(value, RecordedComparison) and value.task == DETECTION.name:
        del found["task"], found["texts"]  # as a document of detectors had no such keys
    if isinstance(value, Results) and value.settings.recognition is None:
        del found["settings"]["recognition"]
    return json.dumps(non_finite_in_document(found), **{"indent": 1, **how}, ensure_ascii=True, allow_nan=False)
