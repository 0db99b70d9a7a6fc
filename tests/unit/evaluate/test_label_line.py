"""One line of a label file."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from pytest_ocrparity.errors import LabelError
from pytest_ocrparity.evaluate.label_line import Label, LineForm

PAGES, LINES = LineForm("detection", "\t"), LineForm("recognition", "\t")
POINTS = [[0, 0], [9, 0], [9, 5.5]]


def box(**changes: Any) -> dict[str, Any]:
    return {"transcription": "text", "points": POINTS, **changes}


def test_a_line_is_paths_and_label() -> None:
    assert LINES.split(b"a.png\ttwo words\n", "L:1") == (("a.png",), "two words")
    assert LINES.split(b"\xef\xbb\xbfa.png\t b \r\n", "L:1") == (("a.png",), " b ")
    assert LINES.split(b"a.png\t\n", "L:1") == (("a.png",), "")
    assert LineForm("recognition", ",").split(b"a.png,b\tc\n", "L:1") == (("a.png",), "b\tc")


def test_a_json_list_names_several_images() -> None:
    assert LINES.split(b'["a.png", "b.png"]\ttext\n', "L:1") == (("a.png", "b.png"), "text")
    assert LINES.split(b"[1].png\ttext\n", "L:1") == (("[1].png",), "text")
    assert LINES.split(b"[1]\ttext\n", "L:1") == (("[1]",), "text")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"a.png text\n", r"L:7: a\.png text holds no delimiter '\\t'"),
        (b"a.png\tone\ttwo\n", r"L:7: .*holds 2 times the delimiter.*PaddleOCR drops what follows"),
        (b"\ttext\n", "L:7: the line names no image"),
        (b"a\0.png\ttext\n", r"L:7: a\\x00\.png cannot be the path of an image"),
        (b'["\\ud800"]\ttext\n', r"L:7: \\ud800 cannot be the path of an image"),
        (b"a.png\t\xff\n", "L:7: byte 6 of this line is not UTF-8"),
    ],
)
def test_broken_lines_are_refused(line: bytes, message: str) -> None:
    with pytest.raises(LabelError, match=message):
        LINES.split(line, "L:7")


def test_boxes_are_read() -> None:
    label = PAGES.label(json.dumps([box(), box(transcription="###", difficult=True), box(transcription="*")]), "L:1")
    assert label.transcriptions == ("text", "###", "*")
    assert label.ignored == (False, True, True)
    assert label.polygons[0].tolist() == POINTS and label.polygons[0].dtype == np.float64
    assert label.text is None and not label.is_blank


def test_a_page_without_boxes_is_blank() -> None:
    assert PAGES.label("[]", "L:1").is_blank and LINES.label("", "L:1").is_blank
    assert not LINES.label(" ", "L:1").is_blank


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"L:7: nothing stands where a list of boxes belongs: write .* or \[\] for a page"),
        ("[{", r"L:7: \[\{ is not JSON"),
        ("[" * 100_000, "L:7: .* is not JSON"),
        ('{"transcription": "a"}', "not a list of boxes"),
        ("[1]", "L:7: box 0 is 1, not"),
        ("[{}]", "L:7: box 0 has no 'transcription'.*it is empty"),
        (json.dumps([box(), {"transcription": "a", "point": POINTS}]), "box 1 has no 'points'.*did you mean"),
        (json.dumps([box(transcription=12)]), "box 0: transcription is 12, not a text"),
        (json.dumps([box(points=POINTS[:2])]), "box 0: points are .* not three or more"),
        (json.dumps([box(points=[[0, 0], [1, 2], [3]])]), "not three or more"),
        (json.dumps([box(points=[[0, 0], [1, True], [3, 4]])]), "not three or more"),
        (json.dumps([box(points=[[0, 0], [1, float("nan")], [3, 4]])]), "not three or more"),
        (json.dumps([box(points=[[0, 0], [1, 10**400], [3, 4]])]), "not three or more"),
        (json.dumps([box(points="0,0")]), "not three or more"),
    ],
)
def test_broken_labels_are_refused(text: str, message: str) -> None:
    with pytest.raises(LabelError, match=message):
        PAGES.label(text, "L:7")


def test_a_text_is_taken_as_it_stands() -> None:
    assert LINES.label('[{"not": "boxes"}]', "L:1").text == '[{"not": "boxes"}]'


def test_labels_made_by_hand() -> None:
    assert Label(polygons=(np.array(POINTS),)).transcriptions == ("",)
    with pytest.raises(ValueError, match="1 polygons but 2 transcriptions"):
        Label(polygons=(np.array(POINTS),), transcriptions=("a", "b"))
    with pytest.raises(ValueError, match=r"polygon 0 of a label has shape \(4,\)"):
        Label(polygons=(np.zeros(4),))
