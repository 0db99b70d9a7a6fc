"""Label files: what is used, what is left out and counted, and what is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_ocrparity.errors import LabelError
from pytest_ocrparity.evaluate.labels import LabelCensus, Labels, read_labels

SQUARE = [[0, 0], [9, 0], [9, 9], [0, 9]]
BOX = {"transcription": "text", "points": SQUARE}
ONE_BOX = json.dumps([BOX])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of four image files, of which nothing is read."""
    for name in ("a", "b", "c", "d"):
        (tmp_path / f"{name}.png").touch()
    return tmp_path


@pytest.fixture
def read(folder: Path) -> Callable[..., Labels]:
    """Write lines to a label file, and read it."""

    def reading(*lines: str, **choices: Any) -> Labels:
        (folder / "Label.txt").write_text("".join(f"{line}\n" for line in lines), "utf-8")
        return read_labels(folder / "Label.txt", **choices)

    return reading


def test_labels_are_read_in_order(read: Callable[..., Labels], folder: Path) -> None:
    labels = read(f"b.png\t{ONE_BOX}", f"a.png\t{json.dumps([BOX, BOX | {'transcription': '*'}])}")
    assert labels.images == (str(folder / "b.png"), str(folder / "a.png"))
    assert [label.image for label in labels] == list(labels.images)
    assert [len(label.polygons) for label in labels] == [1, 2]
    assert len(labels) == 2 and labels.task == "detection"
    assert (labels.census.images, labels.census.boxes, labels.census.ignored) == (2, 3, 1)
    assert labels.census.left_out == {}


