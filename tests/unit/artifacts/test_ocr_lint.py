"""Findings about the options of `PaddleOCR`, each with a twin that says nothing."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_ocrparity.artifacts import ocr_lint, ocr_options
from pytest_ocrparity.artifacts.lint import lint_findings
from pytest_ocrparity.artifacts.ocr_lint import ocr_lint_findings

DETECTOR = {"limit_side_len": 64, "limit_type": "min", "thresh": 0.3, "box_thresh": 0.6, "unclip_ratio": 1.5}
PIPELINE = {"use_doc_preprocessor": False, "text_type": "general", "SubModules": {"TextDetection": DETECTOR}}
SAID = {"PostProcess": {"thresh": 0.3, "box_thresh": 0.6, "unclip_ratio": 1.5}}
BOTH = {"text_det_limit_side_len": 736, "text_det_limit_type": "min"}


def findings(said: dict[str, Any] | None = None, predict: dict[str, Any] | None = None, **options: Any) -> list[str]:
    given = {"paddlex_config": PIPELINE, **options}
    return list(ocr_lint_findings("inference.yml", {**SAID, **(said or {})}, given, predict or {}))


@pytest.mark.parametrize(
    ("wrong", "told", "right"),
    [
        (
            {"text_det_limit_type": "max"},
            "inference.options: text_det_limit_type = 'max' alone leaves limit_side_len = 64, which paddleocr.Paddle"
            "OCR has of its own: pass text_det_limit_side_len as well",
            {"text_det_limit_type": "max", "text_det_limit_side_len": 960},
        ),
        (
            {"text_det_limit_side_len": 960},
            "inference.options: text_det_limit_side_len = 960 alone leaves limit_type = 'min'",
            {"text_det_limit_side_len": 960, "predict": {"text_det_limit_type": "max"}},
        ),
        (
            {"said": {"PostProcess": {"unclip_ratio": 2.0}}},
            "inference.yml: paddleocr.PaddleOCR ignores unclip_ratio: 2.0 there, and takes 1.5 of its own: pass "
            "text_det_unclip_ratio in inference.options",
            {"said": {"PostProcess": {"unclip_ratio": 2.0}}, "text_det_unclip_ratio": 2.0},
        ),
        (
            {"said": {"DetResizeForTest": {"limit_side_len": 736}}},
            "paddleocr.PaddleOCR ignores limit_side_len: 736 there, and takes 64 of its own",
            {"said": {"DetResizeForTest": {"limit_side_len": 64}}},
        ),
        (
            {"text_det_box_thresh": 0},
            "paddleocr takes text_det_box_thresh = 0 for not given: pass a small number such as 1e-9",
            {"text_det_box_thresh": 1e-9},
        ),
        (
            {"predict": {"text_det_thresh": 0}},
            "inference.predict_options: paddleocr takes text_det_thresh = 0 for not given",
            {"predict": {"text_det_thresh": 0.3}},
        ),
        (
            {"predict": {"text_det_limit_side_len": 320}},
            "inference.predict_options: text_det_limit_side_len = 320 alone leaves limit_type = 'min'",
            {"predict": {"text_det_limit_side_len": 320, "text_det_limit_type": "max"}},
        ),
        (
            {"det_limit_side_len": 960},
            "inference.options: det_limit_side_len = 960 alone leaves limit_type = 'min'",
            {"det_limit_side_len": 960, "det_limit_type": "max"},
        ),
        (
            {"said": {"PostProcess": {"box_thresh": 0.9}}},
            "ignores box_thresh: 0.9 there, and takes 0.6 of its own",
            {"said": {"PostProcess": {"box_thresh": 0.9}}, "det_db_box_thresh": 0.9},
        ),
        (
            {"said": {"PostProcess": {"box_type": "poly"}}},
            "inference.yml: box_type: poly stops paddleocr.PaddleOCR with a ValueError",
            {"said": {"PostProcess": {"box_type": "quad"}}},
        ),
        (
            {"use_doc_orientation_classify": True, "use_doc_unwarping": True},
            "paddleocr.PaddleOCR has images turned and unwarped before detection, and its boxes are not mapped back: "
            "pass use_doc_orientation_classify=False, use_doc_unwarping=False unless you want that",
            {"use_doc_orientation_classify": False, "use_doc_unwarping": False},
        ),
    ],
)
def test_what_strikes_is_said_and_its_twin_is_not(
    wrong: dict[str, Any], told: str, right: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ocr_options, "MERGES_SWITCHES", True)
    (finding,) = findings(**wrong)
    assert told in finding
    assert findings(**right) == []


@pytest.mark.parametrize(("text_type", "runs"), [("general", 2.0), ("seal", 0.5)])
def test_what_the_configuration_lacks_depends_on_its_kind_of_text(text_type: str, runs: float) -> None:
    config = {"use_doc_preprocessor": False, "text_type": text_type}
    (finding,) = ocr_lint_findings(
        "inference.yml", {"PostProcess": {"unclip_ratio": 1.5}}, {"paddlex_config": config}, {}
    )
    assert f"ignores unclip_ratio: 1.5 there, and takes {runs} of its own" in finding
    said = {"PostProcess": {"unclip_ratio": runs}}
    assert list(ocr_lint_findings("inference.yml", said, {"paddlex_config": config}, {})) == []


def test_nothing_is_said_of_a_pipeline_that_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"PostProcess": {"unclip_ratio": 7.0}}
    if importlib.util.find_spec("paddlex") is not None:
        assert list(ocr_lint_findings("inference.yml", said, {}, {})) != []
    with monkeypatch.context() as patch:
        patch.setattr(importlib.util, "find_spec", lambda name: None)
        assert list(ocr_lint_findings("inference.yml", said, {}, {})) == []
    monkeypatch.setattr(ocr_lint, "base_ocr_options", lambda options: None)
    assert list(ocr_lint_findings("inference.yml", said, {}, {})) == []


def test_the_settings_of_a_candidate_decide_which_findings_are_made(tmp_path: Path) -> None:
    config = {
        "Global": {"model_name": "PP-OCRv5_mobile_det"},
        "PreProcess": {"transform_ops": [{"DetResizeForTest": {"limit_side_len": 736}}]},
        **SAID,
    }
    (tmp_path / "inference.yml").write_text(yaml.safe_dump(config))
    options = {"paddlex_config": PIPELINE}
    (full,) = lint_findings({}, {"model_dir": tmp_path, "api": "PaddleOCR", "options": options})
    assert "paddleocr.PaddleOCR ignores limit_side_len: 736 there" in full
    (alone,) = lint_findings({}, {"model_dir": tmp_path, "options": {}})
    assert "paddleocr 3.x ignores limit_side_len: 736 there" in alone
    right = {"model_dir": tmp_path, "api": "PaddleOCR", "options": {**options, **BOTH}}
    assert lint_findings({}, right) == []


def test_options_of_a_file_count(tmp_path: Path) -> None:
    config = {"Global": {"model_name": "m"}, "PreProcess": {"transform_ops": []}, **SAID}
    (tmp_path / "inference.yml").write_text(yaml.safe_dump(config))
    (tmp_path / "options.yaml").write_text("thresh: 0\n")
    (finding,) = lint_findings({}, {"model_dir": tmp_path, "options_file": tmp_path / "options.yaml"})
    assert "paddleocr takes thresh = 0 for not given" in finding
