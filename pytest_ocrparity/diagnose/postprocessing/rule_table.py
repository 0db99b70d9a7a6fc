"""The rules that are tried: what can be stated as a cause, and what does the same on some pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from pytest_ocrparity.diagnose.postprocessing.equality import Page, area
from pytest_ocrparity.diagnose.postprocessing.later_changes import LATER, without_inner
from pytest_ocrparity.diagnose.postprocessing.rules import Changed, Choice, Cut, Quantity, Rule, Searched
from pytest_ocrparity.trace import Array, Detections


def _box_scores(made: Detections, page: Page) -> Array | None:
    return made.scores


def _box_number(made: Detections, page: Page) -> Array:
    """Return each box's place in the order in which they are returned, from 1 on."""
    return np.arange(1.0, len(made) + 1)


def _score_rank(made: Detections, page: Page) -> Array | None:
    """Return each box's place by score, the best first, from 1 on."""
    if made.scores is None:
        return None
    rank = np.empty(len(made))
    rank[np.argsort(-made.scores, kind="stable")] = np.arange(1, len(made) + 1)
    return rank


def _box_sides(made: Detections, scale: tuple[float, float] = (1.0, 1.0)) -> tuple[Array, Array]:
    """Return each box's shortest and longest side."""
    sides = [
        np.linalg.norm((polygon - np.roll(polygon, 1, axis=0)) / np.asarray(scale), axis=1) for polygon in made.polygons
    ]
    return np.array([each.min() for each in sides]), np.array([each.max() for each in sides])


def _extreme_side(index: int, *, largest: bool) -> Quantity:
    def quantity(made: Detections, page: Page) -> Array:
        return np.array([(p[:, index].max() if largest else p[:, index].min()) for p in made.polygons])

    return quantity


def _whole_side(made: Detections, page: Page) -> Array:
    """Return the shortest side as predict_det.py takes it: whole px of the first corner's two sides."""
    return np.array([min(int(np.linalg.norm(p[0] - p[k])) for k in (1, -1)) for p in made.polygons])


FILTER: Final = "postprocess.filter"
UNCLIP: Final = "unclip"
"""The name of the rule by which boxes do not grow."""
SHORT: Final = "only boxes whose shorter side has at least {value} px"

CAUSES: Final[tuple[Rule, ...]] = (
    Searched(
        cause="postprocess.thresh",
        name="thresh",
        text="thresh {value}",
        low=0.005,
        high=0.995,
        known=(0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7),
        grows=False,
    ),
    Cut(
        cause="postprocess.box_thresh",
        name="box_thresh",
        text="box_thresh {value}",
        quantity=_box_scores,
        base={"box_thresh": 1e-6},
    ),
    Searched(
        cause="postprocess.unclip_ratio",
        name="unclip_ratio",
        text="unclip_ratio {value}",
        low=0.2,
        high=6.0,
        known=(1.0, 1.2, 1.4, 1.5, 1.6, 1.7, 1.8, 2.0, 2.2, 2.5, 3.0),
    ),
    Searched(
        cause="postprocess.max_candidates",
        name="max_candidates",
        text="max_candidates {value}",
        low=1,
        high=5000,
        is_whole=True,
        counts=True,
    ),
    Choice(cause="postprocess.use_dilation", name="use_dilation", text="use_dilation {value}", values=(True, False)),
    Choice(
        cause="postprocess.use_dilation",
        name="kernel",
        text="the binary map dilated by a square of {value} px (eroded, if negative)",
        values=(3, 4, 5, 7, -2, -3, -4, -5),
    ),
    Searched(
        cause="postprocess.unclip_ratio",
        name="unclip_distance",
        text="boxes that grow by {value} px of the map, whatever their size",
        low=0.5,
        high=64.0,
        known=(2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0),
    ),
    Choice(
        cause="postprocess.unclip_ratio",
        name=UNCLIP,
        text="outlines that do not grow ({value})",
        values=("no unclip", "no unclip, and no check of its size after", "unclip_ratio 0"),
        way_out="let each box grow by area * unclip_ratio / perimeter, in px of the map, as DBPostProcess does",
    ),
    Choice(
        cause="postprocess.map_size",
        name="map_size",
        text="a map that is scaled to the {value} before it is cut",
        values=("page",),
    ),
    Choice(cause="postprocess.score_mode", name="score_mode", text="score_mode {value}", values=("fast", "slow")),
    Choice(
        cause="postprocess.score_mode",
        name="score",
        text="the {value} value within a box as its score",
        values=("largest",),
    ),
    Choice(cause="postprocess.box_type", name="box_type", text="box_type {value}", values=("quad", "poly")),
    Choice(
        cause="postprocess.box_type",
        name="rectangles",
        text="rectangles parallel to the page's sides ({value})",
        values=("upright", "upright, last pixel included"),
    ),
    Searched(
        cause=FILTER,
        name="min_size",
        text="min_size {value}: boxes below it on the map dropped",
        low=0.0,
        high=200.0,
        grows=False,
        counts=True,
        known=(3.0, 5.0, 10.0),
    ),
    Cut(cause=FILTER, text=f"{SHORT} of the page", quantity=lambda made, page: _box_sides(made)[0]),
    Cut(cause=FILTER, text=f"{SHORT} of the map", quantity=lambda made, page: _box_sides(made, page.scale)[0]),
    Cut(cause=FILTER, text=f"{SHORT} of the page, in whole px", quantity=_whole_side),
    Cut(
        cause=FILTER,
        text="only the {value} boxes of the highest scores",
        quantity=_score_rank,
        drops_below=False,
        is_whole=True,
    ),
    *LATER,
)
"""What can be stated. A second threshold of scores does what `box_thresh` does, and is called by that name."""

