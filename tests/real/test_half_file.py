"""An ONNX file that computes in float16, as converters write it: its map in float32, and what the diagnosis says."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from faults.deployment import EXAMPLE, Deployment, first_failure

from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.onnx.pipeline import load_onnx_pipeline
from pytest_ocrparity.backends.onnx.runtime import runtime_half
from pytest_ocrparity.diagnosis import Diagnosis

onnx = pytest.importorskip("onnx")
FILE = EXAMPLE / "inference_onnx" / "inference.onnx"
TENSOR = np.random.default_rng(0).normal(size=(1, 3, 64, 96)).astype(np.float32)
OPTIONS = {"limit_side_len": 736, "limit_type": "min"}


def unchanged(model: Any) -> None:
    pass


def other_epsilon(model: Any) -> None:
    norm = next(node for node in model.graph.node if node.op_type == "BatchNormalization")
    next(each for each in norm.attribute if each.name == "epsilon").f = 0.01


def halved(folder: Path, change: Callable[[Any], None] = unchanged, **how: Any) -> Path:
    """Write the example's file in float16, with its input and output in float32."""
    with isolated():
        from onnxruntime.transformers.float16 import convert_float_to_float16

        model = onnx.load(str(FILE))
        change(model)
        onnx.save(convert_float_to_float16(model, keep_io_types=True, **how), str(folder / "inference.onnx"))
    shutil.copy(FILE.with_suffix(".yml"), folder)
    return folder / "inference.onnx"


def fold(model: Any) -> None:
    """Fold batch norms into the convolutions before them, as ONNX Runtime does where it is asked for basic changes."""
    import onnxruntime

    with TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(Path(folder) / "folded.onnx")
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        made = onnx.load(options.optimized_model_filepath)
    count = sum(node.op_type == "BatchNormalization" for node in made.graph.node)
    assert count < sum(node.op_type == "BatchNormalization" for node in model.graph.node)
    model.CopyFrom(made)


def fold_other(model: Any) -> None:
    other_epsilon(model)
    fold(model)


def map_of(file: Path) -> npt.NDArray[np.float32]:
    with isolated():
        import onnxruntime

        session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
        made: npt.NDArray[np.float32] = session.run(None, {session.get_inputs()[0].name: TENSOR})[0]
    return made


def test_a_file_in_float32_is_none() -> None:
    assert runtime_half(FILE) is None


@pytest.mark.parametrize("blocked", [[], ["Resize", "BatchNormalization", "Sigmoid"]], ids=["all", "some"])
def test_in_half_it_is_the_file_and_else_the_one_before_it_was_converted(tmp_path: Path, blocked: list[str]) -> None:
    file = halved(tmp_path, op_block_list=blocked)
    found = runtime_half(file)
    assert found is not None
    assert (found.operators > 30) == (not blocked)
    np.testing.assert_array_equal(found.run(TENSOR), map_of(file))
    right = map_of(FILE)
    assert np.max(np.abs(map_of(file) - right)) > 1e-4
    # Its weights stay rounded.
    assert 1e-6 < np.max(np.abs(found.run(TENSOR, in_half=False) - right)) < np.max(np.abs(map_of(file) - right)) * 2


def diagnosis_of(file: Path, folder: Path) -> Diagnosis:
    deployment = Deployment.copy(folder / "project")
    train, _ = deployment.models()
    image = deployment.folder / "images" / "rotated.jpg"
    error = first_failure(train.trace(image), load_onnx_pipeline(file, OPTIONS).trace(image), None)
    assert error is not None
    (diagnosis,) = error.diagnoses
    return diagnosis


def test_a_file_that_computes_in_half_precision_has_a_cause(tmp_path: Path) -> None:
    found = diagnosis_of(halved(tmp_path), tmp_path)
    assert found.cause == "precision.fp16"
    assert "operators in half precision (fp16)" in found.summary
    assert found.evidence[1].startswith("these weights are the checkpoint's, rounded to half precision")


@pytest.mark.parametrize("is_right", [True, False])
def test_half_precision_behind_folded_norms_is_the_cause_of_right_ones_alone(tmp_path: Path, is_right: bool) -> None:
    found = diagnosis_of(halved(tmp_path, fold if is_right else fold_other), tmp_path)
    print(found)
    assert found.cause == ("precision.fp16" if is_right else "unknown")
    assert is_right == any(
        each.startswith("these weights are the checkpoint's, with batch norms folded in and rounded")
        for each in found.evidence
    )


def test_half_precision_beside_another_fault_has_none(tmp_path: Path) -> None:
    found = diagnosis_of(halved(tmp_path, other_epsilon), tmp_path)
    assert found.cause == "unknown"
    assert any(each.startswith("precision.fp16: with float32 in the place of float16") for each in found.tried)
    assert found.layer is None
