"""The document of a run, from what its tests left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Final

from pytest_ocrparity.comparison import MATCHES
from pytest_ocrparity.environment import environment
from pytest_ocrparity.jsonable import plain
from pytest_ocrparity.report.document import SCHEMA_VERSION, finite
from pytest_ocrparity.report.table import Record
from pytest_ocrparity.session.outcomes import Outcomes, image_of
from pytest_ocrparity.settings import Settings

_INTERRUPTED: Final = (2, 3)
"""pytest's exit statuses of a run that was interrupted, or that stopped by an error of pytest's own."""


_FROM_COMPARISON: Final = (
    "image",
    "reference",
    "candidate",
    "kind",
    "status",
    "stage",
    "limits",
    "measures",
    "differences",
)


def collect(
    records: Mapping[str, Sequence[Record]],
    outcomes: Outcomes,
    settings: Settings,
    *,
    status: int,
    is_cut_short: bool = False,
    faults: Sequence[str],
    notes: Sequence[str],
) -> dict[str, Any]:
    """Return the document of a run.

    Args:
        records: what each test left, by node id.
        outcomes: how each test ended.
        settings: the run's.
        status: pytest's exit status.
        is_cut_short: whether pytest stopped before its last test.
        faults: why the run as a whole fails.
        notes: what else it prints.
    """
    comparisons = _without_doubles(
        found for test, left in records.items() for found in _comparisons(test, left, outcomes)
    )
    is_cut_short = is_cut_short or status in _INTERRUPTED
    missed = list(_not_compared(records, outcomes, settings))
    if is_cut_short:
        seen = {each["image"] for each in (*comparisons, *missed)}
        missed += [_unreached(name) for name in _images(settings) if name not in seen]
    # A test may expect a difference, or be marked xfail; one that caught a difference unexpectedly is a fault.
    is_failing = bool(faults) or any(
        each["status"] not in MATCHES and each["outcome"] not in ("passed", "skipped") for each in comparisons
    )
    is_failing = is_failing or any(each["outcome"] != "skipped" for each in missed) or not comparisons
    document = {
        "schema_version": SCHEMA_VERSION,
        "run": {
            "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "verdict": "failed" if is_failing else "passed",
            "exit_status": status,
            "interrupted": is_cut_short,
            "tests": {name: _count(outcomes, name) for name in ("passed", "failed", "error", "skipped", "crashed")},
            "faults": list(faults),
            "notes": list(notes),
        },
        "environment": environment(),
        "settings": _settings(settings),
        "comparisons": comparisons,
        "not_compared": missed,
    }
    result: dict[str, Any] = finite(document)
    return result


def _count(outcomes: Outcomes, name: str) -> int:
    return sum(outcome.outcome == name for outcome in outcomes.by_test.values())


def _comparisons(test: str, records: Sequence[Record], outcomes: Outcomes) -> Iterator[dict[str, Any]]:
    """Yield the comparisons of a test: those that its assertions judged, then those that a failure made besides."""
    failures = {_key(record): record for record in records if record["what"] == "failed"}
    for record in records:
        if record["what"] == "compared":
            yield _comparison(test, record, failures.get(_key(record), {}), outcomes, is_judged=True)
    for failure in failures.values():
        for other in failure["others"]:
            yield _comparison(test, other, {}, outcomes, is_judged=False)


def _comparison(test: str, record: Record, failure: Record, outcomes: Outcomes, *, is_judged: bool) -> dict[str, Any]:
    where = outcomes.by_test.get(test)
    return {
        "test": test,
        "file": where.file if where else test.partition("::")[0],
        "line": where.line if where else None,
        "outcome": where.outcome if where else "passed",
        **{name: record[name] for name in _FROM_COMPARISON},
        "judged": is_judged,
        "boxes": record["boxes"],
        "counts": record["counts"],
        "parameters": record["parameters"],
        "pictures": record.get("pictures", []),
        "picture_error": record.get("picture_error"),
        "headline": record["headline"],
        "message": failure.get("message", ""),
        "diagnoses": failure.get("diagnoses", []),
    }


def _key(record: Record) -> tuple[str, ...]:
    return tuple(record[name] for name in ("image", "reference", "candidate", "kind"))


def _without_doubles(comparisons: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the comparisons without those made besides a failure that some assertion of the run judged as well."""
    every = list(comparisons)
    judged = {_key(each) for each in every if each["judged"]}
    found, seen = [], set()
    for each in every:
        if each["judged"] or (_key(each) not in judged and _key(each) not in seen):
            found.append(each)
            seen.add(_key(each))
    return found


def _not_compared(
    records: Mapping[str, Sequence[Record]], outcomes: Outcomes, settings: Settings
) -> Iterator[dict[str, Any]]:
    """Yield the tests that used our fixtures, or whose worker died, and left no comparison."""
    images = _images(settings)
    for test, outcome in outcomes.by_test.items():
        left = {record["what"] for record in records.get(test, ())}
        is_ours = bool(left) or image_of(test, images) is not None
        caught = [record for record in records.get(test, ()) if record["what"] == "caught"]
        if is_ours and not left & {"compared", "golden"} and not any(record["is_expected"] for record in caught):
            ended, reason = outcome.outcome, outcome.reason
            if ended == "passed":
                ended, reason = "compared nothing", "the test passed and called no assertion of ocrparity"
                reason = next((f"the test caught: {record['messages'][0]}" for record in caught), reason)
            yield {"test": test, "image": image_of(test, images), "outcome": ended, "reason": reason}


def _images(settings: Settings) -> list[str]:
    return [settings.image_name(path) for path in settings.image_paths()]


def _unreached(image: str) -> dict[str, Any]:
    return {"test": "", "image": image, "outcome": "not reached", "reason": "the run stopped before"}


def _settings(settings: Settings) -> dict[str, Any]:
    return {
        "file": None if settings.file is None else str(settings.file),
        "root": str(settings.root),
        "no_train": settings.no_train,
        "allow_empty": settings.allow_empty,
        "golden": {
            "dir": str(settings.golden_dir),
            "reference": settings.golden_reference,
            "mode": settings.golden_mode,
        },
        "train": plain(settings.train),
        "tolerance": plain(settings.tolerance.limits),
        "candidates": {
            name: {"values": plain(each.values), "tolerance": plain(each.tolerance.limits)}
            for name, each in settings.candidates.items()
        },
    }
