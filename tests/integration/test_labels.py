"""The setting `labels`: which images count, which do not, and what cannot be used."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from labelled import COMPARES, PLACES, add, label, lines, write_pages, write_project
from projects import run, settings_file, wrong_export
from reader_projects import write
from toy import BLANK
from toy_reader import line

BOXES_MISSING = "not counted: 1 label without an image"


def test_labels_name_the_images_and_are_counted_in_the_table(project: pytest.Pytester) -> None:
    write_project(project, [1, 2, 3])
    result = run(project)
    result.assert_outcomes(passed=3)
    assert result.ret == 0
    assert lines(result, "accuracy of inference against train: 3 images with labels, 6 boxes")
    (figures,) = lines(result, "  hmean     ")
    assert figures.split()[1:6] == ["100.00", "%", "100.00", "%", "0.00"]
    assert lines(result, "  no loss seen: ")
    assert not lines(result, "not counted")


def test_without_labels_nothing_is_said_of_accuracy(project: pytest.Pytester) -> None:
    result = run(project, "-k", "training")
    assert result.ret == 0
    assert not lines(result, "accuracy of")


def test_what_does_not_count_is_told(project: pytest.Pytester) -> None:
    write_project(project, [1, 2], 'images = ["images/*.npy"]\nlabels = { files = "Label.txt", blank = "unlabelled" }')
    more = label("images/gone.npy", PLACES) + label("images/empty.npy", ()) + label("pages/other.npy", PLACES)
    write_pages(project.path / "images", [1], "other")  # which is no image of the settings
    text = (project.path / "Label.txt").read_text() + more.replace("pages/other", "images/images/other00")
    (project.path / "Label.txt").write_text(text)
    for name in ("empty", "unknown"):
        np.save(project.path / "images" / f"{name}.npy", BLANK)
    result = run(project)
    assert result.ret == 0
    assert lines(result, "not counted: ") == [
        "  not counted: 1 image without a label (images/unknown.npy), 1 image that nobody labelled, 1 image with a "
        "label, which no test compared (images/images/other00.npy), 1 label without an image (images/gone.npy)"
    ]


@pytest.mark.parametrize("blank", ["empty", "unlabelled"])
def test_boxes_on_a_blank_page_are_false_alarms_where_it_is_said_to_be_empty(
    project: pytest.Pytester, blank: str
) -> None:
    write_project(project, [1, 2], f'labels = {{ files = "Label.txt", blank = "{blank}" }}')
    text = (project.path / "Label.txt").read_text()
    (project.path / "Label.txt").write_text(text + label("images/blank.npy", ()))
    np.save(project.path / "images" / "blank.npy", np.load(project.path / "images" / "01.npy"))
    result = run(project)
    assert result.ret == 0
    assert bool(lines(result, "false alarms on 1 blank page: 2 in train, 2 in inference")) == (blank == "empty")
    assert bool(lines(result, "not counted: 1 image that nobody labelled")) == (blank == "unlabelled")


def test_a_page_without_boxes_is_refused_where_nothing_is_said(project: pytest.Pytester) -> None:
    write_project(project, [1, 0])
    result = run(project)
    assert result.ret == 1
    assert lines(result, "Label.txt:2: images/01.npy has no boxes, which can mean two things: set blank = 'empty'")


def test_labels_that_cannot_be_used_are_said_once_with_what_else_is_wrong(project: pytest.Pytester) -> None:
    write_project(project, [1, 2, 3], 'images = ["images/*.npy", "gone/*.png"]\nlabels = "Label.txt"')
    with (project.path / "Label.txt").open("a") as file:
        file.write("images/00.npy and no tab\n")
    result = run(project)
    result.assert_outcomes(errors=1)
    assert lines(result, "Label.txt:4: images/00.npy and no tab holds no delimiter '\\t'")
    assert lines(result, "gone/*.png matches no file")


def test_labels_that_are_not_there_fail(project: pytest.Pytester) -> None:
    write_project(project, [1], 'labels = "gone.txt"')
    result = run(project)
    assert result.ret == 1
    assert lines(result, "labels: ")
    assert lines(result, "gone.txt: cannot read this label file: No such file or directory")


def test_labels_of_other_images_fail_the_run(project: pytest.Pytester) -> None:
    write_project(project, [1, 2], 'images = ["images/*.npy"]\nlabels = "others/Label.txt"')
    (project.path / "others").mkdir()
    (project.path / "others" / "Label.txt").write_text(write_pages(project.path / "others", [1, 2]))
    result = run(project)
    result.assert_outcomes(passed=2, failed=1)
    (fault,) = lines(result, "labels are set, and no image")[:1]
    assert fault == (
        "labels are set, and no image of inference against train was counted: 2 images without a label "
        "(images/00.npy, images/01.npy), where labels are of others/images/00.npy and others: correct "
        "labels.data_dir, or the images"
    )
    assert lines(result, "FAILED ocrparity::labels")
    # A run of some images shows nothing of labels: its command is what a failure prints.
    narrowed = run(project, "-k", "00")
    assert narrowed.ret == 0
    assert lines(narrowed, "WARNING: labels are set, and no image of inference against train was counted")
    assert run(project, "--ocr-images=images/00.npy").ret == 0


def test_a_data_dir_puts_that_right(project: pytest.Pytester) -> None:
    text = 'images = ["images/*.npy"]\nlabels = { files = "others/Label.txt", data_dir = "." }'
    write_project(project, [1, 2], text)
    (project.path / "others").mkdir()
    (project.path / "Label.txt").rename(project.path / "others" / "Label.txt")
    result = run(project)
    assert result.ret == 0
    assert lines(result, "accuracy of inference against train: 2 images with labels, 3 boxes")


def test_own_tests_that_get_no_image_of_ours_hear_of_wrong_labels(project: pytest.Pytester) -> None:
    tests = """
