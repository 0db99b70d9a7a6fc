"""The table `labels`: a path, a list or a table of its own, and what is refused of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_ocrparity.errors import SettingsError
from pytest_ocrparity.settings import Settings, load_settings
from pytest_ocrparity.settings.label_settings import LabelSettings


def loaded(folder: Path, text: str) -> Settings:
    path = folder / "ocrparity.toml"
    path.write_text(text)
    return load_settings(path, {}, folder)


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(SettingsError) as error:
        loaded(folder, text)
    return str(error.value)


def test_without_the_table_there_are_no_labels(tmp_path: Path) -> None:
    assert loaded(tmp_path, 'images = ["*.png"]').labels is None


@pytest.mark.parametrize("text", ['labels = "Label.txt"', 'labels = ["Label.txt"]', 'labels = { files = "Label.txt" }'])
def test_a_path_a_list_and_a_table_say_the_same(tmp_path: Path, text: str) -> None:
    assert loaded(tmp_path, text).labels == LabelSettings((tmp_path / "Label.txt",), None, "\t", None, None)


def test_all_that_the_table_may_say(tmp_path: Path) -> None:
    text = """
[labels]
files = ["a/../one.txt", "/two.txt"]
data_dir = "data"
delimiter = " "
blank = "empty"
group = "([^/]+)/"
"""
    files = tmp_path / "one.txt", Path("/two.txt")
    assert loaded(tmp_path, text).labels == LabelSettings(files, tmp_path / "data", " ", "empty", "([^/]+)/")


def test_recognisers_have_their_own(tmp_path: Path) -> None:
    settings = loaded(tmp_path, 'labels = "Label.txt"\n[recognition]\nlabels = ["rec_gt.txt"]')
    assert settings.labels is not None and settings.labels.files == (tmp_path / "Label.txt",)
    recognition = settings.recognition
    assert recognition is not None and recognition.labels is not None
    assert recognition.labels.files == (tmp_path / "rec_gt.txt",)
    only = loaded(tmp_path, '[recognition]\nimages = ["*.png"]')
    assert only.recognition is not None and only.recognition.labels is None


def test_the_labels_name_the_images_where_no_globs_do(tmp_path: Path) -> None:
    from dataclasses import replace

    settings = replace(loaded(tmp_path, 'labels = "Label.txt"'), images_of_labels=lambda settings: [Path("a.png")])
    assert settings.image_paths() == [Path("a.png")]
    (tmp_path / "b.png").touch()
    assert replace(settings, images=((tmp_path, "*.png"),)).image_paths() == [tmp_path / "b.png"]
    assert replace(settings, images_of_labels=lambda settings: []).no_image() == (
        "no images: Label.txt labels none that is there, and no images are set"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("labels = 5", "labels is a path, a list of paths or a table, not 5"),
        ('labels = ["a", 5]', "labels is a path, a list of paths or a table, not ['a', 5]"),
        ('labels = ""', "labels is a path, a list of paths or a table, not ''"),
        ("[recognition]\nlabels = 5", "recognition.labels is a path, a list of paths or a table, not 5"),
        ('labels = { file = "a" }', "labels.file is no setting; did you mean 'files'?"),
        ('recognition.labels = { file = "a" }', "recognition.labels.file is no setting; did you mean 'files'?"),
        ("labels = []", 'labels.files names no label file: set it, as "Label.txt"'),
        ("[labels]", 'labels.files names no label file: set it, as "Label.txt"'),
        ('labels = { delimiter = "," }', 'labels.files names no label file: set it, as "Label.txt"'),
        ('labels = { files = "a", blank = "no" }', "labels.blank is one of unlabelled, empty, not 'no'"),
        (
            'labels = { files = "a", group = "(" }',
            "labels.group = '(' is no regular expression: missing ), unterminated",
        ),
        ('labels = { files = "a", group = "a" }', "labels.group = 'a' has 0 groups, not one: put the part"),
        ('labels = { files = "a", group = "(a)(b)" }', "labels.group = '(a)(b)' has 2 groups, not one"),
        ('labels = { files = "a", delimiter = "\\n" }', "labels.delimiter has a line break, and a label is a line"),
        ('labels = { files = "a", data_dir = 3 }', "labels.data_dir is a path, not 3"),
    ],
)
def test_what_means_nothing_is_refused_by_its_name(tmp_path: Path, text: str, message: str) -> None:
    assert f"{tmp_path / 'ocrparity.toml'}: {message}" in refusal(tmp_path, text)


def test_all_that_is_wrong_is_said_in_one_error(tmp_path: Path) -> None:
    text = 'allow_empty = 1\n[labels]\nfile = "a"\nblank = 1\n[tolerance]\naccuracy = { max_drop = 2 }\n'
    said = refusal(tmp_path, text).splitlines()
    assert [re.sub(".*ocrparity.toml: ", "", line) for line in said] == [
        "allow_empty is true or false, not 1",
        "labels.file is no setting; did you mean 'files'?",
        "labels.blank is a text, not 1",
        'accuracy.max_drop is at most 0.5, not 2; "off" reports the amount and judges nothing by it',
    ]


def test_a_drop_is_a_limit_like_the_others(tmp_path: Path) -> None:
    settings = loaded(tmp_path, "tolerance = { accuracy = { max_drop = 0.02 } }")
    assert settings.tolerance["accuracy.max_drop"].value == 0.02
    assert load_settings(None, {"ocr_tolerance": ["accuracy.max_drop=off"]}, tmp_path).tolerance[
        "accuracy.max_drop"
    ].value == ("off")
