"""Find the parameters that ran with different values on the two sides."""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_ocrparity.trace import PROBABILITY_MAP, STAGES, Trace
from pytest_ocrparity.verdict import ParameterDifference

__all__ = ["parameter_differences"]


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
            if one != two and not _close(one, two):
                found.append(ParameterDifference(stage, name, one, two))
    return tuple(found)


def _close(one: Any, two: Any) -> bool:
    """Tell whether two numeric parameters agree to float32: the sides store means and deviations in different forms."""
    try:
        return bool(np.allclose(np.asarray(one, np.float64), np.asarray(two, np.float64), rtol=1e-6, atol=0.0))
    except (TypeError, ValueError):
        return False
