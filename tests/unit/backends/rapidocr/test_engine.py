"""RapidOCR's params: which are taken, and what is said of the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_ocrparity.backends.rapidocr.engine import DETECTOR, RECOGNISER, _check_params
from pytest_ocrparity.errors import ModelError

YAML = """
Global: {text_score: 0.5, use_det: true, use_cls: true, use_rec: true, font_path: null}
EngineConfig: {onnxruntime: {use_cuda: false, threads: -1}, mnn: {}}
Det: {engine_type: onnxruntime, task_type: det,
  model_path: null, limit_side_len: 736, limit_type: min, mean: [0.5, 0.5]}
Cls: {cls_thresh: 0.9}
Rec: {engine_type: onnxruntime, rec_keys_path: null, rec_img_shape: [3, 48, 320], rec_batch_num: 6}
"""


@pytest.fixture
def defaults(tmp_path: Path) -> Path:
    file = tmp_path / "config.yaml"
    file.write_text(YAML)
    return file


@pytest.mark.parametrize(
    "params",
    [
        {"Det.limit_side_len": 960, "Det.limit_type": "max", "Det.mean": [0.4, 1]},
        {"Det.limit_side_len": 960.5, "Global.text_score": 1, "EngineConfig.onnxruntime.use_cuda": True},
        {"Det.engine_type": "openvino", "Global.font_path": "a.ttf"},
    ],
)
def test_values_like_its_own_are_taken(defaults: Path, params: dict[str, Any]) -> None:
    _check_params(DETECTOR, params, defaults)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"Det.limit_sidelen": 1}, "RapidOCR has no param Det.limit_sidelen; did you mean 'Det.limit_side_len'?"),
        ({"Det": 1}, "RapidOCR has no param Det; "),
        ({"Det": {"mean": [1, 1]}}, 'Det is a table: write whole names in quotes, such as "Det.mean"'),
        ({"EngineConfig.onnxruntime": 1}, "RapidOCR has no param EngineConfig.onnxruntime; "),
        ({"Det.model_path": "a.onnx"}, "Det.model_path has its place in the settings: model_file"),
        ({"Det.task_type": "rec"}, "Det.task_type has its place in the settings: the detector alone runs"),
        ({"Global.use_rec": False}, "Global.use_rec has its place in the settings: the detector alone runs"),
        ({"Rec.rec_batch_num": 1}, "Rec.rec_batch_num does nothing, as the detector alone runs: remove it"),
        ({"Cls.cls_thresh": 1}, "Cls.cls_thresh does nothing, as the detector alone runs: remove it"),
        ({"Det.engine_type": "torch"}, "Det.engine_type is 'torch'; an .onnx file runs on onnxruntime or openvino"),
        ({"Det.limit_side_len": "736"}, "Det.limit_side_len is '736'; RapidOCR's own value of it is 736"),
        ({"Det.limit_side_len": True}, "Det.limit_side_len is True; RapidOCR's own value of it is 736"),
        ({"Det.limit_type": 3}, "Det.limit_type is 3; RapidOCR's own value of it is 'min'"),
        ({"Det.mean": 0.5}, "Det.mean is 0.5; RapidOCR's own value of it is [0.5, 0.5]"),
        ({"Det.mean": [0.5]}, "Det.mean is [0.5]; RapidOCR's own value of it is [0.5, 0.5]"),
        ({"Det.mean": [0.5, "a"]}, "Det.mean is [0.5, 'a']; RapidOCR's own value of it is [0.5, 0.5]"),
        ({"Global.font_path": 3}, "Global.font_path is 3, and not the path of a file"),
    ],
)
def test_others_are_refused_by_name(defaults: Path, params: dict[str, Any], said: str) -> None:
    with pytest.raises(ModelError) as caught:
        _check_params(DETECTOR, params, defaults)
    assert str(caught.value).startswith(f"inference.options: {said}")


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"Rec.rec_batch_num": 0}, "Rec.rec_batch_num is 0; it is a whole number from 1 up"),
        ({"Rec.rec_keys_path": 3}, "Rec.rec_keys_path is 3, and not the path of a file"),
        ({"Det.mean": [1, 1]}, "Det.mean does nothing, as the recogniser alone runs: remove it"),
        ({"Global.use_det": True}, "Global.use_det has its place in the settings: the recogniser alone runs"),
    ],
)
def test_a_recogniser_has_its_own(defaults: Path, params: dict[str, Any], said: str) -> None:
    _check_params(RECOGNISER, {"Rec.rec_batch_num": 1, "Rec.rec_keys_path": "dict.txt"}, defaults)
    with pytest.raises(ModelError) as caught:
        _check_params(RECOGNISER, params, defaults)
    assert str(caught.value) == f"inference.options: {said}"
