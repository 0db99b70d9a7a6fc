"""Pair two sets of boxes one to one and measure each pair against the limits, in source-image pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.comparison import BoxFinding
from pytest_ocrparity.geometry import Matching, Pair, boundary_distance, classify, match, vertex_distance
from pytest_ocrparity.stages import DETECTIONS
from pytest_ocrparity.tolerance import AUTO, OFF, Limit, Tolerance
from pytest_ocrparity.trace import Detections, Trace

POLYGON_IOU = 0.9
"""The automatic `min_iou` of many-point polygons: under 1e-4 of map noise 14,838 of them kept 0.97."""
EQUAL_MAP_SCORE = 1e-5
"""Both post-processes average the same float32 pixels in double precision."""
AUTOMATIC_SCORE = 0.2
"""The automatic `max_score_difference` where no post-process can be run on the other side's map: one map pixel can
re-fit a rectangle, which moved scores of right exports by up to 0.15."""

HOLLOW = {"not finite", "fewer than 3 points"}
"""Defects with which a box is no box: a finding, though both sides have the same."""
_NONE = Detections(())


@dataclass(frozen=True, slots=True)
class BoxLimits:
    """The limits of one comparison, None where nothing is judged; `map_px` is a map pixel's size in source px."""

    min_iou: Limit
    max_shift: float | None
    map_px: float
    max_score_difference: float | None
    is_poly: bool
    """Whether boundaries are compared and not vertices: where either side has polygons of other than 4 points."""
    exact_score: float | None = None
    """What judges the scores that are known exactly, see `scores`; None where the limit is a number of the user's."""

    @classmethod
    def of(cls, reference: Trace, candidate: Trace, tolerance: Tolerance, maps_equal: bool) -> BoxLimits:
        """Convert a tolerance into source pixels for these two traces."""
        shift, score = tolerance["detections.max_shift"].value, tolerance["detections.max_score_difference"].value
        exact = EQUAL_MAP_SCORE + reference.map_error + candidate.map_error if score == AUTO else None
        score_limit = None if score == OFF else float(score) if score != AUTO else AUTOMATIC_SCORE
        box_types = {trace.parameters.get(DETECTIONS, {}).get("box_type") for trace in (reference, candidate)}
        every = [*(reference.detections or _NONE).polygons, *(candidate.detections or _NONE).polygons]
        return cls(
            tolerance["detections.min_iou"],
            None if shift == OFF else float(shift),
            max(reference.map_scale),
            exact if maps_equal and exact is not None else score_limit,
            "poly" in box_types or any(len(polygon) != 4 for polygon in every),
            exact,
        )

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


def judge_boxes(
    reference: Detections,
    candidate: Detections,
    limits: BoxLimits,
    expected: Callable[[], Mapping[int, float]] = dict,
) -> tuple[list[BoxFinding], tuple[BoxFinding, ...]]:
    """Return every pair as measured, and the findings: pairs beyond the limits, then boxes without partner.

    `expected` returns by candidate index the scores that are known exactly; it is asked only where scores differ.
    """
    matching = _with_duplicates_by_score(match(reference.polygons, candidate.polygons), reference, candidate)
    ours, theirs = matching.defects
    pairs = [
        _measure(reference, candidate, each.reference, each.candidate, each.iou, limits.is_poly)
        for each in matching.pairs
    ]
    pairs = _with_score_errors(pairs, candidate, limits, expected)
    findings = []
    for pair in pairs:
        i, j = pair.reference, pair.candidate
        assert i is not None and j is not None
        kind = "invalid" if {ours[i], theirs[j]} & HOLLOW or ours[i] != theirs[j] else _beyond(pair, limits)
        if kind is not None:
            findings.append(replace(pair, kind=kind, defect=theirs[j] or ours[i]))
    if not matching.missing and not matching.extra:
        return pairs, tuple(findings)
    missing, extra = classify(reference.polygons, candidate.polygons, matching)
    for kind, index in zip(missing, matching.missing, strict=True):
        findings.append(BoxFinding(kind, _centre(reference.polygons[index]), reference=index, defect=ours[index]))
    for kind, index in zip(extra, matching.extra, strict=True):
        findings.append(BoxFinding(kind, _centre(candidate.polygons[index]), candidate=index, defect=theirs[index]))
    return pairs, tuple(findings)


