"""Which parameters of two sides ran with different values."""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_ocrparity.comparison import ParameterDifference
from pytest_ocrparity.jsonable import plain
from pytest_ocrparity.stages import PROBABILITY_MAP, STAGES, STAGES_OF
from pytest_ocrparity.trace import Trace


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
