"""Say what the reader of a failure does next: which values to change where, and which command compares again."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Collection, Sequence

from pytest_ocrparity.trace import STAGES
from pytest_ocrparity.verdict import Comparison, ParameterDifference

__all__ = ["next_step", "run_again", "suspects"]


def suspects(first: Comparison) -> list[ParameterDifference]:
    """Return the parameters that ran with different values: of the first differing stage, else of earlier ones."""
    own = [parameter for parameter in first.parameters if parameter.stage == first.stage]
    earlier = STAGES[: STAGES.index(first.stage)] if first.stage in STAGES else ()
    # What only one side has, such as a cap that did not act, is no suspect once its own stage agrees.
    both = [p for p in first.parameters if p.stage in earlier and p.reference is not None and p.candidate is not None]
    return own or both


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
    **dict.fromkeys(("limit_side_len", "limit_type", "thresh", "box_thresh", "unclip_ratio"), "inference.options"),
    "max_side_limit": "inference.predict_options",
}
"""Where paddleocr 3.x takes a parameter from; of the limits it ignores what inference.yml says. All others: the yml."""


def _places(differing: Sequence[ParameterDifference], judged: Comparison) -> str:
    """Return the parameters with where they are set for paddleocr; those that the reference lacks can't be copied."""
    names = [p.name for p in differing if p.reference is not None] or [p.name for p in differing]
    if judged.candidate != "inference":
        return ", ".join(names)
    places = {
        place: [n for n in names if _SET_IN.get(n, "inference.yml") == place]
        for place in (*_SET_IN.values(), "inference.yml")
    }
    return ", ".join(f"{', '.join(found)} in {place}" for place, found in places.items() if found)


_NEXT = {
    "empty": "compare the maps of this page too, or permit it as above",
    "not_recorded": "let both traces hold their {stage}, or leave this assertion out",
    "not_judged": "set a limit for the maps",
    "no_scores": "return scores, or leave max_score_difference at auto",
}


def next_step(judged: Comparison, first: Comparison, ruled_out: Collection[str] = ()) -> str:
    """Return what a reader of the failure does next.

    Args:
        judged: the comparison whose assertion failed.
        first: the one in which the first difference is.
        ruled_out: what experiments showed not to explain it, which is then not advised.
    """
    if judged.reference == "baseline (inference)":
        return "if the change is meant: pytest --ocr-golden --ocr-golden-mode=all makes it the new baseline"
    again = run_again(judged.image)
    failing = [difference for difference in first.differences if difference.fails]
    if failing and failing[0].kind in _NEXT:
        return f"{_NEXT[failing[0].kind].format(stage=failing[0].stage)}, {again}"
    were_tried = any(text.endswith("the difference stays") for text in ruled_out)
    if not were_tried and (found := suspects(first)):
        return f"give {judged.candidate} the values of {judged.reference}: {_places(found, judged)}, {again}"
    if first.stage == "probability_map" and not any(text.startswith("weights: all") for text in ruled_out):
        return f"make sure that the export was made from this checkpoint, {again}"
    return f"find what differs at {first.stage}, {again}"
