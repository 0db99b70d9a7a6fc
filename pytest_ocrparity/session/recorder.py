"""Hears what the assertions of a test find, and leaves it in the test's properties, which cross process borders."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from pytest_ocrparity.session.caught import Raised
from pytest_ocrparity.session.worst import WorstImages

if TYPE_CHECKING:
    from pytest_ocrparity.comparison import Comparison, DifferenceError
    from pytest_ocrparity.diagnose.cache import DiagnosisCache
    from pytest_ocrparity.diagnosis import Diagnosis
    from pytest_ocrparity.report.pictures.album import Album
    from pytest_ocrparity.report.table import Record
    from pytest_ocrparity.settings import Settings
    from pytest_ocrparity.trace import Trace


PREFIX: Final = "ocr."
"""What the names of metrics begin with."""
PROPERTY: Final = "ocrparity.record"
"""The name under which records travel in `report.user_properties`, each as JSON text.

They are taken out where they arrive: what is left, and so reaches JUnit XML, are the metrics.
"""

Properties = list[tuple[str, object]]


def records_of(properties: Properties) -> list[Record]:
    """Return the records among a test's properties."""
    return [json.loads(str(value)) for name, value in properties if name == PROPERTY]


def without_records(properties: Properties) -> Properties:
    """Return a test's properties without the records."""
    return [found for found in properties if found[0] != PROPERTY]


class Recorder:
    """The `Listener` of one process. `properties` are those of the running test, None between tests."""

    def __init__(self, settings: Settings) -> None:
        """Record as the settings say."""
        self.settings = settings
        self.properties: Properties | None = None
        self.raised = Raised()
        self.worst = WorstImages()
        self.announce: Callable[[str], None] = lambda image: None
        self._lock = threading.RLock()  # a test may assert in threads

    @cached_property
    def diagnoser(self) -> DiagnosisCache:
        """What this run has diagnosed so far."""
        from pytest_ocrparity.diagnose.cache import DiagnosisCache

        return DiagnosisCache(self.settings.diagnosis_seconds, announce=self.announce)

    @cached_property
    def album(self) -> Album | None:
        """Where pictures are drawn, None for a run without report."""
        if self.settings.report_dir is None:
            return None
        from pytest_ocrparity.report.pictures.album import Album

        return Album(self.settings.report_dir, is_selective=self.settings.report_pictures == "failed")

    def forget(self, properties: Properties) -> None:
        """Drop what an earlier attempt of a test left: reruns count once."""
        properties[:] = [found for found in properties if found[0] != PROPERTY and not found[0].startswith(PREFIX)]
        self.raised = Raised()

    def on_error(self, error: DifferenceError) -> None:
        """Keep in mind what an assertion raises, until it is known whether it leaves the test."""
        self.raised.hear(error)

    def note_caught(self, *, is_expected: bool) -> bool:
        """Note the errors that did not leave the test, now that it has ended; tell whether there are any."""
        caught, self.raised = self.raised.caught, Raised()
        if caught:
            self.note("caught", messages=caught, is_expected=is_expected)
        return bool(caught)

    def note(self, what: str, **values: Any) -> None:
        """Leave a record in the report of the running test."""
        assert self.properties is not None  # fixtures and assertions run inside a test
        self.properties.append((PROPERTY, json.dumps({"what": what, **values})))

    def on_comparison(self, judged: Comparison, reference: Trace, candidate: Trace) -> None:
        """Note a judged comparison with its pictures and its metrics."""
        from pytest_ocrparity.compare.preconditions import have_same_files
        from pytest_ocrparity.comparison import RECORDED
        from pytest_ocrparity.context import current
        from pytest_ocrparity.tolerance import Tolerance

        # What a keyword set is in the comparison alone.
        tolerance = Tolerance({**current().tolerance().limits, **judged.limits})
        self.worst.hear(judged, reference, candidate, tolerance)
        self.raised.is_recording |= judged.status == RECORDED
        record = self._record(judged, reference, candidate)
        found = {f"{PREFIX}{name}": value for name, value in metrics(record).items()}
        with self._lock:
            self.note("compared", **record, has_same_files=have_same_files(reference, candidate))
            assert self.properties is not None
            known: dict[str, Any] = {name: value for name, value in self.properties if name.startswith(PREFIX)}
            new = {name: worse(known.get(name, value), value, name) for name, value in found.items()}
            self.properties[:] = [found for found in self.properties if found[0] not in new] + list(new.items())

    def on_failure(
        self,
        judged: Comparison,
        comparisons: Sequence[Comparison],
        diagnoses: Sequence[Diagnosis],
        message: str,
        sides: tuple[Trace, Trace],
    ) -> None:
        """Note the message and the causes of a failed comparison, and what the others of its image show."""
        key = {name: getattr(judged, name) for name in ("image", "reference", "candidate", "kind")}
        others = [self._record(each, *sides) for each in comparisons if each.kind != judged.kind]
        told = [diagnosis.as_json() for diagnosis in diagnoses]
        self.note("failed", **key, message=message, diagnoses=told, others=others)
        assert self.properties is not None
        self.properties.append((f"{PREFIX}stage", judged.stage or ""))
        self.properties.extend((f"{PREFIX}cause", diagnosis.cause) for diagnosis in diagnoses)

    def _record(self, comparison: Comparison, reference: Trace, candidate: Trace) -> dict[str, Any]:
        from pytest_ocrparity.compare.parameter_differences import effective_parameters
        from pytest_ocrparity.explain import headline

        parameters = effective_parameters(comparison.kind, reference, candidate)
        record = {**comparison.as_json(), "headline": headline(comparison), "parameters": parameters}
        return record if self.album is None else record | self.album.pictures_of(comparison, reference, candidate)


_WORST_FIRST = (
    *("different", "not comparable", "not judgeable"),
    *("left to the run", "recorded", "empty", "empty, as allowed", "same"),
)


_COUNTED = ("boxes", "different", "borderline")


def metrics(comparison: Mapping[str, Any]) -> dict[str, Any]:
    """Return a comparison's metrics by name, such as `probability_maps.largest`.

    `status`, every measured amount, and of the boxes how many were compared, differ and are borderline.
    """
    kind = comparison["kind"]
    found: dict[str, Any] = {f"{kind}.status": comparison["status"]}
    for measure in comparison["measures"]:
        name = measure["name"]
        found[name if "." in name else f"{kind}.{name}"] = measure["value"]
    counts = comparison["counts"]
    return found | {f"{kind}.{name}": counts[name] for name in _COUNTED if name in counts}


def worse(one: Any, two: Any, name: str) -> Any:
    """Return the worse of two values of a metric: the smaller IoU, the larger of all else, NaN before any number."""
    if isinstance(one, str):
        ranked: Iterable[str] = (status for status in _WORST_FIRST if status in (one, two))
        return next(iter(ranked), one)
    if math.isnan(one) or math.isnan(two):
        return math.nan
    return min(one, two) if name.endswith("min_iou") else max(one, two)
