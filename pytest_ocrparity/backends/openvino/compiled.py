"""An export on OpenVINO: which file it reads, what it is compiled with, and what it really runs in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.artifacts.model_files import CONFIG, find_export_files, find_model_file
from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.onnx.runtime import ENGINE_OPTIONS
from pytest_ocrparity.errors import ModelError

READABLE: Final = ("inference.onnx", "inference.pdmodel")
"""What OpenVINO reads of an export folder, in the order in which it is taken."""
PRECISION: Final = "INFERENCE_PRECISION_HINT"
"""OpenVINO's property that says in which precision a device computes."""
FULL: Final = "f32"


class Compiling(NamedTuple):
    """What a model is compiled with.

    Attributes:
        device: in OpenVINO's words, such as "CPU".
        properties: OpenVINO's own, by name.
    """

    device: str
    properties: Mapping[str, Any]


def find_openvino_file(model_dir: Path | None, model_file: Path | None) -> tuple[Path, Path | None]:
    """Return the file that OpenVINO loads, and the inference.yml beside it, None where there is none.

    Raises:
        ModelError: there is none that it reads.
    """
    if model_file is not None:
        return find_model_file(model_file)
    assert model_dir is not None  # the settings see to it
    export = find_export_files(model_dir)
    for name in READABLE:
        if (model_dir / name).is_file():
            return model_dir / name, model_dir / CONFIG
    held = ", ".join(path.name for path in export.files)
    raise ModelError(
        f"{model_dir} holds {held}, and OpenVINO reads {' or '.join(READABLE)}: convert the export with paddle2onnx"
    )


def split_openvino_options(options: Mapping[str, Any]) -> tuple[Compiling, dict[str, Any]]:
    """Return what the options say of the compilation, and those of the processing.

    Raises:
        ModelError: one of them chooses an engine of paddleocr's.
    """
    properties = {name: value for name, value in options.items() if name.isupper()}
    for name in ENGINE_OPTIONS[1:]:
        if name in options:
            raise ModelError(
                f"inference.options: {name} is paddleocr's, and OpenVINO runs by itself: set OpenVINO's own property "
                f'in its place, such as {PRECISION} = "{FULL}"'
            )
    device = options.get("device", "CPU")
    if not isinstance(device, str):
        raise ModelError(
            f'inference.options: device is {device!r}; with OpenVINO it is a text such as "CPU" or "GPU.0"'
        )
    rest = {name: value for name, value in options.items() if name not in (*properties, "device")}
    return Compiling(device.upper(), properties), rest


def compile_openvino_model(file: Path, compiling: Compiling) -> Any:
    """Return an `openvino.CompiledModel` of a file.

    Raises:
        ModelError: openvino is not installed, or it refuses the file, the device or a property.
    """
    with isolated():
        import openvino

        try:
            return openvino.Core().compile_model(str(file), compiling.device, dict(compiling.properties))
        except Exception as error:
            said = " ".join(str(error).split())[-500:]
            raise ModelError(f"{file}: OpenVINO {openvino.__version__} cannot run it: {said}") from error


def openvino_engine(compiled: Any) -> dict[str, Any]:
    """Return what a compiled model says that it computes on and in, as `Trace.parameters` have it."""
    precision = compiled.get_property(PRECISION)
    return {
        "engine": "openvino",
        "device": ", ".join(compiled.get_property("EXECUTION_DEVICES")).lower(),
        "precision": precision.get_type_name() if hasattr(precision, "get_type_name") else str(precision),
        "outputs": len(compiled.outputs),
    }


def openvino_fixed_size(compiled: Any) -> tuple[int, int] | None:
    """Return the height and width in pixels that a model takes alone, or None where it takes any."""
    height, width = compiled.inputs[0].partial_shape[2], compiled.inputs[0].partial_shape[3]
    return (height.get_length(), width.get_length()) if height.is_static and width.is_static else None


def run_openvino_model(compiled: Any, tensor: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
    """Return all outputs for a tensor, copied out of OpenVINO's memory."""
    with isolated():
        return [np.array(output) for output in compiled([np.ascontiguousarray(tensor)]).values()]
