"""The report's folder: what of it is the user's stays, and a fault in it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_ocrparity import ReportError
from pytest_ocrparity.report import remove_old_report


def test_preparing_leaves_other_files(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    remove_old_report(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_folder_that_stops_being_writable_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **how: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(ReportError, match="cannot write a report there: Permission denied"):
        remove_old_report(tmp_path)
