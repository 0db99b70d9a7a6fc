"""The message about a drop of accuracy."""

from __future__ import annotations

from dataclasses import replace

from pytest_ocrparity.evaluate.counts import Counts, ImageCounts, LabelChange, OutsideBoxes
from pytest_ocrparity.evaluate.verdict import accuracy_verdict
from pytest_ocrparity.explain.accuracies import explain_accuracy

WHOLE = Counts(10, 10, 10)


def image(name: str, candidate: Counts, lost: tuple[int, ...] = (), gained: tuple[int, ...] = ()) -> ImageCounts:
    return ImageCounts(image=name, group=name, reference=WHOLE, candidate=candidate, lost=lost, gained=gained)


def test_the_images_that_lost_most_come_first() -> None:
    images = [
        image("a.png", Counts(9, 10, 11), (4,)),
        image("b.png", WHOLE),
        image("d.png", Counts(10, 10, 11)),
        image("c.png", Counts(6, 10, 6), (1, 2, 3, 5, 6), (4,)),
    ]
    lines = explain_accuracy(accuracy_verdict(images, max_drop=0.1), images, unlabelled=1, untraced=1).splitlines()
    assert lines[0].startswith("undecided: hmean 100.00 % to")
    assert lines[1:] == [
        "  c.png: 5 boxes of 10 lost, 1 box gained",
        "  a.png: 1 box of 10 lost, 2 boxes more that are wrong",
        "  d.png: 1 box more that is wrong",
        "  not counted: 1 image without a label",
        "  not counted: 1 label without an image among those given",
    ]
    assert explain_accuracy(accuracy_verdict(images), images, untraced=2).endswith(
        "2 labels without an image among those given"
    )


def test_boxes_are_named_with_the_sides_that_have_them() -> None:
    changes = LabelChange("lost", 4, "Total", (3.0, 4.0)), LabelChange("false alarm", 1, at=(5.0, 6.0))
    outside = OutsideBoxes("Label.txt:1", (0,), (10, 20), is_turned=False)
    images = [replace(image("a.png", Counts(9, 10, 11), (4,)), changes=changes, outside=outside)]
    lines = explain_accuracy(accuracy_verdict(images), images, sides=("train", "int8")).splitlines()
    assert lines[1] == (
        "  a.png: 1 box of 10 lost, 2 boxes more that are wrong: lost box 4 'Total' at x=3 y=4, "
        "false alarm at x=5 y=6 (box 1 of int8)"
    )
    assert lines[2].startswith("  WARNING: 1 box of the labels of 1 image lies outside of the image")


def test_a_few_images_are_named() -> None:
    images = [image(f"{index}.png", Counts(9, 10, 9), (0,)) for index in range(7)]
    lines = explain_accuracy(accuracy_verdict(images), images).splitlines()
    assert len(lines) == 7 and lines[-1] == "  and 2 images more that lost something"


def test_a_line_is_no_longer_right() -> None:
    right, wrong = Counts(1, 1, 1), Counts(0, 1, 1)
    images = [ImageCounts(image="a", group="a", reference=right, candidate=wrong, lost=(0,))]
    text = explain_accuracy(accuracy_verdict(images, task="recognition"), images)
    assert text.endswith("a: the line is no longer right") and "accuracy 100.00 % to 0.00 %" in text
