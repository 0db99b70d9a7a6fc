"""An export on OpenVINO: which file it reads, what it is compiled with, and what it really runs in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.artifacts.configs import read_config
from pytest_ocrparity.artifacts.families import family_of_export
from pytest_ocrparity.artifacts.model_files import CONFIG, ONNX, find_export_files, find_model_file
from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.onnx.runtime import ENGINE_OPTIONS
from pytest_ocrparity.errors import ModelError, did_you_mean
from pytest_ocrparity.stages import RECOGNITION

READABLE: Final = (ONNX, "inference.pdmodel")
"""What OpenVINO reads of an export folder, in the order in which it is taken."""
PRECISION: Final = "INFERENCE_PRECISION_HINT"
"""OpenVINO's property that says in which precision a device computes."""
FULL: Final = "f32"
OF_PADDLEOCR: Final = (*ENGINE_OPTIONS[1:], "cpu_threads", "enable_mkldnn", "mkldnn_cache_capacity")
"""Options of paddleocr's classes that choose how its engines run."""
OF_RECOGNISER: Final = ("input_shape",)
"""What paddlex's predictor of text recognition is made with, beside the network."""
_PLACE: Final = re.compile(r"Exception from \S+:\d+:\s*")
"""Where in OpenVINO's source something was raised, which stands before what it says."""


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
        file, config = find_model_file(model_file)
        if is_openvino_recogniser(config):
            raise ModelError(f"{config} is of a recogniser: set inference.model_dir to its folder, and no model_file")
        return file, config
    assert model_dir is not None  # the settings see to it
    export = find_export_files(model_dir)
    for name in READABLE:
        if (model_dir / name).is_file():
            return model_dir / name, model_dir / CONFIG
    held = ", ".join(path.name for path in export.files)
    raise ModelError(
        f"{model_dir} holds {held}, and OpenVINO reads {' or '.join(READABLE)}: convert the export with paddle2onnx"
    )


def is_openvino_recogniser(config: Path | None) -> bool:
    """Tell whether an inference.yml is of a recogniser; what does not say counts as a detector's."""
    return config is not None and family_of_export(read_config(config)).task == RECOGNITION


def split_openvino_options(options: Mapping[str, Any]) -> tuple[Compiling, dict[str, Any]]:
    """Return what the options say of the compilation, and those of the processing.

    Raises:
        ModelError: one of them chooses an engine of paddleocr's.
    """
    properties = {name: value for name, value in options.items() if name.isupper()}
    for name in options:
        if name in OF_PADDLEOCR:
            raise ModelError(
                f"inference.options: {name} is paddleocr's, and OpenVINO runs by itself: set OpenVINO's own property "
                f'in its place, such as {PRECISION} = "{FULL}"'
            )
        if name.upper() == PRECISION and name != PRECISION:
            raise ModelError(f"inference.options: {name}: OpenVINO's own properties are in capitals: write {PRECISION}")
    device = options.get("device", "CPU")
    if not isinstance(device, str) or not device:
        raise ModelError(
            f'inference.options: device is {device!r}; with OpenVINO it is a text such as "CPU" or "GPU.0"'
        )
    rest = {name: value for name, value in options.items() if name not in (*properties, "device")}
    return Compiling(device.upper(), properties), rest


def openvino_recogniser_options(options: Mapping[str, Any]) -> tuple[Compiling, dict[str, Any]]:
    """Return what the options say of the compilation, and those of paddlex's predictor.

    Raises:
        ModelError: one of them is neither.
    """
    compiling, own = split_openvino_options(options)
    for option in own:
        if option not in OF_RECOGNISER:
            hint = did_you_mean(option, [*OF_RECOGNISER, "device"])
            raise ModelError(f"inference.options: {option} is no option of a recogniser on OpenVINO; {hint}")
    return compiling, own


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
            said = " ".join(_PLACE.sub("", str(error)).split())[-500:]
            version = openvino.__version__.partition("-")[0]
            raise ModelError(
                f"{file}: OpenVINO {version} cannot run it on device {compiling.device!r}: {said}"
            ) from error


def openvino_engine(compiled: Any) -> dict[str, Any]:
    """Return what a compiled model says that it computes on and in, as `Trace.parameters` have it."""
    devices = list(compiled.get_property("EXECUTION_DEVICES"))
    if PRECISION in compiled.get_property("SUPPORTED_PROPERTIES"):
        found = [compiled.get_property(PRECISION)]
    else:  # a device that chooses among others, such as AUTO, keeps those of each
        of_devices = compiled.get_property("DEVICE_PROPERTIES")
        found = [of_devices[name][PRECISION] for name in devices if PRECISION in of_devices.get(name, {})]
    names = [each.get_type_name() if hasattr(each, "get_type_name") else str(each) for each in found]
    return {
        "engine": "openvino",
        "device": ", ".join(devices).lower(),
        "precision": ", ".join(dict.fromkeys(names)) or "unknown",
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
