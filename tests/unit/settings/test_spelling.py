"""A letter with an accent is one character or two, as the system has it that wrote the name."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Literal

import pytest

from pytest_ocrparity.settings import load_settings

Form = Literal["NFC", "NFD"]
FORMS: tuple[Form, ...] = ("NFC", "NFD")


@pytest.mark.parametrize("on_disk", FORMS)
@pytest.mark.parametrize("in_settings", FORMS)
@pytest.mark.parametrize("pattern", ["été/fête.png", "été/*.png", "été"])
def test_a_glob_finds_either_spelling(tmp_path: Path, on_disk: Form, in_settings: Form, pattern: str) -> None:
    image = tmp_path / unicodedata.normalize(on_disk, "été/fête.png")
    image.parent.mkdir()
    image.touch()
    options = {"ocr_images": [unicodedata.normalize(in_settings, pattern)]}
    assert load_settings(None, options, tmp_path).image_paths() == [image]


def test_another_letter_is_another_name(tmp_path: Path) -> None:
    (tmp_path / "fete.png").touch()
    assert load_settings(None, {"ocr_images": ["fête.png"]}, tmp_path).image_paths() == []
