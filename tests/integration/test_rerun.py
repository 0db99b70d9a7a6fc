"""The command that a failure prints runs as it is printed, from where the run was started."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest
from projects import NO_XDIST, wrong_export


def printed(result: pytest.RunResult) -> list[str]:
    line = next(line for line in result.outlines if " next " in line)
    words = shlex.split(line.partition("then: ")[2])
    assert words[0] == "pytest"
    return words[1:]


def fails_again(project: pytest.Pytester, *options: str) -> list[str]:
    first = project.runpytest(*NO_XDIST, "-k", "training and one_word", *options)
    assert first.parseoutcomes()["failed"] in (1, 2)  # a run that records has recorded nothing
    words = printed(first)
    project.runpytest(*NO_XDIST, *words).assert_outcomes(failed=1)
    return words


@pytest.fixture
def wrong(project: pytest.Pytester) -> pytest.Pytester:
    """A project whose export differs."""
    wrong_export(project, pad=6)
    return project


def test_from_the_project(wrong: pytest.Pytester) -> None:
    (word,) = fails_again(wrong)
    assert word.startswith("test_export.py::test_export_matches_training[")


def test_from_a_folder_below(wrong: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    below = wrong.mkdir("below")
    monkeypatch.chdir(below)
    (word,) = fails_again(wrong, "..")
    assert word.startswith(f"..{os.sep}test_export.py::")


def test_with_the_options_that_say_what_is_compared(wrong: pytest.Pytester, tmp_path: Path) -> None:
    (wrong.path / "pyproject.toml").unlink()
    (wrong.path / "settings.toml").write_text('images = ["images/*.npy"]')
    (wrong.path / "pytest.ini").write_text("[pytest]\n")
    options = ["--ocr-config=settings.toml", "--ocr-images=images/one*", "--ocr-tolerance=detections.max_shift=2"]
    words = fails_again(wrong, *options, "--ocr-report=report", "--ocr-github=off")
    assert words[1:] == options


def test_with_another_configuration_of_pytest(wrong: pytest.Pytester) -> None:
    (wrong.path / "other.ini").write_text("[pytest]\npython_functions = test_*\n")
    words = fails_again(wrong, "-c", "other.ini", "--rootdir=.")
    assert words[1:] == ["-c", "other.ini", "--rootdir=."]


def test_recording_is_not_repeated(wrong: pytest.Pytester) -> None:
    (word,) = fails_again(wrong, "--ocr-golden")
    assert "golden" not in word


def test_the_gate_inside_the_package_from_a_folder_below(
    wrong: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = wrong.mkdir("below")
    monkeypatch.chdir(below)
    options = ["-c", "../pyproject.toml", "--rootdir=..", "--ocr-config=../pyproject.toml"]
    gate = ["--pyargs", "pytest_ocrparity.gate", *options]
    words = printed(wrong.runpytest(*NO_XDIST, *gate, "-k", "detections and one_word"))
    assert words == [*gate, "--ocr-images=../images/one_word.npy"]
    wrong.runpytest(*NO_XDIST, *words, "-k", "detections").assert_outcomes(failed=1)


@pytest.mark.parametrize("name", ["scan[1]@2x.npy", "]@.npy", "plain.npy"])
def test_an_image_whose_name_ends_as_a_group_of_xdist_begins(wrong: pytest.Pytester, name: str) -> None:
    images = wrong.path / "images"
    (images / "one_word.npy").rename(images / name)
    first = wrong.runpytest(*NO_XDIST, "--ocr-images", f"images/{name}", "-k", "training")
    assert f"test_export.py::test_export_matches_training[images/{name}]" in printed(first)
