"""Two results are equal box by box and score by score, and nothing else is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pytest_ocrparity import Detections
from pytest_ocrparity.diagnose.postprocessing.equality import Page, are_equal, indices_of_equal_boxes

BOXES = tuple(np.array([[x, 0.0], [x + 10, 0], [x + 10, 5], [x, 5]]) for x in (0.0, 20, 40))
RIGHT = Detections(BOXES, np.array([0.9, 0.8, 0.7]))
PAGE = Page(np.zeros((1, 1, 8, 64), np.float32), (8.0, 64.0, 1.0, 1.0), RIGHT, RIGHT)


def test_order_and_first_corner_do_not_matter() -> None:
    turned = Detections(tuple(np.roll(box, 1, axis=0)[::-1] for box in BOXES[::-1]), RIGHT.scores[::-1])  # type: ignore[index]
    assert are_equal(RIGHT, turned, PAGE)


@pytest.mark.parametrize(
    "found",
    [
        Detections((BOXES[0] + 1, *BOXES[1:]), RIGHT.scores),
        Detections((BOXES[0] + 0.3, *BOXES[1:]), RIGHT.scores),
        Detections(BOXES, np.array([0.9, 0.8, 0.7001])),
        Detections(BOXES[1:], np.array([0.8, 0.7])),
        Detections((*BOXES, BOXES[0]), np.array([0.9, 0.8, 0.7, 0.9])),
        Detections((BOXES[0], BOXES[0], BOXES[2]), np.array([0.9, 0.9, 0.7])),
    ],
)
def test_a_box_a_score_or_a_number_that_differs_makes_it_unequal(found: Detections) -> None:
    assert not are_equal(RIGHT, found, PAGE)


def test_without_scores_the_boxes_decide() -> None:
    assert are_equal(RIGHT, Detections(BOXES), PAGE)


def test_only_half_a_px_may_be_rounded_either_way() -> None:
    half = replace(PAGE, shape=(4.0, 32.0, 1.0, 1.0))  # a map px is half a px of the page
    box = np.array([[2.0, 0], [8, 0], [8, 4], [2, 4]])
    moved = box + np.array([1, 0])
    assert are_equal(Detections((box,)), Detections((moved,)), half)
    assert not are_equal(Detections((box,)), Detections((moved,)), PAGE)


def test_a_part_says_which_boxes_it_is() -> None:
    assert indices_of_equal_boxes(Detections(BOXES[2:]), RIGHT, PAGE) == [2]
    assert indices_of_equal_boxes(Detections((BOXES[2] + 2,)), RIGHT, PAGE) is None


def test_an_empty_result_and_the_references_own_show_nothing() -> None:
    assert not PAGE.shows
    assert not replace(PAGE, found=Detections(())).shows
    assert replace(PAGE, found=Detections(BOXES[1:])).shows
