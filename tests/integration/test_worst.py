"""A preset that judges a run: where the run fails, its worst image is diagnosed, and the cause stands beside it."""

from __future__ import annotations

import json

import pytest

CONFTEST = """
import sys
import pytest
sys.path.insert(0, {folder!r})
from dataclasses import replace
from toy import Toy


class Varied(Toy):
    def varied(self, changes):
        values = {{name: value for table in changes.values() for name, value in table.items()}}
        return replace(self, **{{n: v[0] if isinstance(v, list) else v for n, v in values.items()}})


@pytest.fixture(scope="session")
def ocr_train_model():
    return Toy(gain=1.0)


@pytest.fixture(scope="session")
def ocr_inference_model():
    return Varied(name="port", gain=1.0, box_thresh={box_thresh})
"""
TEST = """
from pytest_ocrparity import assert_same_detections

def test_pages(ocr_train_model, ocr_inference_model, ocr_image):
    assert_same_detections(ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image))
"""


@pytest.fixture
def run(pytester: pytest.Pytester):  # type: ignore[no-untyped-def]
    import numpy as np
    import toy

    def make(box_thresh: float, *options: str) -> pytest.RunResult:
        images = pytester.mkdir("images")
        words = ((8, 8, 30, 18), (60, 30, 84, 42), (110, 60, 140, 74), (20, 76, 44, 88))
        for index, count in enumerate((1, 2, 4)):
            np.save(images / f"page {index}.npy", toy.page(96, 160, words[:count]))
        folder = str(__import__("pathlib").Path(toy.__file__).parent)
        pytester.makeconftest(CONFTEST.format(folder=folder, box_thresh=box_thresh))
        pytester.makepyfile(test_it=TEST)
        pytester.makefile(".toml", ocrparity='images = ["images/*.npy"]\ntolerance = "fp16"')
        return pytester.runpytest("-q", "-p", "no:cacheprovider", *options)

    return make


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["one process", "two workers"])
def test_the_cause_on_the_worst_image_stands_beside_the_verdict(run, options) -> None:  # type: ignore[no-untyped-def]
    result = run(0.75, *options)
    assert result.ret == 1
    text = result.stdout.str()
    (verdict,) = [line for line in text.splitlines() if line.startswith("over the run")]
    assert "of the boxes have no partner" in verdict
    assert "; cause on images/page 2.npy: postprocess.box_thresh, box_thresh 0.6 in train, 0.75 in port" in verdict
    assert "  fix         give port train's box_thresh = 0.6" in text


def test_a_run_that_keeps_its_limits_is_not_diagnosed(run) -> None:  # type: ignore[no-untyped-def]
    result = run(0.61, "-s")
    assert result.ret == 0
    assert "cause" not in result.stdout.str()


def test_the_report_holds_the_sentence(run, pytester: pytest.Pytester) -> None:  # type: ignore[no-untyped-def]
    run(0.75, "--ocr-report=report")
    results = json.loads((pytester.path / "report" / "results.json").read_text())
    assert results["run"]["verdict"] == "failed"
    assert any("cause on images/page 2.npy: postprocess.box_thresh" in fault for fault in results["run"]["faults"])


def test_it_is_said_that_a_cause_is_looked_for(run, pytester: pytest.Pytester) -> None:  # type: ignore[no-untyped-def]
    pytester.makefile(".toml", other='images = ["images/*.npy"]')
    result = run(0.75, "--ocr-config=other.toml", "-v")
    result.stdout.fnmatch_lines(["ocrparity: looking for the cause on images/page*"])
    quiet = pytester.runpytest("-q", "-q", "-p", "no:cacheprovider", "--ocr-config=other.toml")
    assert "looking for the cause" not in quiet.stdout.str()
