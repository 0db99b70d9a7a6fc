"""The values that a pipeline produces for one image, stage by stage, with the parameters that really ran.

It knows arrays, and nothing of models or pytest. `Trace.to_json` and `from_json` keep a trace in files; `from_result`
takes what other programs write.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.errors import ResultError, StageError, did_you_mean
from pytest_ocrparity.jsonable import jsonable
from pytest_ocrparity.stages import (
    DETECTION,
    PAGE,
    PAGES,
    PROBABILITY_MAP,
    RECOGNITION,
    RESIZE,
    STAGES,
    TENSOR,
    TEXT,
    Task,
    task_named,
)
from pytest_ocrparity.trace.decoded import Array, Decoded, read_only, trace_copy
from pytest_ocrparity.trace.recognised_text import Recognition
from pytest_ocrparity.trace.result_document import read_result_document
from pytest_ocrparity.trace.stored_fields import wrong_stored_fields
from pytest_ocrparity.trace.trace_file import read_trace_arrays, read_trace_file, read_trace_json, write_trace_file
from pytest_ocrparity.wording import image_label, printable

Image: TypeAlias = "str | PathLike[str] | npt.NDArray[np.uint8]"
"""A path, or an (H, W, 3) uint8 array in BGR order."""


Shape: TypeAlias = "tuple[float, float, float, float]"
"""PaddleOCR's shape row: source height, source width, ratio_h, ratio_w."""


__all__ = [
    "Array",
    "Decoded",
    "Detections",
    "Image",
    "Recognition",
    "Shape",
    "Trace",
    "trace_copy",
    "trace_source_place",
]


FORMAT: Final = "pytest-ocrparity trace"
VERSION: Final = 1
"""What `Trace.to_json` writes; a reader refuses a newer one."""

_ARRAYS: Final = (RESIZE, TENSOR, PROBABILITY_MAP, "fused_map")
_PLAIN: Final = ("pipeline", "image", "image_sha256", "shape", "parameters", "map_error", "map_sensitivity")
"""The fields that a JSON file holds as they are."""
_LEFT_OUT: Final[Mapping[str, Any]] = {
    **dict.fromkeys(("image_sha256", "shape", "map_sensitivity", "decode", "error")),
    **dict.fromkeys(("dt_polys", "dt_scores", "rec_text", "rec_score", "rec_texts", "rec_scores")),
    "parameters": {},
    "map_error": 0.0,
    "arrays": {},
}
"""What a key means that a JSON file leaves out."""


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """Boxes and their scores, which never travel apart.

    `polygons` is a tuple of (N, 2) float64 arrays, x then y, in source-image pixels; `scores` is (M,) float64 in
    0 to 1, or None where a post-process throws them away.
    """

    polygons: tuple[npt.NDArray[np.float64], ...]
    scores: npt.NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        """Make the arrays read-only float64 and refuse what is no list of polygons (ValueError)."""
        polygons = tuple(read_only(polygon, np.float64) for polygon in self.polygons)
        for index, polygon in enumerate(polygons):
            if polygon.ndim != 2 or polygon.shape[1] != 2:
                raise ValueError(
                    f"polygon {index} has shape {polygon.shape}, not (number of points, 2); a single one is [polygon]"
                )
        object.__setattr__(self, "polygons", polygons)
        if self.scores is not None:
            scores = read_only(self.scores, np.float64).reshape(-1)
            if len(scores) != len(polygons):
                raise ValueError(f"{len(polygons)} polygons but {len(scores)} scores")
            object.__setattr__(self, "scores", scores)

    def __len__(self) -> int:
        """Return the number of boxes."""
        return len(self.polygons)

    def __eq__(self, other: object) -> bool:
        """Compare polygons and scores, NaN equal to NaN, in order."""
        if not isinstance(other, Detections):
            return NotImplemented
        return _are_equal_values(self.scores, other.scores) and _are_equal_values(self.polygons, other.polygons)

    __hash__ = None  # type: ignore[assignment]  # holds arrays


