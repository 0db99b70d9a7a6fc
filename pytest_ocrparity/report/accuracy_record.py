"""What both sides make of their images' labels over a run, as `results.json` holds it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Final, overload

from msgspec import Meta, Struct, structs

from pytest_ocrparity.evaluate.counts import ImageCounts
from pytest_ocrparity.evaluate.verdict import Accuracy, accuracy_verdict
from pytest_ocrparity.tolerance import ACCURACY, OFF, Limit

NOT_JUDGED: Final = "not judged"
"""The verdict where the limit is off."""


class StoredCounts(Sequence[ImageCounts]):
    """The counts of a run's images, in memory without their changes; what is asked for by its place has them.

    A candidate that loses everything leaves hundreds of thousands.

    Attributes:
        light: all of them, without changes.
    """

    def __init__(self, light: Sequence[ImageCounts], whole: Callable[[int], ImageCounts]) -> None:
        """Keep the light ones; `whole` returns that at a place."""
        self.light, self._whole = light, whole

    @overload
    def __getitem__(self, place: int) -> ImageCounts: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[ImageCounts]: ...

    def __getitem__(self, place: int | slice) -> ImageCounts | Sequence[ImageCounts]:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        found = self.light[place]
        return self._whole(range(len(self))[place]) if found.is_different else found

    def __len__(self) -> int:
        return len(self.light)

    def __iter__(self) -> Iterator[ImageCounts]:
        return (self[place] for place in range(len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # holds a list


def light_counts(counts: ImageCounts) -> ImageCounts:
    """Return counts without their changes."""
    return replace(counts, changes=()) if counts.changes else counts


class AccuracyRecord(Struct, frozen=True, kw_only=True):
    """The accuracy of a candidate beside its reference's, with the counts that it was judged by."""

    reference: str
    candidate: str
    limit: Limit
    result: Annotated[Accuracy, "the figures, and the verdict: from what is listed there, or not judged"]
    test: Annotated[str, "pytest's node id of the test that asserted it; nothing: the run judges it at its end"] = ""
    cause: Annotated[
        str, "what experiments showed on the image that lost most of those with a cause, or that it is not known"
    ] = ""
    otherwise: Annotated[int, "images that tests counted differently: that which lost most counts"] = 0
    not_counted: Annotated[dict[str, Annotated[int, Meta(ge=0)]], "images and labels that do not count, by reason"] = {}
    named: Annotated[dict[str, tuple[str, ...]], "the first 100 of them by name, where they have one"] = {}
    counts: Annotated[Sequence[ImageCounts], "of each image on both sides, by name"] = ()

    @property
    def sides(self) -> tuple[str, str]:
        """Reference and candidate."""
        return self.reference, self.candidate

    @property
    def light(self) -> Sequence[ImageCounts]:
        """The counts, where they are in memory without their changes."""
        return self.counts.light if isinstance(self.counts, StoredCounts) else self.counts

    @property
    def changed_places(self) -> list[int]:
        """The places of the images on which something differs, those that lost most first."""
        found = [(-each.loss, each.image, place) for place, each in enumerate(self.light) if each.is_different]
        return [place for _, _, place in sorted(found)]

    @property
    def changed(self) -> list[ImageCounts]:
        """Return these images, as they are in memory."""
        return [self.light[place] for place in self.changed_places]


def judge_accuracy(counts: Sequence[ImageCounts], task: str, limit: Limit) -> Accuracy:
    """Return what the counts of a run's images show under a limit; one that a preset sets is not the user's."""
    if limit.value == OFF:
        found = accuracy_verdict(counts, task=task)
        return replace(found, verdict=NOT_JUDGED, text=f"{ACCURACY} is off", max_drop=1.0)
    return accuracy_verdict(counts, task=task, max_drop=float(limit.value), is_set=not limit.is_preset)


def rejudge_accuracy(records: Sequence[AccuracyRecord], wanted: Mapping[str, Limit]) -> list[AccuracyRecord]:
    """Return the accuracy of each candidate as another limit judges it.

    What a run judged of two sides under several limits becomes one sample, each image once.
    """
    limit = wanted.get(ACCURACY)
    if limit is None:
        return list(records)
    samples: dict[object, list[AccuracyRecord]] = {}
    for place, each in enumerate(records):
        samples.setdefault((each.sides, each.result.task) if not each.test else place, []).append(each)
    judged = []
    for of_sample in samples.values():
        images: dict[str, ImageCounts] = {}
        for counts in (counts for each in of_sample for counts in each.counts):
            images[counts.image] = max(images.get(counts.image, counts), counts, key=lambda each: each.rank)
        made = [images[name] for name in sorted(images)] if len(of_sample) > 1 else of_sample[0].counts
        own = [each.limit for each in of_sample if limit.is_preset and not each.limit.is_preset]
        judges = own[0] if own else limit  # which a preset leaves as the user set it
        result = judge_accuracy(made, of_sample[0].result.task, judges)
        judged.append(structs.replace(of_sample[0], limit=judges, result=result, counts=made))
    return judged
