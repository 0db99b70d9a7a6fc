"""What both sides make of their images' labels over a run, as `results.json` holds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Final

from msgspec import Meta, Struct

from pytest_ocrparity.evaluate.counts import ImageCounts
from pytest_ocrparity.evaluate.verdict import Accuracy, accuracy_verdict
from pytest_ocrparity.tolerance import ACCURACY, OFF, Limit

NOT_JUDGED: Final = "not judged"
"""The verdict where the limit is off."""


class AccuracyRecord(Struct, frozen=True, kw_only=True):
    """The accuracy of a candidate beside its reference's, with the counts that it was judged by."""

    reference: str
    candidate: str
    limit: Limit
    result: Annotated[Accuracy, "the figures, and the verdict: from what is listed there, or not judged"]
    cause: Annotated[str, "what experiments showed on the image of those with a cause that lost most"] = ""
    not_counted: Annotated[dict[str, Annotated[int, Meta(ge=0)]], "images and labels that do not count, by reason"] = {}
    counts: Annotated[tuple[ImageCounts, ...], "of each image on both sides, by name"] = ()

    @property
    def sides(self) -> tuple[str, str]:
        """Reference and candidate."""
        return self.reference, self.candidate

    @property
    def changed(self) -> list[ImageCounts]:
        """Return the images on which a count differs, those that lost most first."""
        return sorted((each for each in self.counts if each.is_different), key=lambda each: (-each.loss, each.image))


def judge_accuracy(counts: Sequence[ImageCounts], task: str, limit: Limit) -> Accuracy:
    """Return what the counts of a run's images show under a limit; one that a preset sets is not the user's."""
    if limit.value == OFF:
        found = accuracy_verdict(counts, task=task)
        return replace(found, verdict=NOT_JUDGED, text=f"{ACCURACY} is off", max_drop=1.0)
    return accuracy_verdict(counts, task=task, max_drop=float(limit.value), is_set=not limit.is_preset)
