"""ONNX Runtime is asked for what the options say, and what it runs on is what is told."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_ocrparity.backends.onnx import runtime
from pytest_ocrparity.backends.onnx.runtime import CPU, CUDA, TENSORRT, asked_runtime_providers
from pytest_ocrparity.errors import ModelError


class Session:
    """What is asked of a session of ONNX Runtime."""

    def __init__(self, *providers: str, shape: Any = (1, 3, "h", "w"), **options: str) -> None:
        self._providers, self._options, self._shape = providers, options, shape

    def get_providers(self) -> list[str]:
        return list(self._providers)

    def get_provider_options(self) -> dict[str, dict[str, str]]:
        return dict.fromkeys(self._providers, self._options)

    def get_inputs(self) -> list[Any]:
        return [SimpleNamespace(shape=list(self._shape))]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [(CPU, {})]),
        ({"device": "cpu", "precision": "fp32", "use_tensorrt": False, "enable_hpi": False}, [(CPU, {})]),
        ({"device": "gpu"}, [(CUDA, {"device_id": 0}), (CPU, {})]),
        (
            {"device": "gpu:1", "use_tensorrt": True, "precision": "fp16"},
            [(TENSORRT, {"device_id": 1, "trt_fp16_enable": True}), (CUDA, {"device_id": 1}), (CPU, {})],
        ),
    ],
    ids=["default", "cpu", "gpu", "tensorrt"],
)
def test_options_ask_for_providers(options: dict[str, Any], expected: list[Any]) -> None:
    assert asked_runtime_providers(options) == expected


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"enable_hpi": True}, "enable_hpi is for paddleocr's classes"),
        ({"device": "npu:0"}, "device is 'npu:0'"),
        ({"device": "cpu", "use_tensorrt": True}, 'use_tensorrt needs device = "gpu"'),
        ({"precision": "fp16"}, "does nothing without use_tensorrt = true"),
        ({"precision": "fp8"}, "precision is 'fp8', not fp32 or fp16"),
    ],
    ids=["hpi", "device", "tensorrt", "precision", "unknown-precision"],
)
def test_an_option_that_would_do_nothing_is_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ModelError, match=r"^inference\.options") as caught:
        asked_runtime_providers(options)
    assert text in str(caught.value)


def test_a_provider_that_fell_away_is_refused() -> None:
    runtime.check_providers(Session(CUDA, CPU), [CUDA, CPU])
    with pytest.raises(ModelError, match=rf"ask ONNX Runtime for {CUDA}, and what it has here is {CPU}: "):
        runtime.check_providers(Session(CPU), [CUDA, CPU])


def test_what_runs_is_read_off_the_session() -> None:
    assert runtime.runtime_engine(Session(CPU)) == {"engine": "onnxruntime", "device": "cpu", "providers": [CPU]}
    on_gpu = runtime.runtime_engine(Session(TENSORRT, CPU, trt_fp16_enable="1"))
    assert (on_gpu["device"], on_gpu["precision"]) == ("gpu", "fp16")
    assert runtime.runtime_engine(Session(TENSORRT, CPU, trt_fp16_enable="0"))["precision"] == "fp32"
    assert runtime.runtime_engine(Session("QNNExecutionProvider"))["device"] == "QNNExecutionProvider"


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((1, 3, 64, 96), (64, 96)), ((1, 3, "h", "w"), None), ((1, 3, 64, "w"), None), ((None,) * 4, None), ((), None)],
)
def test_a_fixed_size_is_that_of_both_axes(shape: Any, expected: tuple[int, int] | None) -> None:
    assert runtime.runtime_fixed_size(Session(CPU, shape=shape)) == expected


SAYS = (
    "[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Got invalid dimensions for input: x for the following indices\n"
    " index: 2 Got: 736 Expected: 640\n index: 3 Got: 992 Expected: 640\n Please fix either the inputs/outputs."
)


def test_an_error_about_the_size_names_both_sizes() -> None:
    text = runtime.runtime_shape_error(RuntimeError(SAYS))
    assert text is not None
    assert "takes one size of tensor alone: height 640, width 640 px; it was given height 736, width 992." in text
    batch = runtime.runtime_shape_error(RuntimeError(SAYS.replace("index: 2 Got: 736", "index: 0 Got: 1")))
    assert batch is not None and "exported for a batch of 640 alone, and was given 1 images" in batch
    assert runtime.runtime_shape_error(RuntimeError(SAYS.replace("Got:", "Has:"))) is None
    assert runtime.runtime_shape_error(RuntimeError("index: 2 Got: 736 Expected: 640")) is None


@pytest.mark.skipif(find_spec("onnx") is not None, reason="where it is installed, weights are read")
def test_weights_that_cannot_be_read_are_said_to_be_not_read() -> None:
    with pytest.raises(ModelError, match=r"^not read: the weights of net\.onnx, as the package onnx is not installed"):
        runtime.runtime_arrays(Path("net.onnx"))