from pytest_ocrparity import assert_same_detections

def test_boxes(ocr_train_model, ocr_inference_model):
    assert_same_detections(ocr_train_model.trace("images/00.npy"), ocr_inference_model.trace("images/00.npy"))
"""
    write_project(project, [1], tests=tests)
    assert run(project).ret == 0
    (project.path / "Label.txt").write_text("no label\n")
    result = run(project)
    result.assert_outcomes(passed=1, failed=1)
    assert lines(result, "FAILED ocrparity::labels")


def test_plain_boxes_are_of_no_image(project: pytest.Pytester) -> None:
    tests = """
import numpy as np
from pytest_ocrparity import assert_same_detections

def test_boxes():
    box = np.array([[0, 0], [9, 0], [9, 9], [0, 9]])
    assert_same_detections([box], [box])
"""
    write_project(project, [1], tests=tests)
    assert run(project).ret == 0


def test_a_side_that_stops_is_not_counted(project: pytest.Pytester) -> None:
    write_project(project, [1, 2])
    stops = """

class Stops(Toy):
    def trace(self, image):
        from dataclasses import replace

        found = super().trace(image)
        return replace(found, detections=None) if "00" in str(image) else found


@pytest.fixture(scope="session")
def ocr_inference_model():
    return Stops(name="inference")
