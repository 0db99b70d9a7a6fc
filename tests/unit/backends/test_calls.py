"""The calls of each API: what they pass, what they say is impossible, and that neither is said where it is not so."""

from __future__ import annotations

import ast
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from real.blob import YML, edited, transforms

from pytest_ocrparity.artifacts.evaluation import evaluated_parameters
from pytest_ocrparity.backends.calls import Call, calls_of, needs_of, settings_text
from pytest_ocrparity.backends.paddlex.deployed import Deployed

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PLAIN = YML["Eval"]["dataset"]["transforms"]
NAMES = ("paddleocr.TextDetection", "paddleocr.PaddleOCR", "paddleocr ocr", "paddlex pipeline", "predict_det")


def declared(operators: list[dict[str, Any]], post_process: dict[str, Any]) -> dict[str, dict[str, Any]]:
    by_name = {name: arguments or {} for each in operators for name, arguments in each.items()}
    stages = {"DecodeImage": "decode", "DetResizeForTest": "resize", "NormalizeImage": "tensor"}
    found = {stage: by_name[name] for name, stage in stages.items() if name in by_name}
    return {**found, "detections": post_process}


def deployed(yml: dict[str, Any] = YML, **values: Any) -> Deployed:
    written = declared(yml["Eval"]["dataset"]["transforms"], yml["PostProcess"])
    given = {"options": {}, "predict_options": {}, "written": written, **values}
    return Deployed(config=Path("export/inference.yml"), model_name="PP-OCRv4_mobile_det", **given)


def calls(train: dict[str, Any], export: Deployed | None = None, algorithm: str = "DB") -> dict[str, Call]:
    wanted = evaluated_parameters(train, Path("a.yml"))
    made = calls_of(wanted, export or deployed(train), algorithm, "export")
    return {name: next(call for call in made if name in call.api) for name in NAMES}


def with_operators(**operators: Any) -> dict[str, Any]:
    return edited(YML, Eval__dataset__transforms=transforms(**operators))


def with_post_process(**values: Any) -> dict[str, Any]:
    return edited(YML, PostProcess={**YML["PostProcess"], **values})


def arguments(call: Call) -> dict[str, Any]:
    """Return the keyword arguments of all calls in a text of Python."""
    found = [node for node in ast.walk(ast.parse(call.text)) if isinstance(node, ast.Call)]
    return {str(each.arg): ast.literal_eval(each.value) for node in found for each in node.keywords}


def flags(call: Call) -> dict[str, str]:
    words = [word for word in shlex.split(call.text.replace("\\\n", " ")) if word.startswith("--") or "=" not in word]
    joined = " ".join(words).replace("=", " ").split()
    return {word[2:]: joined[index + 1] for index, word in enumerate(joined) if word.startswith("--")}


THRESHOLDS = {"thresh": 0.3, "box_thresh": 0.6, "unclip_ratio": 1.5}


class TestOfAPlainFile:
    def test_text_detection(self) -> None:
        call = calls(YML)["paddleocr.TextDetection"]
        limits = {"limit_side_len": 736, "limit_type": "min", "max_side_limit": 100000}
        named = {"model_name": "PP-OCRv4_mobile_det", "model_dir": "export"}
        assert arguments(call) == {**named, **limits, **THRESHOLDS}
        assert (call.first, call.cannot) == ((), ())

    def test_the_general_pipeline(self) -> None:
        found = calls(YML)
        given = arguments(found["paddleocr.PaddleOCR"])
        assert given == {
            "text_detection_model_name": "PP-OCRv4_mobile_det",
            "text_detection_model_dir": "export",
            "text_det_limit_side_len": 736,
            "text_det_limit_type": "min",
            **{f"text_det_{name}": value for name, value in THRESHOLDS.items()},
            "use_doc_orientation_classify": False,
            "use_doc_unwarping": False,
        }
        assert {name: str(value) for name, value in given.items()} == flags(found["paddleocr ocr"])
        assert all("max_side_limit" in found[name].cannot[0] for name in ("paddleocr.PaddleOCR", "paddleocr ocr"))
        module = yaml.safe_load(found["paddlex pipeline"].text)["SubModules"]["TextDetection"]
        assert module["max_side_limit"] == 100000 and module["limit_side_len"] == 736 and module["box_thresh"] == 0.6
        assert found["paddlex pipeline"].cannot == ()

    def test_predict_det(self) -> None:
        call = calls(YML)["predict_det"]
        found = flags(call)
        assert (found["det_limit_side_len"], found["det_limit_type"], found["det_db_unclip_ratio"]) == (
            "736",
            "min",
            "1.5",
        )
        assert call.cannot == ()


