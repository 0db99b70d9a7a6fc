"""Shared by all tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy import PAGE, page

from pytest_ocrparity import Comparison, DifferenceError, Trace
from pytest_ocrparity.context import Context, current, running
from pytest_ocrparity.diagnose.cache import DiagnosisCache

pytest_plugins = "pytester"


@pytest.fixture(autouse=True)
def as_at_a_desk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pytest print the same everywhere: on CI servers its short summary repeats whole messages."""
    for name in ("CI", "BUILD_NUMBER"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def nobody_listens() -> Iterator[None]:
    """Keep what these tests compare out of the table and the verdict of their own run."""
    with running(Context()):
        yield
        LISTENING.close()


LISTENING = ExitStack()


class Heard:
    """Somebody who listens, as the plugin does."""

    def __init__(self) -> None:
        self.judged: list[Comparison] = []
        self.failures: list[str] = []
        self.errors: list[DifferenceError] = []
        self.diagnoser = DiagnosisCache(60)

    def on_comparison(self, judged: Comparison, reference: Trace, candidate: Trace) -> None:
        self.judged.append(judged)

    def on_failure(self, judged: Comparison, comparisons: Any, diagnoses: Any, message: str, sides: Any) -> None:
        self.failures.append(message)

    def on_error(self, error: DifferenceError) -> None:
        self.errors.append(error)


def listen(heard: Heard | None = None) -> Heard:
    """Listen for the rest of a test."""
    heard = heard or Heard()
    LISTENING.enter_context(running(replace(current(), listener=heard)))
    return heard


CONFTEST = """
import sys
import pytest

sys.path.insert(0, {tests!r})
from toy import Toy


@pytest.fixture(scope="session")
def ocr_train_model():
    return Toy()


@pytest.fixture(scope="session")
def ocr_inference_model():
    return Toy(name="inference")
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


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A user's project with two pages and toy models, in the working directory."""
    pytester.makepyprojecttoml('[tool.ocrparity]\nimages = ["images/*.npy"]\n')
    pytester.makeconftest(CONFTEST.format(tests=str(Path(__file__).parent)))
    pytester.makepyfile(test_export=EIGHT_LINES)
    folder = pytester.mkdir("images")
    np.save(folder / "three_words.npy", PAGE)
    np.save(folder / "one_word.npy", page(boxes=((20, 20, 70, 40),)))
    return pytester


def wrong_export(project: pytest.Pytester, **fields: object) -> None:
    """Break the project's exported model in one field of `Toy`."""
    path = project.path / "conftest.py"
    told = "".join(f", {name}={value!r}" for name, value in fields.items())
    path.write_text(path.read_text().replace('name="inference"', f'name="inference"{told}'))
