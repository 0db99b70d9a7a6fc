"""The arrays of a trace as a baseline stores them: small, and exact or off by a stated amount.

This module knows arrays and a trace's fields, and nothing of files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.stages import DETECTIONS, PROBABILITY_MAP, RECOGNITION, RESIZE, TENSOR
from pytest_ocrparity.trace import Array, Decoded, Detections, Recognition, Trace
from pytest_ocrparity.trace.stored_fields import wrong_stored_fields

_STEPS = 65535  # a stored probability is a multiple of 1 / 65535: at most 7.7e-6 off, 1.6e-5 beside the threshold

_AT_A_TIME = 65_536  # numbers of which a core's own cache holds the indices
_MOST_BOXES = 2**20  # each costs hundreds of bytes in memory and none in a file
_KIND = re.compile(r"(uint|float)(8|16|32|64)")
_DIFFERENCES: tuple[list[int], ...] = ([], [0], [2, 3])  # the axes along which format 1 may hold differences


def encode_trace(trace: Trace, lossless: bool) -> tuple[dict[str, Array], float]:
    """Return the arrays to store, and by how much the largest stored probability is off."""
    arrays: dict[str, Array | None] = {RESIZE: trace.resize, TENSOR: trace.tensor}
    if (table := _normalisation_table(trace.resize, trace.tensor)) is not None:
        arrays |= {TENSOR: None, "table": table}
    thresh = trace.parameters.get(DETECTIONS, {}).get("thresh")
    map_, fused = trace.probability_map, trace.fused_map
    if not lossless and trace.task == RECOGNITION:
        map_, fused = _to_steps_of_classes(map_), _to_steps_of_classes(fused)
    elif not lossless:
        map_, fused = _to_steps(map_, thresh), _to_steps(fused, thresh)
    error = 0.0
    if map_ is not None and map_.dtype == np.uint16:
        error = float(np.max(np.abs(_from_steps(map_) - trace.probability_map)))
    if map_ is not None and fused is not None and _is_stored_as_difference(map_, fused):
        fused = fused - map_
    arrays |= {PROBABILITY_MAP: map_, "fused_map": fused}
    if trace.detections is not None:
        polygons = trace.detections.polygons
        arrays["points"] = np.concatenate([*polygons, np.zeros((0, 2))])
        arrays["counts"] = np.array([len(polygon) for polygon in polygons], np.uint32)
        arrays["scores"] = trace.detections.scores
    return {name: np.ascontiguousarray(array) for name, array in arrays.items() if array is not None}, error


def decode_trace(arrays: Mapping[str, Array], manifest: Mapping[str, Any]) -> Trace:
    """Return the trace of stored arrays and their manifest; what does not fit together raises whatever NumPy raises."""
    if wrong := wrong_stored_fields(manifest):
        raise ValueError(f"its {' and '.join(wrong)} cannot be a trace's")
    decode, shape, resize = manifest["decode"], manifest["shape"], arrays.get(RESIZE)
    tensor, table = arrays.get(TENSOR), arrays.get("table")
    map_, fused = arrays.get(PROBABILITY_MAP), arrays.get("fused_map")
    if map_ is not None and fused is not None and _is_stored_as_difference(map_, fused):
        fused = fused + map_
    detections = None
    if "points" in arrays:
        counts = arrays["counts"]
        if counts.dtype != np.uint32 or counts.ndim != 1 or len(counts) > _MOST_BOXES:
            raise ValueError(f"{counts.dtype} {counts.shape} are no numbers of points of boxes")
        ends = np.cumsum(counts, dtype=np.int64)
        if len(arrays["points"]) != (ends[-1] if len(ends) else 0):
            raise ValueError("its boxes have more or fewer points than they should")
        detections = Detections(tuple(np.split(arrays["points"], ends)[:-1]), arrays.get("scores"))
    said = manifest.get("recognition")  # those of detectors have none
    texts = manifest.get("texts")  # those of pages alone have them
    return Trace(
        pipeline=f"baseline ({manifest['reference']})",
        image=manifest["image"],
        decode=decode and Decoded(tuple(decode[0]), *decode[1:]),
        resize=resize,
        shape=shape and (float(shape[0]), float(shape[1]), float(shape[2]), float(shape[3])),
        tensor=tensor if table is None or resize is None else _tensor_from_table(table, resize),
        probability_map=_from_steps(map_),
        detections=detections,
        recognition=None if said is None else Recognition(*said),
        texts=None if texts is None else tuple(each and Recognition(*each) for each in texts),
        parameters=manifest["parameters"],
        image_sha256=manifest["image_sha256"],
        map_error=manifest["map_error"],
        map_sensitivity=manifest["floor"],
        fused_map=_from_steps(fused),
    )


def _normalisation_table(resize: Array | None, tensor: Array | None) -> npt.NDArray[np.float32] | None:
    """Return the (C, 256) float32 that PaddleOCR's normalisation maps each grey level to, where that is all it did."""
    if resize is None or tensor is None or resize.dtype != np.uint8 or tensor.dtype != np.float32:
        return None
    if resize.ndim != 3 or not resize.size or tensor.shape != (1, resize.shape[2], *resize.shape[:2]):
        return None
    table = np.zeros((tensor.shape[1], 256), np.float32)
    for channel, levels in enumerate(table):
        levels[resize[..., channel]] = tensor[0, channel]
    return table if _tensor_from_table(table, resize).tobytes() == tensor.tobytes() else None


