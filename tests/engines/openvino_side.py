"""OpenVINO as the engine: the precision that ran, its cause and fix, and what it refuses. `make engines` runs it.

The test of its default needs a processor that OpenVINO computes in bf16 on; elsewhere it counts as not tried, and
`tests/real/test_recorded_precision.py` judges the map that such a processor returned.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from paths import EXAMPLE
from real.blob import LIMITS
from real.deployments import causes, example_train, fixed_options, named
from real.test_recorded_precision import PAGE, RECORDED, SMALL, recorded_map, small_train

from engines.gates import gate_on
from pytest_ocrparity import (
    assert_same_detections,
    assert_same_preprocessing,
    assert_same_probability_maps,
)
from pytest_ocrparity.backends.openvino.pipeline import OpenVinoPipeline, load_openvino_pipeline
from pytest_ocrparity.backends.ppocr.pipeline import TrainingPipeline
from pytest_ocrparity.errors import ModelError

pytest.importorskip("openvino", reason="openvino is not installed: make engines installs it")
ONNX, LEGACY = EXAMPLE / "inference_onnx", EXAMPLE / "inference_pdmodel"
FULL = {**LIMITS, "INFERENCE_PRECISION_HINT": "f32"}


@pytest.fixture(scope="module")
def trained() -> TrainingPipeline:
    return example_train()


@pytest.mark.parametrize("folder", [ONNX, LEGACY], ids=["onnx", "pdmodel"])
def test_in_full_precision_it_passes(trained: TrainingPipeline, folder: Path) -> None:
    side = load_openvino_pipeline(model_dir=folder, options=FULL)
    engine = side.parameters["probability_map"]
    assert (engine["engine"], engine["device"], engine["precision"], engine["outputs"]) == ("openvino", "cpu", "f32", 1)
    for name in ("receipt.png", "blank.png"):
        reference, trace = (each.trace(EXAMPLE / "images" / name) for each in (trained, side))
        for compare in (assert_same_preprocessing, assert_same_probability_maps, assert_same_detections):
            compare(reference, trace)


def test_its_default_precision_is_named_and_the_fix_passes(trained: TrainingPipeline) -> None:
    side = load_openvino_pipeline(model_dir=ONNX, options=LIMITS)
    if side.parameters["probability_map"]["precision"] != "bf16":
        pytest.skip("not tried: OpenVINO does not compute in bf16 on this processor")
    (found,) = causes(trained, side, PAGE)
    assert found.cause == "engine.precision" and found.fix is not None
    assert found.summary == "inference's engine computes in bf16, where the trained model computes in float32"
    assert 'compile the model with INFERENCE_PRECISION_HINT = "f32"' in found.fix.text
    options = fixed_options((found,), LIMITS)
    assert causes(trained, load_openvino_pipeline(model_dir=ONNX, options=options), PAGE) == ()


def test_the_recorded_map_is_what_openvino_returns(tmp_path: Path) -> None:
    side = load_openvino_pipeline(model_dir=ONNX, options=SMALL)
    if side.parameters["probability_map"]["precision"] != "bf16":
        pytest.skip("not tried: OpenVINO does not compute in bf16 on this processor")
    found, recorded = side.trace(PAGE).probability_map, recorded_map()
    assert found is not None
    right = small_train(tmp_path).trace(PAGE).probability_map
    assert right is not None and np.abs(found - recorded).max() < np.abs(found - right).max() / 4


class Wrong(OpenVinoPipeline):
    """One whose maps are wrong in any precision, by no known rule."""

    def _run_network(self, tensor: Any) -> Any:
        (found, *rest) = super()._run_network(tensor)
        noise = np.random.default_rng(1).normal(0, 0.05, found.shape).astype(np.float32)
        return [np.clip(found + noise, 0, 1), *rest]


def test_another_fault_of_the_map_is_not_said_to_be_the_precision(
    trained: TrainingPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_ocrparity.backends.openvino.pipeline.OpenVinoPipeline", Wrong)
    assert named(causes(trained, load_openvino_pipeline(model_dir=ONNX, options=FULL), PAGE)) == ["unknown"]


def test_wrong_values_around_it_are_named_by_its_options(trained: TrainingPipeline) -> None:
    side = load_openvino_pipeline(model_file=ONNX / "inference.onnx", options={**FULL, "limit_type": "max"})
    (found,) = causes(trained, side, PAGE)
    assert found.cause == "resize.limits" and found.fix is not None
    assert found.fix.changes[0].where == "inference.options"


@pytest.mark.parametrize(
    ("folder", "options", "said"),
    [
        (EXAMPLE / "inference", LIMITS, "and OpenVINO reads inference.onnx or inference.pdmodel: convert the export"),
        (ONNX, {**LIMITS, "NO_SUCH": "f32"}, "cannot run it on .*NO_SUCH"),
        (ONNX, {**LIMITS, "device": "no"}, "cannot run it on .*NO"),
        (ONNX, {**LIMITS, "device": 3}, 'device is 3; with OpenVINO it is a text such as "CPU"'),
        (ONNX, {**LIMITS, "cpu_threads": 2}, "cpu_threads is paddleocr's, and OpenVINO runs by itself"),
        (ONNX, {**LIMITS, "inference_precision_hint": "f32"}, "own properties are in capitals: write INFERENCE_PREC"),
        (
            ONNX,
            {**LIMITS, "INFERENCE_PRECISION_HINT": "fp32"},
            r"OpenVINO [0-9.]+ cannot run it on device 'CPU': Wrong value fp32 for property key INFERENCE_PRECISION",
        ),
        (ONNX, {**LIMITS, "precision": "fp16"}, 'precision is paddleocr\'s.*INFERENCE_PRECISION_HINT = "f32"'),
        (ONNX, {"limit_side_len": 736}, "options lack limit_type"),
    ],
)
def test_what_it_cannot_run_is_refused(folder: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        load_openvino_pipeline(model_dir=folder, options=options)


def test_of_a_device_that_chooses_another_the_precision_of_that_is_said(trained: TrainingPipeline) -> None:
    right = load_openvino_pipeline(model_dir=ONNX, options={**FULL, "device": "auto"})
    engine = right.parameters["probability_map"]
    assert (engine["device"], engine["precision"]) == ("cpu", "f32")
    assert causes(trained, right, PAGE) == ()
    engine = load_openvino_pipeline(model_dir=ONNX, options={**LIMITS, "device": "auto"}).parameters["probability_map"]
    alone = load_openvino_pipeline(model_dir=ONNX, options=LIMITS).parameters["probability_map"]
    assert engine["precision"] == alone["precision"]


def test_the_settings_run_it(pytester: pytest.Pytester) -> None:
    own = """model_dir = "inference_onnx"
engine = "openvino"
options = { limit_side_len = 736, limit_type = "min", INFERENCE_PRECISION_HINT = "f32" }
"""
    gate_on(pytester, "tiny_db", '"images/receipt.png"', own).assert_outcomes(passed=3)


if __name__ == "__main__":  # records what this processor's default returns
    trace = load_openvino_pipeline(model_dir=ONNX, options=SMALL).trace(PAGE)
    assert trace.parameters["probability_map"]["precision"] == "bf16" and trace.probability_map is not None
    np.savez_compressed(RECORDED, probability_map=trace.probability_map.view(np.uint32))
