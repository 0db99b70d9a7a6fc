"""The assertions: what they take, what they refuse, and under which limits they judge."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from listening import listen
from replay import ReplayPipeline
from sides import QUAD, first_line, traces
from toy import BLANK, PAGE, Toy

from pytest_ocrparity import (
    Detections,
    DifferenceError,
    Label,
    Recognition,
    SettingsError,
    StageError,
    Trace,
    assert_same_accuracy,
    assert_same_detections,
    assert_same_preprocessing,
    assert_same_probability_maps,
)


class TestNothingPassesEmpty:
    def test_the_same_object_on_both_sides_fails(self) -> None:
        trace = Toy().trace(PAGE)
        boxes = [QUAD]
        with pytest.raises(DifferenceError, match="same object"):
            assert_same_preprocessing(trace, trace)
        with pytest.raises(DifferenceError, match="same object"):
            assert_same_probability_maps(trace, trace)
        with pytest.raises(DifferenceError, match="same object"):
            assert_same_detections(boxes, boxes)

    def test_no_plain_polygons_on_both_sides_fail_unless_allowed(self) -> None:
        with pytest.raises(DifferenceError, match="no box on either side, and no maps were compared"):
            assert_same_detections([], np.empty((0, 4, 2)))
        assert assert_same_detections([], np.empty((0, 4, 2)), allow_empty=True).status == "empty, as allowed"

    def test_a_blank_page_passes_by_its_maps(self) -> None:
        reference, candidate = Toy().trace(BLANK), Toy(name="inference").trace(BLANK)
        assert assert_same_detections(reference, candidate).status == "empty"

    def test_a_blank_page_with_other_maps_fails(self) -> None:
        reference, candidate = Toy().trace(BLANK), Toy(name="inference", offset=0.1).trace(BLANK)
        with pytest.raises(DifferenceError, match=r"first difference at probability_map"):
            assert_same_detections(reference, candidate)

    def test_missing_detections_fail(self) -> None:
        reference, candidate = traces()
        with pytest.raises(DifferenceError, match="nothing was compared at detections: train has none"):
            assert_same_detections(replace(reference, detections=None), candidate)

    def test_a_pipeline_that_stopped_fails_with_its_own_error(self) -> None:
        reference, candidate = traces()
        stopped = replace(
            candidate, probability_map=None, detections=None, error=StageError("probability_map", "RuntimeError: boom")
        )
        for check in (assert_same_probability_maps, assert_same_detections):
            with pytest.raises(DifferenceError, match="inference stopped at probability_map: RuntimeError: boom"):
                check(reference, stopped)
        with pytest.raises(DifferenceError, match="train stopped at probability_map: RuntimeError: boom"):
            assert_same_detections(replace(stopped, pipeline="train"), candidate)


class TestTolerances:
    def test_an_unknown_limit_is_an_error(self) -> None:
        with pytest.raises(SettingsError, match="did you mean 'min_iou'"):
            assert_same_detections(*traces(), tolerance={"detections": {"min_io": 0.5}})

    def test_a_keyword_beats_the_tolerance(self) -> None:
        reference, candidate = traces(pad=5)
        assert assert_same_detections(
            reference, candidate, tolerance="exact", max_shift=9, min_iou="auto", max_score_difference="off"
        ).is_match

    def test_a_reduced_preset_judges_the_run_not_the_image(self) -> None:
        reference, candidate = traces()
        assert candidate.detections is not None
        fewer = replace(candidate, detections=Detections(candidate.detections.polygons[1:]))
        with pytest.raises(DifferenceError, match="1 missing"):  # outside a run there is only this image
            assert_same_detections(reference, fewer, tolerance="fp16")
        heard = listen()
        comparison = assert_same_detections(reference, fewer, tolerance="fp16")
        assert heard.judged == [comparison]
        share = comparison.measure("detections.max_unmatched")
        assert comparison.is_match
        assert share is not None
        assert not share.is_within

    def test_messages_fit_the_screen(self) -> None:
        reference, candidate = traces(scale=2, mean=0.6, pad=9, thresh=0.4)
        for check in (assert_same_preprocessing, assert_same_probability_maps, assert_same_detections):
            with pytest.raises(DifferenceError) as error:
                check(reference, candidate)
            assert len(str(error.value).splitlines()) <= 25
            assert "resized to 96x64" in first_line(error)


class TestPipelinesOfTheUser:
    """What a user's pipeline cannot do is unknown, and never a crash."""

    def test_a_replay_has_no_floor(self) -> None:
        recorded = ReplayPipeline([Toy().trace(PAGE)], name="recorded").trace("page.png")
        with pytest.raises(DifferenceError, match="4 x sensitivity unknown"):
            assert_same_probability_maps(recorded, Toy(name="inference", noise=3e-4).trace(PAGE))

    def test_parameters_may_be_arrays(self) -> None:
        one, two = traces()
        for mean, std in ((np.full(3, 0.5), np.full(3, 0.25)), (0.5, 0.25), (np.float32(0.5), 0.0)):
            parameters = {"tensor": {"mean": mean, "std": std}}
            assert one.tensor is not None
            moved = replace(two, parameters=parameters, tensor=one.tensor + np.float32(1e-3))
            with pytest.raises(DifferenceError, match="first difference at tensor"):
                assert_same_preprocessing(replace(one, parameters=parameters), moved)

    @pytest.mark.parametrize("value", [None, 3])
    def test_what_is_no_trace_and_no_boxes_is_told(self, value: Any) -> None:
        with pytest.raises(TypeError, match="give a Trace, Detections or a list of polygons"):
            assert_same_detections(value, [QUAD])
        with pytest.raises(TypeError, match=r"give what a model's \.trace\(image\) returned"):
            assert_same_probability_maps(value, traces()[0])

    def test_a_single_polygon_is_told_how_to_be_written(self) -> None:
        with pytest.raises(ValueError, match=r"a single one is \[polygon\]"):
            assert_same_detections(QUAD, [QUAD])

    def test_numpy_numbers_are_limits(self) -> None:
        assert assert_same_preprocessing(*traces(), atol=np.float32(1e-3)).is_match  # type: ignore[arg-type]


