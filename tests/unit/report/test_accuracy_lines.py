"""Accuracy in words: figures, verdict, images that lost, what does not count."""

from __future__ import annotations

from dataclasses import replace

from labelled import accuracy_record, image_counts
from msgspec import structs

from pytest_ocrparity.evaluate.counts import Counts, ImageCounts
from pytest_ocrparity.report.accuracy_lines import accuracy_figure_rows, accuracy_lines, accuracy_title
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
    assert len(lines) == 8


def test_where_nothing_changes_no_image_is_named() -> None:
    lines = accuracy_lines([accuracy_record(SAME)])
    assert len(lines) == 7
    assert lines[6].startswith("  no loss seen: ")
    assert accuracy_lines([]) == []


def test_what_is_gained_is_named_as_well() -> None:
    images = [image_counts("a.png", 4, 4, 3), image_counts("b.png", 4, 1, 4), image_counts("c.png", 4, 3, 4)]
    assert accuracy_lines([accuracy_record(images)])[-2:] == ["  lost on a.png", "  gained on b.png (3), c.png"]


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
    assert accuracy_title(record) == "accuracy of inference against train: 2 lines with a label"
    rows = {row.key: (row.reference, row.candidate, row.interval is not None) for row in accuracy_figure_rows(record)}
    assert rows == {
        "accuracy": (1.0, 0.5, True),
        "spaceless": (1.0, 1.0, False),
        "similarity": (1.0, 0.875, False),
        "spaceless_similarity": (1.0, 1.0, False),
    }


def test_documents_are_told_where_they_are_not_images() -> None:
    grouped = [replace(each, group=f"document {index // 4}") for index, each in enumerate(SAME)]
    assert accuracy_title(accuracy_record(grouped)).endswith("40 images with labels, 160 boxes, 10 documents")
