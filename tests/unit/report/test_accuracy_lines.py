"""Accuracy in words: figures, verdict, images that lost, what does not count."""

from __future__ import annotations

from dataclasses import replace

from labelled import accuracy_record, image_counts
from msgspec import structs

from pytest_ocrparity.evaluate.counts import Counts, ImageCounts, LabelChange, OutsideBoxes
from pytest_ocrparity.report.accuracy_lines import (
    accuracy_changes_text,
    accuracy_figure_rows,
    accuracy_lines,
    accuracy_names,
    accuracy_notes,
    accuracy_titles,
    label_change_text,
    outside_boxes_text,
)
from pytest_ocrparity.report.accuracy_record import judge_accuracy
from pytest_ocrparity.tolerance import Limit

LOSES = [image_counts(f"{index}.png", 4, 4, 2) for index in range(40)]
SAME = [image_counts(f"{index}.png", 4, 4, 4) for index in range(40)]


def test_both_sides_figures_stand_with_difference_and_interval() -> None:
    lines = accuracy_lines([accuracy_record(LOSES)])
    assert lines[0] == "accuracy of inference against train: 40 images with labels, 160 boxes"
    assert lines[1].split() == ["train", "inference", "difference", "95", "%"]
    assert lines[2].split() == ["precision", "100.00", "%", "100.00", "%", "0.00"]
    assert lines[3].split() == ["recall", "100.00", "%", "50.00", "%", "-50.00"]
    hmean = lines[4].split()
    assert hmean[:6] == ["hmean", "100.00", "%", "66.67", "%", "-33.33"]
    assert float(hmean[6]) < -33.3 < float(hmean[8])
    assert lines[6].startswith("  failed: hmean 100.00 % to 66.67 % on 40 images")
    assert lines[6].endswith("(limit 0.01, accuracy.max_drop, fp32 preset, built-in)")
    assert lines[7] == "  lost on 0.png (2), 1.png (2), 10.png (2) and 37 more"
    assert lines[8:] == [
        f"    {image}.png: lost box 2 'word 2' at x=2 y=7, lost box 3 'word 3' at x=3 y=7" for image in (0, 1, 10)
    ]
    assert accuracy_notes(accuracy_record(LOSES)) == [line.removeprefix("  ") for line in lines[6:8]]


def test_boxes_are_named_only_where_what_is_lost_may_be_a_fault() -> None:
    one = [image_counts("a.png", 4, 4, 3), *SAME]
    assert "    a.png: lost box 3 'word 3' at x=3 y=7" in accuracy_lines([accuracy_record(one)])
    assert accuracy_lines([accuracy_record(one, 0.2)])[-1] == "  lost on a.png"
    assert accuracy_lines([accuracy_record([image_counts("a.png", 4, 3, 4), *SAME])])[-1] == "  gained on a.png"


def test_a_change_is_said_in_words() -> None:
    def said(*given: object, **more: object) -> str:
        return label_change_text(LabelChange(*given, **more), "train", "int8")  # type: ignore[arg-type]

    assert said("lost", 2, "Total", (10.4, 20.6)) == "lost box 2 'Total' at x=10 y=21"
    assert said("gained", 2, "", (10.4, 20.6)) == "gained box 2 at x=10 y=21"
    assert said("false alarm", 3, at=(1.0, 2.0)) == "false alarm at x=1 y=2 (box 3 of int8)"
    assert said("false alarm gone", 3, at=(1.0, 2.0)) == "false alarm gone at x=1 y=2 (box 3 of train)"
    assert said("lost", 0, "cab", read="cad") == "lost 'cab', which int8 reads as 'cad'"
    assert said("gained", 0, "cab", read="") == "gained 'cab', which train reads as ''"


def test_of_many_changes_of_an_image_a_few_are_said() -> None:
    text = accuracy_changes_text(image_counts("a.png", 9, 9, 4), "train", "int8")
    assert text.startswith("lost box 4 'word 4' at x=4 y=7, ") and text.endswith("x=6 y=7 and 2 more")
    assert accuracy_changes_text(SAME[0], "train", "int8") == ""


def test_boxes_outside_of_their_images_are_counted_and_the_first_is_named() -> None:
    assert outside_boxes_text(SAME) == ""
    one = replace(SAME[0], outside=OutsideBoxes("labels/Label.txt:7", (2,), (600, 800), False))
    assert outside_boxes_text([*SAME, one]).startswith(
        "1 box of the labels of 1 image lies outside of the image, where nothing can match: labels/Label.txt:7: "
        "box 2 of 0.png, which is 600 x 800 px; labels are in pixels of the image as cv2 reads it"
    )
    two = replace(SAME[1], outside=OutsideBoxes("", (0, 1, 2, 3), (60, 80), True))
    (line,) = [line for line in accuracy_lines([accuracy_record([two, one])]) if "WARNING" in line]
    assert line.startswith(
        "  WARNING: 5 boxes of the labels of 2 images lie outside of the image, where nothing can match: "
        "box 0, 1, 2, ... of 1.png, which is 60 x 80 px (none would with width and height exchanged) and 1 more; "
    )


def test_where_nothing_changes_no_image_is_named() -> None:
    lines = accuracy_lines([accuracy_record(SAME)])
    assert len(lines) == 7
    assert lines[6].startswith("  no loss seen: ")
    assert accuracy_lines([]) == []


