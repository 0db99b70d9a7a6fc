"""`paddleocr.PaddleOCR` around the example's export, with something wrong before or after its detector.

A stub stands in the place of the models of orientation and unwarping, which are not on this machine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pytest_ocrparity.backends.paddlex.ocr_predictor import PREPROCESSOR, ListTap, OcrPredictor
from pytest_ocrparity.backends.paddlex.pipeline import InferencePipeline, load_inference

OPTIONS = {
    **{"text_det_limit_side_len": 736, "text_det_limit_type": "min", "device": "cpu", "enable_mkldnn": False},
    **dict.fromkeys(("use_doc_orientation_classify", "use_doc_unwarping", "use_textline_orientation"), False),
}


def full_pipeline(change: Callable[[OcrPredictor], None]) -> Callable[[Any], InferencePipeline]:
    """Return what puts a changed `PaddleOCR` in the place of the inference side."""

    def wrap(side: Any) -> InferencePipeline:
        made = load_inference(api="PaddleOCR", model_dir=side.model_dir, options=OPTIONS)
        assert isinstance(made._predictor, OcrPredictor)
        change(made._predictor)
        return made

    return wrap


def turns_pages(predictor: OcrPredictor) -> None:
    """Turn each page by 180 degrees, as a classifier of orientation that errs does."""

    def stub(images: list[Any], **_: Any) -> list[dict[str, Any]]:
        return [{"angle": 180, "output_img": np.ascontiguousarray(image[::-1, ::-1])} for image in images]

    predictor.pipeline.use_doc_preprocessor = True
    predictor.pipeline.doc_preprocessor_pipeline = ListTap(PREPROCESSOR, stub, predictor.taps)


def drops_a_box(predictor: OcrPredictor) -> None:
    """Leave the first box without a crop, whereupon paddlex drops the box."""
    real = predictor.pipeline._crop_by_polys

    def crop(image: Any, polygons: Any) -> list[Any]:
        return [made if index else made[:0] for index, made in enumerate(real(image, polygons))]

    predictor.pipeline._crop_by_polys = crop
