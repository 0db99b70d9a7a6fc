"""What a run found, as typed records: what travels from a worker, what `results.json` holds, and what is judged again.

A string in an `Annotated` describes its key in `results.schema.json`, which `report.schema` makes of these types.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct, structs

from pytest_ocrparity.comparison import BoxFinding, Comparison, Difference, LineFinding, Measure, TextFinding
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.errors import ReportError
from pytest_ocrparity.evaluate.counts import ImageCounts
from pytest_ocrparity.jsonable import jsonable
from pytest_ocrparity.report.accuracy_record import AccuracyRecord
from pytest_ocrparity.stages import DETECTION, LAYER_STAGES
from pytest_ocrparity.tolerance import Limit

SCHEMA_VERSION: Final = 2
NEWER: Final = frozenset(
    {
        *(("BoxFinding", "score_error"), ("Diagnosis", "tried"), ("Diagnosis", "rivals"), ("Results", "batches")),
        *(("RecordedComparison", "task"), ("RecordedComparison", "texts")),
        *(("SettingsRecord", "recognition"), ("Results", "accuracy"), ("Results", "label_faults")),
        *(("RecordedComparison", "rerun"), ("CandidateRecord", "files"), ("Diagnosis", "layer")),
        *(("Picture", "scale_limit"), ("Picture", "values_file"), ("RunRecord", "partial")),
        *(("RecordedComparison", "lines"), ("RecordedComparison", "of_detectors"), ("Layer", "steps")),
        *(("Diagnosis", "model"), ("SettingsRecord", "page"), ("Layer", "is_lacking")),
    }
)
"""Keys that an older document may lack: all others are required, also those whose type has a default."""

_LONGEST_INTEGER: Final = 300
"""Letters of an integer that any float can hold."""

THUMBNAIL: Final = "thumbnail"
"""The side of a picture that is the thumbnail of an image, whatever its comparison found."""
T = TypeVar("T")
Count = Annotated[int, Meta(ge=0)]


class Parameter(Struct, frozen=True):
    """A parameter that took effect, with each side's value."""

    stage: Annotated[str, "decode, resize, tensor, probability_map, detections, text"]
    name: str
    reference: Any
    candidate: Any
    differs: bool


class Picture(Struct, frozen=True):
    """A drawing of one stage of one side, or of both; the thumbnail is of the image, for lists."""

    stage: Annotated[str, "a stage; layer_input and layer_output: feature maps at the layer that a diagnosis names"]
    side: Annotated[str, "reference, candidate, difference, both, image, thumbnail"]
    caption: str
    file: Annotated[str, "beside results.json"]
    bar: Annotated[tuple[float, float] | None, "the values at the ends of a heat map's scale"] = None
    scale_limit: Annotated[float | None, "of a difference: the limit, beyond which it is drawn bright"] = None
    values_file: Annotated[str | None, "the values of its pixels, a script for the page"] = None

    @property
    def thumb(self) -> str:
        """The file of the thumbnail, which is the page's: of an exact difference no lossy one."""
        if self.side == THUMBNAIL or self.stage in LAYER_STAGES:  # small as they are
            return self.file
        place, _, suffix = self.file.rpartition(".")
        small = "svg" if suffix == "svg" else "png" if self.side == "difference" else "jpg"
        return f"{place}.small.{small}"


