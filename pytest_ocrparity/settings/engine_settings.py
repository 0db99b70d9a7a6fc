"""The settings of a deployment that say what runs its network: an engine of paddleocr's class, or a bare file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pytest_ocrparity.errors import SettingsError

ONNX: Final = ".onnx"
OF_A_CLASS: Final = ("model_dir", "model_name", "predict_options", "api", "factory", "options_file")
"""What says how a class of paddleocr is made, and means nothing for a bare file."""
OF_ANY_CLASS: Final = ("model_dir", "model_name", "engine")
"""What means the same for each class of paddleocr."""
OF_ANY_SIDE: Final = ("model_dir",)
"""What means the same for whatever runs an export."""
SCRIPTS: Final = ("predict_det", "predict_rec")
"""The scripts of a checkout that an `api` may name."""
RAPIDOCR: Final = "rapidocr"
OPENVINO: Final = "openvino"
OF_PADDLEOCR: Final = ("engine", "model_name", "options_file", "predict_options")
"""What says something to paddleocr's classes alone."""


def check_engine_settings(where: Mapping[str, str], table: Mapping[str, Any]) -> None:
    """Check the settings `engine` and `model_file` of a deployment, as they stand in the file.

    Args:
        where: the place of each key, which a candidate may have from the inference table.
        table: the settings.

    Raises:
        SettingsError: an engine is named twice or nothing runs it, or a bare file is of another kind or stands beside
            what is for a class of paddleocr.
    """
    engine, file, api = table.get("engine"), table.get("model_file"), table.get("api")
    _check_other_api(where, table)
    if engine is not None and "engine" in (table.get("options") or {}):
        raise SettingsError(f"{where['engine']} is {engine!r}, and {where['options']} has an engine too: keep one")
    if file is None:
        return
    if not file.lower().endswith(ONNX):
        raise SettingsError(f"{where['model_file']} is {file!r}, not an {ONNX} file; a folder of paddle's is model_dir")
    if engine not in (None, "onnxruntime", OPENVINO):
        raise SettingsError(
            f"{where['engine']} is {engine!r}, and an {ONNX} file runs on onnxruntime or openvino: correct one of them"
        )
    for key in OF_A_CLASS:
        if key in table and (key, api) != ("api", RAPIDOCR):
            raise SettingsError(
                f"{where['model_file']} runs by itself, where {key} does nothing: remove one of the two"
            )


def _check_other_api(where: Mapping[str, str], table: Mapping[str, Any]) -> None:
    """Check the settings of a deployment that no class of paddleocr runs. Raises SettingsError."""
    api, engine = table.get("api"), table.get("engine")
    if "paddleocr_root" in table and api not in SCRIPTS:
        names = " or ".join(f'"{name}"' for name in SCRIPTS)
        raise SettingsError(f"{where['paddleocr_root']} means something with api = {names} alone: remove it")
    idle: tuple[str, ...]
    if api in SCRIPTS:
        idle, hint = OF_PADDLEOCR, "what the script takes are flags, in options (use_onnx among them)"
    elif api == RAPIDOCR:
        idle, hint = (*OF_PADDLEOCR, "model_dir"), "what RapidOCR takes are its params, in options, and model_file"
        if "model_file" not in table:
            raise SettingsError(f"{where['api']} is {api!r}, and model_file, which names its {ONNX} file, is not set")
    elif engine == OPENVINO:
        idle, hint = ("api", "model_name", "options_file", "predict_options", "factory"), "OpenVINO runs by itself"
    else:
        return
    for key in idle:
        if key in table:
            what = f"api = {api!r}" if engine != OPENVINO or api in (*SCRIPTS, RAPIDOCR) else f"engine = {engine!r}"
            raise SettingsError(f"{where[key]} does nothing with {what}: {hint}; remove it")


def is_other_side(table: Mapping[str, Any]) -> bool:
    """Tell whether no class of paddleocr and no bare ONNX Runtime runs a deployment, whose results are not read."""
    return table.get("api") in (*SCRIPTS, RAPIDOCR) or table.get("engine") == OPENVINO


def have_other_engine_settings(inference: Mapping[str, Any], table: Mapping[str, Any]) -> bool:
    """Tell whether one of a candidate and the inference table is a bare file, and the other is of paddleocr's class.

    Such a candidate inherits nothing: what a class of paddleocr is given means something else around a bare file.
    """
    return "model_file" in table or ("model_file" in inference and not table.keys().isdisjoint(OF_A_CLASS))


def without_second_engine_setting(inherited: Mapping[str, Any], table: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a candidate inherits without an engine, where its own table names one."""
    options = table.get("options") or {}
    if "engine" in options:
        return {key: value for key, value in inherited.items() if key != "engine"}
    given = inherited.get("options")
    if "engine" not in table or not given:
        return dict(inherited)
    return {**inherited, "options": {key: value for key, value in given.items() if key != "engine"}}


def with_engine_setting(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a deployment by a class of paddleocr, with the engine among the options of the class."""
    others = {key: value for key, value in values.items() if key != "engine"}
    if "engine" in values:
        others["options"] = {**(values.get("options") or {}), "engine": values["engine"]}
    return others
