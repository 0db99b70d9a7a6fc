"""The settings of what runs the network: an engine of paddleocr's class, or a bare file."""

from __future__ import annotations

from pathlib import Path

import pytest
from projects import settings_file

from pytest_ocrparity.errors import SettingsError
from pytest_ocrparity.settings import Settings, load_settings
from pytest_ocrparity.settings.engine_settings import is_other_side, with_engine_setting


def settings(folder: Path, text: str, **options: str) -> Settings:
    return load_settings(settings_file(folder, text), options, folder)


def test_the_engine_is_handed_on_as_an_option_of_the_class() -> None:
    assert with_engine_setting({"model_dir": 1, "engine": "onnxruntime"}) == {
        "model_dir": 1,
        "options": {"engine": "onnxruntime"},
    }
    both = with_engine_setting({"options": {"thresh": 0.3}, "engine": "paddle"})
    assert both == {"options": {"thresh": 0.3, "engine": "paddle"}}
    assert with_engine_setting({"options": {"thresh": 0.3}}) == {"options": {"thresh": 0.3}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            'engine = "openvino"\nmodel_dir = "a"\ndevice = "GPU"',
            r"inference\.device is no setting; what the deployment itself is given stands in options; known: api, ",
        ),
        ('engine = "tensorrt"', "engine is one of paddle, onnxruntime, openvino, not 'tensorrt'"),
        (
            'engine = "onnxruntime"\noptions = { engine = "onnxruntime" }',
            "inference.engine is 'onnxruntime', and .*inference.options has an engine too",
        ),
        ('model_file = "net.pdmodel"', "model_file is 'net.pdmodel', not an .onnx file"),
        ('model_file = "net.onnx"\nengine = "paddle"', "engine is 'paddle', and an .onnx file runs on onnxruntime"),
        ('model_file = "net.onnx"\nmodel_dir = "inference"', "where model_dir does nothing: remove one of the two"),
        ('model_file = "net.onnx"\npredict_options = {}', "where predict_options does nothing"),
        ('model_file = "net.onnx"\napi = "TextDetection"', "where api does nothing"),
        ('api = "results"\nresults = "{stem}.json"\nengine = "paddle"', 'engine does nothing with api = "results"'),
        ('paddleocr_root = "x"', 'paddleocr_root means something with api = "predict_det" or "predict_rec" alone'),
        (
            'api = "predict_det"\nengine = "onnxruntime"',
            "engine does nothing with api = 'predict_det': what the script",
        ),
        ('api = "predict_rec"\npredict_options = {}', "predict_options does nothing with api = 'predict_rec'"),
        ('api = "predict_det"\nmodel_file = "net.onnx"', "model_file runs by itself, where api does nothing"),
        ('api = "rapidocr"', r"inference\.api is 'rapidocr', and model_file, which names its \.onnx file, is not set"),
        ('engine = "openvino"\napi = "PaddleOCR"', "api does nothing with engine = 'openvino'"),
        ('engine = "openvino"\nmodel_dir = "x"\noptions_file = "y"', "options_file does nothing with engine = 'openv"),
    ],
)
def test_what_contradicts_itself_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        settings(tmp_path, f"[inference]\n{text}")


def test_a_bare_file_is_a_path_and_may_name_its_engine(tmp_path: Path) -> None:
    values = settings(tmp_path, '[inference]\nmodel_file = "out/net.onnx"\nengine = "onnxruntime"').candidates
    assert values["inference"].values["model_file"] == tmp_path / "out" / "net.onnx"


FOLDER = '[inference]\nmodel_dir = "inference"\noptions = { enable_mkldnn = false }\n'


def test_a_candidate_with_an_engine_inherits_and_one_with_a_bare_file_does_not(tmp_path: Path) -> None:
    text = f'{FOLDER}[candidates.onnx]\nengine = "onnxruntime"\n[candidates.bare]\nmodel_file = "net.onnx"\n'
    found = settings(tmp_path, text).candidates
    assert found["onnx"].values.keys() == {"model_dir", "options", "engine"}
    assert found["bare"].values == {"model_file": tmp_path / "net.onnx"}


