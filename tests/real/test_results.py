"""Results as paddlex itself writes them, and a service with paddleocr behind it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from service import TEST, serving

from pytest_ocrparity import ResultError, assert_same_detections
from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.paddlex.pipeline import InferencePipeline
from pytest_ocrparity.backends.ppocr.pipeline import TrainingPipeline
from pytest_ocrparity.backends.results.pipeline import ResultsPipeline
from pytest_ocrparity.comparison import DifferenceError
from pytest_ocrparity.trace import Detections
from real.blob import LIMITS, Model

Page = npt.NDArray[np.uint8]


@pytest.fixture
def detector(model: Model) -> Callable[..., Any]:
    """Make paddleocr's TextDetection, as a deployment does."""

    def make(**options: Any) -> Any:
        with isolated():
            from paddleocr import TextDetection

            given = {"model_name": "PP-OCRv4_mobile_det", "model_dir": str(model.export), "device": "cpu"}
            return TextDetection(**given, enable_mkldnn=False, **options)

    return make


class TestSaveToJson:
    @pytest.fixture
    def image(self, save: Callable[..., Path], page: Page) -> Path:
        return save("page.png", page)

    def test_boxes_and_scores_are_those_of_the_module(
        self, detector: Any, train: TrainingPipeline, image: Path, tmp_path: Path
    ) -> None:
        with isolated():
            (result,) = detector(**LIMITS).predict(str(image))
            result.save_to_json(str(tmp_path))
        found = ResultsPipeline(tmp_path / "{stem}_res.json", tmp_path).trace(image)
        assert found.detections == Detections(tuple(result["dt_polys"]), np.array(result["dt_scores"]))
        assert len(found.detections) > 0
        assert_same_detections(train.trace(image), found)

    def test_of_other_limits_they_differ(
        self, detector: Any, train: TrainingPipeline, image: Path, tmp_path: Path
    ) -> None:
        with isolated():
            (result,) = detector(limit_side_len=64, limit_type="min").predict(str(image))
            result.save_to_json(str(tmp_path))
        found = ResultsPipeline(tmp_path / "{stem}_res.json", tmp_path).trace(image)
        with pytest.raises(DifferenceError):
            assert_same_detections(train.trace(image), found)

    def test_of_a_blank_page(self, detector: Any, save: Callable[..., Path], tmp_path: Path) -> None:
        image = save("blank.png", np.full((96, 128, 3), 235, np.uint8))
        with isolated():
            (result,) = detector(**LIMITS).predict(str(image))
            result.save_to_json(str(tmp_path))
        found = ResultsPipeline(tmp_path / "{stem}_res.json", tmp_path).trace(image).detections
        assert found is not None and len(found) == 0


def general_result(angle: int | None) -> Any:
    """Return paddlex's result of the general pipeline; with an angle, its document preprocessor was on."""
    from paddlex.inference.pipelines.doc_preprocessor.result import DocPreprocessorResult
    from paddlex.inference.pipelines.ocr.result import OCRResult

    used = {"use_doc_orientation_classify": True, "use_doc_unwarping": False}
    made = DocPreprocessorResult(
        {"input_path": None, "page_index": None, "model_settings": used, "angle": angle, "output_img": None}
    )
    return OCRResult(
        {
            "input_path": "page.png",
            "page_index": None,
            "model_settings": {"use_doc_preprocessor": angle is not None, "use_textline_orientation": False},
            "doc_preprocessor_res": made,
            "dt_polys": [np.array([[1, 2], [9, 2], [9, 8], [1, 8]], np.int16)],
            "text_det_params": {"limit_side_len": 64, "limit_type": "min", "thresh": 0.3, "max_side_limit": 4000},
            "text_type": "general",
            "text_rec_score_thresh": 0.0,
            "return_word_box": False,
            "rec_texts": ["x"],
            "rec_scores": np.array([0.5], np.float32),
            "rec_polys": [],
            "rec_boxes": np.zeros((0, 4), np.int16),
        }
    )


@pytest.mark.parametrize("angle", [None, 0, 90])
@pytest.mark.parametrize("form", ["file", "service"])
def test_the_general_pipeline(
    inference: InferencePipeline, save: Callable[..., Path], tmp_path: Path, angle: int | None, form: str
) -> None:
    image, path = save("page.png", np.zeros((20, 30, 3), np.uint8)), tmp_path / "page.json"
    with isolated():
        result = general_result(angle)
        if form == "file":
            result.save_to_json(str(path))
        else:
            path.write_text(answer(result.json["res"]))
    side = ResultsPipeline(tmp_path / "{stem}.json", tmp_path)
    if angle == 90:
        with pytest.raises(ResultError, match="turned by 90 degrees"):
            side.trace(image)
        side = ResultsPipeline(tmp_path / "{stem}.json", tmp_path, frame="image")
    found = side.trace(image)
    assert found.detections is not None and found.detections.scores is None
    assert found.detections.polygons[0].tolist() == [[1, 2], [9, 2], [9, 8], [1, 8]]
    assert found.parameters["resize"]["limit_side_len"] == 64


def answer(result: dict[str, Any]) -> str:
    """Return what paddlex's `/ocr` service answers, whose own types need a plugin that is not installed here.

    As in its `serving/schemas/ocr.py` and `prune_result`.
    """
    pruned = {key: value for key, value in result.items() if key not in ("input_path", "page_index")}
    page = {"prunedResult": pruned, "ocrImage": None, "docPreprocessingImage": None, "inputImage": None}
    found = {"ocrResults": [page], "dataInfo": {"width": 30, "height": 20, "type": "image"}}
    return json.dumps({"logId": "1", "errorCode": 0, "errorMsg": "Success", "result": found})


class TestBehindHttp:
    def ask(self, project: pytest.Pytester, detector: Any) -> pytest.RunResult:
        import cv2

        def detect(body: bytes) -> tuple[int, str, Any]:
            image = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR)
            (result,) = detector.predict(image)
            return 200, "application/json", result.json

        with serving(detect) as served:
            project.makeconftest(served.fixture(60))
            project.makepyfile(test_service=TEST)
            return project.runpytest_inprocess("-p", "no:xdist")

    @pytest.fixture(autouse=True)
    def no_proxy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("no_proxy", "*")

    def test_the_train_sides_parameters_pass(
        self, train: TrainingPipeline, blob_project: Callable[..., pytest.Pytester], detector: Any
    ) -> None:
        self.ask(blob_project("a", "b"), detector(**LIMITS)).assert_outcomes(passed=2)

    @pytest.mark.parametrize("options", [{**LIMITS, "unclip_ratio": 3.0}, {}], ids=str)
    def test_other_parameters_fail(
        self,
        train: TrainingPipeline,
        blob_project: Callable[..., pytest.Pytester],
        detector: Any,
        options: dict[str, Any],
    ) -> None:
        result = self.ask(blob_project("a", "b"), detector(**options))
        result.assert_outcomes(failed=2)
        result.stdout.fnmatch_lines("*first difference at detections*(train against service)*")
