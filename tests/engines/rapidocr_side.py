"""RapidOCR's detector on the example's ONNX file: its defaults, its params, what it does around it.

`make engines` runs it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from paths import EXAMPLE
from real.deployments import RECEIPT, causes, example_train, fixed_options, named

from pytest_ocrparity import (
    assert_same_detections,
    assert_same_preprocessing,
    assert_same_probability_maps,
)
from pytest_ocrparity.backends.ppocr.pipeline import TrainingPipeline
from pytest_ocrparity.backends.rapidocr.rapid_detector import RapidDetector
from pytest_ocrparity.backends.rapidocr.rapid_loading import load_rapidocr_side
from pytest_ocrparity.errors import ImageError, ModelError, NotEnoughMemory, StageError
from pytest_ocrparity.trace import Detections, Shape

pytest.importorskip("rapidocr", reason="rapidocr is not installed: make engines installs it")
FILE = EXAMPLE / "inference_onnx" / "inference.onnx"
DENSE = EXAMPLE / "images" / "dense.png"
RIGHT = {
    "Det.mean": [0.485, 0.456, 0.406],
    "Det.std": [0.229, 0.224, 0.225],
    "Det.box_thresh": 0.6,
    "Det.unclip_ratio": 1.5,
    "Det.use_dilation": False,
}
"""What the example's training yml evaluates with, where RapidOCR's defaults are others."""


@pytest.fixture(scope="module")
def trained() -> TrainingPipeline:
    return example_train()


@pytest.mark.parametrize("name", ["receipt.png", "border.png", "exif_orientation.jpg", "blank.png"])
def test_with_the_right_params_it_passes(trained: TrainingPipeline, name: str) -> None:
    reference, trace = (each.trace(EXAMPLE / "images" / name) for each in (trained, RapidDetector(FILE, RIGHT)))
    for compare in (assert_same_preprocessing, assert_same_probability_maps, assert_same_detections):
        compare(reference, trace)


def test_its_five_defaults_are_named_in_its_own_words_and_pass_once_they_are_set(trained: TrainingPipeline) -> None:
    found = causes(trained, RapidDetector(FILE), DENSE)
    assert sorted(named(found)) == [
        "normalize.mean_std",
        *("postprocess.box_thresh", "postprocess.unclip_ratio", "postprocess.use_dilation"),
    ]
    changed = fixed_options(found, {})
    assert changed == RIGHT
    assert causes(trained, RapidDetector(FILE, changed), DENSE) == ()
    by_cause = {each.cause: each for each in found}
    (mean, thresh) = (by_cause[cause].fix for cause in ("normalize.mean_std", "postprocess.box_thresh"))
    assert mean is not None and thresh is not None
    assert '"Det.mean": [0.485, 0.456, 0.406], "Det.std": [0.229, 0.224, 0.225]' in mean.text
    assert thresh.text.startswith('pass params={"Det.box_thresh": 0.6} to RapidOCR, or set the same in its YAML file')


@pytest.mark.parametrize(
    ("options", "cause", "param"),
    [
        ({"Det.limit_type": "max", "Det.limit_side_len": 960}, "resize.limits", "Det.limit_side_len"),
        ({"Det.unclip_ratio": 2.2}, "postprocess.unclip_ratio", "Det.unclip_ratio"),
        ({"Det.thresh": 0.6}, "postprocess.thresh", "Det.thresh"),
    ],
)
def test_a_wrong_param_is_named_and_its_fix_passes(
    trained: TrainingPipeline, options: dict[str, Any], cause: str, param: str
) -> None:
    given = {**RIGHT, **options}
    found = causes(trained, RapidDetector(FILE, given), RECEIPT)
    assert named(found) == [cause]
    assert found[0].fix is not None and param in found[0].fix.text
    assert causes(trained, RapidDetector(FILE, fixed_options(found, given)), RECEIPT) == ()


def page_of(width: int, height: int) -> Any:
    """Return a page of that size that holds lines of the example's receipt."""
    source = cv2.imread(str(RECEIPT))
    page = np.full((height, width, 3), 235, np.uint8)
    cut = source[: min(height, source.shape[0]), : min(width, source.shape[1])]
    page[: cut.shape[0], : cut.shape[1]] = cut
    return page


@pytest.mark.parametrize(
    ("size", "cause", "params"),
    [
        ((2400, 800), "resize.max_side_limit", ("Global.use_preprocess_img",)),
        ((160, 26), "resize.pixels", ("Global.use_preprocess_img", "Global.use_vertical_padding")),
        ((1500, 150), "resize.padding", ("Global.use_vertical_padding",)),
    ],
    ids=["large", "small", "wide"],
)
def test_what_it_does_to_a_page_before_is_named_and_can_be_switched_off(
    trained: TrainingPipeline, size: tuple[int, int], cause: str, params: tuple[str, ...]
) -> None:
    page = page_of(*size)
    found = causes(trained, RapidDetector(FILE, RIGHT), page)
    assert named(found) == [cause]
    changed = fixed_options(found, RIGHT)
    assert changed == {**RIGHT, **dict.fromkeys(params, False)}
    assert causes(trained, RapidDetector(FILE, changed), page) == ()


