"""An `.onnx` file on ONNX Runtime: what it is loaded with, what it really runs on, and what is known of the file.

What stands here of a session holds for one that paddlex made, too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy.typing as npt

from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.onnx.half_file import HalfFile
from pytest_ocrparity.backends.onnx.onnx_reading import load_onnx, reading_onnx
from pytest_ocrparity.backends.onnx.quantised_file import QuantisedFile
from pytest_ocrparity.backends.onnx.stored_weights import weights_of_graph
from pytest_ocrparity.errors import ModelError

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"
DEVICES: Final = {CPU: "cpu", CUDA: "gpu", TENSORRT: "gpu"}
"""Where a provider computes, as paddleocr calls it; others are called by their own name."""

PRECISIONS: Final = ("fp32", "fp16")
ENGINE_OPTIONS: Final = ("device", "use_tensorrt", "precision", "enable_hpi")
"""The options of paddleocr that choose an engine, as far as they can mean something here."""

_DEVICE: Final = re.compile(r"(cpu|gpu)(?::(\d+))?")
_SIZES: Final = re.compile(r"index: (\d) Got: (\d+) Expected: (\d+)")
_AXES: Final = {"2": "height", "3": "width"}


class Provider(NamedTuple):
    """What ONNX Runtime is asked to run on first, and the options of it."""

    name: str
    options: Mapping[str, Any]


def asked_runtime_providers(options: Mapping[str, Any]) -> list[Provider]:
    """Return what the options of paddleocr that choose an engine mean for ONNX Runtime, the first choice first.

    Raises:
        ModelError: one of them means nothing for a bare file, or not together with another.
    """
    device, use_tensorrt, precision = (options.get(name) for name in ENGINE_OPTIONS[:3])
    if options.get("enable_hpi"):
        raise ModelError(
            "inference.options: enable_hpi is for paddleocr's classes, and inference.model_file runs on ONNX Runtime "
            "itself: remove it, or set inference.model_dir in the place of model_file"
        )
    match = _DEVICE.fullmatch(str(device or "cpu"))
    if match is None:
        raise ModelError(f'inference.options: device is {device!r}; with model_file it is "cpu", "gpu" or "gpu:0"')
    if precision is not None and precision not in PRECISIONS:
        raise ModelError(f"inference.options: precision is {precision!r}, not {' or '.join(PRECISIONS)}")
    if not use_tensorrt and precision not in (None, "fp32"):
        raise ModelError(
            f"inference.options: precision = {precision!r} does nothing without use_tensorrt = true: ONNX Runtime "
            "computes in the precision that the file is stored in"
        )
    index = {"device_id": int(match[2] or 0)}
    if match[1] == "cpu":
        if use_tensorrt:
            raise ModelError('inference.options: use_tensorrt needs device = "gpu"')
        return [Provider(CPU, {})]
    tensorrt = Provider(TENSORRT, {**index, "trt_fp16_enable": precision == "fp16"})
    return [*([tensorrt] if use_tensorrt else []), Provider(CUDA, index), Provider(CPU, {})]


def open_runtime_session(file: Path, providers: Sequence[Provider], *, is_optimized: bool = True) -> Any:
    """Return an `onnxruntime.InferenceSession` of a file that runs on what was asked for.

    Args:
        file: the `.onnx` file.
        providers: from `asked_runtime_providers`.
        is_optimized: whether ONNX Runtime may rewrite the graph, as it does by default.

    Raises:
        ModelError: onnxruntime is not installed, it lacks a provider, the file is none, or its input is not one float32
            tensor.
    """
    with isolated():
        import onnxruntime

        _refuse_absent([each.name for each in providers], onnxruntime.get_available_providers())
        options = onnxruntime.SessionOptions()
        if not is_optimized:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        asked = [(each.name, dict(each.options)) for each in providers]
        try:
            session = onnxruntime.InferenceSession(str(file), options, providers=asked)
        except Exception as error:
            text = " ".join(str(error).split())
            raise ModelError(f"{file}: ONNX Runtime {onnxruntime.__version__} cannot load it: {text[:500]}") from error
    check_providers(session, [each.name for each in providers])
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type != "tensor(float)":
        found = ", ".join(f"{each.name} {each.type}" for each in inputs)
        raise ModelError(
            f"{file}: its inputs are {found}, where a detector takes one float32 tensor, tensor(float): convert it "
            "again, in half precision with the inputs and outputs left in float32"
        )
    return session


def check_providers(session: Any, asked: Sequence[str]) -> None:
    """Refuse a session that fell back to another provider than it was asked for: ONNX Runtime only logs that.

    Raises:
        ModelError: it did.
    """
    _refuse_absent(asked, session.get_providers())


def _refuse_absent(asked: Sequence[str], there: Sequence[str]) -> None:
    absent = [name for name in asked if name not in there]
    if absent:
        raise ModelError(
            f"inference.options ask ONNX Runtime for {', '.join(absent)}, and what it has here is {', '.join(there)}: "
            'run where the production runs, or set device = "cpu" without use_tensorrt, which then is what is tested'
        )


def runtime_engine(session: Any) -> dict[str, Any]:
    """Return what a session computes on, as `Trace.parameters` have it: what it took, not what it was asked for."""
    providers = list(session.get_providers())
    found = {"engine": "onnxruntime", "device": DEVICES.get(providers[0], providers[0]), "providers": providers}
    if TENSORRT in providers:
        half = str(session.get_provider_options()[TENSORRT].get("trt_fp16_enable"))
        found["precision"] = "fp16" if half in ("1", "True") else "fp32"
    return found


def runtime_fixed_size(session: Any) -> tuple[int, int] | None:
    """Return the height and width in pixels that the graph takes alone, or None where it takes any."""
    shapes = [each.shape for each in session.get_inputs()]
    height, width = shapes[0][-2:] if len(shapes) == 1 and len(shapes[0]) > 1 else (None, None)
    return (height, width) if isinstance(height, int) and isinstance(width, int) else None


def runtime_arrays(file: Path) -> dict[str, npt.NDArray[Any]]:
    """Return the weights in a file by name, in the order in which its operators take them.

    Raises:
        ModelError: the package onnx, which alone reads them, is not installed, or the file is damaged.
    """
    with reading_onnx(file, "weights"):
        return weights_of_graph(load_onnx(file).graph)


def runtime_quantised(file: Path) -> QuantisedFile | None:
    """Return a file as a quantised one; None where it has no rounded kernel and rounds nothing.

    Raises:
        ModelError: the package onnx, which alone reads it, is not installed, the file is damaged, or quantised in a
            form that is not read.
    """
    found = QuantisedFile(file)
    return found if found.operators or found.rounded else None


def runtime_half(file: Path, providers: Sequence[Provider] = (Provider(CPU, {}),)) -> HalfFile | None:
    """Return a file whose operators compute in float16; None where none does.

    Raises:
        ModelError: the package onnx, which alone reads it, is not installed, or the file is damaged.
    """
    found = HalfFile(file, [(each.name, dict(each.options)) for each in providers])
    return found if found.operators else None


def runtime_shape_error(error: BaseException) -> str | None:
    """Return what ONNX Runtime says of a size or a batch that the graph does not take; None for other errors."""
    text = " ".join(str(error).split())
    found = _SIZES.findall(text) if "nvalid dimensions" in text else []
    if found and all(axis in _AXES for axis, _, _ in found):
        got, taken = (", ".join(f"{_AXES[each[0]]} {each[place]}" for each in found) for place in (1, 2))
        return (
            f"the ONNX file takes one size of tensor alone: {taken} px; it was given {got}. Export with free height "
            "and width, the input shape [None, 3, -1, -1], and convert again; or resize to that size on both sides"
        )
    batches = [(got, taken) for axis, got, taken in found if axis == "0"]
    if not batches:
        return None
    got, taken = batches[0]
    return (
        f"the ONNX file was exported for a batch of {taken} alone, and was given {got} images. Export with a free "
        "first dimension, the input shape [None, 3, -1, -1], and convert again; or deploy without batches"
    )