def _are_equal_values(value: object, other: object) -> bool:
    """Return whether two field values are equal, arrays by content and NaN equal to NaN."""
    if isinstance(value, np.ndarray) and isinstance(other, np.ndarray):
        return (
            value.shape == other.shape and value.dtype == other.dtype and np.array_equal(value, other, equal_nan=True)
        )
    if isinstance(value, tuple) and isinstance(other, tuple):
        return len(value) == len(other) and all(_are_equal_values(a, b) for a, b in zip(value, other, strict=True))
    if isinstance(value, np.ndarray) or isinstance(other, np.ndarray):
        return False
    return bool(value == other)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trace:
    """What one side made of one image. The smallest valid one holds `pipeline`, `image` and what the model returns.

    Attributes:
        pipeline: the name of this side in messages, such as "train" or "inference".
        image: the name of the image in messages: a path as the user wrote it.
        decode: the decoded image.
        resize: (h, w, 3) uint8, the resized image, h and w in network-input pixels.
        shape: PaddleOCR's shape row: source height, source width, ratio_h, ratio_w.
        tensor: (1, 3, h, w) float32, the network's input.
        probability_map: the network's output as it came, float32: of a detector (1, C, h, w), where C is 1 for a right
            export, of a recogniser (1, T, C), where T are timesteps and C the characters with the blank first.
        detections: of a detector, polygons in source-image pixels, with scores where the side has them.
        recognition: of a recogniser, the text that it reads, with its score.
        texts: of a page, what was read in each of its `detections`, which are in reading order; None for a box whose
            text was left out.
        parameters: by stage name, the parameters that ran, not those that a YAML file sets.
        error: what stopped the pipeline; the stages from there on are None.
        image_sha256: digest of the image file's bytes (or of the array given in its place).
        map_error: half the step with which `probability_map` was stored, 0 for a live trace.
        map_sensitivity: how far the map moves when its tensor is rounded, as recorded; see `compare.sensitivity`.
        fused_map: the map of the re-parameterised copy of the network, where there is one.
        files: of a baseline, digests of the files of the model that it was recorded from, by name; a live trace's
            `source` states its own. Left out of equality and of saving.
        recorded_from: the pipeline that this run recorded this baseline from, or its name where it gives no source;
            comparing the baseline with that side proves nothing. Left out of equality.
        source: the `contract.Pipeline` that made this trace and can run parts of it again; None where there is none.
            Left out of equality and of saving.
        memo: what was found out about this trace later, so that it is found out once. Left out of equality.
    """

    pipeline: str
    image: str
    decode: Decoded | None = None
    resize: npt.NDArray[np.uint8] | None = None
    shape: Shape | None = None
    tensor: npt.NDArray[np.float32] | None = None
    probability_map: npt.NDArray[np.float32] | None = None
    detections: Detections | None = None
    recognition: Recognition | None = None
    texts: tuple[Recognition | None, ...] | None = None
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    error: StageError | None = None
    image_sha256: str | None = None
    map_error: float = 0.0
    map_sensitivity: float | None = None
    fused_map: npt.NDArray[np.float32] | None = None
    files: Mapping[str, str] = field(default_factory=dict, repr=False)
    recorded_from: object = field(default=None, repr=False)
    source: object = field(default=None, repr=False)
    memo: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        """Make arrays read-only, so that no user of a cached trace changes another's, and parameters plain.

        Raises ValueError for a trace of both a detector and a recogniser, or with texts that are not one for each box,
        and TypeError for a text that is no `Recognition`.
        """
        if self.recognition is not None and not isinstance(self.recognition, Recognition):
            raise TypeError(f"the recognition of a trace is a Recognition(text, score), not {self.recognition!r}")
        if self.detections is not None and self.recognition is not None:
            raise ValueError("a trace holds detections or a recognition, as it is of one model, and not both")
        if self.texts is not None:
            object.__setattr__(self, "texts", tuple(self.texts))
            if self.detections is None or len(self.texts) != len(self.detections):
                boxes = "no detections" if self.detections is None else f"{len(self.detections)} detections"
                raise ValueError(f"the texts of a page are one for each box: {len(self.texts)} texts, {boxes}")
            if wrong := [each for each in self.texts if not isinstance(each, Recognition | None)]:
                raise TypeError(f"the texts of a page are Recognition(text, score) or None, not {wrong[0]!r}")
        object.__setattr__(self, "parameters", jsonable(self.parameters))
        for name in _ARRAYS:
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, read_only(value))

    def __eq__(self, other: object) -> bool:
        """Compare everything but `source`, `files`, `recorded_from` and `memo`."""
        if not isinstance(other, Trace):
            return NotImplemented
        names = [f.name for f in fields(self) if f.name not in ("source", "files", "recorded_from", "memo")]
        return all(_are_equal_values(getattr(self, name), getattr(other, name)) for name in names)

    __hash__ = None  # type: ignore[assignment]  # holds arrays

    @property
    def stages(self) -> tuple[str, ...]:
        """The names of the stages that this trace holds, in order."""
        return tuple(name for name in STAGES if self.value_of(name) is not None)

    def value_of(self, stage: str) -> Any:
        """Return what this trace holds of a stage, one of `stages.STAGES`; None where it does not."""
        return getattr(self, {TEXT: "recognition", PAGE: "texts"}.get(stage, stage), None)

    @property
    def task(self) -> Task:
        """What its model does: it shows in what the model returned, else the pipeline or its parameters say so."""
        if self.texts is not None:
            return PAGES
        if self.detections is not None or self.recognition is not None:
            return DETECTION if self.recognition is None else RECOGNITION
        return task_named(getattr(self.source, "task", None)) or (RECOGNITION if TEXT in self.parameters else DETECTION)

    @property
    def label(self) -> str:
        """The name of the image in messages, see `image_label`."""
        if "label" not in self.memo:
            self.memo["label"] = image_label(self.image)
        return str(self.memo["label"])

    @property
    def floor(self) -> float | None:
        """The name of `map_sensitivity` in 0.1."""
        return self.map_sensitivity

    @property
    def map_scale(self) -> tuple[float, float]:
        """Source pixels per map pixel, along x and along y; (1, 1) where either is unknown or has no pixel."""
        if self.shape is None or not all(self.shape[:2]):
            return 1.0, 1.0
        if self.probability_map is None or not self.probability_map.size:
            return 1.0, 1.0
        height, width = self.probability_map.shape[-2:] if self.probability_map.ndim > 1 else self.shape[:2]
        return self.shape[1] / width, self.shape[0] / height

    def is_recording_of(self, candidate: Trace) -> bool:
        """Return whether this run recorded this baseline from the candidate's own side."""
        made_by = self.recorded_from
        return made_by is not None and (made_by is candidate.source or made_by == candidate.pipeline)

    @property
    def nbytes(self) -> int:
        """Bytes held by this trace's arrays, for bounded caches."""
        arrays = [self.decode and self.decode.pixels, *(getattr(self, name) for name in _ARRAYS)]
        return sum(array.nbytes for array in arrays if array is not None)

    def to_json(self, path: str | PathLike[str]) -> None:
        """Write this trace to a JSON file, and each of its arrays to a `.npy` file beside it.

        Left out are what a baseline leaves out too: `source`, `files`, `recorded_from`; of the decoded image its digest
        is kept.

        Raises:
            OSError: a file cannot be written.
        """
        decode, detections = self.decode, self.detections
        document: dict[str, Any] = {"format": FORMAT, "version": VERSION}
        document |= {name: jsonable(getattr(self, name)) for name in _PLAIN}
        document["decode"] = decode and {
            "shape": list(decode.shape),
            "dtype": decode.dtype,
            "channel_order": decode.channel_order,
            "sha256": decode.sha256,
        }
        document["dt_polys"] = None if detections is None else jsonable(detections.polygons)
        document["dt_scores"] = None if detections is None else jsonable(detections.scores)
        if self.recognition is not None:  # a detector's file stays one that earlier versions read
            document |= {"rec_text": self.recognition.text, "rec_score": self.recognition.score}
        if self.texts is not None:
            document["rec_texts"] = [each and each.text for each in self.texts]
            document["rec_scores"] = [each and each.score for each in self.texts]
        document["error"] = self.error and {"stage": self.error.stage, "message": str(self.error)}
        arrays = {name: getattr(self, name) for name in _ARRAYS if getattr(self, name) is not None}
        write_trace_file(Path(path), document, arrays)

    @classmethod
    def from_json(cls, path: str | PathLike[str]) -> Trace:
        """Return the trace that `to_json`, or a program that keeps its schema, wrote. It has no `source`.

        Raises:
            ResultError: the file or an array beside it is missing, damaged, of a newer version, or no trace's.
        """
        where = image_label(fspath(path))
        return cls.from_document(read_trace_json(read_trace_file(Path(path), where), where), path)

    @classmethod
    def from_document(cls, document: Mapping[str, Any], path: str | PathLike[str]) -> Trace:
        """Return the trace that was read from a file, beside which its arrays lie. Raises as `from_json` does."""
        path = Path(path)
        where = image_label(str(path))
        if document.get("format") != FORMAT:
            raise ResultError(f'{where}: its "format" is {document.get("format")!r:.40}, not {FORMAT!r}')
        if document.get("version") != VERSION:
            raise ResultError(f"{where}: has version {document.get('version')!r:.40}, and this package reads {VERSION}")
        known = ("format", "version", "pipeline", "image", *_LEFT_OUT)
        if unknown := [key for key in document if key not in known]:
            raise ResultError(
                f"{where}: {printable(unknown[0])} is no key of a trace; {did_you_mean(unknown[0], known)}"
            )
        document = {**_LEFT_OUT, **document}
        try:
            return _trace_of(document, read_trace_arrays(path, document["arrays"], _ARRAYS, where), where)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            reason = f"it has no {error}" if isinstance(error, KeyError) else str(error)
            raise ResultError(f"{where}: not a whole trace: {printable(reason)[:200]}") from error

    @classmethod
    def from_result(
        cls,
        document: bytes | str | Mapping[str, Any],
        *,
        image: str | PathLike[str],
        pipeline: str,
        frame: str = "file",
    ) -> Trace:
        """Return a trace of what paddlex's `save_to_json`, its `/ocr` service or the C++ demo say of one image.

        Args:
            document: JSON, as text or parsed: `dt_polys`, and `dt_scores` or `dt_score` where there are scores; of a
                recogniser `rec_text` and `rec_score`.
            image: the path of the image, as the other side is given it.
            pipeline: how messages call the side that made it.
            frame: "image" where its boxes are in the pixels of the image although it says otherwise.

        Raises:
            ResultError: it is no JSON, holds neither boxes nor a text, or several images, or boxes in other pixels
                than the image's.
        """
        name = fspath(image)
        where = f"the results of {pipeline} for {image_label(name)}"
        parsed = document if isinstance(document, Mapping) else read_trace_json(document, where)
        result = read_result_document(parsed, where, frame)
        return cls(
            pipeline=pipeline,
            image=name,
            detections=None if result.polygons is None else Detections(result.polygons, result.scores),
            recognition=result.recognition,
            parameters=result.parameters,
            image_sha256=result.image_sha256,
        )


