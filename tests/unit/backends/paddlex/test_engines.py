"""The user's options of engines: which choose something, and how a fix takes them away."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_ocrparity.backends.paddlex.deployed import Deployed, Values
from pytest_ocrparity.backends.paddlex.engines import (
    other_engines,
    own_choices,
    without_choices,
    without_onednn,
    without_pass,
)
from pytest_ocrparity.diagnosis import Change


def given(options: Values) -> Deployed:
    return Deployed(config=Path("inference.yml"), written={}, options=options, predict_options={})


CHOSEN: list[tuple[Values, list[str], Values]] = [
    (
        {"precision": "fp16", "use_tensorrt": True},
        ["use_tensorrt", "precision"],
        {"use_tensorrt": None, "precision": None},
    ),
    (
        {"engine_config": {"run_mode": "mkldnn_bf16"}},
        ['engine_config.run_mode = "mkldnn_bf16"'],
        {"engine_config": None},
    ),
    (
        {"engine_config": {"run_mode": "mkldnn_bf16", "cpu_threads": 4}},
        ['engine_config.run_mode = "mkldnn_bf16"'],
        {"engine_config": {"cpu_threads": 4}},
    ),
    (
        {"engine_config": {"paddle_static": {"run_mode": "mkldnn_bf16", "cpu_threads": 4}, "onnxruntime": {}}},
        ['engine_config.paddle_static.run_mode = "mkldnn_bf16"'],
        {"engine_config": {"paddle_static": {"cpu_threads": 4}, "onnxruntime": {}}},
    ),
]


@pytest.mark.parametrize(("options", "named", "changed"), CHOSEN)
def test_a_choice_of_the_users_is_named_and_taken_away(options: Values, named: list[str], changed: Values) -> None:
    fix = without_choices(given(options))
    assert all(name in fix.text for name in named)
    assert fix.changes == (Change("inference.options", changed),)


@pytest.mark.parametrize("options", [{}, {"cpu_threads": 4}, {"engine_config": {"cpu_threads": 4}}, {"device": "cpu"}])
def test_what_changes_no_computation_is_no_choice(options: Values) -> None:
    assert own_choices(options) == {}
    with pytest.raises(ValueError, match="changes nothing"):
        without_choices(given(options))


@pytest.mark.parametrize(
    ("options", "changed", "told"),
    [
        ({}, {"enable_mkldnn": False}, "pass enable_mkldnn=False"),
        (
            {"engine_config": {"cpu_threads": 4}},
            {"engine_config": {"cpu_threads": 4, "run_mode": "paddle"}},
            'pass an engine_config with run_mode = "paddle" to paddleocr.TextDetection; for this test',
        ),
        (
            {"engine_config": {"paddle_static": {"run_mode": "mkldnn"}}},
            {"engine_config": {"paddle_static": {"run_mode": "paddle"}}},
            'run_mode = "paddle" in the place of "mkldnn" to paddleocr.TextDetection; for this test',
        ),
    ],
)
def test_onednn_is_switched_off_where_the_user_chose_it(options: Values, changed: Values, told: str) -> None:
    fix = without_onednn(given(options))
    assert fix.changes == (Change("inference.options", changed),)
    assert told in fix.text


@pytest.mark.parametrize(
    ("options", "written"),
    [
        ({}, '{ run_mode = "mkldnn", cpu_threads = 8, delete_pass = ["NAME_OF_THE_PASS"] }'),
        (
            {"engine_config": {"paddle_static": {"cpu_threads": 4}}},
            '{ paddle_static = { cpu_threads = 4, delete_pass = ["NAME_OF_THE_PASS"] } }',
        ),
    ],
)
def test_a_pass_is_left_out_beside_what_the_user_wrote(options: Values, written: str) -> None:
    assert f"engine_config = {written} in inference.options" in without_pass(given(options), RUNNING).text


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"factory": "app.ocr:make"}, "where app.ocr:make makes its paddleocr.TextDetection"),
        ({"options_file": Path("conf/prod.yaml")}, "in prod.yaml, which the deployment reads (inference.options_file)"),
        (
            {
                "options_file": Path("conf/prod.yaml"),
                "options": {"engine_config": {"cpu_threads": 4}},
                "from_file": frozenset({"engine_config"}),
            },
            "in prod.yaml, which the deployment reads (inference.options_file)",
        ),
        (
            {"options_file": Path("conf/prod.yaml"), "options": {"engine_config": {"cpu_threads": 4}}},
            "in inference.options and in the deployment",
        ),
    ],
    ids=["factory", "options file", "set in the file", "set beside the file"],
)
def test_a_pass_is_left_out_where_the_user_has_options(fields: Any, place: str) -> None:
    text = without_pass(replace(given({}), **fields), RUNNING).text
    assert text.endswith(f"}} {place}")


RUNNING = {"engine": "mkldnn", "cpu_threads": 8}


def test_the_last_way_alone_runs_the_program_without_passes() -> None:
    files: Any = SimpleNamespace(files=(), program=Path("inference.json"), folder=Path("export"))
    deployed = given({"engine_config": {"run_mode": "mkldnn_bf16"}})
    ways = list(other_engines(files, deployed, RUNNING, {"engine_config"}, lambda changed, tensor: tensor))
    assert [(way.cause, way.keeps_passes) for way in ways] == [
        ("engine.optimization", True),
        ("engine.onednn", True),
        ("engine.optimization", False),
    ]


def test_of_another_engine_no_pass_is_told() -> None:
    assert "engine_config" not in without_pass(given({}), {"engine": "onnxruntime"}).text
