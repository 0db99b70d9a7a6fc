"""Feature maps: which arrays, which channel, and which part of it."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
from toy_graphs import ROWS, TENSOR, Array, Function, ToyGraph, export, network, squashed

from pytest_ocrparity.contract.network_graph import Node
from pytest_ocrparity.diagnose.layers.feature_maps import ROWS as MOST_ROWS
from pytest_ocrparity.diagnose.layers.feature_maps import SIDE, feature_maps
from pytest_ocrparity.diagnose.layers.layer_table import steps_around
from pytest_ocrparity.diagnose.layers.layer_texts import layer_of_search
from pytest_ocrparity.diagnose.layers.search import search_layers
from pytest_ocrparity.diagnosis import FeatureMaps


def found(reference: ToyGraph, candidate: ToyGraph, tensor: Array = TENSOR) -> FeatureMaps:
    search = search_layers(reference, candidate, tensor, 1e-5)
    layer = layer_of_search(search)
    maps = feature_maps(search, layer, "page.png")
    assert (maps.layer, maps.image) == (layer, "page.png")
    return maps


def moved_in(channel: int) -> Function:
    def moved(array: Array) -> Array:
        made = array.copy()
        made[:, channel] += 0.5
        return made

    return moved


@pytest.mark.parametrize("channel", [0, 3])
def test_what_comes_out_is_the_channel_that_differs(channel: int) -> None:
    maps = found(network(), export({6: moved_in(channel)}))
    arrays = network().run(TENSOR, range(10))
    assert maps.made.text == f"neck (add), channel {channel} of 5 (from 0), 8x8 values"
    np.testing.assert_array_equal(maps.made.reference, arrays[6][0, channel])
    np.testing.assert_allclose(maps.made.candidate, arrays[6][0, channel] + 0.5, rtol=1e-6)
    assert maps.made.limit < 1e-3
    # Both branches go in; the later one is shown, in its channel with the largest value.
    assert maps.given is not None
    assert maps.given.text.startswith("right (conv2d), channel ")
    np.testing.assert_array_equal(maps.given.reference, maps.given.candidate)
    largest = int(np.abs(arrays[5][0]).max(axis=(1, 2)).argmax())
    np.testing.assert_array_equal(maps.given.reference, arrays[5][0, largest])


def test_of_the_first_operator_the_tensor_goes_in() -> None:
    maps = found(network(), export({1: moved_in(2)}))
    assert maps.given is not None
    assert maps.given.text.startswith("the tensor, channel ")
    assert maps.made.text.startswith("stem.conv (conv2d), channel 2 of 4")


@pytest.mark.parametrize(("behind", "name"), [(3, "stem.act (relu)"), (0, "the tensor")])
def test_of_an_operator_too_many_what_it_changes(behind: int, name: str) -> None:
    rows = [*ROWS[:behind], (Node("scale", (behind,)), lambda array: array * 1.3)]
    for node, function in ROWS[behind:]:
        rows.append((Node(node.operator, tuple(each + (each >= behind) for each in node.inputs)), function))
    search = search_layers(network(), export(rows=rows), TENSOR, 1e-5)
    assert search.places[0].is_one_too_many, search.why
    maps = feature_maps(search, layer_of_search(search), "page.png")
    assert maps.made.text.startswith(f"scale in the export alone, behind {name}, channel ")
    np.testing.assert_allclose(maps.made.candidate, maps.made.reference * np.float32(1.3), rtol=1e-5)
    steps = steps_around(search)
    assert [step.operator for step in steps if step.status == "begins to differ"] == ["scale, in the export alone"]
    (index,) = (index for index, step in enumerate(steps) if step.status == "begins to differ")
    assert index == min(behind, 3)


def test_a_value_that_is_not_finite_differs_most() -> None:
    def spoilt(array: Array) -> Array:
        made = array + 0.5
        made[0, 1, 2, 3] = np.nan
        return made

    maps = found(network(), export({6: spoilt}))
    assert "channel 1 of 5" in maps.made.text
    assert np.isnan(maps.made.candidate).sum() == 1


def of_shape(reshape: Function, fault: Function | None = None) -> ToyGraph:
    rows: list[tuple[Node, Function]] = [
        (Node("conv2d", (0,), "wide"), reshape),
        (Node("scale", (1,), "scaled"), lambda array: (fault or (lambda each: each))(array * 0.3)),
        (Node("sigmoid", (2,), "head"), squashed),
    ]
    return ToyGraph(rows)


def shaped(reshape: Function, place: tuple[int, ...]) -> FeatureMaps:
    """Return the maps of networks whose arrays have other shapes, with a fault at one value."""

    def spoilt(array: Array) -> Array:
        made = array.copy()
        made[place] += 0.5
        return made

    tensor = np.random.default_rng(3).normal(size=(1, 3, 32, 100)).astype(np.float32)
    return found(of_shape(reshape), of_shape(reshape, spoilt), tensor)


def one_high(array: Array) -> Array:
    return array.reshape(1, 96, 1, 100)


SHAPES: list[tuple[str, Callable[[Array], Array], tuple[int, ...], tuple[int, int], str]] = [
    ("one high", one_high, (0, 40, 0, 90), (MOST_ROWS, SIDE), "14, 40 of 96, places 36 to 99 of 100"),
    (
        "in a row",
        lambda array: one_high(array)[:, :, 0].transpose(0, 2, 1),
        (0, 3, 40),
        (MOST_ROWS, SIDE),
        "places 0 to 63",
    ),
    (
        "a gate",
        lambda array: array[:, :, :20, :1].reshape(1, 60, 1, 1),
        (0, 7, 0, 0),
        (1, 60),
        "channels 0 to 59 of 60",
    ),
    (
        "wide",
        lambda array: array,
        (0, 2, 30, 99),
        (32, SIDE),
        "channel 2 of 3 .*, 64x32 of its 100x32 values, from 36, 0",
    ),
    ("one channel", lambda array: array[:, :1], (0, 0, 3, 3), (32, SIDE), "channel 0 of 1"),
]


@pytest.mark.parametrize(("name", "reshape", "place", "shape", "text"), SHAPES, ids=[row[0] for row in SHAPES])
def test_arrays_of_all_shapes_are_small_planes(
    name: str, reshape: Function, place: tuple[int, ...], shape: tuple[int, int], text: str
) -> None:
    maps = shaped(reshape, place)
    assert maps.made.reference.shape == maps.made.candidate.shape == shape
    assert np.max(maps.made.candidate - maps.made.reference) == pytest.approx(0.5, abs=1e-5)
    assert np.count_nonzero(np.abs(maps.made.candidate - maps.made.reference) > 0.1) == 1
    assert re.search(text, maps.made.text), maps.made.text
    assert maps.given is not None
    assert max(maps.given.reference.shape) <= SIDE
