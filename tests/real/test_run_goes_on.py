"""What goes wrong inside paddle, or for lack of memory, is the failure of its test; the others go on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("train", "inference")  # the frameworks, loaded once for all runs inside

CONFTEST = """
import numpy as np
import paddle
import pytest

TROUBLES = {
    "refused": lambda x: x.reshape([7]),
    "too_much": lambda x: np.empty(2**50),
    "too_much_for_paddle": lambda x: paddle.zeros([2**20, 2**24]),
}
OVER = []


@pytest.fixture(autouse=True)
def trouble(request, ocr_train_model, monkeypatch):
    name = request.node.callspec.id.removeprefix("images/").removesuffix(".png")
    if name in TROUBLES and name not in OVER:
        monkeypatch.setattr(ocr_train_model.network._layer, "forward", TROUBLES[name])
    if request.config.getoption("--reruns"):
        OVER.append(name)
"""
SAID = {"refused": "InvalidArgument", "too_much": "MemoryError", "too_much_for_paddle": "memory"}
TEST = """
from pytest_ocrparity import assert_same_probability_maps


def test_maps(ocr_train_model, ocr_inference_model, ocr_image):
    assert_same_probability_maps(ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image))
"""


@pytest.fixture
def blob(blob_project: Callable[..., pytest.Pytester]) -> pytest.Pytester:
    """A project with the blob model and five pages, three of which are trouble."""
    project = blob_project("first", *SAID, "last")
    project.makeconftest(CONFTEST)
    project.makepyfile(test_maps=TEST)
    return project


def test_it_is_that_tests_failure(blob: pytest.Pytester) -> None:
    result = blob.runpytest_inprocess("-p", "no:xdist", "--ocr-report=report")
    result.assert_outcomes(passed=2, failed=len(SAID))
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    for name, said in SAID.items():
        result.stdout.fnmatch_lines_random([f"E *DifferenceError: images/{name}.png: train stopped at *{said}*"])
    results = json.loads((blob.path / "report" / "results.json").read_text())
    assert {Path(each["image"]).stem for each in results["comparisons"]} == {"first", *SAID, "last"}


def test_trouble_that_is_over_is_not_remembered(blob: pytest.Pytester) -> None:
    result = blob.runpytest_inprocess("-p", "no:xdist", "--reruns=1")
    assert result.parseoutcomes() == {"passed": 2 + len(SAID), "rerun": len(SAID)}
