"""What goes wrong inside paddle, or for lack of memory, is the failure of its test; the others go on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from real.blob import HERE, Model, operators_root

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
import pytest


@pytest.fixture(autouse=True)
def trouble(request, ocr_train_model):
    layer = ocr_train_model.network._layer
    if "page1" in request.node.name and not request.config.stash.get(DONE, False):
        {done}
        layer.forward = {forward}
        yield
        del layer.forward
    else:
        yield


DONE = pytest.StashKey[bool]()
"""
TROUBLES = {
    "a shape that paddle refuses": ("lambda x: x.reshape([7])", "InvalidArgument"),
    "more memory than there is": ("lambda x: __import__('numpy').empty(2**60)", "MemoryError"),
    "more memory than paddle gets": ("lambda x: __import__('paddle').zeros([2**20, 2**24])", "memory"),
    "an exit": ("lambda x: (_ for _ in ()).throw(RuntimeError('the network broke'))", "the network broke"),
}
TEST = """
from pytest_ocrparity import assert_same_probability_maps


def test_maps(ocr_train_model, ocr_inference_model, ocr_image):
    assert_same_probability_maps(ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image))
"""


@pytest.fixture
def blob(pytester: pytest.Pytester, model: Model) -> pytest.Pytester:
    """A project with the blob model and five pages, three of which are trouble."""
    import cv2

    train = {**model.train, "network_folder": None, "paddleocr_root": operators_root()}
    lines = ["[tool.ocrparity]", 'images = ["images/*.png"]', "[tool.ocrparity.train]"]
    lines += [f'{key} = "{value}"' for key, value in train.items() if value is not None]
    lines += ["[tool.ocrparity.inference]", f'model_dir = "{model.export}"']
    lines += ['options = { limit_side_len = 736, limit_type = "min" }']
    pytester.makepyprojecttoml("\n".join(lines))
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_maps=TEST, blob_net=(HERE / "blob_net.py").read_text())
    folder = pytester.mkdir("images")
    for index, name in enumerate(("first", *SAID, "last")):
        page = np.full((96, 128, 3), 235, np.uint8)
        page[20:40, 10 : 60 + 10 * index] = 20
        cv2.imwrite(str(folder / f"{name}.png"), page)
    return pytester


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
