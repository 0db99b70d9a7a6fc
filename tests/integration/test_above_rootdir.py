"""A pyproject.toml above rootdir may be anybody's: what can't be read there does not stop a run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

NO_XDIST = ("-p", "no:xdist")
WARNING = "WARNING: *pyproject.toml: not valid TOML: *; it lies outside of *package and was passed over"


@pytest.fixture
def package(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Move the project into a folder that is rootdir, below a broken pyproject.toml."""
    folder = project.mkdir("package")
    for name in ("conftest.py", "test_export.py", "images"):
        shutil.move(project.path / name, folder / name)
    shutil.move(project.path / "pyproject.toml", folder / "ocrparity.toml")
    (folder / "ocrparity.toml").write_text('images = ["images/*.npy"]\n')
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_foreign.py").write_text("def test_foreign(): pass\n")
    (project.path / "pyproject.toml").write_text("[tool.ocrparity\n")
    monkeypatch.chdir(folder)
    return folder


def test_the_projects_own_settings_are_found_below_it(project: pytest.Pytester, package: Path) -> None:
    result = project.runpytest(*NO_XDIST, "-k", "training")
    result.assert_outcomes(passed=2, deselected=3)
    result.stdout.no_fnmatch_line("*WARNING*")


def test_a_run_that_uses_us_is_warned_once(project: pytest.Pytester, package: Path) -> None:
    (package / "ocrparity.toml").unlink()
    result = project.runpytest(*NO_XDIST, "-k", "training", "--ocr-images=images/*.npy")
    result.assert_outcomes(passed=2, deselected=3)
    result.stdout.fnmatch_lines([WARNING])
    assert result.stdout.str().count("passed over") == 1


def test_a_run_without_settings_says_where_they_may_be(project: pytest.Pytester, package: Path) -> None:
    (package / "ocrparity.toml").unlink()
    result = project.runpytest(*NO_XDIST, "-k", "training")
    result.assert_outcomes(errors=1, deselected=2)
    result.stdout.fnmatch_lines(
        ["*no ocrparity settings: *pyproject.toml: not valid TOML: *was passed over; *init` writes one; *"]
    )


def test_a_run_that_does_not_use_us_is_not(project: pytest.Pytester, package: Path) -> None:
    (package / "ocrparity.toml").unlink()
    result = project.runpytest(*NO_XDIST, "test_foreign.py")
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*WARNING*")


def test_a_valid_table_above_is_found(project: pytest.Pytester, package: Path) -> None:
    (package / "ocrparity.toml").unlink()
    (project.path / "pyproject.toml").write_text('[tool.ocrparity]\nimages = ["package/images/*.npy"]\n')
    result = project.runpytest(*NO_XDIST, "-k", "training")
    result.assert_outcomes(passed=2, deselected=3)
    result.stdout.fnmatch_lines([f"ocrparity: {project.path / 'pyproject.toml'}"])


def test_a_broken_one_in_rootdir_stops_a_run_that_uses_us(project: pytest.Pytester, package: Path) -> None:
    (package / "ocrparity.toml").write_text("images = [")
    result = project.runpytest(*NO_XDIST)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*ocrparity.toml: not valid TOML*"])
    project.runpytest(*NO_XDIST, "test_foreign.py").assert_outcomes(passed=1)
