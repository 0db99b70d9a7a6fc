"""What the counts of many images show: one of four verdicts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Final

from pytest_ocrparity.evaluate.counts import ImageCounts
from pytest_ocrparity.evaluate.interval import Interval

FAILED, PASSED, NO_LOSS_SEEN, UNDECIDED = "failed", "passed", "no loss seen", "undecided"
VERDICTS: Final = (FAILED, PASSED, NO_LOSS_SEEN, UNDECIDED)
MAX_DROP: Final = 0.01
LEAST_UNITS: Final = 30
"""Fewer units (images, or documents) are never *passed*."""


@dataclass(frozen=True, slots=True)
class Scores:
    """How accurate one side is, as shares from 0 to 1; of a recogniser precision, recall and hmean are its accuracy."""

    precision: float
    recall: float
    hmean: float
    in_order: Annotated[float, "the hmean of PaddleOCR's evaluator, whose matches depend on the order of boxes"]
    similarity: Annotated[float | None, "of a recogniser, 1 - mean normalised edit distance, spaces counted"] = None
    spaceless: Annotated[float | None, "of a recogniser, accuracy as PaddleOCR's RecMetric counts: no spaces"] = None
    spaceless_similarity: Annotated[float | None, "of a recogniser, RecMetric's norm_edit_dis: no spaces"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """What a candidate's accuracy is beside the reference's. Deliberately without a truth value: read `verdict`."""

    task: str
    verdict: Annotated[str, "failed, passed, no loss seen, undecided"]
    text: Annotated[str, "the verdict in one or two sentences"]
    reference: Scores
    candidate: Scores
    difference: Annotated[float, "hmean (accuracy) of the candidate minus that of the reference"]
    interval: Interval
    max_drop: Annotated[float, "the drop that is allowed, as a share: 0.01 is one point"]
    is_set: Annotated[bool, "true: the user set max_drop, so that an undecided run fails"] = False
    images: int = 0
    units: Annotated[int, "images, or documents where group puts images together"] = 0
    different: Annotated[int, "images in which a count differs between the sides"] = 0
    more: Annotated[int | None, "about how many more images would decide; null: it is decided, or none would"] = None
    false_alarms: Annotated[tuple[int, int], "boxes on blank pages, of reference and candidate"] = (0, 0)

    @property
    def fails(self) -> bool:
        """Return whether the run fails: the drop is proven, or undecided where the user set how large it may be."""
        return self.verdict == FAILED or (self.is_set and self.verdict == UNDECIDED)

    def __bool__(self) -> bool:
        """Refuse: `assert judge(...)` would pass whatever was found."""
        raise TypeError("an Accuracy has no truth value: read its verdict, or use assert_same_accuracy()")


def judge(
    images: Iterable[ImageCounts], *, task: str = "detection", max_drop: float = MAX_DROP, is_set: bool = False
) -> Accuracy:
    """Return what the counts of many images show.

    Raises:
        ValueError: there is no image, or `max_drop` is not from 0 to 1.
    """
    raise NotImplementedError