_CUTS: Final = {
    "the longer side": lambda made, page: _box_sides(made)[1],
    "the area": lambda made, page: np.array([area([polygon]) for polygon in made.polygons]),
    "the ratio of the sides": lambda made, page: _box_sides(made)[1] / np.maximum(_box_sides(made)[0], 1e-9),
    "the left edge": _extreme_side(0, largest=False),
    "the right edge": _extreme_side(0, largest=True),
    "the upper edge": _extreme_side(1, largest=False),
    "the lower edge": _extreme_side(1, largest=True),
}

RIVALS: Final[tuple[Rule, ...]] = (
    *(
        Cut(
            cause="",
            text=f"a filter of boxes by {words}, {'from' if below else 'up to'} {{value}}",
            quantity=quantity,
            drops_below=below,
        )
        for words, quantity in _CUTS.items()
        for below in (True, False)
    ),
    Cut(
        cause="",
        text="the first {value} boxes alone",
        quantity=_box_number,
        drops_below=False,
        is_whole=True,
    ),
    Cut(
        cause="",
        text="the boxes from number {value} on",
        quantity=_box_number,
    ),
    Changed(cause="", text="boxes that lie in other ones dropped", values=(None,), change=without_inner),
)
"""What does the same on some pages, and is no cause by itself."""

MAPS: Final[tuple[Rule, ...]] = (
    Searched(
        cause="",
        text="a map scaled by {value}",
        low=0.2,
        high=4.0,
        known=(0.9, 0.8, 0.5, 1.1, 1.25),
        on_map=lambda values, factor: np.asarray(values * np.float32(factor), np.float32),
    ),
    Searched(
        cause="",
        text="a map shifted by {value}",
        low=-0.5,
        high=0.5,
        known=(-0.05, 0.05, -0.1, 0.1),
        on_map=lambda values, offset: np.asarray(values + np.float32(offset), np.float32),
    ),
)
"""Changes of the map within the post-process; where the candidate has scores, they show them."""


def fix_of_rule(rule: Rule, parameters: Mapping[str, Any], reference: str, candidate: str) -> str:
    """Return how a candidate stops to follow a rule; `parameters` are those of the reference's post-process."""
    name = rule.cause.rpartition(".")[2] if rule.way_out else rule.name
    if parameters.get(name) is None:
        return rule.way_out or f"take that out of {candidate}'s post-process"
    return f"give {candidate} {reference}'s {name} = {parameters[name]}" + f": {rule.way_out}" * bool(rule.way_out)
