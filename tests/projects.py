"""What a user's project is made of, in tests that run one; the fixture `project` writes it."""

from __future__ import annotations

from pathlib import Path

import pytest
from paths import TESTS

NO_XDIST = ("-p", "no:xdist")
PRUNE = "--ocr-golden-prune"
PATIENCE = 600
"""Seconds after which what hangs is ended, and for which it hangs where a test wants that: far more than anything takes
where other programs have the cores."""
TELLS_WHY = pytest.version_tuple >= (9,)
"""Whether pytest's short summary says surely why a test failed whose report is plain text: pytest 8.0 does not."""
CONFTEST = f"""
import sys
import pytest

sys.path.insert(0, {str(TESTS)!r})
from toy import Toy


@pytest.fixture(scope="session")
def ocr_train_model():
    return Toy()


@pytest.fixture(scope="session")
def ocr_inference_model():
    return Toy(name="inference")
"""

PAGES_CONFTEST = f"""
import sys
import pytest

sys.path.insert(0, {str(TESTS)!r})
from toy_pages import ToyPages


@pytest.fixture(scope="session")
def ocr_train_page():
    return ToyPages()


@pytest.fixture(scope="session")
def ocr_inference_page():
    return ToyPages(name="page")
"""

EIGHT_LINES = """
from pytest_ocrparity import assert_same_detections, assert_same_preprocessing, assert_same_probability_maps

def test_export_matches_training(ocr_train_model, ocr_inference_model, ocr_image):
    train, inference = ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image)
    assert_same_preprocessing(train, inference)
    assert_same_probability_maps(train, inference)
    assert_same_detections(train, inference)

def test_export_matches_baseline(ocr_golden, ocr_inference_model, ocr_image):
    assert_same_detections(ocr_golden.trace(ocr_image), ocr_inference_model.trace(ocr_image))
"""


def wrong_export(project: pytest.Pytester, **fields: object) -> None:
    """Break the project's exported model in one field of `Toy`."""
    path = project.path / "conftest.py"
    told = "".join(f", {name}={value!r}" for name, value in fields.items())
    path.write_text(path.read_text().replace('name="inference"', f'name="inference"{told}'))


def failed_line(name: str, why: str) -> str:
    """Return the pattern of a fault's line in the short summary."""
    return f"FAILED {name}{f' - {why}' if TELLS_WHY else '*'}"


def run(project: pytest.Pytester, *args: str) -> pytest.RunResult:
    """Run the project's tests in this process."""
    return project.runpytest(*NO_XDIST, "-p", "no:randomly", *args)


def settings_file(folder: Path, text: str, name: str = "ocrparity.toml") -> Path:
    """Write a project's settings, and return their file."""
    path = folder / name
    path.write_text(text)
    return path
