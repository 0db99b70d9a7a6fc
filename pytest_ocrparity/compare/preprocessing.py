"""Compare what two sides feed their networks: decoded image, resized size, tensor."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.compare.array_difference import absolute_array_difference, array_difference
from pytest_ocrparity.compare.judge import Judged, Place, TensorAmounts, judge_channel_order, judge_tensor
from pytest_ocrparity.compare.preconditions import comparison_of, missing_preconditions, task_of_sides
from pytest_ocrparity.compare.timesteps import is_size, timestep_column_place
from pytest_ocrparity.comparison import DIFFERENT, RECORDED, SAME, Comparison, Difference
from pytest_ocrparity.stages import DECODE, PREPROCESSING, RECOGNITION, RESIZE, TENSOR, first_stage
from pytest_ocrparity.tolerance import TENSOR_LEAST, Tolerance
from pytest_ocrparity.trace import Trace, trace_source_place


def compare_preprocessing(reference: Trace, candidate: Trace, tolerance: Tolerance) -> Comparison:
    """Compare decoded image (shape, dtype, channel order), resized size, and tensor."""
    differences = missing_preconditions(reference, candidate, (TENSOR,))
    differences += _decode_differences(reference, candidate) + _resize_differences(reference, candidate)
    judged: Judged | None = None
    if reference.tensor is not None and candidate.tensor is not None:
        if not reference.tensor.size or not candidate.tensor.size:
            differences.append(Difference(TENSOR, "no_values", reference.tensor.shape, candidate.tensor.shape))
        elif reference.tensor.shape != candidate.tensor.shape or reference.tensor.dtype != candidate.tensor.dtype:
            forms = [f"{tensor.shape} {tensor.dtype}" for tensor in (reference.tensor, candidate.tensor)]
            differences.append(Difference(TENSOR, "shape", forms[0], forms[1]))
        else:
            judged = judge_tensor(_tensor_amounts(reference, candidate), tolerance.limits)
    differences = judge_channel_order(differences, judged)
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
    reference_image, candidate_image = reference.decode, candidate.decode
    if reference_image is None or candidate_image is None:
        return _one_sided_differences(DECODE, reference_image, candidate_image)
    found = [
        Difference(DECODE, name, getattr(reference_image, name), getattr(candidate_image, name))
        for name in ("shape", "dtype", "channel_order")
        if getattr(reference_image, name) != getattr(candidate_image, name)
    ]
    if all(each.kind == "channel_order" for each in found) and not reference_image.has_pixels_of(candidate_image):
        found.append(Difference(DECODE, "pixels"))
    # Whether another channel order counts is judged with the tensors: see `judge.judge_channel_order`.
    return [replace(each, fails=each.kind not in ("channel_order", "pixels")) for each in found]


def _one_sided_differences(stage: str, reference_value: object, candidate_value: object) -> list[Difference]:
    """Return a stage that only one side recorded, as a fact: the tensor decides."""
    if reference_value is None and candidate_value is None:
        return []
    return [Difference(stage, "one_sided", reference_value is not None, candidate_value is not None, fails=False)]


def _resize_differences(reference: Trace, candidate: Trace) -> list[Difference]:
    reference_image, candidate_image = reference.resize, candidate.resize
    sizes = [trace.shape and tuple(map(float, trace.shape[:2])) for trace in (reference, candidate)]
    if all(sizes) and sizes[0] != sizes[1]:
        return [Difference(RESIZE, "source_size", sizes[0], sizes[1])]
    lines = [_line_size(trace) for trace in (reference, candidate)]
    if task_of_sides(reference, candidate) == RECOGNITION and all(lines) and lines[0] != lines[1]:
        return [Difference(RESIZE, "line_size", lines[0], lines[1])]
    if reference_image is None or candidate_image is None:
        return _one_sided_differences(RESIZE, reference_image, candidate_image)
    if reference_image.shape[:2] != candidate_image.shape[:2]:
        return [Difference(RESIZE, "size", reference_image.shape[:2], candidate_image.shape[:2])]
    return [] if np.array_equal(reference_image, candidate_image) else [Difference(RESIZE, "pixels", fails=False)]


def _line_size(trace: Trace) -> list[Any] | None:
    """Return height, content width and tensor width of a line, as its side names them; None where it does not."""
    said = trace.parameters.get(RESIZE, {})
    found = [said.get(name) for name in ("height", "content_width", "width")]
    return found if all(map(is_size, found)) else None


def _tensor_amounts(reference: Trace, candidate: Trace) -> TensorAmounts:
    reference_tensor, candidate_tensor = reference.tensor, candidate.tensor
    assert reference_tensor is not None and candidate_tensor is not None
    gap = array_difference(reference_tensor, candidate_tensor)

    def place(index: int) -> Place:
        shape = reference_tensor.shape
        row, column = (int(each) for each in np.unravel_index(index, shape)[-2:])
        found = trace_source_place(reference, (row, column), shape[-2:])
        return timestep_column_place(reference, column, row) if found is None else found

    def automatic() -> tuple[float, float, Place]:
        """Return the value that exceeds the rule's limit of its own place by most; else the largest and its limit."""
        if gap.largest <= TENSOR_LEAST:  # headroom is reported against the limit of this place
            limit = float(_automatic_limits(reference_tensor.ravel()[[gap.place]], reference).item())
            return gap.largest, max(TENSOR_LEAST, limit), place(gap.place)
        difference = absolute_array_difference(reference_tensor, candidate_tensor).ravel()
        limits = _automatic_limits(reference_tensor, reference).ravel()
        index = int(np.argmax(np.nan_to_num(difference - limits, nan=np.inf)))
        return float(difference[index]), float(limits[index]), place(index)

    return TensorAmounts(gap.largest, place(gap.place), automatic)


def _automatic_limits(values: npt.NDArray[np.float32], reference: Trace) -> npt.NDArray[np.float32]:
    """Return the automatic limit of each value: 4 ulp of the terms that it is the sum of."""
    limits: npt.NDArray[np.float32] = 4 * np.spacing(np.maximum(np.abs(values), _mean_over_std(reference)))
    return np.maximum(limits, limits.dtype.type(TENSOR_LEAST))


def _mean_over_std(trace: Trace) -> np.float32:
    """Return mean/std, the size of the terms whose sum a tensor is; its rounding shows even where the sum is near 0."""
    parameters = trace.parameters.get(TENSOR, {})
    try:
        mean, std = (np.atleast_1d(np.asarray(parameters.get(name, 0.0), np.float32)) for name in ("mean", "std"))
    except (TypeError, ValueError):  # a side of the user's may state what is no number
        return np.float32(0)
    return np.float32(np.max(np.abs(mean / std))) if len(mean) == len(std) and np.all(std) else np.float32(0)
