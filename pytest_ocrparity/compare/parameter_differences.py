"""What every comparison of two sides needs: which stages both have, where a value lies, which parameters differ."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.comparison import Comparison, Difference, ParameterDifference, plain
from pytest_ocrparity.tolerance import Tolerance
from pytest_ocrparity.trace import DECODE, DETECTIONS, PROBABILITY_MAP, RESIZE, STAGES, TENSOR, Trace, printable

__all__ = ["comparison_of", "distance", "effective_parameters", "is_close", "missing_stages", "source_place"]

STAGES_OF = {
    "preprocessing": (DECODE, RESIZE, TENSOR),
    "probability_maps": (PROBABILITY_MAP,),
    "detections": (DETECTIONS,),
}
"""What each kind of comparison is about."""


def comparison_of(kind: str, reference: Trace, candidate: Trace, tolerance: Tolerance, **values: Any) -> Comparison:
    """Return a Comparison of these two traces under a tolerance; `values` are its remaining fields."""
    return Comparison(
        kind=kind,
        image=candidate.label,
        reference=printable(reference.pipeline),
        candidate=printable(candidate.pipeline),
        parameters=parameter_differences(reference, candidate),
        limits=tolerance.of(kind),
        table=str(getattr(candidate.source, "table", "")),
        **values,
    )


def missing_stages(reference: Trace, candidate: Trace, needed: tuple[str, ...]) -> list[Difference]:
    """Return a Difference for each needed stage that a side lacks, or for what stopped a side before it."""
    lacking = [[stage for stage in needed if getattr(trace, stage) is None] for trace in (reference, candidate)]
    if not any(lacking):
        return []
    for index, trace in enumerate((reference, candidate)):
        if trace.error is not None and lacking[index]:
            told: list[str | None] = [None, None]
            told[index] = str(trace.error)
            return [Difference(trace.error.stage, "stopped", told[0], told[1])]
    return [
        Difference(stage, "not_recorded", stage not in lacking[0], stage not in lacking[1])
        for stage in needed
        if stage in lacking[0] or stage in lacking[1]
    ]


def source_place(trace: Trace, place: Any, size: Any) -> tuple[float, float] | None:
    """Convert (row, column) of a tensor or map into x, y of the source image."""
    if trace.shape is None:
        return None
    return float(place[1] * trace.shape[1] / size[1]), float(place[0] * trace.shape[0] / size[0])


def distance(ours: npt.NDArray[Any], theirs: npt.NDArray[Any]) -> npt.NDArray[np.floating[Any]]:
    """Return the absolute differences; integers, which would wrap around, as float64."""
    is_float = np.issubdtype(ours.dtype, np.floating) and np.issubdtype(theirs.dtype, np.floating)
    with np.errstate(
        over="ignore", invalid="ignore"
    ):  # beyond what a float holds, a difference is infinite, and so above every limit
        difference: npt.NDArray[np.floating[Any]] = np.subtract(ours, theirs, dtype=None if is_float else np.float64)
    np.abs(difference, out=difference)
    return difference


def parameter_differences(reference: Trace, candidate: Trace) -> tuple[ParameterDifference, ...]:
    """Return the parameters of the stages that both sides recorded and that ran with different values."""
    found = []
    for stage in STAGES:
        ours, theirs = reference.parameters.get(stage, {}), candidate.parameters.get(stage, {})
        if stage == PROBABILITY_MAP and "dygraph" in (ours.get("engine"), theirs.get("engine")):
            # Training and deployment run on different engines by nature: only what both can have is a finding.
            ours, theirs = ({k: side[k] for k in ours if k in theirs and k != "engine"} for side in (ours, theirs))
        for name in [*ours, *(name for name in theirs if name not in ours)] if ours and theirs else ():
            one, two = ours.get(name), theirs.get(name)
            if one != two and not is_close(one, two):
                found.append(ParameterDifference(stage, name, one, two))
    return tuple(found)


def effective_parameters(kind: str, reference: Trace, candidate: Trace) -> list[dict[str, Any]]:
    """Return the parameters that ran in the stages of a kind, with both sides' values and whether they differ."""
    differing = {(parameter.stage, parameter.name) for parameter in parameter_differences(reference, candidate)}
    found = []
    for stage in STAGES_OF[kind]:
        ours, theirs = (trace.parameters.get(stage, {}) for trace in (reference, candidate))
        for name in dict.fromkeys((*ours, *theirs)):
            values = {"reference": plain(ours.get(name)), "candidate": plain(theirs.get(name))}
            found.append({"stage": stage, "name": str(name), **values, "differs": (stage, name) in differing})
    return found


def is_close(one: Any, two: Any) -> bool:
    """Tell whether two numeric parameters agree to float32: the sides store means and deviations in different forms."""
    try:
        return bool(
            np.allclose(np.asarray(one, np.float64), np.asarray(two, np.float64), rtol=1e-6, atol=0.0, equal_nan=True)
        )
    except (TypeError, ValueError, OverflowError):
        return False
