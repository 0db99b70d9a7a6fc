"""The experiment with one function of each value: a map that is the reference's, changed pixel by pixel in one way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.compare.sensitivity import automatic_map_limit, map_sensitivity
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.stages import PROBABILITY_MAP

Array: TypeAlias = "npt.NDArray[Any]"

BINS: Final = 20
FEWEST_BINS: Final = 12
"""How many of the twentieths of 0 to 1 must occur in a map: of few values, any change is a function."""


SHARE: Final = 0.1
"""How much of the largest difference a function may leave."""


class Function(NamedTuple):
    """One function of a value: its kind, its numbers, how it is said, and how it is put right."""

    kind: str
    numbers: tuple[float, ...]
    text: str
    fix: str


def by_pointwise(lab: Laboratory, candidate_map: Array | None) -> Diagnosis | None:
    """Return one function of each value as the cause, where it makes the candidate's map of the reference's."""
    right = lab.reference.probability_map
    return None if right is None or candidate_map is None else pointwise_cause(lab, right, candidate_map)


def pointwise_cause(lab: Laboratory, right: Array, own: Array) -> Diagnosis | None:
    """Return the diagnosis of a map that is another one, of the same tensor, under one function of each value."""
    limit = automatic_map_limit(map_sensitivity(lab.reference))
    found = function_between(right, own, limit)
    reference, candidate = lab.names
    if found is None:
        lab.tried.append("network.pointwise: no logits, second sigmoid, scale, clipping or coarse steps make this map")
        return None
    function, left = found

    def explains(other: Laboratory, made: Array | None) -> bool:
        there = other.reference.probability_map
        if made is None or there is None:
            return False
        again = function_between(there, made, automatic_map_limit(map_sensitivity(other.reference)))
        return again is not None and again[0].kind == function.kind and _are_close(again[0], function)

    lab.patched = replace(lab.patched, explains=explains)
    proof = f"every value of {candidate}'s map is that of {reference}'s {function.text} (largest difference {left:.1e})"
    summary = f"{candidate}'s map is {reference}'s {function.text}"
    return lab.proven_cause(
        PROBABILITY_MAP, "network.pointwise", summary, [proof], function.fix.format(candidate=candidate)
    )


def _are_close(one: Function, other: Function) -> bool:
    return one.kind in ("clipped", "binary") or bool(np.allclose(one.numbers, other.numbers, rtol=1e-2, atol=1e-3))


def function_between(right: Array, own: Array, limit: float) -> tuple[Function, float] | None:
    """Return the one function that makes `own` of `right`, with the largest difference left; None without one.

    Args:
        right: probabilities, of which the function is to be found.
        own: what became of them.
        limit: how far two right maps of one tensor may lie apart.
    """
    if right.shape != own.shape or not (np.isfinite(right).all() and np.isfinite(own).all()):
        return None
    x, y = right.reshape(-1).astype(np.float64), own.reshape(-1).astype(np.float64)
    levels = np.count_nonzero(np.histogram(x, BINS, (0, 1))[0])
    if levels < FEWEST_BINS or np.max(np.abs(x - y)) <= limit:
        return None
    found = next((made for find in FUNCTIONS if (made := find(x, y, limit)) is not None), None)
    # A function that leaves a good part of the difference is a fit to something else, such as other weights.
    return None if found is None or found[1] > SHARE * np.max(np.abs(x - y)) else found


def _logits(x: Array, y: Array, limit: float) -> tuple[Function, float] | None:
    left = float(np.max(np.abs(1 / (1 + np.exp(-np.clip(y, -700, 700))) - x)))
    if left > limit or y.min() >= 0:
        return None
    return Function(
        "logits", (), "before its sigmoid (logits)", "apply the sigmoid to what {candidate}'s network returns"
    ), left


def _sigmoid_twice(x: Array, y: Array, limit: float) -> tuple[Function, float] | None:
    left = float(np.max(np.abs(1 / (1 + np.exp(-x)) - y)))
    if left > limit:
        return None
    return Function(
        "sigmoid", (), "after a second sigmoid", "take the sigmoid behind {candidate}'s network out: it has one"
    ), left


def _affine(x: Array, y: Array, limit: float) -> tuple[Function, float] | None:
    """Fit y = a x + b."""
    middle = x - x.mean()
    slope = float(middle @ (y - y.mean()) / (middle @ middle))
    offset = float(y.mean() - slope * x.mean())
    left = float(np.max(np.abs(slope * x + offset - y)))
    if abs(slope) < 1e-3 or left > limit * max(abs(slope), 1e-2):
        return None
    offset = 0.0 if abs(offset) <= limit * abs(slope) else offset
    text = f"x {slope:.4g}" + (f" {'+' if offset > 0 else '-'} {abs(offset):.4g}" if offset else "")
    return Function(
        "affine", (slope, offset), text, "take out what scales or shifts the map that {candidate}'s network returns"
    ), left


def _steps(x: Array, y: Array, limit: float) -> tuple[Function, float] | None:
    """Look for whole steps of 1/255, rounded or cut."""
    for whole, name in ((np.round, "rounded"), (np.floor, "cut")):
        for scale in (255.0, 1.0):
            steps = y * scale
            if np.max(np.abs(steps - np.round(steps))) > 1e-3 or len(np.unique(np.round(steps))) < 8:
                continue
            # Where a value lies at the edge of a step, the rounding of the networks decides.
            low, high = whole((x - limit) * 255), whole((x + limit) * 255)
            is_inside = np.all((np.round(steps) >= low) & (np.round(steps) <= high))
            if is_inside and np.mean(np.round(steps) == whole(x * 255)) > 0.9:
                text = f"{name} to 8 bits" + ("" if scale == 255 else ", and read as 0 to 255")
                fix = "keep {candidate}'s map in float32 up to its post-process"
                return Function(f"8 bits {name} {scale}", (), text, fix), 0.0
    return None


def _binary(x: Array, y: Array, limit: float) -> tuple[Function, float] | None:
    values = np.unique(y)
    if len(values) != 2:
        return None
    is_high = y == values[1]
    low, high = float(x[~is_high].max()), float(x[is_high].min())
    if low > high + limit:
        return None
    text = f"made binary: {values[0]:.4g} up to {min(low, high):.4g}, {values[1]:.4g} above"
    return Function("binary", (), text, "hand the map itself to {candidate}'s post-process"), 0.0


def _clipped(x: Array, y: Array, limit: float) -> tuple[Function, float] | None:
    low, high = float(y.min()), float(y.max())
    left = float(np.max(np.abs(np.clip(x, low, high) - y)))
    is_cut = [np.mean(np.abs(y - edge) <= 1e-9) for edge in (low, high)]
    if left > limit or max(is_cut) < 1e-4 or np.ptp(y) < 1e-3:
        return None
    text = f"clipped to {low:.4g} to {high:.4g}"
    return Function("clipped", (low, high), text, "take the clipping out behind {candidate}'s network"), left


FUNCTIONS: Final = (_logits, _sigmoid_twice, _binary, _affine, _steps, _clipped)
