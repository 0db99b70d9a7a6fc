"""What is wrong with a side that no class of paddleocr runs, before anything loads."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from paths import EXAMPLE

from pytest_ocrparity.errors import ModelError
from pytest_ocrparity.session.other_sides import check_rapidocr_batch, load_other_side, other_side_problems
from pytest_ocrparity.stages import DETECTION, RECOGNITION

DETECTOR, RECOGNISER = EXAMPLE / "inference", EXAMPLE / "inference_rec"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that looks like a checkout, in a process that has imported none."""
    monkeypatch.delitem(sys.modules, "ppocr", raising=False)
    (tmp_path / "checkout" / "ppocr").mkdir(parents=True)
    (tmp_path / "checkout" / "ppocr" / "__init__.py").touch()
    return tmp_path / "checkout"


def problems(root: Path | None = None, **values: Any) -> list[str]:
    return other_side_problems(values, root)


def test_a_script_runs_that_of_the_train_side_where_it_names_none(root: Path) -> None:
    assert problems(root, api="predict_det", model_dir=DETECTOR) == []
    assert problems(None, api="predict_det", model_dir=DETECTOR, paddleocr_root=root) == []
    assert problems(None, api="predict_rec", model_dir=RECOGNISER) == [
        "inference.api is 'predict_rec', and no PaddleOCR checkout is named: set inference.paddleocr_root"
    ]
    with pytest.raises(ModelError, match="no PaddleOCR checkout is named"):
        load_other_side({"api": "predict_det", "model_dir": DETECTOR}, None, None, "inference")


def test_a_script_of_another_task_and_a_wrong_root_are_said_together(root: Path, tmp_path: Path) -> None:
    folder, task = problems(tmp_path / "no", api="predict_det", model_dir=RECOGNISER)
    assert folder == f"{tmp_path / 'no'}: no such folder (set in inference.paddleocr_root)"
    assert task == f"{RECOGNISER / 'inference.yml'} is of recognition, and predict_det.py runs models of detection"


def test_openvino_is_told_what_it_does_not_read(tmp_path: Path) -> None:
    limits = {"limit_side_len": 736, "limit_type": "min"}
    assert problems(engine="openvino", model_dir=EXAMPLE / "inference_onnx", options=limits) == []
    assert problems(engine="openvino", model_dir=EXAMPLE / "inference_pdmodel", options=limits) == []
    (said,) = problems(engine="openvino", model_dir=DETECTOR, options=limits)
    assert "and OpenVINO reads inference.onnx or inference.pdmodel: convert the export with paddle2onnx" in said
    (said,) = problems(
        engine="openvino", model_dir=EXAMPLE / "inference_onnx", options={**limits, "use_tensorrt": True}
    )
    assert "use_tensorrt is paddleocr's, and OpenVINO runs by itself" in said


def test_rapidocr_needs_its_file(tmp_path: Path) -> None:
    assert problems(api="rapidocr", model_file=EXAMPLE / "inference_onnx" / "inference.onnx") == []
    (said,) = problems(api="rapidocr", model_file=tmp_path / "det.onnx")
    assert said == f"{tmp_path / 'det.onnx'}: no such file: inference.model_file is an .onnx file"


def test_rapidocr_runs_lines_in_batches_and_no_pages() -> None:
    check_rapidocr_batch(RECOGNITION, 6)
    check_rapidocr_batch(DETECTION, 1)
    with pytest.raises(ModelError, match="a batch of 2 images was asked for, and RapidOCR hands its detector one page"):
        check_rapidocr_batch(DETECTION, 2)
