"""Loads RapidOCR on an ONNX file, whichever of its models the file is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_ocrparity.artifacts.model_files import find_model_file
from pytest_ocrparity.backends.onnx.runtime import asked_runtime_providers, open_runtime_session
from pytest_ocrparity.backends.rapidocr.rapid_detector import RapidDetector
from pytest_ocrparity.backends.rapidocr.rapid_recogniser import RapidRecogniser
from pytest_ocrparity.backends.rapidocr.rapid_side import RapidSide

TEXT_AXES = 3
"""Of a recogniser's output: lines, timesteps and classes."""


def load_rapidocr_side(
    model_file: Path,
    options: Mapping[str, Any] | None = None,
    *,
    memory_limit: int | None = None,
    name: str = "inference",
) -> RapidSide:
    """Load RapidOCR's detector or recogniser on an `.onnx` file, as the axes of its output say.

    Raises:
        ModelError: ONNX Runtime does not load the file, or see `RapidSide`.
    """
    side = RapidRecogniser if _has_text(model_file) else RapidDetector
    return side(model_file, options, memory_limit=memory_limit, name=name)


def _has_text(model_file: Path) -> bool:
    file, _ = find_model_file(model_file)
    session = open_runtime_session(file, asked_runtime_providers({}), is_optimized=False)
    return len(session.get_outputs()[0].shape) == TEXT_AXES
