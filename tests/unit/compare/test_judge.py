"""No limit that is off, or cannot be judged, lets a difference pass; what rounding alone moves is not judgeable."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sides import QUAD, traces
from toy import BLANK, PAGE, Toy

from pytest_ocrparity import (
    Detections,
    DifferenceError,
    Trace,
    assert_same_detections,
    assert_same_preprocessing,
    assert_same_probability_maps,
)
from pytest_ocrparity.compare import compare
from pytest_ocrparity.compare.judge import is_within_rounding
from pytest_ocrparity.compare.sensitivity import map_sensitivity
from pytest_ocrparity.comparison import NOT_JUDGEABLE
from pytest_ocrparity.rejudge import limits_to_rejudge_by, rejudge_comparisons
from pytest_ocrparity.report.document import RecordedComparison


class TestNothingPassesUnjudged:
    """A limit that is off, or can't be judged, never makes a difference pass unseen."""

    def test_an_atol_of_0_with_a_share_is_still_judged(self) -> None:
        with pytest.raises(DifferenceError, match="differ in a share of"):
            assert_same_probability_maps(*traces(gain=1.0), tolerance="exact", max_share=0.01)

    def test_maps_with_every_limit_off_fail(self) -> None:
        with pytest.raises(DifferenceError, match="nothing was judged: every limit of probability_maps is off"):
            assert_same_probability_maps(*traces(gain=1.0), atol="off")

    def test_a_share_without_atol_can_not_be_kept(self) -> None:
        with pytest.raises(DifferenceError, match="a share of NaN"):
            assert_same_probability_maps(*traces(gain=1.0), atol="off", max_share=0.5)

    def test_an_empty_page_passes_by_maps_that_were_judged(self) -> None:
        reference, candidate = Toy().trace(BLANK), Toy(name="inference", offset=0.1).trace(BLANK)
        for tolerance in ({"probability_maps": {"atol": "off"}}, "fp16"):
            with pytest.raises(DifferenceError, match=r"no box on either side|probability_map"):
                assert_same_detections(reference, candidate, tolerance=tolerance)

    def test_quads_without_a_shift_limit_are_judged_by_iou(self) -> None:
        with pytest.raises(DifferenceError, match=r"would pass  --ocr-tolerance=detections\.min_iou=0\.6"):
            assert_same_detections([QUAD], [QUAD + np.array([5.0, 0])], max_shift="off")

    def test_a_score_limit_that_was_asked_for_needs_scores(self) -> None:
        reference, candidate = traces(has_scores=False)
        with pytest.raises(DifferenceError, match="max_score_difference can't be judged: inference has none"):
            assert_same_detections(reference, candidate, max_score_difference=0)

    def test_a_preset_asks_for_no_scores_where_there_are_none(self) -> None:
        assert assert_same_detections([QUAD], [QUAD.copy()], tolerance="exact").is_match
        assert assert_same_detections(*traces(has_scores=False), tolerance="exact").is_match

    def test_a_box_that_is_no_number_fails_though_both_sides_have_it(self) -> None:
        broken = QUAD.copy()
        broken[0, 0] = np.nan
        with pytest.raises(DifferenceError, match=r"1 invalid of 2 boxes(.|\n)*not finite"):
            assert_same_detections([broken, QUAD + 50], [broken.copy(), QUAD + 50])

    @pytest.mark.parametrize("scores", [(np.nan, 0.9), (0.9, np.nan), (np.nan, np.nan)])
    def test_a_score_that_is_no_number_fails_under_no_tolerance(self, scores: tuple[float, float]) -> None:
        one, two = (Detections((QUAD, QUAD + 50), np.array([0.5, score])) for score in scores)
        for limit in (None, 0.1):
            with pytest.raises(DifferenceError, match="1 with another score") as error:
                assert_same_detections(one, two, max_score_difference=limit)
            assert "would pass" not in str(error.value)

    def test_a_batch_of_another_length_is_not_comparable(self) -> None:
        reference, candidate = traces()
        assert candidate.probability_map is not None
        double = np.concatenate([candidate.probability_map] * 2)
        with pytest.raises(DifferenceError, match="has shape 1x1x64x96 in train, 2x1x64x96"):
            assert_same_probability_maps(reference, replace(candidate, probability_map=double))

    def test_empty_arrays_fail(self) -> None:
        reference, candidate = traces()
        none = np.zeros((1, 3, 0, 0), np.float32)
        with pytest.raises(DifferenceError, match="tensor is empty: 1x3x64x96 in train, 1x3x0x0"):
            assert_same_preprocessing(reference, replace(candidate, tensor=none))
        with pytest.raises(DifferenceError, match="probability_map is empty"):
            assert_same_probability_maps(reference, replace(candidate, probability_map=none))

    def test_a_wrong_shape_row_fails_and_explains_nothing(self) -> None:
        class WrongShape(Toy):
            def preprocess(self, image: Any) -> Trace:
                return replace(super().preprocess(image), shape=(96.0, 144.0, 1.0, 1.0))

        reference, candidate = Toy().trace(PAGE), WrongShape(name="inference", offset=-5e-5).trace(PAGE)
        with pytest.raises(DifferenceError, match="the image is 96x64 px for train, 144x96 px for inference"):
            assert_same_preprocessing(reference, candidate)
        with pytest.raises(DifferenceError, match="first difference at resize"):
            assert_same_detections(reference, candidate)

    def test_two_traces_of_one_pipeline_are_one_side(self) -> None:
        toy = Toy()
        with pytest.raises(DifferenceError, match="both traces come from the same pipeline object, train"):
            assert_same_detections(toy.trace(PAGE), toy.trace(PAGE))


