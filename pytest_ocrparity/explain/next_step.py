"""Say what the reader of a failure does next: which values to change where, and which command compares again."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Collection, Sequence

from pytest_ocrparity.comparison import Comparison, ParameterDifference
from pytest_ocrparity.trace import STAGES

__all__ = ["next_step", "run_again", "suspects"]


def suspects(first: Comparison) -> list[ParameterDifference]:
    """Return the parameters that ran with different values: of the first differing stage, else of earlier ones.

    What only one side declares is not known to differ.
    """
    both = [each for each in first.parameters if each.reference is not None and each.candidate is not None]
    own = [each for each in both if each.stage == first.stage]
    earlier = STAGES[: STAGES.index(first.stage)] if first.stage in STAGES else ()
    return own or [each for each in both if each.stage in earlier]


def running_test() -> str:
    """Return the id of the test that pytest runs, to which xdist adds "@group"; nothing outside of a test."""
    return re.sub(r"(?<=\])@.*$", "", os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" (")[0])


def run_again(image: str) -> str:
    """Return how to run the comparison again: pytest tells which test runs, to whose id xdist adds "@group"."""
    test = running_test()
    if test.startswith("::"):  # the gate inside the package has no path that could be typed
        return f"then: pytest --pyargs pytest_ocrparity.gate --ocr-images={shlex.quote(image)}"
    return f"then: pytest {shlex.quote(test)}" if test else "then compare again"


_SET_IN = {
    **dict.fromkeys(("limit_side_len", "limit_type", "thresh", "box_thresh", "unclip_ratio"), "options"),
    "max_side_limit": "predict_options",
}
"""The setting by which paddleocr 3.x gets a parameter. Others are in inference.yml, whose limits it ignores."""


def _places(differing: Sequence[ParameterDifference], table: str) -> str:
    """Return the parameters with where they are set for paddleocr; of a user's own engine, their names alone."""
    names = [each.name for each in differing]
    if not table:
        return ", ".join(names)
    places: dict[str, list[str]] = {}
    for name in sorted(names, key=lambda name: name not in _SET_IN):
        place = f"{table}.{_SET_IN[name]}" if name in _SET_IN else "inference.yml"
        places.setdefault(place, []).append(name)
    return ", ".join(f"{', '.join(found)} in {place}" for place, found in places.items())


_NEXT = {
    "empty": "let both traces hold their probability_map, by which a page without text is compared",
    "not_recorded": "let both traces hold their {stage}",
    "not_judged": "set a limit for the maps",
    "no_scores": "return scores, or leave max_score_difference at auto",
}


def next_step(judged: Comparison, first: Comparison, ruled_out: Collection[str] = ()) -> str:
    """Return what a reader of the failure does next.

    Args:
        judged: the comparison whose assertion failed.
        first: the one in which the first difference is.
        ruled_out: what experiments showed not to explain it alone, which is then not advised.
    """
    if judged.reference == "baseline (inference)":
        return "if the change is meant: pytest --ocr-golden --ocr-golden-mode=all makes it the new baseline"
    again = run_again(judged.image)
    failing = [difference for difference in first.differences if difference.fails]
    if failing and failing[0].kind in _NEXT:
        return f"{_NEXT[failing[0].kind].format(stage=failing[0].stage)}, {again}"
    were_tried = any(f": {word} {judged.reference}'s " in text for text in ruled_out for word in ("with", "given"))
    if not were_tried and (found := suspects(first)):
        return f"give {judged.candidate} the values of {judged.reference}: {_places(found, judged.table)}, {again}"
    acquitted = ("network.weights: all", "every part that could be run by itself agrees")
    may_be_another = not any(text.startswith(acquitted) for text in ruled_out)
    if first.stage == "probability_map" and judged.table and may_be_another:
        return f"make sure that the export was made from this checkpoint, {again}"
    return f"find what differs at {first.stage}, {again}"
