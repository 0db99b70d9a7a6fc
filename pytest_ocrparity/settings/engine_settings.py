"""The settings of a deployment that say what runs its network: an engine of paddleocr's class, or a bare file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pytest_ocrparity.errors import SettingsError
from pytest_ocrparity.settings.result_files import RESULTS

ONNX: Final = ".onnx"
OF_A_CLASS: Final = ("model_dir", "model_name", "predict_options", "api", "factory", "options_file")
"""What says how a class of paddleocr is made, and means nothing for a bare file."""


def check_engine(where: str, table: Mapping[str, Any]) -> None:
    """Check the settings `engine` and `model_file` of a deployment, as they stand in the file.

    Raises:
        SettingsError: an engine is named twice or nothing runs it, or a bare file is of another kind or stands beside
            what is for a class of paddleocr.
    """
    engine, file = table.get("engine"), table.get("model_file")
    if engine is not None and "engine" in (table.get("options") or {}):
        raise SettingsError(f"{where}.engine is {engine!r}, and {where}.options has an engine too: keep one")
    if engine is not None and table.get("api") == RESULTS:
        raise SettingsError(f'{where}.engine does nothing with api = "results", which runs nothing: remove it')
    if file is None:
        return
    if not file.lower().endswith(ONNX):
        raise SettingsError(
            f"{where}.model_file is {file!r}, not an {ONNX} file; a folder of paddle's is {where}.model_dir"
        )
    if engine not in (None, "onnxruntime"):
        raise SettingsError(
            f"{where}.engine is {engine!r}, and an {ONNX} file runs on onnxruntime: correct one of them"
        )
    for key in OF_A_CLASS:
        if key in table:
            raise SettingsError(
                f"{where}.model_file runs on ONNX Runtime alone, where {key} does nothing: remove one of the two"
            )


def is_another_model(inference: Mapping[str, Any], table: Mapping[str, Any]) -> bool:
    """Tell whether one of a candidate and the inference table is a bare file, and the other names a model of its own.

    Such a candidate inherits nothing: what a class of paddleocr is given means something else around a bare file.
    """
    return "model_file" in table or ("model_file" in inference and "model_dir" in table)


def with_engine(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a deployment by a class of paddleocr, with the engine among the options of the class."""
    others = {key: value for key, value in values.items() if key != "engine"}
    if "engine" in values:
        others["options"] = {**(values.get("options") or {}), "engine": values["engine"]}
    return others
