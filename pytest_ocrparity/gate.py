"""The whole gate without a line of code: `pytest --pyargs pytest_ocrparity.gate`.

Inside a suite, a test file with `from pytest_ocrparity.gate import *` collects the same tests. The reference is the
train model, or with `--ocr-no-train` (or while recording) its baselines. Of each task that the project has its tests
run: without the marker those of a detector, with it those of a recogniser; that of pages where the settings have the
table `page`.
"""

from __future__ import annotations

from typing import Any

import pytest

from pytest_ocrparity.assertions import (
    assert_same_detections,
    assert_same_page,
    assert_same_preprocessing,
    assert_same_probability_maps,
    assert_same_text,
)
from pytest_ocrparity.session.fixtures import OF_GATE


def _reference(request: pytest.FixtureRequest) -> Any:
    config = request.config
    uses_golden = config.getoption("ocr_no_train") or config.getoption("ocr_golden")
    live, recorded = OF_GATE[str(request.fixturename)]
    return request.getfixturevalue(recorded if uses_golden else live)


@pytest.fixture
def ocr_reference(request: pytest.FixtureRequest) -> Any:
    """What the gate compares the export with: the train model, or its baselines."""
    return _reference(request)


@pytest.fixture
def ocr_page_reference(request: pytest.FixtureRequest) -> Any:
    """What the gate compares pages with: both train models, or the baselines of pages."""
    return _reference(request)


def test_ocr_preprocessing(ocr_reference: Any, ocr_inference_model: Any, ocr_image: Any) -> None:
    """The export gets the same tensor."""
    assert_same_preprocessing(ocr_reference.trace(ocr_image), ocr_inference_model.trace(ocr_image))


def test_ocr_probability_maps(ocr_reference: Any, ocr_inference_model: Any, ocr_image: Any) -> None:
    """The export returns the same probability map."""
    assert_same_probability_maps(ocr_reference.trace(ocr_image), ocr_inference_model.trace(ocr_image))


def test_ocr_detections(ocr_reference: Any, ocr_inference_model: Any, ocr_image: Any) -> None:
    """The export finds the same boxes."""
    assert_same_detections(ocr_reference.trace(ocr_image), ocr_inference_model.trace(ocr_image))


@pytest.mark.ocr_task("recognition")
def test_ocr_line_preprocessing(ocr_reference: Any, ocr_inference_model: Any, ocr_image: Any) -> None:
    """The exported recogniser gets the same tensor."""
    assert_same_preprocessing(ocr_reference.trace(ocr_image), ocr_inference_model.trace(ocr_image))


@pytest.mark.ocr_task("recognition")
def test_ocr_line_probability_maps(ocr_reference: Any, ocr_inference_model: Any, ocr_image: Any) -> None:
    """The exported recogniser returns the same probabilities."""
    assert_same_probability_maps(ocr_reference.trace(ocr_image), ocr_inference_model.trace(ocr_image))


@pytest.mark.ocr_task("recognition")
def test_ocr_text(ocr_reference: Any, ocr_inference_model: Any, ocr_image: Any) -> None:
    """The exported recogniser reads the same text."""
    assert_same_text(ocr_reference.trace(ocr_image), ocr_inference_model.trace(ocr_image))


def test_ocr_page(ocr_page_reference: Any, ocr_inference_page: Any, ocr_image: Any) -> None:
    """The deployment of both exports reads the same page."""
    assert_same_page(ocr_page_reference.trace(ocr_image), ocr_inference_page.trace(ocr_image))
