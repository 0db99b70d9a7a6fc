"""The document of a run, from what its tests left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Final

from msgspec.structs import replace

from pytest_ocrparity.comparison import MATCHES
from pytest_ocrparity.environment import environment
from pytest_ocrparity.jsonable import plain
from pytest_ocrparity.report.document import (
    SCHEMA_VERSION,
    CandidateRecord,
    Caught,
    Compared,
    Failed,
    Golden,
    NotCompared,
    Record,
    RecordedComparison,
    Results,
    RunRecord,
    SettingsRecord,
)
from pytest_ocrparity.session.image_ids import ImageIds
from pytest_ocrparity.session.outcomes import Outcomes
from pytest_ocrparity.settings import Settings

_INTERRUPTED: Final = (2, 3)
"""pytest's exit statuses of a run that was interrupted, or that stopped by an error of pytest's own."""


def collect(
    records: Mapping[str, Sequence[Record]],
    outcomes: Outcomes,
    settings: Settings,
    *,
    status: int,
    is_cut_short: bool = False,
    faults: Sequence[str],
    notes: Sequence[str],
) -> Results:
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
    comparisons = comparisons_of(records, outcomes)
    is_cut_short = is_cut_short or status in _INTERRUPTED
    missed = list(_not_compared(records, outcomes, settings))
    if is_cut_short:
        seen = {each.image for each in comparisons} | {each.image for each in missed}
        missed += [_unreached(name) for name in _images(settings) if name not in seen]
    # A test may expect a difference, or be marked xfail; one that caught a difference unexpectedly is a fault.
    is_failing = bool(faults) or any(
        each.status not in MATCHES and each.outcome not in ("passed", "skipped") for each in comparisons
    )
    is_failing = is_failing or any(each.outcome != "skipped" for each in missed) or not comparisons
    return Results(
        schema_version=SCHEMA_VERSION,
        run=RunRecord(
            finished=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            verdict="failed" if is_failing else "passed",
            exit_status=status,
            interrupted=is_cut_short,
            tests={name: _count(outcomes, name) for name in ("passed", "failed", "error", "skipped", "crashed")},
            faults=tuple(faults),
            notes=tuple(notes),
        ),
        environment=dict(environment()),
        settings=_settings(settings),
        comparisons=tuple(comparisons),
        not_compared=tuple(missed),
    )


def comparisons_of(records: Mapping[str, Sequence[Record]], outcomes: Outcomes) -> list[RecordedComparison]:
    """Return what the tests of a run compared, each with its test, and how that ended."""
    return _without_doubles(found for test, left in records.items() for found in _comparisons(test, left, outcomes))


def _count(outcomes: Outcomes, name: str) -> int:
    return sum(outcome.outcome == name for outcome in outcomes.by_test.values())


def _comparisons(test: str, records: Sequence[Record], outcomes: Outcomes) -> Iterator[RecordedComparison]:
    """Yield the comparisons of a test: those that its assertions judged, then those that a failure made besides."""
    failures = {record.key: record for record in records if isinstance(record, Failed)}
    for each in (record.comparison for record in records if isinstance(record, Compared)):
        failure = failures.get(each.key) if each.status not in MATCHES else None
        found = _placed(test, each, outcomes)
        yield replace(found, message=failure.message, diagnoses=failure.diagnoses) if failure else found
    for failure in failures.values():
        yield from (replace(_placed(test, other, outcomes), judged=False) for other in failure.others)


def _placed(test: str, comparison: RecordedComparison, outcomes: Outcomes) -> RecordedComparison:
    """Return a comparison with the place and the end of its test."""
    where = outcomes.by_test.get(test)
    if where is None:
        return replace(comparison, test=test, file=test.partition("::")[0])
    return replace(comparison, test=test, file=where.file, line=where.line, outcome=where.outcome)


def _without_doubles(comparisons: Iterator[RecordedComparison]) -> list[RecordedComparison]:
    """Return the comparisons without those made besides a failure that some assertion of the run judged as well."""
    every = list(comparisons)
    judged = {each.key for each in every if each.judged}
    found, seen = [], set()
    for each in every:
        if each.judged or (each.key not in judged and each.key not in seen):
            found.append(each)
            seen.add(each.key)
    return found


def _not_compared(
    records: Mapping[str, Sequence[Record]], outcomes: Outcomes, settings: Settings
) -> Iterator[NotCompared]:
    """Yield the tests that used our fixtures, or whose worker died, and left no comparison."""
    images = ImageIds(_images(settings))
    for test, outcome in outcomes.by_test.items():
        left = records.get(test, ())
        image = images.image_of(test)
        is_ours = bool(left) or image is not None
        caught = [record for record in left if isinstance(record, Caught)]
        has_compared = any(isinstance(record, Compared | Golden) for record in left)
        if is_ours and not has_compared and not any(record.is_expected for record in caught):
            ended, reason = outcome.outcome, outcome.reason
            if ended == "passed":
                ended, reason = (
                    "compared nothing",
                    "the test passed and called no assertion of ocrparity in its own process",
                )
                reason = next((f"the test caught: {record.messages[0]}" for record in caught), reason)
            yield NotCompared(test, image, ended, reason)


def _images(settings: Settings) -> list[str]:
    return [settings.image_name(path) for path in settings.image_paths()]


def _unreached(image: str) -> NotCompared:
    return NotCompared("", image, "not reached", "the run stopped before")


def _settings(settings: Settings) -> SettingsRecord:
    return SettingsRecord(
        file=None if settings.file is None else str(settings.file),
        root=str(settings.root),
        no_train=settings.no_train,
        allow_empty=settings.allow_empty,
        golden={"dir": str(settings.golden_dir), "reference": settings.golden_reference, "mode": settings.golden_mode},
        train=plain(settings.train),
        tolerance=dict(settings.tolerance.limits),
        candidates={
            name: CandidateRecord(plain(each.values), dict(each.tolerance.limits))
            for name, each in settings.candidates.items()
        },
    )
