"""Compare the raw probability maps of two sides, under a limit that the reference network itself sets."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.compare.array_difference import Gap, distance, gap_of, source_place
from pytest_ocrparity.compare.preconditions import comparison_of, missing_stages, refuse_same_object
from pytest_ocrparity.compare.sensitivity import fused_map, map_sensitivity, sensitivity_to_rounding
from pytest_ocrparity.comparison import (
    DIFFERENT,
    LEAST,
    LEFT_TO_RUN,
    NOT_COMPARABLE,
    NOT_JUDGEABLE,
    RECORDED,
    SAME,
    Comparison,
    Difference,
    Measure,
)
from pytest_ocrparity.stages import PROBABILITY_MAP, first_stage
from pytest_ocrparity.tolerance import AUTO, OFF, Limit, Tolerance
from pytest_ocrparity.trace import Trace

_Array: TypeAlias = "npt.NDArray[Any]"

FLOOR_FACTOR = 4.0
"""A right export differs by up to 1.4 x the floor on nine photos of five detectors; 4 leaves room for the rest."""
RIGHT_FACTOR = 1.4
"""What of the floor a right export reaches, measured as above."""
LEAST_ATOL, MOST_ATOL = 1e-4, 1e-2
"""The range of the map rule: below 1e-4 of noise no box of 13,278 moved; above 1e-2 lie reduced-precision exports."""


def compare_maps(reference: Trace, candidate: Trace, tolerance: Tolerance, *, defers: bool = False) -> Comparison:
    """Compare the raw probability maps: shape, channels, finiteness, differences, pixels that cross `thresh`.

    `defers` tells that somebody judges the limits of a whole run.

    Raises:
        DifferenceError: both sides are the same object.
    """
    refuse_same_object(reference, candidate)
    differences = missing_stages(reference, candidate, (PROBABILITY_MAP,))
    measures: tuple[Measure, ...] = ()
    status = DIFFERENT
    if reference.probability_map is not None and candidate.probability_map is not None:
        gap = _gap(reference, candidate)
        differences = _obstacles(reference.probability_map, candidate.probability_map, gap)
        if any(difference.kind == "shape" for difference in differences):
            status = NOT_COMPARABLE
        elif not differences and gap is not None:
            measures = _map_measures(reference, candidate, gap, tolerance, defers)
            if all(measure.limit is None for measure in measures):
                differences.append(Difference(PROBABILITY_MAP, "not_judged"))
    failing = any(measure.fails for measure in measures)
    if reference.is_recording_of(candidate):
        status = RECORDED
    elif not failing and not differences:
        status = SAME if all(measure.is_within for measure in measures) else LEFT_TO_RUN
    elif not differences and _is_rounding(measures):
        status = NOT_JUDGEABLE
    stages = {difference.stage for difference in differences} | ({PROBABILITY_MAP} if failing else set())
    return comparison_of(
        "probability_maps",
        reference,
        candidate,
        tolerance,
        status=status,
        stage=first_stage(stages),
        measures=measures,
        differences=tuple(differences),
    )


def _is_rounding(measures: tuple[Measure, ...]) -> bool:
    """Tell whether rounding alone may be what breaks the limit of the largest difference, and no other is broken."""
    atol, floor = measures[0], next((measure for measure in measures if measure.name == "sensitivity"), None)
    if floor is None or [measure for measure in measures if measure.fails] != [atol]:
        return False
    return is_within_rounding(atol.value, atol.limit, floor.value)


def is_within_rounding(largest: float, limit: float | None, floor: float) -> bool:
    """Tell whether maps differ by no more than rounding moves the reference's own, and that is beyond their limit.

    Then no amount within FLOOR_FACTOR of the floor tells a right export from a wrong one. A limit of 0 is not about
    rounding: it asks for equal maps.
    """
    return bool(limit) and RIGHT_FACTOR * floor > (limit or 0.0) and largest <= FLOOR_FACTOR * floor


def _gap(reference: Trace, candidate: Trace) -> Gap | None:
    """Return the gap of two maps, or None where their pixels do not pair."""
    ours, theirs = reference.probability_map, candidate.probability_map
    if ours is None or theirs is None or not ours.size or ours.shape != theirs.shape:
        return None
    return gap_of(ours, theirs, _thresh(reference)) if ours.ndim == 4 and ours.shape[:2] == (1, 1) else None


def _thresh(trace: Trace) -> Any:
    return trace.parameters.get("detections", {}).get("thresh")


def _obstacles(ours: _Array, theirs: _Array, gap: Gap | None) -> list[Difference]:
    """Return why two maps can't be measured."""
    found = []
    if not ours.size or not theirs.size:
        found.append(Difference(PROBABILITY_MAP, "no_values", ours.shape, theirs.shape))
    elif ours.ndim != 4 or theirs.ndim != 4 or (len(ours), *ours.shape[2:]) != (len(theirs), *theirs.shape[2:]):
        found.append(Difference(PROBABILITY_MAP, "shape", ours.shape, theirs.shape))
    elif ours.shape[:2] != (1, 1) or theirs.shape[:2] != (1, 1):
        found.append(Difference(PROBABILITY_MAP, "channels", ours.shape[1], theirs.shape[1]))
    # A finite gap says that all is finite, without a pass over either map.
    if gap is None or not np.isfinite(gap.largest):
        broken = [int(np.count_nonzero(~np.isfinite(values))) for values in (ours, theirs)]
        if any(broken):
            found.append(Difference(PROBABILITY_MAP, "not_finite", broken[0], broken[1]))
    return found


