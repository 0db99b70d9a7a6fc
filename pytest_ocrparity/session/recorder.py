"""Hears what the assertions of a test find, and leaves it on the test as records, which its last report takes along."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_ocrparity.context import context_test_id, current_context
from pytest_ocrparity.session.caught import MARKER, Raised
from pytest_ocrparity.session.fixtures import FIXTURES, OWN_IMAGE, asked_fixtures, reaches_our_fixture
from pytest_ocrparity.session.parametrized import parameters_of, parametrized_candidate
from pytest_ocrparity.session.tasks import task_of_test
from pytest_ocrparity.session.worst import WorstImages
from pytest_ocrparity.stages import PAGE
from pytest_ocrparity.tolerance import ACCURACY, Limit
from pytest_ocrparity.wording import image_label

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_ocrparity.comparison import Comparison, DifferenceError
    from pytest_ocrparity.diagnose.cache import DiagnosisCache
    from pytest_ocrparity.diagnosis import Diagnosis
    from pytest_ocrparity.evaluate.counts import ImageCounts
    from pytest_ocrparity.evaluate.verdict import Accuracy
    from pytest_ocrparity.report.document import Picture, Record, RecordedComparison
    from pytest_ocrparity.report.pictures.album import Album
    from pytest_ocrparity.session.batch_check import Batches
    from pytest_ocrparity.session.label_book import LabelBook
    from pytest_ocrparity.settings import Settings
    from pytest_ocrparity.tolerance import Tolerance
    from pytest_ocrparity.trace import Trace


ATTRIBUTE: Final = "ocrparity_records"
"""The attribute of a test's teardown report in which its records travel, as bytes; taken off where they arrive."""

_FIXTURES: Final = frozenset(FIXTURES)


class ItemRecords:
    """What a test leaves."""

    def __init__(self, item: pytest.Item) -> None:
        """Begin with nothing."""
        self.records: list[Record] = []
        self._item = item
        self._compared: set[tuple[str, str, str]] = set()
        self._counted: dict[tuple[str, str, str], tuple[object, ...]] = {}
        self._lock = threading.RLock()  # a test may assert in threads

    def reset(self) -> None:
        """Drop what an earlier attempt of the test left: reruns count once."""
        self.records.clear()
        self._compared.clear()
        self._counted.clear()

    def take(self) -> list[Record]:
        """Return the records, now that the test has ended, and keep none."""
        taken, self.records = self.records, []
        self.reset()
        return taken

    def count_once(self, count: Callable[[], Record | None], key: tuple[str, str, str], *of: object) -> None:
        """Note what an image of two sides counts against its label, where it was not counted last of the same `of`."""
        with self._lock:
            if self._counted.get(key) != of and (counted := count()) is not None:
                self._counted[key] = of
                self.records.append(counted)

    def show(self, drawn: Iterable[RecordedComparison]) -> None:
        """Give what this test judged before it failed the pictures that were drawn when it did."""
        from msgspec.structs import replace

        from pytest_ocrparity.report.document import Compared

        known = {each.key: each for each in drawn}
        for place, record in enumerate(self.records):
            if isinstance(record, Compared) and (other := known.get(record.comparison.key)) is not None:
                shown = replace(record.comparison, pictures=other.pictures, picture_error=other.picture_error)
                self.records[place] = replace(record, comparison=shown)

    def add_pictures(self, key: tuple[str, str, str, str], pictures: Sequence[Picture], error: str | None) -> None:
        """Give what this test judged, by its key, pictures that were drawn when it had failed."""
        from msgspec.structs import replace

        from pytest_ocrparity.report.document import Compared

        for place, record in enumerate(self.records):
            if isinstance(record, Compared) and record.comparison.key == key:
                of, all_of = record.comparison, (*record.comparison.pictures, *pictures)
                shown = replace(of, pictures=all_of, picture_error=of.picture_error or error)
                self.records[place] = replace(record, comparison=shown)

    def milestone(self, image: str, reference: str, candidate: str) -> str:
        """Count an image, once for each two sides; return the line of a long test at its 100th, 200th, 500th, or ""."""
        with self._lock:
            before = len(self._compared)
            self._compared.add((image, reference, candidate))
            count = len(self._compared)
        is_new = count > before and is_milestone(count)
        return f"{count} images compared in {self._item.nodeid}" if is_new else ""


_LEAVES = pytest.StashKey[ItemRecords]()


