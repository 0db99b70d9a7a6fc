"""A project whose test brings its images, as runs under each runner look at it: which were compared, and how often."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np
import pytest
from projects import PATIENCE
from toy import PAGE

GIVEN = [f"images/page{index}.npy" for index in range(8)]
WRONG = GIVEN[2]
TEST = f"""
    from dataclasses import replace
    import pytest
    from pytest_ocrparity import assert_same_detections

    @pytest.mark.parametrize("ocr_image", {GIVEN!r}, indirect=True)
    def test_mine(ocr_train_model, ocr_inference_model, ocr_image):
        pad = {{pads}}.get(ocr_image, 1)
        assert_same_detections(
            ocr_train_model.trace(ocr_image), replace(ocr_inference_model, pad=pad).trace(ocr_image)
        )
"""


def write_given(project: pytest.Pytester, *, has_wrong: bool) -> None:
    """Give the project's one test eight of its ten images, one of which comes out wrong if it should."""
    for name in GIVEN:
        np.save(project.path / name, PAGE)
    project.makepyfile(test_export=TEST.format(pads={WRONG: 4} if has_wrong else {}))


def run_under(project: pytest.Pytester, *args: str) -> pytest.RunResult:
    """Run the project in processes of its own, with a report."""
    return project.runpytest_subprocess("--ocr-report=report", "-p", "no:cacheprovider", *args, timeout=PATIENCE)


def results_of(project: pytest.Pytester) -> dict[str, Any]:
    """Return the results of the last run."""
    results: dict[str, Any] = json.loads((project.path / "report" / "results.json").read_text())
    return results


def judged(project: pytest.Pytester) -> Counter[tuple[str, str]]:
    """Return how often each image of the last run was judged, and how."""
    return Counter((each["image"], each["status"]) for each in results_of(project)["comparisons"] if each["judged"])


def check_given(project: pytest.Pytester, result: pytest.RunResult, *, has_wrong: bool, times: int = 1) -> None:
    """Check that each image that was given was compared so many times, and no other, and that a wrong one failed."""
    expected = {(name, "different" if has_wrong and name == WRONG else "same"): times for name in GIVEN}
    assert judged(project) == expected
    results = results_of(project)
    assert results["run"]["verdict"] == ("failed" if has_wrong else "passed")
    assert results["run"]["exit_status"] == result.ret == (1 if has_wrong else 0)
    assert results["not_compared"] == []
    assert results["run"]["tests"]["failed"] == int(has_wrong)
    assert results["run"]["tests"]["passed"] == len(GIVEN) - has_wrong
    result.assert_outcomes(passed=(len(GIVEN) - has_wrong) * times, failed=has_wrong * times)
    text = result.stdout.str()
    assert text.count(f"inference against train: {len(GIVEN)} images") == 1
    assert "INTERNALERROR" not in text
    assert "did not report" not in text
