"""What the counts of many images show: one of four verdicts.

- *failed*: the interval's upper end is below -max_drop. Chance does not explain so large a drop.
- *passed*: its lower end is above -max_drop, and there are 30 units or more.
- *no loss seen*: neither, and in no image did the candidate match fewer boxes or find more wrong ones. That is no
  proof: of samples of n images one in twenty misses a fault that hits the share p where (1 - p)^n is 0.05, which is
  about 3/n.
- *undecided*: a loss was seen, and chance explains it, or hides a larger one. Or the reference's hmean is not above
  max_drop, as where labels are of other images: beside it a candidate that finds nothing would pass.

An image of which nothing is counted, as all that it holds is "don't care", is no image here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import ceil
from numbers import Real
from typing import Annotated, Final

import numpy as np

from pytest_ocrparity.evaluate.counts import Counts, ImageCounts
from pytest_ocrparity.evaluate.interval import Interval, Units, differences_for_interval, hmean, interval_of
from pytest_ocrparity.stages import DETECTION, RECOGNITION
from pytest_ocrparity.wording import counted, percent_text, points_text

FAILED, PASSED, NO_LOSS_SEEN, UNDECIDED = "failed", "passed", "no loss seen", "undecided"

MAX_DROP: Final = 0.01
"""One point, where the user says nothing. Without any loss it takes 369 lines to exclude it, or about 800 pages."""
LEAST_UNITS: Final = 30
"""Fewer units (images, or documents) never pass: what they have in common would pass for what all have."""

_MOST_TIMES: Final = 1000
"""How many times the images at most a run is asked to have."""
_TRIAL_DRAWS: Final = 2000
"""Enough for a number of images that is said with "about"."""


@dataclass(frozen=True, slots=True)
class Scores:
    """How accurate one side is, as shares from 0 to 1; of a recogniser precision, recall and hmean are its accuracy.

    precision = matched / found, recall = matched / truth, hmean = 2 * matched / (found + truth), each of sums over all
    images and 0 where it would be 0 / 0, as by PaddleOCR's `DetectionIoUEvaluator.combine_results`.
    """

    precision: float
    recall: float
    hmean: float
    in_order: Annotated[float, "the hmean of PaddleOCR's evaluator, whose matches depend on the order of boxes"]
    similarity: Annotated[float | None, "of a recogniser, 1 - mean normalised edit distance, spaces counted"] = None
    spaceless: Annotated[float | None, "of a recogniser, the accuracy of PaddleOCR's RecMetric: no spaces"] = None
    spaceless_similarity: Annotated[float | None, "of a recogniser, RecMetric's norm_edit_dis: no spaces"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """A candidate's accuracy beside the reference's. Deliberately without a truth value: raise or read `verdict`."""

    task: str
    verdict: Annotated[str, "failed, passed, no loss seen, undecided"]
    text: Annotated[str, "the verdict in words"]
    reference: Scores
    candidate: Scores
    difference: Annotated[float, "hmean (accuracy) of the candidate minus that of the reference"]
    interval: Interval
    max_drop: Annotated[float, "the drop that is allowed, as a share: 0.01 is one point"]
    is_set: Annotated[bool, "true: the user set max_drop, so that an undecided run fails"] = False
    images: int = 0
    units: Annotated[int, "images, or documents where group puts images together"] = 0
    different: Annotated[int, "images in which a number of boxes, or whether the line is right, differs"] = 0
    more: Annotated[int | None, "about how many more images would decide; null: it is decided, or none would"] = None
    false_alarms: Annotated[tuple[int, int], "boxes on blank pages, of reference and candidate"] = (0, 0)

    @property
    def fails(self) -> bool:
        """Return whether the run fails: the drop is proven, or undecided where the user set how large it may be."""
        return self.verdict == FAILED or (self.is_set and self.verdict == UNDECIDED)

    def __bool__(self) -> bool:
        """Refuse: `assert judge(...)` would pass whatever was found."""
        raise TypeError("an Accuracy has no truth value: read its verdict, or use assert_same_accuracy()")


def accuracy_verdict(
    images: Iterable[ImageCounts], *, task: str = DETECTION.name, max_drop: float = MAX_DROP, is_set: bool = False
) -> Accuracy:
    """Return what the counts of many images show.

    Args:
        images: each image once.
        task: "detection" or "recognition".
        max_drop: by how much hmean (accuracy) may fall, as a share: 0.01 is one point.
        is_set: whether the user set it.

    Raises:
        ValueError: there is no image, or `max_drop` is not above 0 and below 1.
    """
    refuse_no_share(max_drop)
    given = list(images)
    if not given:
        raise ValueError("there is no image with a label that both sides traced: nothing was judged")
    counted = [image for image in given if image.is_blank or units_of([image]).any()] or given
    units = units_of(counted)
    interval = interval_of(units)
    is_worse = any(image.is_worse for image in counted)
    scores = _scores(counted, task, "reference"), _scores(counted, task, "candidate")
    can_drop = scores[0].hmean > max_drop
    verdict = _verdict_of(interval, max_drop, len(units), is_worse) if can_drop else UNDECIDED
    times = _times_to_decide(units, max_drop) if can_drop and verdict not in (FAILED, PASSED) else None
    found = Accuracy(
        task=task,
        verdict=verdict,
        text="",
        reference=scores[0],
        candidate=scores[1],
        difference=float(differences_for_interval(units.sum(axis=0))),
        interval=interval,
        max_drop=max_drop,
        is_set=is_set,
        images=len(counted),
        units=len(units),
        different=sum(image.is_different for image in counted),
        more=None if times is None else _rounded(len(counted) * (times - 1)),
        false_alarms=_false_alarms(counted),
    )
    return replace(found, text=_verdict_text(found, has_text=bool(units[:, 4].any())))


def refuse_no_share(max_drop: object) -> None:
    """Raise ValueError where the drop that is allowed is no number above 0 and below 1."""
    if not isinstance(max_drop, Real) or not 0 < float(max_drop) < 1:
        raise ValueError(f"max_drop is {max_drop!r}, not a share above 0 and below 1: 0.01 is one point")


def units_of(images: Iterable[ImageCounts]) -> Units:
    """Return what both sides found in each unit, see `interval.Units`."""
    sums: dict[str, list[int]] = {}
    for image in images:
        one, two = image.reference, image.candidate
        unit = sums.setdefault(image.group, [0] * 5)
        for place, number in enumerate((one.matched, two.matched, one.found, two.found, one.truth)):
            unit[place] += number
    return np.array(list(sums.values()), np.float64).reshape(-1, 5)


def _verdict_of(interval: Interval, max_drop: float, units: int, is_worse: bool) -> str:
    if interval.high < -max_drop:
        return FAILED
    if interval.low > -max_drop and units >= LEAST_UNITS:
        return PASSED
    return UNDECIDED if is_worse else NO_LOSS_SEEN


def _times_to_decide(units: Units, max_drop: float) -> float | None:
    """Return how many times the images would decide, if all were like these; None where not even 1,000 times would."""

    def decides(times: float) -> bool:
        interval = interval_of(units, times=times, draws=_TRIAL_DRAWS)
        return _verdict_of(interval, max_drop, int(times * len(units)), is_worse=True) != UNDECIDED

    least, most = 1.0, float(_MOST_TIMES)
    if not decides(most):
        return None
    while most / least > 1.05:
        middle = (least * most) ** 0.5
        least, most = (least, middle) if decides(middle) else (middle, most)
    return most


def _rounded(number: float) -> int:
    """Return a number upwards to two digits."""
    step: int = 10 ** max(0, len(str(int(number))) - 2)
    return int(ceil(number / step) * step)


def _scores(images: Sequence[ImageCounts], task: str, side: str) -> Scores:
    counts: list[Counts] = [getattr(image, side) for image in images]

    def total(name: str) -> float:
        return float(sum(getattr(each, name) for each in counts))

    matched, found, truth = total("matched"), total("found"), total("truth")
    is_text = task == RECOGNITION.name
    return Scores(
        precision=matched / found if found else 0.0,
        recall=matched / truth if truth else 0.0,
        hmean=float(hmean(matched, found, truth)),
        in_order=float(hmean(total("in_order"), found, truth)),
        similarity=1 - total("distance") / len(counts) if is_text else None,
        spaceless=total("spaceless") / len(counts) if is_text else None,
        spaceless_similarity=1 - total("spaceless_distance") / len(counts) if is_text else None,
    )


def _false_alarms(images: Sequence[ImageCounts]) -> tuple[int, int]:
    blank = [(image.reference, image.candidate) for image in images if image.is_blank]
    return sum(one.found - one.matched for one, _ in blank), sum(two.found - two.matched for _, two in blank)


def _verdict_text(found: Accuracy, *, has_text: bool) -> str:
    """Return the verdict in words: what was measured, how sure it is, and what would help."""
    name = "accuracy" if found.task == RECOGNITION.name else "hmean"
    low, high = points_text(found.interval.low), points_text(found.interval.high)
    documents = "" if found.units == found.images else f" of {counted(found.units, 'document')}"
    noun = "line" if found.task == RECOGNITION.name else "image"
    what = "documents" if documents else f"{noun}s"
    of = f"{counted(found.images, noun)}{documents}"
    change = f"{percent_text(found.reference.hmean)} to {percent_text(found.candidate.hmean)}"
    measured = f"{name} {change} on {of}: {points_text(found.difference)} points, 95 % interval {low} to {high}"
    allowed = f"{100 * found.max_drop:g} {'point' if found.max_drop == 0.01 else 'points'}"
    more = ""
    if found.more is not None:
        more = f"; about {found.more:,} more {noun}{'s' * (found.more != 1)} like these would decide"
    if found.verdict == FAILED:
        return f"{measured}: a drop of more than {allowed} is shown"
    if found.verdict == PASSED:
        return f"{measured}: a drop of {allowed} is excluded"
    if not has_text:
        return f"{measured}: no label has a box that counts, so that hmean is 0; give images with text as well"
    if found.reference.hmean <= found.max_drop:
        return f"{measured}: such a reference cannot drop by {allowed}; see that the labels are of these images"
    if found.verdict == NO_LOSS_SEEN:
        seen = "nothing was lost" if found.different else "nothing was lost or gained"
        share = f"{percent_text(1 - 0.05 ** (1 / found.units))} of the {what}"
        missed = f"a fault that hits {share} is missed by one such sample in twenty"
        return f"{name} {change} on {of}, {seen}: {missed}{more}"
    is_few = found.interval.low > -found.max_drop  # and would have passed
    few = f", and {LEAST_UNITS} {what} are needed" if is_few else ""
    return f"{measured}: this neither shows nor excludes a drop of {allowed}{few}{more}"