"""
    add(project, stops)
    result = run(project)
    assert result.ret == 1
    assert lines(result, "accuracy of inference against train: 1 image with labels, 2 boxes")
    assert lines(result, "  not counted: 1 image of which a side returned nothing") == [
        "  not counted: 1 image of which a side returned nothing (images/00.npy)"
    ]


def test_wrong_values_stop_the_run_with_the_others(project: pytest.Pytester) -> None:
    text = 'allow_empty = 1\n[labels]\nfiles = 5\nblank = "no"\n[tolerance]\naccuracy = { max_drop = 7 }\n'
    write_project(project, [1], text)
    result = run(project)
    assert result.ret == 4
    said = result.stderr.str()
    for text in (
        "allow_empty is true or false, not 1",
        "labels.files is a path or a list of paths, not 5",
        "labels.blank is one of unlabelled, empty, not 'no'",
        "accuracy.max_drop is at most 0.5, not 7",
    ):
        assert text in said


def write_lines(folder: Path, texts: list[str], labels: list[str]) -> None:
    write(folder / "lines", {f"{index}.npy": line(text) for index, text in enumerate(texts)})
    text = "".join(f"lines/{index}.npy\t{label}\n" for index, label in enumerate(labels))
    (folder / "rec_gt.txt").write_text(text)


def test_lines_of_a_recogniser_are_counted(alone: pytest.Pytester) -> None:
    for path in (alone.path / "lines").iterdir():
        path.unlink()
    write_lines(alone.path, ["abba", "dab", "cad"], ["abba", "dab", "cab"])
    settings_file(alone.path, 'labels = "rec_gt.txt"')
    (alone.path / "pyproject.toml").unlink()
    result = run(alone)
    assert result.ret == 0
    assert lines(result, "accuracy of inference against train: 3 lines with a label")
    (figures,) = lines(result, "  accuracy    ")
    assert figures.split()[1:6] == ["66.67", "%", "66.67", "%", "0.00"]
    assert lines(result, "  accuracy without spaces ")


def test_a_project_of_both_tasks_has_labels_of_both(project: pytest.Pytester) -> None:
    tests = """
import pytest
from toy import Toy
from toy_reader import Reader
from pytest_ocrparity import assert_same_detections, assert_same_text

def test_boxes(ocr_image):
    assert_same_detections(Toy().trace(ocr_image), Toy(name="inference").trace(ocr_image))

@pytest.mark.ocr_task("recognition")
def test_text(ocr_image, ocr_inference_model):
    assert_same_text(Reader().trace(ocr_image), Reader(name="inference").trace(ocr_image))
"""
    settings = 'labels = "Label.txt"\n[recognition]\nlabels = "rec_gt.txt"\n'
    write_project(project, [1, 2], settings, tests)
    write_lines(project.path, ["abba", "dab"], ["abba", "dab"])
    result = run(project)
    assert result.ret == 0
    result.assert_outcomes(passed=4)
    assert lines(result, "accuracy of inference against train: 2 images with labels, 3 boxes")
    assert lines(result, "accuracy of inference against train: 2 lines with a label")
    (project.path / "rec_gt.txt").write_text("lines/0.npy no tab\n")
    result = run(project)
    result.assert_outcomes(passed=2, errors=1)
    assert lines(result, "recognition.labels: ")


def test_the_documents_of_a_group_are_told(project: pytest.Pytester) -> None:
    write_project(project, [1, 2, 3, 1], "labels = { files = \"Label.txt\", group = '/([0-9])' }")
    result = run(project)
    assert result.ret == 0
    assert lines(result, "4 images with labels, 7 boxes, 1 document")


def test_what_is_counted_is_in_results(project: pytest.Pytester) -> None:
    write_project(project, [1, 3])
    wrong_export(project, pad=3)
    run(project, "--ocr-report=report")
    document = json.loads((project.path / "report" / "results.json").read_text())
    (record,) = document["accuracy"]
    counted = [(each["image"], each["reference"]["truth"], each["reference"]["matched"]) for each in record["counts"]]
    assert counted == [("images/00.npy", 1, 1), ("images/01.npy", 3, 3)]


def test_a_baseline_is_not_pruned_where_its_image_may_only_be_missing_here(project: pytest.Pytester) -> None:
    tests = COMPARES.replace("ocr_train_model", "ocr_golden")
    write_project(project, [1, 2, 3], tests=tests)
    assert run(project, "--ocr-golden").ret == 0
    (project.path / "images" / "01.npy").unlink()
    result = run(project, "--ocr-golden-prune")
    assert lines(result, "nothing was pruned: the labels name ")
    assert len(list((project.path / "goldens").rglob("*.npz"))) == 3
    text = (project.path / "Label.txt").read_text()
    (project.path / "Label.txt").write_text("".join(line for line in text.splitlines(True) if "01.npy" not in line))
    assert lines(run(project, "--ocr-golden-prune"), "removed unused baselines: ")
    assert len(list((project.path / "goldens").rglob("*.npz"))) == 2
