"""From amounts and limits to a status: the one judge, of traces and of what a run recorded of them.

An amount that is slow to measure is a function, which is called only where it decides. For a recorded comparison it
may return NOT_KNOWN; a status that depends on it is UNDECIDED.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final, Literal, TypeAlias

from pytest_ocrparity.comparison import (
    ALLOWED_EMPTY,
    DIFFERENT,
    EMPTY,
    LEAST,
    LEFT_TO_RUN,
    NOT_JUDGEABLE,
    SAME,
    UNDECIDED,
    UNPAIRED,
    BoxFinding,
    Difference,
    Measure,
)
from pytest_ocrparity.tolerance import (
    AUTO,
    FLOOR_FACTOR,
    MAP_LEAST,
    MAP_MOST,
    OFF,
    POLYGON_IOU,
    RIGHT_FACTOR,
    TENSOR_LEAST,
    UNPAIRED_SCORE,
    Limit,
)

Limits: TypeAlias = "Mapping[str, Limit]"
UNMATCHED: Final = "detections.max_unmatched"
Place: TypeAlias = "tuple[float, float] | None"


class Unknown(Enum):
    """The type of NOT_KNOWN."""

    NOT_KNOWN = "not known"


NOT_KNOWN: Final = Unknown.NOT_KNOWN
"""An amount that was not recorded."""

NotKnown: TypeAlias = Literal[Unknown.NOT_KNOWN]


@dataclass(frozen=True)
class Judged:
    """A status, one of those in `comparison`, and the amounts beside the limits that judged them."""

    status: str
    measures: tuple[Measure, ...]


@dataclass(frozen=True)
class TensorAmounts:
    """The measured difference of two tensors.

    Attributes:
        largest: the largest absolute difference.
        at: where it is, in source px.
        automatic: returns the difference that exceeds the automatic limit of its own place by most, that limit beside
            it, and where it is.
    """

    largest: float
    at: Place
    automatic: Callable[[], tuple[float, float, Place] | NotKnown]


def judge_tensor(amounts: TensorAmounts, limits: Limits) -> Judged:
    """Judge tensors of one shape and dtype."""
    name = "preprocessing.atol"
    limit = limits[name]
    value, at = amounts.largest, amounts.at
    allowed = TENSOR_LEAST if limit.value == AUTO else float(limit.value)
    is_known = True
    if limit.value == AUTO:
        found = amounts.automatic()
        if found is not NOT_KNOWN:
            value, allowed, at = found
        else:
            is_known = value <= TENSOR_LEAST  # the automatic limit is never smaller
    measures = Measure(name, value, allowed, limit.origin, at), Measure("largest", amounts.largest)
    status = UNDECIDED if not is_known else DIFFERENT if measures[0].fails else SAME
    return Judged(status, measures)


def judge_channel_order(differences: Sequence[Difference], judged: Judged | None) -> list[Difference]:
    """Return the differences, of which a channel order fails only where the tensors differ too, or are not judged.

    A side may hold its pixels in any order as long as it feeds its network the same tensor.
    """
    is_same = judged is not None and judged.status == SAME
    return [replace(each, fails=not is_same) if each.kind == "channel_order" else each for each in differences]


@dataclass(frozen=True)
class MapAmounts:
    """The measured difference of two probability maps.

    Attributes:
        largest: the largest absolute difference, and `at` where it is, in source px.
        mean: the mean absolute difference.
        stored: half the steps with which baselines stored the maps.
        crossings: the pixels that change side of `thresh`, or a recogniser's timesteps whose best class changes; None
            where no `thresh` is known.
        automatic: returns the largest difference beside its automatic limit and, where a copy of the network with
            fused branches had to explain the rest, how far that copy lies from the network.
        share: returns the share of pixels that exceed a limit; None stands for a limit that was not recorded.
        sensitivity: returns how far rounding moves the reference's own map, or None where it can't be run.
        timesteps: of a recogniser, how many there are; None for a detector.
    """

    largest: float
    at: Place
    mean: float
    stored: float
    crossings: float | None
    automatic: Callable[[], tuple[Measure, Measure | None] | NotKnown]
    share: Callable[[float | None], float | NotKnown]
    sensitivity: Callable[[], float | NotKnown | None]
    timesteps: int | None = None


def judge_maps(amounts: MapAmounts, limits: Limits, *, defers: bool) -> Judged:
    """Judge finite maps of one shape; without a measure that has a limit nothing was judged, and they differ."""
    atol, extra = _map_atol(amounts, limits["probability_maps.atol"])
    allowed = limits["probability_maps.max_share"]
    share: float | NotKnown = 0.0
    if limits["probability_maps.atol"].value == OFF:
        share = math.nan
    elif atol is NOT_KNOWN:
        share = NOT_KNOWN
    elif extra is None and (atol.limit is None or amounts.largest > atol.limit):
        # Where the largest keeps the limit, as almost always, none exceeds it.
        share = amounts.share(atol.limit)
    per_run = bool(limits["probability_maps.per_run"].value) and defers
    crossings, asked = amounts.crossings, limits["probability_maps.max_crossings"]
    judged: list[Measure] = []
    if atol is not NOT_KNOWN:  # a share above 0 permits some pixels any difference: the largest is only reported
        judged.append(atol if allowed.value == 0 else replace(atol, limit=None))
    judged.append(
        _limited_measure("probability_maps.mean_atol", amounts.mean, limits["probability_maps.mean_atol"], not per_run)
    )
    if share is not NOT_KNOWN:
        # A share of 0 says no more than atol does; one without atol can't be judged and so fails.
        judged.append(
            _limited_measure("probability_maps.max_share", share, allowed if allowed.value else Limit(OFF, ""))
        )
    if crossings is not None or asked.value != OFF:
        judged.append(
            _limited_measure("probability_maps.max_crossings", math.nan if crossings is None else crossings, asked)
        )
    if amounts.timesteps is not None and crossings is not None:
        changed, name = crossings / amounts.timesteps, "probability_maps.max_changed"
        judged.append(_limited_measure(name, changed, limits[name], not per_run))
    others = [Measure("largest", amounts.largest), Measure("stored", amounts.stored)]
    failing = [measure for measure in (*judged, *([extra] if extra is not None else [])) if measure.fails]
    moves = amounts.sensitivity() if any(measure is not extra for measure in failing) else None
    others += [Measure("sensitivity", moves)] if isinstance(moves, float) else []
    measures = (*judged, *others, *([extra] if extra is not None else []))
    is_known = atol is not NOT_KNOWN and (share is not NOT_KNOWN or not allowed.value)
    if not is_known and amounts.largest > 2 * (MAP_MOST + amounts.stored) and not allowed.value:
        return Judged(DIFFERENT, measures)  # beyond what the rule ever permits, a fused copy included
    if failing:
        return Judged(_status_of_failing_maps(failing, moves), measures)
    if not is_known:
        return Judged(UNDECIDED, measures)
    if all(measure.limit is None for measure in judged):
        return Judged(DIFFERENT, measures)
    return Judged(SAME if all(measure.is_within for measure in measures) else LEFT_TO_RUN, measures)


def _map_atol(amounts: MapAmounts, limit: Limit) -> tuple[Measure | NotKnown, Measure | None]:
    """Return the map's largest difference with its limit, and the fusion's where a fused copy had to explain it."""
    name, stored = "probability_maps.atol", amounts.stored
    if limit.value == OFF:
        return Measure(name, amounts.largest, at=amounts.at), None
    if limit.value != AUTO:
        return Measure(
            name, amounts.largest, float(limit.value) + stored, limit.origin + storage_note(stored), amounts.at
        ), None
    found = amounts.automatic()
    if found is not NOT_KNOWN:
        return found
    if amounts.largest <= MAP_LEAST + stored:
        return judge_by_least_limit(amounts.largest, stored, limit, amounts.at), None
    return NOT_KNOWN, None


def judge_by_least_limit(largest: float, stored: float, limit: Limit, at: Place) -> Measure:
    """Return the measure of a map's largest difference under the least limit, which no sensitivity can lower."""
    origin = f"{limit.origin}: {LEAST}{storage_note(stored)}"
    return Measure("probability_maps.atol", largest, MAP_LEAST + stored, origin, at)


