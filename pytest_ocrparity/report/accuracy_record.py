"""What both sides make of their images' labels over a run, as `results.json` holds it."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta, Struct

from pytest_ocrparity.evaluate.counts import ImageCounts
from pytest_ocrparity.evaluate.verdict import Accuracy
from pytest_ocrparity.tolerance import Limit

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
        return sorted((each for each in self.counts if each.is_different), key=lambda each: (-loss(each), each.image))


def loss(counts: ImageCounts) -> int:
    """Return how many boxes the candidate loses on an image, and how many more of what it finds are wrong."""
    one, two = counts.reference, counts.candidate
    return 2 * (one.matched - two.matched) + two.found - one.found
