"""The matrix of the example: Paddle plain and with oneDNN, ONNX Runtime, reduced precision; and what must fail."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_ocrparity.backends.isolation import isolated
from real.blob import operators_root
from real.test_example import EXAMPLE, change, run

MATRIX = "--ocr-config=matrix.toml"
IMAGES = 3
THREE = [f"--ocr-images=images/{name}" for name in ("blank.png", "receipt.png", "dense.png")]


@pytest.fixture
def matrix(pytester: pytest.Pytester, train: Any, inference: Any) -> pytest.Pytester:
    """A copy of the example, to run under matrix.toml; the frameworks are loaded already."""
    pytest.importorskip("onnxruntime")
    shutil.copytree(EXAMPLE, pytester.path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("report"))
    change(pytester, "matrix.toml", "../.venv/paddleocr-2.10/paddleocr", str(operators_root()))
    with isolated():
        import paddle

    if paddle.__version__.startswith("3.3."):  # its oneDNN crashes, which tests/faults has as case E2
        change(pytester, "matrix.toml", "enable_mkldnn = true", "enable_mkldnn = false")
    return pytester


def statuses(project: pytest.Pytester) -> dict[str, set[str]]:
    """Return how the detections of each candidate ended."""
    results = json.loads((project.path / "report" / "results.json").read_text())
    found: dict[str, set[str]] = {}
    for each in results["comparisons"]:
        if each["kind"] == "detections":
            found.setdefault(each["candidate"], set()).add(each["status"])
    return found


def test_all_engines_pass_by_their_limits(matrix: pytest.Pytester) -> None:
    result = run(matrix, MATRIX, *THREE, "-k", "training")
    result.assert_outcomes(passed=4 * IMAGES, deselected=4 * IMAGES)
    assert statuses(matrix) == {name: {"same", "empty"} for name in ("inference", "onednn", "onnx", "fp16")}
    results = json.loads((matrix.path / "report" / "results.json").read_text())
    engines = {
        (each["candidate"], parameter["candidate"])
        for each in results["comparisons"]
        for parameter in each["parameters"]
        if parameter["name"] == "engine"
    }
    assert {("inference", "paddle"), ("onnx", "onnxruntime"), ("fp16", "paddle")} <= engines


def test_candidates_of_the_recogniser_pass_and_fail_by_themselves(matrix: pytest.Pytester) -> None:
    args = ("-p", "no:xdist", MATRIX, "tests/test_recogniser.py", "-k", "training and (price or colours)")
    matrix.runpytest_inprocess(*args).assert_outcomes(passed=4, deselected=92)
    candidate = 'onednn]\noptions = { device = "cpu"'
    text = (matrix.path / "matrix.toml").read_text()
    assert text.count(candidate) == 1  # the detector's has limits before it
    (matrix.path / "matrix.toml").write_text(text.replace(candidate, candidate + ", input_shape = [3, 32, 160]"))
    result = matrix.runpytest_inprocess(*args)
    result.assert_outcomes(passed=2, failed=2, deselected=92)
    result.stdout.fnmatch_lines(["E *first difference at resize: * in train, * in onednn*"])


BARE = """
[candidates.engine]
model_dir = "inference_onnx"
options = { limit_side_len = 736, limit_type = "min" }
engine = "onnxruntime"