def storage_note(stored: float) -> str:
    """Return the words by which the origin of a limit names the stored error that was added to it."""
    return f" + {stored:.1e} as stored" if stored else ""


def _limited_measure(name: str, value: float, limit: Limit, decides: bool = True) -> Measure:
    off = limit.value == OFF
    return Measure(name, value, None if off else float(limit.value), "" if off else limit.origin, decides=decides)


def _status_of_failing_maps(failing: list[Measure], moves: float | NotKnown | None) -> str:
    """Return the status of maps that break limits: not judgeable where rounding alone may exceed the limit.

    A limit of 0 is not about rounding: it asks for equal maps.
    """
    if [measure.name for measure in failing] != ["probability_maps.atol"] or not failing[0].limit or moves is None:
        return DIFFERENT
    if moves is NOT_KNOWN:
        return UNDECIDED
    return NOT_JUDGEABLE if is_within_rounding(failing[0].value, failing[0].limit, moves) else DIFFERENT


def is_within_rounding(largest: float, limit: float, sensitivity: float) -> bool:
    """Return whether maps differ by no more than rounding moves the reference's own, and that is beyond their limit.

    Then no amount within FLOOR_FACTOR of it separates a right export from a wrong one.
    """
    return RIGHT_FACTOR * sensitivity > limit and largest <= FLOOR_FACTOR * sensitivity


