"""`paddleocr.PaddleOCR` as the deployment: its own limits, its pipeline, and models that are not here."""

from __future__ import annotations

import itertools
import shutil
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml
from paths import EXAMPLE

from pytest_ocrparity.artifacts.ocr_options import (
    absent_models_of_ocr_options,
    base_ocr_options,
    models_of_ocr_options,
    ocr_options_not_judged,
)
from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.paddlex.ocr_predictor import OcrPredictor, with_models_that_are_here
from pytest_ocrparity.backends.paddlex.pipeline import load_inference
from pytest_ocrparity.backends.ppocr.pipeline import TrainingPipeline
from pytest_ocrparity.errors import ModelError
from real.deployments import (
    EXPORT,
    PLAIN,
    RECEIPT,
    RIGHT,
    TINY,
    Given,
    causes,
    example_train,
    named,
    pipeline_yaml,
    put_right,
)


@pytest.fixture(scope="module")
def trained() -> TrainingPipeline:
    return example_train()


def test_the_pipeline_finds_what_text_detection_finds(trained: TrainingPipeline) -> None:
    options = {"limit_side_len": 736, "limit_type": "min", "enable_mkldnn": False}
    ocr, alone = Given(RIGHT).load(), load_inference(model_dir=EXPORT, options=options)
    assert causes(trained, ocr) == ()
    pair = ocr.trace(TINY), alone.trace(TINY)
    assert pair[0].detections == pair[1].detections and pair[0].detections is not None
    assert pair[0].detections.scores is not None and len(pair[0].detections) == 13
    assert pair[0].decode == pair[1].decode
    assert pair[0].tensor is not None and pair[1].tensor is not None
    assert np.array_equal(pair[0].tensor, pair[1].tensor)


def test_its_defaults_are_named_with_the_fix_in_its_own_words(trained: TrainingPipeline) -> None:
    (found,) = put_right(trained, Given())
    assert found.cause == "resize.limits"
    assert found.summary == "limit_side_len 736 in train, 64 in inference"
    assert found.fix is not None
    assert 'pass text_det_limit_side_len=736, text_det_limit_type="min" to paddleocr.PaddleOCR' in found.fix.text


@pytest.mark.parametrize(
    ("options", "predict_options", "cause", "told"),
    [
        ({"text_det_box_thresh": 0.9}, {}, "postprocess.box_thresh", "pass text_det_box_thresh=0.6 to paddleocr.Pad"),
        ({"text_det_unclip_ratio": 2.2}, {}, "postprocess.unclip_ratio", "pass text_det_unclip_ratio=1.5 to"),
        ({}, {"text_det_box_thresh": 0.9}, "postprocess.box_thresh", "pass text_det_box_thresh=0.6 to predict()"),
        ({"det_db_box_thresh": 0.9}, {}, "postprocess.box_thresh", "in the place of det_db_box_thresh to paddleocr.P"),
    ],
)
def test_a_threshold_is_named_by_the_argument_of_this_class(
    trained: TrainingPipeline, options: dict[str, Any], predict_options: dict[str, Any], cause: str, told: str
) -> None:
    (found,) = put_right(trained, Given({**RIGHT, **options}, predict_options))
    assert found.cause == cause
    assert found.fix is not None and told in found.fix.text


@pytest.mark.parametrize("half", [{"text_det_limit_type": "max"}, {"det_limit_side_len": 320}])
def test_half_an_override_is_put_right_by_both(trained: TrainingPipeline, half: dict[str, Any]) -> None:
    (found,) = put_right(trained, Given(half))
    assert found.cause == "resize.limits"


def with_post_process(folder: Path, **values: Any) -> tuple[Path, Path]:
    """Write a training yml and an export of the example with other values of PostProcess; return both."""
    shutil.copytree(EXPORT, folder / "inference")
    train, export = folder / "train.yml", folder / "inference" / "inference.yml"
    shutil.copy(EXAMPLE / "configs" / "tiny_db.yml", train)
    for path in (train, export):
        document = yaml.safe_load(path.read_text())
        document["PostProcess"].update(values)
        path.write_text(yaml.safe_dump(document))
    return train, export.parent


