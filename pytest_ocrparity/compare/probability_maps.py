"""Compare the raw probability maps of two sides, under a limit that the reference network itself sets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.compare.array_difference import ArrayDifference, absolute_array_difference, array_difference
from pytest_ocrparity.compare.judge import MapAmounts, Place, judge_by_least_limit, judge_maps, storage_note
from pytest_ocrparity.compare.preconditions import comparison_of, missing_preconditions, task_of_sides
from pytest_ocrparity.compare.sensitivity import (
    fused_map,
    map_sensitivity,
    sensitivity_limit,
    sensitivity_to_rounding,
)
from pytest_ocrparity.compare.timesteps import (
    changed_timesteps,
    timestep_form_difference,
    timestep_place,
    timestep_sum_difference,
)
from pytest_ocrparity.comparison import DIFFERENT, NOT_COMPARABLE, RECORDED, Comparison, Difference, Measure
from pytest_ocrparity.stages import DETECTIONS, PROBABILITY_MAP, PROBABILITY_MAPS, RECOGNITION, first_stage
from pytest_ocrparity.tolerance import MAP_LEAST, MAP_MOST, Limit, Tolerance
from pytest_ocrparity.trace import Trace, trace_source_place

_Map: TypeAlias = "npt.NDArray[Any]"


def compare_probability_maps(
    reference: Trace, candidate: Trace, tolerance: Tolerance, *, defers: bool = False
) -> Comparison:
    """Compare the raw probability maps: shape, channels, finiteness, differences, pixels that cross `thresh`.

    With `defers`, the run judges the limits of a whole run.
    """
    differences = missing_preconditions(reference, candidate, (PROBABILITY_MAP,))
    measures: tuple[Measure, ...] = ()
    counts: dict[str, int] = {}
    status, is_of_lines = DIFFERENT, task_of_sides(reference, candidate) == RECOGNITION
    if reference.probability_map is not None and candidate.probability_map is not None:
        gap = _map_difference(reference, candidate)
        find = _why_lines_not_comparable if is_of_lines else _why_not_comparable
        differences = find(reference.probability_map, candidate.probability_map, gap)
        if any(difference.kind in ("shape", "timesteps") for difference in differences):
            status = NOT_COMPARABLE
        elif gap is not None and not any(difference.fails for difference in differences):
            amounts = _map_amounts(reference, candidate, gap, tolerance["probability_maps.atol"])
            if is_of_lines:
                amounts, counts = _of_timesteps(amounts, reference, candidate, gap)
            judged = judge_maps(amounts, tolerance.limits, defers=defers)
            status, measures = judged.status, judged.measures
            if all(measure.limit is None for measure in measures):
                differences.append(Difference(PROBABILITY_MAP, "not_judged"))
    stages = {difference.stage for difference in differences if difference.fails}
    stages |= {PROBABILITY_MAP} if any(measure.fails for measure in measures) else set()
    return comparison_of(
        PROBABILITY_MAPS,
        reference,
        candidate,
        tolerance,
        status=RECORDED if reference.is_recording_of(candidate) else status,
        stage=first_stage(stages),
        measures=measures,
        differences=tuple(differences),
        counts=counts,
    )


def _map_difference(reference: Trace, candidate: Trace) -> ArrayDifference | None:
    """Return the gap of two maps, or None where their pixels do not pair."""
    reference_map, candidate_map = reference.probability_map, candidate.probability_map
    assert reference_map is not None and candidate_map is not None
    if reference_map.shape != candidate_map.shape or not reference_map.size:
        return None
    if task_of_sides(reference, candidate) == RECOGNITION:
        pairs = timestep_form_difference(reference_map, candidate_map) is None
        return array_difference(reference_map, candidate_map) if pairs else None
    return array_difference(reference_map, candidate_map, _postprocess_thresh(reference))


def _postprocess_thresh(trace: Trace) -> float | None:
    """Return the threshold of a side's post-process; None where it states none, or what is no number."""
    thresh = trace.parameters.get(DETECTIONS, {}).get("thresh")
    return thresh if isinstance(thresh, int | float) else None


def _why_not_comparable(reference: _Map, candidate: _Map, gap: ArrayDifference | None) -> list[Difference]:
    """Return why two maps can't be measured."""
    found = []
    sizes = [(len(each), *each.shape[2:]) if each.ndim == 4 else None for each in (reference, candidate)]
    if not reference.size or not candidate.size:
        found.append(Difference(PROBABILITY_MAP, "no_values", reference.shape, candidate.shape))
    elif None in sizes or sizes[0] != sizes[1]:
        found.append(Difference(PROBABILITY_MAP, "shape", reference.shape, candidate.shape))
    elif reference.shape[:2] != (1, 1) or candidate.shape[:2] != (1, 1):
        found.append(Difference(PROBABILITY_MAP, "channels", reference.shape[1], candidate.shape[1]))
    return found + _values_that_are_no_numbers(reference, candidate, gap)


