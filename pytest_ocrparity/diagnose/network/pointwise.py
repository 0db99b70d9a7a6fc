"""The experiment with one function of each value: a map that is the reference's, changed pixel by pixel in one way."""

from __future__ import annotations

from typing import Final

import numpy as np

from pytest_ocrparity.diagnose.network.map_change import Family, MapChange
from pytest_ocrparity.trace import Array

BINS: Final = 20
FEWEST_BINS: Final = 12
"""How many of the twentieths of 0 to 1 must occur in a map: of few values, any change is a function."""


SHARE: Final = 0.1
"""How much of the largest difference a function may leave."""


def functions_between(right: Array, own: Array, limit: float) -> list[MapChange]:
    """Return the functions of which each makes `own` of `right`.

    Args:
        right: probabilities, of which the function is to be found.
        own: what became of them.
        limit: how far two right maps of one tensor may lie apart.
    """
    if right.shape != own.shape or not (np.isfinite(right).all() and np.isfinite(own).all()):
        return []
    x, y = right.reshape(-1).astype(np.float64), own.reshape(-1).astype(np.float64)
    levels = np.count_nonzero(np.histogram(x, BINS, (0, 1))[0])
    if levels < FEWEST_BINS or np.max(np.abs(x - y)) <= limit:
        return []
    found = [made for find in FUNCTIONS if (made := find(x, y, limit)) is not None]
    # A function that leaves a good part of the difference is a fit to something else, such as other weights.
    return [made for made in found if made.left <= SHARE * np.max(np.abs(x - y))]


def _fit_logits(x: Array, y: Array, limit: float) -> MapChange | None:
    left = float(np.max(np.abs(1 / (1 + np.exp(-np.clip(y, -700, 700))) - x)))
    if left > limit or y.min() >= 0:
        return None
    fix = "apply the sigmoid to what {candidate}'s network returns"
    return MapChange("logits", (), "before its sigmoid (logits)", fix, left)


def _sigmoid_twice(x: Array, y: Array, limit: float) -> MapChange | None:
    left = float(np.max(np.abs(1 / (1 + np.exp(-x)) - y)))
    if left > limit:
        return None
    fix = "take the sigmoid behind {candidate}'s network out: it has one"
    return MapChange("sigmoid", (), "after a second sigmoid", fix, left)


def _fit_affine(x: Array, y: Array, limit: float) -> MapChange | None:
    """Fit y = a x + b."""
    middle = x - x.mean()
    slope = float(middle @ (y - y.mean()) / (middle @ middle))
    offset = float(y.mean() - slope * x.mean())
    left = float(np.max(np.abs(slope * x + offset - y)))
    if abs(slope) < 1e-3 or left > limit * max(abs(slope), 1e-2):
        return None
    offset = 0.0 if abs(offset) <= limit * abs(slope) else offset
    text = f"x {slope:.4g}" + (f" {'+' if offset > 0 else '-'} {abs(offset):.4g}" if offset else "")
    fix = "take out what scales or shifts the map that {candidate}'s network returns"
    return MapChange("affine", (slope, offset), text, fix, left)


def _fit_steps(x: Array, y: Array, limit: float) -> MapChange | None:
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
                return MapChange(f"8 bits {name} {scale}", (), text, fix)
    return None


HALF_TYPES: Final = {"float16": 13, "bfloat16": 16}
"""How many of the last bits of a float32 number each has not, the finer one first."""


def _fit_half(x: Array, y: Array, limit: float) -> MapChange | None:
    """Look for the nearest numbers of a type of 16 bits."""
    numbers = y.astype(np.float32)
    for name, bits in HALF_TYPES.items():
        if np.any(numbers.view(np.uint32) % 2**bits):
            continue
        # Where a value lies between two numbers, the rounding of the networks decides.
        left = float(np.max(np.abs(x - y) - np.spacing(np.abs(numbers)) * 2.0**bits / 2))
        if left <= limit:
            fix = (
                "hand {candidate}'s map over in float32; or, if half precision is meant, compare under the preset fp16"
            )
            return MapChange(name, (), f"rounded to {name}", fix, max(left, 0.0))
    return None


def _fit_binary(x: Array, y: Array, limit: float) -> MapChange | None:
    values = np.unique(y)
    if len(values) != 2:
        return None
    is_high = y == values[1]
    low, high = float(x[~is_high].max()), float(x[is_high].min())
    if low > high + limit:
        return None
    text = f"made binary: {values[0]:.4g} up to {min(low, high):.4g}, {values[1]:.4g} above"
    return MapChange("binary", (), text, "hand the map itself to {candidate}'s post-process")


def _fit_clipped(x: Array, y: Array, limit: float) -> MapChange | None:
    low, high = float(y.min()), float(y.max())
    left = float(np.max(np.abs(np.clip(x, low, high) - y)))
    is_cut = [np.mean(np.abs(y - edge) <= 1e-9) for edge in (low, high)]
    if left > limit or max(is_cut) < 1e-4 or np.ptp(y) < 1e-3:
        return None
    text = f"clipped to {low:.4g} to {high:.4g}"
    # Which values a map reaches differs from page to page, so that its numbers need not be these on another one.
    return MapChange("clipped", (), text, "take the clipping out behind {candidate}'s network", left)


FUNCTIONS: Final = (_fit_logits, _sigmoid_twice, _fit_binary, _fit_affine, _fit_steps, _fit_half, _fit_clipped)

POINTWISE: Final = Family(
    "network.pointwise",
    functions_between,
    "{candidate}'s map is {reference}'s {text}",
    "every value of {candidate}'s map is that of {reference}'s {text} (largest difference {left})",
    "no logits, second sigmoid, scale, clipping or rounding makes this map",
)
