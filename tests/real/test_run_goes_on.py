"""What goes wrong inside paddle, or for lack of memory, is the failure of its test; the others go on."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("train", "inference")  # the frameworks, loaded once for all runs inside

CONFTEST = """
import numpy as np
import paddle
import pytest

TROUBLES = {
    "refused": lambda real, x: real([x[0][:, :2].copy()] if isinstance(x, list) else x[:, :2]),  # of three channels
    "too_much": lambda real, x: np.empty(2**50),
    "too_much_for_paddle": lambda real, x: paddle.zeros([2**20, 2**24]),
}
OVER = []


@pytest.fixture(autouse=True)
def trouble(request, ocr_train_model, ocr_inference_model, monkeypatch):
    name = request.node.callspec.id.removeprefix("images/").removesuffix(".png")
    if name in TROUBLES and name not in OVER:
        owner, step = PLACE
        real = getattr(owner, step)
        monkeypatch.setattr(owner, step, lambda x: TROUBLES[name](real, x))
    if request.config.getoption("--reruns"):
        OVER.append(name)
"""
PLACES = {
    "train": 'ocr_train_model.network._layer, "forward"',
    "inference": 'ocr_inference_model._predictor.runner, "infer"',  # paddlex's own step into paddle
}
SAID = {"refused": "InvalidArgument", "too_much": "MemoryError", "too_much_for_paddle": "memory"}
TESTS = """
from pytest_ocrparity import assert_same_probability_maps


def test_maps(ocr_train_model, ocr_inference_model, ocr_image):
    assert_same_probability_maps(ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image))


def test_baseline(ocr_golden, ocr_image):
    ocr_golden.trace(ocr_image)
"""


@pytest.fixture(params=PLACES)
def side(request: pytest.FixtureRequest) -> str:
    """The side inside which it goes wrong, and whose output the baselines are."""
    return str(request.param)


@pytest.fixture
def blob(blob_project: Callable[..., pytest.Pytester], side: str) -> pytest.Pytester:
    """A project with the blob model and five pages, three of which are trouble."""
    project = blob_project("first", *SAID, "last")
    with (project.path / "pyproject.toml").open("a") as settings:
        settings.write(f'\n[tool.ocrparity.golden]\nreference = "{side}"\n')
    project.makeconftest(CONFTEST.replace("PLACE", PLACES[side]))
    project.makepyfile(test_export=TESTS)
    return project


def test_it_is_that_tests_failure(blob: pytest.Pytester, side: str) -> None:
    result = blob.runpytest_inprocess("-p", "no:xdist", "--ocr-report=report", "-k", "maps", "-v")
    result.assert_outcomes(passed=2, failed=len(SAID), deselected=2 + len(SAID))
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    results = json.loads((blob.path / "report" / "results.json").read_text())
    told = {Path(each["image"]).stem: each["message"] for each in results["comparisons"] if each["judged"]}
    assert told.keys() == {"first", *SAID, "last"}
    assert told["first"] == told["last"] == ""
    for name, said in SAID.items():
        result.stdout.fnmatch_lines_random([f"E *DifferenceError: images/{name}.png: *"])
        assert re.search(f"{side} stopped at .*{said}", told[name])


def test_trouble_that_is_over_is_not_remembered(blob: pytest.Pytester) -> None:
    result = blob.runpytest_inprocess("-p", "no:xdist", "--reruns=1", "-k", "maps")
    assert result.parseoutcomes() == {"passed": 2 + len(SAID), "rerun": len(SAID), "deselected": 2 + len(SAID)}


def test_a_reference_in_trouble_writes_no_baseline(blob: pytest.Pytester, side: str) -> None:
    result = blob.runpytest_inprocess("-p", "no:xdist", "--ocr-golden", "-k", "baseline")
    result.assert_outcomes(passed=2, failed=len(SAID), deselected=2 + len(SAID))
    told = [f"E *GoldenError: images/{name}.png: nothing to record, {side} stopped: *" for name in SAID]
    result.stdout.fnmatch_lines_random(told)
    files = sorted(path.name for path in (blob.path / "goldens").rglob("*") if path.is_file())
    assert files == ["first.png.npz", "last.png.npz"]
