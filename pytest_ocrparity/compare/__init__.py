"""Measure two traces of one image against each other, stage by stage. Measures only: words are in `explain`."""

from __future__ import annotations

from pytest_ocrparity.compare.detections import compare_detections
from pytest_ocrparity.compare.preprocessing import compare_preprocessing
from pytest_ocrparity.compare.probability_maps import compare_maps
from pytest_ocrparity.comparison import Comparison
from pytest_ocrparity.context import current_tolerance
from pytest_ocrparity.tolerance import Tolerance
from pytest_ocrparity.trace import Trace

__all__ = ["compare", "compare_one"]


def compare(*, reference: Trace, candidate: Trace, tolerance: Tolerance | None = None) -> tuple[Comparison, ...]:
    """Compare preprocessing, probability maps and detections of two traces of one image.

    Returns one Comparison per kind, in the order of the data flow; none decides over the others.

    Raises:
        DifferenceError: both sides are the same object, which would compare nothing.
    """
    tolerance = tolerance or current_tolerance.get()()
    maps = compare_maps(reference, candidate, tolerance)
    return (
        compare_preprocessing(reference, candidate, tolerance),
        maps,
        compare_detections(reference, candidate, tolerance, maps),
    )


def compare_one(kind: str, reference: Trace, candidate: Trace, tolerance: Tolerance) -> Comparison:
    """Return the comparison of one kind, and make no other than those it rests on.

    Raises:
        DifferenceError: both sides are the same object, which would compare nothing.
    """
    if kind == "preprocessing":
        return compare_preprocessing(reference, candidate, tolerance)
    maps = compare_maps(reference, candidate, tolerance)
    return maps if kind == "probability_maps" else compare_detections(reference, candidate, tolerance, maps)
