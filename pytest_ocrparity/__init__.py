"""Prove that a PaddleOCR text-detection export detects what the trained model detects.

Names load on first use, so that importing this package, which pytest does in every run, imports no numpy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_ocrparity.assertions import (
        assert_same_detections,
        assert_same_preprocessing,
        assert_same_probability_maps,
    )
    from pytest_ocrparity.comparison import Comparison, DifferenceError
    from pytest_ocrparity.contract import Pipeline
    from pytest_ocrparity.diagnosis import Diagnosis
    from pytest_ocrparity.errors import (
        GoldenError,
        ImageError,
        ModelError,
        OcrParityError,
        ReportError,
        SettingsError,
        StageError,
    )
    from pytest_ocrparity.tolerance import Tolerance
    from pytest_ocrparity.trace import Decoded, Detections, Trace

__all__ = [
    "Comparison",
    "Decoded",
    "Detections",
    "Diagnosis",
    "DifferenceError",
    "GoldenError",
    "ImageError",
    "ModelError",
    "OcrParityError",
    "Pipeline",
    "ReportError",
    "SettingsError",
    "StageError",
    "Tolerance",
    "Trace",
    "assert_same_detections",
    "assert_same_preprocessing",
    "assert_same_probability_maps",
]

_MODULES = {
    "assertions": ("assert_same_detections", "assert_same_preprocessing", "assert_same_probability_maps"),
    "diagnosis": ("Diagnosis",),
    "errors": (
        "DifferenceError",
        "GoldenError",
        "ImageError",
        "ModelError",
        "OcrParityError",
        "ReportError",
        "SettingsError",
        "StageError",
    ),
    "contract": ("Pipeline",),
    "tolerance": ("Tolerance",),
    "trace": ("Decoded", "Detections", "Trace"),
    "comparison": ("Comparison",),
}


def __getattr__(name: str) -> Any:
    """Import the module that holds a public name (PEP 562)."""
    for module, names in _MODULES.items():
        if name in names:
            return getattr(importlib.import_module(f"pytest_ocrparity.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