def test_a_folder_beside_a_bare_file_as_inference_inherits_nothing(tmp_path: Path) -> None:
    text = '[inference]\nmodel_file = "net.onnx"\noptions = { thresh = 0.3 }\n'
    text += '[candidates.folder]\nmodel_dir = "inference"\n[candidates.other]\noptions = { thresh = 0.2 }\n'
    found = settings(tmp_path, text).candidates
    assert found["folder"].values == {"model_dir": tmp_path / "inference"}
    assert found["other"].values == {"model_file": tmp_path / "net.onnx", "options": {"thresh": 0.2}}


def test_a_file_is_not_inherited_by_what_is_of_a_class(tmp_path: Path) -> None:
    text = '[inference]\nmodel_file = "net.onnx"\n[candidates.b]\npredict_options = { thresh = 0.2 }\n'
    assert settings(tmp_path, text).candidates["b"].values.keys() == {"predict_options"}


@pytest.mark.parametrize(
    ("own", "inherited"),
    [
        ('options = { engine = "onnxruntime" }', 'engine = "paddle"'),
        ('engine = "onnxruntime"', 'options = { engine = "paddle" }'),
    ],
)
def test_the_engine_that_a_candidate_names_itself_wins(tmp_path: Path, own: str, inherited: str) -> None:
    text = f'[inference]\nmodel_dir = "a"\n{inherited}\n[candidates.b]\n{own}\n'
    values = with_engine_setting(settings(tmp_path, text).candidates["b"].values)
    assert values["options"] == {"engine": "onnxruntime"}


def test_another_class_inherits_the_engine(tmp_path: Path) -> None:
    text = '[inference]\nmodel_dir = "a"\nengine = "onnxruntime"\n[candidates.b]\napi = "PaddleOCR"\n'
    assert settings(tmp_path, text).candidates["b"].values["engine"] == "onnxruntime"


def test_the_option_of_a_folder_does_not_replace_a_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--ocr-inference-dir=out: the settings name a single file"):
        settings(tmp_path, '[inference]\nmodel_file = "net.onnx"', ocr_inference_dir="out")


def test_what_a_candidate_inherits_is_wrong_in_the_inference_table(tmp_path: Path) -> None:
    text = '[inference]\nmodel_file = "net.pdmodel"\n[candidates.half]\noptions = {}\n'
    with pytest.raises(SettingsError) as refused:
        settings(tmp_path, text)
    (line,) = str(refused.value).splitlines()
    assert "inference.model_file is 'net.pdmodel', not an .onnx file" in line
    text = '[inference]\nmodel_dir = "inference"\n[candidates.half]\nmodel_file = "net.pdmodel"\n'
    with pytest.raises(SettingsError, match=r"candidates\.half\.model_file is 'net.pdmodel'"):
        settings(tmp_path, text)


def test_a_candidate_knows_what_it_inherits(tmp_path: Path) -> None:
    text = f'{FOLDER}[candidates.onnx]\nengine = "onnxruntime"\noptions = {{}}\n'
    found = settings(tmp_path, text).candidates
    assert (found["onnx"].inherited, found["inference"].inherited) == (frozenset({"model_dir"}), frozenset())


OTHERS = """
[inference]
model_dir = "inference"
options = { enable_mkldnn = false }
[candidates.script]
api = "predict_det"
options = { det_limit_type = "min" }
[candidates.openvino]
engine = "openvino"
[candidates.rapid]
api = "rapidocr"
model_file = "net.onnx"
"""


def test_what_runs_otherwise_inherits_the_folder_alone(tmp_path: Path) -> None:
    found = {name: each.values for name, each in settings(tmp_path, OTHERS).candidates.items()}
    folder = tmp_path / "inference"
    assert found["script"] == {"api": "predict_det", "model_dir": folder, "options": {"det_limit_type": "min"}}
    assert found["openvino"] == {"engine": "openvino", "model_dir": folder}
    assert found["rapid"] == {"api": "rapidocr", "model_file": tmp_path / "net.onnx"}
    assert [is_other_side(values) for values in found.values()] == [False, True, True, True]


def test_candidates_of_a_script_have_its_flags_and_a_class_beside_it_has_not(tmp_path: Path) -> None:
    text = """
    [inference]
    api = "predict_det"
    model_dir = "inference"
    options = { det_limit_type = "min" }
    [candidates.other]
    model_dir = "other"
    [candidates.plain]
    api = "TextDetection"
    """
    found = {name: each.values for name, each in settings(tmp_path, text).candidates.items()}
    assert found["other"]["options"] == {"det_limit_type": "min"}
    assert found["plain"] == {"api": "TextDetection", "model_dir": tmp_path / "inference"}