def test_a_label_is_found_however_the_path_is_written(
    read: Callable[..., Labels], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = read(f"./a.png\t{ONE_BOX}", f"b.png\t{ONE_BOX}")
    (folder / "link").symlink_to(folder)
    monkeypatch.chdir(folder)
    for path in ("a.png", "link/a.png", folder / "link" / ".." / folder.name / "a.png"):
        found = labels.of(path)
        assert found is not None and found.image == f"{folder}/./a.png"
    assert labels.of("c.png") is None and labels.of("a\0/b") is None


def test_lines_of_a_recogniser(read: Callable[..., Labels]) -> None:
    labels = read("a.png\ttwo words", "b.png\t文", task="recognition")
    assert [label.text for label in labels] == ["two words", "文"]
    assert labels.census.boxes == 0


def test_several_files_and_a_data_dir(folder: Path) -> None:
    lists = folder / "lists"
    lists.mkdir()
    (lists / "one.txt").write_text(f"a.png\t{ONE_BOX}\n")
    (lists / "two.txt").write_text(f"b.png {ONE_BOX}\n")
    with pytest.raises(LabelError, match=r"two\.txt:1: .*no delimiter"):
        read_labels([lists / "one.txt", lists / "two.txt"], data_dir=folder)
    (lists / "two.txt").write_text(f"b.png\t{ONE_BOX}\n")
    labels = read_labels([lists / "one.txt", lists / "two.txt"], data_dir=folder)
    assert [Path(image).name for image in labels.images] == ["a.png", "b.png"]
    assert labels.of(folder / "b.png") is not None


def test_another_delimiter(read: Callable[..., Labels]) -> None:
    assert read("a.png|text", task="recognition", delimiter="|").census.images == 1


@pytest.mark.parametrize(("blank", "images", "left_out"), [("empty", 2, {}), ("unlabelled", 1, {"unlabelled": 1})])
@pytest.mark.parametrize(
    ("task", "full", "empty"), [("detection", ONE_BOX, "[]"), ("recognition", "text", "")], ids=["page", "line"]
)
def test_blank_pages_are_what_the_user_says(
    read: Callable[..., Labels], blank: str, images: int, left_out: dict[str, int], task: str, full: str, empty: str
) -> None:
    labels = read(f"a.png\t{full}", f"b.png\t{empty}", task=task, blank=blank)
    assert labels.census.images == images and labels.census.left_out == left_out
    assert labels.census.blank == images - 1


def test_a_blank_page_is_refused_where_the_user_does_not_say(read: Callable[..., Labels]) -> None:
    with pytest.raises(LabelError, match=r"Label\.txt:2: b\.png has no boxes.*blank = 'empty'.*blank = 'unlabelled'"):
        read(f"a.png\t{ONE_BOX}", "b.png\t[]")
    assert read(f"a.png\t{ONE_BOX}").census.blank == 0


def test_a_page_of_dont_care_is_labelled(read: Callable[..., Labels]) -> None:
    labels = read(f"a.png\t{json.dumps([BOX | {'transcription': '###'}])}")
    assert (labels.census.images, labels.census.blank, labels.census.ignored) == (1, 0, 1)


def test_missing_images_are_counted_and_never_replaced(read: Callable[..., Labels], folder: Path) -> None:
    labels = read(f"a.png\t{ONE_BOX}", f"gone.png\t{ONE_BOX}", f"b.png\t{ONE_BOX}")
    assert [Path(image).name for image in labels.images] == ["a.png", "b.png"]
    assert labels.missing == (str(folder / "gone.png"),)
    assert labels.census.left_out == {"missing": 1}
    assert dict(labels.census.first)["missing"] == f"{folder / 'Label.txt'}:2"
    assert labels.of(folder / "gone.png") is None


def test_where_no_image_is_there_the_folder_is_asked_for(folder: Path) -> None:
    path = folder / "Label.txt"  # as PPOCRLabel writes it: paths begin with the name of the folder
    path.write_text(f"{folder.name}/a.png\t{ONE_BOX}\n")
    with pytest.raises(LabelError, match=f"1 missing.*is not there: set data_dir.*of {folder.parent} it is there"):
        read_labels(path)
    assert read_labels(path, data_dir=folder.parent).census.images == 1
    path.write_text(f"nowhere/a.png\t{ONE_BOX}\n")
    with pytest.raises(LabelError, match=r"start from$"):
        read_labels(path)


@pytest.mark.parametrize(
    ("written", "there", "hint"), [("x\\e.png", "x/e.png", "with / for"), ("\u00e9", "e\u0301", "NFD")]
)
def test_an_image_whose_path_is_spelled_otherwise_is_named(
    read: Callable[..., Labels], folder: Path, written: str, there: str, hint: str
) -> None:
    with pytest.raises(LabelError, match=r"start from$"):
        read(f"{written}\t{ONE_BOX}")
    (folder / "x").mkdir()
    (folder / there).touch()
    with pytest.raises(LabelError, match=f"{hint}.* it is there$"):
        read(f"{written}\t{ONE_BOX}")


def test_a_repeated_line_is_used_once(read: Callable[..., Labels]) -> None:
    labels = read(f"a.png\t{ONE_BOX}", f"b.png\t{ONE_BOX}", f"./a.png\t{ONE_BOX}")
    assert (labels.census.images, labels.census.repeated) == (2, 1)
    labels = read(f'["a.png", "a.png", "b.png"]\t{ONE_BOX}')
    assert (labels.census.images, labels.census.boxes, labels.census.repeated) == (2, 2, 1)


def test_two_labels_of_one_image_are_refused(read: Callable[..., Labels]) -> None:
    with pytest.raises(LabelError, match=r"Label\.txt:3: a\.png has another label than in .*Label\.txt:1"):
        read("a.png\tone", "b.png\tone", "a.png\ttwo", task="recognition")


def test_broken_lines_are_refused_with_file_and_line(read: Callable[..., Labels]) -> None:
    with pytest.raises(LabelError, match=r"Label\.txt:2: box 0: points are"):
        read(f"a.png\t{ONE_BOX}", f"b.png\t{json.dumps([BOX | {'points': SQUARE[:2]}])}")


def test_empty_lines_are_counted(read: Callable[..., Labels]) -> None:
    census = read("", f"a.png\t{ONE_BOX}", "  ").census
    assert (census.images, census.empty_lines) == (1, 2)


def test_boxes_that_cross_themselves_are_counted(read: Callable[..., Labels]) -> None:
    crossed = BOX | {"points": [SQUARE[0], SQUARE[2], SQUARE[1], SQUARE[3]]}
    census = read(f"a.png\t{json.dumps([BOX, crossed])}").census
    assert (census.boxes, census.invalid) == (2, 1)


def test_unconfirmed_pages_are_left_out(read: Callable[..., Labels], folder: Path) -> None:
    (folder / "fileState.txt").write_text(f"C:\\labels\\{folder.name}\\a.png\t1\n/x/{folder.name}/c.png\t1\n")
    lines = [f"{folder.name}/{name}.png\t{ONE_BOX}" for name in "abc"]
    labels = read(*lines, data_dir=folder.parent)
    assert [Path(image).name for image in labels.images] == ["a.png", "c.png"]
    assert labels.census.left_out == {"unconfirmed": 1}
    (folder / "fileState.txt").unlink()
    assert read(*lines, data_dir=folder.parent).census.left_out == {}


def test_confirmed_pages_are_no_lines_of_a_recogniser(read: Callable[..., Labels], folder: Path) -> None:
    (folder / "fileState.txt").write_text(f"/x/{folder.name}/page.png\t1\n")
    assert read("a.png\ttext", task="recognition").census.left_out == {}
    with pytest.raises(LabelError, match="1 unconfirmed"):
        read(f"a.png\t{ONE_BOX}")


def test_where_no_page_is_confirmed_the_list_is_named(read: Callable[..., Labels], folder: Path) -> None:
    (folder / "fileState.txt").touch()
    with pytest.raises(LabelError, match=r"1 unconfirmed: confirm pages in PPOCRLabel, or move its fileState\.txt"):
        read(f"a.png\t{ONE_BOX}")


def test_images_of_one_line_share_label_and_group(read: Callable[..., Labels]) -> None:
    labels = read('["a.png", "b.png"]\ttext', "c.png\ttext", task="recognition")
    one, two, other = labels
    assert (one.text, two.text) == ("text", "text") and one.group == two.group != other.group


def test_groups_are_found_by_an_expression_or_a_function(read: Callable[..., Labels]) -> None:
    lines = [f"{name}.png\t{ONE_BOX}" for name in "abc"]
    assert [label.group for label in read(*lines, group=r"(.)\.png")] == ["a", "b", "c"]
    assert [label.group for label in read(*lines, group=lambda path: "xyx"[ord(path[0]) - 97])] == ["x", "y", "x"]
    assert [label.group for label in read(*lines, group=re.compile(r"(.)\.png"))] == ["a", "b", "c"]
    assert len({label.group for label in read(*lines)}) == 3


@pytest.mark.parametrize(
    ("group", "message"),
    [
        ("(", "no regular expression"),
        ("a", "has 0 groups"),
        ("(a)(b)", "2 groups"),
        ("(a)", "finds no document in b"),
        ("(x*)", "finds no document in a"),
        (lambda path: None, "finds no document in a"),
        (5, "no regular expression"),
    ],
)
def test_a_group_that_finds_no_document_is_refused(read: Callable[..., Labels], group: Any, message: str) -> None:
    with pytest.raises(LabelError, match=message):
        read(f"a.png\t{ONE_BOX}", f"b.png\t{ONE_BOX}", group=group)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"blank": "Empty"}, "did you mean 'empty'"),
        ({"task": "detect"}, "did you mean 'detection'"),
        ({"delimiter": ""}, "cannot stand between"),
        ({"delimiter": "\n"}, "cannot stand between"),
        ({"delimiter": 5}, "cannot stand between"),
        ({"task": None}, "task = None means nothing"),
    ],
)
def test_choices_that_mean_nothing_are_refused(
    read: Callable[..., Labels], choice: dict[str, Any], message: str
) -> None:
    with pytest.raises(LabelError, match=message):
        read(f"a.png\t{ONE_BOX}", **choice)


