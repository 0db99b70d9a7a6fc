"""Find the smallest tolerance under which a failed comparison would pass, and write it as a user would type it.

Only one that still judges is offered: a limit that lets everything pass is no way out of a failure.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from typing import Final

from pytest_ocrparity.comparison import Comparison
from pytest_ocrparity.tolerance import PRESETS

__all__ = ["smallest_tolerance"]

WIDEST: Final[Mapping[str, float]] = {
    # Everything that the loosest preset judges by a number: of mean_atol 2e-3, of min_iou 0.5, of max_unmatched 0.06.
    **{name: value for name, value in PRESETS["int8"].items() if isinstance(value, float)},
    # What it leaves to other limits ends where the rules of fp32 end (see `tolerance.LIMITS`).
    "preprocessing.atol": 2e-6,
    "probability_maps.atol": 1e-2,
    "detections.max_score_difference": 0.2,
}
"""How far each limit may be widened by advice; one that is not here is never offered."""


def smallest_tolerance(judged: Comparison) -> str | None:
    """Return the smallest tolerance under which the judged comparison passes; None where it would judge nothing.

    None also where no tolerance helps, as with a difference of shapes.
    """
    if any(difference.fails for difference in judged.differences):
        return None
    limits = dict(_box_limits(judged) if judged.kind == "detections" else _value_limits(judged))
    if not limits or not all(math.isfinite(value) for value in limits.values()):
        return None
    # An IoU passes when it is rounded down, all else when it is rounded up.
    written = {
        name: f"{math.floor(value * 1e4) / 1e4:g}" if name == "detections.min_iou" else _round_up(value)
        for name, value in limits.items()
    }
    if not all(_still_judges(name, float(value), judged) for name, value in written.items()):
        return None
    origins = {measure.name: measure.origin for measure in judged.measures}
    # What is said in the test itself is stronger than the command line, so it has to be changed there; and outside
    # pytest there is no command line.
    inside = "PYTEST_CURRENT_TEST" not in os.environ or any(
        origins.get(name, "").partition(":")[0].endswith(("marker", "keyword", "tolerance=")) for name in limits
    )
    return " ".join(f"{'' if inside else '--ocr-tolerance='}{name}={value}" for name, value in written.items())


def _still_judges(name: str, value: float, judged: Comparison) -> bool:
    """Tell whether a limit of this value is no looser than what the presets permit."""
    if name == "detections.min_iou":
        return value >= WIDEST[name]
    if name == "detections.max_shift":
        iou = judged.measure("detections.min_iou")
        return iou is not None and iou.value >= WIDEST["detections.min_iou"]
    return value <= WIDEST.get(name, -math.inf) and value < 1  # the share 1 is every box


def _value_limits(judged: Comparison) -> Iterable[tuple[str, float]]:
    """Yield the limits that the tensor or the map needs; a flat `atol` takes the place of its rule."""
    largest, stored = judged.measure("largest"), judged.measure("stored")
    for measure in judged.measures:
        if measure.fails and measure.name in ("preprocessing.atol", "probability_maps.atol", "fusion"):
            needed = largest.value if largest is not None else math.nan
            yield f"{judged.kind}.atol", needed - (stored.value if stored is not None else 0.0)
        elif measure.fails:
            yield measure.name, measure.value


def _box_limits(judged: Comparison) -> Iterable[tuple[str, float]]:
    """Yield the limits that the boxes need: those of the worst pair, or a share where boxes have no partner."""
    kinds = {finding.kind for finding in judged.boxes if not finding.is_borderline}
    if kinds <= {"moved", "score"}:
        for name in ("detections.max_shift", "detections.min_iou", "detections.max_score_difference"):
            measure = judged.measure(name)
            if measure is not None and not measure.is_within:
                yield name, measure.value
    for name in ("detections.max_unmatched", "detections.max_borderline"):
        share = judged.measure(name)
        if share is not None and share.fails and not (name.endswith("unmatched") and kinds <= {"moved", "score"}):
            yield name, share.value


def _round_up(value: float) -> str:
    """Round a finite number above 0 up to two digits, so that what is printed really would pass."""
    digits = 1 - math.floor(math.log10(value))
    return f"{math.ceil(value * 10**digits * (1 - 1e-12)) / 10**digits:.6g}"
