"""Check that a deployed PaddleOCR text detector or recogniser returns what the trained model returns.

Names load on first use, so that importing this package, which pytest does in every run, imports no numpy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_ocrparity.assertions import assert_same_accuracy as assert_same_accuracy
    from pytest_ocrparity.assertions import assert_same_detections as assert_same_detections
    from pytest_ocrparity.assertions import assert_same_page as assert_same_page
    from pytest_ocrparity.assertions import assert_same_preprocessing as assert_same_preprocessing
    from pytest_ocrparity.assertions import assert_same_probability_maps as assert_same_probability_maps
    from pytest_ocrparity.assertions import assert_same_text as assert_same_text
    from pytest_ocrparity.backends.own_engines import FunctionPipeline as FunctionPipeline
    from pytest_ocrparity.backends.own_engines import MapEngine as MapEngine
    from pytest_ocrparity.comparison import Comparison as Comparison
    from pytest_ocrparity.comparison import DifferenceError as DifferenceError
    from pytest_ocrparity.contract import Pipeline as Pipeline
    from pytest_ocrparity.diagnosis import Diagnosis as Diagnosis
    from pytest_ocrparity.errors import GoldenError as GoldenError
    from pytest_ocrparity.errors import ImageError as ImageError
    from pytest_ocrparity.errors import LabelError as LabelError
    from pytest_ocrparity.errors import ModelError as ModelError
    from pytest_ocrparity.errors import OcrParityError as OcrParityError
    from pytest_ocrparity.errors import ReportError as ReportError
    from pytest_ocrparity.errors import ResultError as ResultError
    from pytest_ocrparity.errors import SettingsError as SettingsError
    from pytest_ocrparity.errors import StageError as StageError
    from pytest_ocrparity.evaluate.label_line import Label as Label
    from pytest_ocrparity.evaluate.labels import Labels as Labels
    from pytest_ocrparity.evaluate.labels import read_labels as read_labels
    from pytest_ocrparity.evaluate.verdict import Accuracy as Accuracy
    from pytest_ocrparity.tolerance import Tolerance as Tolerance
    from pytest_ocrparity.trace import Decoded as Decoded
    from pytest_ocrparity.trace import Detections as Detections
    from pytest_ocrparity.trace import Recognition as Recognition
    from pytest_ocrparity.trace import Trace as Trace

_MODULES = {
    "assertions": "assert_same_accuracy assert_same_detections assert_same_page assert_same_preprocessing "
    "assert_same_probability_maps assert_same_text",
    "backends.own_engines": "FunctionPipeline MapEngine",
    "comparison": "Comparison DifferenceError",
    "contract": "Pipeline",
    "diagnosis": "Diagnosis",
    "errors": "GoldenError ImageError LabelError ModelError OcrParityError ReportError ResultError SettingsError "
    "StageError",
    "evaluate.label_line": "Label",
    "evaluate.labels": "Labels read_labels",
    "evaluate.verdict": "Accuracy",
    "tolerance": "Tolerance",
    "trace": "Decoded Detections Recognition Trace",
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names.split()}

__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    """Import the module that holds a public name (PEP 562)."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"pytest_ocrparity.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return __all__