def _tensor_from_table(table: Array, resize: Array) -> Array:
    is_image = resize.dtype == np.uint8 and resize.ndim == 3 and resize.size  # of nothing, sides may be endless
    if not is_image or table.shape != (resize.shape[2], 256):
        raise ValueError(f"a table of {table.shape} {table.dtype} for pixels of {resize.shape} {resize.dtype}")
    height, width, channels = resize.shape
    tensor = np.empty((1, channels, height, width), table.dtype)
    # NumPy gathers by its own index type twice as fast as by uint8, and without a copy where it need not check. That
    # type is eight times as large, so about as many rows at a time as a core's own cache holds.
    rows = _AT_A_TIME // width + 1
    places = np.empty((min(rows, height), width), np.intp)
    for start in range(0, height, rows):
        for channel, levels in enumerate(table):
            line = tensor[0, channel, start : start + rows]
            places[: len(line)] = resize[start : start + rows, :, channel]
            np.take(levels, places[: len(line)], out=line, mode="clip")
    return tensor


def _to_steps(map_: Any, thresh: object) -> Any:
    """Return probabilities as uint16 steps, no pixel on the other side of `thresh`, and other values as they are."""
    if map_ is None or map_.dtype != np.float32 or not map_.size or not (map_.min() >= 0 and map_.max() <= 1):
        return map_
    steps = np.rint(map_.astype(np.float64) * _STEPS).astype(np.uint16)
    if isinstance(thresh, Real):
        is_above = map_ > thresh
        has_crossed = (_from_steps(steps) > thresh) != is_above
        steps[has_crossed & is_above] += 1
        steps[has_crossed & ~is_above] -= 1
    return steps


def _to_steps_of_classes(map_: Array | None) -> Array | None:
    """Return a recogniser's probabilities as uint16 steps, the best class of each timestep still the best."""
    if map_ is None:
        return None
    steps: Array = _to_steps(map_, None)
    if map_.ndim != 3 or steps.dtype != np.uint16:
        return steps
    best = map_.argmax(-1)[..., None]
    rivals = steps.copy()
    np.put_along_axis(rivals, best, 0, -1)
    # One step above the others, where rounding made it equal to one; a probability of 1 leaves nothing to the others.
    least = np.minimum(rivals.max(-1, keepdims=True, initial=0).astype(np.uint32) + 1, _STEPS).astype(np.uint16)
    np.put_along_axis(steps, best, np.maximum(np.take_along_axis(steps, best, -1), least), -1)
    return steps


def _from_steps(steps: Any) -> Any:
    """Return probabilities from their steps, and anything else as it is."""
    if steps is None or steps.dtype != np.uint16:
        return steps
    return np.divide(steps, np.float32(_STEPS), dtype=np.float32)


def _is_stored_as_difference(map_: Array, fused: Array) -> bool:
    """Return whether the fused map is stored as its difference from the map: two in steps and of one shape are."""
    return map_.shape == fused.shape and map_.dtype == fused.dtype == np.uint16


def encode_array(array: Array) -> Array:
    """Return the array as byte planes, (bytes per number, *shape): bytes of equal weight lie together."""
    return np.ascontiguousarray(np.moveaxis(array[..., None].view(np.uint8), -1, 0))


def encoded_item_size(kind: object) -> int:
    """Return the bytes per number of a dtype as `encode_array`'s arrays have. Raises ValueError for any other."""
    found = _KIND.fullmatch(kind) if isinstance(kind, str) else None
    if found is None:
        raise ValueError(f"{kind!r} is no kind of number")
    return int(found[2]) // 8


def decode_array(planes: Array, kind: str, axes: Sequence[int] = ()) -> Array:
    """Return the array of byte planes.

    Args:
        planes: the bytes, as `encode_array` returns them.
        kind: the dtype of the array.
        axes: along which the array holds differences, in files of format 1.

    Raises:
        ValueError: format 1 holds no differences along these axes.
    """
    shape, dtype = planes.shape[1:], np.dtype(kind)
    planes = planes.reshape(len(planes), *(shape or (1,)))  # NumPy 1 would count a lone number in integers of its own
    numbers = planes[-1].astype(f"<u{dtype.itemsize}", copy=False)
    for plane in planes[-2::-1]:  # twice as fast as writing each plane to every n-th byte
        numbers <<= numbers.dtype.type(8)
        numbers |= plane
    if axes:
        numbers = _undo_differences(numbers, axes)
    array: Array = numbers.view(dtype).reshape(shape)
    return array


def _undo_differences(numbers: Array, axes: Sequence[int]) -> Array:
    """Return the unsigned numbers whose differences along these axes a file of format 1 holds."""
    if axes not in _DIFFERENCES:
        raise ValueError(f"an array of {numbers.shape} holds no differences along {axes}")
    if numbers.itemsize > 1:  # the sign is the lowest bit
        numbers = (numbers >> 1) ^ (0 - (numbers & 1))
    for axis in reversed(axes):
        numbers = np.add.accumulate(numbers, axis=axis, dtype=numbers.dtype)
    return numbers