def _map_measures(
    reference: Trace, candidate: Trace, gap: Gap, tolerance: Tolerance, defers: bool
) -> tuple[Measure, ...]:
    ours, theirs = reference.probability_map, candidate.probability_map
    assert ours is not None and theirs is not None
    atol, extra = _map_limit(reference, candidate, gap.largest, tolerance["probability_maps.atol"])
    share_limit, share = tolerance["probability_maps.max_share"], 0.0
    if atol.limit is None:
        share = float("nan")
    elif extra is None:
        # Where the largest keeps the limit, as almost always, none exceeds it.
        share = np.count_nonzero(distance(ours, theirs) > atol.limit) / ours.size if gap.largest > atol.limit else 0.0
    mean_limit, crossings_limit = tolerance["probability_maps.mean_atol"], tolerance["probability_maps.max_crossings"]
    per_run = bool(tolerance["probability_maps.per_run"].value) and defers
    measures = [
        Measure(
            "probability_maps.atol",
            atol.value,
            # A share above 0 permits some pixels any difference, so the largest one is only reported.
            atol.limit if share_limit.value == 0 else None,
            atol.origin,
            source_place(reference, divmod(gap.place, ours.shape[3]), ours.shape[2:]),
        ),
        _judged("probability_maps.mean_atol", gap.mean, mean_limit, decides=not per_run),
        # A share of 0 says no more than atol does; one without atol can't be judged and so fails.
        _judged("probability_maps.max_share", share, share_limit if share_limit.value else Limit(OFF, "")),
    ]
    if _thresh(reference) is not None:
        measures.append(_judged("probability_maps.max_crossings", gap.crossings, crossings_limit))
    elif crossings_limit.value != OFF:
        measures.append(_judged("probability_maps.max_crossings", float("nan"), crossings_limit))
    others = [Measure("largest", gap.largest), Measure("stored", reference.map_error + candidate.map_error)]
    if (
        any(measure.fails for measure in measures)
        and (moves := sensitivity_to_rounding(reference, candidate)) is not None
    ):
        others.append(Measure("sensitivity", moves))
    return (*measures, *others, *([extra] if extra else []))


def _judged(name: str, value: float, limit: Limit, decides: bool = True) -> Measure:
    off = limit.value == OFF
    return Measure(name, value, None if off else float(limit.value), "" if off else limit.origin, decides=decides)


def _map_limit(reference: Trace, candidate: Trace, largest: float, limit: Limit) -> tuple[Measure, Measure | None]:
    """Return the map's largest difference with its limit, and the fusion's where a fused copy had to explain it.

    The rule's dearer parts run only when the cheaper ones do not settle the matter: a difference of up to 1e-4 passes
    whatever the floor is, and the fused copy matters only beyond the floor's limit.
    """
    name, stored = "probability_maps.atol", reference.map_error + candidate.map_error
    storage = f" + {stored:.1e} as stored" if stored else ""
    if limit.value == OFF:
        return Measure(name, largest), None
    if limit.value != AUTO:
        return Measure(name, largest, float(limit.value) + stored, limit.origin + storage), None
    if largest <= LEAST_ATOL + stored and reference.map_sensitivity is None:  # one that was recorded costs nothing
        return Measure(name, largest, LEAST_ATOL + stored, f"{limit.origin}: {LEAST}{storage}"), None
    floor = map_sensitivity(reference)
    allowed = float(np.clip(FLOOR_FACTOR * (floor or 0.0), LEAST_ATOL, MOST_ATOL)) + stored
    rule = "4 x floor unknown" if floor is None else f"4 x floor {floor:.1e}"
    origin = f"{limit.origin}: {rule} within 1e-4 to 1e-2{storage}"
    fused = fused_map(reference) if largest > allowed else None
    theirs, ours = candidate.probability_map, reference.probability_map
    if fused is not None and theirs is not None and ours is not None and fused.shape == theirs.shape:
        fusion = float(np.max(np.abs(fused - ours)))
        rest = float(np.max(np.abs(fused - theirs)))
        if rest <= allowed:
            explained = Measure("fusion", fusion, MOST_ATOL, f"{limit.origin}: the network against its fused copy")
            return Measure(name, rest, allowed, f"{origin}, against the fused copy"), explained
    return Measure(name, largest, allowed, origin), None