class TestAccuracy:
    LABELS = (*(Label(polygons=(QUAD,)) for _ in range(100)), Label())

    @staticmethod
    def found(missed: int) -> list[Detections]:
        """Return what a side finds that misses the box of so many pages."""
        return [Detections(() if page < missed else (QUAD,)) for page in range(100)] + [Detections(())]

    def test_a_drop_beyond_the_limit_fails_with_the_images_that_lost(self) -> None:
        with pytest.raises(DifferenceError, match=r"failed: hmean (.|\n)*image 0: 1 box of 1 lost"):
            assert_same_accuracy(self.found(0), self.found(20), self.LABELS, max_drop=0.01)

    def test_a_drop_within_the_limit_passes(self) -> None:
        judged = assert_same_accuracy(iter(self.found(0)), iter(self.found(5)), self.LABELS, max_drop=0.2)
        assert judged.verdict == "passed" and judged.images == 101

    def test_too_few_images_to_tell_fail_and_none_that_differ_pass(self) -> None:
        with pytest.raises(DifferenceError, match=r"undecided: (.|\n)*more images like these would decide"):
            assert_same_accuracy(self.found(0), self.found(1), self.LABELS, max_drop=0.01)
        assert assert_same_accuracy(self.found(0), self.found(0), self.LABELS, max_drop=0.01).verdict == "no loss seen"

    def test_lines(self) -> None:
        labels = [Label(text="a b")] * 200
        right, wrong = ([Recognition(text) for _ in labels] for text in ("a b", "ab"))
        with pytest.raises(DifferenceError, match=r"accuracy 100\.00 % to 0\.00 % on 200 lines"):
            assert_same_accuracy(right, wrong, labels, max_drop=0.02)
        judged = assert_same_accuracy(right, [Recognition("a b") for _ in labels], labels, max_drop=0.02)
        assert judged.verdict == "passed" and judged.candidate.spaceless == 1

    def test_one_side_twice_fails(self) -> None:
        found = self.found(0)
        for other in (found, list(found)):
            with pytest.raises(DifferenceError, match="same object"):
                assert_same_accuracy(found, other, self.LABELS, max_drop=0.01)

    def test_one_model_on_both_sides_fails(self) -> None:
        boxes, model = Detections((QUAD,)), object()
        one = Trace(pipeline="train", image="a.png", detections=boxes, source=model)
        shared = Trace(pipeline="exported", image="a.png", detections=boxes)
        again = Trace(pipeline="exported", image="a.png", detections=Detections((QUAD.copy(),)), source=model)
        label = Label(polygons=(QUAD,))
        for two, message in ((shared, "same arrays in memory"), (again, "come from the same pipeline object")):
            with pytest.raises(DifferenceError, match=message):
                assert_same_accuracy([one], [two], [label], max_drop=0.01)
        other = replace(again, source=object())
        assert assert_same_accuracy([one], [other], [label], max_drop=0.01).images == 1

    def test_what_is_no_sequence_or_share_is_told_before_anything_is_traced(self) -> None:
        def tracing() -> Iterator[Detections]:
            pytest.fail("traced")
            yield

        with pytest.raises(ValueError, match="max_drop is 5"):
            assert_same_accuracy(tracing(), tracing(), self.LABELS, max_drop=5)
        for alone in (self.found(0)[0], 5):
            with pytest.raises(TypeError, match="candidate: give a list of a Trace, Detections or"):
                assert_same_accuracy(tracing(), alone, self.LABELS, max_drop=0.01)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="the reference has nothing for image 1"):
            assert_same_accuracy([None], [None], self.LABELS, max_drop=0.01)  # type: ignore[list-item]

    def test_a_listener_hears_of_it(self) -> None:
        listener = listen()
        with pytest.raises(DifferenceError) as caught:
            assert_same_accuracy(self.found(0), self.found(20), self.LABELS, max_drop=0.01)
        assert listener.errors == [caught.value]