@dataclass(frozen=True, slots=True)
class BoxLimits:
    """The limits of the boxes of one image, None where nothing is judged; `map_px` is a map pixel's size in source px.

    `max_score_difference` judges what two sides' scores differ by, `exact_score` what they miss a known score by.
    """

    min_iou: Limit
    max_shift: float | None
    map_px: float
    max_score_difference: float | None
    is_poly: bool
    """Whether boundaries are compared and not vertices: where either side has polygons of other than 4 points."""
    exact_score: float | None = None
    """What judges the scores that are known exactly, see `scores`; None where the limit is a number of the user's."""

    def in_map_px(self, shift: float) -> float:
        """Convert a distance in source px into what `max_shift` judges.

        PaddleOCR rounds x / W * width, PaddleX x * (width / W): of 2,667 boxes 32 differed by one px and none by more.
        So one source px is free, except under a limit of 0.
        """
        return shift / self.map_px if self.max_shift == 0 else max(0.0, shift - 1.0) / self.map_px

    @property
    def iou(self) -> float | None:
        """The smallest IoU of a pair; quads need one only where nothing judges their shift."""
        if self.min_iou.value == AUTO:
            return POLYGON_IOU if self.is_poly or self.max_shift is None else None
        return float(self.min_iou.value)


def finding_kind_of(pair: BoxFinding, limits: BoxLimits) -> str | None:
    """Return "moved" or "score" for a pair beyond the limits, or None where it keeps them."""
    if limits.iou is not None and pair.iou is not None and not pair.iou >= limits.iou:
        return "moved"
    if limits.max_shift is not None and pair.shift is not None and not limits.in_map_px(pair.shift) <= limits.max_shift:
        return "moved"
    gap, most = pair.score_difference, limits.max_score_difference
    if pair.score_error is not None:
        gap, most = pair.score_error, limits.exact_score
    # `not <=`, so that a score that is not a number is beyond every limit, and no limit permits it.
    if gap is not None and not gap <= (math.inf if most is None else most):
        return "score"
    return None


