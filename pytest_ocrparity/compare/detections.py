"""Compare the detections of two traces: boxes paired one to one, each pair judged, the rest named and counted."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache

from pytest_ocrparity.compare.borderline import mark_borderline
from pytest_ocrparity.compare.box_pairs import box_pair_limits, pair_boxes
from pytest_ocrparity.compare.judge import BoxLimits, judge_boxes, judge_shares
from pytest_ocrparity.compare.preconditions import (
    comparison_of,
    empty_side_differences,
    missing_preconditions,
    missing_score_differences,
)
from pytest_ocrparity.compare.scores import are_scores_permuted, detections_with_expected_scores, expected_scores
from pytest_ocrparity.comparison import (
    DIFFERENT,
    MATCHES,
    NOT_JUDGEABLE,
    RECORDED,
    ROUGHLY,
    BoxFinding,
    Comparison,
    Difference,
    Measure,
)
from pytest_ocrparity.stages import DETECTIONS
from pytest_ocrparity.tolerance import AUTO, AUTOMATIC_SCORE, EQUAL_MAP_SCORE, Limit, Tolerance
from pytest_ocrparity.trace import Detections, Trace

NOISE_OF_SCORES = 1e-2
"""How far scores of a right export may differ and still show in which order they stand."""


def compare_detections(
    reference: Trace, candidate: Trace, tolerance: Tolerance, maps: Comparison | None = None, *, defers: bool = False
) -> Comparison:
    """Compare the detections of two traces.

    `maps` is the comparison of their maps, where both have one; with `defers`, the run judges the limits of a whole
    run.
    """
    differences = missing_preconditions(reference, candidate, (DETECTIONS,))
    findings: tuple[BoxFinding, ...] = ()
    measures: tuple[Measure, ...] = ()
    counts: dict[str, int] = {}
    follows_map = False
    if not differences:
        assert reference.detections is not None
        assert candidate.detections is not None
        maps_equal = _are_maps_equal(maps)
        limits = box_pair_limits(reference, candidate, tolerance, maps_equal)
        rerun, found = cache(lambda: detections_with_expected_scores(reference, candidate)), candidate.detections
        expected = cache(lambda: expected_scores(rerun(), found, limits))
        pairs, findings = pair_boxes(reference.detections, found, limits, expected)
        if maps is not None and _do_maps_keep_limit(maps) and not maps_equal:
            findings = mark_borderline(reference, candidate, maps, findings, limits.is_poly)
        differences += _score_order_differences(reference.detections, found, pairs, findings, expected, limits)
        counts = _box_counts(reference.detections, candidate.detections, len(pairs), findings)
        measures = _box_measures(_without_borderline(pairs, findings), counts, limits, tolerance, defers)
        if not counts["reference"] and not counts["candidate"]:
            differences = empty_side_differences(DETECTIONS, maps, tolerance)
        if maps is not None and maps.status == NOT_JUDGEABLE and findings and not differences:
            follows_map = _follows_map(rerun(), found, limits)
        if pairs:
            differences += missing_score_differences(DETECTIONS, reference.detections.scores, found.scores, tolerance)
    if reference.is_recording_of(candidate):
        status = RECORDED
    elif differences:
        status = NOT_JUDGEABLE if follows_map else DIFFERENT
    else:
        status = judge_boxes(counts, measures, tolerance.limits)
        status = NOT_JUDGEABLE if follows_map and status == DIFFERENT else status
    stage = None if status in MATCHES else differences[0].stage if differences else DETECTIONS
    return comparison_of(
        DETECTIONS,
        reference,
        candidate,
        tolerance,
        status=status,
        stage=stage,
        measures=measures,
        differences=tuple(differences),
        boxes=findings,
        counts=counts,
    )


def _follows_map(expected: Detections | None, found: Detections, limits: BoxLimits) -> bool:
    """Return whether a candidate's boxes are those of its own map, as far as that can be run: only maps differ then."""
    return expected is None or not pair_boxes(expected, found, limits)[1]


def _score_order_differences(
    reference: Detections,
    candidate: Detections,
    pairs: list[BoxFinding],
    findings: tuple[BoxFinding, ...],
    expected: Callable[[], Mapping[int, float]],
    limits: BoxLimits,
) -> list[Difference]:
    """Return the finding that the scores are right and stand in another order than their boxes.

    Against a rerun they must be equal; against the reference's own boxes alike to within what noise moves scores by.
    """
    wrong = [finding for finding in findings if finding.kind == "score" and not finding.is_borderline]
    if len(wrong) < 2:
        return []
    assert reference.scores is not None and candidate.scores is not None  # else no score would be wrong
    is_exact = all(finding.score_error is not None for finding in wrong)
    known = expected() if is_exact else {}
    chosen = [(p.reference, p.candidate) for p in pairs if p.reference is not None and p.candidate is not None]
    right = [known.get(j, float(reference.scores[i])) for i, j in chosen]
    is_exact = is_exact or limits.max_score_difference == limits.exact_score  # equal maps
    within = EQUAL_MAP_SCORE if is_exact else NOISE_OF_SCORES
    if not are_scores_permuted(candidate.scores[[j for _, j in chosen]], right, within):
        return []
    return [Difference(DETECTIONS, "score_order", len(wrong), len(wrong))]


