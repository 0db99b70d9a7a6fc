"""`--ocr-no-train`: tests of the train model are skipped by name, the others run from baselines."""

from __future__ import annotations

import pytest


def test_it_skips_what_needs_the_train_model_and_says_so(project: pytest.Pytester) -> None:
    project.runpytest("-p", "no:xdist", "--ocr-golden")
    result = project.runpytest("-p", "no:xdist", "--ocr-no-train", "-rs")
    result.assert_outcomes(passed=2, skipped=2)
    result.stdout.fnmatch_lines(["SKIPPED * --ocr-no-train: this test needs the train model"])


def test_it_loads_no_train_model(project: pytest.Pytester) -> None:
    project.runpytest("-p", "no:xdist", "--ocr-golden")
    path = project.path / "conftest.py"
    path.write_text(path.read_text().replace("return Toy()", "raise RuntimeError('the train model was loaded')"))
    project.runpytest("-p", "no:xdist", "--ocr-no-train").assert_outcomes(passed=2, skipped=2)


def test_with_recording_it_is_a_usage_error(project: pytest.Pytester) -> None:
    result = project.runpytest("-p", "no:xdist", "--ocr-no-train", "--ocr-golden")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--ocr-golden with --ocr-no-train: the baselines are recorded from the train model*"])


def test_a_model_that_is_asked_for_while_a_test_runs_is_skipped_too(project: pytest.Pytester) -> None:
    code = """
def test_mine(request, ocr_image):
    request.getfixturevalue("ocr_train_model").trace(ocr_image)
"""
    project.makepyfile(test_export=code)
    result = project.runpytest("-p", "no:xdist", "--ocr-no-train", "-rs")
    assert result.parseoutcomes()["skipped"] == 2
    result.stdout.fnmatch_lines(["SKIPPED * --ocr-no-train: this test needs the train model"])
    assert "skipped" not in project.runpytest("-p", "no:xdist").parseoutcomes()
