"""A case of a recogniser on a line: its row, and what must hold of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from faults.recognition.case import IS_DIAGNOSED, REFUSED, LineCase
from faults.recognition.deployment import LineTrial
from faults.rows import badly_worded, row_of
from pytest_ocrparity import DifferenceError
from pytest_ocrparity.diagnosis import CAUSES, UNKNOWN
from pytest_ocrparity.errors import ModelError

TARGET = 0.95
"""The share of faults whose causes are to be named."""


class OfLine(LineTrial):
    """A trial whose case says what else to do where a fix is no change of a setting, a file or the export."""

    case: LineCase

    def follow(self, deployment: Any, found: Sequence[Any]) -> None:
        """Do what the fixes say."""
        super().follow(deployment, found)
        if any(each.cause.startswith("text.dictionary") for each in found):
            deployment.give_dictionary()
        if found and self.case.mend is not None:
            self.case.mend(deployment)


def name_of(case: LineCase, image: str) -> str:
    """Return the name of a row."""
    return f"{case.name} [{image}]"


def row_of_line(case: LineCase, image: str, error: DifferenceError | None) -> dict[str, Any]:
    """Write down what a failure says of a case on a line."""
    row = row_of(name_of(case, image), error, case.stage.split("/"), case.codes, case.injected, never=case.never)
    row["cause_right"] = error is not None and not row["wrong"] and case.is_named(row["cause"])
    return row


def row_of_refusal(case: LineCase, image: str, error: ModelError) -> dict[str, Any]:
    """Write down what is said where a deployment is refused before any line is run."""
    row = row_of(name_of(case, image), None, [REFUSED], case.codes, ())
    is_said = bool(case.refused) and re.search(case.refused, str(error)) is not None
    return row | {
        "caught": True,
        "stage": [REFUSED],
        "cause": ["refused"],
        "stage_right": bool(case.refused),
        "cause_right": is_said,
        "wrong": [] if is_said else [str(error)],
    }


def judged(
    case: LineCase, image: str, folder: Path, untouched: Any, record: Callable[[str, object], None], key: str
) -> dict[str, Any]:
    """Run a case, record its row, and assert what must hold of it."""
    trial = OfLine(case, image, folder, untouched)
    try:
        error = trial.failure()
    except ModelError as refusal:
        row = row_of_refusal(case, image, refusal)
        record(key, row)
        assert row["wrong"] == []
        return row
    row = row_of_line(case, image, error)
    record(key, row)
    assert error is not None, "the gate passed"
    print(error)
    assert not case.refused, "it was not refused"
    assert row["stage_right"], f"{case.stage} is first, said: {row['stage']}"
    assert {*row["cause"]} <= CAUSES.keys()
    assert row["wrong"] == []
    assert row["false_ruled_out"] == []
    assert re.search(case.message, str(error))
    assert badly_worded(error.diagnoses) == []
    if case.make(None, ()) is not None and case.is_own_engine:
        for diagnosis in error.diagnoses:
            assert diagnosis.fix is None or not diagnosis.fix.changes, "no setting of this port's is known"
    causes = [diagnosis.cause for diagnosis in error.diagnoses]
    is_followable = (
        case.inject is None
        or case.mend is not None
        or any((each.fix and each.fix.changes) or each.cause.startswith("text.dictionary") for each in error.diagnoses)
    )
    if IS_DIAGNOSED and causes and UNKNOWN not in causes and row["cause_right"] and is_followable:
        row["mended"] = trial.failure(error.diagnoses) is None
        assert row["mended"], f"who follows the fixes of {causes} still fails"
    return row


def missed(rows: Sequence[Mapping[str, Any]], whole: Sequence[str], is_diagnosed: bool = IS_DIAGNOSED) -> list[str]:
    """Return which targets the rows of the faults miss, each as a sentence; none where not all of them ran."""
    if {row["name"] for row in rows} != {*whole}:
        return []
    caught, named = (sum(bool(row[key]) for row in rows) for key in ("caught", "cause_right"))
    wrong = sum(bool(row["wrong"]) for row in rows)
    found = [f"{caught} of {len(rows)} faults of recognisers caught, all are to be"] if caught < len(rows) else []
    found += [f"{wrong} wrong claims about recognisers, none is to be"] if wrong else []
    if is_diagnosed and named < TARGET * len(rows):
        found.append(f"{named} of {len(rows)} faults of recognisers named, {TARGET:.0%} are to be")
    return found
