"""Annotations for GitHub Actions: no more than it shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from annotations import parsed
from records import view_of

from pytest_ocrparity.diagnosis import Fix
from pytest_ocrparity.report.github import append_github_summary, github_error_commands


def test_no_more_annotations_than_github_shows() -> None:
    assert len(github_error_commands(view_of(10), Path())) == 10
    many = github_error_commands(view_of(25), Path())
    assert len(many) == 10
    assert parsed(many[-1])[1] == "and 16 more: see the report"


def test_the_jobs_summary_takes_half_a_surrogate_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    append_github_summary(view_of(1, summary="a\udcff.png"))
    assert "\\udcff.png" in (tmp_path / "summary.md").read_text()


def test_a_cause_of_one_image_counts_no_others() -> None:
    ((_, message),) = map(parsed, github_error_commands(view_of(1, fix=Fix("turn it")), Path()))
    assert message == "images/0.png: tensor: x\nfix: turn it"


@pytest.mark.parametrize("folder", [".", "sub", "linked"])
def test_an_annotation_is_at_the_file_in_the_repository(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "repository" / "sub").mkdir(parents=True)
    (tmp_path / "linked").symlink_to(tmp_path / "repository" / "sub")
    workspace = tmp_path / "repository"
    monkeypatch.chdir(workspace)  # and not in pytest's rootdir, as by `pytest sub`
    monkeypatch.setenv("GITHUB_WORKSPACE", str(workspace))
    rootdir = (tmp_path if folder == "linked" else workspace) / folder
    ((properties, _),) = map(parsed, github_error_commands(view_of(1), rootdir))
    assert properties["file"] == ("t.py" if folder == "." else "sub/t.py")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path / "elsewhere"))
    ((properties, _),) = map(parsed, github_error_commands(view_of(1), rootdir))
    assert properties["file"] == "t.py"