[candidates.bare]
model_file = "inference_onnx/inference.onnx"
options = { limit_side_len = 736, limit_type = "min" }
"""


def test_an_engine_and_a_bare_file_are_candidates(matrix: pytest.Pytester) -> None:
    whole = (matrix.path / "matrix.toml").read_text()
    start, end = whole.index("# What a candidate leaves out"), whole.index("[report]")
    (matrix.path / "matrix.toml").write_text(whole[:start] + BARE + whole[end:])
    run(matrix, MATRIX, *THREE, "-k", "training").assert_outcomes(passed=3 * IMAGES, deselected=3 * IMAGES)
    assert statuses(matrix) == {name: {"same", "empty"} for name in ("inference", "engine", "bare")}
    config = "inference_onnx/inference.yml"
    change(matrix, config, "unclip_ratio: 1.5", "unclip_ratio: 2.0")
    result = run(matrix, MATRIX, *THREE, "-k", "training and receipt")
    result.assert_outcomes(passed=1, failed=2, deselected=6 * IMAGES - 3)
    result.stdout.fnmatch_lines(
        ["E *unclip_ratio 1.5 in train, 2 in bare*", "*in inference_onnx/inference.yml, under PostProcess, set*"]
    )
    change(matrix, "matrix.toml", 'model_file = "inference_onnx/inference.onnx"', 'model_file = "none.onnx"')
    result = run(matrix, MATRIX, *THREE, "-k", "training")
    result.stdout.fnmatch_lines(["*none.onnx: no such file: candidates.bare.model_file is an .onnx file*"])
    change(matrix, "matrix.toml", 'model_file = "none.onnx"', 'model_file = "inference_onnx/inference.onnx"')
    (matrix.path / config).rename(matrix.path / "inference.yml")
    result = run(matrix, MATRIX, *THREE, "-k", "training and bare")
    result.stdout.fnmatch_lines(["*candidates.bare.options lack img_mode, scale, mean, std, thresh, *"])


def test_a_fault_of_one_candidate_is_its_own_and_its_fix_names_its_table(matrix: pytest.Pytester) -> None:
    wrong = 'limit_side_len = 736, limit_type = "min", device = "cpu", engine = "onnxruntime"'
    change(matrix, "matrix.toml", wrong, 'device = "cpu", engine = "onnxruntime"')
    result = run(matrix, MATRIX, *THREE, "-k", "training and receipt")
    result.assert_outcomes(passed=3, failed=1, deselected=8 * IMAGES - 4)
    result.stdout.fnmatch_lines(
        ["E *receipt.png: resize: limit_side_len 736 in train, 960 in onnx; *", "*candidates.onnx.options*"]
    )


def test_reduced_precision_fails_by_the_limits_of_fp32(matrix: pytest.Pytester) -> None:
    change(matrix, "matrix.toml", '\ntolerance = "fp16"', "")
    result = run(matrix, MATRIX, *THREE, "-k", "training and receipt")
    result.assert_outcomes(passed=3, failed=1, deselected=8 * IMAGES - 4)
    result.stdout.fnmatch_lines(["E * fp16 stores weights rounded to half precision*"])


def rescaled(folder: Path) -> None:
    """Write a checkpoint of the same function whose batch-norm variance leaves the range of fp16.

    Real detectors have such variances: a blanket cast of all stored weights destroyed two of three.
    """
    with isolated():
        import paddle

        from example_project.export import export

        state = paddle.load(str(EXAMPLE / "checkpoints" / "tiny_db.pdparams"))
        by = {"stem.0.weight": 1e3, "stem.1._mean": 1e3, "stem.1._variance": 1e6}
        state = {key: value * np.float32(by.get(key, 1)) for key, value in state.items()}
        assert float(state["stem.1._variance"].max()) > np.finfo(np.float16).max
        paddle.save(state, str(folder / "rescaled.pdparams"))
        export(folder / "rescaled", folder / "inference")
        export(folder / "rescaled", folder / "inference_fp16", half=True)
        cast = {key: value.astype("float16").astype("float32") for key, value in state.items()}
        paddle.save(cast, str(folder / "cast.pdparams"))
        export(folder / "cast", folder / "blanket")


def test_a_blanket_cast_of_all_weights_fails_where_fp16_convolutions_pass(matrix: pytest.Pytester) -> None:
    rescaled(matrix.path)
    change(matrix, "matrix.toml", 'checkpoint = "checkpoints/tiny_db"', 'checkpoint = "rescaled"')
    text = (matrix.path / "matrix.toml").read_text()
    onnx = text[text.index("[candidates.onnx]") : text.index("[candidates.fp16]")]
    change(matrix, "matrix.toml", onnx, '[candidates.blanket]\nmodel_dir = "blanket"\ntolerance = "fp16"\n')
    result = run(matrix, MATRIX, *THREE, "-k", "training")
    assert result.ret == 1
    assert statuses(matrix)["inference"] == statuses(matrix)["fp16"] == {"same", "empty"}
    assert "left to the run" in statuses(matrix)["blanket"]
    result.stdout.fnmatch_lines(["over the run * is the maps' mean difference*"])
    result.stdout.fnmatch_lines(["over the run *of the boxes have no partner*"])
