"""Options of paddleocr's classes as files show them: a file of options, a pipeline's YAML file, absent models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from pytest_ocrparity.artifacts import ocr_options
from pytest_ocrparity.artifacts.ocr_options import (
    absent_models_of_ocr_options,
    all_ocr_options,
    base_ocr_options,
    detection_pipeline,
    models_of_ocr_options,
    ocr_option_problems,
    ocr_options_not_judged,
    read_ocr_options,
    without_ocr_options,
)
from pytest_ocrparity.errors import ModelError

PIPELINE = {
    "use_doc_preprocessor": False,
    "use_textline_orientation": True,
    "SubModules": {"TextLineOrientation": {"model_name": "lines", "model_dir": None}, "TextDetection": {"thresh": 0.2}},
}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PADDLE_PDX_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "official_models"


@pytest.mark.parametrize("name", ["ocr.yaml", "ocr.yml", "ocr.json"])
def test_a_file_of_options_is_read_and_the_settings_win(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    document = {"thresh": 0.3, "text_recognition_model_dir": "rec", "paddlex_config": "p.yaml"}
    file.write_text(json.dumps(document) if name.endswith("json") else yaml.safe_dump(document))
    assert all_ocr_options({"thresh": 0.4}, file, tmp_path) == {
        "thresh": 0.4,
        "text_recognition_model_dir": str(tmp_path / "rec"),
        "paddlex_config": str(tmp_path / "p.yaml"),
    }


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("ocr.json", "[1]", "ocr.json holds no mapping of options to their values, but list"),
        ("ocr.json", "{", "ocr.json is no JSON"),
        ("ocr.yaml", "- 1", "ocr.yaml"),
        ("gone.json", None, "gone.json: cannot read this options file: No such file"),
        ("gone.yaml", None, "gone.yaml: cannot read this YAML file: No such file"),
    ],
)
def test_a_file_that_is_no_file_of_options_is_named(tmp_path: Path, name: str, text: str | None, told: str) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(ModelError) as refused:
        read_ocr_options(tmp_path / name)
    assert told in str(refused.value)


def test_a_pipeline_is_paddlexs_own_or_the_users(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(yaml.safe_dump(PIPELINE))
    assert base_ocr_options({"paddlex_config": str(file)}) == PIPELINE
    assert base_ocr_options({"paddlex_config": PIPELINE}) == PIPELINE
    whole = {"SubPipelines": {"GeneralOCR": PIPELINE}}
    assert detection_pipeline(whole) == PIPELINE
    with pytest.raises(ModelError, match="cannot read"):
        base_ocr_options({"paddlex_config": str(tmp_path / "gone.yaml")})


def test_a_model_is_absent_where_neither_option_nor_cache_has_it(cache: Path, tmp_path: Path) -> None:
    options = {"paddlex_config": PIPELINE}
    assert [each.name for each in absent_models_of_ocr_options(options, {})] == ["lines"]
    assert absent_models_of_ocr_options({**options, "textline_orientation_model_dir": str(tmp_path)}, {}) == []
    assert absent_models_of_ocr_options({**options, "use_textline_orientation": False}, {}) == []
    assert absent_models_of_ocr_options(options, {"use_textline_orientation": False}) == []
    (cache / "lines").mkdir(parents=True)
    assert absent_models_of_ocr_options(options, {}) == []


@pytest.mark.parametrize(("version", "merges"), [("3.3.1", False), ("3.4.0", True), ("4", True)])
def test_the_switches_decide_on_the_whole_preprocessor_where_paddleocr_merges_them(
    monkeypatch: pytest.MonkeyPatch, version: str, merges: bool
) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda name: version)
    assert ocr_options.is_paddleocr_merging_switches() == merges
    monkeypatch.setattr(ocr_options, "MERGES_SWITCHES", merges)
    orientation, unwarping = "use_doc_orientation_classify", "use_doc_unwarping"

    def running(options: dict[str, bool], *, has_preprocessor: bool) -> list[str]:
        config = {"use_doc_preprocessor": has_preprocessor, "use_textline_orientation": False}
        return [each.switch for each in models_of_ocr_options(config, options, {})]

    assert running({unwarping: False}, has_preprocessor=True) == ([] if merges else [orientation])
    assert running({orientation: True}, has_preprocessor=False) == ([orientation, unwarping] if merges else [])


@pytest.mark.parametrize(
    ("former", "absent"),
    [
        ({"use_angle_cls": True}, ["lines"]),
        ({"use_angle_cls": None}, ["lines"]),
        ({"use_angle_cls": False}, []),
        ({"use_angle_cls": True, "cls_model_dir": "lines"}, []),
    ],
)
def test_an_argument_counts_by_its_former_name(former: dict[str, object], absent: list[str]) -> None:
    assert [each.name for each in absent_models_of_ocr_options({"paddlex_config": PIPELINE, **former}, {})] == absent


def test_both_models_of_the_preprocessor_are_one_line() -> None:
    options = {"paddlex_config": {"use_textline_orientation": False, "SubModules": {}}}
    (line,) = ocr_options_not_judged(options, {})
    assert line.startswith("document preprocessor: on in your deployment, not judged, its models are not here (DocOr")
    (line,) = ocr_options_not_judged({**options, "use_doc_orientation_classify": True, "use_doc_unwarping": False}, {})
    assert "its model is not here (DocOrientationClassify)" in line
    assert (
        ocr_options_not_judged({**options, "use_doc_unwarping": False, "use_doc_orientation_classify": False}, {}) == []
    )


def test_a_folder_of_an_option_that_is_not_there_is_named(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone")
    assert ocr_option_problems({"text_recognition_model_dir": gone, "paddlex_config": f"{gone}.yaml"}) == [
        f"inference.options: text_recognition_model_dir = {gone}: no such folder",
        f"inference.options: paddlex_config = {gone}.yaml: no such file",
    ]
    assert ocr_option_problems({"text_recognition_model_dir": str(tmp_path), "paddlex_config": "OCR"}) == []


def test_options_of_the_engine_are_what_every_class_takes() -> None:
    options = {"device": "cpu", "enable_mkldnn": False, "text_det_thresh": 0.3, "det_db_thresh": 0.3, "lang": "en"}
    options |= {"use_doc_unwarping": False, "paddlex_config": "p.yaml", "limit_type": "min"}
    assert without_ocr_options(options) == {"device": "cpu", "enable_mkldnn": False, "limit_type": "min"}


@pytest.mark.parametrize("name", ["x" * 5000, "\0", "\ud83d"], ids=["long", "nul", "half a pair"])
def test_a_name_that_no_file_can_have_is_not_there(name: str) -> None:
    modules = {"TextLineOrientation": {"model_name": name}}
    config = {"use_doc_preprocessor": False, "use_textline_orientation": True, "SubModules": modules}
    (absent,) = absent_models_of_ocr_options({"paddlex_config": config}, {})
    assert absent.name == name
    assert len(ocr_option_problems({"textline_orientation_model_dir": name, "paddlex_config": f"{name}.yml"})) == 2
