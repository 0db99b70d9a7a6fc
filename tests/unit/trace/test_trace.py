"""The values: equal by content, and read-only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from toy import PAGE, Toy, page
from toy_reader import LINE, Reader

from pytest_ocrparity.trace import Decoded, Detections, Recognition, Trace

QUAD = np.array([[0.0, 0], [9, 0], [9, 5], [0, 5]])


@pytest.mark.parametrize(
    ("shape", "scale"), [((1, 1, 2, 4), (10.0, 10.0)), ((2, 4), (10.0, 10.0)), ((8,), (1.0, 1.0)), ((0, 4), (1.0, 1.0))]
)
def test_the_scale_of_a_map(shape: tuple[int, ...], scale: tuple[float, float]) -> None:
    trace = Trace(pipeline="x", image="a", shape=(20.0, 40.0, 1.0, 1.0), probability_map=np.zeros(shape, np.float32))
    assert trace.map_scale == scale
    for row in ((0.0, 40.0, 1.0, 1.0), (20.0, 0.0, 1.0, 1.0)):  # which judges shifts in px of the map by no page
        assert replace(trace, shape=row).map_scale == (1.0, 1.0)


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


def test_what_a_trace_holds() -> None:
    trace = Toy(scale=2).trace(PAGE)
    assert trace.stages == ("decode", "resize", "tensor", "probability_map", "detections")
    assert trace.map_scale == (0.5, 0.5)
    assert Trace(pipeline="x", image="y").map_scale == (1.0, 1.0)
    assert Trace(pipeline="x", image="y").nbytes == 0
    assert trace.nbytes > 64 * 96 * 4


class TestTask:
    def test_a_recogniser_has_a_text_in_the_place_of_boxes(self) -> None:
        trace = Reader().trace(LINE)
        assert trace.stages == ("decode", "resize", "tensor", "probability_map", "text")
        assert trace.recognition is not None
        assert trace.value_of("text") == trace.recognition == Recognition("abba cd", trace.recognition.score)
        assert trace.detections is None and trace.task.name == "recognition"
        assert trace != replace(trace, recognition=Recognition("abba cd", 0.1))
        detector = Toy().trace(PAGE)
        assert detector.value_of("text") is None and detector.task.name == "detection"
        assert detector.value_of("detections") is detector.detections

    def test_what_stopped_early_is_of_its_pipelines_task(self) -> None:
        assert Reader().preprocess(LINE).task.name == "recognition"
        assert replace(Reader().preprocess(LINE), source=None).task.name == "detection"  # nothing says otherwise
        assert Trace(pipeline="x", image="y", parameters={"text": {"characters": 3}}).task.name == "recognition"
        assert Toy().preprocess(PAGE).task.name == "detection"

    def test_it_is_of_one_model(self) -> None:
        with pytest.raises(ValueError, match="holds detections or a recognition, as it is of one model, and not both"):
            replace(Toy().trace(PAGE), recognition=Recognition("a"))


def test_a_text_that_is_no_recognition_is_refused() -> None:
    with pytest.raises(TypeError, match=r"is a Recognition\(text, score\), not 'abba'"):
        Trace(pipeline="inference", image="line.png", recognition="abba")  # type: ignore[arg-type]
