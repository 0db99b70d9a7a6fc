"""Compare the detections of two traces: boxes paired one to one, each pair judged, the rest named and counted."""

from __future__ import annotations

import numpy as np

from pytest_ocrparity.borderline import mark_borderline
from pytest_ocrparity.pairing import BoxLimits, judge_boxes
from pytest_ocrparity.tolerance import Tolerance
from pytest_ocrparity.trace import DETECTIONS, Detections, Trace
from pytest_ocrparity.verdict import (
    DIFFERENT,
    EMPTY,
    RECORDED,
    SAME,
    BoxFinding,
    Comparison,
    Difference,
    Measure,
    refuse_same_object,
)

__all__ = ["compare_detections"]

_LIMIT_OF = {
    "iou": "detections.min_iou",
    "shift": "detections.max_shift",
    "score_difference": "detections.max_score_difference",
}


def compare_detections(
    reference: Trace, candidate: Trace, tolerance: Tolerance, maps: Comparison | None = None
) -> Comparison:
    """Compare the detections of two traces; `maps` is the comparison of their maps, where both have one.

    Raises:
        DifferenceError: both sides are the same object.
    """
    refuse_same_object(reference, candidate)
    differences = _not_compared(reference, candidate)
    findings: tuple[BoxFinding, ...] = ()
    measures: tuple[Measure, ...] = ()
    counts: dict[str, int] = {}
    if not differences:
        assert reference.detections is not None
        assert candidate.detections is not None
        maps_equal = _maps_equal(reference, candidate)
        limits = BoxLimits.of(reference, candidate, tolerance, maps_equal)
        pairs, findings = judge_boxes(reference.detections, candidate.detections, limits)
        if maps is not None and _leaves_allowance(maps) and not maps_equal:
            findings = mark_borderline(reference, candidate, maps, findings, limits.is_poly)
        counts = _count(reference.detections, candidate.detections, len(pairs), findings)
        measures = _measures(_steady(pairs, findings), counts, limits, tolerance)
        if not counts["reference"] and not counts["candidate"]:
            differences = _empty(maps, tolerance)
    if reference.is_recording_of(candidate):
        status = RECORDED
    elif differences or any(measure.fails for measure in measures) or _decides(findings, tolerance):
        status = DIFFERENT
    else:
        status = SAME if counts["reference"] or counts["candidate"] else EMPTY
    stage = None if status != DIFFERENT else differences[0].stage if differences else DETECTIONS
    return Comparison(
        kind="detections",
        image=candidate.image,
        reference=reference.pipeline,
        candidate=candidate.pipeline,
        status=status,
        stage=stage,
        measures=measures,
        differences=tuple(differences),
        boxes=findings,
        counts=counts,
    )


def _not_compared(reference: Trace, candidate: Trace) -> list[Difference]:
    for side, trace in (("reference", reference), ("candidate", candidate)):
        if trace.error is not None and trace.detections is None:
            return [Difference(trace.error.stage, "stopped", **{side: str(trace.error)})]
    present = reference.detections is not None, candidate.detections is not None
    return [] if all(present) else [Difference(DETECTIONS, "not_recorded", *present)]


def _empty(maps: Comparison | None, tolerance: Tolerance) -> list[Difference]:
    """Return why two empty sides do not pass: they do when their maps were compared and agree, or when allowed."""
    if (maps is not None and maps.is_match) or tolerance["detections.allow_empty"].value:
        return []
    compared = maps is not None and bool(maps.measures)
    return [Difference(DETECTIONS, "empty", compared, compared)]


def _maps_equal(reference: Trace, candidate: Trace) -> bool:
    """Tell whether the maps are equal to within the step with which a baseline was stored."""
    ours, theirs = reference.probability_map, candidate.probability_map
    if ours is None or theirs is None or ours.shape != theirs.shape:
        return False
    return bool(np.max(np.abs(ours - theirs), initial=0.0) <= reference.map_error + candidate.map_error)


def _leaves_allowance(maps: Comparison) -> bool:
    """Tell whether the maps agree within a limit: one that is off permits anything, so it explains nothing."""
    largest = maps.measure("probability_maps.atol")
    return maps.is_match and largest is not None and largest.limit is not None


def _steady(pairs: list[BoxFinding], findings: tuple[BoxFinding, ...]) -> list[BoxFinding]:
    """Return the pairs that are not borderline."""
    borderline = {finding.reference for finding in findings if finding.is_borderline}
    return [pair for pair in pairs if pair.reference not in borderline]


def _count(
    reference: Detections, candidate: Detections, paired: int, findings: tuple[BoxFinding, ...]
) -> dict[str, int]:
    borderline = sum(finding.is_borderline for finding in findings)
    return {
        "reference": len(reference),
        "candidate": len(candidate),
        "paired": paired,
        "borderline": borderline,
        "different": len(findings) - borderline,
    }


def _measures(
    pairs: list[BoxFinding], counts: dict[str, int], limits: BoxLimits, tolerance: Tolerance
) -> tuple[Measure, ...]:
    """Return the worst pair's amounts, which the findings judge box by box, and the share of boxes that differ."""
    measures = []

    def worst(field: str, limit: float | None, smallest: bool = False) -> None:
        amounts = [(float(getattr(pair, field)), pair.at) for pair in pairs if getattr(pair, field) is not None]
        if amounts:
            value, at = (min if smallest else max)(amounts)
            name = _LIMIT_OF[field]
            origin = tolerance[name].origin if limit is not None else ""
            measures.append(Measure(name, value, limit, origin, at, smallest, decides=False))

    worst("iou", limits.iou(limits.is_poly), smallest=True)
    worst("shift", limits.max_shift)
    worst("score_difference", limits.max_score_difference)
    limit, per_run = tolerance["detections.max_unmatched"], bool(tolerance["detections.per_run"].value)
    share = counts["different"] / max(counts["reference"], counts["candidate"], 1)
    measures.append(Measure("detections.max_unmatched", share, float(limit.value), limit.origin, decides=not per_run))
    return tuple(measures)


def _decides(findings: tuple[BoxFinding, ...], tolerance: Tolerance) -> bool:
    """Tell whether single boxes decide: they do unless a share of them is permitted."""
    if tolerance["detections.max_unmatched"].value or tolerance["detections.per_run"].value:
        return False
    return any(not finding.is_borderline for finding in findings)
