"""Experiments with where a map's values come from: moved, turned, at another size, smoothed, or made in tiles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.diagnose.laboratory import Laboratory, are_equal_maps, describe_difference
from pytest_ocrparity.diagnose.network.map_change import Family, MapChange
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.stages import PROBABILITY_MAP

Array: TypeAlias = "npt.NDArray[Any]"

REACH: Final = 4
"""How far a value may come from: DB's head works at a quarter of the size, and one step there is 4 px."""
SAMPLES: Final = 6000
"""How many values the weights are worked out from; all values are then checked."""
SHARE: Final = 0.1
"""How much of the largest difference may be left."""
TEXT: Final = 0.3
"""A map that spans less is of blank paper, which any move leaves as it is."""


FIX: Final = "hand {candidate}'s map to the post-process as the network returns it"


def origins_of(right: Array, own: Array, limit: float) -> list[MapChange]:
    """Return where the values of `own` may come from in `right`: of a map that is its own mirror image, several."""
    if right.ndim != 4 or own.ndim != 4 or right.shape[:2] != (1, 1) or own.shape[:2] != (1, 1):
        return []
    first, second = right[0, 0].astype(np.float64), own[0, 0].astype(np.float64)
    if not (np.isfinite(first).all() and np.isfinite(second).all()) or np.ptp(first) < TEXT:
        return []
    is_same_size = first.shape == second.shape
    most = SHARE * float(np.max(np.abs(first - second))) if is_same_size else np.inf
    if is_same_size and most <= SHARE * limit:
        return []
    found = []
    for origin, made in _rearranged(first, second.shape):
        if made.shape == second.shape and (left := float(np.max(np.abs(made - second)))) <= min(limit, most):
            found.append(origin._replace(left=left))
    smoothed = _smoothed(first, second, min(limit, most)) if is_same_size else None
    return found if smoothed is None else [*found, smoothed]


def _origin(kind: str, text: str) -> MapChange:
    return MapChange(kind, (), text, FIX)