def test_thresholds_of_the_yml_are_not_what_runs(tmp_path: Path) -> None:
    """`TextDetection` takes them from inference.yml; the pipeline hands its detector others."""
    config, export = with_post_process(tmp_path, unclip_ratio=2.2)
    trained = example_train(config)
    (found,) = put_right(trained, Given(dict(RIGHT), model_dir=export))
    assert found.cause == "postprocess.unclip_ratio"
    who = "by paddleocr.PaddleOCR, from its own OCR.yaml"
    assert f"the YAML file of inference sets unclip_ratio to 2.2; 1.5 was used, {who}" in found.evidence
    alone = load_inference(model_dir=export, options={"limit_side_len": 736, "limit_type": "min"})
    assert causes(trained, alone) == ()


@pytest.mark.parametrize(("box_type", "is_stopped"), [("poly", True), ("quad", False)])
def test_polygons_stop_the_pipeline_as_the_finding_says(tmp_path: Path, box_type: str, is_stopped: bool) -> None:
    _, export = with_post_process(tmp_path, box_type=box_type)
    trace = Given(dict(RIGHT), model_dir=export).load().trace(RECEIPT)
    assert ("ValueError" in str(trace.error)) == is_stopped
    assert (trace.detections is None) == is_stopped


def test_a_pipeline_of_the_users_is_taken_and_its_cap_put_right_in_it(
    trained: TrainingPipeline, tmp_path: Path
) -> None:
    config = pipeline_yaml(tmp_path / "pipeline.yaml", limit_side_len=736, limit_type="min", max_side_limit=640)
    (found,) = put_right(trained, Given({"paddlex_config": str(config)}))
    assert found.cause == "resize.max_side_limit"
    assert found.fix is not None
    assert f"in {config}, under SubModules.TextDetection, set max_side_limit: 100000" in found.fix.text


def test_without_a_pipeline_yaml_a_cap_says_how_to_write_one() -> None:
    fix = Given(dict(RIGHT)).load().parameter_fix("resize", {"max_side_limit": None})
    assert "paddleocr.PaddleOCR takes max_side_limit only from a pipeline's YAML file" in fix.text
    assert "export_paddlex_config_to_yaml" in fix.text


def test_the_detector_of_pp_structure_is_taken_out_of_it(trained: TrainingPipeline) -> None:
    side = Given({"paddlex_config": "PP-StructureV3"}).load()
    assert side.trace(TINY).parameters["resize"]["limit_side_len"] == 736
    assert causes(trained, side) == ()


def test_options_of_a_file_are_put_right_in_it(trained: TrainingPipeline, tmp_path: Path) -> None:
    file = tmp_path / "ocr.yaml"
    file.write_text(yaml.safe_dump({**RIGHT, "text_det_box_thresh": 0.9}))
    (found,) = put_right(trained, Given(options_file=file))
    assert found.fix is not None
    assert found.fix.text.startswith(
        "in ocr.yaml, which the deployment reads (inference.options_file), set text_det_box"
    )
    assert causes(trained, Given({"text_det_box_thresh": 0.6}, options_file=file).load()) == ()  # options win


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            {"options": {"limit_side_len": 736}},
            "inference.options: paddleocr knows no option 'limit_side_len'; did you mean '",
        ),
        ({"predict_options": {"text_det_max_side_limit": 9}}, "inference.predict_options: paddleocr knows no option"),
        ({"options": {"text_detection_model_dir": "x"}}, "has a setting of its own, inference.model_dir"),
    ],
)
def test_what_this_class_does_not_take_is_refused_by_name(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ModelError) as refused:
        Given(**given).load()
    assert told in str(refused.value)


def test_a_pipeline_per_device_is_refused() -> None:
    with pytest.raises(ModelError, match="name one device"):
        OcrPredictor(SimpleNamespace(paddlex_pipeline=SimpleNamespace(_executor=None)), {})


def test_an_unknown_option_of_a_file_names_the_file(tmp_path: Path) -> None:
    file = tmp_path / "ocr.json"
    file.write_text('{"limit_side": 736}')
    for api in ("PaddleOCR", "TextDetection"):
        with pytest.raises(ModelError, match=r"ocr\.json: paddleocr knows no option 'limit_side'"):
            Given(options_file=file, api=api).load()


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[object]:
    """An empty cache of models, and a list of the addresses that were asked."""
    asked: list[object] = []
    monkeypatch.setenv("PADDLE_PDX_CACHE_HOME", str(tmp_path / "none"))
    monkeypatch.setattr(socket.socket, "connect", lambda self, address: asked.append(address))
    return asked