def test_a_transparent_image_is_named_and_passes_without_its_alpha(trained: TrainingPipeline, tmp_path: Path) -> None:
    page, side = EXAMPLE / "images" / "alpha.png", RapidDetector(FILE, RIGHT)
    assert named(causes(trained, side, page)) == ["decode.alpha"]
    cv2.imwrite(str(tmp_path / "opaque.png"), cv2.imread(str(page), cv2.IMREAD_COLOR))
    assert causes(trained, side, tmp_path / "opaque.png") == ()


class Moved(RapidDetector):
    """One that moves each box by a rule of its own."""

    def postprocess(self, probability_map: Any, shape: Shape) -> Detections:
        found = super().postprocess(probability_map, shape)
        rng = np.random.default_rng(2)
        return Detections(tuple(polygon + rng.integers(-9, 9, 2) for polygon in found.polygons), None)


def test_what_is_none_of_its_params_stays_unknown(trained: TrainingPipeline) -> None:
    assert "unknown" in named(causes(trained, Moved(FILE, RIGHT), RECEIPT))


def test_its_openvino_engine_has_no_param_for_a_precision(trained: TrainingPipeline) -> None:
    pytest.importorskip("openvino")
    side = RapidDetector(FILE, {**RIGHT, "Det.engine_type": "openvino"})
    engine = side.parameters["probability_map"]
    assert engine["engine"] == "openvino"
    if engine["precision"] != "bf16":
        pytest.skip("not tried: OpenVINO does not compute in bf16 on this processor")
    found = causes(trained, side, RECEIPT)
    assert named(found) == ["engine.precision"]
    assert causes(trained, RapidDetector(FILE, fixed_options(found, RIGHT)), RECEIPT) == ()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"Det.box_tresh": 0.5}, "RapidOCR has no param Det.box_tresh; did you mean 'Det.box_thresh'"),
        ({"Det.model_path": "det.onnx"}, "Det.model_path has its place in the settings: model_file"),
        ({"Global.use_rec": True}, "Global.use_rec has its place in the settings: the detector alone runs"),
        ({"Det.engine_type": "paddle"}, "an .onnx file runs on onnxruntime or openvino"),
        ({"Det.task_type": "rec"}, "Det.task_type has its place in the settings: the detector alone runs"),
        ({"EngineConfig.onnxruntime": 3}, "RapidOCR has no param EngineConfig.onnxruntime; did you mean"),
        ({"Det.ocr_version": "v9"}, "Det.ocr_version is 'v9'; RapidOCR knows 'PP-OCRv4', "),
        ({"Rec.rec_batch_num": 1}, "Rec.rec_batch_num does nothing, as the detector alone runs: remove it"),
        ({"Det.box_thresh": "0.6"}, "Det.box_thresh is '0.6'; RapidOCR's own value of it is 0.5"),
        ({"Det.use_dilation": 0}, "Det.use_dilation is 0; RapidOCR's own value of it is True"),
        ({"Det.mean": 0.5}, r"Det.mean is 0.5; RapidOCR's own value of it is \[0.5, 0.5, 0.5\]"),
    ],
)
def test_wrong_params_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        RapidDetector(FILE, options)


def test_what_it_cannot_load_or_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "det.onnx").write_bytes(b"no model, and not empty")
    with pytest.raises(ModelError, match=r"det.onnx: RapidOCR cannot load it: "):
        RapidDetector(tmp_path / "det.onnx")
    with pytest.raises(ModelError, match=r"det.onnx: ONNX Runtime .* cannot load it: "):
        load_rapidocr_side(tmp_path / "det.onnx")
    (tmp_path / "page.png").write_text("no image")
    with pytest.raises(ImageError, match=r"page.png: RapidOCR cannot decode this file; is it an image\?"):
        RapidDetector(FILE, RIGHT).trace(tmp_path / "page.png")


def test_pages_at_once_are_refused() -> None:
    with pytest.raises(StageError, match="hands its detector one page after the other, not 2 at once: set no batch"):
        RapidDetector(FILE, RIGHT).trace_batch([RECEIPT, DENSE])


def test_an_image_that_would_take_too_much_memory_is_refused() -> None:
    trace = RapidDetector(FILE, RIGHT, memory_limit=2**20).trace(RECEIPT)
    assert isinstance(trace.error, NotEnoughMemory) and trace.error.stage == "decode"
