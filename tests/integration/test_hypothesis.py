"""Fixtures of this plugin in tests of hypothesis, which refuses fixtures of a function's scope."""

from __future__ import annotations

import pytest
from projects import NO_XDIST, wrong_export

CODE = """
from hypothesis import given, settings, strategies
from pytest_ocrparity import assert_same_detections

@settings(max_examples=3, deadline=None)
@given(number=strategies.integers(0, 2))
def test_mine(ocr_golden, ocr_inference_model, ocr_image, number):
    assert_same_detections(ocr_golden.trace(ocr_image), ocr_inference_model.trace(ocr_image))
"""


@pytest.fixture(autouse=True)
def with_its_plugin(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTEST_ADDOPTS")


@pytest.mark.parametrize("is_wrong", [False, True])
def test_baselines_and_images(project: pytest.Pytester, is_wrong: bool) -> None:
    project.makepyfile(test_export=CODE)
    project.runpytest(*NO_XDIST, "--ocr-golden").assert_outcomes(passed=2)
    if is_wrong:
        wrong_export(project, pad=6)
    result = project.runpytest(*NO_XDIST)
    result.stdout.no_fnmatch_line("*FailedHealthCheck*")
    result.assert_outcomes(**{"failed" if is_wrong else "passed": 2})
