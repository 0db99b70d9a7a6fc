"""The forms of an export: Paddle's new and old program, ONNX, and ONNX with convolutions and batch norms folded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, redirect_stderr, redirect_stdout
from importlib.util import find_spec
from os import devnull
from pathlib import Path
from typing import Any
from unittest.mock import patch

from layers.calls import Calls, Change, Key
from pytest_ocrparity import Pipeline
from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.onnx.pipeline import load_onnx_pipeline
from pytest_ocrparity.backends.paddlex.pipeline import load_inference

FORMS = ("pir", "pdmodel", "onnx", "folded")
NEEDS_ONNX = ("onnx", "folded")
HAS_ONNX = find_spec("paddle2onnx") is not None and find_spec("onnx") is not None


def write_form(network: Any, form: str, folder: Path, changes: Mapping[Key, Change] | None = None) -> Calls:
    """Export a network in evaluation mode into a folder that has an inference.yml; return what the trace ran."""
    with isolated():
        import paddle

        old = form == "pdmodel"
        spec = [paddle.static.InputSpec([None, 3, -1, -1], "float32")]
        with (
            paddle.pir_utils.OldIrGuard() if old else nullcontext(),
            _old_operators() if old else nullcontext(),
            Calls(network, changes or {}) as calls,
        ):
            paddle.jit.save(paddle.jit.to_static(network, input_spec=spec), str(folder / "inference"))
        (folder / "inference.pdiparams.info").unlink(missing_ok=True)
        if form in NEEDS_ONNX:
            _convert(folder, folds=form == "folded")
    return calls


@contextmanager
def _old_operators() -> Iterator[None]:
    """Let paddle 3.2 trace two operators into its old program: what it calls for them knows the new one alone."""
    import paddle
    from paddle.base.layer_helper import LayerHelper
    from paddle.nn import functional

    def append(operator: str, inputs: dict[str, Any], like: Any) -> Any:
        helper = LayerHelper(operator)
        out = helper.create_variable_for_type_inference(like.dtype)
        helper.append_op(type=operator, inputs=inputs, outputs={"Out": out})
        return out

    def sigmoid(x: Any) -> Any:
        return append("sigmoid", {"X": x}, x)

    def multiply(x: Any, y: Any) -> Any:
        return append("elementwise_mul", {"X": x, "Y": y}, x)

    with (
        patch.object(functional, "sigmoid", paddle.jit.not_to_static(sigmoid)),
        patch.object(paddle, "multiply", paddle.jit.not_to_static(multiply)),
    ):
        yield


def _convert(folder: Path, *, folds: bool) -> None:
    import paddle2onnx

    program, parameters, file = (folder / f"inference.{end}" for end in ("json", "pdiparams", "onnx"))
    with Path(devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        paddle2onnx.export(
            str(program), str(parameters), str(file), opset_version=13, enable_optimize=False, verbose=False
        )
    program.unlink()
    parameters.unlink()
    if folds:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(file)
        plain = file.rename(folder / "plain.onnx")
        onnxruntime.InferenceSession(str(plain), options, providers=["CPUExecutionProvider"])
        plain.unlink()


def load_form(form: str, folder: Path, limits: Mapping[str, Any]) -> Pipeline:
    """Load what `write_form` wrote, as a side under test."""
    if form in NEEDS_ONNX:
        return load_onnx_pipeline(folder / "inference.onnx", dict(limits))
    return load_inference(model_dir=folder, options={**limits, "device": "cpu", "enable_mkldnn": False})
