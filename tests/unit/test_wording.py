"""How messages call an image."""

from __future__ import annotations

import ntpath
import os
from pathlib import Path
from typing import Any

import pytest

from pytest_ocrparity.trace import Trace
from pytest_ocrparity.wording import (
    character_text,
    counted,
    listed,
    number_of_edits,
    path_from,
    percent_text,
    points_text,
)


def test_labels_are_relative_below_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Trace(pipeline="x", image=str(tmp_path / "images" / "a.png")).label == "images/a.png"
    assert Trace(pipeline="x", image="/elsewhere/a.png").label == "/elsewhere/a.png"


RELPATH = os.path.relpath


def on_drives(path: Any, start: Any = os.curdir) -> str:
    """Stand in for Windows' `os.path.relpath`: what has `drive_d` in it is on another drive than what has not."""
    names = [os.path.abspath(each) for each in (path, start)]  # noqa: PTH100
    if len({"drive_d" in name for name in names}) == 2:
        raise ValueError(f"path is on mount {names[0]!r}, start on mount {names[1]!r}")
    return str(RELPATH(path, start))


def test_a_path_between_two_drives_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    far, here = tmp_path / "drive_d" / "a.png", tmp_path / "here"
    assert path_from(here, far) == "../drive_d/a.png"
    monkeypatch.setattr(os.path, "relpath", on_drives)
    assert path_from(here, far) == far.as_posix()
    assert path_from(here, here / "b" / "c.png") == "b/c.png"
    assert path_from(tmp_path / "drive_d", far) == "a.png"


def test_windows_own_function_raises_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="mount"):
        ntpath.relpath(r"D:\images\a.png", r"C:\project")
    monkeypatch.setattr(os.path, "relpath", ntpath.relpath)
    assert path_from(r"C:\project", r"D:\images\a.png").endswith(r"D:\images\a.png")


@pytest.mark.parametrize(
    ("edits", "characters", "text"),
    [(1, 10, "1 edit in 10 characters"), (3, 1, "3 edits in 1 character"), (2, 0, "2 edits in 0 characters")],
)
def test_numbers_of_edits(edits: int, characters: int, text: str) -> None:
    assert number_of_edits(edits, characters) == text


def test_a_noun_has_its_plural_unless_there_is_one() -> None:
    assert [counted(count, "line") for count in (0, 1, 2)] == ["0 lines", "1 line", "2 lines"]


def test_of_more_names_than_are_shown_the_rest_is_counted() -> None:
    assert listed(["a", "b"], 2) == "a, b"
    assert listed(["a", "b", "c", "d"], 2) == "a, b and 2 more"
    assert listed([], 2) == ""


def test_a_character_with_its_code_point() -> None:
    assert character_text("o") == "'o' (U+006F)"
    assert character_text("") == character_text(None) == "nothing"
    assert character_text("\udc80\x00") == r"'\udc80\x00' (U+DC80 U+0000)"


@pytest.mark.parametrize(("share", "text"), [(0.0, "0.00"), (-1e-9, "0.00"), (0.012345, "+1.23"), (-0.5, "-50.00")])
def test_points_have_a_sign_but_for_none(share: float, text: str) -> None:
    assert points_text(share) == text
    assert percent_text(0.925) == "92.50 %"