def records_of_item(item: pytest.Item) -> ItemRecords:
    """Return what a test leaves."""
    leaves = item.stash.get(_LEAVES, None)
    if leaves is None:
        leaves = item.stash[_LEAVES] = ItemRecords(item)
    return leaves


class Recorder:
    """The `Listener` of one process. `item` is the running test, None between tests."""

    def __init__(self, settings: Settings, labels: LabelBook) -> None:
        """Record as the settings say."""
        self.settings, self.labels = settings, labels
        self.item: pytest.Item | None = None
        self.raised = Raised()
        self.worst = WorstImages()
        self.say: Callable[[str], None] = lambda text: None
        self._ran: dict[int, dict[str, object]] = {}
        """By candidate, the names of the images that it ran, in order, and the candidate, kept alive."""

    @cached_property
    def batches(self) -> Batches:
        """What this process runs in batches."""
        from pytest_ocrparity.session.batch_check import Batches

        return Batches(self.settings, lambda text: self.say(text))

    @cached_property
    def diagnoser(self) -> DiagnosisCache:
        """What this run has diagnosed so far."""
        from pytest_ocrparity.diagnose.cache import DiagnosisCache

        return DiagnosisCache(
            self.settings.diagnosis_seconds,
            announce=lambda image: self.say(f"looking for the cause on {image}"),
            ran_before=self._ran_before,
        )

    @cached_property
    def album(self) -> Album | None:
        """Where pictures are drawn, None for a run without report."""
        if self.settings.report_dir is None:
            return None
        from pytest_ocrparity.report.pictures.album import Album

        return Album(self.settings.report_dir, is_selective=self.settings.report_pictures == "failed")

    def reset(self) -> None:
        """Begin a test, or another attempt of it, with nothing."""
        assert self.item is not None
        if _LEAVES in self.item.stash:
            self._of_the_test.reset()
        self.raised.begin()

    @property
    def _of_the_test(self) -> ItemRecords:
        assert self.item is not None  # fixtures and assertions run inside a test
        return records_of_item(self.item)

    def on_error(self, error: DifferenceError) -> None:
        """Keep in mind what an assertion raises, until it is known whether it leaves the test."""
        self.raised.hear(error)

    def take(self, item: pytest.Item) -> list[Record]:
        """Return what a test left, now that it has ended; with the errors that it caught."""
        if caught := self.raised.end():
            self.note("caught", messages=caught, is_expected=item.get_closest_marker(MARKER) is not None)
        return records_of_item(item).take() if _LEAVES in item.stash else []

    def note(self, what: str, **values: Any) -> None:
        """Leave a record of the running test, see `document.document_record`."""
        from pytest_ocrparity.report.document import document_record

        self._of_the_test.records.append(document_record(what, **values))

    def note_shared_fixtures(self, item: pytest.Item) -> None:
        """Note what a test asks for of our fixtures that another test has set up, of which pytest calls no hook."""
        if _FIXTURES.isdisjoint(getattr(item, "fixturenames", ())):  # this runs for every test of every suite
            return
        from pytest_ocrparity.report.document import Used

        noted = {each.fixture for each in self._of_the_test.records if isinstance(each, Used)}
        for name in (name for name in asked_fixtures(item) if name in _FIXTURES - noted):
            self.note("used", fixture=name, is_own=reaches_our_fixture(item, name))
        if OWN_IMAGE in parameters_of(item) and OWN_IMAGE not in noted:
            self.note("used", fixture=OWN_IMAGE)

    def note_config(self, side: str, config: Path | None) -> None:
        """Note the inference.yml that a side was loaded with."""
        if config is not None and config.is_file():
            from pytest_ocrparity.files import text_file_digest

            self.note("loads", side=side, config=str(config), digest=text_file_digest(config))

    def on_comparison(self, judged: Comparison, reference: Trace, candidate: Trace, tolerance: Tolerance) -> None:
        """Note a judged comparison with its pictures; of a page there are no batches and labels."""
        from pytest_ocrparity.comparison import MATCHES, RECORDED

        if self.item is None:  # a thread has outlived its test
            return
        if judged.status not in MATCHES:
            self.raised.expect(judged)
        self.raised.is_recording |= judged.status == RECORDED
        if judged.kind == PAGE:
            self._leave(judged, reference, candidate)
            return
        self.worst.hear(judged, reference, candidate, tolerance)
        self._ran.setdefault(id(candidate.source), {}).setdefault(candidate.image, candidate.source)
        settings = self.settings.of_task(task_of_test(self.item).name)  # a recogniser's candidates are another table's
        self.batches.hear(candidate, tolerance, settings.batch_of(parametrized_candidate(self.item)), settings.prefix)
        self._leave(judged, reference, candidate)
        part = self.settings.of_task(judged.task)
        if part.labels is not None:
            count = partial(self.labels.count, part, judged, (reference, candidate), tolerance)
            key = judged.image, judged.reference, judged.candidate
            # Several assertions on the same traces count them once.
            traces = [each.memo.setdefault("identity", object()) for each in (reference, candidate)]
            self._of_the_test.count_once(count, key, *traces, tolerance[ACCURACY])

    def _leave(self, judged: Comparison, reference: Trace, candidate: Trace) -> None:
        """Leave a judged comparison on the running test, with its pictures."""
        from pytest_ocrparity.compare.preconditions import have_same_files
        from pytest_ocrparity.report.document import Compared

        compared = self._record_comparison(judged, reference, candidate)
        same = have_same_files(reference, candidate)
        self._of_the_test.records.append(Compared(comparison=compared, has_same_files=same))
        if line := self._of_the_test.milestone(judged.image, judged.reference, judged.candidate):
            self.say(line)

    def on_accuracy(
        self, judged: Accuracy, images: Sequence[ImageCounts], sides: tuple[str, str], left_out: Mapping[str, int]
    ) -> None:
        """Note an accuracy that a test asserted."""
        from pytest_ocrparity.report.accuracy_record import AccuracyRecord
        from pytest_ocrparity.report.document import Evaluated

        record = AccuracyRecord(
            reference=sides[0],
            candidate=sides[1],
            limit=Limit(judged.max_drop, "keyword"),
            result=judged,
            test=context_test_id(),
            not_counted={name: count for name, count in left_out.items() if count},
            counts=tuple(replace(each, image=image_label(each.image)) for each in images),
        )
        self._of_the_test.records.append(Evaluated(accuracy=record))

    def _ran_before(self, candidate: Trace) -> list[str]:
        """Return the images that a candidate ran in this process before the one of a trace."""
        names = list(self._ran.get(id(candidate.source), ()))
        return names[: names.index(candidate.image)] if candidate.image in names else names

    def run_batches(self) -> None:
        """Run what this process compared in batches, and leave the records on the running test, which is its last."""
        if self.settings.has_batches:
            self._of_the_test.records += self.batches.run()

    def on_failure(
        self,
        judged: Comparison,
        comparisons: Sequence[Comparison],
        diagnoses: Sequence[Diagnosis],
        message: str,
        sides: tuple[Trace, Trace],
    ) -> None:
        """Note the message and the causes of a failed comparison, and what the others of its image show."""
        from pytest_ocrparity.report.document import Failed

        if not self.raised.is_open(judged):  # a thread has outlived its test
            return
        failed = Failed(
            image=judged.image,
            reference=judged.reference,
            candidate=judged.candidate,
            kind=judged.kind,
            message=message,
            diagnoses=tuple(diagnoses),
            others=tuple(
                self._record_comparison(each, *sides, is_whole=True) for each in comparisons if each.kind != judged.kind
            ),
            rerun=current_context().rerun(judged.image),
        )
        self._of_the_test.show(failed.others)
        maps = None if self.album is None else self.diagnoser.feature_maps(diagnoses, judged.image)
        if self.album is not None and maps is not None:
            self._of_the_test.add_pictures(failed.key, *self.album.feature_maps(maps, sides))
        self._of_the_test.records.append(failed)

    def _record_comparison(
        self, comparison: Comparison, reference: Trace, candidate: Trace, *, is_whole: bool = False
    ) -> RecordedComparison:
        from msgspec import structs

        from pytest_ocrparity.compare.parameter_differences import parameter_difference_rows
        from pytest_ocrparity.explain import headline
        from pytest_ocrparity.report.document import RecordedComparison

        parameters = parameter_difference_rows(comparison.kind, reference, candidate)
        recorded = RecordedComparison.of(comparison, headline(comparison), parameters)
        if self.album is None:
            return recorded
        pictures, error = self.album.pictures_of(comparison, reference, candidate, is_whole=is_whole)
        return structs.replace(recorded, pictures=pictures, picture_error=error)


def is_milestone(count: int) -> bool:
    """Tell whether a count of images is printed: it is 100, 200, 500, 1000, 2000, 5000 and so on."""
    return count >= 100 and str(count).rstrip("0") in ("1", "2", "5")
