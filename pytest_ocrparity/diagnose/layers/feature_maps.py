"""What goes into the layer where an export goes wrong, and what comes out: small parts of the arrays of a search."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from pytest_ocrparity.diagnose.layers.layer_texts import node_text
from pytest_ocrparity.diagnose.layers.search import Search
from pytest_ocrparity.diagnosis import FeatureMap, FeatureMaps, Layer
from pytest_ocrparity.trace import Array

SIDE: Final = 64
"""Longest side of a part in values: of what PP-OCR makes of 256x256 px it is all but that of the first layers."""
ROWS: Final = 16
"""Channels of a part whose rows they are, as where a channel is only one value high."""


class _Part(NamedTuple):
    """Which values of two arrays are shown, and how messages call them."""

    reference: Array
    candidate: Array
    text: str


def feature_maps(search: Search, layer: Layer, image: str) -> FeatureMaps:
    """Return what goes into the first place that a search found, and what comes out, on both sides.

    The arrays are those that the search compared. Of what comes out the channel is shown that differs most, and of what
    goes in the one with the largest value there.
    """
    place, candidate = search.places[0], search.candidate
    right, own = search.right(place.right), search.own(place.own)
    off = _difference(right, own)
    made = _feature_map(search, place.right, place.own, off)
    given = None
    if place.frontier:
        # Of several, the largest: the others are gates and shortcuts.
        before = max(place.frontier, key=lambda each: (candidate.arrays[each].size, each))
        same = place.frontier[before]
        center = _center(off) if off.ndim == 4 else (0.5, 0.5)
        given = _feature_map(search, same, before, np.abs(search.right(same)), center)
    return FeatureMaps(layer, image, given, made)


def _feature_map(
    search: Search, right: int, own: int, weight: Array, center: tuple[float, float] | None = None
) -> FeatureMap:
    reference = search.reference
    part = _part(search.right(right), search.own(own), weight, center)
    node, place = reference.nodes[right], search.places[0]
    name = node_text(node)
    if own == place.own and place.is_one_too_many:
        name = f"{search.candidate.nodes[own].operator} in the export alone, behind {name}"
    return FeatureMap(part.reference, part.candidate, f"{name}, {part.text}", reference.limits[right])


def _difference(right: Array, own: Array) -> Array:
    with np.errstate(invalid="ignore", over="ignore"):
        found: Array = np.nan_to_num(np.abs(own - right), nan=np.inf)
    return found


def _center(weight: Array) -> tuple[float, float]:
    """Return where the largest of (1, C, h, w) weights is, in shares of height and width."""
    _, _, row, column = np.unravel_index(int(np.argmax(weight)), weight.shape)
    return (int(row) + 0.5) / weight.shape[2], (int(column) + 0.5) / weight.shape[3]


def _part(right: Array, own: Array, weight: Array, center: tuple[float, float] | None) -> _Part:
    """Return the part of two arrays of one shape around a place, or around the largest of a weight of that shape."""
    if right.ndim == 4 and right.shape[0] == 1 and right.shape[2] > 1:
        return _part_of_a_channel(right[0], own[0], weight[0], center or _center(weight))
    return _part_of_rows(*(_rows_of_channels(each) for each in (right, own, weight)))


def _part_of_a_channel(right: Array, own: Array, weight: Array, center: tuple[float, float]) -> _Part:
    """Return a part of one of (C, h, w)."""
    count, height, width = weight.shape
    rows, columns = (_window(int(share * side), side) for share, side in zip(center, (height, width), strict=True))
    channel = int(np.argmax(weight[:, rows, columns].max(axis=(1, 2))))
    one, two = (np.array(each[channel, rows, columns], np.float32) for each in (right, own))
    text = f"channel {channel} of {count} (from 0), "
    if one.shape == (height, width):
        return _Part(one, two, f"{text}{width}x{height} values")
    size = f"{one.shape[1]}x{one.shape[0]} of its {width}x{height} values"
    return _Part(one, two, f"{text}{size}, from {columns.start}, {rows.start} on")


def _rows_of_channels(array: Array) -> Array:
    """Return an array whose channels are one value high as (C, places), or as (1, C) where there is one place."""
    if array.ndim == 4:
        rows = array.transpose(1, 0, 2, 3).reshape(array.shape[1], -1)
    else:  # places by channels
        rows = array.reshape(-1, array.shape[-1] if array.ndim else 1).T
    return rows if rows.shape[1] > 1 else rows.T


def _part_of_rows(right: Array, own: Array, weight: Array) -> _Part:
    """Return a part of (C, places)."""
    height, width = weight.shape
    columns = _window(int(np.argmax(weight.max(axis=0))), width)
    most = sorted(np.argsort(-weight[:, columns].max(axis=1), kind="stable")[:ROWS].tolist())
    one, two = (np.array(each[most][:, columns], np.float32) for each in (right, own))
    where = f"{columns.start} to {columns.stop - 1} of {width} (from 0)"
    if height == 1:
        return _Part(one, two, f"channels {where}, from the left")
    names = ", ".join(map(str, most))
    return _Part(one, two, f"a row for each of the channels {names} of {height}, places {where}")


def _window(center: int, side: int) -> slice:
    start = min(max(0, center - SIDE // 2), max(0, side - SIDE))
    return slice(start, min(side, start + SIDE))
