"""A run that ends in the middle of a test: what it says of that test, and what the test had compared before."""

from __future__ import annotations

import json
from typing import Any

import pytest
from projects import NO_XDIST, wrong_export

HEAD = """
import pytest
from pytest_ocrparity import DifferenceError, assert_same_detections

def compared(train, inference, name):
    image = f"images/{name}.npy"
    return assert_same_detections(train.trace(image), inference.trace(image))
"""
LOOP = """
def test_loop(ocr_train_model, ocr_inference_model):
    compared(ocr_train_model, ocr_inference_model, "one_word")
    END
    compared(ocr_train_model, ocr_inference_model, "three_words")
"""
OF_AN_IMAGE = """
def test_image(ocr_train_model, ocr_inference_model, ocr_image):
    if "three" in str(ocr_image):
        END
    assert_same_detections(ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image))
"""
HIDES = """
def test_hides(ocr_train_model, ocr_inference_model):
    try:
        compared(ocr_train_model, ocr_inference_model, "one_word")
    except DifferenceError:
        END
"""
AFTER = """
def test_after():
    pass
"""


def results(project: pytest.Pytester, code: str, end: str) -> tuple[pytest.RunResult, Any]:
    project.makepyfile(test_export=HEAD + code.replace("END", end) + AFTER)
    result = project.runpytest(*NO_XDIST, "--ocr-report=report", no_reraise_ctrlc=True)
    return result, json.loads((project.path / "report" / "results.json").read_text())


@pytest.mark.parametrize(("end", "status"), [("raise KeyboardInterrupt", 2), ("pytest.exit('enough', 77)", 77)])
def test_what_a_test_compared_before_is_kept(project: pytest.Pytester, end: str, status: int) -> None:
    result, found = results(project, LOOP, end)
    assert result.ret == status
    assert [(each["image"], each["status"], each["outcome"]) for each in found["comparisons"]] == [
        ("images/one_word.npy", "same", "not reached")
    ]
    assert found["run"]["interrupted"] and found["run"]["verdict"] == "failed"
    assert (project.path / "report" / "not_reached.txt").exists()


def test_a_difference_that_ended_it_by_ctrl_c_is_no_caught_one(project: pytest.Pytester) -> None:
    wrong_export(project, pad=6)
    result, found = results(project, HIDES, "raise KeyboardInterrupt")
    assert result.ret == 2
    assert found["run"]["faults"] == []
    assert found["run"]["verdict"] == "failed"


@pytest.mark.parametrize("is_wrong", [True, False])
def test_pytest_exit_hides_no_difference(project: pytest.Pytester, is_wrong: bool) -> None:
    if is_wrong:
        wrong_export(project, pad=6)
    result, found = results(project, HIDES, "pytest.exit('enough', 0)")
    assert result.ret == found["run"]["exit_status"] == is_wrong
    assert len(found["run"]["faults"]) == is_wrong
    assert found["run"]["interrupted"] == is_wrong
    assert found["run"]["tests"]["passed"] == (0 if is_wrong else 2)
    assert (project.path / "report" / "not_reached.txt").exists() == is_wrong


@pytest.mark.parametrize("end", ["raise KeyboardInterrupt", "pass"])
def test_the_test_that_was_interrupted_did_not_pass(project: pytest.Pytester, end: str) -> None:
    _, found = results(project, OF_AN_IMAGE, end)
    is_whole = end == "pass"
    assert found["run"]["tests"]["passed"] == (3 if is_whole else 1)
    missed = [(each["outcome"], each["reason"]) for each in found["not_compared"]]
    assert missed == ([] if is_whole else [("not reached", "the run stopped in the middle of this test")])
