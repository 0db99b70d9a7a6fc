"""Arrays as pictures: what is worst stays visible, and light stays light."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from toy import PAGE, Toy

from pytest_ocrparity.report.pictures.arrays import (
    BEYOND,
    COLOURS,
    WITHIN,
    array_heat_map,
    array_photo,
    drawn_array_difference,
    feature_heat_map,
    finite_ends,
    tensor_array_view,
)


def test_each_tensor_is_undone_with_its_own_numbers() -> None:
    scaled = {"tensor": {"mean": [0.6] * 3, "std": [0.25] * 3, "scale": 1 / 255}}
    trace = replace(Toy(mean=0.6).trace(PAGE), parameters=scaled)
    view = tensor_array_view(trace)
    assert np.array_equal(np.asarray(view.full), PAGE[..., ::-1])
    assert "un-normalised with mean [0.6, 0.6, 0.6]" in view.caption
    bare = tensor_array_view(replace(trace, parameters={}))
    assert "stretched from" in bare.caption


def test_a_single_pixel_stays_visible_however_small_the_thumbnail() -> None:
    ours = np.zeros((1, 1500, 1100), np.float32)
    theirs = ours.copy()
    theirs[0, 777, 333] = 1e-5
    drawn = drawn_array_difference(ours, theirs, "x")
    assert drawn.bar == pytest.approx((0.0, 1e-5))
    for image in (drawn.full, drawn.thumb):
        colours = np.asarray(image.convert("RGB")).reshape(-1, 3)
        assert (colours == COLOURS[2]).all(axis=1).sum() == 1
        assert (colours == COLOURS[0]).all(axis=1).sum() == len(colours) - 1
    place = np.argwhere((np.asarray(drawn.thumb.convert("RGB")) == COLOURS[2]).all(axis=2))[0]
    assert place.tolist() == [777 // 12, 333 // 12]


def test_up_to_its_limit_a_difference_is_dark_and_beyond_it_bright() -> None:
    steps = {}
    for largest in (0.9, 1.0, 1.1, 50.0):
        theirs = np.array([[[0.0, 1e-9, 0.5, largest]]], np.float32)
        drawn = drawn_array_difference(np.zeros_like(theirs), theirs, "x", limit=1.0)
        assert drawn.bar == pytest.approx((0.0, max(1.0, largest))) and drawn.limit == 1.0
        steps[largest] = np.asarray(drawn.full)[0].tolist()
    assert steps[0.9] == [0, 8, WITHIN / 2 + 4, WITHIN]
    assert steps[1.0][-1] == WITHIN
    assert steps[1.1] == [0, 8, WITHIN / 2 + 4, 255] and steps[50.0] == steps[1.1]
    two = drawn_array_difference(np.zeros((1, 1, 2)), np.array([[[1.01, 50.0]]]), "x", limit=1.0)
    assert np.asarray(two.full)[0, 0] in (BEYOND, BEYOND + 8)


@pytest.mark.parametrize("limit", [None, 0.0, float("inf")])
def test_without_a_limit_the_largest_is_the_brightest(limit: float | None) -> None:
    drawn = drawn_array_difference(np.zeros((1, 1, 2)), np.array([[[0.5, 1.0]]]), "x", limit=limit)
    assert (drawn.bar, drawn.limit, np.asarray(drawn.full)[0].tolist()) == ((0.0, 1.0), None, [128, 255])


def test_what_is_not_finite_is_drawn_as_the_worst() -> None:
    ours = np.zeros((1, 4, 4), np.float32)
    theirs = ours.copy()
    theirs[0, 1, 2] = np.nan
    theirs[0, 0, 0] = 0.5
    drawn = np.asarray(drawn_array_difference(ours, theirs, "x").full.convert("RGB"))
    assert drawn[1, 2].tolist() == drawn[0, 0].tolist() == list(COLOURS[2])


def test_a_heat_map_runs_from_low_to_high() -> None:
    drawn = np.asarray(array_heat_map(np.array([[0.0, 0.5], [1.0, 7.0]]), "x").full.convert("RGB"))
    assert drawn[0, 0].tolist() == list(COLOURS[0])
    assert drawn[1, 0].tolist() == drawn[1, 1].tolist() == list(COLOURS[2])
    assert np.abs(drawn[0, 1].astype(int) - COLOURS[1]).max() <= 1


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [None, 1, 3, 4])
def test_unusual_pixels_keep_their_light(dtype: str, channels: int | None) -> None:
    shape = (4, 6) if channels is None else (4, 6, channels)
    drawn = array_photo(np.full(shape, np.iinfo(dtype).max // 2, dtype), "BGR", "x")
    assert np.asarray(drawn.full).min() == np.asarray(drawn.full).max() in (127, 128)
    assert ("in 8 bits" in drawn.caption) == (dtype == "uint16")


def test_feature_maps_share_a_scale_and_keep_their_pixels() -> None:
    one, two = np.array([[-2.0, 0.0], [1.0, 2.0]]), np.array([[-2.0, 6.0], [np.nan, 2.0]])
    ends = finite_ends([one, two])
    assert ends == (-2.0, 6.0)
    drawn = [feature_heat_map(each, ends, "channel 3") for each in (one, two)]
    assert [each.bar for each in drawn] == [ends, ends]
    assert [each.caption for each in drawn] == ["channel 3", "channel 3; of its values 1 not finite"]
    steps = [np.asarray(each.full) for each in drawn]
    assert (steps[0].shape, steps[0][0, 0], steps[1][0, 1]) == ((2, 2), 0, 255)
    assert steps[0][1, 1] == steps[1][1, 1] == 128


def test_feature_maps_without_a_finite_value_are_drawn() -> None:
    nothing = np.full((2, 3), np.nan)
    assert finite_ends([nothing]) == (0.0, 0.0)
    assert feature_heat_map(nothing, (0.0, 0.0), "").full.size == (3, 2)
