"""Experiments with where a map's values come from: moved, turned, at another size, or smoothed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from pytest_ocrparity.diagnose.network.map_change import Family, MapChange
from pytest_ocrparity.trace import Array

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
