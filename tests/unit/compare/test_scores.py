"""Scores are judged exactly where the reference's post-process can be run on the candidate's map, else at a limit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from properties import quickly
from records import tally
from toy import PAGE, Toy

from pytest_ocrparity import Detections, DifferenceError, Trace, assert_same_detections
from pytest_ocrparity.compare.judge import BoxLimits
from pytest_ocrparity.compare.scores import are_scores_permuted, detections_with_expected_scores, expected_scores
from pytest_ocrparity.comparison import ROUGHLY
from pytest_ocrparity.tolerance import AUTOMATIC_SCORE, EQUAL_MAP_SCORE, Limit
from pytest_ocrparity.trace import Shape

NAME = "detections.max_score_difference"
NOISE = 3e-5
"""Moves the maps within their limit, and the scores by more than 1e-5."""


def with_scores(trace: Trace, scores: Any, **values: Any) -> Trace:
    assert trace.detections is not None
    return replace(trace, detections=Detections(trace.detections.polygons, scores), **values)


def sides(**candidate: Any) -> tuple[Trace, Trace]:
    return Toy(gain=1.5).trace(PAGE), Toy(name="port", gain=1.5, offset=NOISE, **candidate).trace(PAGE)


def scores_of(trace: Trace) -> npt.NDArray[np.float64]:
    assert trace.detections is not None and trace.detections.scores is not None
    return trace.detections.scores


class OtherScores(Toy):
    """Computes its scores by another rule: the boxes are right, as with `score_mode: slow`."""

    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        made = super().postprocess(probability_map, shape)
        assert made.scores is not None
        return Detections(made.polygons, made.scores * 0.97)


def test_scores_that_the_map_moves_pass_although_they_differ_by_more_than_a_score_may() -> None:
    reference, candidate = sides()
    assert np.max(np.abs(scores_of(reference) - scores_of(candidate))) > EQUAL_MAP_SCORE
    judged = assert_same_detections(reference, candidate)
    measure = judged.measure(NAME)
    assert measure is not None and (measure.limit, measure.origin) == (EQUAL_MAP_SCORE, "fp32 preset, built-in")
    assert measure.value < 1e-7
    assert judged.measure("score_error") is not None


def test_scores_of_another_rule_fail_on_maps_that_differ_within_their_limit() -> None:
    reference, _ = sides()
    candidate = OtherScores(name="port", gain=1.5, offset=NOISE).trace(PAGE)
    with pytest.raises(DifferenceError, match="3 with another score of 3 boxes") as error:
        assert_same_detections(reference, candidate)
    assert "score is off by 0.02" in str(error.value)
    assert "from what train gives this box" in str(error.value)


@pytest.mark.parametrize(("factor", "passes"), [(1.0, True), (0.97, False)])
def test_a_box_that_the_limits_take_for_the_same_one_has_its_score(factor: float, passes: bool) -> None:
    """Rounded otherwise, each corner by a pixel in both directions: 1.4 px in all."""
    reference, candidate = sides()
    assert candidate.detections is not None
    moved = Detections(tuple(each + 1 for each in candidate.detections.polygons), scores_of(candidate) * factor)
    rounded = replace(candidate, detections=moved)
    if passes:
        assert assert_same_detections(reference, rounded).measure("score_error") is not None
    else:
        with pytest.raises(DifferenceError, match="3 with another score of 3 boxes"):
            assert_same_detections(reference, rounded)


@pytest.mark.parametrize(("pixels", "limits"), [(3, {}), (2, {"max_shift": "off", "min_iou": 0.5})])
def test_a_box_that_is_another_one_has_no_score_that_it_must_have(pixels: int, limits: dict[str, Any]) -> None:
    reference, candidate = sides()
    assert candidate.detections is not None
    moved = Detections(tuple(each + pixels for each in candidate.detections.polygons), scores_of(candidate) * 0.97)
    other = replace(candidate, detections=moved)
    if limits:
        judged = assert_same_detections(reference, other, tolerance={"detections": limits})
        assert judged.measure("score_error") is None
    else:
        with pytest.raises(DifferenceError, match="3 moved of 3 boxes"):
            assert_same_detections(reference, other)


def test_without_a_source_of_the_reference_they_are_judged_at_the_limit_that_the_origin_names() -> None:
    reference, candidate = sides()
    recorded = replace(reference, source=None, pipeline="baseline (train)")
    measure = assert_same_detections(recorded, with_scores(candidate, scores_of(candidate) - 0.03)).measure(NAME)
    assert measure is not None
    assert (measure.limit, measure.origin) == (AUTOMATIC_SCORE, f"fp32 preset, built-in{ROUGHLY}")
    with pytest.raises(DifferenceError, match="with another score"):
        assert_same_detections(recorded, with_scores(candidate, scores_of(candidate) - 0.21, source=None))


@pytest.mark.parametrize(("moved", "passes"), [(0.19, True), (0.21, False)])
def test_boxes_alone_are_judged_at_the_limit(moved: float, passes: bool) -> None:
    made = sides()[0].detections
    assert made is not None and made.scores is not None
    other = Detections(made.polygons, made.scores - moved)
    if passes:
        assert_same_detections(made, other)
    else:
        with pytest.raises(DifferenceError, match="3 with another score of 3 boxes"):
            assert_same_detections(made, other)


class TestOrder:
    def test_the_same_scores_in_another_order_are_named(self) -> None:
        reference, candidate = sides()
        permuted = with_scores(candidate, np.roll(scores_of(candidate), 1))
        with pytest.raises(DifferenceError) as error:
            assert_same_detections(reference, permuted)
        told = str(error.value).partition("\n")[0]
        assert told == "page.png: detections: port's scores are in another order than the boxes"
        (diagnosis,) = error.value.diagnoses
        assert diagnosis.cause == "postprocess.score_order"

    def test_other_scores_in_another_order_are_not(self) -> None:
        reference, candidate = sides()
        with pytest.raises(DifferenceError) as error:
            assert_same_detections(reference, with_scores(candidate, np.roll(scores_of(candidate), 1) - 1e-3))
        assert "another order" not in str(error.value)
        assert [each.cause for each in error.value.diagnoses] == ["unknown"]

    def test_of_plain_boxes_too(self) -> None:
        made = sides()[0].detections
        assert made is not None and made.scores is not None
        scores = np.array([0.9, 0.65, 0.8])
        other = Detections(made.polygons, np.roll(scores, 1) + 1e-3)
        told = "candidate's scores are in another order than the boxes"
        with pytest.raises(DifferenceError, match=f"detections: {told}"):
            assert_same_detections(Detections(made.polygons, scores), other, max_score_difference=0.12)

    @pytest.mark.parametrize(
        ("found", "expected", "answer"),
        [
            ([0.9, 0.7], [0.7, 0.9], True),
            ([0.9, 0.7], [0.9, 0.7], False),
            ([0.9, 0.7], [0.7, 0.8], False),
            ([0.9], [0.9], False),
            ([0.9, 0.7, 0.5], [0.9, 0.7], False),
        ],
    )
    def test_is_another_one_only_where_sorting_makes_them_agree(
        self, found: list[float], expected: list[float], answer: bool
    ) -> None:
        assert are_scores_permuted(found, expected, 1e-5) is answer


class TestWhatIsNotAsked:
    def test_a_limit_by_number_judges_the_difference_itself(self) -> None:
        reference, candidate = sides()
        judged = assert_same_detections(reference, candidate, max_score_difference=1e-6, max_borderline=1)
        assert (judged.measure("score_error"), judged.counts["borderline"]) == (None, 3)
        recorded = [replace(trace, source=None) for trace in (reference, candidate)]
        with pytest.raises(DifferenceError, match="with another score"):
            assert_same_detections(*recorded, max_score_difference=1e-6)

    def test_maps_of_another_size_have_no_exact_scores(self) -> None:
        reference, candidate = Toy(gain=1.5).trace(PAGE), Toy(name="port", gain=1.5, scale=2).trace(PAGE)
        moved = with_scores(candidate, scores_of(candidate) - 0.01)
        measure = assert_same_detections(reference, moved).measure(NAME)
        assert measure is not None and measure.origin.endswith(ROUGHLY)

    def test_images_of_another_size_have_none_either(self) -> None:
        reference, candidate = sides()
        assert candidate.shape is not None
        other = replace(candidate, shape=(candidate.shape[0] + 1, *candidate.shape[1:]))
        assert assert_same_detections(reference, other).measure("score_error") is None


@pytest.mark.parametrize("is_recorded", [True, False])
def test_the_table_says_where_scores_were_judged_roughly(is_recorded: bool) -> None:
    reference, candidate = sides()
    if is_recorded:
        reference = replace(reference, source=None, pipeline="baseline (train)")
    exact = assert_same_detections(Toy().trace(PAGE), Toy(name="port").trace(PAGE))
    assert not any("scores were judged" in line for line in tally(exact).table(per_image=False))
    lines = tally(assert_same_detections(reference, candidate)).table(per_image=False)
    told = "  scores were judged within 0.2 only: no post-process of the reference was run on the candidate's map"
    assert (told in lines) is is_recorded


def test_both_edges_of_scores_in_another_order() -> None:
    assert are_scores_permuted([0.5, 1.0], [1.0, 0.75], 0.25)
    assert not are_scores_permuted([0.5, 1.0], [1.0, 0.75], 0.24)
    assert not are_scores_permuted([0.75, 1.0], [1.0, 0.75], 0.25)  # each lies within already
    assert not are_scores_permuted([0.5], [1.0], 0.0)
    assert not are_scores_permuted([0.5, 1.0, 2.0], [1.0, 0.5], 1.0)


@quickly
@given(st.lists(st.floats(0, 1), min_size=2, max_size=6), st.randoms(use_true_random=False))
def test_scores_in_another_order_are_that_whatever_the_order(scores: list[float], draw: Any) -> None:
    other = scores.copy()
    draw.shuffle(other)
    assert are_scores_permuted(other, scores, 0.0) == (other != scores)
    assert not are_scores_permuted([score + 2 for score in other], scores, 0.5)


@pytest.mark.parametrize(
    ("reference", "candidate"),
    [
        ({"probability_map": None}, {}),
        ({"shape": None}, {}),
        ({}, {"probability_map": None}),
        ({"source": None}, {}),
        ({}, {"shape": (64.0, 97.0, 1.0, 1.0)}),
        ({}, {"shape": (65.0, 96.0, 1.0, 1.0)}),
        ({"probability_map": np.zeros((1, 1, 32, 96), np.float32)}, {}),
    ],
    ids=str,
)
def test_what_cannot_be_run_expects_no_scores(reference: Any, candidate: Any) -> None:
    one, two = sides()
    assert detections_with_expected_scores(one, two) is not None
    assert detections_with_expected_scores(one, replace(two, shape=None)) is not None
    assert detections_with_expected_scores(replace(one, **reference), replace(two, **candidate)) is None


def test_boxes_that_are_among_the_expected_ones_have_their_scores_whatever_they_are() -> None:
    quad = np.array([[0.0, 0], [20, 0], [20, 10], [0, 10]])
    expected = Detections((quad, quad + 50, quad + 100), np.array([0.9, 0.8, 0.7]))
    moved = quad + np.array([54, 50])
    found = Detections((quad + 100, moved, quad), np.array([0.7, 0.8, 0.1]))
    limits = BoxLimits(Limit("auto", ""), 1.0, 1.0, 0.2, False)
    assert expected_scores(expected, found, limits) == {0: 0.7, 2: 0.9}
    for off in (1.0, 1.1):  # where no shift is too far, it is the same box within a pixel
        near = Detections((quad + np.array([off, 0]),), np.array([0.5]))
        anywhere = BoxLimits(Limit("auto", ""), None, 1.0, 0.2, False)
        assert expected_scores(expected, near, anywhere) == ({0: 0.9} if off == 1.0 else {})
    for none in (None, Detections(expected.polygons)):
        assert expected_scores(none, found, limits) == {}
