"""Fixtures of ours that several tests share: pytest sets each up for the first of them, and all of them use it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from labelled import COMPARES, write_project
from projects import run

THERE = """
def test_there(ocr_image):
    assert ocr_image.exists()
"""
PLAIN = """
from pytest_ocrparity import assert_same_detections

def test_plain(ocr_train_model, ocr_inference_model, ocr_image):
    found = [side.trace(ocr_image).detections.polygons for side in (ocr_train_model, ocr_inference_model)]
    assert_same_detections(*map(list, found))
"""
COMPARING = """
from pytest_ocrparity import assert_same_detections

def test_compares(ocr_train_model, ocr_inference_model):
    sides = ocr_train_model, ocr_inference_model
    assert_same_detections(*(side.trace("images/one_word.npy") for side in sides))
"""
FORGETTING = """
def test_forgets(ocr_train_model, ocr_inference_model):
    for side in (ocr_train_model, ocr_inference_model):
        side.trace("images/one_word.npy")
"""
CHAIN = """
import pytest

@pytest.fixture(scope="module")
def sides(ocr_train_model, ocr_inference_model):
    return ocr_train_model, ocr_inference_model

def test_forgets(sides):
    for side in sides:
        side.trace("images/one_word.npy")
"""
MARKED = """
import pytest

@pytest.mark.usefixtures("ocr_train_model")
def test_forgets(): ...
"""


def results(project: pytest.Pytester, *codes: str) -> dict[str, Any]:
    """Run these tests in their order, and return the document of the run."""
    project.makepyfile(test_export="".join(codes))
    assert run(project, "--ocr-report=report").ret == 0
    found: dict[str, Any] = json.loads((project.path / "report" / "results.json").read_text())
    return found


@pytest.mark.parametrize("codes", [(PLAIN, THERE), (THERE, PLAIN)])
def test_labels_of_images_are_missed_whichever_test_has_them_first(
    project: pytest.Pytester, codes: Sequence[str]
) -> None:
    write_project(project, [1, 2], tests="".join(codes))
    result = run(project)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*labels are set, and no image was counted: tests compare boxes by themselves*"])


def test_labels_that_count_are_not_missed(project: pytest.Pytester) -> None:
    write_project(project, [1, 2], tests=f"{THERE}{COMPARES}")
    assert run(project).ret == 0


@pytest.mark.parametrize(
    "codes", [(FORGETTING, COMPARING), (COMPARING, FORGETTING), (COMPARING, CHAIN), (COMPARING, MARKED)]
)
def test_one_that_compares_nothing_is_told_wherever_it_stands(project: pytest.Pytester, codes: Sequence[str]) -> None:
    found = results(project, *codes)
    assert [(each["test"], each["outcome"]) for each in found["not_compared"]] == [
        ("test_export.py::test_forgets", "compared nothing")
    ]
    assert found["run"]["verdict"] == "failed"


@pytest.mark.parametrize(
    "code",
    [
        "def test_other(tmp_path): ...",
        # What runs around every test is nothing that this one asks for.
        "import pytest\n\n@pytest.fixture(autouse=True)\ndef warm(ocr_train_model): ...\n\ndef test_other(): ...",
        "@pytest.mark.skip\ndef test_other(ocr_train_model): ...",
    ],
)
def test_not_one_that_asks_for_none_or_does_not_run(project: pytest.Pytester, code: str) -> None:
    found = results(project, f"{COMPARING}\nimport pytest\n\n{code}")
    assert (found["not_compared"], found["run"]["verdict"]) == ([], "passed")