def _are_maps_equal(maps: Comparison | None) -> bool:
    """Return whether the maps are equal to within the step with which a baseline was stored."""
    largest, stored = (maps.measure(name) if maps is not None else None for name in ("largest", "stored"))
    return largest is not None and stored is not None and largest.value <= stored.value


def _do_maps_keep_limit(maps: Comparison) -> bool:
    """Return whether the maps agree within a limit: one that is off permits anything, so it explains nothing."""
    largest = maps.measure("probability_maps.atol")
    return maps.is_match and largest is not None and largest.limit is not None


def _without_borderline(pairs: list[BoxFinding], findings: tuple[BoxFinding, ...]) -> list[BoxFinding]:
    """Return the pairs that are not borderline."""
    borderline = {finding.reference for finding in findings if finding.is_borderline}
    return [pair for pair in pairs if pair.reference not in borderline]


def _box_counts(
    reference: Detections, candidate: Detections, paired: int, findings: tuple[BoxFinding, ...]
) -> dict[str, int]:
    borderline = sum(finding.is_borderline for finding in findings)
    return {
        "reference": len(reference),
        "candidate": len(candidate),
        "paired": paired,
        "boxes": len(reference) + len(candidate) - paired,  # each pair counts once
        "borderline": borderline,
        "different": len(findings) - borderline,
    }


def _box_measures(
    pairs: list[BoxFinding], counts: dict[str, int], limits: BoxLimits, tolerance: Tolerance, defers: bool
) -> tuple[Measure, ...]:
    """Return the worst pair's amounts, which the findings judge box by box, and the shares of boxes."""
    measures = []

    def worst(name: str, limit: float | None, amounts: list[tuple[float, tuple[float, float]]]) -> None:
        if amounts:
            smallest = name == "min_iou"
            value, at = min(amounts, key=lambda pair: pair[0]) if smallest else _largest_with_place(amounts)
            origin = tolerance[f"detections.{name}"].origin if limit is not None else ""
            measures.append(Measure(f"detections.{name}", value, limit, origin, at, smallest, decides=False))

    worst("min_iou", limits.iou, [(p.iou, p.at) for p in pairs if p.iou is not None])
    shifts = [(p.shift, p.at) for p in pairs if p.shift is not None]
    worst("max_shift", limits.max_shift, [(limits.in_map_px(shift), at) for shift, at in shifts])
    if shifts:
        shift, at = _largest_with_place(shifts)
        # `map_px` turns a distance in source px into one that `max_shift` judges.
        measures += [Measure("map_px", limits.map_px), Measure("shift", shift, at=at)]
    measures += _score_measures(pairs, limits, tolerance["detections.max_score_difference"])
    measures += judge_shares(counts, tolerance.limits, defers=defers)
    return tuple(measures)


def _score_measures(pairs: list[BoxFinding], limits: BoxLimits, limit: Limit) -> list[Measure]:
    """Return the worst score difference with what judges it: by how far scores miss what they must be, where known."""
    name = "detections.max_score_difference"
    gaps = [(pair.score_difference, pair.at) for pair in pairs if pair.score_difference is not None]
    errors = [(pair.score_error, pair.at) for pair in pairs if pair.score_error is not None]
    if not gaps:
        return []
    (value, at), (gap, _) = _largest_with_place(errors or gaps), _largest_with_place(gaps)
    # Scores that agree to within what rounding leaves are judged exactly, whatever could have been run.
    is_exact = bool(errors) or (limits.exact_score is not None and gap <= limits.exact_score)
    most = limits.exact_score if is_exact else limits.max_score_difference
    is_rough = limit.value == AUTO and most == AUTOMATIC_SCORE
    origin = f"{limit.origin}{ROUGHLY if is_rough else ''}" if most is not None else ""
    measures = [Measure(name, value, most, origin, at, decides=False), Measure("score", gap)]
    return [*measures, Measure("score_error", value)] if errors else measures


def _largest_with_place(amounts: list[tuple[float, tuple[float, float]]]) -> tuple[float, tuple[float, float]]:
    """Return the largest amount with its place; NaN is the largest of all, which `max` would not find."""
    return max(amounts, key=lambda pair: (math.isnan(pair[0]), pair[0]))
