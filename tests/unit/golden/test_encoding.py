"""What comes back of the arrays that were stored: every bit, or as near as is stated; for any input."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from goldens import STEP, Array, blurred, read_manifest, stored, trace_of
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from properties import quickly, violated
from toy_reader import LINE, Reader

from pytest_ocrparity.golden.baseline_file import load_baseline_file, save_baseline_file
from pytest_ocrparity.golden.encoding import _tensor_from_table, decode_array, decode_trace, encode_array, encode_trace
from pytest_ocrparity.trace import Decoded, Detections, Recognition, Trace


def test_a_trace_comes_back_within_the_stated_error(path: Path) -> None:
    trace, back = trace_of(), load_baseline_file(path).trace
    assert back.probability_map is not None and trace.probability_map is not None
    assert back.fused_map is not None and trace.fused_map is not None
    assert 0 < back.map_error <= STEP
    assert np.abs(back.probability_map - trace.probability_map).max() == back.map_error
    assert np.abs(back.fused_map - trace.fused_map).max() <= STEP
    exact: dict[str, Any] = {
        "probability_map": None,
        "fused_map": None,
        "map_error": 0.0,
        "pipeline": "baseline (train)",
    }
    assert replace(back, **exact) == replace(trace, **exact)
    assert back.decode is not None and back.decode.pixels is None


def test_no_pixel_changes_side_of_the_threshold(tmp_path: Path) -> None:
    near = np.linspace(0.3099, 0.3101, 960, dtype=np.float32).reshape(1, 1, 24, 40)
    told = {"detections": {"thresh": 0.31}}
    of_told = stored(tmp_path / "a.npz", trace_of(probability_map=near, parameters=told))
    back = of_told.probability_map
    assert back is not None and of_told.map_error <= STEP
    assert ((back > 0.31) == (near > 0.31)).all()
    untold = stored(tmp_path / "b.npz", trace_of(probability_map=near, parameters={})).probability_map
    assert untold is not None
    assert ((untold > 0.31) != (near > 0.31)).any()


@pytest.mark.parametrize("thresh", [0.0, 1.0, 19660.5 * STEP, float(np.float32(0.3))])
def test_the_threshold_may_lie_anywhere(tmp_path: Path, thresh: float) -> None:
    around = np.clip(np.float32(thresh) + np.linspace(-3e-5, 3e-5, 960), 0, 1).astype(np.float32).reshape(1, 1, 24, 40)
    parameters = {"detections": {"thresh": thresh}}
    back = stored(tmp_path / "a.npz", trace_of(probability_map=around, parameters=parameters))
    assert back.probability_map is not None
    assert ((back.probability_map > thresh) == (around > thresh)).all()
    assert back.map_error <= STEP


def test_lossless_keeps_every_bit(tmp_path: Path) -> None:
    back = stored(tmp_path / "a.npz", trace_of(), lossless=True)
    assert back == replace(trace_of(), pipeline="baseline (train)")
    assert back.map_error == 0


def test_certain_pixels_are_stored_as_probabilities() -> None:
    certain = np.zeros((1, 1, 2, 3), np.float32)
    certain[..., 1] = 1
    arrays_, error = encode_trace(trace_of(probability_map=certain, fused_map=certain[..., :2]), lossless=False)
    assert arrays_["probability_map"].dtype == arrays_["fused_map"].dtype == np.uint16
    assert error == 0


def test_a_fused_map_is_stored_as_its_difference_from_the_map() -> None:
    """In steps, as most are 0 then; and such a file is read by every version."""
    map_ = blurred(0)
    arrays_, _ = encode_trace(trace_of(probability_map=map_, fused_map=map_), lossless=False)
    assert not arrays_["fused_map"].any()
    assert same_bits(encode_trace(trace_of(probability_map=map_, fused_map=map_), lossless=True)[0]["fused_map"], map_)


@pytest.mark.parametrize("fused", [np.float32, np.float64])
def test_a_fused_map_of_another_kind_is_no_difference_from_the_map(fused: Any) -> None:
    odd = (blurred(1) + 2).astype(fused)  # no probabilities, and so stored as they are
    for map_, other in ((blurred(0), odd), (odd, blurred(0))):
        arrays_, _ = encode_trace(trace_of(probability_map=map_, fused_map=other), lossless=False)
        assert same_bits(arrays_["fused_map" if other is odd else "probability_map"], odd)


@pytest.mark.parametrize("value", [-0.01, 1.01, float("nan"), float("inf")])
def test_what_is_no_probability_is_kept_as_it_is(tmp_path: Path, value: float) -> None:
    odd = blurred(0)
    odd[0, 0, 3, 3] = value
    back = stored(tmp_path / "a.npz", trace_of(probability_map=odd))
    assert back.probability_map is not None
    assert back.probability_map.tobytes() == odd.tobytes()
    assert back.map_error == 0


@pytest.mark.parametrize(
    "fused", [None, blurred(1, 24, 36), blurred(1).astype(np.float64)], ids=["none", "small", "f8"]
)
def test_any_fused_map(tmp_path: Path, fused: Array | None) -> None:
    back = stored(tmp_path / "a.npz", trace_of(fused_map=fused)).fused_map
    assert (back is None) == (fused is None)
    if back is not None and fused is not None:
        np.testing.assert_allclose(back, fused, atol=STEP)


def test_a_tensor_that_a_table_makes_costs_a_table(path: Path, tmp_path: Path) -> None:
    assert sorted(read_manifest(path)["arrays"]) == [
        *("counts", "fused_map", "points", "probability_map", "resize", "scores", "table"),
    ]
    tensor = np.array(trace_of().tensor)
    tensor[0, 1, 2, 3] += np.float32(1e-6)
    back = stored(tmp_path / "b.npz", trace_of(tensor=tensor)).tensor
    assert "tensor" in read_manifest(tmp_path / "b.npz")["arrays"]
    assert back is not None
    assert back.tobytes() == tensor.tobytes()


@pytest.mark.parametrize("width", [1, 300, 70_000])
def test_a_table_makes_images_of_any_width(width: int) -> None:
    rng = np.random.default_rng(0)
    resize = rng.integers(0, 256, (250 if width == 300 else 2, width, 3), dtype=np.uint8)
    levels = rng.random((3, 256), np.float32)
    tensor = np.stack([levels[channel][resize[..., channel]] for channel in range(3)])[None]
    arrays_, _ = encode_trace(trace_of(resize=resize, tensor=tensor), lossless=True)
    assert "table" in arrays_ and "tensor" not in arrays_
    back = _tensor_from_table(arrays_["table"], resize)
    assert same_bits(back, tensor)


def test_a_table_makes_a_tall_image_in_little_room() -> None:
    resize = np.zeros((5000, 300, 1), np.uint8)
    tracemalloc.start()
    made = _tensor_from_table(np.ones((1, 256), np.uint8), resize)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert made.all() and made.shape == (1, 1, 5000, 300)
    assert most < made.nbytes + 1_000_000


@pytest.mark.parametrize(
    "changes",
    [
        {"tensor": np.zeros((1, 3, 32, 64), np.float32)},
        {"tensor": np.zeros((1, 3, 24, 40), np.float64)},
        {"resize": np.zeros((24, 40), np.uint8)},
        {"resize": np.zeros((24, 40, 3), np.float32)},
        {"resize": None},
        {"tensor": None},
        {"detections": Detections(()), "decode": None, "shape": None},
        {"detections": Detections((np.zeros((0, 2)), np.full((4, 2), np.nan))), "fused_map": None},
        {"detections": None, "probability_map": None, "map_sensitivity": None, "image_sha256": None},
        {"probability_map": np.zeros((1, 1, 0, 40), np.float32)},
    ],
)
def test_traces_of_any_form(tmp_path: Path, changes: dict[str, Any]) -> None:
    trace = trace_of(**changes)
    assert stored(tmp_path / "a.npz", trace, lossless=True) == replace(trace, pipeline="baseline (train)")


def test_parameters_of_any_type(tmp_path: Path) -> None:
    parameters = {"tensor": {"mean": np.array([0.5, 0.5]), "std": np.float32(0.25), "at": Path("x"), "pair": (1, 2)}}
    back = stored(tmp_path / "a.npz", trace_of(parameters=parameters)).parameters
    assert back == {"tensor": {"mean": [0.5, 0.5], "std": 0.25, "at": "x", "pair": [1, 2]}}


Store = Callable[[Trace, bool], Trace]
_sides = st.integers(1, 6)
_maps = st.tuples(st.just(1), st.just(1), _sides, _sides)
_numbers = st.one_of(st.floats(0, 1, width=32), st.floats(width=32))


@st.composite
def traces(draw: Any) -> Trace:
    """Draw a trace of any values: also NaN, infinite and negative ones, and no boxes."""
    height, width = draw(_sides), draw(_sides)
    shape = (1, 1, height, width)
    values = draw(st.sampled_from((st.floats(0, 1, width=32), _numbers)))
    points = arrays.arrays(np.float64, st.tuples(st.integers(0, 7), st.just(2)), elements=st.floats())
    polygons = tuple(draw(st.lists(points, max_size=4)))
    scores = draw(st.none() | arrays.arrays(np.float64, len(polygons), elements=st.floats()))
    thresh = draw(st.one_of(st.floats(0, 1), st.sampled_from((0.3, 0.0, 1.0, 1 / 65535, None))))
    resize = draw(arrays.arrays(np.uint8, (height, width, 3)))
    tensor = arrays.arrays(np.float32, (1, 3, height, width), elements=st.floats(width=32))
    table = draw(arrays.arrays(np.float32, (256,), elements=st.floats(width=32)))
    return Trace(
        pipeline="baseline (train)",
        image=draw(st.text(max_size=5)),
        decode=draw(st.none() | st.just(Decoded((height, width, 3), "uint8", "BGR", "0" * 64))),
        resize=draw(st.none() | st.just(resize)),
        shape=draw(st.none() | st.tuples(*[st.floats(0, 1e6)] * 4)),
        tensor=draw(st.one_of(st.none(), tensor, st.just(table[resize].transpose(2, 0, 1)[None]))),
        probability_map=draw(st.none() | arrays.arrays(np.float32, shape, elements=values)),
        fused_map=draw(st.none() | arrays.arrays(np.float32, shape, elements=values)),
        detections=draw(st.none() | st.just(Detections(polygons, scores))),
        parameters={"detections": {"thresh": thresh}},
        image_sha256=draw(st.none() | st.just("1" * 64)),
        map_error=draw(st.floats(0, 0.99)),  # storing adds to it, and 1 is the most that a probability can be off
        map_sensitivity=draw(st.none() | st.floats(0, 1)),
    )


def same_bits(one: npt.NDArray[Any] | None, two: npt.NDArray[Any] | None) -> bool:
    if one is None or two is None:
        return one is two
    return one.dtype == two.dtype and one.shape == two.shape and one.tobytes() == two.tobytes()


def check_stored(store: Store) -> None:
    """What comes back is what was stored; probabilities within the error that the trace then states."""

    @quickly
    @given(traces(), st.booleans())
    def check(trace: Trace, lossless: bool) -> None:
        back = store(trace, lossless)
        stated = back.map_error - trace.map_error
        assert 0 <= stated <= (0 if lossless else 1.6e-5)
        for name in ("probability_map", "fused_map"):
            before, after = getattr(trace, name), getattr(back, name)
            if lossless or before is None or not (before.min() >= 0 and before.max() <= 1):
                assert same_bits(before, after)
                continue
            most = stated if name == "probability_map" else 1.6e-5
            assert np.max(np.abs(before.astype(np.float64) - after)) <= most + 1e-9
            thresh = trace.parameters["detections"]["thresh"]
            if thresh is not None:
                assert np.array_equal(before > thresh, after > thresh)
        assert same_bits(trace.resize, back.resize)
        assert same_bits(trace.tensor, back.tensor)
        exact: dict[str, Any] = {"probability_map": None, "fused_map": None, "map_error": 0.0, "tensor": None}
        assert replace(trace, **exact) == replace(back, **exact)

    check()


def to_disk(folder: Path) -> Store:
    def store(trace: Trace, lossless: bool) -> Trace:
        path = folder / "a.npz"
        save_baseline_file(path, trace, reference="train", lossless=lossless)
        return load_baseline_file(path).trace

    return store


def test_storing(tmp_path: Path) -> None:
    check_stored(to_disk(tmp_path))


@pytest.mark.parametrize(
    "damage",
    [
        {"probability_map": lambda values: values + np.float32(2e-5)},
        {"tensor": lambda values: np.nextafter(values, np.float32(9))},
        {"resize": lambda values: values ^ 1},
        {"detections": lambda found: Detections(found.polygons[::-1], found.scores)},
        {"map_sensitivity": lambda _: None},
        {"map_error": lambda error: error + 1e-3},
    ],
    ids=lambda damage: next(iter(damage)),
)
def test_damage_by_storing_is_noticed(tmp_path: Path, damage: dict[str, Callable[[Any], Any]]) -> None:
    ((name, change),) = damage.items()

    def store(trace: Trace, lossless: bool) -> Trace:
        back = to_disk(tmp_path)(trace, lossless)
        value = getattr(back, name)
        return back if value is None else replace(back, **{name: change(value)})

    violated(lambda: check_stored(store))


_kinds = st.sampled_from((np.uint8, np.uint16, np.uint32, np.float16, np.float32, np.float64))
_any_array = _kinds.flatmap(
    lambda kind: arrays.arrays(kind, arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
)


def check_packed(unpacked: Callable[..., npt.NDArray[Any]]) -> None:
    """Byte planes give back every bit of an array of any kind and shape."""

    @quickly
    @given(_any_array)
    def check(array: npt.NDArray[Any]) -> None:
        assert same_bits(array, unpacked(encode_array(array), str(array.dtype)))

    check()


def test_how_many_boxes_a_baseline_holds(tmp_path: Path) -> None:
    """Each costs hundreds of bytes in memory and none in a file."""
    many = Detections(tuple(np.full((4, 2), index, np.float64) for index in range(100)))
    assert stored(tmp_path / "a.npz", trace_of(detections=many)).detections == many
    fields = {**read_manifest(tmp_path / "a.npz"), "map_error": 0.0}
    none: dict[str, npt.NDArray[Any]] = {"points": np.zeros((0, 2)), "counts": np.zeros(2**20 + 1, np.uint32)}
    with pytest.raises(ValueError, match="are no numbers of points of boxes"):
        decode_trace(none, fields)


def test_packing() -> None:
    check_packed(decode_array)


def test_bytes_are_unpacked_in_no_room_of_their_own() -> None:
    planes, others = encode_array(np.arange(7, dtype=np.uint8)), encode_array(np.arange(7.0))
    assert np.shares_memory(decode_array(planes, "uint8"), planes)
    assert not np.shares_memory(decode_array(others, "float64"), others)


def test_a_wrong_order_of_bytes_is_noticed() -> None:
    violated(lambda: check_packed(lambda planes, kind: decode_array(planes[::-1], kind)))


def check_format_1(unpacked: Callable[..., npt.NDArray[Any]]) -> None:
    """Differences along the axes that format 1 took give back every bit."""

    @quickly
    @given(_any_array)
    def check(array: npt.NDArray[Any]) -> None:
        numbers = array.view(f"u{array.itemsize}")
        axes = {3: [0], 4: [2, 3]}.get(array.ndim, [])
        for axis in axes:
            numbers = np.diff(numbers, axis=axis, prepend=numbers.dtype.type(0))
        if axes and array.itemsize > 1:  # the sign goes last, so that small ones of either sign have empty high bytes
            numbers = (numbers << 1) ^ (0 - (numbers >> (8 * array.itemsize - 1)))
        assert same_bits(array, unpacked(encode_array(numbers), str(array.dtype), axes))

    check()


def test_unpacking_differences_of_format_1() -> None:
    check_format_1(decode_array)


def test_an_axis_left_out_is_noticed() -> None:
    violated(lambda: check_format_1(lambda planes, kind, _: decode_array(planes, kind)))


def test_what_is_encoded_is_what_decodes() -> None:
    """The same without files, so that `codec` alone is held to it."""
    manifest = {"reference": "train", "decode": None, "shape": None, "image_sha256": None, "floor": None}

    def store(trace: Trace, lossless: bool) -> Trace:
        arrays_, error = encode_trace(trace, lossless)
        fields = {
            **manifest,
            "image": trace.image,
            "parameters": trace.parameters,
            "map_error": trace.map_error + error,
        }
        back = decode_trace(arrays_, fields)
        return replace(
            back,
            decode=trace.decode,
            shape=trace.shape,
            image_sha256=trace.image_sha256,
            map_sensitivity=trace.map_sensitivity,
        )

    check_stored(store)


class TestRecognisers:
    def test_the_text_and_the_score_come_back_as_they_were(self, tmp_path: Path) -> None:
        for text, score in ((" a\u2028\udcff\u0645 ", 0.1 + 0.2), ("", 0.0), ("a", None), ("a", float("nan"))):
            trace = replace(Reader().trace(LINE), recognition=Recognition(text, score))
            back = stored(tmp_path / "a.npz", trace)
            assert back.recognition == trace.recognition and back.task == trace.task
            assert back.detections is None

    def test_a_detectors_file_says_nothing_of_a_text(self, path: Path) -> None:
        assert "recognition" not in read_manifest(path)

    @given(st.integers(0, 2**32 - 1), st.floats(0, 2 * STEP))
    @settings(max_examples=30, derandomize=True, database=None, deadline=None)
    def test_each_timestep_keeps_its_best_class(self, seed: int, gap: float) -> None:
        draw = np.random.default_rng(seed)
        rows = draw.uniform(0, 0.5, (1, 6, 5)).astype(np.float32)
        best, second = draw.integers(0, 5, 6), draw.integers(0, 5, 6)
        rows[0, range(6), second] = draw.uniform(0.5, 1 - gap, 6)
        rows[0, range(6), best] = rows[0, range(6), second] + np.float32(gap)
        trace = replace(Reader().trace(LINE), probability_map=rows)
        kept, error = encode_trace(trace, lossless=False)
        back = np.divide(kept["probability_map"], np.float32(65535), dtype=np.float32)
        assert (back.argmax(-1) == rows.argmax(-1)).all()
        assert kept["probability_map"].dtype == np.uint16 and error <= 2 * STEP

    @pytest.mark.parametrize(
        ("rows", "steps"),
        [([[1e-6, 0, 0]], [[1, 0, 0]]), ([[0.0]], [[1]]), ([[0.5, 0.5 + STEP / 4, 0]], [[32768, 32769, 0]])],
    )
    def test_the_best_class_is_one_step_above_the_others(self, rows: Any, steps: Any) -> None:
        trace = replace(Reader().trace(LINE), probability_map=np.array([rows], np.float32))
        assert encode_trace(trace, lossless=False)[0]["probability_map"].tolist() == [steps]

    def test_a_reader_may_have_no_map_or_one_of_another_form(self) -> None:
        trace = replace(Reader().trace(LINE), probability_map=None)
        assert "probability_map" not in encode_trace(trace, lossless=False)[0]
        rows = np.array([[0.5, 0.5 + STEP / 4]], np.float32)
        kept, _ = encode_trace(replace(trace, probability_map=rows), lossless=False)
        assert kept["probability_map"].tolist() == [[32768, 32768]]

    def test_what_is_no_probability_is_kept_as_it_is(self) -> None:
        rows = np.array([[[1.5, -0.5], [0.5, 0.25]]], np.float32)
        kept, _ = encode_trace(replace(Reader().trace(LINE), probability_map=rows), lossless=False)
        assert same_bits(kept["probability_map"], rows)

    def test_pixels_of_a_detector_may_become_equal(self) -> None:
        """The twin: what keeps the best class is the task."""
        rows = np.array([[[0.5, 0.5 + STEP / 4]]], np.float32)
        trace = replace(Reader().trace(LINE), probability_map=rows)
        pixels = replace(trace, recognition=None, detections=Detections(()), source=None, parameters={})
        bests = [encode_trace(each, lossless=False)[0]["probability_map"].argmax() for each in (trace, pixels)]
        assert bests == [1, 0]
