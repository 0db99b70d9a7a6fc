"""The gate: the export must detect what the trained model detects."""

from pytest_ocrparity import assert_same_detections, assert_same_preprocessing, assert_same_probability_maps


def test_export_matches_training(ocr_train_model, ocr_inference_model, ocr_image):
    train, inference = ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image)
    assert_same_preprocessing(train, inference)
    assert_same_probability_maps(train, inference)
    assert_same_detections(train, inference)


def test_export_matches_baseline(ocr_golden, ocr_inference_model, ocr_image):
    baseline, inference = ocr_golden.trace(ocr_image), ocr_inference_model.trace(ocr_image)
    assert_same_preprocessing(baseline, inference)
    assert_same_probability_maps(baseline, inference)
    assert_same_detections(baseline, inference)
