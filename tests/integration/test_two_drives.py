"""A project on one drive of Windows whose images, baselines and report lie on another: no path leads between them."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from projects import run, wrong_export

RELPATH, COMMONPATH = os.path.relpath, os.path.commonpath


def _drives(*paths: Any) -> set[bool]:
    return {"drive_d" in Path(os.path.abspath(path)).parts for path in paths}  # noqa: PTH100


def relpath(path: Any, start: Any = os.curdir) -> str:
    """Refuse paths of two drives, as Windows' own function does."""
    if len(_drives(path, start)) == 2:
        raise ValueError(f"path is on mount {path!r}, start on mount {start!r}")
    return str(RELPATH(path, start))


def commonpath(paths: Sequence[Any]) -> str:
    """Refuse paths of two drives, as Windows' own function does."""
    if len(_drives(*paths)) == 2:
        raise ValueError("Paths don't have the same drive")
    return str(COMMONPATH(paths))


@pytest.fixture
def two_drives(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """The project, with all but tests and settings on the drive D."""
    far = project.mkdir("drive_d")
    (project.path / "images").rename(far / "images")
    project.makepyprojecttoml(
        f'[tool.ocrparity]\nimages = "{far}/images/*.npy"\ngolden.dir = "{far}/goldens"\nreport.dir = "{far}/report"\n'
    )
    for function in (relpath, commonpath):
        monkeypatch.setattr(os.path, function.__name__, function)
    return project


def test_it_records_compares_and_reports(two_drives: pytest.Pytester) -> None:
    far = two_drives.path / "drive_d"
    run(two_drives, "--ocr-golden").assert_outcomes(passed=4)
    assert len(list((far / "goldens").rglob("*.npz"))) == 2
    result = run(two_drives, "-v")
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines([f"report: {far}/report/index.html"])
    images = {each["image"] for each in json.loads((far / "report" / "results.json").read_text())["comparisons"]}
    assert len(images) == 2


def test_a_difference_is_told_with_whole_paths(two_drives: pytest.Pytester) -> None:
    wrong_export(two_drives, pad=4)
    result = run(two_drives, "-k", "training")
    result.assert_outcomes(failed=2, deselected=2)
    result.stdout.no_fnmatch_line("*ValueError*")
    result.stdout.fnmatch_lines([f"{two_drives.path}/drive_d/report/pictures/*"])


def test_paths_of_two_drives_have_no_settings_in_common(two_drives: pytest.Pytester) -> None:
    other = two_drives.path / "drive_d" / "test_other.py"
    other.write_text("def test_other(): pass\n")
    result = run(two_drives, "test_export.py", str(other), "-k", "other")
    assert "Traceback" not in result.stderr.str() + result.stdout.str()
    result.assert_outcomes(passed=1, deselected=2)