class RecordedComparison(Struct, frozen=True, kw_only=True):
    """One comparison, with the test that made it and all that was found about it."""

    test: Annotated[str, "pytest's node id"] = ""
    file: str = ""
    line: int | None = None
    outcome: Annotated[
        str, "how the test ended, which may expect a difference: passed, failed, error, skipped, crashed, not reached"
    ] = "passed"
    image: str
    reference: str
    candidate: str
    kind: Annotated[str, "preprocessing, probability_maps, detections, text, page"]
    status: Annotated[
        str,
        "passes: 'same', 'recorded', 'empty', 'empty, as allowed', 'left to the run'; fails: 'different', 'not "
        "comparable', 'not judgeable' (the reference's map moves by more than the limit if its tensor is only rounded)",
    ]
    stage: Annotated[str | None, "the first that differs"]
    limits: Annotated[dict[str, Limit], "by name, STAGE.LIMIT"]
    measures: tuple[Measure, ...]
    differences: tuple[Difference, ...]
    judged: Annotated[
        bool, "false: measured because another comparison of the image failed, and asserted by no test"
    ] = True
    boxes: tuple[BoxFinding, ...]
    counts: dict[str, Count]
    parameters: Annotated[tuple[Parameter, ...], "what took effect on each side"] = ()
    task: Annotated[str, "what the models do: detection, recognition, page"] = DETECTION.name
    texts: Annotated[TextFinding | None, "of the kind text, what the sides read"] = None
    lines: Annotated[
        tuple[LineFinding, ...], "of the kind page, what the sides read at each place, in the reference's order"
    ] = ()
    of_detectors: Annotated[tuple[RecordedComparison, ...], "of the kind page, what judges its boxes"] = ()
    pictures: tuple[Picture, ...] = ()
    picture_error: str | None = None
    headline: str = ""
    message: Annotated[str, "what the failed assertion said"] = ""
    diagnoses: tuple[Diagnosis, ...] = ()
    rerun: Annotated[str, "of a failed comparison, the command that runs its test again"] = ""

    @classmethod
    def of(cls, comparison: Comparison, headline: str = "", parameters: Sequence[Any] = ()) -> RecordedComparison:
        """Return what is recorded of a comparison: values of a user's parameters become JSON's types."""
        found = jsonable(replace(comparison, of_detectors=()))
        made = msgspec.convert({**found, "headline": headline, "parameters": jsonable(parameters)}, cls)
        return structs.replace(made, of_detectors=tuple(map(cls.of, comparison.of_detectors)))

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Identifies it among the comparisons of its test."""
        return self.image, self.reference, self.candidate, self.kind


# What a test leaves


class Left(Struct, frozen=True, kw_only=True, tag_field="what", tag=str.lower):
    """Something that a test did or found."""


class Used(Left, frozen=True, kw_only=True):
    """It took one of our fixtures; `is_own` is false for a fixture of the user's in the place of ours."""

    fixture: str
    is_own: bool = True


class Loads(Left, frozen=True, kw_only=True):
    """It asked for the model of a side: "train", or the name of a candidate.

    `folder` is where the model of a factory's object lies, which no setting names; `digest` the sha256 of the text
    `config`, the inference.yml that it was loaded with.
    """

    side: str
    folder: str = ""
    config: str = ""
    digest: str = ""


class Asked(Left, frozen=True, kw_only=True):
    """It asked for a baseline, whatever came of it."""

    path: str


class Golden(Left, frozen=True, kw_only=True):
    """It took a baseline, or recorded one; `drift` says what an older one was moved by."""

    image: str
    path: str
    reference: str
    recorded: bool
    drift: str


class Compared(Left, frozen=True, kw_only=True):
    """An assertion judged a comparison."""

    comparison: RecordedComparison
    has_same_files: bool = False


class Failed(Left, frozen=True, kw_only=True):
    """It failed: the whole message, the causes, and what the other comparisons of the image show."""

    image: str
    reference: str
    candidate: str
    kind: str
    message: str
    diagnoses: tuple[Diagnosis, ...]
    others: tuple[RecordedComparison, ...]
    rerun: str = ""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """That of the comparison."""
        return self.image, self.reference, self.candidate, self.kind


class Caught(Left, frozen=True, kw_only=True):
    """It caught differences, so that pytest did not see them."""

    messages: tuple[str, ...]
    is_expected: bool


class Batched(Left, frozen=True, kw_only=True):
    """An image that a test compared ran in a batch as well, and was compared with itself alone.

    Attributes:
        asked: how many images its deployment runs at once.
        size: how many ran with it, itself included: 1 where no other tensor has its size, 0 where it could not run.
        is_same: whether it came out as it does alone; also true of one that ran alone.
        text: what differs, or what stopped it, or why it did not run.
        cause: the code, what is wrong, its proof and the fix, in words.
        largest: the largest difference of its map; `limit` is what permits it.
    """

    side: str
    image: str
    asked: int
    size: int
    is_same: bool = True
    text: str = ""
    cause: str = ""
    largest: float | None = None
    limit: float | None = None


