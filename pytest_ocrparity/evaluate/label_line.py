"""One line of a label file: the images that it names, and what it says is right for them."""

from __future__ import annotations

import codecs
import json
import os
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.errors import LabelError, did_you_mean
from pytest_ocrparity.stages import RECOGNITION
from pytest_ocrparity.wording import printable

DONT_CARE: Final = ("*", "###")
"""PaddleOCR's transcriptions of boxes that are neither right nor wrong (`DetLabelEncode`)."""
_LARGEST: Final = 1e9
"""A coordinate beyond it is in no image; of NaN nothing is true."""
_QUOTED: Final = 60
"""How many characters of a line a message quotes."""


@dataclass(frozen=True, slots=True, eq=False)
class Label:
    """What is right for one image.

    Attributes:
        image: its path, as `data_dir` and the line of the label file give it.
        polygons: of a detector, (N, 2) float64 arrays, x then y, in pixels of the image as cv2 reads it: EXIF applied.
        transcriptions: of a detector, the text of each polygon.
        text: of a recogniser, the text of the line; None for a detector.
        group: the document that it is of; a name of its own where images are by themselves.
        where: where it stands, file:line; nothing where it is of no file.
    """

    image: str = ""
    polygons: tuple[npt.NDArray[np.float64], ...] = ()
    transcriptions: tuple[str, ...] = ()
    text: str | None = None
    group: str = ""
    where: str = ""

    def __post_init__(self) -> None:
        """Refuse polygons and transcriptions of different number (ValueError); no transcription at all means words."""
        polygons = tuple(np.asarray(polygon, np.float64) for polygon in self.polygons)
        for index, polygon in enumerate(polygons):
            if polygon.ndim != 2 or polygon.shape[1] != 2:
                raise ValueError(f"polygon {index} of a label has shape {polygon.shape}, not (number of points, 2)")
        object.__setattr__(self, "polygons", polygons)
        if not self.transcriptions:
            object.__setattr__(self, "transcriptions", ("",) * len(polygons))
        if len(self.transcriptions) != len(polygons):
            raise ValueError(f"a label has {len(polygons)} polygons but {len(self.transcriptions)} transcriptions")

    @property
    def ignored(self) -> tuple[bool, ...]:
        """Which polygons are PaddleOCR's "don't care": their transcription is `*` or `###`."""
        return tuple(text in DONT_CARE for text in self.transcriptions)

    @property
    def is_blank(self) -> bool:
        """Return whether it says that there is nothing to find."""
        return not self.polygons and not self.text


class LineForm(NamedTuple):
    """How a line is written."""

    task: str
    delimiter: str

    def split(self, line: bytes, where: str) -> tuple[tuple[str, ...], str]:
        """Return the image paths and the label of a line.

        Raises:
            LabelError: it is not UTF-8, or not two parts.
        """
        try:
            text = line.rstrip(b"\r\n").removeprefix(codecs.BOM_UTF8).decode()
        except UnicodeDecodeError as error:
            raise LabelError(f"{where}: byte {error.start} of this line is not UTF-8: save the file as UTF-8") from None
        parts = text.split(self.delimiter)
        if len(parts) != 2:
            many = "no" if len(parts) == 1 else f"{len(parts) - 1} times the"
            raise LabelError(
                f"{where}: {_excerpt(text)} holds {many} delimiter {self.delimiter!r}, and a line is one path, one "
                f"delimiter and one label{'' if len(parts) == 1 else ' (PaddleOCR drops what follows the second)'}: "
                "correct the line, or name the delimiter of this file"
            )
        if not parts[0]:
            raise LabelError(f"{where}: the line names no image: write its path before the delimiter")
        names = _image_names(parts[0])
        for name in names:
            if not can_be_path(name):
                raise LabelError(f"{where}: {printable(name)} cannot be the path of an image: correct it")
        return names, parts[1]

    def label(self, text: str, where: str) -> Label:
        """Return what a line says is right.

        Raises:
            LabelError: of a detector, it is no JSON list of boxes.
        """
        if self.task == RECOGNITION.name:
            return Label(text=text)
        try:
            boxes = json.loads(text)
        except (ValueError, RecursionError) as error:
            found = "nothing stands" if not text else f"{_excerpt(text)} is not JSON ({error}) and stands"
            raise LabelError(
                f"{where}: {found} where a list of boxes belongs: write "
                '[{"transcription": "text", "points": [[x, y], ...]}], or [] for a page without boxes'
            ) from None
        if not isinstance(boxes, list):
            raise LabelError(f"{where}: the label is {_excerpt(text)}, not a list of boxes; of one box it is [box]")
        read = [_read_box(box, f"{where}: box {index}") for index, box in enumerate(boxes)]
        return Label(polygons=tuple(points for _, points in read), transcriptions=tuple(name for name, _ in read))


def _image_names(written: str) -> tuple[str, ...]:
    """Return the images of a line: PaddleOCR takes a JSON list of paths as several images of one label."""
    if written.startswith("["):
        try:
            names = json.loads(written)
        except (ValueError, RecursionError):
            return (written,)  # a file name that begins so
        if isinstance(names, list) and names and all(isinstance(name, str) and name for name in names):
            return tuple(names)
    return (written,)


def can_be_path(name: str) -> bool:
    """Return whether a file can have this name: not one with a null, or with half a surrogate pair."""
    try:
        return "\0" not in name and bool(os.fsencode(name))
    except UnicodeEncodeError:
        return False


def _read_box(box: Any, where: str) -> tuple[str, npt.NDArray[np.float64]]:
    """Return transcription and points of a box. Raises LabelError."""
    if not isinstance(box, dict):
        raise LabelError(f'{where} is {_excerpt(box)}, not {{"transcription": "text", "points": [[x, y], ...]}}')
    for name in ("transcription", "points"):
        if name not in box:
            hint = did_you_mean(name, map(str, box)) if box else "it is empty"
            raise LabelError(f"{where} has no {name!r}, which PaddleOCR reads: write it; {hint}")
    transcription, points = box["transcription"], box["points"]
    if not isinstance(transcription, str):
        raise LabelError(f"{where}: transcription is {_excerpt(transcription)}, not a text: write it in quotes")
    if not _are_points(points) or len(points) < 3:
        raise LabelError(f"{where}: points are {_excerpt(points)}, not three or more [x, y] in px: draw it again")
    return transcription, np.array(points, np.float64)


def _are_points(points: Any) -> bool:
    """Return whether these are pairs of numbers: by sets, as a file has hundreds of thousands."""
    if not isinstance(points, list) or not {type(point) for point in points} <= {list}:
        return False
    values = [value for point in points for value in point]
    is_of_pairs = {len(point) for point in points} <= {2} and {type(value) for value in values} <= {int, float}
    return is_of_pairs and all(-_LARGEST <= value <= _LARGEST for value in values)


def _excerpt(value: Any) -> str:
    """Return a value of a file as messages show it."""
    text = printable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    return f"{text[:_QUOTED]}..." if len(text) > _QUOTED else text or "nothing"