def _why_lines_not_comparable(reference: _Map, candidate: _Map, gap: ArrayDifference | None) -> list[Difference]:
    """Return why two maps of a line can't be measured, and whether their timesteps hold probabilities."""
    form = timestep_form_difference(reference, candidate)
    found = [] if form is None else [form]
    broken = [
        replace(each, kind="not_finite_values") for each in _values_that_are_no_numbers(reference, candidate, gap)
    ]
    is_readable = not broken and (form is None or form.kind in ("classes", "timesteps"))
    sums = timestep_sum_difference(reference, candidate) if is_readable else None
    return [*found, *broken, *([] if sums is None else [sums])]


def _values_that_are_no_numbers(reference: _Map, candidate: _Map, gap: ArrayDifference | None) -> list[Difference]:
    # A finite gap says that all is finite, without a pass over either map.
    if gap is not None and np.isfinite(gap.largest):
        return []
    broken = [int(np.count_nonzero(~np.isfinite(values))) for values in (reference, candidate)]
    return [Difference(PROBABILITY_MAP, "not_finite", broken[0], broken[1])] if any(broken) else []


def _map_amounts(reference: Trace, candidate: Trace, gap: ArrayDifference, limit: Limit) -> MapAmounts:
    reference_map, candidate_map = reference.probability_map, candidate.probability_map
    assert reference_map is not None and candidate_map is not None
    at = _place(reference, gap, reference_map)

    def share(most: float | None) -> float:
        assert most is not None  # only of recorded maps it may be
        return np.count_nonzero(absolute_array_difference(reference_map, candidate_map) > most) / reference_map.size

    return MapAmounts(
        largest=gap.largest,
        at=at,
        mean=gap.mean,
        stored=reference.map_error + candidate.map_error,
        crossings=None if _postprocess_thresh(reference) is None else gap.crossings,
        automatic=lambda: _automatic_measures(reference, candidate, gap.largest, limit, at),
        share=share,
        sensitivity=lambda: sensitivity_to_rounding(reference, candidate),
    )


def _place(reference: Trace, gap: ArrayDifference, reference_map: _Map) -> Place:
    """Return where the largest difference is, in source px."""
    if reference_map.ndim == 3:
        return timestep_place(reference, gap.place // reference_map.shape[2])
    return trace_source_place(reference, divmod(gap.place, reference_map.shape[3]), reference_map.shape[2:])


def _of_timesteps(
    amounts: MapAmounts, reference: Trace, candidate: Trace, gap: ArrayDifference
) -> tuple[MapAmounts, dict[str, int]]:
    """Return the amounts of recognisers' maps, and how many timesteps have another best class.

    The mean is that of the largest difference of each timestep: of the single values nearly all are 0.
    """
    reference_map, candidate_map = reference.probability_map, candidate.probability_map
    assert reference_map is not None and candidate_map is not None
    changed, steps = len(changed_timesteps(reference_map, candidate_map)), reference_map.shape[1]
    mean = float(absolute_array_difference(reference_map, candidate_map)[0].max(1).mean()) if gap.largest else 0.0
    found = replace(amounts, crossings=changed, timesteps=steps, mean=mean)
    return found, {"timesteps": steps, "changed": changed}


def _automatic_measures(
    reference: Trace, candidate: Trace, largest: float, limit: Limit, at: Place
) -> tuple[Measure, Measure | None]:
    """Return the map's largest difference with its limit, and the fusion's where a fused copy had to explain it.

    The rule's dearer parts run only when the cheaper ones do not settle the matter: a difference of up to 1e-4 passes
    whatever the sensitivity is, and the fused copy matters only beyond its limit.
    """
    name, stored = "probability_maps.atol", reference.map_error + candidate.map_error
    if largest <= MAP_LEAST + stored and reference.map_sensitivity is None:  # a recorded one costs nothing
        return judge_by_least_limit(largest, stored, limit, at), None
    moves = map_sensitivity(reference)
    allowed = sensitivity_limit(moves) + stored
    rule = "4 x floor unknown" if moves is None else f"4 x floor {moves:.1e}"
    origin = f"{limit.origin}: {rule} within 1e-4 to 1e-2{storage_note(stored)}"
    fused = fused_map(reference) if largest > allowed else None
    maps = [each for each in (reference.probability_map, candidate.probability_map) if each is not None]
    if fused is not None and len(maps) == 2 and fused.shape == maps[1].shape:
        fusion, rest = (float(np.max(np.abs(fused - each))) for each in maps)
        if rest <= allowed:
            explained = Measure("fusion", fusion, MAP_MOST, f"{limit.origin}: the network against its fused copy")
            return Measure(name, rest, allowed, f"{origin}, against the fused copy", at), explained
    return Measure(name, largest, allowed, origin, at), None