def test_the_export_is_edited_where_only_its_file_says() -> None:
    train = with_post_process(max_candidates=20, use_dilation=True)
    train["Eval"]["dataset"]["transforms"][3]["NormalizeImage"]["mean"] = [0.5, 0.5, 0.5]
    found = calls(train, deployed(YML))["paddleocr.PaddleOCR"]
    assert found.first == (
        "in export/inference.yml, under NormalizeImage, set mean: [0.5, 0.5, 0.5] (leave its other keys)",
        "in export/inference.yml, under PostProcess, set max_candidates: 20, use_dilation: true (leave its other keys)",
    )
    assert calls(train)["paddleocr.PaddleOCR"].first == ()


def test_a_stronger_rule_in_the_export_is_taken_away() -> None:
    export = deployed(with_operators(DetResizeForTest={"image_shape": [640, 640]}))
    (first,) = calls(YML, export)["paddleocr.TextDetection"].first
    assert first == "in export/inference.yml, under DetResizeForTest, leave out image_shape (leave its other keys)"


def test_a_missing_decode_image_is_put_first() -> None:
    written = {name: each for name, each in deployed().written.items() if name != "decode"}
    (first,) = calls(YML, deployed(written=written))["paddleocr.TextDetection"].first
    assert (
        first
        == "in export/inference.yml, transform_ops, put first DecodeImage with img_mode: BGR, channel_first: false"
    )
    rgb = with_operators(DecodeImage={"img_mode": "RGB", "channel_first": False})
    assert calls(rgb, deployed(written=written))["paddleocr.TextDetection"].first == ()


def test_zero_thresholds_are_passed_as_a_small_number_but_to_predict_det() -> None:
    found = calls(with_post_process(box_thresh=0))
    assert arguments(found["paddleocr.TextDetection"])["box_thresh"] == 1e-9
    assert arguments(found["paddleocr.PaddleOCR"])["text_det_box_thresh"] == 1e-9
    assert float(flags(found["paddleocr ocr"])["text_det_box_thresh"]) == 1e-9
    assert flags(found["predict_det"])["det_db_box_thresh"] == "0"


IMAGE_SHAPE = with_operators(DetResizeForTest={"image_shape": [320, 480]})
CANNOT: list[tuple[str, dict[str, Any], str, str]] = [
    (
        "resize_long",
        with_operators(DetResizeForTest={"resize_long": 640}),
        "paddleocr.TextDetection",
        "no rule like re",
    ),
    (
        "resize_long",
        with_operators(DetResizeForTest={"resize_long": 640}),
        "paddlex pipeline",
        "no rule like resize_lo",
    ),
    (
        "resize_long",
        with_operators(DetResizeForTest={"resize_long": 640}),
        "predict_det",
        "resize_long: 640: it resize",
    ),
    ("image_shape", IMAGE_SHAPE, "predict_det", "image_shape: [320, 480]: it resizes by limits alone"),
    (
        "grey",
        with_operators(DecodeImage={"img_mode": "GRAY"}),
        "paddleocr.PaddleOCR",
        "img_mode: GRAY can't be deploye",
    ),
    ("grey", with_operators(DecodeImage={"img_mode": "GRAY"}), "predict_det", "img_mode: GRAY: it always reads BGR"),
    ("EXIF", with_operators(DecodeImage={"img_mode": "BGR", "ignore_orientation": True}), "paddleocr ocr", "EXIF tag"),
    ("candidates", with_post_process(max_candidates=20), "predict_det", "max_candidates: 20: it always takes 1000"),
    ("poly", with_post_process(box_type="poly"), "paddleocr.PaddleOCR", "box_type: poly stops it with a ValueError"),
    (
        "mean",
        with_operators(NormalizeImage={"mean": [0.5] * 3, "order": "hwc"}),
        "predict_det",
        "mean: [0.5, 0.5, 0.5]",
    ),
    ("half", with_operators(DetResizeForTest={"limit_side_len": 736.5}), "paddleocr ocr", "takes whole numbers only"),
]


