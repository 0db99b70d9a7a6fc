"""Measure two traces of one image against each other, stage by stage. Measures only: words are in `explain`."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.boxes import compare_detections
from pytest_ocrparity.parameters import parameter_differences
from pytest_ocrparity.sink import is_in_a_run
from pytest_ocrparity.tolerance import AUTO, OFF, Limit, Tolerance, current_tolerance
from pytest_ocrparity.trace import DECODE, PROBABILITY_MAP, RESIZE, TENSOR, Trace, first_stage
from pytest_ocrparity.verdict import (
    DIFFERENT,
    LEFT_TO_RUN,
    NOT_COMPARABLE,
    RECORDED,
    SAME,
    Comparison,
    Difference,
    Measure,
    refuse_same_object,
)

__all__ = ["compare", "compare_detections", "compare_maps", "compare_preprocessing"]

FLOOR_FACTOR = 4.0
"""A right export differs by up to 1.4 x the floor on nine photos of five detectors; 4 leaves room for the rest."""
LEAST_ATOL, MOST_ATOL = 1e-4, 1e-2
"""The range of the map rule: below 1e-4 of noise no box of 13,278 moved; above 1e-2 lie reduced-precision exports."""


def compare(*, reference: Trace, candidate: Trace, tolerance: Tolerance | None = None) -> tuple[Comparison, ...]:
    """Compare preprocessing, probability maps and detections of two traces of one image.

    Returns one Comparison per kind, in the order of the data flow; none decides over the others.

    Raises:
        DifferenceError: both sides are the same object, which would compare nothing.
    """
    tolerance = tolerance or current_tolerance.get()()
    maps = compare_maps(reference, candidate, tolerance)
    return (
        compare_preprocessing(reference, candidate, tolerance),
        maps,
        compare_detections(reference, candidate, tolerance, maps),
    )


def _comparison(kind: str, reference: Trace, candidate: Trace, **values: Any) -> Comparison:
    return Comparison(
        kind=kind,
        image=candidate.label,
        reference=reference.pipeline,
        candidate=candidate.pipeline,
        parameters=parameter_differences(reference, candidate),
        **values,
    )


def _missing_stages(reference: Trace, candidate: Trace, needed: tuple[str, ...]) -> list[Difference]:
    """Return a Difference for each needed stage that a side lacks, or for what stopped a side before it."""
    for index, trace in enumerate((reference, candidate)):
        if trace.error is not None and any(stage not in trace.stages for stage in needed):
            told: list[str | None] = [None, None]
            told[index] = str(trace.error)
            return [Difference(trace.error.stage, "stopped", told[0], told[1])]
    found = []
    for stage in needed:
        if stage not in reference.stages or stage not in candidate.stages:
            found.append(Difference(stage, "not_recorded", stage in reference.stages, stage in candidate.stages))
    return found


def compare_preprocessing(reference: Trace, candidate: Trace, tolerance: Tolerance) -> Comparison:
    """Compare decoded image (shape, dtype, channel order), resized size, and tensor.

    Raises:
        DifferenceError: both sides are the same object.
    """
    refuse_same_object(reference, candidate)
    differences = _missing_stages(reference, candidate, (TENSOR,))
    differences += _decode_differences(reference, candidate) + _resize_differences(reference, candidate)
    measures: tuple[Measure, ...] = ()
    if reference.tensor is not None and candidate.tensor is not None:
        if not reference.tensor.size or not candidate.tensor.size:
            differences.append(Difference(TENSOR, "no_values", reference.tensor.shape, candidate.tensor.shape))
        elif reference.tensor.shape != candidate.tensor.shape or reference.tensor.dtype != candidate.tensor.dtype:
            one, two = (f"{tensor.shape} {tensor.dtype}" for tensor in (reference.tensor, candidate.tensor))
            differences.append(Difference(TENSOR, "shape", one, two))
        else:
            measures = _tensor_measures(reference, candidate, tolerance["preprocessing.atol"])
    stages = {difference.stage for difference in differences if difference.fails}
    if any(measure.fails for measure in measures):
        # Pixels that differ before the tensor are no fault by themselves, but they say where its difference begins.
        stages |= {TENSOR, *(d.stage for d in differences if d.kind == "pixels")}
    status = RECORDED if reference.is_recording_of(candidate) else DIFFERENT if stages else SAME
    return _comparison(
        "preprocessing",
        reference,
        candidate,
        status=status,
        stage=first_stage(stages),
        measures=measures,
        differences=tuple(differences),
    )


def _decode_differences(reference: Trace, candidate: Trace) -> list[Difference]:
    ours, theirs = reference.decode, candidate.decode
    if ours is None or theirs is None:
        return _one_sided(DECODE, ours, theirs)
    found = [
        Difference(DECODE, name, getattr(ours, name), getattr(theirs, name))
        for name in ("shape", "dtype", "channel_order")
        if getattr(ours, name) != getattr(theirs, name)
    ]
    if not found and ours.sha256 != theirs.sha256:
        found.append(Difference(DECODE, "pixels", fails=False))
    return found


def _one_sided(stage: str, ours: object, theirs: object) -> list[Difference]:
    """Return a stage that only one side recorded, as a fact: the tensor decides."""
    if ours is None and theirs is None:
        return []
    return [Difference(stage, "one_sided", ours is not None, theirs is not None, fails=False)]


def _resize_differences(reference: Trace, candidate: Trace) -> list[Difference]:
    ours, theirs = reference.resize, candidate.resize
    sizes = [trace.shape and tuple(map(int, trace.shape[:2])) for trace in (reference, candidate)]
    if all(sizes) and sizes[0] != sizes[1]:
        return [Difference(RESIZE, "source_size", sizes[0], sizes[1])]
    if ours is None or theirs is None:
        return _one_sided(RESIZE, ours, theirs)
    if ours.shape[:2] != theirs.shape[:2]:
        return [Difference(RESIZE, "size", ours.shape[:2], theirs.shape[:2])]
    return [] if np.array_equal(ours, theirs) else [Difference(RESIZE, "pixels", fails=False)]


def _tensor_measures(reference: Trace, candidate: Trace, limit: Limit) -> tuple[Measure, Measure]:
    """Return the value that exceeds its own limit by most, and the largest difference wherever it is."""
    assert reference.tensor is not None and candidate.tensor is not None
    difference = _distance(reference.tensor, candidate.tensor)
    allowed: npt.NDArray[np.floating[Any]] | float
    if limit.value != AUTO:
        allowed = float(limit.value)
    elif np.max(difference, initial=0.0) <= 2e-6:
        allowed = 2e-6
    else:
        allowed = np.maximum(2e-6, 4 * np.spacing(np.maximum(np.abs(reference.tensor), _offset(reference))))
    excess = np.nan_to_num(difference - allowed, nan=np.inf)
    worst = np.unravel_index(int(np.argmax(excess)), excess.shape)
    judged = Measure(
        "preprocessing.atol",
        float(difference[worst]),
        float(np.broadcast_to(allowed, difference.shape)[worst]),
        limit.origin,
        _source_place(reference, worst[-2:], difference.shape[-2:]),
    )
    return judged, Measure("largest", float(np.max(difference)))


def _distance(ours: npt.NDArray[Any], theirs: npt.NDArray[Any]) -> npt.NDArray[np.floating[Any]]:
    """Return the absolute differences; integers, which would wrap around, as float64."""
    is_float = np.issubdtype(ours.dtype, np.floating) and np.issubdtype(theirs.dtype, np.floating)
    difference: npt.NDArray[np.floating[Any]] = np.subtract(ours, theirs, dtype=None if is_float else np.float64)
    np.abs(difference, out=difference)
    return difference


def _offset(trace: Trace) -> np.float32:
    """Return mean/std, the size of the terms whose sum a tensor is; its rounding shows even where the sum is near 0."""
    parameters = trace.parameters.get(TENSOR, {})
    mean, std = (np.atleast_1d(np.asarray(parameters.get(name, 0.0), np.float32)) for name in ("mean", "std"))
    return np.float32(np.max(np.abs(mean / std))) if len(mean) == len(std) and np.all(std) else np.float32(0)


def _source_place(trace: Trace, place: Any, size: Any) -> tuple[float, float] | None:
    """Convert (row, column) of a tensor or map into x, y of the source image."""
    if trace.shape is None:
        return None
    return float(place[1] * trace.shape[1] / size[1]), float(place[0] * trace.shape[0] / size[0])


def compare_maps(reference: Trace, candidate: Trace, tolerance: Tolerance) -> Comparison:
    """Compare the raw probability maps: shape, channels, finiteness, differences, pixels that cross `thresh`.

    Raises:
        DifferenceError: both sides are the same object.
    """
    refuse_same_object(reference, candidate)
    differences = _missing_stages(reference, candidate, (PROBABILITY_MAP,))
    measures: tuple[Measure, ...] = ()
    status = DIFFERENT
    if reference.probability_map is not None and candidate.probability_map is not None:
        differences += _map_differences(reference, candidate)
        if any(difference.kind == "shape" for difference in differences):
            status = NOT_COMPARABLE
        elif not differences:
            measures = _map_measures(reference, candidate, tolerance)
            if all(measure.limit is None for measure in measures):
                differences.append(Difference(PROBABILITY_MAP, "not_judged"))
    failing = any(measure.fails for measure in measures)
    if reference.is_recording_of(candidate):
        status = RECORDED
    elif not failing and not differences:
        status = SAME if all(measure.is_within for measure in measures) else LEFT_TO_RUN
    stages = {difference.stage for difference in differences} | ({PROBABILITY_MAP} if failing else set())
    return _comparison(
        "probability_maps",
        reference,
        candidate,
        status=status,
        stage=first_stage(stages),
        measures=measures,
        differences=tuple(differences),
    )


def _map_differences(reference: Trace, candidate: Trace) -> list[Difference]:
    ours, theirs = reference.probability_map, candidate.probability_map
    assert ours is not None and theirs is not None
    found = []
    if not ours.size or not theirs.size:
        found.append(Difference(PROBABILITY_MAP, "no_values", ours.shape, theirs.shape))
    elif ours.ndim != 4 or theirs.ndim != 4 or (len(ours), *ours.shape[2:]) != (len(theirs), *theirs.shape[2:]):
        found.append(Difference(PROBABILITY_MAP, "shape", ours.shape, theirs.shape))
    elif ours.shape[1] != 1 or theirs.shape[1] != 1:
        found.append(Difference(PROBABILITY_MAP, "channels", ours.shape[1], theirs.shape[1]))
    broken = [int(np.count_nonzero(~np.isfinite(values))) for values in (ours, theirs)]
    if any(broken):
        found.append(Difference(PROBABILITY_MAP, "not_finite", broken[0], broken[1]))
    return found


def _map_measures(reference: Trace, candidate: Trace, tolerance: Tolerance) -> tuple[Measure, ...]:
    ours, theirs = reference.probability_map, candidate.probability_map
    assert ours is not None and theirs is not None
    difference = _distance(ours, theirs)[0, 0]
    worst = np.unravel_index(int(np.argmax(difference)), difference.shape)
    largest, mean = float(difference[worst]), float(np.mean(difference, dtype=np.float64))
    atol, extra = _map_limit(reference, candidate, largest, tolerance["probability_maps.atol"])
    share_limit, share = tolerance["probability_maps.max_share"], 0.0
    if atol.limit is None:
        share = float("nan")
    elif extra is None:
        share = float(np.count_nonzero(difference > atol.limit)) / difference.size
    mean_limit, crossings_limit = tolerance["probability_maps.mean_atol"], tolerance["probability_maps.max_crossings"]
    per_run = bool(tolerance["probability_maps.per_run"].value) and is_in_a_run()
    measures = [
        Measure(
            "probability_maps.atol",
            atol.value,
            # A share above 0 permits some pixels any difference, so the largest one is only reported.
            atol.limit if share_limit.value == 0 else None,
            atol.origin,
            _source_place(reference, worst, difference.shape),
        ),
        _judged("probability_maps.mean_atol", mean, mean_limit, decides=not per_run),
        # A share of 0 says no more than atol does; one without atol can't be judged and so fails.
        _judged("probability_maps.max_share", share, share_limit if share_limit.value else Limit(OFF, "")),
    ]
    thresh = reference.parameters.get("detections", {}).get("thresh")
    if thresh is not None:
        crossings = int(np.count_nonzero((ours[0, 0] > thresh) != (theirs[0, 0] > thresh)))
        measures.append(_judged("probability_maps.max_crossings", crossings, crossings_limit))
    elif crossings_limit.value != OFF:
        measures.append(_judged("probability_maps.max_crossings", float("nan"), crossings_limit))
    stored = Measure("stored", reference.map_error + candidate.map_error)
    return (*measures, Measure("largest", largest), stored, *([extra] if extra else []))


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
    if largest <= LEAST_ATOL + stored:
        return Measure(name, largest, LEAST_ATOL + stored, f"{limit.origin}: the rule's least{storage}"), None
    floor = reference.measure_floor()
    allowed = float(np.clip(FLOOR_FACTOR * (floor or 0.0), LEAST_ATOL, MOST_ATOL)) + stored
    rule = "4 x floor unknown" if floor is None else f"4 x floor {floor:.1e}"
    origin = f"{limit.origin}: {rule} within 1e-4 to 1e-2{storage}"
    fused = reference.measure_fused_map() if largest > allowed else None
    theirs, ours = candidate.probability_map, reference.probability_map
    if fused is not None and theirs is not None and ours is not None and fused.shape == theirs.shape:
        fusion = float(np.max(np.abs(fused - ours)))
        rest = float(np.max(np.abs(fused - theirs)))
        if rest <= allowed:
            explained = Measure("fusion", fusion, MOST_ATOL, f"{limit.origin}: the network against its fused copy")
            return Measure(name, rest, allowed, f"{origin}, against the fused copy"), explained
    return Measure(name, largest, allowed, origin), None