def _with_duplicates_by_score(matching: Matching, reference: Detections, candidate: Detections) -> Matching:
    """Return a matching in which equal boxes belong together by their scores: nothing else tells them apart."""
    if reference.scores is None or candidate.scores is None:
        return matching
    groups: dict[bytes, list[Pair]] = {}
    for pair in matching.pairs:
        if pair.iou == 1.0:
            groups.setdefault(reference.polygons[pair.reference].tobytes(), []).append(pair)
    moved: dict[int, int] = {}
    for group in groups.values():
        if len(group) > 1:
            one = sorted((pair.reference for pair in group), key=lambda i: float(reference.scores[i]))  # type: ignore[index]
            two = sorted((pair.candidate for pair in group), key=lambda j: float(candidate.scores[j]))  # type: ignore[index]
            moved.update(zip(one, two, strict=True))
    if not moved:
        return matching
    return replace(
        matching, pairs=tuple(replace(p, candidate=moved.get(p.reference, p.candidate)) for p in matching.pairs)
    )


def _with_score_errors(
    pairs: list[BoxFinding], candidate: Detections, limits: BoxLimits, expected: Callable[[], Mapping[int, float]]
) -> list[BoxFinding]:
    """Return the pairs with each score's distance from what it must be, where that is asked for and known."""
    exact, scores = limits.exact_score, candidate.scores
    if exact is None or scores is None or limits.max_score_difference == exact:
        return pairs
    if all(pair.score_difference is None or pair.score_difference <= exact for pair in pairs):
        return pairs
    known = expected()

    def error(index: int | None) -> float | None:
        return None if index is None or index not in known else float(abs(scores[index] - known[index]))

    return [replace(pair, score_error=error(pair.candidate)) for pair in pairs]


def nearest_box(
    polygon: npt.NDArray[Any], others: Sequence[npt.NDArray[Any]], is_poly: bool
) -> tuple[float, int | None]:
    """Return the distance in source px to the box that overlaps most, and which that is; infinite where none does."""
    pairs = match([polygon], others).pairs
    if not pairs:
        return float("inf"), None
    index = pairs[0].candidate
    return _distance(polygon, others[index], is_poly), index


def _measure(reference: Detections, candidate: Detections, i: int, j: int, iou: float, is_poly: bool) -> BoxFinding:
    ours, theirs = reference.polygons[i], candidate.polygons[j]
    score = None
    if reference.scores is not None and candidate.scores is not None:
        with np.errstate(invalid="ignore"):  # infinity minus infinity
            score = float(abs(reference.scores[i] - candidate.scores[j]))
    return BoxFinding("paired", _centre(ours), i, j, iou, _distance(ours, theirs, is_poly), score)


def _distance(ours: npt.NDArray[Any], theirs: npt.NDArray[Any], is_poly: bool) -> float:
    """Return the distance of two boxes in source px: of vertices for quads, of boundaries for polygons.

    Vertices of a contour polygon jump by 17 px at an IoU of 0.97, so they say nothing there.
    """
    if is_poly or len(ours) != 4 or len(theirs) != 4:
        return boundary_distance(ours, theirs)
    return vertex_distance(ours, theirs)


def _beyond(pair: BoxFinding, limits: BoxLimits) -> str | None:
    """Return the kind of finding that the pair is, or None where it keeps the limits."""
    assert pair.iou is not None
    assert pair.shift is not None
    if limits.iou is not None and pair.iou < limits.iou:
        return "moved"
    if limits.max_shift is not None and limits.in_map_px(pair.shift) > limits.max_shift:
        return "moved"
    gap, most = pair.score_difference, limits.max_score_difference
    if pair.score_error is not None:
        gap, most = pair.score_error, limits.exact_score
    # `not <=`, so that a score that is not a number is beyond every limit, and no limit permits it.
    if gap is not None and not gap <= (float("inf") if most is None else most):
        return "score"
    return None


def _centre(polygon: npt.NDArray[Any]) -> tuple[float, float]:
    finite = polygon[np.isfinite(polygon).all(axis=1)]
    return (float(finite[:, 0].mean()), float(finite[:, 1].mean())) if len(finite) else (float("nan"), float("nan"))