class Steep(Toy):
    """Answers rounding of its tensor by chance: each digest of the input has a map of its own."""

    jitter = 0.09

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        seed = int.from_bytes(np.ascontiguousarray(tensor).tobytes()[-4:], "little")
        noise = np.random.default_rng(seed).uniform(-self.jitter, self.jitter, tensor.shape[2:])
        return np.clip(super().infer(tensor) + noise, 0, 1).astype(np.float32)


class Rounded(Steep):
    """The same network behind a normalisation that rounds otherwise."""

    def preprocess(self, image: Any) -> Trace:
        trace = super().preprocess(image)
        assert trace.tensor is not None
        return replace(trace, tensor=trace.tensor + np.float32(3e-7))


def maps(reference: Toy, candidate: Toy) -> tuple[Trace, Trace]:
    return reference.trace(PAGE), candidate.trace(PAGE)


def test_a_right_export_of_a_steep_network_is_not_judgeable() -> None:
    with pytest.raises(DifferenceError) as error:
        assert_same_probability_maps(*maps(Steep(), Rounded(name="port")))
    first, *rows = str(error.value).splitlines()
    assert first.startswith(
        "page.png: probability maps are not judgeable: rounding of its tensor alone moves train's own map by 0.09"
    )
    assert "more than the limit of 0.01 allows" in first
    assert any(
        row.startswith("  which means this fails, and nothing is blamed: no limit tells a right export") for row in rows
    )
    assert error.value.diagnoses == ()
    assert not any(row.lstrip().startswith(("cause", "fix", "would pass")) for row in rows)
    assert "checkpoint" in rows[-1] or "then" in rows[-1]
    assert error.value.comparisons[1].status == NOT_JUDGEABLE


def test_what_is_further_apart_than_rounding_explains_is_different() -> None:
    with pytest.raises(DifferenceError) as error:
        assert_same_probability_maps(*maps(Steep(), Rounded(name="port", offset=-0.9)))
    assert error.value.comparisons[1].status == "different"
    assert "not judgeable" not in str(error.value)


def test_a_network_that_rounding_does_not_move_is_different() -> None:
    with pytest.raises(DifferenceError) as error:
        assert_same_probability_maps(*maps(Toy(), Toy(name="port", offset=-0.05)))
    assert error.value.comparisons[1].status == "different"


def test_boxes_that_follow_such_maps_are_not_judgeable_and_others_are_different() -> None:
    steep, port = maps(Steep(thresh=0.93), Rounded(name="port", thresh=0.93))
    boxes = compare(reference=steep, candidate=port)[2]
    assert boxes.boxes and boxes.status == NOT_JUDGEABLE
    other = Rounded(name="port", thresh=0.93, pad=9).trace(PAGE)
    assert compare(reference=steep, candidate=other)[2].status == "different"
    with pytest.raises(DifferenceError, match="probability maps are not judgeable"):
        assert_same_detections(steep, port)


@pytest.mark.parametrize(
    ("largest", "limit", "floor", "answer"),
    [
        (0.099, 0.01, 0.09, True),
        (0.039, 0.01, 0.07, True),
        (0.37, 0.01, 0.09, False),  # more than four times what rounding does
        (0.02, 0.01, 0.007, False),  # rounding keeps the limit
        (0.012, 0.01, 0.0072, True),  # a right export reaches 1.4 times the floor, 0.0101
    ],
)
def test_the_rule(largest: float, limit: float, floor: float, answer: bool) -> None:
    assert is_within_rounding(largest, limit, floor) is answer


def recorded(reference: Trace, candidate: Trace) -> list[RecordedComparison]:
    return [RecordedComparison.of(each) for each in compare(reference=reference, candidate=candidate)]


@pytest.mark.parametrize(
    ("atol", "expected"),
    [("0.05", NOT_JUDGEABLE), ("0.3", "same"), ("0", "different")],
)
def test_judging_again_says_so_as_well(atol: str, expected: str) -> None:
    found = recorded(Steep().trace(PAGE), Rounded(name="p").trace(PAGE))
    wanted = limits_to_rejudge_by([{"probability_maps": {"atol": float(atol)}}])
    assert rejudge_comparisons(found, wanted)[1].status == expected


def test_where_rounding_was_not_measured_judging_again_is_undecided() -> None:
    traces = Toy().trace(PAGE), Toy(name="port", offset=5e-5).trace(PAGE)
    found = recorded(*traces)
    wanted = limits_to_rejudge_by([{"probability_maps": {"atol": 1e-6}}])
    assert rejudge_comparisons(found, wanted)[1].status == "undecided"


class Dropout(Toy):
    """A reference that does not agree with itself."""

    amount = 0.05

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        made = super().infer(tensor)
        return made + np.random.default_rng(self.runs).uniform(-self.amount, self.amount, made.shape).astype(np.float32)


def test_a_reference_that_does_not_repeat_is_not_called_not_judgeable_and_widens_no_limit() -> None:
    with pytest.raises(DifferenceError) as error:
        assert_same_probability_maps(*maps(Dropout(), Toy(name="port")))
    assert error.value.comparisons[1].status == "different"
    quiet = Dropout()
    quiet.amount = 0.004
    assert map_sensitivity(quiet.trace(PAGE)) is None
    with pytest.raises(DifferenceError, match=r"limit 1\.0e-04"):
        assert_same_probability_maps(*maps(quiet, Toy(name="port", offset=0.003)))
