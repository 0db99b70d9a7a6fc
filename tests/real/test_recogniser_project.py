"""Whole runs on a project with the line recogniser: against its train side, its baselines, and with wrong files."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from real.blob import edited, write_yml
from real.lines import LETTERS, YML, Reader, export_yml, line, write_dictionary

Run = Callable[..., pytest.RunResult]

TEXTS = ("1002", "00 7", "7")
GATE = "from pytest_ocrparity.gate import *\n"


@pytest.fixture
def project(pytester: pytest.Pytester, reader: Reader) -> Path:
    """A user's project of a recogniser alone."""
    import cv2

    shutil.copytree(reader.export, pytester.path / "inference")
    for path in (reader.config.parent / "dict.txt", reader.checkpoint):
        shutil.copy(path, pytester.path)
    write_yml(pytester.path / "rec.yml", YML)
    lines = ["[tool.ocrparity]", 'images = ["lines/*.png"]', "[tool.ocrparity.train]", 'config = "rec.yml"']
    lines += ['checkpoint = "best"', f'network = "{reader.train["network"]}"']
    lines += [f'paddleocr_root = "{reader.train["paddleocr_root"]}"']
    lines += ["[tool.ocrparity.inference]", 'model_dir = "inference"']
    pytester.makepyprojecttoml("\n".join(lines))
    pytester.makepyfile(test_gate=GATE)
    folder = pytester.mkdir("lines")
    for text in TEXTS:
        cv2.imwrite(str(folder / f"{text.replace(' ', '_')}.png"), line(text))
    return pytester.path


@pytest.fixture
def run(project: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the project's gate; it loads its models itself."""
    monkeypatch.setattr("pytest_ocrparity.session.models._LOADED", {})
    return lambda *options: pytester.runpytest_inprocess("-p", "no:xdist", *options)


def test_a_right_export_passes(run: Run) -> None:
    run().assert_outcomes(passed=3 * len(TEXTS))


def test_baselines_are_recorded_and_hold_without_the_train_side(run: Run, project: Path) -> None:
    run("--ocr-golden").assert_outcomes(passed=3 * len(TEXTS))
    (project / "dict.txt").unlink()
    run("--ocr-no-train").assert_outcomes(passed=3 * len(TEXTS))
    write_yml(project / "inference" / "inference.yml", export_yml(YML, LETTERS[::-1]))
    result = run("--ocr-no-train")
    result.assert_outcomes(passed=2 * len(TEXTS), failed=len(TEXTS))
    result.stdout.fnmatch_lines(["*cause*text.dictionary", "*reads '2', where baseline (train) reads '7'*"])


def test_another_dictionary_fails_in_the_text_alone(run: Run, project: Path) -> None:
    write_yml(project / "inference" / "inference.yml", export_yml(YML, LETTERS[::-1]))
    result = run()
    result.assert_outcomes(passed=2 * len(TEXTS), failed=len(TEXTS))
    result.stdout.fnmatch_lines(
        [
            "*lines/7.png: text: the dictionary of inference is another: it is train's in reverse",
            "*cause*text.dictionary",
            "*proof*inference's decoder reads '2', where train reads '7'; *its decoder returns '2' for '7', *",
            "*'7' in train, '2' in inference*",
        ]
    )


def test_what_is_wrong_with_the_files_is_said_at_once(run: Run, project: Path) -> None:
    (project / "dict.txt").unlink()
    write_yml(project / "inference" / "inference.yml", edited(export_yml(YML), PostProcess__name="SARLabelDecode"))
    result = run()
    result.assert_outcomes(errors=3)
    said = "\n".join(result.outlines)
    assert said.count("no dictionary at ") == said.count("'SARLabelDecode', not CTCLabelDecode, the only one") == 1


def test_a_changed_dictionary_is_another_reference(run: Run, project: Path) -> None:
    run("--ocr-golden").assert_outcomes(passed=3 * len(TEXTS))
    write_dictionary(project / "dict.txt", LETTERS[::-1])
    result = run()
    assert result.parseoutcomes()["failed"] == len(TEXTS)
    result = run("--ocr-no-train")
    assert "dictionary" in "\n".join(result.outlines)