@pytest.mark.parametrize(
    ("train", "api", "said"), [each[1:] for each in CANNOT], ids=[f"{e[0]}-{e[2]}" for e in CANNOT]
)
def test_what_an_api_cannot_do_is_said(train: dict[str, Any], api: str, said: str) -> None:
    assert any(said in each for each in calls(train)[api].cannot)
    assert not any(said in each for each in calls(YML)[api].cannot)


def test_a_fixed_shape_needs_neither_limits_nor_a_cap() -> None:
    found = calls(IMAGE_SHAPE)
    assert found["paddleocr.PaddleOCR"].cannot == ()
    assert not {"limit_side_len", "max_side_limit"} & arguments(found["paddleocr.TextDetection"]).keys()


def test_db_plus_plus_has_a_flag_of_its_own() -> None:
    mean = [0.48109378172549, 0.45752457890196, 0.40787054090196]
    train = with_operators(NormalizeImage={"mean": mean, "std": [1.0, 1.0, 1.0], "order": "hwc"})
    assert calls(train, algorithm="DB++")["predict_det"].cannot == ()
    assert flags(calls(train, algorithm="DB++")["predict_det"])["det_algorithm"] == "DB++"
    assert len(calls(train)["predict_det"].cannot) == 2


def test_the_settings_are_toml_and_keep_what_is_no_parameter() -> None:
    given = {"device": "cpu", "engine_config": {"run_mode": "paddle", "delete_pass": ["a"]}, "limit_side_len": 64}
    export = deployed(options=given, predict_options={"batch_size": 2, "thresh": 0.9}, name="fast")
    needs = needs_of(evaluated_parameters(YML, Path("a.yml")), export)
    table = tomllib.loads(settings_text(needs, export, 'ex"port', None))["tool"]["ocrparity"]["candidates"]["fast"]
    assert table == {
        "model_dir": 'ex"port',
        "options": {**given, "limit_side_len": 736, "limit_type": "min", **THRESHOLDS},
        "predict_options": {"batch_size": 2, "max_side_limit": 100000},
    }


RUNNING = {"device": "cpu", "engine": "onnxruntime"}


@pytest.mark.parametrize("name", NAMES[:2])
def test_what_runs_the_network_is_passed_on(name: str) -> None:
    given = arguments(calls(YML, deployed(options={**RUNNING, "thresh": 0.9}))[name])
    assert given.items() >= RUNNING.items()
    assert not arguments(calls(YML)[name]).keys() & RUNNING


def test_the_command_line_passes_it_on_too() -> None:
    words = shlex.split(calls(YML, deployed(options=RUNNING))["paddleocr ocr"].text.replace("\\\n", ""))
    assert words[words.index("--engine") + 1] == "onnxruntime" and words[words.index("--device") + 1] == "cpu"
    assert "--engine" not in calls(YML)["paddleocr ocr"].text


def test_what_a_way_can_not_pass_on_is_said() -> None:
    made = calls(YML, deployed(options={**RUNNING, "engine_config": {"cpu_threads": 2}}))
    assert "--engine_config" not in made["paddleocr ocr"].text
    assert any(each.startswith("engine_config: ") for each in made["paddleocr ocr"].cannot)
    assert not any("engine_config" in each for each in made["paddleocr.PaddleOCR"].cannot)
    (note,) = [each for each in made["paddlex pipeline"].notes if "device" in each]
    assert 'device="cpu", engine="onnxruntime"' in note
    assert not any("device" in each for each in calls(YML)["paddlex pipeline"].notes)
    assert any(each.startswith("engine onnxruntime: it runs Paddle Inference") for each in made["predict_det"].cannot)
    assert not any(
        "engine" in each for each in calls(YML, deployed(options={"engine": "paddle"}))["predict_det"].cannot
    )


@pytest.mark.parametrize(("device", "flag"), [("cpu", "False"), ("gpu", "True"), ("gpu:1", "True")])
def test_the_device_is_a_flag_of_predict_det(device: str, flag: str) -> None:
    assert flags(calls(YML, deployed(options={"device": device}))["predict_det"])["use_gpu"] == flag
    assert "use_gpu" not in flags(calls(YML)["predict_det"])
