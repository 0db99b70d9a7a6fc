"""What the files alone tell, before any model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from paths import EXAMPLE

from pytest_ocrparity.artifacts.lint import lint_findings


def findings(tmp_path: Path, **changes: Any) -> list[str]:
    """Return what is found in the example's files after changes of "train.operator", "export.operator" or options."""
    train = yaml.safe_load((EXAMPLE / "configs" / "tiny_db.yml").read_text())
    export = yaml.safe_load((EXAMPLE / "inference" / "inference.yml").read_text())
    sides = {
        "train": (train, train["Eval"]["dataset"]["transforms"]),
        "export": (export, export["PreProcess"]["transform_ops"]),
    }
    options, api = changes.pop("options", {}), changes.pop("api", "TextDetection")
    for place, arguments in changes.items():
        document, transforms = sides[place.partition("__")[0]]
        name = place.partition("__")[2]
        entry = next((entry for entry in transforms if name in entry), None)
        if name in ("Global", "PostProcess"):
            document[name] = arguments if arguments is None else {**document[name], **arguments}
        elif entry is not None:
            entry[name] = {**(entry[name] or {}), **arguments}
        else:
            transforms.append({name: arguments})
    (tmp_path / "train.yml").write_text(yaml.safe_dump(train))
    (tmp_path / "inference").mkdir()
    (tmp_path / "inference" / "inference.yml").write_text(yaml.safe_dump(export))
    settings = {"model_dir": tmp_path / "inference", "options": options, "api": api}
    return lint_findings({"config": tmp_path / "train.yml"}, settings)


def test_right_files_say_nothing(tmp_path: Path) -> None:
    assert findings(tmp_path) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"train__ColorJitter": {}}, "holds ColorJitter, a random operator: evaluation must not have it"),
        ({"export__ColorJitter": {}}, "which paddleocr 3.x does not run"),
        ({"train__Global": {"limit_side_len": 640}}, "Global.limit_side_len reaches every operator"),
        ({"export__DetResizeForTest": {"limit_side_len": 736}}, "ignores limit_side_len: 736 there: pass it in"),
        (
            {"export__DetResizeForTest": {"image_shape": [640, 640]}, "options": {"limit_side_len": 736}},
            "image_shape: [640, 640] switches off the limits in inference.options",
        ),
        ({"options": {"box_thresh": 0}}, "paddleocr takes box_thresh = 0 for not given"),
        ({"export__Global": None}, "has no Global.model_name: set inference.model_name"),
        ({"train__PostProcess": {"det_box_type": "poly"}}, "PostProcess.det_box_type is ignored: the key is box_type"),
        (
            {"export__NormalizeImage": {"scale": 1.0}},
            "NormalizeImage.scale: 1./255. in the training YAML file, 1.0 in inference.yml",
        ),
        (
            {"train__PostProcess": {"use_dilation": True}},
            "PostProcess.use_dilation: True in the training YAML file, not set in inference.yml",
        ),
    ],
)
def test_one_wrong_thing_is_told(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    assert any(told in finding for finding in findings(tmp_path, **changes))


@pytest.mark.parametrize(("export", "differ"), [("inference_rec", False), ("inference_pdmodel", True)])
def test_files_of_two_tasks_are_not_compared(tmp_path: Path, export: str, differ: bool) -> None:
    """Their difference is said once, where they are refused."""
    train = yaml.safe_load((EXAMPLE / "configs" / "tiny_db.yml").read_text())
    train["PostProcess"]["thresh"] = 0.4
    (tmp_path / "train.yml").write_text(yaml.safe_dump(train))
    found = lint_findings({"config": tmp_path / "train.yml"}, {"model_dir": EXAMPLE / export})
    assert any("PostProcess.thresh: 0.4" in each for each in found) is differ


def test_two_programs_are_told_with_their_age(tmp_path: Path) -> None:
    import os

    for name, age in (("inference.json", 100), ("inference.pdmodel", 0)):
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (1e9 - age, 1e9 - age))
    (told,) = lint_findings({}, {"model_dir": tmp_path})
    assert told.endswith("holds two programs: paddle runs the older inference.json")


def test_what_cannot_be_read_is_left_to_the_loader(tmp_path: Path) -> None:
    (tmp_path / "train.yml").write_text("Eval: 3")
    assert lint_findings({"config": tmp_path / "train.yml"}, {"model_dir": tmp_path / "nowhere"}) == []
    assert lint_findings({}, {}) == []


@pytest.mark.parametrize(
    ("options", "idle"),
    [
        ({"device": "cpu", "use_tensorrt": True}, ["use_tensorrt = true on a CPU"]),
        ({"precision": "fp16"}, ['precision = "fp16" without use_tensorrt']),
        (
            {"engine": "onnxruntime", "use_tensorrt": True, "precision": "fp16"},
            ['use_tensorrt = true with engine = "onnxruntime"', 'precision = "fp16" with engine = "onnxruntime"'],
        ),
        ({"device": "gpu", "precision": "fp16", "engine_config": {}}, ['precision = "fp16" beside engine_config']),
        ({"device": "gpu", "use_tensorrt": True, "precision": "fp16"}, []),
        ({"use_tensorrt": True}, []),
        ({"device": "cpu", "use_tensorrt": False, "precision": "fp32"}, []),
    ],
    ids=["cpu", "precision", "onnxruntime", "engine_config", "tensorrt", "unknown-device", "usual"],
)
@pytest.mark.parametrize("api", ["TextDetection", "PaddleOCR"])
def test_an_engine_that_is_asked_for_and_passed_over_is_told(
    tmp_path: Path, options: dict[str, Any], idle: list[str], api: str
) -> None:
    found = [text for text in findings(tmp_path, options=options, api=api) if "passes over" in text]
    assert found == [f"inference.options: paddleocr passes over {each}: the network runs without it" for each in idle]
