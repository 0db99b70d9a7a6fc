"""How far two arrays lie apart, in one pass by blocks: what is computed on the way stays in a core's own cache.

This module knows arrays of numbers and nothing of traces or limits.
"""

from __future__ import annotations

from math import inf, isfinite, isnan
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

_Array: TypeAlias = "npt.NDArray[Any]"

BLOCK = 76_800
"""Values at a time: few enough for a core's own cache, and for OpenBLAS to start no threads."""

CACHE_LINE = 64
"""Bytes that a core writes at once, on x86-64 and most of ARM."""


class ArrayDifference(NamedTuple):
    """The largest and the mean difference of two arrays, and the crossings of a threshold.

    Attributes:
        largest: the largest absolute difference, or the first that is NaN.
        place: its index in the flat arrays.
        mean: the mean absolute difference.
        crossings: values on different sides of `thresh`, where there is one.
    """

    largest: float
    place: int
    mean: float
    crossings: int


def array_difference(reference: _Array, candidate: _Array, thresh: Any = None) -> ArrayDifference:
    """Return the gap of two arrays of one shape, with one value at least; after NaN nothing more is measured."""
    from scipy.linalg import blas  # here: paddlex has it loaded, and who only reads baselines waits for it

    step = min(reference.size, BLOCK)
    largest, total, crossings = -inf, 0.0, 0
    is_single = reference.dtype == candidate.dtype == np.float32
    distances = _aligned_buffer(step, np.dtype(np.float32 if is_single else np.float64))
    # BLAS reads the signs away while it sums and searches, which saves NumPy's pass for the absolute values.
    absolute_sum, place_of_largest = (blas.sasum, blas.isamax) if is_single else (blas.dasum, blas.idamax)
    sides = bytearray(step), bytearray(step)
    above = [np.frombuffer(side, np.bool_) for side in sides]
    blocks = _array_blocks(reference.ravel(), candidate.ravel(), step)
    with np.errstate(all="ignore"):  # differences of what is not finite
        for number, (reference_block, candidate_block) in enumerate(blocks):
            if (count := len(reference_block)) < step:  # the last
                distances, above = distances[:count], [each[:count] for each in above]
            np.subtract(reference_block, candidate_block, distances, dtype=distances.dtype)
            amount = absolute_sum(distances)
            # BLAS leaves open which is the largest beside NaN.
            place = place_of_largest(distances) if isfinite(amount) else int(np.argmax(np.abs(distances)))
            at_place = abs(distances.item(place))
            if not at_place <= largest:  # NaN is larger than any
                largest, worst = at_place, number * step + place
            if isnan(largest):
                break
            total += amount
            if thresh is not None and at_place:
                np.greater(reference_block, thresh, above[0])
                np.greater(candidate_block, thresh, above[1])
                # Bytes compare at once and counting takes two passes, while almost always nothing crosses. Behind a
                # shorter last block stands what the block before it left, which may ask for a count but is not in it.
                if sides[0] != sides[1]:
                    crossings += int(np.count_nonzero(above[0] != above[1]))
    return ArrayDifference(largest, worst, total / reference.size, crossings)


def _aligned_buffer(count: int, dtype: np.dtype[Any]) -> _Array:
    """Return room for numbers that begins with a cache line: NumPy writes across two of them at half the speed."""
    room = np.empty(count * dtype.itemsize + CACHE_LINE, np.uint8)
    start = -room.ctypes.data % CACHE_LINE
    return room[start : start + count * dtype.itemsize].view(dtype)


def _array_blocks(reference: _Array, candidate: _Array, step: int) -> list[tuple[_Array, _Array]]:
    """Return two flat arrays in pieces of `step` values, the last one shorter where they are not a multiple of it."""
    count = reference.size // step
    end = count * step
    whole = list(zip(reference[:end].reshape(count, step), candidate[:end].reshape(count, step), strict=True))
    return whole if end == reference.size else [*whole, (reference[end:], candidate[end:])]


def absolute_array_difference(
    reference: npt.NDArray[Any], candidate: npt.NDArray[Any]
) -> npt.NDArray[np.floating[Any]]:
    """Return the absolute differences; integers, which would wrap around, as float64."""
    is_float = np.issubdtype(np.result_type(reference, candidate), np.floating)
    with np.errstate(
        over="ignore", invalid="ignore"
    ):  # beyond what a float holds, a difference is infinite, and so above every limit
        difference: npt.NDArray[np.floating[Any]] = np.subtract(
            reference, candidate, dtype=None if is_float else np.float64
        )
    np.abs(difference, out=difference)
    return difference