def judge_shares(counts: Mapping[str, int], limits: Limits, *, defers: bool) -> tuple[Measure, Measure]:
    """Return the share of boxes that differ and the share of borderline boxes, as measures with their limits."""
    per_run = bool(limits["detections.per_run"].value) and defers
    boxes = max(counts["boxes"], 1)
    found = []
    for name, count, decides in (("max_unmatched", "different", not per_run), ("max_borderline", "borderline", False)):
        limit = limits[f"detections.{name}"]
        decides = decides or limit.origin == "keyword"  # asked of this very call
        value = counts[count] / boxes
        found.append(Measure(f"detections.{name}", value, float(limit.value), limit.origin, decides=decides))
    return found[0], found[1]


def judge_boxes(
    counts: Mapping[str, int], measures: Sequence[Measure], limits: Limits, *, is_more: bool | NotKnown = False
) -> str:
    """Return the status of boxes by the shares of them, which are among the measures.

    Single boxes decide unless a share of them is permitted. `is_more` is true where more boxes differ than are
    counted, as where only the worst of the others was recorded.
    """
    if not counts["reference"] and not counts["candidate"]:
        return ALLOWED_EMPTY if limits["detections.allow_empty"].value else EMPTY
    if any(measure.fails for measure in measures):  # of more boxes, a larger share would as well
        return DIFFERENT
    if not limits["detections.max_unmatched"].value and (counts["different"] or is_more is True):
        return DIFFERENT
    if is_more is not False:
        return UNDECIDED
    return SAME if all(measure.is_within for measure in measures if measure.name == UNMATCHED) else LEFT_TO_RUN


@dataclass(frozen=True)
class TextAmounts:
    """What two sides read in one line.

    Attributes:
        edits: characters to insert, remove or replace, of `characters` of the reference's text.
        is_borderline: whether the permitted difference of the maps explains that the texts differ.
        score: what the scores of equal texts differ by; None where the texts differ or a side has no score.
        exact_score: what they may differ by, as the maps do; None where that is not known.
    """

    edits: int
    characters: int
    is_borderline: bool
    score: float | None
    exact_score: float | None


def judge_text(amounts: TextAmounts, limits: Limits, *, defers: bool) -> Judged:
    """Judge the texts of one line, of which at least one is not empty.

    A share of one line says nothing: where some lines may be read otherwise, the run judges how many are.
    """
    edits = 0 if amounts.is_borderline else amounts.edits
    cer, most, share = edits / max(1, amounts.characters), limits["text.max_cer"], limits["text.max_changed"]
    may_differ = not limits["text.per_run"].value and most.value != OFF and cer <= float(most.value)
    changed, borderline = float(edits > 0 and not may_differ), limits["text.max_borderline"]
    measures = [
        # What decides is whether that makes it another text; or the run, which takes all lines together.
        _limited_measure("text.max_cer", cer, most, decides=False),
        _limited_measure("text.max_changed", changed, share, not (defers and share.value)),
        _limited_measure(
            "text.max_borderline",
            float(amounts.is_borderline),
            borderline,
            # One line of a run may be, unless none may; asked of this very call, that is judged here.
            borderline.origin == "keyword" and borderline.value == 0,
        ),
    ]
    if amounts.score is not None:
        measures.append(_score_measure(amounts.score, amounts.exact_score, limits["text.max_score_difference"]))
    if any(measure.fails for measure in measures):
        return Judged(DIFFERENT, tuple(measures))
    return Judged(LEFT_TO_RUN if changed else SAME, tuple(measures))


def _score_measure(score: float, exact: float | None, limit: Limit) -> Measure:
    """Return the score difference of equal texts beside its limit, which is a wide one where the maps do not say it."""
    name = "text.max_score_difference"
    if limit.value != AUTO:
        return _limited_measure(name, score, limit)
    if exact is None:
        return Measure(name, score, UNPAIRED_SCORE, f"{limit.origin}{UNPAIRED}")
    return Measure(name, score, exact, f"{limit.origin}: as far as the maps differ")


def judge_empty_texts(limits: Limits) -> str:
    """Return the status of a line in which neither side reads anything, and whose maps show that they agree."""
    return ALLOWED_EMPTY if limits["text.allow_empty"].value else EMPTY