def test_files_that_hold_no_labels_are_refused(read: Callable[..., Labels], folder: Path) -> None:
    with pytest.raises(LabelError, match=r"Label\.txt: no line names an image"):
        read("")
    with pytest.raises(LabelError, match="label some, or set blank"):
        read("a.png\t[]", blank="unlabelled")
    with pytest.raises(LabelError, match=r"none\.txt: cannot read this label file: No such file"):
        read_labels(folder / "none.txt")
    with pytest.raises(LabelError, match="is a git-lfs pointer"):
        read("version https://git-lfs.github.com/spec/v1")
    with pytest.raises(LabelError, match="no label file is named"):
        read_labels([])
    with pytest.raises(LabelError, match="no label file is named"):
        read_labels(None)  # type: ignore[arg-type]
    with pytest.raises(LabelError, match="cannot read this label file: Is a directory"):
        read_labels("")


def test_a_file_that_changes_during_the_run_is_refused(read: Callable[..., Labels], folder: Path) -> None:
    labels = read(f"a.png\t{ONE_BOX}")
    assert labels.of(folder / "a.png") is not None
    for line in (f"b.png\t{ONE_BOX}\n", f"a.png\t{ONE_BOX.replace('9', '8')}\n"):
        (folder / "Label.txt").write_text(line)
        with pytest.raises(LabelError, match=r"Label\.txt:1 is another line than before: the file changed"):
            labels.of(folder / "a.png")
    (folder / "Label.txt").unlink()
    with pytest.raises(LabelError, match="cannot read the label of"):
        list(labels)


def test_a_census_without_images() -> None:
    assert LabelCensus().left_out == {} and LabelCensus(missing=2, unlabelled=1).left_out == {
        "unlabelled": 1,
        "missing": 2,
    }


def test_a_line_that_begins_with_many_brackets_names_an_image_that_is_not_there(read: Callable[..., Labels]) -> None:
    labels = read(f"a.png\t{ONE_BOX}", f"{'[' * 100_000}\t{ONE_BOX}", f'["b.png", "c.png"]\t{ONE_BOX}')
    assert (labels.census.images, labels.census.missing) == (3, 1)


def test_a_path_that_no_file_can_have_is_refused(read: Callable[..., Labels], folder: Path) -> None:
    read(f"a.png\t{ONE_BOX}")
    for path in ("Label\0.txt", "Label\ud800.txt"):
        with pytest.raises(LabelError, match="cannot be the path of a label file: correct it"):
            read_labels([folder / "Label.txt", folder / path])
    assert len(read_labels([folder / "Label.txt", folder / "." / "Label.txt"])) == 1
