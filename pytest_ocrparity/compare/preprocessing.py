"""Compare what two sides feed their networks: decoded image, resized size, tensor."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.compare.array_difference import distance, gap_of
from pytest_ocrparity.compare.judge import Judged, Place, TensorAmounts, decided, judge_tensor
from pytest_ocrparity.compare.preconditions import comparison_of, missing_stages
from pytest_ocrparity.comparison import DIFFERENT, RECORDED, SAME, Comparison, Difference
from pytest_ocrparity.stages import DECODE, PREPROCESSING, RESIZE, TENSOR, first_stage
from pytest_ocrparity.tolerance import TENSOR_LEAST, Tolerance
from pytest_ocrparity.trace import Trace, source_place


def compare_preprocessing(reference: Trace, candidate: Trace, tolerance: Tolerance) -> Comparison:
    """Compare decoded image (shape, dtype, channel order), resized size, and tensor."""
    differences = missing_stages(reference, candidate, (TENSOR,))
    differences += _decode_differences(reference, candidate) + _resize_differences(reference, candidate)
    judged: Judged | None = None
    if reference.tensor is not None and candidate.tensor is not None:
        if not reference.tensor.size or not candidate.tensor.size:
            differences.append(Difference(TENSOR, "no_values", reference.tensor.shape, candidate.tensor.shape))
        elif reference.tensor.shape != candidate.tensor.shape or reference.tensor.dtype != candidate.tensor.dtype:
            one, other = (f"{tensor.shape} {tensor.dtype}" for tensor in (reference.tensor, candidate.tensor))
            differences.append(Difference(TENSOR, "shape", one, other))
        else:
            judged = judge_tensor(_amounts(reference, candidate), tolerance.limits)
    differences = decided(differences, judged)
    measures = () if judged is None else judged.measures
    stages = {difference.stage for difference in differences if difference.fails}
    if any(measure.fails for measure in measures):
        # Pixels that differ before the tensor are no fault by themselves, but they say where its difference begins.
        stages |= {TENSOR, *(d.stage for d in differences if d.kind == "pixels")}
    status = RECORDED if reference.is_recording_of(candidate) else DIFFERENT if stages else SAME
    return comparison_of(
        PREPROCESSING,
        reference,
        candidate,
        tolerance,
        status=status,
        stage=first_stage(stages),
        measures=measures,
        differences=tuple(differences),
    )


def _decode_differences(reference: Trace, candidate: Trace) -> list[Difference]:
    one, other = reference.decode, candidate.decode
    if one is None or other is None:
        return _one_sided(DECODE, one, other)
    found = [
        Difference(DECODE, name, getattr(one, name), getattr(other, name))
        for name in ("shape", "dtype", "channel_order")
        if getattr(one, name) != getattr(other, name)
    ]
    if all(each.kind == "channel_order" for each in found) and not one.has_pixels_of(other):
        found.append(Difference(DECODE, "pixels", fails=False))
    # Whether another channel order counts is decided with the tensors: see `judge.decided`.
    return [replace(each, fails=each.kind not in ("channel_order", "pixels")) for each in found]


def _one_sided(stage: str, one: object, other: object) -> list[Difference]:
    """Return a stage that only one side recorded, as a fact: the tensor decides."""
    if one is None and other is None:
        return []
    return [Difference(stage, "one_sided", one is not None, other is not None, fails=False)]


def _resize_differences(reference: Trace, candidate: Trace) -> list[Difference]:
    one, other = reference.resize, candidate.resize
    sizes = [trace.shape and tuple(map(float, trace.shape[:2])) for trace in (reference, candidate)]
    if all(sizes) and sizes[0] != sizes[1]:
        return [Difference(RESIZE, "source_size", sizes[0], sizes[1])]
    if one is None or other is None:
        return _one_sided(RESIZE, one, other)
    if one.shape[:2] != other.shape[:2]:
        return [Difference(RESIZE, "size", one.shape[:2], other.shape[:2])]
    return [] if np.array_equal(one, other) else [Difference(RESIZE, "pixels", fails=False)]


def _amounts(reference: Trace, candidate: Trace) -> TensorAmounts:
    one, other = reference.tensor, candidate.tensor
    assert one is not None and other is not None
    gap = gap_of(one, other)

    def place(index: int) -> Place:
        return source_place(reference, np.unravel_index(index, one.shape)[-2:], one.shape[-2:])

    def automatic() -> tuple[float, float, Place]:
        """Return the value that exceeds the rule's limit of its own place by most; else the largest and its limit."""
        if gap.largest <= TENSOR_LEAST:  # headroom is told against the limit of this very place
            limit = float(_limits(one.reshape(-1)[gap.place : gap.place + 1], reference)[0])
            return gap.largest, max(TENSOR_LEAST, limit), place(gap.place)
        difference, limits = distance(one, other).reshape(-1), _limits(one, reference).reshape(-1)
        index = int(np.argmax(np.nan_to_num(difference - limits, nan=np.inf)))
        return float(difference[index]), float(limits[index]), place(index)

    return TensorAmounts(gap.largest, place(gap.place), automatic)


def _limits(values: npt.NDArray[np.float32], reference: Trace) -> npt.NDArray[np.float32]:
    """Return the automatic limit of each value: 4 ulp of the terms that it is the sum of."""
    limits: npt.NDArray[np.float32] = 4 * np.spacing(np.maximum(np.abs(values), _offset(reference)))
    return np.maximum(limits, limits.dtype.type(TENSOR_LEAST))


def _offset(trace: Trace) -> np.float32:
    """Return mean/std, the size of the terms whose sum a tensor is; its rounding shows even where the sum is near 0."""
    parameters = trace.parameters.get(TENSOR, {})
    mean, std = (np.atleast_1d(np.asarray(parameters.get(name, 0.0), np.float32)) for name in ("mean", "std"))
    return np.float32(np.max(np.abs(mean / std))) if len(mean) == len(std) and np.all(std) else np.float32(0)
