"""Sequences of what two sides found, beside labels."""

from __future__ import annotations

import json
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_ocrparity.errors import LabelError, StageError
from pytest_ocrparity.evaluate.label_line import Label
from pytest_ocrparity.evaluate.labels import read_labels
from pytest_ocrparity.evaluate.sequences import SequenceCounts, count_sequences
from pytest_ocrparity.trace import Detections, Recognition, Trace

BOX = np.array([[0.0, 0.0], [40.0, 0.0], [40.0, 10.0], [0.0, 10.0]])
ONE, NONE = Detections((BOX,)), Detections(())
LABEL = Label(polygons=(BOX,))


def count(reference: Any, candidate: Any, labels: Any) -> SequenceCounts:
    return count_sequences(zip_longest(reference, candidate), labels)


def trace(image: str | Path, **found: Any) -> Trace:
    return Trace(pipeline="side", image=str(image), **found)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A label file of two pages with a box each."""
    text = json.dumps([{"transcription": "a", "points": BOX.tolist()}])
    for name in "ab":
        (tmp_path / f"{name}.png").touch()
    path = tmp_path / "Label.txt"
    path.write_text(f"a.png\t{text}\nb.png\t{text}\n")
    return path


def test_traces_are_found_by_their_path(file: Path) -> None:
    b, a, c = (file.with_name(f"{name}.png") for name in "bac")
    counted = count(
        [trace(b, detections=ONE), trace(a, detections=ONE), trace(c, detections=ONE)],
        [trace(b, detections=NONE), trace(a, detections=ONE), trace(c, detections=ONE)],
        file,
    )
    assert [(Path(image.image).name, image.candidate.matched) for image in counted.images] == [
        ("b.png", 0),
        ("a.png", 1),
    ]
    assert (counted.task, counted.unlabelled, counted.untraced) == ("detection", [str(c)], 0)
    one = [trace(a, detections=ONE)]
    assert count(one, one, read_labels(file)).untraced == 1


def test_what_names_no_image_goes_by_its_order(file: Path) -> None:
    counted = count([ONE, ONE], [ONE, NONE], file)
    assert [(Path(image.image).name, image.lost) for image in counted.images] == [("a.png", ()), ("b.png", (0,))]
    counted = count([ONE], [NONE], [LABEL])
    assert counted.images[0].image == "image 0" and counted.untraced == 0
    counted = count([trace("x", detections=ONE)], [NONE], [LABEL])
    assert counted.images[0].image == "x"


def test_lines_are_of_a_recogniser(tmp_path: Path) -> None:
    counted = count([Recognition("a")], [Recognition("b")], [Label(text="a")])
    assert counted.task == "recognition" and counted.images[0].candidate.matched == 0
    (tmp_path / "a.png").touch()
    (tmp_path / "rec_gt.txt").write_text("a.png\ta b\n")
    lines = [trace(tmp_path / "a.png", recognition=Recognition("a b"))]
    assert count(lines, lines, tmp_path / "rec_gt.txt").images[0].reference.matched == 1


@pytest.mark.parametrize(
    ("reference", "candidate", "labels", "message"),
    [
        ([ONE, ONE], [ONE], [LABEL] * 2, "the candidate has nothing for image 2"),
        ([ONE], [ONE, ONE], [LABEL] * 2, "the reference has nothing for image 2"),
        ([ONE, ONE], [ONE, ONE], [LABEL], "more images than labels, which are 1"),
        ([ONE], [ONE], [LABEL] * 2, "more labels than images, which are 1"),
        ([trace("a", detections=ONE)], [trace("b", detections=ONE)], [LABEL], "two images at one place: a and b"),
        ([trace("a", detections=ONE)] * 2, [ONE] * 2, [LABEL] * 2, "a is given twice"),
        ([trace("a", detections=ONE), trace("./a", detections=ONE)], [ONE] * 2, [LABEL] * 2, r"\./a is given twice"),
        ([ONE] * 2, [ONE] * 2, [Label(image="a", polygons=(BOX,))] * 2, "a is given twice"),
        ([trace("a", error=StageError("tensor", "no memory"))], [ONE], [LABEL], "a by side holds no result: no memory"),
    ],
)
def test_sequences_that_do_not_belong_together_are_refused(
    reference: Any, candidate: Any, labels: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        count(reference, candidate, labels)


def test_labels_of_a_file_are_of_the_images_of_their_traces(file: Path) -> None:
    labels = list(read_labels(file))
    traces = [trace(label.image, detections=ONE) for label in labels]
    assert len(count(traces, traces, labels).images) == 2
    with pytest.raises(ValueError, match=r"label 1 is of .*b\.png, and its traces are of .*a\.png: sort both alike"):
        count(traces, traces, labels[::-1])
    assert len(count(traces, traces, [LABEL, LABEL]).images) == 2  # by hand, of which none says where it stands


def test_traces_and_others_do_not_mix_beside_a_file(file: Path) -> None:
    a = trace(file.with_name("a.png"), detections=ONE)
    with pytest.raises(ValueError, match="image 2 has no trace, unlike those before it"):
        count([a, ONE], [a, ONE], file)
    with pytest.raises(ValueError, match="image 2 has a trace, unlike those before it"):
        count([ONE, a], [ONE, a], file)
    assert len(count([a, trace(file.with_name("b.png"), detections=ONE)], [ONE, ONE], file).images) == 2


def test_an_image_counts_once_however_its_path_is_written(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    one, two, other = (trace(path, detections=ONE) for path in ("a.png", "./a.png", "b.png"))
    assert len(count([one], [two], file).images) == 1
    assert len(count([one, other], [one, other], file).images) == 2
    with pytest.raises(ValueError, match=r"\./a\.png is given twice"):
        count([one, two], [one, two], file)


def test_labels_of_other_images_are_refused(file: Path) -> None:
    other = trace(file.parent / "x" / "a.png", detections=ONE)
    with pytest.raises(ValueError, match=r"no image given has a label, such as .*x/a\.png; labels are .*a\.png"):
        count([other], [other], file)
    own = trace(file.with_name("a.png"), detections=ONE)
    assert count([other, own], [other, own], file).unlabelled == [other.image]


@pytest.mark.parametrize("labels", [None, 5, LABEL, ["Label.txt"], {"a.png": LABEL}])
def test_what_is_no_labels_is_refused(labels: Any) -> None:
    with pytest.raises(
        TypeError, match=r"labels: give a file, what read_labels\(\) returned, or a Label for each, not"
    ):
        count([ONE], [ONE], labels)
    assert len(count([ONE], [ONE], iter([LABEL])).images) == 1


def test_other_types_are_refused() -> None:
    with pytest.raises(TypeError, match="candidate: give a Trace, Detections or a Recognition for each image, not 'a'"):
        count([Recognition("a")], ["a"], [Label(text="a")])
    with pytest.raises(TypeError, match="a label needs a Recognition of each side, not Detections"):
        count([ONE], [ONE], [Label(text="a")])


def test_a_label_file_that_cannot_be_used_is_refused(file: Path) -> None:
    with pytest.raises(LabelError, match="cannot read"):
        count([ONE], [ONE], file.with_name("other.txt"))


def test_no_image_counts_nothing() -> None:
    assert count([], [], []) == ("detection", [], [], 0)
