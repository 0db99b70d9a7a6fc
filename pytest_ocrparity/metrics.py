"""The numbers of a test that CI servers keep: one property each, the worst where a test compares several images."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["metrics", "worse"]

_WORST_FIRST = (
    *("different", "not comparable", "not judgeable"),
    *("left to the run", "recorded", "empty", "empty, as allowed", "same"),
)
_COUNTED = ("boxes", "different", "borderline")


def metrics(comparison: Mapping[str, Any]) -> dict[str, Any]:
    """Return a comparison's metrics by name, such as `probability_maps.largest`.

    `status`, every measured amount, and of the boxes how many were compared, differ and are borderline.
    """
    kind = comparison["kind"]
    found: dict[str, Any] = {f"{kind}.status": comparison["status"]}
    for measure in comparison["measures"]:
        name = measure["name"]
        found[name if "." in name else f"{kind}.{name}"] = measure["value"]
    counts = comparison["counts"]
    return found | {f"{kind}.{name}": counts[name] for name in _COUNTED if name in counts}


def worse(one: Any, two: Any, name: str) -> Any:
    """Return the worse of two values of a metric: the smaller IoU, the larger of all else, NaN before any number."""
    if isinstance(one, str):
        ranked: Iterable[str] = (status for status in _WORST_FIRST if status in (one, two))
        return next(iter(ranked), one)
    if math.isnan(one) or math.isnan(two):
        return math.nan
    return min(one, two) if name.endswith("min_iou") else max(one, two)
