"""How messages call an image."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_ocrparity.trace import Trace


def test_labels_are_relative_below_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Trace(pipeline="x", image=str(tmp_path / "images" / "a.png")).label == "images/a.png"
    assert Trace(pipeline="x", image="/elsewhere/a.png").label == "/elsewhere/a.png"
