"""Models are loaded once per process, and again where their files have changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from projects import settings_file

from pytest_ocrparity.session.models import golden_store_of_models, inference_model_problems, load_once
from pytest_ocrparity.settings import load_settings


def test_a_changed_file_is_another_model(tmp_path: Path) -> None:
    file = tmp_path / "inference.yml"

    def loaded() -> object:
        return load_once(str(tmp_path), [file, tmp_path / "missing"], object)

    file.write_text("unclip_ratio: 1.5")
    first = loaded()
    assert loaded() is first
    file.write_text("unclip_ratio: 3.5")
    os.utime(file, ns=(1, 1))
    assert loaded() is not first


def test_the_engine_of_a_setting_stands_among_the_options_of_a_baseline(tmp_path: Path) -> None:
    text = '[inference]\nmodel_dir = "inference"\nengine = "onnxruntime"\noptions = { device = "cpu" }'
    store = golden_store_of_models(load_settings(settings_file(tmp_path, text), {}, tmp_path))
    assert store.options["options"] == {"device": "cpu", "engine": "onnxruntime"}


FILE = 'model_dir = "inference"\noptions_file = "prod.yaml"\n'


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        (f'[inference]\n{FILE}engine = "paddle"\n', None, "inference.engine"),
        (f'[candidates.fast]\n{FILE}engine = "paddle"\n', "fast", "candidates.fast.engine"),
        (
            f'[inference]\nmodel_dir = "inference"\nengine = "paddle"\n[candidates.fast]\n{FILE}',
            "fast",
            "inference.engine",
        ),
    ],
    ids=["one table", "a candidate's", "an inherited engine"],
)
def test_two_engines_are_both_named(tmp_path: Path, text: str, name: str | None, said: str) -> None:
    (tmp_path / "prod.yaml").write_text("engine: onnxruntime\n")
    (problem, *_) = inference_model_problems(load_settings(settings_file(tmp_path, text), {}, tmp_path), name)
    assert problem.startswith(f"{said} is 'paddle', and {tmp_path}/prod.yaml, which ")
    assert problem.endswith("options_file names, has the engine 'onnxruntime': keep one")


@pytest.mark.parametrize(
    ("text", "name", "in_file"),
    [
        (f'[inference]\n{FILE}engine = "paddle"\n', None, "engine: paddle"),
        (f'[inference]\n{FILE}engine = "paddle"\n', None, "device: cpu"),
        (f"[inference]\n{FILE}", None, "engine: onnxruntime"),
        (f'[inference]\n{FILE}[candidates.other]\nengine = "paddle"\n', "other", "engine: onnxruntime"),
    ],
    ids=["the same", "none in the file", "none beside it", "a candidate that sets its own"],
)
def test_one_engine_is_no_problem(tmp_path: Path, text: str, name: str | None, in_file: str) -> None:
    (tmp_path / "prod.yaml").write_text(f"{in_file}\n")
    problems = inference_model_problems(load_settings(settings_file(tmp_path, text), {}, tmp_path), name)
    assert not any("keep one" in problem for problem in problems)


def test_a_value_that_a_candidate_inherits_is_corrected_where_it_stands(tmp_path: Path) -> None:
    text = '[inference]\nmodel_file = "none.onnx"\n[candidates.half]\noptions = { device = "tpu" }\n'
    found = "\n".join(inference_model_problems(load_settings(settings_file(tmp_path, text), {}, tmp_path), "half"))
    assert "inference.model_file" in found and "candidates.half.model_file" not in found
    assert "candidates.half.options: device is 'tpu'" in found
