"""What both sides found of what is right in an image."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

import labelled_pages
import numpy as np
import numpy.typing as npt
import pytest
from labelled_pages import PAGES, TEXTS, page, texts

from pytest_ocrparity.evaluate.counts import (
    Counts,
    ImageCounts,
    LabelChange,
    OutsideBoxes,
    count_image,
    counted_shapes,
    image_size,
)
from pytest_ocrparity.evaluate.label_line import Label
from pytest_ocrparity.trace import Decoded, Detections, Recognition, Trace

Points: TypeAlias = "npt.NDArray[np.float64]"
STORED = labelled_pages.stored()
BOX = np.array([[0.0, 0.0], [40.0, 0.0], [40.0, 10.0], [0.0, 10.0]])
BOW_TIE = BOX[[0, 2, 1, 3]]


def moved(box: Points, x: float, y: float) -> Points:
    return np.add(box, (x, y))


LOWER = moved(BOX, 0, 100)


def counted(label: Label, *found: Points) -> Counts:
    return count_image(label, Detections(found), Detections(())).reference


def test_counts_are_those_of_paddleocrs_evaluator_in_both_orders() -> None:
    for index, (forward, backward) in enumerate(STORED["boxes"]):
        made = page(index)
        both = count_image(made.label, made.detections(), made.detections(is_reversed=True))
        for side, expected in ((both.reference, forward), (both.candidate, backward)):
            assert [side.in_order, side.truth, side.found] == expected, f"page {index}"


def test_another_overlap_that_is_asked_for_counts_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_ocrparity.evaluate.counts.MIN_IOU", 0.6)
    with pytest.raises(AssertionError):
        test_counts_are_those_of_paddleocrs_evaluator_in_both_orders()


def test_another_rule_of_ignored_regions_counts_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_ocrparity.evaluate.counts.MAX_IGNORED", 0.9)
    with pytest.raises(AssertionError):
        test_counts_are_those_of_paddleocrs_evaluator_in_both_orders()


def test_at_least_fifty_pages_depend_on_the_order_for_paddleocr() -> None:
    assert len(STORED["order"]) >= 50
    assert STORED["order"] == [index for index, (one, two) in enumerate(STORED["boxes"]) if one != two]
    assert len(STORED["boxes"]) == PAGES == 200


def test_our_count_does_not_depend_on_the_order_and_is_never_smaller() -> None:
    smaller = set()
    for index in range(PAGES):
        made = page(index)
        both = count_image(made.label, made.detections(), made.detections(is_reversed=True))
        assert both.reference.matched == both.candidate.matched >= both.reference.in_order
        assert not (both.lost or both.gained or both.changes or both.is_different or both.is_worse)
        if min(both.reference.in_order, both.candidate.in_order) < both.reference.matched:
            smaller.add(index)
    assert smaller >= set(STORED["order"])


def test_pages_hold_what_they_are_made_for() -> None:
    pages = [page(index) for index in range(PAGES)]
    assert sum(any(each.label.ignored) for each in pages) > 50
    assert sum(len(each.boxes) > len(counted_shapes(each.label.polygons)[0]) for each in pages) > 50
    assert sum(len(each.found) > len(counted_shapes(each.detections().polygons)[0]) for each in pages) > 50


def test_the_largest_number_of_pairs_is_taken() -> None:
    label = Label(polygons=(BOX, moved(BOX, 0, 4)))
    between, above = moved(BOX, 0, 2), moved(BOX, 0, -2)
    assert (counted(label, between, above).in_order, counted(label, above, between).in_order) == (1, 2)
    assert counted(label, between, above).matched == counted(label, above, between).matched == 2
    assert counted(label, between).matched == 1


def test_half_an_overlap_is_no_match_and_a_little_more_is() -> None:
    label = Label(polygons=(BOX[:, ::-1],))  # 10 wide
    assert counted(label, moved(BOX[:, ::-1], 0, 40 / 3)).matched == 0
    assert counted(label, moved(BOX[:, ::-1], 0, 13.3)).matched == 1


def test_a_detection_that_crosses_itself_is_left_out_and_counted() -> None:
    assert counted(Label(polygons=(BOX,)), BOX, BOW_TIE) == Counts(1, 1, 1, in_order=1, invalid=1)
    assert counted(Label(polygons=(BOX,)), BOX, LOWER) == Counts(1, 1, 2, in_order=1)


@pytest.mark.parametrize("broken", [BOX[:2], BOX * np.nan, BOX * 0, BOX[:0]], ids=["two", "nan", "point", "none"])
def test_what_is_no_polygon_is_left_out(broken: Points) -> None:
    assert counted(Label(polygons=(BOX, broken)), BOX, broken) == Counts(1, 1, 1, in_order=1, invalid=1)


def test_dont_care_costs_neither_side() -> None:
    label = Label(polygons=(BOX, LOWER), transcriptions=("text", "###"))
    assert counted(label, BOX, LOWER) == Counts(1, 1, 1, in_order=1)
    assert counted(label, BOX) == Counts(1, 1, 1, in_order=1)
    assert counted(replace(label, transcriptions=("text", "##")), BOX, LOWER) == Counts(2, 2, 2, in_order=2)


def test_a_detection_mostly_outside_of_dont_care_is_found() -> None:
    label = Label(polygons=(BOX,), transcriptions=("*",))
    assert counted(label, moved(BOX, 0, 4)).found == 0
    assert counted(label, moved(BOX, 0, 6)).found == 1


def test_boxes_lost_and_gained_are_named() -> None:
    label = Label(image="a.png", polygons=(BOX, LOWER, moved(LOWER, 0, 50)), transcriptions=("*", "b", "c"))
    both = count_image(label, Detections((LOWER,)), Detections((moved(LOWER, 0, 50),)))
    assert (both.lost, both.gained, both.is_different, both.is_worse) == ((1,), (2,), True, True)
    same = count_image(label, Detections((LOWER,)), Detections((LOWER,)))
    assert (same.lost, same.gained, same.is_different, same.is_worse) == ((), (), False, False)
    assert count_image(label, Detections((LOWER,)), Detections(())).is_worse
    assert count_image(label, Detections((LOWER,)), Detections((LOWER, moved(LOWER, 99, 0)))).is_worse
    assert not count_image(label, Detections(()), Detections((LOWER,))).is_worse


def test_each_box_that_changes_is_named_with_its_text_and_place() -> None:
    label = Label(polygons=(BOX, LOWER, moved(LOWER, 0, 50)), transcriptions=("*", "b" * 300, "c"))
    right = moved(LOWER, 200, 0)
    both = count_image(label, Detections((LOWER, BOX + 500)), Detections((right, moved(LOWER, 0, 50))))
    assert both.changes == (
        LabelChange("lost", 1, "b" * 200 + "...", (20.0, 105.0)),
        LabelChange("gained", 2, "c", (20.0, 155.0)),
        LabelChange("false alarm", 0, at=(220.0, 105.0)),
        LabelChange("false alarm gone", 1, at=(520.0, 505.0)),
    )
    assert (both.lost, both.gained, both.alarms) == ((1,), (2,), (1, 1))
    assert count_image(label, Detections((LOWER,)), Detections((LOWER,))).changes == ()


def test_a_false_alarm_that_both_sides_have_is_none_of_one() -> None:
    label = Label(polygons=(BOX,))
    both = count_image(label, Detections((BOX, LOWER)), Detections((moved(LOWER, 2, 1), BOX)))
    assert (both.changes, both.is_different) == ((), False)
    both = count_image(label, Detections((BOX, LOWER)), Detections((BOX, moved(LOWER, 30, 0))))
    assert [(each.kind, each.index, each.at) for each in both.changes] == [
        ("false alarm", 1, (50.0, 105.0)),
        ("false alarm gone", 1, (20.0, 105.0)),
    ]
    assert both.is_different and not both.is_worse  # as many as before


def test_which_of_two_boxes_around_one_is_the_false_alarm_is_no_change() -> None:
    label = Label(polygons=(BOX,))
    above, below = moved(BOX, 0, -2), moved(BOX, 0, 2)
    for nudge in (0.001, -0.001):  # by which the other of the two has the larger overlap
        nudged = Detections((moved(above, 0, nudge), moved(below, 0, nudge)))
        both = count_image(label, Detections((below, above)), nudged)
        assert (both.changes, both.is_different) == ((), False)
    both = count_image(label, Detections((above, below)), Detections((above,)))
    assert [each.kind for each in both.changes] == ["false alarm gone"]


def test_a_box_is_lost_only_where_no_choice_of_as_many_keeps_it() -> None:
    label = Label(polygons=(BOX, moved(BOX, 0, 4)))  # one detection lies on both, nearer to the one or the other
    both = count_image(label, Detections((moved(BOX, 0, 1.9),)), Detections((moved(BOX, 0, 2.1),)))
    assert (both.lost, both.gained, both.is_different) == ((), (), False)
    both = count_image(label, Detections((moved(BOX, 0, -1),)), Detections((moved(BOX, 0, 5),)))
    assert (both.lost, both.gained) == ((0,), (1,))


def test_boxes_outside_of_the_image_are_told_and_not_those_that_reach_over_its_edge() -> None:
    label = Label(polygons=(BOX, moved(BOX, 81, 0), moved(BOX, 79, 0), LOWER), where="Label.txt:3")
    found = Detections((BOX,))

    def outside(size: tuple[int, int] | None, label: Label = label) -> OutsideBoxes | None:
        return count_image(label, found, found, size=size).outside

    assert outside((100, 110)) == OutsideBoxes("Label.txt:3", (1,), (100, 110), is_turned=False)
    assert outside((110, 100)) == OutsideBoxes("Label.txt:3", (3,), (110, 100), is_turned=False)
    assert outside((120, 110)) is outside((100, 300), replace(label, transcriptions=("", "*", "", ""))) is None
    assert outside(None) is None
    assert outside((50, 200), Label(polygons=(moved(BOX, 100, 0),))) == OutsideBoxes("", (0,), (50, 200), True)
    counted = count_image(label, found, found, size=(100, 110))
    assert counted == replace(count_image(label, found, found), outside=counted.outside)  # they count all the same


def test_the_size_of_an_image_is_that_which_a_trace_says() -> None:
    decode = Decoded.of(np.zeros((30, 40, 3), np.uint8), "BGR")
    bare, decoded = Trace(pipeline="a", image="x"), Trace(pipeline="b", image="x", decode=decode)
    shaped = Trace(pipeline="c", image="x", shape=(30.0, 50.0, 1.0, 1.0))
    assert image_size(bare, decoded, shaped) == (40, 30)
    assert image_size(shaped, decoded) == (50, 30)
    assert image_size(bare, Detections(()), None) is None


def test_blank_pages_count_false_alarms() -> None:
    both = count_image(Label(image="a.png"), Detections(()), Detections((BOX,)))
    assert both.is_blank and both.candidate == Counts(0, 0, 1)
    assert not count_image(Label(polygons=(BOX,)), Detections(()), Detections(())).is_blank


def test_names_and_groups() -> None:
    found = Detections(())
    assert count_image(Label(image="a.png"), found, found).group == "a.png"
    assert count_image(Label(image="a.png", group="doc"), found, found, image="b").group == "doc"
    assert count_image(Label(image="a.png"), found, found, image="b").image == "b"


def test_texts_count_as_by_paddleocrs_metric() -> None:
    seen = set()
    for index, expected in enumerate(STORED["texts"]):
        right, read = texts(index)
        side = count_image(Label(text=right), Recognition(read), Recognition(right)).reference
        numbers = [side.matched, side.distance, side.spaceless, side.spaceless_distance]
        assert numbers == pytest.approx(expected, abs=1e-12), f"line {index}"
        seen.add((side.matched, side.spaceless))
    assert len(STORED["texts"]) == TEXTS and seen == {(0, 0), (0, 1), (1, 1)}


def test_a_line_is_lost_or_gained_as_a_whole() -> None:
    both = count_image(Label(text="a b"), Recognition("a b"), Recognition("ab"))
    assert (both.lost, both.gained, both.is_worse) == ((0,), (), True)
    assert both.candidate == Counts(0, 1, 1, distance=1 / 3, spaceless=1)
    assert both.changes == (LabelChange("lost", 0, "a b", read="ab"),)
    both = count_image(Label(text="a"), Recognition("b" * 300), Recognition("a"))
    assert both.changes == (LabelChange("gained", 0, "a", read="b" * 200 + "..."),)
    assert count_image(Label(text="a"), Recognition("b"), Recognition("c")).changes == ()


@pytest.mark.parametrize(("label", "found"), [(Label(text="a"), Detections(())), (Label(), Recognition("a"))])
def test_a_label_of_the_other_task_is_refused(label: Label, found: Detections | Recognition) -> None:
    with pytest.raises(TypeError, match="needs"):
        count_image(label, found, found)


def test_records_are_plain() -> None:
    both = count_image(Label(image="a.png", polygons=(BOX,)), Detections((BOX,)), Detections(()))
    one, none = Counts(1, 1, 1, in_order=1), Counts(0, 1, 0)
    lost = LabelChange("lost", 0, at=(20.0, 5.0))
    assert both == ImageCounts(image="a.png", group="a.png", reference=one, candidate=none, lost=(0,), changes=(lost,))
