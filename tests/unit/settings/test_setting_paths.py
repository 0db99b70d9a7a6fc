"""Paths inside of options, which candidate inherits what, and what stands beside a factory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from projects import settings_file

from pytest_ocrparity.errors import OptionError, SettingsError
from pytest_ocrparity.settings import load_settings
from pytest_ocrparity.settings.setting_paths import with_absolute_option_paths


def values(tmp_path: Path, text: str, **options: Any) -> dict[str, dict[str, Any]]:
    settings = load_settings(settings_file(tmp_path, text), options, tmp_path)
    return {name: dict(each.values) for name, each in settings.candidates.items()}


def test_paths_inside_of_options_start_at_the_settings_file(tmp_path: Path) -> None:
    text = '[inference]\nmodel_dir = "m"\noptions_file = "../ocr.yaml"\n[inference.options]\n'
    text += 'paddlex_config = "conf/p.yaml"\ntext_recognition_model_dir = "../rec"\nengine = "paddle"\n'
    found = values(tmp_path, text)["inference"]
    assert found["options"] == {
        "paddlex_config": str(tmp_path / "conf" / "p.yaml"),
        "text_recognition_model_dir": str(tmp_path.parent / "rec"),
        "engine": "paddle",
    }
    assert found["options_file"] == tmp_path.parent / "ocr.yaml"
    assert found["folder"] == tmp_path


@pytest.mark.parametrize(
    ("name", "value"),
    [("paddlex_config", "PP-StructureV3"), ("paddlex_config", {"a": 1}), ("x_model_dir", ""), ("limit_type", "a.yaml")],
)
def test_what_is_no_path_stays(name: str, value: Any) -> None:
    assert with_absolute_option_paths({name: value}, Path("/somewhere")) == {name: value}


def test_the_dictionary_of_a_script_starts_at_the_settings_file() -> None:
    given = {"rec_char_dict_path": "dict.txt"}
    assert with_absolute_option_paths(given, Path("/somewhere")) == {"rec_char_dict_path": "/somewhere/dict.txt"}


def test_without_a_folder_nothing_changes() -> None:
    assert with_absolute_option_paths({"rec_model_dir": "a"}, None) == {"rec_model_dir": "a"}


def test_a_candidate_of_another_class_inherits_the_model_alone(tmp_path: Path) -> None:
    text = '[inference]\nmodel_dir = "m"\nmodel_name = "n"\noptions = { thresh = 0.4 }\n'
    text += '[candidates.full]\napi = "PaddleOCR"\n[candidates.same]\npredict_options = { thresh = 0.3 }\n'
    text += '[candidates.plain]\napi = "TextDetection"\n'
    found = values(tmp_path, text)
    model = {"model_dir": tmp_path / "m", "model_name": "n"}
    assert found["full"] == {**model, "api": "PaddleOCR"}
    assert found["same"] == {**model, "options": {"thresh": 0.4}, "predict_options": {"thresh": 0.3}}
    assert found["plain"] == {**model, "options": {"thresh": 0.4}, "api": "TextDetection"}


def test_a_factory_inherits_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    text = '[inference]\nmodel_dir = "m"\noptions = { thresh = 0.4 }\n[candidates.made]\nfactory = "app:make"\n'
    assert values(tmp_path, text)["made"] == {"factory": "app:make", "folder": tmp_path}
    text = '[inference]\nfactory = "app:make"\npredict_options = { thresh = 0.4 }\n'
    text += '[candidates.dir]\nmodel_dir = "m"\n[candidates.too]\npredict_options = { thresh = 0.3 }\n'
    found = values(tmp_path, text)
    assert found["dir"] == {"model_dir": tmp_path / "m"}
    assert found["too"] == {"factory": "app:make", "folder": tmp_path, "predict_options": {"thresh": 0.3}}


@pytest.mark.parametrize("key", ["model_dir", "options", "api", "model_name", "options_file"])
def test_what_changes_nothing_beside_a_factory_is_refused(tmp_path: Path, key: str) -> None:
    value = {"options": "{ thresh = 0.3 }", "api": '"PaddleOCR"'}.get(key, '"m"')
    with pytest.raises(SettingsError) as refused:
        values(tmp_path, f'[inference]\nfactory = "app:make"\n{key} = {value}\n')
    told = (
        f"inference.factory = 'app:make' returns the object that production calls, which has its own {key}: beside it"
    )
    assert told in str(refused.value)
    assert values(tmp_path, '[inference]\nfactory = "app:make"\npredict_options = { thresh = 0.3 }\n')


def test_the_option_of_a_folder_is_refused_beside_a_factory(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"--ocr-inference-dir=m: inference\.factory returns an object that has its"):
        values(tmp_path, '[inference]\nfactory = "app:make"\n', ocr_inference_dir="m")


def test_an_unknown_class_is_refused_with_those_that_are_known(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"inference\.api is one of TextDetection, PaddleOCR"):
        values(tmp_path, '[inference]\nmodel_dir = "m"\napi = "PaddleOcr"\n')
