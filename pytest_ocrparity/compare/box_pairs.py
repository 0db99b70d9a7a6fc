"""Pair two sets of boxes one to one and measure each pair against the limits, in source-image pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.compare.judge import BoxLimits, finding_kind_of
from pytest_ocrparity.comparison import BoxFinding
from pytest_ocrparity.geometry import (
    Matching,
    Pair,
    boundary_distance,
    classify_polygons,
    match_polygons,
    vertex_distance,
)
from pytest_ocrparity.stages import DETECTIONS
from pytest_ocrparity.tolerance import AUTO, AUTOMATIC_SCORE, EQUAL_MAP_SCORE, OFF, Tolerance
from pytest_ocrparity.trace import Detections, Trace

HOLLOW = {"not finite", "fewer than 3 points"}
"""Defects with which a box is no box: a finding, though both sides have the same."""
_NONE = Detections(())


def box_pair_limits(reference: Trace, candidate: Trace, tolerance: Tolerance, maps_equal: bool) -> BoxLimits:
    """Return a tolerance's limits for the boxes of these two traces."""
    shift, score = tolerance["detections.max_shift"].value, tolerance["detections.max_score_difference"].value
    exact = EQUAL_MAP_SCORE + reference.map_error + candidate.map_error if score == AUTO else None
    score_limit = None if score == OFF else float(score) if score != AUTO else AUTOMATIC_SCORE
    box_types = {trace.parameters.get(DETECTIONS, {}).get("box_type") for trace in (reference, candidate)}
    every = [*(reference.detections or _NONE).polygons, *(candidate.detections or _NONE).polygons]
    return BoxLimits(
        tolerance["detections.min_iou"],
        None if shift == OFF else float(shift),
        max(reference.map_scale),
        exact if maps_equal and exact is not None else score_limit,
        "poly" in box_types or any(len(polygon) != 4 for polygon in every),
        exact,
    )


def pair_boxes(
    reference: Detections,
    candidate: Detections,
    limits: BoxLimits,
    expected: Callable[[], Mapping[int, float]] = dict,
) -> tuple[list[BoxFinding], tuple[BoxFinding, ...]]:
    """Return every pair as measured, and the findings: pairs beyond the limits, then boxes without partner.

    `expected` returns by candidate index the scores that are known exactly; it is asked only where scores differ.
    """
    matching = _with_duplicates_by_score(match_polygons(reference.polygons, candidate.polygons), reference, candidate)
    defects, other_defects = matching.defects
    pairs = [
        _measured_pair(reference, candidate, each.reference, each.candidate, each.iou, limits.is_poly)
        for each in matching.pairs
    ]
    pairs = _with_score_errors(pairs, candidate, limits, expected)
    findings = []
    for pair in pairs:
        i, j = pair.reference, pair.candidate
        assert i is not None and j is not None
        kind = (
            "invalid"
            if {defects[i], other_defects[j]} & HOLLOW or defects[i] != other_defects[j]
            else finding_kind_of(pair, limits)
        )
        if kind is not None:
            findings.append(replace(pair, kind=kind, defect=other_defects[j] or defects[i]))
    if not matching.missing and not matching.extra:
        return pairs, tuple(findings)
    missing, extra = classify_polygons(reference.polygons, candidate.polygons, matching)
    for kind, index in zip(missing, matching.missing, strict=True):
        findings.append(BoxFinding(kind, box_centre(reference.polygons[index]), reference=index, defect=defects[index]))
    for kind, index in zip(extra, matching.extra, strict=True):
        findings.append(
            BoxFinding(kind, box_centre(candidate.polygons[index]), candidate=index, defect=other_defects[index])
        )
    return pairs, tuple(findings)


def _with_duplicates_by_score(matching: Matching, reference: Detections, candidate: Detections) -> Matching:
    """Return a matching in which equal boxes are paired by their scores, as nothing else distinguishes them."""
    if reference.scores is None or candidate.scores is None:
        return matching
    groups: dict[bytes, list[Pair]] = {}
    for pair in matching.pairs:
        if pair.iou == 1.0:
            groups.setdefault(reference.polygons[pair.reference].tobytes(), []).append(pair)
    moved: dict[int, int] = {}
    for group in groups.values():
        reference_order = sorted((pair.reference for pair in group), key=lambda i: float(reference.scores[i]))  # type: ignore[index]
        candidate_order = sorted((pair.candidate for pair in group), key=lambda j: float(candidate.scores[j]))  # type: ignore[index]
        moved.update(zip(reference_order, candidate_order, strict=True))
    return replace(
        matching, pairs=tuple(replace(p, candidate=moved.get(p.reference, p.candidate)) for p in matching.pairs)
    )


def _with_score_errors(
    pairs: list[BoxFinding], candidate: Detections, limits: BoxLimits, expected: Callable[[], Mapping[int, float]]
) -> list[BoxFinding]:
    """Return the pairs with the error of each score, where a limit asks for it and the right score is known."""
    exact, scores = limits.exact_score, candidate.scores
    if exact is None or scores is None or limits.max_score_difference == exact:
        return pairs
    if all(pair.score_difference is None or pair.score_difference <= exact for pair in pairs):
        return pairs
    known = expected()

    def error(index: int | None) -> float | None:
        return None if index is None or index not in known else float(abs(scores[index] - known[index]))

    return [replace(pair, score_error=error(pair.candidate)) for pair in pairs]


def pair_with_nearest_box(
    polygon: npt.NDArray[Any], others: Sequence[npt.NDArray[Any]], is_poly: bool
) -> tuple[float, int | None]:
    """Return the distance in source px to the box that overlaps most, and which that is; infinite where none does."""
    pairs = match_polygons([polygon], others).pairs
    if not pairs:
        return float("inf"), None
    index = pairs[0].candidate
    return _box_distance(polygon, others[index], is_poly), index


def _measured_pair(
    reference: Detections, candidate: Detections, i: int, j: int, iou: float, is_poly: bool
) -> BoxFinding:
    polygon, other = reference.polygons[i], candidate.polygons[j]
    score = None
    if reference.scores is not None and candidate.scores is not None:
        with np.errstate(invalid="ignore"):  # infinity minus infinity
            score = float(abs(reference.scores[i] - candidate.scores[j]))
    return BoxFinding("paired", box_centre(polygon), i, j, iou, _box_distance(polygon, other, is_poly), score)


def _box_distance(polygon: npt.NDArray[Any], other: npt.NDArray[Any], is_poly: bool) -> float:
    """Return the distance of two boxes in source px: of vertices for quads, of boundaries for polygons.

    Vertices of a contour polygon jump by 17 px at an IoU of 0.97, so they say nothing there.
    """
    if is_poly or len(polygon) != 4 or len(other) != 4:
        return boundary_distance(polygon, other)
    return vertex_distance(polygon, other)


def box_centre(polygon: npt.NDArray[Any]) -> tuple[float, float]:
    """Return the mean of a polygon's points that are finite, in source px; NaN where none is."""
    finite = polygon[np.isfinite(polygon).all(axis=1)]
    return (float(finite[:, 0].mean()), float(finite[:, 1].mean())) if len(finite) else (float("nan"), float("nan"))
