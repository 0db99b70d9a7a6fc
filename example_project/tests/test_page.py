"""The gate of both models together: the deployment must read each page as the trained models do."""

from pathlib import Path

import pytest

from pytest_ocrparity import assert_same_page

PAGES = sorted((Path(__file__).parents[1] / "pages").glob("*.png"))
# Pages that the recogniser can read. Without this line the tests get the images of the settings, as those beside do.
pytestmark = pytest.mark.parametrize("ocr_image", PAGES, ids=lambda path: path.name)


def test_page_reads_as_training(ocr_train_page, ocr_inference_page, ocr_image):
    assert_same_page(ocr_train_page.trace(ocr_image), ocr_inference_page.trace(ocr_image))


def test_page_reads_as_baseline(ocr_golden_page, ocr_inference_page, ocr_image):
    assert_same_page(ocr_golden_page.trace(ocr_image), ocr_inference_page.trace(ocr_image))
