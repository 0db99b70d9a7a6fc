"""Counts what one side found of what is right in an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pytest_ocrparity.evaluate.label_line import Label
from pytest_ocrparity.trace import Detections, Recognition


@dataclass(frozen=True, slots=True)
class Counts:
    """What one side found in one image; integers, so that sums over images are exact.

    Of a recogniser an image is one line, so that `truth` and `found` are 1 and hmean is PaddleOCR's accuracy.
    """

    matched: Annotated[int, "boxes of the label that have a detection of IoU above 0.5, one to one; right lines"]
    truth: Annotated[int, "boxes of the label, don't care and invalid ones left out; lines"]
    found: Annotated[int, "detections, invalid ones and those inside of a don't care region left out; lines"]
    in_order: Annotated[int, "boxes that PaddleOCR's evaluator matches, which depends on their order; right lines"] = 0
    invalid: Annotated[int, "detections that cross themselves or have no area: PaddleOCR leaves them out"] = 0
    distance: Annotated[float, "normalised edit distance of the line, 0 to 1, spaces counted"] = 0.0
    spaceless: Annotated[int, "1: the line is right where spaces are not counted, as by PaddleOCR's RecMetric"] = 0
    spaceless_distance: Annotated[float, "normalised edit distance of the line where spaces are not counted"] = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageCounts:
    """What both sides found in one image."""

    image: Annotated[str, "its path, as its label or its trace names it"]
    group: Annotated[str, "the document that it is of: images of one are drawn together"]
    reference: Counts
    candidate: Counts
    is_blank: Annotated[bool, "true: its label says that it holds no text"] = False
    lost: Annotated[tuple[int, ...], "boxes of the label, from 0, that only the reference matches; of a line (0,)"] = ()
    gained: Annotated[tuple[int, ...], "boxes of the label, from 0, that only the candidate matches"] = ()

    @property
    def is_different(self) -> bool:
        """Return whether a count differs between the sides."""
        one, two = self.reference, self.candidate
        return (one.matched, one.truth, one.found) != (two.matched, two.truth, two.found)


def count_image(
    label: Label, reference: Detections | Recognition, candidate: Detections | Recognition, image: str = ""
) -> ImageCounts:
    """Count what both sides found in an image; `image` is its name, else that of the label."""
    raise NotImplementedError
