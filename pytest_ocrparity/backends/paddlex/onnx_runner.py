"""PaddleX's runner of ONNX Runtime: whether it runs on what was asked for, and what is known of its file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy.typing as npt

from pytest_ocrparity.artifacts.model_files import ExportFiles
from pytest_ocrparity.backends.graphs.onnx_graph import OnnxGraph
from pytest_ocrparity.backends.onnx import runtime
from pytest_ocrparity.backends.onnx.half_file import HalfFile
from pytest_ocrparity.backends.onnx.quantised_file import QuantisedFile
from pytest_ocrparity.contract.network_graph import NetworkGraph
from pytest_ocrparity.errors import ModelError

FILE: Final = "inference.onnx"
"""What PaddleX loads of an export folder with this engine."""


def check_providers(runner: Any) -> None:
    """Refuse a runner of ONNX Runtime that fell back to another provider; others have none.

    Raises:
        ModelError: it did.
    """
    made, config = getattr(runner, "session", None), getattr(runner, "_config", None)
    if made is None or not isinstance(config, Mapping):
        return
    wanted = config.get("providers") or ([runtime.CUDA] if config.get("device_type") == "gpu" else [])
    runtime.check_providers(made, wanted)


def fixed_size(runner: Any) -> tuple[int, int] | None:
    """Return the height and width in pixels that the runner's graph takes alone; None for any, or another engine."""
    made = getattr(runner, "session", None)
    return None if made is None else runtime.runtime_fixed_size(made)


def stored_arrays(export: ExportFiles) -> Mapping[str, npt.NDArray[Any]]:
    """Return the weights of the ONNX file of an export folder by name; nothing where there is none.

    Raises:
        ModelError: the package onnx, which alone reads them, is not installed, or the file is damaged.
    """
    file = export.folder / FILE
    return runtime.runtime_arrays(file) if file.is_file() else {}


def quantised_file(export: ExportFiles) -> QuantisedFile | None:
    """Return the ONNX file of an export folder as a quantised one; None where there is none, or it is not quantised.

    Raises:
        ModelError: the package onnx, which alone reads it, is not installed, or the file is damaged.
    """
    file = export.folder / FILE
    return runtime.runtime_quantised(file) if file.is_file() else None


def half_file(export: ExportFiles) -> HalfFile | None:
    """Return the ONNX file of an export folder where it computes in float16; None where there is none, or it does not.

    Raises:
        ModelError: the package onnx, which alone reads it, is not installed, or the file is damaged.
    """
    file = export.folder / FILE
    return runtime.runtime_half(file) if file.is_file() else None


def file_graph(export: ExportFiles) -> NetworkGraph:
    """Return the graph of the ONNX file of an export folder.

    Raises:
        ModelError: there is none, or the package onnx, which alone reads it, is not installed, or the file is damaged.
    """
    file = export.folder / FILE
    if not file.is_file():
        raise ModelError(f"not read: {export.folder} holds neither a program of paddle nor {FILE}")
    return OnnxGraph(file)