def _trace_of(document: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]], where: str) -> Trace:
    """Return the trace of a document; what does not fit together raises whatever Python raises."""
    decode, error, shape = document["decode"], document["error"], document["shape"]
    stored = decode and [decode[name] for name in ("shape", "dtype", "channel_order", "sha256")]
    if wrong := wrong_stored_fields({**document, "decode": stored}):
        raise ValueError(f"its {' and '.join(wrong)} cannot be a trace's")
    if not isinstance(document["pipeline"], str):
        raise ValueError("its pipeline is no name")
    if error is not None and (error["stage"] not in STAGES or not isinstance(error["message"], str)):
        raise ValueError("its error names no stage")
    detections = None
    if document["dt_polys"] is not None:
        result = read_result_document(document, where, "image")
        detections = Detections(result.polygons or (), result.scores)
    recognition = None
    if document["rec_text"] is not None:
        recognition = Recognition(document["rec_text"], document["rec_score"])
    texts = None
    if document["rec_texts"] is not None:
        pairs = zip(document["rec_texts"], document["rec_scores"], strict=True)
        texts = tuple(None if text is None else Recognition(text, score) for text, score in pairs)
    plain_fields: dict[str, Any] = {name: document[name] for name in _PLAIN if name != "shape"}
    array_fields: dict[str, Any] = dict(arrays)
    return Trace(
        **plain_fields,
        **array_fields,
        shape=shape and (float(shape[0]), float(shape[1]), float(shape[2]), float(shape[3])),
        decode=Decoded(tuple(stored[0]), *stored[1:]) if stored else None,
        detections=detections,
        recognition=recognition,
        texts=texts,
        error=error and StageError(error["stage"], error["message"]),
    )


def trace_source_place(trace: Trace, place: Any, size: Any) -> tuple[float, float] | None:
    """Convert (row, column) of a tensor or map into x, y of the source image."""
    if trace.shape is None:
        return None
    return float(place[1] * trace.shape[1] / size[1]), float(place[0] * trace.shape[0] / size[0])
