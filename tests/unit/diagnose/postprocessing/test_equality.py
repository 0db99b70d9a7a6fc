"""Two results are equal box by box and score by score, and nothing else is."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from properties import quickly

from pytest_ocrparity import Detections
from pytest_ocrparity.diagnose.postprocessing import equality
from pytest_ocrparity.diagnose.postprocessing.equality import (
    SAME,
    SCORE,
    Page,
    are_equal,
    area,
    canonical,
    indices_of_equal_boxes,
)

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


def test_what_is_halfway_but_for_an_error_of_division_may_be_rounded_either_way() -> None:
    wide = replace(PAGE, shape=(40_000.0, 320_000.0, 1.0, 1.0))  # half a px of the page is 0.0001 of a map px
    for x, is_tie in ((0.0, True), (1e-6, False)):
        box = np.array([[x, 5000.0], [5000, 5000], [5000, 10_000], [x, 10_000]])
        found, made = Detections((box,)), Detections((box + np.array([[1, 0], [0, 0], [0, 0], [1, 0]]),))
        assert are_equal(found, made, wide) == is_tie


def test_a_part_says_which_boxes_it_is() -> None:
    assert indices_of_equal_boxes(Detections(BOXES[2:]), RIGHT, PAGE) == [2]
    assert indices_of_equal_boxes(Detections((BOXES[2] + 2,)), RIGHT, PAGE) is None


def test_an_empty_result_and_the_references_own_show_nothing() -> None:
    assert not PAGE.shows
    assert not replace(PAGE, found=Detections(())).shows
    assert replace(PAGE, found=Detections(BOXES[1:])).shows


@pytest.mark.parametrize("start", range(4))
@pytest.mark.parametrize("is_turned", [True, False])
def test_a_polygon_is_told_clockwise_from_its_first_corner_wherever_it_began(start: int, is_turned: bool) -> None:
    box = np.array([[2.0, 1], [9, 0], [9, 5], [1, 5]])
    given = np.roll(box[::-1] if is_turned else box, start, axis=0)
    assert np.array_equal(canonical(given), box)


@quickly
@given(st.floats(0.1, 100), st.floats(0.1, 100), st.booleans(), st.integers(-50, 50))
def test_the_area_of_boxes_is_width_times_height(width: float, height: float, is_turned: bool, by: int) -> None:
    box = np.array([[0, 0], [width, 0], [width, height], [0, height]]) + by
    assert area([box[::-1] if is_turned else box]) == pytest.approx(width * height, rel=1e-6)
    assert area([box, box]) == pytest.approx(2 * width * height, rel=1e-6)
    assert area([]) == 0


@pytest.mark.parametrize(
    ("made", "found", "scale", "is_one"),
    [
        (3.0, 4.0, 0.5, True),  # 3.5 px are 7 px of the map, which were rounded the other way
        (3.0, 4.0, 1.0, False),  # 3.5 px of the page are 3.5 of the map, which nothing makes
        (4.0, 3.0, 0.5, True),
        (3.0, 5.0, 0.5, False),  # no rounding moves it by 2
        (3.0, 3.5, 0.5, False),
        (3.0, 4.0, 0.7, True),
        (3.0, 4.0, 0.75, False),
        (3.0, 2.9999999, 1.0, True),
    ],
)
def test_a_coordinate_that_was_rounded_the_other_way(made: float, found: float, scale: float, is_one: bool) -> None:
    def side(right: float) -> Detections:
        return Detections((np.array([[0.0, 0], [right, 0], [right, 40], [0, 40]]),))

    page = replace(PAGE, shape=(8.0 * scale, 64.0 * scale, 1.0, 1.0))
    assert page.scale == (scale, scale)
    assert are_equal(side(made), side(found), page) == is_one


def test_one_box_can_prove_something() -> None:
    assert replace(PAGE, found=Detections(BOXES[:1]), right=Detections(BOXES[1:2])).shows
    assert not replace(PAGE, found=Detections(BOXES[:1]), right=Detections(BOXES[:1])).shows


def test_a_page_is_one_of_its_own() -> None:
    assert replace(PAGE) != PAGE and not PAGE.is_drawn
    with pytest.raises(FrozenInstanceError):
        PAGE.is_drawn = True  # type: ignore[misc]


@pytest.mark.parametrize(("score", "is_one"), [(SCORE, True), (1.01 * SCORE, False), (2.5e-6, False)])
def test_scores_may_be_off_by_what_summing_leaves(score: float, is_one: bool) -> None:
    one, two = (Detections(BOXES[:1], np.array([value])) for value in (0.0, score))
    assert are_equal(one, two, PAGE) == are_equal(two, one, PAGE) == is_one


def test_a_polygon_without_area_keeps_its_direction() -> None:
    line = np.array([[0.0, 0], [4, 0], [9, 0], [6, 0]])
    for start in range(4):
        assert np.array_equal(canonical(np.roll(line, start, axis=0)), line)


@pytest.mark.parametrize("count", [3, 4, 7])
def test_the_area_of_any_polygon_is_that_of_shapely(count: int) -> None:
    rng = np.random.default_rng(count)
    angles = np.sort(rng.uniform(0, 6.28, count))
    polygon = np.stack([np.cos(angles), np.sin(angles)], axis=1) * rng.uniform(5, 9, (count, 1)) + 20
    for start in range(count):
        assert area([np.roll(polygon, start, axis=0)]) == pytest.approx(shapely.Polygon(polygon).area)


def test_the_scale_is_along_x_and_along_y() -> None:
    assert replace(PAGE, shape=(16.0, 32.0, 2.0, 0.5)).scale == (0.5, 2.0)


def test_many_boxes_are_compared_with_few(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []

    def counted(*given: Any) -> bool:
        compared.append(given)
        return same(*given)

    same = equality._are_same_points
    monkeypatch.setattr(equality, "_are_same_points", counted)
    many = tuple(BOXES[0] + 30 * place for place in range(-20, 20))
    assert are_equal(Detections(many), Detections(many[::-1]), PAGE)
    assert len(compared) == len(many)


def test_boxes_of_another_number_of_points_are_unequal() -> None:
    triangle, quad = Detections((BOXES[0][:3],)), Detections((BOXES[0],))
    assert not are_equal(triangle, quad, PAGE) and not are_equal(quad, triangle, PAGE)


@pytest.mark.parametrize("start", range(3))
def test_of_corners_that_are_as_near_the_left_one_is_first_also_of_small_polygons(start: int) -> None:
    corners = np.array([[1.0, 2], [2, 1], [5, 5]])
    for scale in (1, 0.1):
        assert np.array_equal(canonical(np.roll(corners * scale, start, axis=0)), corners * scale)


@pytest.mark.parametrize(
    ("left", "scale", "is_one"),
    [
        (SAME, 1.0, True),
        (1.01 * SAME, 1.0, False),
        (1 + SAME, 0.5, True),
        (1 + 1.01 * SAME, 0.5, False),
        (1.0, 0.5 / 0.99992, True),  # 0.5 px of the page are within 1e-4 of a whole px of the map
        (1.0, 0.5 / 0.99988, False),
    ],
)
def test_how_far_a_coordinate_may_be_off(left: float, scale: float, is_one: bool) -> None:
    def side(x: float) -> Detections:
        return Detections((np.array([[x, 0.0], [40, 0], [40, 9], [x, 9]]),))

    page = replace(PAGE, shape=(8.0 * scale, 64.0 * scale, 1.0, 1.0))
    assert are_equal(side(0.0), side(left), page) == are_equal(side(left), side(0.0), page) == is_one


def test_each_coordinate_may_be_off_in_its_own_way() -> None:
    page = replace(PAGE, shape=(4.0, 32.0, 1.0, 1.0))
    one = np.array([[0.0, 0], [40, 0], [40, 9], [0, 9]])
    other = np.array([[1.0, SAME], [40, SAME], [40, 9], [1, 9]])
    assert are_equal(Detections((one,)), Detections((other,)), page)


def test_the_scale_of_a_map_is_that_of_its_last_two_axes() -> None:
    for shape in ((8, 64), (1, 8, 64), (1, 1, 8, 64)):
        page = replace(PAGE, probability_map=np.zeros(shape, np.float32), shape=(16.0, 192.0, 1.0, 1.0))
        assert page.scale == (3.0, 2.0)


def test_a_box_without_points_equals_another_one_alone() -> None:
    none = np.zeros((0, 2))
    found = Detections((*BOXES, none))
    assert are_equal(found, Detections((none, *BOXES)), PAGE)
    assert not are_equal(found, Detections((*BOXES, BOXES[0])), PAGE)
    assert not are_equal(Detections((*BOXES, BOXES[0])), found, PAGE)
    assert area([none, BOXES[0]]) == 50
