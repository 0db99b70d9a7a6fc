"""Judge recorded comparisons again under other limits, without running a model, as far as their measures allow.

What they do not allow is "undecided", which is no pass. Limits that are not given stay what they were.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pytest_ocrparity.judging_boxes import BoxJudge
from pytest_ocrparity.judging_judge import UNDECIDED, Judge, Limits
from pytest_ocrparity.judging_values import MapJudge, TensorJudge
from pytest_ocrparity.tolerance import Tolerance

__all__ = ["UNDECIDED", "judge_again", "wanted_limits"]

_JUDGES: Mapping[str, Callable[..., Judge]] = {
    "preprocessing": TensorJudge,
    "probability_maps": MapJudge,
    "detections": BoxJudge,
}


def wanted_limits(given: Sequence[Mapping[str, Any]]) -> Limits:
    """Return the limits that parsed `--tolerance` words set, by name; a preset sets all of them.

    Raises:
        SettingsError: a preset, limit or value means nothing.
    """
    tolerance = Tolerance({})
    for values in sorted(given, key=lambda values: "preset" not in values):
        tolerance = tolerance.override(values, "--tolerance")
    return tolerance.limits


def judge_again(comparisons: Sequence[Mapping[str, Any]], wanted: Limits) -> list[dict[str, Any]]:
    """Return the comparisons with the `status`, `limits`, judged `measures` and `counts` that these limits give."""
    maps: dict[tuple[Any, ...], tuple[Mapping[str, Any], Mapping[str, Any]]] = {}
    judged: dict[int, dict[str, Any]] = {}
    for place, each in sorted(enumerate(comparisons), key=lambda pair: pair[1]["kind"] == "detections"):
        sides = each["image"], each["reference"], each["candidate"]
        if each["kind"] not in _JUDGES:  # of a newer version: what is not known does not pass
            judged[place] = {**each, "status": UNDECIDED}
            continue
        judged[place] = found = _JUDGES[each["kind"]](each, wanted, maps.get(sides)).comparison()
        if each["kind"] == "probability_maps":
            maps[sides] = each, found
    return [judged[place] for place in range(len(comparisons))]
