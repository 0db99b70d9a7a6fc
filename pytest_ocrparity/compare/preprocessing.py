"""Compare what two sides feed their networks: decoded image, resized size, tensor."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pytest_ocrparity.compare.array_difference import distance, gap_of, source_place
from pytest_ocrparity.compare.preconditions import comparison_of, missing_stages, refuse_same_object
from pytest_ocrparity.comparison import DIFFERENT, RECORDED, SAME, Comparison, Difference, Measure
from pytest_ocrparity.stages import DECODE, RESIZE, TENSOR, first_stage
from pytest_ocrparity.tolerance import AUTO, Limit, Tolerance
from pytest_ocrparity.trace import Trace


def compare_preprocessing(reference: Trace, candidate: Trace, tolerance: Tolerance) -> Comparison:
    """Compare decoded image (shape, dtype, channel order), resized size, and tensor.

    Raises:
        DifferenceError: both sides are the same object.
    """
    refuse_same_object(reference, candidate)
    differences = missing_stages(reference, candidate, (TENSOR,))
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
    differences = _decided(differences, measures)
    stages = {difference.stage for difference in differences if difference.fails}
    if any(measure.fails for measure in measures):
        # Pixels that differ before the tensor are no fault by themselves, but they say where its difference begins.
        stages |= {TENSOR, *(d.stage for d in differences if d.kind == "pixels")}
    status = RECORDED if reference.is_recording_of(candidate) else DIFFERENT if stages else SAME
    return comparison_of(
        "preprocessing",
        reference,
        candidate,
        tolerance,
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
    if all(each.kind == "channel_order" for each in found) and not ours.has_pixels_of(theirs):
        found.append(Difference(DECODE, "pixels", fails=False))
    # In which order a side holds its pixels is its own affair as long as it feeds its network the same: see _decided.
    return [replace(each, fails=each.kind not in ("channel_order", "pixels")) for each in found]


def _decided(differences: list[Difference], measures: tuple[Measure, ...]) -> list[Difference]:
    """Return the differences with a channel order that differs counted where the tensors differ as well, or are not."""
    is_same = bool(measures) and not any(measure.fails for measure in measures)
    return [replace(each, fails=not is_same) if each.kind == "channel_order" else each for each in differences]


def _one_sided(stage: str, ours: object, theirs: object) -> list[Difference]:
    """Return a stage that only one side recorded, as a fact: the tensor decides."""
    if ours is None and theirs is None:
        return []
    return [Difference(stage, "one_sided", ours is not None, theirs is not None, fails=False)]


def _resize_differences(reference: Trace, candidate: Trace) -> list[Difference]:
    ours, theirs = reference.resize, candidate.resize
    sizes = [trace.shape and tuple(map(float, trace.shape[:2])) for trace in (reference, candidate)]
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
    gap = gap_of(reference.tensor, candidate.tensor)
    value, place, allowed = gap.largest, gap.place, 2e-6 if limit.value == AUTO else float(limit.value)
    if limit.value == AUTO and not value <= allowed:
        difference = distance(reference.tensor, candidate.tensor).reshape(-1)
        limits = np.maximum(2e-6, 4 * np.spacing(np.maximum(np.abs(reference.tensor), _offset(reference)))).reshape(-1)
        place = int(np.argmax(np.nan_to_num(difference - limits, nan=np.inf)))
        value, allowed = float(difference[place]), float(limits[place])
    elif limit.value == AUTO:  # headroom is told against the limit of this very place
        size = np.maximum(np.abs(reference.tensor.reshape(-1)[place]), _offset(reference))
        allowed = max(allowed, float(4 * np.spacing(size)))
    shape = reference.tensor.shape
    at = source_place(reference, np.unravel_index(place, shape)[-2:], shape[-2:])
    return Measure("preprocessing.atol", value, allowed, limit.origin, at), Measure("largest", gap.largest)


def _offset(trace: Trace) -> np.float32:
    """Return mean/std, the size of the terms whose sum a tensor is; its rounding shows even where the sum is near 0."""
    parameters = trace.parameters.get(TENSOR, {})
    mean, std = (np.atleast_1d(np.asarray(parameters.get(name, 0.0), np.float32)) for name in ("mean", "std"))
    return np.float32(np.max(np.abs(mean / std))) if len(mean) == len(std) and np.all(std) else np.float32(0)
