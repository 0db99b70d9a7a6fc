"""Records and documents, made of what a test is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pytest_ocrparity.comparison import Comparison
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.report.document import (
    Compared,
    NotCompared,
    Record,
    RecordedComparison,
    Results,
    RunRecord,
    SettingsRecord,
)
from pytest_ocrparity.report.table import Tally
from pytest_ocrparity.report.views import View


def comparison(kind: str = "detections", **fields: Any) -> RecordedComparison:
    """Return a recorded comparison of this kind, of train and inference on page.png, in which nothing differs."""
    usual: dict[str, Any] = {"image": "page.png", "reference": "train", "candidate": "inference", "status": "same"}
    empty: dict[str, Any] = {"stage": None, "limits": {}, "measures": (), "differences": (), "boxes": (), "counts": {}}
    return RecordedComparison(kind=kind, **{**usual, **empty, **fields})


def tally(*compared: RecordedComparison | Comparison | Record) -> Tally:
    """Return what one test adds up to that left these."""

    def left(each: RecordedComparison | Comparison | Record) -> Record:
        if isinstance(each, Comparison):
            each = RecordedComparison.of(each)
        return Compared(comparison=each) if isinstance(each, RecordedComparison) else each

    return Tally({"test": [left(each) for each in compared]})


def results(
    comparisons: Sequence[RecordedComparison] = (), missed: Sequence[NotCompared] = (), version: Any = 2, **run: Any
) -> Results:
    """Return the document of a run that made these comparisons."""
    usual: dict[str, Any] = {"finished": "2026-01-01", "verdict": "failed", "exit_status": 1, "interrupted": False}
    empty: dict[str, Any] = {"tests": {}, "faults": (), "notes": ()}
    settings = SettingsRecord(
        file=None, root="/", no_train=False, allow_empty=False, golden={}, train={}, tolerance={}, candidates={}
    )
    return Results(
        schema_version=version,
        run=RunRecord(**{**usual, **empty, **run}),
        environment={},
        settings=settings,
        comparisons=tuple(comparisons),
        not_compared=tuple(missed),
    )


def view_of(count: int, **diagnosis: Any) -> View:
    """Return the results of a run in which each image differs for a cause of its own."""
    usual: dict[str, Any] = {"stage": "tensor", "summary": "x", **diagnosis}
    comparisons = [
        comparison(
            "preprocessing",
            image=f"images/{index}.png",
            candidate=f"candidate {index}",
            status="different",
            stage="tensor",
            headline="x",
            file="t.py",
            line=1,
            outcome="failed",
            diagnoses=(Diagnosis(cause=f"cause.{index}", **usual),),
        )
        for index in range(count)
    ]
    return View.of(results(comparisons))