def _rearranged(right: Array, size: tuple[int, ...]) -> Iterator[tuple[MapChange, Array]]:
    for text, made in (
        ("with rows and columns exchanged", right.T),
        ("mirrored left to right", right[:, ::-1]),
        ("mirrored top to bottom", right[::-1]),
        ("turned by 180 degrees", right[::-1, ::-1]),
    ):
        yield _origin(text, text), made
    if size == right.shape or min(size) < 2:
        return
    text = f"scaled to {size[1]}x{size[0]}"
    yield _origin("scaled", f"{text}, by linear interpolation"), _linear(_linear(right, size[0]).T, size[1]).T
    rows, columns = (np.arange(new) * old // new for new, old in zip(size, right.shape, strict=True))
    yield _origin("scaled", f"{text}, by the nearest value"), right[rows][:, columns]
    by = right.shape[0] // size[0], right.shape[1] // size[1]
    if min(by) >= 2 and (size[0] * by[0], size[1] * by[1]) == right.shape:
        blocks = right.reshape(size[0], by[0], size[1], by[1])
        yield _origin("scaled", f"{text}, by the mean of each {by[1]}x{by[0]}"), blocks.mean(axis=(1, 3))
        yield _origin("scaled", f"{text}, by the largest of each {by[1]}x{by[0]}"), blocks.max(axis=(1, 3))


def _linear(values: Array, length: int) -> Array:
    """Return the rows resampled to another number of them, by centres of pixels, as cv2 does."""
    count = len(values)
    at = np.clip((np.arange(length) + 0.5) * count / length - 0.5, 0, count - 1)
    low = np.floor(at).astype(int)
    share = (at - low)[:, None]
    return np.asarray(values[low] * (1 - share) + values[np.minimum(low + 1, count - 1)] * share)


def _smoothed(right: Array, own: Array, limit: float) -> MapChange | None:
    """Work the weights out by which values around each one make it; they must make all, but for those at the rim."""
    height, width = right.shape
    if min(height, width) < 8 * REACH:
        return None
    inner = own[REACH:-REACH, REACH:-REACH]
    offsets = [(y, x) for y in range(-REACH, REACH + 1) for x in range(-REACH, REACH + 1)]

    def moved(y: int, x: int) -> Array:
        return right[REACH + y : height - REACH + y, REACH + x : width - REACH + x]

    changed = np.flatnonzero(np.abs(inner - moved(0, 0)) > limit)
    if not len(changed):
        return None
    # What is level, or alike along one axis, does not tell where a value comes from: edges of both axes do.
    edges = [np.abs(moved(0, 0) - moved(y, x)) > limit for y, x in ((0, REACH), (0, -REACH), (REACH, 0), (-REACH, 0))]
    textured = np.flatnonzero(np.any(edges, axis=0))
    chosen = np.unique(np.concatenate([each[:: 1 + len(each) // SAMPLES] for each in (changed, textured)]))
    columns = np.stack([moved(y, x).reshape(-1)[chosen] for y, x in offsets], axis=1)
    if len(chosen) < 4 * len(offsets):
        return None
    weights = np.linalg.lstsq(columns, inner.reshape(-1)[chosen], rcond=1e-12)[0]
    made = np.zeros_like(inner)
    for weight, (y, x) in zip(weights, offsets, strict=True):
        made += weight * moved(y, x)
    left = float(np.max(np.abs(made - inner)))
    if left > limit or abs(float(weights.sum()) - 1) > 0.01:  # else all values are scaled, wherever they come from
        return None
    largest = int(np.argmax(np.abs(weights)))
    if abs(weights[largest] - 1) < 0.01 and np.abs(np.delete(weights, largest)).max() < 0.01:
        y, x = offsets[largest]
        moved_by = _origin(f"moved {x} {y}", f"moved by x {-x:+d}, y {-y:+d} px")
        return moved_by._replace(left=left) if (x, y) != (0, 0) else None
    kept = [max(abs(y), abs(x)) for weight, (y, x) in zip(weights, offsets, strict=True) if abs(weight) > 1e-3]
    reach = 2 * max(kept, default=0) + 1
    text = f"smoothed: each value is the same weighted sum of the {reach}x{reach} around it"
    return _origin("smoothed", text)._replace(left=left)


ORIGIN: Final = Family(
    "layout.map",
    origins_of,
    "{candidate}'s map is {reference}'s, {text}",
    "{reference}'s map, {text}, is {candidate}'s (largest difference {left})",
    "moved, turned, scaled or smoothed, no other map makes this one",
)


# Tiles.

SIDES: Final = tuple(range(64, 2049, 32))
SEAM: Final = 3.0
"""How many times as much the maps must differ in their steps across seams as elsewhere."""


def neighbour_tiles_cause(
    lab: Laboratory, run: Callable[[Array], Array], tensor: Array, right: Array, own: Array
) -> Diagnosis | None:
    """Return the diagnosis of a map that the network makes of squares of a tensor, if one side of them makes it all."""
    for side in _sides_with_seams(right, own):
        corner = np.ascontiguousarray(tensor[..., :side, :side])
        first = lab.run_network(run, corner)
        if first is None or not are_equal_maps(lab, first, own[..., :side, :side]):
            continue
        made = _made_of_tiles(lab, run, tensor, own, side)
        if made is None:
            continue
        reference, candidate = lab.names

        def explains(other: Laboratory, there: Array | None, side: int = side) -> bool:
            again = None if there is None else _made_of_tiles(other, run, other.tensor, there, side)
            return again is not None

        lab.patched = replace(lab.patched, explains=explains)
        proof = f"{reference}'s network, run on squares of {side} px of the tensor, makes {candidate}'s map "
        proof += f"({describe_difference(made, own)})"
        summary = f"{candidate}'s network sees its tensor in squares of {side} px, each by itself"
        fix = f"run {candidate}'s network on the whole tensor, or on tiles that overlap and are cut back"
        return lab.proven_cause(PROBABILITY_MAP, "network.tiles", summary, [proof], fix)
    lab.tried.append("network.tiles: the reference's network on squares of the tensor does not make this map")
    return None


def _made_of_tiles(
    lab: Laboratory, run: Callable[[Array], Array], tensor: Array, own: Array, side: int
) -> Array | None:
    """Return the map of squares side by side, if it is `own`: counted as one run, as it is one pass over the tensor."""
    made = np.zeros(own.shape, np.float32)
    height, width = tensor.shape[2:]
    if own.shape[2:] != (height, width):
        return None

    def all_of(given: Array) -> Array:
        for y in range(0, height, side):
            for x in range(0, width, side):
                part = np.ascontiguousarray(given[..., y : y + side, x : x + side])
                made[..., y : y + side, x : x + side] = run(part)
        return made

    whole = lab.run_network(all_of, tensor)
    return whole if whole is not None and are_equal_maps(lab, whole, own) else None


def _sides_with_seams(right: Array, own: Array) -> list[int]:
    """Return the sides of squares at whose edges the difference of two maps jumps, the most likely three."""
    if right.shape != own.shape or right.ndim != 4:
        return []
    difference = own[0, 0].astype(np.float64) - right[0, 0]
    jumps = [np.abs(np.diff(difference, axis=axis)).mean(axis=1 - axis) for axis in (0, 1)]
    usual = [float(np.median(each)) + 1e-9 for each in jumps]
    found = {}
    for side in SIDES:
        seams = [each[side - 1 :: side] / usual[axis] for axis, each in enumerate(jumps) if len(each) >= side]
        if seams and (score := float(np.mean(np.concatenate(seams)))) > SEAM:
            found[side] = score
    # Every seam of the right side jumps; of twice that side only every other is looked at, so the smaller one is right.
    best = max(found.values(), default=0.0)
    return [side for side, score in found.items() if score >= best / 4][:3]