def test_what_is_gained_is_named_as_well() -> None:
    images = [image_counts("a.png", 4, 4, 3), image_counts("b.png", 4, 1, 4), image_counts("c.png", 4, 3, 4)]
    assert accuracy_lines([accuracy_record(images)])[-3:] == [
        "  lost on a.png",
        "  gained on b.png (3), c.png",
        "    a.png: lost box 3 'word 3' at x=3 y=7",
    ]


def test_false_alarms_cause_and_what_does_not_count_have_a_line_each() -> None:
    blank = replace(
        image_counts("blank.png", 0, 0, 0, is_blank=True), reference=Counts(0, 0, 1), candidate=Counts(0, 0, 3)
    )
    left = {"no_label": 1, "no_result": 2, "unlabelled": 1, "missing": 1, "not_compared": 3, "newer": 1}
    record = accuracy_record(
        [*SAME, blank], cause="a.png, which lost most of those with a cause: x.y, z", not_counted=left
    )
    assert accuracy_lines([record])[-3:] == [
        "  a.png, which lost most of those with a cause: x.y, z",
        "  false alarms on 1 blank page: 1 in train, 3 in inference",
        "  not counted: 1 image without a label, 2 images of which a side returned nothing, 1 image that nobody "
        "labelled, 3 images with a label, which no test compared, 1 image newer, 1 label without an image",
    ]


def test_what_does_not_count_is_named_where_it_has_names() -> None:
    unseen = image_counts("unseen.png", 0, 0, 0)
    named = {"no_label": ("a", "b", "c", "d"), "missing": ("gone.png",)}
    record = accuracy_record([*SAME, unseen], not_counted={"no_label": 4, "missing": 1}, named=named)
    assert accuracy_lines([record])[-1] == (
        "  not counted: 4 images without a label (a, b, c, ...), 1 label without an image (gone.png), "
        "1 image on which all boxes are don't care or invalid"
    )


def test_a_limit_that_is_off_is_not_named() -> None:
    assert accuracy_lines([accuracy_record(LOSES, "off")])[6] == "  not judged: accuracy.max_drop is off"


def test_a_recogniser_has_its_own_figures() -> None:
    right = Counts(1, 1, 1, 1, spaceless=1)
    wrong = Counts(0, 1, 1, 0, distance=0.25, spaceless=1)
    images = [
        ImageCounts(image="a", group="a", reference=right, candidate=wrong, lost=(0,)),
        ImageCounts(image="b", group="b", reference=right, candidate=right),
    ]
    result = judge_accuracy(images, "recognition", Limit(0.01, "x"))
    record = structs.replace(accuracy_record(images), result=result)
    assert accuracy_titles([record]) == ["accuracy of inference against train: 2 lines with a label"]
    rows = {row.key: (row.reference, row.candidate, row.interval is not None) for row in accuracy_figure_rows(record)}
    assert rows == {
        "accuracy": (1.0, 0.5, True),
        "spaceless": (1.0, 1.0, False),
        "similarity": (1.0, 0.875, False),
        "spaceless_similarity": (1.0, 1.0, False),
    }


def test_documents_are_told_where_they_are_not_images() -> None:
    grouped = [replace(each, group=f"document {index // 4}") for index, each in enumerate(SAME)]
    (title,) = accuracy_titles([accuracy_record(grouped)])
    assert title.endswith("40 images with labels, 160 boxes, 10 documents")


def test_records_of_the_same_sides_have_names_of_their_own() -> None:
    run, strict, other = (accuracy_record(SAME, limit) for limit in (0.01, 0.001, "off"))
    one, two = accuracy_record(SAME, test="test_a.py::test_x"), accuracy_record(SAME, 0.2, test="test_a.py::test_x")
    assert accuracy_titles([run])[0].startswith("accuracy of inference against train: ")
    for records, words, keys in (
        ([run, one], ["", " in test_a.py::test_x"], ["", "[test_a.py::test_x]"]),
        ([run, strict], [" under max_drop 0.01", " under max_drop 0.001"], ["[max_drop=0.01]", "[max_drop=0.001]"]),
        ([run, other], [" under max_drop 0.01", " under max_drop off"], ["[max_drop=0.01]", "[max_drop=off]"]),
        (
            [one, two],
            [" in test_a.py::test_x under max_drop 0.01", " in test_a.py::test_x under max_drop 0.2"],
            ["[test_a.py::test_x,max_drop=0.01]", "[test_a.py::test_x,max_drop=0.2]"],
        ),
        ([run, structs.replace(run)], [", number 1", ", number 2"], ["[1]", "[2]"]),
        ([run, structs.replace(run, candidate="int8")], ["", ""], ["", ""]),
    ):
        names = accuracy_names(records)
        assert ([name.words for name in names], [name.key for name in names]) == (words, keys)
        assert len(set(accuracy_titles(records))) == len(records)


def test_records_of_two_tasks_have_keys_of_their_own() -> None:
    right = ImageCounts(image="a", group="a", reference=Counts(1, 1, 1), candidate=Counts(1, 1, 1))
    lines = structs.replace(accuracy_record([right]), result=judge_accuracy([right], "recognition", Limit(0.01, "x")))
    records = [accuracy_record(SAME), lines]
    assert [name.key for name in accuracy_names(records)] == ["[detection]", "[recognition]"]
    assert [name.words for name in accuracy_names(records)] == ["", ""]  # what a title counts says it
    assert len(set(accuracy_titles(records))) == 2
