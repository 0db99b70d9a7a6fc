"""The maps' measures, taken block by block, against the same taken from whole arrays."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from toy import PAGE, Toy

from pytest_ocrparity.compare import array_difference as blocks
from pytest_ocrparity.compare.probability_maps import compare_probability_maps
from pytest_ocrparity.comparison import Comparison
from pytest_ocrparity.tolerance import BUILT_IN

SIZES = [(1, 1), (1, 9), (9, 1), (8, 8), (13, 5), (100, 3)]


def compared(ours: npt.NDArray[Any], theirs: npt.NDArray[Any]) -> Comparison:
    trace = replace(Toy().trace(PAGE), source=None, shape=(*ours.shape, 3))
    assert trace.parameters["detections"]["thresh"] == 0.3
    reference = replace(trace, pipeline="train", probability_map=ours[None, None])
    candidate = replace(trace, pipeline="inference", probability_map=theirs[None, None])
    return compare_probability_maps(reference, candidate, BUILT_IN)


def measured(comparison: Comparison) -> tuple[float, float, float, tuple[float, float] | None]:
    largest, mean, crossings, atol = (
        comparison.measure(name)
        for name in (
            "largest",
            "probability_maps.mean_atol",
            "probability_maps.max_crossings",
            "probability_maps.atol",
        )
    )
    assert largest is not None and mean is not None and crossings is not None and atol is not None
    return largest.value, mean.value, crossings.value, atol.at


@pytest.fixture(params=[1, 10, 100_000])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK", request.param)


@pytest.mark.usefixtures("block")
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("dtypes", "scale"),
    [(("f4", "f4"), 1), (("f8", "f8"), 1), (("f4", "f8"), 1), (("f2", "f2"), 1), (("i1", "i1"), 100)],
)
def test_blocks_measure_what_whole_maps_do(size: tuple[int, int], dtypes: tuple[str, str], scale: int) -> None:
    rng = np.random.default_rng(0)
    ours, theirs = ((rng.uniform(-1, 1, size) * scale).astype(dtype) for dtype in dtypes)
    distances = np.abs(ours.astype(np.float64) - theirs.astype(np.float64))
    row, column = divmod(int(distances.argmax()), size[1])
    largest, mean, crossings, place = measured(compared(ours, theirs))
    assert largest == pytest.approx(distances.max(), rel=1e-6)
    assert mean == pytest.approx(distances.mean(), rel=1e-5)
    assert crossings == np.count_nonzero((ours > 0.3) != (theirs > 0.3))
    assert place == pytest.approx((column, row))


@pytest.mark.usefixtures("block")
@pytest.mark.parametrize("broken", [np.nan, -np.nan, np.inf, -np.inf])
def test_one_value_that_is_no_number_is_found_in_any_place(broken: float) -> None:
    whole = np.random.default_rng(0).random((9, 7), dtype=np.float32)
    for place in np.ndindex(*whole.shape):
        values = whole.copy()
        values[place] = broken
        for ours, theirs in ((values, whole), (whole, values), (values, values.copy())):
            assert [difference.kind for difference in compared(ours, theirs).differences] == ["not_finite"]


@pytest.mark.usefixtures("block")
def test_a_sum_beyond_float32_hides_no_place() -> None:
    ours, theirs = np.zeros((2, 5, 4), np.float32)
    theirs[:] = 2e38
    theirs[3, 2] = -3e38
    largest, mean, _, place = measured(compared(ours, theirs))
    assert largest == pytest.approx(3e38)
    assert place == pytest.approx((2, 3))
    assert mean == np.inf or mean == pytest.approx(np.abs(theirs.astype(np.float64)).mean())


def test_a_difference_beyond_float32_is_in_the_mean_and_ends_nothing() -> None:
    """Two finite maps whose difference is none: a mean that leaves it out would pass under fp16."""
    ours, theirs = np.zeros((2, 5, 4), np.float32)
    ours[0, 0], theirs[0, 0], theirs[4, 3] = 3e38, -3e38, 1
    largest, mean, crossings, place = measured(compared(ours, theirs))
    assert largest == mean == np.inf
    assert crossings == 2
    assert place == pytest.approx((0, 0))
    trace = replace(Toy().trace(PAGE), source=None, probability_map=ours[None, None])
    other = replace(trace, pipeline="inference", probability_map=theirs[None, None])
    for preset in ("fp16", "int8"):
        assert compare_probability_maps(trace, other, BUILT_IN.override(preset, "test")).status == "different"


@pytest.mark.usefixtures("block")
def test_of_equal_differences_the_first_is_the_place() -> None:
    ours = np.zeros(25)
    theirs = ours.copy()
    theirs[[3, 14, 24]] = 0.5
    found = blocks.array_difference(ours, theirs)
    assert (found.largest, found.place) == (0.5, 3)
    assert found.mean == pytest.approx(0.06)
    assert blocks.array_difference(ours, ours).place == 0


def test_however_large_arrays_are_they_are_measured_in_the_room_of_a_few_blocks() -> None:
    ours = np.zeros(20 * blocks.BLOCK, np.float32)
    theirs = ours + np.float32(1)
    blocks.array_difference(ours[:9], theirs[:9], 0.5)  # which imports BLAS
    tracemalloc.start()
    found = blocks.array_difference(ours, theirs, 0.5)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (found.largest, found.crossings) == (1, len(ours))
    assert most < 3 * ours.itemsize * blocks.BLOCK


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_differences_below_single_precision_are_measured_in_double(kind: Any) -> None:
    small = 1e-60 if kind is np.float64 else 1e-30
    ours, theirs = np.zeros((2, 7), kind)
    theirs[[2, 4]] = small / 2, small
    found = blocks.array_difference(ours, theirs)
    assert found.largest == pytest.approx(small) and found.place == 4
    assert found.mean == pytest.approx(1.5 * small / 7)


@pytest.mark.parametrize(
    ("kinds", "kind"), [("u1 u1", "f8"), ("i8 i8", "f8"), ("f4 f4", "f4"), ("u1 f4", "f4"), ("f4 u1", "f4")]
)
def test_absolute_differences_of_integers_do_not_wrap_around(kinds: str, kind: str) -> None:
    ours, theirs = (np.array(values).astype(each) for values, each in zip(([3, 9], [5, 1]), kinds.split(), strict=True))
    found = blocks.absolute_array_difference(ours, theirs)
    assert (found.tolist(), found.dtype) == ([2, 8], np.dtype(kind))


def test_room_begins_with_a_line_of_the_cache() -> None:
    held = [(np.empty(count, np.uint8), blocks._aligned_buffer(count, np.dtype(np.float32))) for count in range(1, 400)]
    assert {buffer.ctypes.data % 64 for _, buffer in held} == {0}
    assert [len(buffer) for _, buffer in held] == list(range(1, 400))
