"""The part of a page on which layers are compared."""

from __future__ import annotations

import numpy as np

from pytest_ocrparity.diagnose.layers.crops import SIDE, crop_where_maps_differ

TENSOR = np.arange(3 * 640 * 960, dtype=np.float32).reshape(1, 3, 640, 960)


def test_a_part_holds_the_place_of_the_largest_difference() -> None:
    right = np.zeros((1, 1, 640, 960), np.float32)
    own = right.copy()
    own[0, 0, 600, 900] = 1
    part = crop_where_maps_differ(TENSOR, right, own)
    assert part.shape == (1, 3, SIDE, SIDE)
    assert TENSOR[0, 0, 600, 900] in part[0, 0]
    own[0, 0, 10, 20] = 2
    other = crop_where_maps_differ(TENSOR, right, own)
    assert TENSOR[0, 0, 10, 20] in other[0, 0]
    assert TENSOR[0, 0, 600, 900] not in other[0, 0]


def test_a_map_of_another_size_than_its_tensor_is_scaled() -> None:
    right = np.zeros((1, 1, 160, 240), np.float32)
    own = right.copy()
    own[0, 0, 150, 225] = np.nan
    assert TENSOR[0, 0, 600, 900] in crop_where_maps_differ(TENSOR, right, own)[0, 0]


def test_a_small_page_is_taken_whole_and_a_line_keeps_its_height() -> None:
    small = TENSOR[:, :, :64, :128]
    assert np.array_equal(crop_where_maps_differ(small, None, None), small)
    line = np.zeros((1, 3, 48, 640), np.float32)
    assert crop_where_maps_differ(line, None, None, keeps_height=True).shape == (1, 3, 48, SIDE)
