"""The values: equal by content, read-only, and lazily measured once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from replay import ReplayPipeline
from toy import PAGE, FusedToy, Toy, page

from pytest_ocrparity.compare.sensitivity import fused_map, map_sensitivity, with_sensitivity
from pytest_ocrparity.contract import pipeline_of
from pytest_ocrparity.errors import ImageError, StageError
from pytest_ocrparity.files import image_bytes
from pytest_ocrparity.trace import Decoded, Detections, Trace

QUAD = np.array([[0.0, 0], [9, 0], [9, 5], [0, 5]])


@pytest.mark.parametrize(
    ("shape", "scale"), [((1, 1, 2, 4), (10.0, 10.0)), ((2, 4), (10.0, 10.0)), ((8,), (1.0, 1.0)), ((0, 4), (1.0, 1.0))]
)
def test_the_scale_of_a_map(shape: tuple[int, ...], scale: tuple[float, float]) -> None:
    trace = Trace(pipeline="x", image="a", shape=(20.0, 40.0, 1.0, 1.0), probability_map=np.zeros(shape, np.float32))
    assert trace.map_scale == scale


class TestEquality:
    def test_traces_are_equal_by_content_whatever_made_them(self) -> None:
        assert Toy().trace(PAGE) == Toy().trace(PAGE)
        assert Toy().trace(PAGE) != Toy(gain=7.0).trace(PAGE)
        assert Toy().trace(PAGE) != "a trace"

    def test_a_missing_stage_differs_from_a_present_one(self) -> None:
        trace = Toy().trace(PAGE)
        assert trace != replace(trace, tensor=None)

    def test_detections_are_equal_by_content(self) -> None:
        assert Detections((QUAD,), np.array([np.nan])) == Detections((QUAD.copy(),), np.array([np.nan]))
        assert Detections((QUAD,)) != Detections((QUAD, QUAD))
        assert Detections((QUAD,)) != [QUAD]


def test_arrays_cannot_be_written_to() -> None:
    trace = Toy().trace(PAGE)
    assert trace.tensor is not None
    with pytest.raises(ValueError, match="read-only"):
        trace.tensor[0] = 0


def test_the_floor_and_the_fused_map_are_measured_once() -> None:
    toy = FusedToy(fused_noise=1e-3)
    trace = toy.trace(PAGE)
    assert map_sensitivity(trace) == map_sensitivity(trace)
    assert toy.runs == 3  # its own, the same again, and the one on a tensor that is rounded otherwise
    first = fused_map(trace)
    assert first is not None
    assert first is fused_map(trace)
    assert with_sensitivity(trace).map_sensitivity == map_sensitivity(trace)


def test_what_was_measured_of_a_trace_is_not_believed_of_another() -> None:
    trace = Toy().trace(PAGE)
    floor = map_sensitivity(trace)
    assert trace.tensor is not None and floor is not None
    other = replace(trace, tensor=trace.tensor + np.float32(1), image="b.png")
    assert map_sensitivity(other) != floor
    assert (trace.label, other.label) == (trace.image, "b.png")


class TestDecoded:
    def test_pixels_stay_as_they_were(self) -> None:
        pixels = page()
        decoded = Decoded.of(pixels, "BGR")
        pixels[:] = 0  # as an operator that works in place would
        assert decoded == Decoded.of(page(), "BGR")
        assert decoded != Decoded.of(pixels, "BGR")

    def test_a_baseline_knows_the_digest_alone(self) -> None:
        live, other = Decoded.of(page(), "BGR"), Decoded.of(page() // 2, "BGR")
        stored = live.without_pixels()
        assert stored.pixels is None
        assert stored.sha256 == live.sha256 != other.sha256
        assert stored == live and stored.has_pixels_of(live) and live.has_pixels_of(stored)
        assert stored != other and not other.has_pixels_of(stored)
        assert live != Decoded.of(page(), "RGB") and live != "an image"

    def test_without_either_there_is_nothing_to_compare(self) -> None:
        with pytest.raises(ValueError, match=r"has its pixels or their digest; see without_pixels\(\)"):
            replace(Decoded.of(page(), "BGR"), pixels=None)


def test_what_cannot_be_run_is_none() -> None:
    trace = replace(Toy().trace(PAGE), source=None)
    assert map_sensitivity(trace) is None
    assert fused_map(trace) is None
    assert fused_map(Toy().trace(PAGE)) is None


def test_labels_are_relative_below_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Trace(pipeline="x", image=str(tmp_path / "images" / "a.png")).label == "images/a.png"
    assert Trace(pipeline="x", image="/elsewhere/a.png").label == "/elsewhere/a.png"


def test_what_a_trace_holds() -> None:
    trace = Toy(scale=2).trace(PAGE)
    assert trace.stages == ("decode", "resize", "tensor", "probability_map", "detections")
    assert trace.map_scale == (0.5, 0.5)
    assert Trace(pipeline="x", image="y").map_scale == (1.0, 1.0)
    assert Trace(pipeline="x", image="y").nbytes == 0
    assert trace.nbytes > 64 * 96 * 4


class TestImageBytes:
    def test_an_array_is_named_by_its_content(self) -> None:
        name, data = image_bytes(PAGE)
        assert name.startswith("array 64x96 ")
        assert image_bytes(page())[1] != data

    @pytest.mark.parametrize("array", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)])
    def test_another_array_is_refused(self, array: npt.NDArray[Any]) -> None:
        with pytest.raises(ImageError, match=r"must be \(H, W, 3\) uint8 in BGR order"):
            image_bytes(array)

    def test_a_file_that_is_no_image_has_a_sentence(self, tmp_path: Path) -> None:
        with pytest.raises(ImageError, match=r"none.png: cannot read this image: No such file"):
            image_bytes(tmp_path / "none.png")
        path = tmp_path / "a.png"
        path.touch()
        with pytest.raises(ImageError, match="this image file is empty"):
            image_bytes(path)
        for start, end in ((b"\x89PNG\r\n", b"IEND"), (b"\xff\xd8\xff\xe0\xff\xda", b"\xff\xd9")):
            path.write_bytes(start + b"pixels")
            with pytest.raises(ImageError, match="this image file is truncated"):
                image_bytes(path)
            path.write_bytes(start + b"pixels" + end)
            assert image_bytes(path)[1].endswith(end)
        path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
        with pytest.raises(ImageError, match="is a git-lfs pointer, not an image: run `git lfs pull`"):
            image_bytes(path)


class TestReplay:
    def pipeline(self) -> ReplayPipeline:
        return ReplayPipeline([Toy().trace(PAGE)], name="recorded")

    def test_it_gives_back_its_traces_and_runs_their_stages(self) -> None:
        trace = self.pipeline().trace("page.png")
        assert trace.pipeline == "recorded"
        assert trace.tensor is not None
        assert trace.probability_map is not None
        assert trace.shape is not None
        source = pipeline_of(trace)
        assert source is not None
        assert np.array_equal(source.infer(trace.tensor), trace.probability_map)
        assert source.postprocess(trace.probability_map, trace.shape) == trace.detections
        assert source.preprocess("page.png").stages == ("decode", "resize", "tensor")
        assert source.parameters == trace.parameters

    def test_what_it_does_not_hold_is_an_error(self) -> None:
        pipeline = self.pipeline()
        with pytest.raises(ImageError, match=r"other.png: recorded holds no trace of it; it has \['page.png'\]"):
            pipeline.trace("other.png")
        with pytest.raises(ImageError, match="this array: recorded holds no trace of it"):
            pipeline.trace(PAGE)
        with pytest.raises(StageError, match="has none for this tensor"):
            pipeline.infer(np.zeros((1, 3, 4, 4), np.float32))
        with pytest.raises(StageError, match="has none for this map"):
            pipeline.postprocess(np.zeros((1, 1, 4, 4), np.float32), (4.0, 4.0, 1.0, 1.0))
        assert ReplayPipeline([]).parameters == {}

    def test_functions_answer_for_the_rest(self) -> None:
        toy = Toy()
        pipeline = ReplayPipeline([Toy().trace(PAGE)], infer=toy.infer, postprocess=toy.postprocess)
        tensor = np.zeros((1, 3, 4, 4), np.float32)
        probability_map = pipeline.infer(tensor)
        assert np.array_equal(probability_map, toy.infer(tensor))
        assert len(pipeline.postprocess(probability_map, (4.0, 4.0, 1.0, 1.0))) == 0
