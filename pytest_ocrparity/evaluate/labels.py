"""Reads PaddleOCR's label files, line by line, and says what of them cannot be used."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Annotated, Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

UNLABELLED, EMPTY = "unlabelled", "empty"
"""What a page without boxes (a line without text) is: one that nobody labelled, or one that holds no text."""
BLANKS: Final = (UNLABELLED, EMPTY)

Grouping: TypeAlias = "str | Callable[[str], str]"
"""How the document of an image is found by its path: a regular expression with one group, or a function."""


@dataclass(frozen=True, slots=True, eq=False)
class Label:
    """What is right for one image.

    Attributes:
        image: its path, as `data_dir` and the line of the label file give it.
        polygons: of a detector, (N, 2) float64 arrays, x then y, in pixels of the image as cv2 reads it (EXIF applied).
        transcriptions: of a detector, the text of each polygon.
        text: of a recogniser, the text of the line; None for a detector.
        group: the document that it is of; equal to `image` where images are by themselves.
    """

    image: str = ""
    polygons: tuple[npt.NDArray[np.float64], ...] = ()
    transcriptions: tuple[str, ...] = ()
    text: str | None = None
    group: str = ""

    @property
    def ignored(self) -> tuple[bool, ...]:
        """Which polygons are PaddleOCR's "don't care": their transcription is `*` or `###`."""
        return tuple(text in ("*", "###") for text in self.transcriptions)

    @property
    def is_blank(self) -> bool:
        """Return whether it says that there is nothing to find."""
        return not self.polygons and not self.text


@dataclass(frozen=True, slots=True)
class LabelCensus:
    """What label files hold: each number counts lines or images that are left out or are not what they seem."""

    images: Annotated[int, "images with a label that is used"] = 0
    blank: Annotated[int, "of these, images whose label says that they hold no text"] = 0
    unlabelled: Annotated[int, "images without boxes that nobody labelled, by blank = \"unlabelled\": left out"] = 0
    unconfirmed: Annotated[int, "images that PPOCRLabel's fileState.txt does not list as confirmed: left out"] = 0
    missing: Annotated[int, "labels whose image file is not there: left out"] = 0
    repeated: Annotated[int, "lines that repeat an image with the same label: used once"] = 0
    empty_lines: int = 0
    boxes: Annotated[int, "boxes of the images that are used"] = 0
    ignored: Annotated[int, "of these, don't care (* or ###)"] = 0
    invalid: Annotated[int, "of these, boxes that cross themselves or have no area: left out, as PaddleOCR does"] = 0
    first: Annotated[tuple[tuple[str, str], ...], "by name of a count, where the first of it stands: file:line"] = ()


class Labels:
    """The labels of many images, of which memory holds where each stands in its file.

    Attributes:
        task: "detection" or "recognition".
        files: the paths of the label files.
        images: the paths of the images with a usable label, in the order of their lines.
        missing: the paths of labels whose image is not there.
        census: what the files hold.
    """

    task: str
    files: tuple[str, ...]
    images: tuple[str, ...]
    missing: tuple[str, ...]
    census: LabelCensus

    def __len__(self) -> int:
        """Return the number of images with a usable label."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[Label]:
        """Yield the labels in the order of their lines."""
        raise NotImplementedError

    def of(self, image: str | PathLike[str]) -> Label | None:
        """Return the label of an image, however its path is written; None where there is none."""
        raise NotImplementedError


def read_labels(
    files: str | PathLike[str] | Sequence[str | PathLike[str]],
    *,
    task: str = "detection",
    data_dir: str | PathLike[str] | None = None,
    delimiter: str = "\t",
    blank: str | None = None,
    group: Grouping | None = None,
) -> Labels:
    """Check every line of label files, and return what is in them.

    Args:
        files: one path or several.
        task: "detection" or "recognition".
        data_dir: the folder that the paths of the lines start from; else that of each label file.
        delimiter: what stands between path and label.
        blank: what a page without boxes is, "unlabelled" or "empty"; None refuses such a page.
        group: how the document of an image is found; None where each image is by itself.

    Raises:
        LabelError: a file or a line cannot be used.
    """
    raise NotImplementedError