def test_models_that_are_not_here_are_left_out_before_the_network_is_tried(
    offline: list[object], trained: TrainingPipeline
) -> None:
    side = load_inference(api="PaddleOCR", model_dir=EXPORT, options={**RIGHT, "device": "cpu", "enable_mkldnn": False})
    assert causes(trained, side) == ()
    assert offline == []
    assert ocr_options_not_judged(RIGHT, {}) == [
        "document preprocessor: on in your deployment, not judged, its models are not here (PP-LCNet_x1_0_doc_ori and "
        "UVDoc): set doc_orientation_classify_model_dir, doc_unwarping_model_dir in inference.options, or deploy with "
        "use_doc_orientation_classify=False, use_doc_unwarping=False",
        "text-line orientation: on in your deployment, not judged, its model is not here (PP-LCNet_x1_0_textline_ori): "
        "set textline_orientation_model_dir in inference.options, or deploy with use_textline_orientation=False",
    ]
    assert ocr_options_not_judged(PLAIN, {}) == []


def test_what_predict_asks_for_and_is_not_here_is_left_out_too(
    offline: list[object], trained: TrainingPipeline
) -> None:
    options = {**RIGHT, "device": "cpu", "enable_mkldnn": False}
    side = load_inference(
        api="PaddleOCR", model_dir=EXPORT, options=options, predict_options={"use_doc_orientation_classify": True}
    )
    assert causes(trained, side) == ()
    assert offline == []


@pytest.mark.parametrize("switches", list(itertools.product((None, False, True), repeat=2)))
def test_which_models_run_is_as_paddleocr_merges_its_switches(switches: tuple[bool | None, ...]) -> None:
    names = ("use_doc_orientation_classify", "use_doc_unwarping")
    options = {name: value for name, value in zip(names, switches, strict=True) if value is not None}
    with isolated():
        import paddleocr

        class Unbuilt(paddleocr.PaddleOCR):
            def _create_paddlex_pipeline(self) -> Any:
                return None

        merged = Unbuilt(text_detection_model_name="x", **options)._merged_paddlex_config
    block = merged["SubPipelines"]["DocPreprocessor"]
    runs = {name for name in names if merged["use_doc_preprocessor"] and block[name]}
    config = base_ocr_options(options)
    assert config is not None
    assert {model.switch for model in models_of_ocr_options(config, options, {})} - {"use_textline_orientation"} == runs


def test_a_recogniser_of_the_users_stays(tmp_path: Path) -> None:
    config = {"SubModules": {"TextRecognition": {"model_name": "PP-OCRv5_server_rec", "model_dir": "mine"}}}
    assert with_models_that_are_here(config, (), tmp_path) == config
    assert list(tmp_path.iterdir()) == []


def test_a_model_in_the_cache_is_not_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PADDLE_PDX_CACHE_HOME", str(tmp_path))
    assert {each.name for each in absent_models_of_ocr_options({}, {})} >= {"UVDoc"}
    (tmp_path / "official_models" / "UVDoc").mkdir(parents=True)
    assert "UVDoc" not in {each.name for each in absent_models_of_ocr_options({}, {})}


def test_another_engine_runs_the_detector_beside_the_stand_in(trained: TrainingPipeline) -> None:
    pytest.importorskip("onnxruntime")
    options = {name: value for name, value in PLAIN.items() if name != "enable_mkldnn"}
    side = load_inference(
        api="PaddleOCR", model_dir=EXAMPLE / "inference_onnx", options={**options, **RIGHT, "engine": "onnxruntime"}
    )
    assert causes(trained, side, RECEIPT) == ()
    assert side.trace(RECEIPT).parameters["probability_map"]["engine"] == "onnxruntime"


def test_two_classes_are_two_sides_of_different_identity(trained: TrainingPipeline) -> None:
    ocr = Given(dict(RIGHT)).load()
    alone = load_inference(model_dir=EXPORT, options={"device": "cpu"})
    assert ocr.identity["api"] == "paddleocr.PaddleOCR"
    assert alone.identity["api"] == "paddleocr.TextDetection"
    assert named(causes(trained, alone)) == ["resize.limits"]
