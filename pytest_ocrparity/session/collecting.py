"""The document of a run, from what its tests left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from functools import cached_property
from typing import Any, Final, NamedTuple, TypeAlias, overload

from msgspec.structs import replace

from pytest_ocrparity.comparison import MATCHES
from pytest_ocrparity.environment import environment
from pytest_ocrparity.jsonable import jsonable
from pytest_ocrparity.report.accuracy_record import AccuracyRecord
from pytest_ocrparity.report.document import (
    SCHEMA_VERSION,
    Batched,
    CandidateRecord,
    Caught,
    Compared,
    Evaluated,
    Failed,
    Golden,
    Loads,
    NotCompared,
    RecognitionRecord,
    Record,
    RecordedComparison,
    Results,
    RunRecord,
    SettingsRecord,
)
from pytest_ocrparity.report.table import Tally
from pytest_ocrparity.session.image_ids import ImageIds
from pytest_ocrparity.session.models import config_of_candidate
from pytest_ocrparity.session.outcomes import NOT_REACHED, Outcomes
from pytest_ocrparity.settings import Settings
from pytest_ocrparity.settings.candidates import Candidate

Key: TypeAlias = tuple[str, str, str, str]
"""Of a comparison among those of its test."""
_INTERRUPTED: Final = (2, 3)
"""pytest's exit statuses of a run that was interrupted, or that stopped by an error of pytest's own."""


def collect_results(
    comparisons: Comparisons,
    settings: Settings,
    *,
    accuracy: Sequence[AccuracyRecord] = (),
    label_faults: Sequence[str] = (),
    status: int,
    is_cut_short: bool = False,
    is_partial: bool = False,
    faults: Sequence[str],
    notes: Sequence[str],
) -> Results:
    """Return the document of a run.

    Args:
        comparisons: what its tests left and how they ended.
        settings: the run's.
        accuracy: that of each candidate with labels.
        label_faults: why labels say nothing.
        status: pytest's exit status.
        is_cut_short: whether pytest stopped before its last test.
        is_partial: whether it left out what passed in the run before.
        faults: why the run as a whole fails.
        notes: what else it prints.
    """
    outcomes = comparisons.outcomes
    is_cut_short = is_cut_short or status in _INTERRUPTED
    missed = list(_not_compared(comparisons.tally.light, outcomes, settings))
    if is_cut_short:
        seen = {each.image for each in comparisons.light} | {each.image for each in missed}
        missed += [_image_not_reached(name) for name in _settings_images(settings) if name not in seen]
    # A test may expect a difference, or be marked xfail; one that caught a difference unexpectedly is a fault.
    is_failing = bool(faults) or any(
        each.status not in MATCHES and each.outcome not in ("passed", "skipped") for each in comparisons.light
    )
    is_failing = is_failing or any(each.outcome != "skipped" for each in missed)
    is_failing = is_failing or not (comparisons or accuracy or is_partial)
    return Results(
        schema_version=SCHEMA_VERSION,
        run=RunRecord(
            finished=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            verdict="failed" if is_failing else "passed",
            exit_status=status,
            interrupted=is_cut_short,
            partial=is_partial,
            tests={name: outcomes.count(name) for name in ("passed", "failed", "error", "skipped", "crashed")},
            faults=tuple(faults),
            notes=tuple(notes),
        ),
        environment=dict(environment()),
        settings=_settings_record(settings, comparisons.tally.all(Loads)),
        comparisons=comparisons,
        not_compared=tuple(missed),
        batches=tuple(comparisons.tally.all(Batched)),
        accuracy=tuple(accuracy),
        label_faults=tuple(label_faults),
    )


class Comparisons(Sequence[RecordedComparison]):
    """What the tests of a run compared, each with its test, and how that ended: first those that assertions judged.

    Those that a failure made besides are left out where some assertion of the run judged them as well. Each is made of
    its record when it is asked for: no list of what ten thousand images left is ever in memory.

    Attributes:
        tally: what the tests left.
        outcomes: how they ended.
    """

    def __init__(self, tally: Tally, outcomes: Outcomes) -> None:
        """Find where each is."""
        self.tally, self.outcomes = tally, outcomes
        besides = {key for place, key in self._every_place() if place.other is not None}
        known = {key for place, key in self._every_place() if place.other is None and key in besides}
        self._comparison_places: list[_Place] = []
        for place, key in self._every_place():
            if place.other is None or key not in known:
                self._comparison_places.append(place)
            if place.other is not None:
                known.add(key)

    def _every_place(self) -> Iterator[tuple[_Place, Key]]:
        for test, left in self.tally.light.items():
            yield from _comparison_places(test, left)

    def __len__(self) -> int:
        return len(self._comparison_places)

    @overload
    def __getitem__(self, index: int) -> RecordedComparison: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[RecordedComparison]: ...

    def __getitem__(self, index: int | slice) -> RecordedComparison | Sequence[RecordedComparison]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        place = self._comparison_places[index]
        return comparison_with_test(self.outcomes, place.test, self._made(place, self.tally.records))

    @cached_property
    def light(self) -> list[RecordedComparison]:
        """What sums, lists and causes need of each, see `table.comparison_for_table`."""
        return [self._made(place, self.tally.light) for place in self._comparison_places]

    def _made(self, place: _Place, records: Mapping[str, Sequence[Record]]) -> RecordedComparison:
        left = records[place.test]
        found, failure = left[place.record], None if place.failure is None else left[place.failure]
        if isinstance(found, Failed):
            assert place.other is not None
            return replace(found.others[place.other], judged=False)
        assert isinstance(found, Compared)
        if isinstance(failure, Failed):
            return replace(found.comparison, message=failure.message, diagnoses=failure.diagnoses, rerun=failure.rerun)
        return found.comparison


class _Place(NamedTuple):
    """Where a comparison is among the records of a test."""

    test: str
    record: int
    failure: int | None = None
    """The record of its message and its causes."""
    other: int | None = None
    """Its place among those that a failure made besides."""


def _comparison_places(test: str, records: Sequence[Record]) -> Iterator[tuple[_Place, Key]]:
    """Yield the comparisons of a test by their keys: those that its assertions judged, then those made besides."""
    judged: dict[int, tuple[Key, int | None]] = {}
    failing: dict[Key, list[int]] = {}
    besides: dict[int, list[Key]] = {}
    for number, record in enumerate(records):
        if isinstance(record, Compared):
            key = record.comparison.key
            judged[number] = key, None
            if record.comparison.status not in MATCHES:
                failing.setdefault(key, []).append(number)
        elif isinstance(record, Failed):
            besides[number] = [other.key for other in record.others]
            if own := failing.get(record.key):  # a test may compare an image twice
                judged[own.pop()] = record.key, number
    for number, (key, failure) in judged.items():
        yield _Place(test, number, failure), key
    for number, others in besides.items():
        yield from ((_Place(test, number, other=place), other) for place, other in enumerate(others))


def comparison_with_test(outcomes: Outcomes, test: str, comparison: RecordedComparison) -> RecordedComparison:
    """Return a comparison with the place and the end of its test."""
    where = outcomes.get(test)
    if where is None:
        return replace(comparison, test=test, file=test.partition("::")[0], outcome=NOT_REACHED)
    return replace(comparison, test=test, file=where.file, line=where.line, outcome=where.outcome)


def _not_compared(
    records: Mapping[str, Sequence[Record]], outcomes: Outcomes, settings: Settings
) -> Iterator[NotCompared]:
    """Yield the tests that used our fixtures, or whose worker died, and left no comparison."""
    images = ImageIds(_settings_images(settings))
    for test, outcome in outcomes.items():
        left = records.get(test, ())
        image = images.image_of(test)
        is_ours = bool(left) or image is not None
        caught = [record for record in left if isinstance(record, Caught)]
        has_compared = any(isinstance(record, Compared | Golden | Evaluated) for record in left)
        if is_ours and not has_compared and not any(record.is_expected for record in caught):
            ended, reason = outcome.outcome, outcome.reason
            if ended == "passed":
                ended, reason = (
                    "compared nothing",
                    "the test passed and called no assertion of ocrparity in its own process",
                )
                reason = next((f"the test caught: {record.messages[0]}" for record in caught), reason)
            yield NotCompared(test, image, ended, reason)


def _settings_images(settings: Settings) -> list[str]:
    return [settings.image_name(path) for path in settings.all_image_paths()]


def _image_not_reached(image: str) -> NotCompared:
    return NotCompared("", image, NOT_REACHED, "the run stopped before")


def _values(candidate: Candidate) -> dict[str, Any]:
    """Return what a candidate was given, with how many images it ran at once where those are several."""
    return {**candidate.values, **({"batch": candidate.batch} if candidate.batch > 1 else {})}


def _settings_record(settings: Settings, loads: Sequence[Loads]) -> SettingsRecord:
    return SettingsRecord(
        file=None if settings.file is None else str(settings.file),
        root=str(settings.root),
        no_train=settings.no_train,
        allow_empty=settings.allow_empty,
        golden={"dir": str(settings.golden_dir), "reference": settings.golden_reference, "mode": settings.golden_mode},
        train=jsonable(settings.train),
        tolerance=dict(settings.tolerance.limits),
        candidates=_candidates(settings, loads),
        recognition=_recognition(settings.recognition, loads),
        page=jsonable(settings.page),
    )


def _recognition(settings: Settings | None, loads: Sequence[Loads]) -> RecognitionRecord | None:
    if settings is None:
        return None
    limits = dict(settings.tolerance.limits)
    return RecognitionRecord(jsonable(settings.train), limits, _candidates(settings, loads))


def _candidates(settings: Settings, loads: Sequence[Loads]) -> dict[str, CandidateRecord]:
    return {
        name: CandidateRecord(
            jsonable(_values(each)), dict(each.tolerance.limits), files=loaded_files(each.values, loads)
        )
        for name, each in settings.candidates.items()
    }


def loaded_files(values: Mapping[str, Any], loads: Sequence[Loads]) -> dict[str, str]:
    """Return the digest of a candidate's inference.yml; nothing where it changed while the run went on."""
    config = config_of_candidate(values)
    digests = {each.digest for each in loads if each.digest and each.config == str(config)}
    return {config.name: digests.pop()} if config is not None and len(digests) == 1 else {}
