"""Runs in which both sides are one, or are of the same files."""

from __future__ import annotations

import pytest

NO_XDIST = ("-p", "no:xdist", "-p", "no:randomly")
RENAMING = """

from dataclasses import replace

class Renamed:
    def __init__(self, model):
        self.model = model

    def trace(self, image):
        return replace(self.model.trace(image), pipeline="inference")

@pytest.fixture(scope="session")
def ocr_inference_model(ocr_train_model):
    return Renamed(ocr_train_model)
"""
SAYING = """

class Known(Toy):
    identity = {"files": {"inference.json": "1"}}

@pytest.fixture(scope="session")
def ocr_train_model():
    return Known()

@pytest.fixture(scope="session")
def ocr_inference_model():
    model = Known(name="inference")
    model.identity = {**Known.identity, "engine": ENGINE}
    return model
"""


def add(project: pytest.Pytester, code: str) -> None:
    with (project.path / "conftest.py").open("a") as conftest:
        conftest.write(code)


def test_a_fixture_that_hands_out_the_reference_fails_its_tests(project: pytest.Pytester) -> None:
    add(project, RENAMING)
    result = project.runpytest(*NO_XDIST, "-k", "training")
    result.assert_outcomes(failed=2, deselected=2)
    result.stdout.fnmatch_lines(["*come from the same pipeline object: nothing was compared*"])


def test_the_table_says_where_both_sides_are_of_the_same_files(project: pytest.Pytester) -> None:
    add(project, SAYING.replace("ENGINE", '"other"'))
    result = project.runpytest(*NO_XDIST, "-k", "training")
    result.assert_outcomes(passed=2, deselected=2)
    result.stdout.fnmatch_lines(
        [
            "inference against train: 2 images",
            "  both sides come from the same model files: only engine, options or versions can differ",
        ]
    )


def test_a_baseline_remembers_the_files_that_it_is_of(project: pytest.Pytester) -> None:
    add(project, SAYING.replace("ENGINE", '"other"') + "\nKnown.fingerprint = Known.identity['files']\n")
    project.runpytest(*NO_XDIST, "-k", "baseline", "--ocr-golden").assert_outcomes(passed=2, deselected=2)
    result = project.runpytest(*NO_XDIST, "-k", "baseline")
    result.stdout.fnmatch_lines(["inference against baseline (train): 2 images", "  both sides come from the same *"])


def test_other_files_are_not_said_to_be_the_same(project: pytest.Pytester) -> None:
    result = project.runpytest(*NO_XDIST, "-k", "training")
    result.stdout.no_fnmatch_line("*same model files*")


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (
            "assert_same_preprocessing(t, t)",
            "E*DifferenceError: reference and candidate are the same object: nothing *",
        ),
        (
            "assert_same_text(t, i)",
            "E*DifferenceError: *are detectors, and assert_same_text compares *",
        ),
        ("assert_same_page(t, i)", "E*DifferenceError: *is a detector, and assert_same_page compares pages: take *"),
        ("assert_same_text(t, 3)", "E*TypeError: candidate: give a Trace, a Recognition or a text, not 3"),
        (
            "assert_same_detections(t, 3)",
            "E*TypeError: candidate: give a Trace, Detections or a list *, not 3",
        ),
        ("assert assert_same_preprocessing(t, i)", "E*TypeError: a Comparison has no truth value*"),
    ],
)
def test_what_is_refused_is_shown_in_the_test_and_not_in_the_plugin(
    project: pytest.Pytester, call: str, told: str
) -> None:
    project.makepyfile(
        test_export=f"""
from pytest_ocrparity import assert_same_detections, assert_same_page, assert_same_preprocessing, assert_same_text

def test_call(ocr_train_model, ocr_inference_model, ocr_image):
    t, i = ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image)
    {call}
"""
    )
    result = project.runpytest(*NO_XDIST)
    result.stdout.fnmatch_lines([f">*{call}", told])
    assert "pytest_ocrparity/" not in result.stdout.str().partition("short test summary")[0]