class BatchLimit(Left, frozen=True, kw_only=True):
    """What a side's own code says of a batch of images whose tensors differ in size."""

    side: str
    text: str


class Counted(Left, frozen=True, kw_only=True):
    """An image that two sides were compared on, against its label.

    Attributes:
        limit: what a run of such images may drop by.
        label: the image as its label names it, however the test does; nothing where it has none.
        why: why it does not count: "no_label", "left_out", "no_result", "other_task"; nothing where it does.
    """

    task: str
    reference: str
    candidate: str
    image: str
    limit: Limit
    label: str = ""
    why: str = ""
    counts: ImageCounts | None = None


class LabelFault(Left, frozen=True, kw_only=True):
    """The labels could not be used when an image was to be counted: its process alone may have seen it."""

    task: str
    text: str


class Evaluated(Left, frozen=True, kw_only=True):
    """An assertion judged the accuracy of a candidate."""

    accuracy: AccuracyRecord


Record = (
    Used | Loads | Asked | Golden | Compared | Failed | Caught | Batched | BatchLimit | Counted | LabelFault | Evaluated
)


def document_record(what: str, **values: Any) -> Record:
    """Return the record of this tag. Raises msgspec.ValidationError where there is none, or it has other values."""
    found: Record = msgspec.convert({"what": what, **values}, Record)
    return found


def pack_document_part(value: Any) -> bytes:
    """Return typed values as they travel between processes.

    As JSON: MessagePack has no half surrogate pairs, as names of files do, and no integers of more than 64 bits.
    """
    return json.dumps(msgspec.to_builtins(value)).encode()


def unpack_document_part(data: bytes, kind: type[T]) -> T:
    """Return what was packed."""
    return msgspec.convert(json.loads(data), kind)


def unpack_document_records(data: bytes) -> list[Record]:
    """Return the records that a test left."""
    return unpack_document_part(data, list[Record])


# The document


class RunRecord(Struct, frozen=True):
    """The run as a whole."""

    finished: Annotated[str, "UTC, ISO 8601"]
    verdict: Annotated[
        str,
        "passed or failed; passed: something was compared, nothing differs, and no test of ours failed to compare",
    ]
    exit_status: Annotated[int, "pytest's, which other tests of the suite share"]
    interrupted: Annotated[bool, "the run stopped before its last test; comparisons are those made before"]
    tests: Annotated[dict[str, Count], "tests of the whole suite by how they ended; of several attempts, the last"]
    faults: Annotated[tuple[str, ...], "why the run as a whole fails"]
    notes: tuple[str, ...]
    partial: Annotated[
        bool,
        "tests that passed in the run before, which had ended early, were left out; nothing was judged over the run",
    ] = False


class CandidateRecord(Struct, frozen=True):
    """The settings of a candidate."""

    values: dict[str, Any]
    tolerance: Annotated[dict[str, Limit], "by name, STAGE.LIMIT"]
    files: Annotated[
        dict[str, str], "sha256 of the text of its inference.yml as the run loaded it; empty where none was loaded"
    ] = msgspec.field(default_factory=dict)


class RecognitionRecord(Struct, frozen=True):
    """The settings of the recognisers, in a project of both tasks."""

    train: dict[str, Any]
    tolerance: Annotated[dict[str, Limit], "by name, STAGE.LIMIT"]
    candidates: dict[str, CandidateRecord]


class SettingsRecord(Struct, frozen=True):
    """The settings of the run."""

    file: str | None
    root: str
    no_train: bool
    allow_empty: bool
    golden: dict[str, Any]
    train: dict[str, Any]
    tolerance: Annotated[dict[str, Limit], "by name, STAGE.LIMIT"]
    candidates: dict[str, CandidateRecord]
    recognition: RecognitionRecord | None = None
    page: Annotated[dict[str, Any], "of the deployment that reads pages"] = msgspec.field(default_factory=dict)


