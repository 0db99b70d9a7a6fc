"""The labels of a run: whose they are, when they are read, and what of an image counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from labelled import PLACES, label, write_pages
from toy import PAGE, Toy
from toy_reader import Reader, line

from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.comparison import RECORDED, Comparison
from pytest_ocrparity.errors import LabelError
from pytest_ocrparity.report.document import Counted, LabelFault
from pytest_ocrparity.session.label_book import LabelBook
from pytest_ocrparity.settings import Settings, load_settings
from pytest_ocrparity.stages import DETECTION, RECOGNITION, Task
from pytest_ocrparity.tolerance import BUILT_IN
from pytest_ocrparity.trace import Trace


def settings(folder: Path, text: str = 'labels = "Label.txt"') -> Settings:
    path = folder / "ocrparity.toml"
    path.write_text(text)
    return load_settings(path, {}, folder)


def book(task: Task | None = DETECTION) -> LabelBook:
    return LabelBook(lambda: task)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "Label.txt").write_text(write_pages(tmp_path, [1, 3]) + label("images/gone.npy", PLACES))
    return tmp_path


def judged(one: Trace, two: Trace) -> Comparison:
    return Comparisons(one, two, BUILT_IN).of(one.task.kinds[-1])


def counted(folder: Path, one: Trace, two: Trace, **fields: object) -> Counted | LabelFault | None:
    comparison = replace(judged(one, two), **fields)  # type: ignore[arg-type]
    return book().count(settings(folder), comparison, (one, two), BUILT_IN)


def test_images_are_those_with_a_label_that_are_there(folder: Path) -> None:
    assert book().images(settings(folder)) == [folder / "images" / f"0{index}.npy" for index in (0, 1)]
    named = book().naming_images(settings(folder, 'labels = "Label.txt"\n[recognition]\nimages = ["*.npy"]'))
    assert len(named.image_paths()) == 2
    assert named.recognition is not None and named.recognition.image_paths() == []
    assert book().images(settings(folder, "")) == []


def test_labels_are_read_once_and_problems_are_told(folder: Path) -> None:
    mine, given = book(), settings(folder)
    assert mine.problems(given) == []
    (folder / "Label.txt").write_text("no label\n")
    labels = mine.of(given)
    assert labels is not None and len(labels) == 2
    (problem,) = book().problems(given)
    assert problem.startswith(f"labels: {folder / 'Label.txt'}:1: ")
    with pytest.raises(LabelError):
        book().of(given)
    assert book().images(given) == []
    assert book().problems(settings(folder, "")) == []
    recognition = settings(folder, '[recognition]\nlabels = "Label.txt"').recognition
    assert recognition is not None
    assert book().problems(recognition)[0].startswith("recognition.labels: ")


@pytest.mark.parametrize(
    ("text", "task"),
    [
        (label("images/00.npy", PLACES), "detection"),
        ("\n" + label("images/00.npy", PLACES), "detection"),
        ("images/00.npy\tabba\n", "recognition"),
        ("images/00.npy\t[1] abba\n", "recognition"),
        ("images/00.npy\t12\n", "recognition"),
        ("images/00.npy\t[1]\n", "recognition"),
        (label("images/00.npy", ()), "detection"),
    ],
)
def test_where_no_file_says_the_task_the_first_label_does(folder: Path, text: str, task: str) -> None:
    (folder / "Label.txt").write_text(text)
    found = book(None).of(settings(folder, 'labels = { files = "Label.txt", blank = "empty" }'))
    assert found is not None and found.task == task


def test_a_list_of_boxes_that_is_written_wrongly_is_still_of_a_detector(folder: Path) -> None:
    (folder / "Label.txt").write_text("images/00.npy\t[{'transcription': 'a', 'points': [[0, 0], [9, 0], [9, 9]]}]\n")
    with pytest.raises(LabelError, match=r"Label\.txt:1: .* is not JSON"):
        book(None).of(settings(folder))


def test_the_table_of_recognisers_and_what_stands_beside_it_have_their_tasks(folder: Path) -> None:
    (folder / "rec_gt.txt").write_text("images/00.npy\tabba\n")
    both = settings(folder, 'labels = "Label.txt"\n[recognition]\nlabels = "rec_gt.txt"')
    found = [book(RECOGNITION).of(part) for part in both.parts]
    assert [each and each.task for each in found] == ["detection", "recognition"]


def test_an_image_is_counted_on_both_sides(folder: Path) -> None:
    image = folder / "images" / "01.npy"
    found = counted(folder, Toy().trace(image), Toy(name="inference", box_thresh=0.9985).trace(image))
    assert isinstance(found, Counted) and found.counts is not None
    assert (found.reference, found.candidate, found.task) == ("train", "inference", "detection")
    assert (found.counts.reference.matched, found.counts.candidate.matched, found.counts.lost) == (3, 2, (2,))
    assert found.counts.image == found.image
    assert found.limit == BUILT_IN["accuracy.max_drop"]


def test_one_without_a_label_is_noted_as_that(folder: Path) -> None:
    np.save(folder / "images" / "other.npy", PAGE)
    for image in (folder / "images" / "other.npy", PAGE):
        found = counted(folder, Toy().trace(image), Toy(name="inference").trace(image))
        assert isinstance(found, Counted) and (found.counts, found.why) == (None, "no_label")


def test_one_whose_label_is_left_out_is_noted_as_that(folder: Path) -> None:
    (folder / "Label.txt").write_text(label("images/00.npy", ()) + label("images/01.npy", PLACES))
    for index, why in enumerate(("left_out", "")):
        sides = [Toy(name=name).trace(folder / "images" / f"0{index}.npy") for name in ("train", "inference")]
        given = settings(folder, 'labels = { files = "Label.txt", blank = "unlabelled" }')
        found = book().count(given, judged(*sides), (sides[0], sides[1]), BUILT_IN)
        assert isinstance(found, Counted) and found.why == why
        assert found.label == str(folder / "images" / f"0{index}.npy")


def test_a_side_that_returned_nothing_and_boxes_of_no_image_are_not_counted(folder: Path) -> None:
    image = folder / "images" / "01.npy"
    one, two = Toy().trace(image), Toy(name="inference").trace(image)
    assert counted(folder, one, two) is not None
    for sides in ((one, replace(two, detections=None)), (replace(one, detections=None), two)):
        found = counted(folder, *sides)
        assert isinstance(found, Counted) and (found.counts, found.why) == (None, "no_result")
    assert counted(folder, one, two, status=RECORDED) is None
    assert isinstance(counted(folder, one, two, reference="reference", candidate="candidate"), Counted)
    plain = [Trace(pipeline=name, image="detections", detections=one.detections) for name in ("reference", "candidate")]
    assert counted(folder, *plain) is None
    assert book().count(settings(folder, ""), judged(one, two), (one, two), BUILT_IN) is None


def test_labels_that_cannot_be_used_count_nothing(folder: Path) -> None:
    image = folder / "images" / "01.npy"
    (folder / "Label.txt").write_text("no label\n")
    found = counted(folder, Toy().trace(image), Toy(name="inference").trace(image))
    assert isinstance(found, LabelFault) and "Label.txt:1: no label holds no delimiter" in found.text


def test_labels_that_change_during_the_run_stop_no_assertion_and_are_a_problem_of_the_run(folder: Path) -> None:
    image, given = folder / "images" / "01.npy", settings(folder)
    sides = Toy().trace(image), Toy(name="inference").trace(image)
    for change in (False, True):
        mine = book()
        assert mine.problems(given) == []
        if change:
            (folder / "Label.txt").write_text(" " + (folder / "Label.txt").read_text())
        found = mine.count(given, judged(*sides), sides, BUILT_IN)
        assert isinstance(found, LabelFault if change else Counted)
        assert ["the file changed during the run" in each for each in mine.problems(given)] == [True] * change


def test_labels_of_another_task_are_none_of_a_line(folder: Path) -> None:
    image = folder / "images" / "00.npy"
    np.save(image, line("ab"))
    found = counted(folder, Reader().trace(image), Reader(name="inference").trace(image))
    assert isinstance(found, Counted) and (found.counts, found.why) == (None, "other_task")


def test_an_image_that_is_missing_is_named_where_labels_are_all_that_names_images(folder: Path) -> None:
    assert book().lacking(settings(folder)) == str(folder / "images" / "gone.npy")
    assert book().lacking(settings(folder, 'images = ["*.npy"]\nlabels = "Label.txt"')) == ""
    (folder / "Label.txt").write_text(write_pages(folder, [1]))
    assert book().lacking(settings(folder)) == ""
