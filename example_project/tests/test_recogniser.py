"""The gate of the recogniser: the export must read what the trained model reads."""

import pytest

from pytest_ocrparity import assert_same_preprocessing, assert_same_probability_maps, assert_same_text

pytestmark = pytest.mark.ocr_task("recognition")


def test_export_reads_as_training(ocr_train_model, ocr_inference_model, ocr_image):
    train, inference = ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image)
    assert_same_preprocessing(train, inference)
    assert_same_probability_maps(train, inference)
    assert_same_text(train, inference)


def test_export_reads_as_baseline(ocr_golden, ocr_inference_model, ocr_image):
    baseline, inference = ocr_golden.trace(ocr_image), ocr_inference_model.trace(ocr_image)
    assert_same_preprocessing(baseline, inference)
    assert_same_probability_maps(baseline, inference)
    assert_same_text(baseline, inference)
