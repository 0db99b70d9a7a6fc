"""`--ocr-config` and how the settings file is found: from sub-folders, with `-c`, with two projects at once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


def run(project: pytest.Pytester, *args: str) -> pytest.RunResult:
    return project.runpytest("-p", "no:xdist", "-k", "training", *args)


@pytest.fixture
def inner(project: pytest.Pytester) -> Path:
    """Move the project into a sub-folder and return that."""
    folder = project.mkdir("inner")
    for name in ("pyproject.toml", "conftest.py", "test_export.py", "images"):
        shutil.move(project.path / name, folder / name)
    return folder


def test_from_within(project: pytest.Pytester, inner: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(inner)
    run(project).assert_outcomes(passed=2, deselected=2)


def test_from_above(project: pytest.Pytester, inner: Path) -> None:
    result = run(project, "inner")
    result.assert_outcomes(passed=2, deselected=2)
    result.stdout.fnmatch_lines([f"ocrparity: {inner / 'pyproject.toml'}"])


def test_by_node_id(project: pytest.Pytester, inner: Path) -> None:
    run(project, "inner/test_export.py::test_export_matches_training").assert_outcomes(passed=2)


def test_with_another_ini(project: pytest.Pytester, inner: Path) -> None:
    other = project.makefile(".ini", other="[pytest]\n")
    run(project, "-c", str(other), "inner").assert_outcomes(passed=2, deselected=2)


def test_two_projects_in_one_command_say_why_not(project: pytest.Pytester, inner: Path) -> None:
    second = shutil.copytree(inner, project.path / "second")
    (second / "test_export.py").rename(second / "test_second.py")
    result = run(project, "inner", "second")
    result.assert_outcomes(errors=2, deselected=2)
    result.stdout.fnmatch_lines(
        ["* belong to several projects (*inner/pyproject.toml, *second/pyproject.toml)*--ocr-config=FILE"]
    )
    run(project, "inner", "second", "--ocr-config=inner/pyproject.toml").assert_outcomes(passed=4, deselected=4)


def test_two_paths_of_one_project_are_fine(project: pytest.Pytester, inner: Path) -> None:
    shutil.copy(inner / "test_export.py", inner / "test_more.py")
    run(project, "inner/test_export.py", "inner/test_more.py").assert_outcomes(passed=4, deselected=4)


def test_a_file_that_is_not_there_is_a_usage_error(project: pytest.Pytester) -> None:
    result = run(project, "--ocr-config=none.toml")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--ocr-config=none.toml: no such file"])


def test_a_wrong_setting_is_a_usage_error(project: pytest.Pytester) -> None:
    project.makepyprojecttoml("[tool.ocrparity]\nimagse = []\n")
    result = run(project)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*imagse is no setting; did you mean 'images'*"])
