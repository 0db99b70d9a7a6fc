"""Advice is about the side that it is given for, never switches the gate off, and passes where it says so."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from records import comparison, tally
from sides import QUAD, Loaded, first_line, traces
from toy import BLANK, PAGE, FusedToy, Toy
from toy_reader import LINE, Reader

from pytest_ocrparity import (
    Detections,
    DifferenceError,
    Trace,
    assert_same_detections,
    assert_same_preprocessing,
    assert_same_probability_maps,
    assert_same_text,
)
from pytest_ocrparity.compare.run_verdict import verdict_on_run
from pytest_ocrparity.explain.next_step import WIDEST
from pytest_ocrparity.tolerance import LIMITS, PRESETS
from pytest_ocrparity.trace import Shape


class TestWouldPass:
    """The printed tolerance passes, and it is the smallest."""

    def printed(self, check: Any, *args: Any, **limits: Any) -> str:
        with pytest.raises(DifferenceError) as error:
            check(*args, **limits)
        line = next(line for line in str(error.value).splitlines() if "would pass" in line)
        return line.rpartition("=")[2]

    def test_of_a_tensor_it_is_the_largest_difference(self) -> None:
        reference, candidate = traces()
        assert reference.tensor is not None
        moved = reference.tensor.copy()
        moved[0, 0, 0, 0] += 5e-7
        moved[0, 0, 1, 1] += 1.5e-6
        candidate = replace(candidate, tensor=moved)
        value = float(self.printed(assert_same_preprocessing, reference, candidate, tolerance="exact"))
        assert assert_same_preprocessing(reference, candidate, atol=value).is_match
        with pytest.raises(DifferenceError, match="tensor"):
            assert_same_preprocessing(reference, candidate, atol=value * 0.9)

    def test_of_a_wrong_fusion_nothing_is_offered(self) -> None:
        reference = FusedToy(fused_noise=2e-2).trace(PAGE)
        candidate = Toy(name="inference", noise=2e-2).trace(PAGE)
        with pytest.raises(
            DifferenceError, match=r"train differs from its own copy with fused branches by 0.02"
        ) as error:
            assert_same_probability_maps(reference, candidate)
        assert "would pass" not in str(error.value)
        assert assert_same_probability_maps(reference, candidate, atol=0.02).is_match

    def test_of_polygons_it_is_their_iou(self) -> None:
        hexagon = np.array([[0.0, 0], [40, 0], [50, 10], [40, 20], [0, 20], [-10, 10]])
        value = float(self.printed(assert_same_detections, [hexagon], [hexagon + np.array([0, 2.0])]))
        assert assert_same_detections([hexagon], [hexagon + np.array([0, 2.0])], min_iou=value).is_match

    def test_the_first_difference_is_found_where_no_tensor_was_recorded(self) -> None:
        reference, candidate = (replace(trace, tensor=None) for trace in traces(offset=-0.4))
        with pytest.raises(DifferenceError, match="first difference at probability_map"):
            assert_same_detections(reference, candidate, max_score_difference=0.001)

    def test_what_the_test_itself_says_is_changed_there(self) -> None:
        with pytest.raises(DifferenceError, match=r"would pass  detections\.max_shift=4"):
            assert_same_detections([QUAD], [QUAD + np.array([5.0, 0])], max_shift=1)

    def test_of_a_baseline_the_stored_step_is_not_counted_twice(self) -> None:
        reference, candidate = traces(offset=1e-3)
        stored = replace(reference, map_error=1e-4, source=None)
        value = float(self.printed(assert_same_probability_maps, stored, candidate))
        assert value == pytest.approx(9e-4, rel=0.02)
        assert assert_same_probability_maps(stored, candidate, atol=value).is_match

    def test_of_two_empty_lists_nothing_is_offered(self) -> None:
        with pytest.raises(DifferenceError, match="no box on either side") as error:
            assert_same_detections([], np.empty((0, 4, 2)))
        assert "would pass" not in str(error.value)
        assert "allow_empty" not in str(error.value)


class TestNext:
    """What to do next fits what was found."""

    def test_a_parameter_of_an_earlier_stage_is_not_forgotten(self) -> None:
        candidate = Loaded(name="inference", mean=0.6).trace(PAGE)
        with pytest.raises(DifferenceError) as error:
            assert_same_probability_maps(Toy().trace(PAGE), candidate, tolerance={"preprocessing": {"atol": 1}})
        assert first_line(error).startswith("page.png: first difference at probability_map")
        assert "ran with    tensor.mean: [0.5, 0.5, 0.5] in train, [0.6, 0.6, 0.6] in inference" in str(error.value)
        assert "give inference the values of train: mean in inference.yml, then" in str(error.value)

    def test_each_parameter_is_told_where_paddleocr_takes_it_from(self) -> None:
        reference, candidate = Toy().trace(PAGE), Loaded(name="other", thresh=0.31, box_thresh=0.9999).trace(PAGE)
        more = {**candidate.parameters["detections"], "score_mode": "slow"}
        ours = {**reference.parameters["detections"], "score_mode": "fast"}
        candidate = replace(candidate, parameters={**candidate.parameters, "detections": more})
        reference = replace(reference, parameters={**reference.parameters, "detections": ours})
        with pytest.raises(
            DifferenceError, match=r"thresh, box_thresh in inference.options, score_mode in inference.yml"
        ):
            assert_same_detections(reference, candidate)

    def test_what_was_not_compared_is_told_how_to_be(self) -> None:
        reference, candidate = (replace(trace, tensor=None) for trace in traces())
        with pytest.raises(DifferenceError, match=r"neither side has any(.|\n)*let both traces hold their tensor"):
            assert_same_preprocessing(reference, candidate)
        told = "let both traces hold their probability_map, by which a page without text is compared"
        with pytest.raises(DifferenceError, match=told):
            assert_same_detections([], np.empty((0, 4, 2)))

    def test_outside_pytest_no_command_line_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("PYTEST_CURRENT_TEST")
        with pytest.raises(DifferenceError, match=r"would pass  detections\.max_shift=4\n  next .*then compare again$"):
            assert_same_detections([QUAD], [QUAD + np.array([5.0, 0])])

    def test_two_images_are_refused(self) -> None:
        one, two = traces()
        one, two = replace(one, image="a.png", image_sha256="1"), replace(two, image="b.png", image_sha256="2")
        with pytest.raises(DifferenceError, match=r"the traces are of two images, a\.png and b\.png"):
            assert_same_detections(one, two)

    def test_another_engine_is_told_the_names_alone(self) -> None:
        with pytest.raises(DifferenceError, match="give my engine the values of train: mean, then"):
            assert_same_preprocessing(Toy().trace(PAGE), Toy(name="my engine", mean=0.6).trace(PAGE))


class Squares(Toy):
    """Returns another map, for no reason that an experiment knows."""

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return np.asarray(super().infer(tensor) ** 2)


class LoadedSquares(Squares):
    table = "candidates.onnx"


class ForgetsABox(Toy):
    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        made = super().postprocess(probability_map, shape)
        assert made.scores is not None
        return Detections(made.polygons[1:], made.scores[1:])


def told(check: Any, *args: Any, **limits: Any) -> str:
    with pytest.raises(DifferenceError) as error:
        check(*args, **limits)
    return str(error.value)


def undeclared(trace: Trace, stage: str, *names: str) -> Trace:
    kept = {name: value for name, value in trace.parameters[stage].items() if name not in names}
    return replace(trace, parameters={**trace.parameters, stage: kept})


class TestTheSide:
    def test_an_engine_without_an_export_is_not_told_to_export(self) -> None:
        text = told(assert_same_probability_maps, Toy().trace(PAGE), Squares(name="port").trace(PAGE))
        assert "cause       unknown at probability_map" in text
        assert "make sure" not in text
        assert "next        find what differs at probability_map, then compare again" in text

    def test_one_that_the_settings_loaded_is(self) -> None:
        text = told(assert_same_probability_maps, Toy().trace(PAGE), LoadedSquares(name="onnx").trace(PAGE))
        assert "next        make sure that the export was made from this checkpoint, then compare again" in text

    @pytest.mark.parametrize("name", ["port", "inference"])
    def test_an_engine_is_told_no_setting_of_paddleocr(self, name: str) -> None:
        text = told(assert_same_detections, Toy().trace(PAGE), replace_source(Toy(name=name, box_thresh=0.9999)))
        assert f"give {name} the values of train: box_thresh, then compare again" in text

    def test_a_candidate_is_told_its_own_table(self) -> None:
        class Loaded(Toy):
            table = "candidates.onnx"

        text = told(
            assert_same_preprocessing, Toy().trace(PAGE), replace_source(Loaded(name="onnx", mean=0.6)), atol=1e-9
        )
        assert "give onnx the values of train: mean in inference.yml, then compare again" in text
        text = told(assert_same_detections, Toy().trace(PAGE), replace_source(Loaded(name="onnx", box_thresh=0.9999)))
        assert "give onnx the values of train: box_thresh in candidates.onnx.options, then compare again" in text


def replace_source(side: Toy) -> Trace:
    """Return a trace whose parameters no experiment can change."""
    source: Any = OnlyNamed(side) if hasattr(side, "table") else None
    return replace(side.trace(PAGE), source=source)


class OnlyNamed:
    """A source of which nothing can be run."""

    def __init__(self, side: Any) -> None:
        self.name, self.table = side.name, side.table


class TestWhatRan:
    """Parameters that only one side declares are not known to differ."""

    def test_what_the_engine_does_not_declare_is_no_suspect(self) -> None:
        candidate = undeclared(ForgetsABox(name="port").trace(PAGE), "detections", "box_type", "box_thresh")
        text = told(assert_same_detections, Toy().trace(PAGE), candidate)
        assert "ran with    no parameter that both sides record differs" in text
        assert "give port the values" not in text

    def test_what_the_reference_does_not_declare_is_none_either(self) -> None:
        reference = undeclared(Toy().trace(PAGE), "detections", "box_type")
        text = told(assert_same_detections, reference, ForgetsABox(name="port").trace(PAGE))
        assert "ran with    no parameter that both sides record differs" in text
        assert "give port the values" not in text

    def test_what_both_declare_differently_is(self) -> None:
        candidate = undeclared(ForgetsABox(name="port", thresh=0.31).trace(PAGE), "detections", "box_type")
        candidate = replace(candidate, source=None)
        text = told(assert_same_detections, Toy().trace(PAGE), candidate)
        assert "ran with    detections.thresh: 0.3 in train, 0.31 in port" in text
        assert "box_type" not in text
        assert "give port the values of train: thresh, then compare again" in text


BOX = np.array([[10.0, 10.0], [50.0, 10.0], [50.0, 30.0], [10.0, 30.0]])
MANY = [BOX + 500.0 * index for index in range(20)]


def moved(x: float) -> tuple[Any, ...]:
    return assert_same_detections, [BOX], [BOX + np.array([x, 0.0])]


def lost(count: int) -> tuple[Any, ...]:
    return assert_same_detections, MANY, MANY[count:]


def mapped(offset: float, **limits: Any) -> tuple[Any, ...]:
    return assert_same_probability_maps, Toy().trace(PAGE), Toy(name="port", offset=offset).trace(PAGE), limits


def tensored(offset: float) -> tuple[Any, ...]:
    reference = Toy().trace(PAGE)
    assert reference.tensor is not None
    shifted = replace(Toy(name="port").trace(PAGE), tensor=reference.tensor + np.float32(offset))
    return assert_same_preprocessing, reference, shifted, {"tolerance": "exact"}


def scored(difference: float) -> tuple[Any, ...]:
    one, two = (Detections((BOX,), np.array([0.9 - each])) for each in (0.0, difference))
    return assert_same_detections, one, two, {"max_score_difference": 1e-3}


OFFERED = [
    (moved(8.0), "detections.max_shift="),
    (lost(1), "detections.max_unmatched="),
    (mapped(-9e-3), "probability_maps.atol="),
    (mapped(-1.5e-3, tolerance="fp16"), "probability_maps.mean_atol="),
    (tensored(1.5e-6), "preprocessing.atol="),
    (scored(0.1), "detections.max_score_difference="),
]
NOT_OFFERED = [
    (moved(20.0), "an IoU of a third"),
    (moved(5000.0), "a box that is lost"),
    (lost(2), "a tenth of the boxes"),
    (lost(20), "every box"),
    (mapped(-0.02), "a map that differs by 0.02"),
    (mapped(-0.98), "a map that has nothing in common"),
    (mapped(-4e-3, tolerance="fp16"), "a mean that int8 does not have"),
    (mapped(-0.02, atol=1e-3, max_share=1e-3), "a share of the pixels"),
    (tensored(4e-6), "a tensor beyond its rounding"),
    (scored(0.4), "a score of another box"),
    ((assert_same_detections, [], np.empty((0, 4, 2))), "no box"),
    ((assert_same_detections, [], [BOX]), "a box out of nothing"),
]


def run(case: tuple[Any, ...]) -> str:
    check, reference, candidate, *limits = case
    return told(check, reference, candidate, **(limits[0] if limits else {}))


@pytest.mark.parametrize(("case", "limit"), OFFERED, ids=[limit for _, limit in OFFERED])
def test_a_tolerance_that_still_judges_is_offered_and_passes(case: tuple[Any, ...], limit: str) -> None:
    line = next(line for line in run(case).splitlines() if "would pass" in line)
    assert limit in line
    values = dict(each.removeprefix("--ocr-tolerance=").partition(".")[2].split("=") for each in line.split()[2:])
    check, reference, candidate, *limits = case
    kept = {name: value for name, value in (limits[0] if limits else {}).items() if name not in values}
    check(reference, candidate, **kept, **{name: float(value) for name, value in values.items()})


@pytest.mark.parametrize("case", [case for case, _ in NOT_OFFERED], ids=[name for _, name in NOT_OFFERED])
def test_one_that_judges_nothing_is_not_offered(case: tuple[Any, ...]) -> None:
    text = run(case)
    assert "would pass" not in text
    assert "allow_empty" not in text
    assert "--ocr-tolerance" not in text


def test_an_empty_page_is_told_to_compare_its_maps() -> None:
    one, two = (replace(Toy(name=name).trace(BLANK), probability_map=None, tensor=None) for name in ("train", "port"))
    text = told(assert_same_detections, one, two)
    assert "next        let both traces hold their probability_map, by which a page without text is compared" in text


def test_no_limit_is_widened_beyond_the_loosest_preset() -> None:
    for name, widest in WIDEST.items():
        numbers = [value for preset in PRESETS.values() if isinstance(value := preset[name], float)]
        if name == "detections.min_iou":
            assert widest == min(numbers)
        elif "off" not in (preset[name] for preset in PRESETS.values()) and numbers:
            assert widest <= max(*numbers, 2e-6)
    assert set(WIDEST) <= set(LIMITS)
    assert "detections.allow_empty" not in WIDEST


def test_a_run_without_a_box_is_told_to_add_text_and_not_to_permit_it() -> None:
    found = tally(comparison("detections", status="empty", counts={"boxes": 0}))
    (fault,) = verdict_on_run(found, allow_empty=False, is_recording=False)
    assert fault.text.endswith("nothing shows that the model detects; add an image with text")
    assert verdict_on_run(found, allow_empty=True, is_recording=False) == []


def test_what_was_not_recorded_is_told_to_be_and_not_to_be_left_out() -> None:
    one, two = (replace(Toy(name=name).trace(PAGE), tensor=None) for name in ("train", "port"))
    text = told(assert_same_preprocessing, one, two)
    assert "next        let both traces hold their tensor, then compare again" in text


def test_a_side_of_boxes_alone_is_told_which_assertion_compares_them() -> None:
    """They agree, so that nothing is at fault, and what it does not return it can't be told to return."""
    one, two = (replace(Toy(name=name).trace(PAGE), source=None) for name in ("train", "service"))
    alone = replace(two, decode=None, resize=None, tensor=None, probability_map=None, shape=None)
    for check in (assert_same_preprocessing, assert_same_probability_maps):
        text = told(check, one, alone)
        assert "for a side that returns no more, let the test assert assert_same_detections alone, then" in text
        assert "unknown" not in text
    assert_same_detections(one, alone)
    assert alone.detections is not None
    other = replace(alone, detections=Detections(tuple(each + 9 for each in alone.detections.polygons), None))
    assert "unknown at detections" in told(assert_same_preprocessing, one, other)
    text = told(assert_same_detections, one, other)
    assert "to have the cause named, let service return its tensor and map as well, or be made of functions" in text
    assert "FunctionPipeline" not in told(assert_same_detections, [QUAD], [QUAD + 9])
    text = told(assert_same_probability_maps, one, replace(two, probability_map=None))
    assert "next        let both traces hold their probability_map, then compare again" in text


def test_a_recogniser_of_texts_alone_is_not_told_to_become_a_detector() -> None:
    one = Reader().trace(LINE)
    two = replace(Reader(name="service", letters="bacd ").trace(LINE), source=SimpleNamespace(task="recognition"))
    alone = replace(two, decode=None, resize=None, tensor=None, probability_map=None, shape=None)
    text = told(assert_same_text, one, alone)
    assert "to have the cause named, let service return its tensor and map as well, then" in text
