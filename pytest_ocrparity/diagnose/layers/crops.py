"""The part of a page's tensor on which layers are compared."""

from __future__ import annotations

from typing import Final

import numpy as np

from pytest_ocrparity.trace import Array

SIDE: Final = 256
"""The longest side in px: all arrays of PP-OCRv5 mobile are then held at once."""
STEP: Final = 32
"""A part begins at a multiple of this many px, as its network's coarsest features do."""


def crop_where_maps_differ(
    tensor: Array, right: Array | None, own: Array | None, *, keeps_height: bool = False
) -> Array:
    """Return a part of a (1, 3, h, w) tensor, at most SIDE px high and wide, around the largest difference of two maps.

    Args:
        tensor: what both maps were made of.
        right: the reference's map, (1, C, h, w).
        own: the candidate's.
        keeps_height: leave the height as it is, as a recogniser takes one alone.
    """
    height, width = tensor.shape[2:]
    row, column = height // 2, width // 2
    if right is not None and own is not None and right.shape == own.shape and right.ndim == 4 and not keeps_height:
        off = np.nan_to_num(np.abs(right - own), nan=np.inf).max(axis=(0, 1))
        place = np.unravel_index(int(np.argmax(off)), off.shape)
        row, column = int(place[0] * height / off.shape[0]), int(place[1] * width / off.shape[1])
    rows = slice(None) if keeps_height else _part(row, height)
    return np.ascontiguousarray(tensor[:, :, rows, _part(column, width)])


def _part(center: int, side: int) -> slice:
    if side <= SIDE:
        return slice(None)
    start = min(max(0, center - SIDE // 2), side - SIDE) // STEP * STEP
    return slice(start, start + SIDE)
