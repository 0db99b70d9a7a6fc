"""Which parameters of two sides ran with different values."""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_ocrparity.comparison import ParameterDifference
from pytest_ocrparity.jsonable import jsonable
from pytest_ocrparity.stages import PROBABILITY_MAP, STAGES, STAGES_OF
from pytest_ocrparity.trace import Trace


def parameter_differences(reference: Trace, candidate: Trace) -> tuple[ParameterDifference, ...]:
    """Return the parameters of the stages that both sides recorded and that ran with different values."""
    found = []
    for stage in STAGES:
        reference_values, candidate_values = reference.parameters.get(stage, {}), candidate.parameters.get(stage, {})
        if stage == PROBABILITY_MAP and "dygraph" in (reference_values.get("engine"), candidate_values.get("engine")):
            # Training and deployment run on different engines by nature: only what both can have is a finding.
            reference_values, candidate_values = (
                {k: side[k] for k in reference_values if k in candidate_values and k != "engine"}
                for side in (reference_values, candidate_values)
            )
        if not reference_values or not candidate_values:
            continue
        for name in dict.fromkeys((*reference_values, *candidate_values)):
            values = reference_values.get(name), candidate_values.get(name)
            if values[0] != values[1] and not parameters_agree(*values):
                found.append(ParameterDifference(stage, name, *values))
    return tuple(found)


def parameter_difference_rows(kind: str, reference: Trace, candidate: Trace) -> list[dict[str, Any]]:
    """Return the parameters that ran in the stages of a kind, with both sides' values and whether they differ."""
    differing = {(parameter.stage, parameter.name) for parameter in parameter_differences(reference, candidate)}
    found = []
    for stage in STAGES_OF[kind]:
        reference_values, candidate_values = (trace.parameters.get(stage, {}) for trace in (reference, candidate))
        for name in dict.fromkeys((*reference_values, *candidate_values)):
            values = {
                "reference": jsonable(reference_values.get(name)),
                "candidate": jsonable(candidate_values.get(name)),
            }
            found.append({"stage": stage, "name": str(name), **values, "differs": (stage, name) in differing})
    return found


def parameters_agree(reference: Any, candidate: Any) -> bool:
    """Return whether two numeric parameters agree to float32, as the sides store means and deviations differently."""
    try:
        numbers = np.asarray(reference, np.float64), np.asarray(candidate, np.float64)
        return bool(np.allclose(*numbers, rtol=1e-6, atol=0.0, equal_nan=True))
    except (TypeError, ValueError, OverflowError):
        return False