class NotCompared(Struct, frozen=True):
    """A test or an image without a comparison."""

    test: str
    image: str | None
    outcome: Annotated[str, "failed, error, skipped, crashed, compared nothing, not reached"]
    reason: str


class Results(Struct, frozen=True):
    """What one run compared."""

    schema_version: Literal[1, 2]
    run: RunRecord
    environment: Annotated[dict[str, str], "versions by distribution, python and platform"]
    settings: SettingsRecord
    comparisons: Sequence[RecordedComparison]
    not_compared: Annotated[
        tuple[NotCompared, ...],
        "tests that used the fixtures, or whose worker died, and left no comparison; and images that a run did not "
        "reach which stopped early",
    ]
    batches: Annotated[
        tuple[Batched, ...], "from version 2 on: images that ran in batches as well, each compared with itself alone"
    ] = ()
    accuracy: Annotated[tuple[AccuracyRecord, ...], "from version 2 on: with labels, of each candidate"] = ()
    label_faults: Annotated[
        tuple[str, ...], "from version 2 on: why a run fails whose labels say nothing, under whatever limit"
    ] = ()


def non_finite_in_document(value: Any) -> Any:
    """Return a JSON value with the texts "NaN", "Infinity" and "-Infinity" for the numbers that JSON lacks."""
    if isinstance(value, dict):
        return {key: non_finite_in_document(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [non_finite_in_document(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def read_report_document(path: Path) -> Results:
    """Return a document that keeps the schema.

    Raises:
        ReportError: the file is missing or unreadable, no JSON, of a newer schema, or does not keep it.
    """
    try:
        document: Any = non_finite_in_document(json.loads(path.read_bytes(), parse_int=_json_integer))
        return _typed_results(path, document)
    except OSError as error:
        raise ReportError(f"{path}: cannot read these results: {error.strerror or error}") from error
    except msgspec.ValidationError as error:
        raise ReportError(f"{path} is no results.json of pytest-ocrparity: {str(error)[:300]}") from error
    except (ValueError, RecursionError) as error:
        raise ReportError(f"{path} is no JSON: {error}") from error


def _json_integer(text: str) -> int:
    if len(text) > _LONGEST_INTEGER:
        raise ValueError(f"a number of {len(text)} digits")
    return int(text)


def _typed_results(path: Path, document: Any) -> Results:
    version = document.get("schema_version") if isinstance(document, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise ReportError(
            f"{path} has schema_version {version}; this version of pytest-ocrparity reads up to {SCHEMA_VERSION}"
        )
    found = msgspec.convert(document, Results, strict=False)  # which takes the texts NaN and Infinity for numbers
    _check_same(document, non_finite_in_document(msgspec.to_builtins(found)), "$")
    return msgspec.structs.replace(found, comparisons=tuple(found.comparisons))


def _check_same(given: Any, read: Any, place: str) -> None:
    """Raise ValidationError where a document lacks a key or says something else than was read of it.

    Reading fills defaults in, and takes a number in quotation marks for a number. Unknown keys are passed over.
    """
    if isinstance(read, dict):
        newer = {key for _, key in NEWER}
        for key, item in read.items():
            if key in given:
                _check_same(given[key], item, f"{place}.{key}")
            elif key not in newer:
                raise msgspec.ValidationError(f"Object missing required field `{key}` - at `{place}`")
    elif isinstance(read, list):
        for index, (given_item, read_item) in enumerate(zip(given, read, strict=True)):
            _check_same(given_item, read_item, f"{place}[{index}]")
    else:
        number = float(given) if isinstance(read, float) and type(given) is int else given
        if number != read or isinstance(given, bool) != isinstance(read, bool):
            raise msgspec.ValidationError(f"Expected `{type(read).__name__}`, got {str(given)[:40]!r} - at `{place}`")
