"""Rules of what happens to boxes after they were made: other ratios, corners, edges, joined ones, other scores.

Each changes the reference's boxes of the candidate's own map, and must make the candidate's boxes exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import numpy as np

from pytest_ocrparity.diagnose.postprocessing.equality import Page, canonical, indices_of_equal_boxes
from pytest_ocrparity.diagnose.postprocessing.rules import Changed, Placed, Read, Rule, subset
from pytest_ocrparity.trace import Array, Detections


def _each(made: Detections, change: Callable[[Array], Array]) -> Detections:
    return Detections(tuple(change(np.asarray(polygon, np.float64)) for polygon in made.polygons), made.scores)


def _size(page: Page) -> Array:
    """Return the page's (width, height)."""
    return np.array([page.shape[1], page.shape[0]], np.float64)


# Where on the page.

RATIOS: Final[Mapping[str, Callable[[float, float], tuple[float, float]]]] = {
    "x by the ratio of y, and y by that of x": lambda x, y: (y, x),
    "x and y by the ratio of y": lambda x, y: (y, y),
    "x and y by the ratio of x": lambda x, y: (x, x),
    "by the ratio twice": lambda x, y: (x * x, y * y),
    "by the inverse ratio": lambda x, y: (1 / x, 1 / y),
    "by a ratio rounded to one digit": lambda x, y: (round(x, 1), round(y, 1)),
    "by a ratio rounded to two digits": lambda x, y: (round(x, 2), round(y, 2)),
    "by a ratio rounded to a whole number": lambda x, y: (float(round(x)), float(round(y))),
}
"""What boxes of the map are multiplied by, of the right x and y."""


def _scaled(made: Detections, value: str, page: Page) -> Detections | None:
    """Return boxes of the map scaled by other ratios, and clipped to the page as the right ones are."""
    ratio = RATIOS[value](*page.scale)
    if min(ratio) <= 0:
        return None
    return _each(made, lambda box: np.clip(np.round(box * ratio), 0, _size(page)))


def _unscaled(made: Detections, value: str, page: Page) -> Detections | None:
    return _each(made, lambda box: np.clip(np.round(box), 0, _size(page) if value == "the page" else np.inf))


def _in_shares(made: Detections, value: float, page: Page) -> Detections:
    shares = _each(made, lambda box: box / _size(page) * value)
    return shares if value == 1 else _each(shares, np.floor)


# Which corners.


def upright(box: Array) -> Array:
    """Return the corners of the bounding rectangle, parallel to the page's sides."""
    (x0, y0), (x1, y1) = box.min(axis=0), box.max(axis=0)
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])


def _sides_as_corners(box: Array) -> Array:
    low, sides = box.min(axis=0), np.ptp(box, axis=0)
    return upright(np.array([low, sides]))


CORNERS: Final[Mapping[str, Callable[[Array], Array]]] = {
    "their upper left and lower right corner alone": lambda box: box[[0, len(box) // 2]],
    "the two corners of their bounding rectangle alone": lambda box: np.array([box.min(axis=0), box.max(axis=0)]),
    "width and height in the place of the lower right corner": _sides_as_corners,
    "their corners sorted by x": lambda box: box[np.lexsort((box[:, 1], box[:, 0]))],
    "their corners sorted by y": lambda box: box[np.lexsort((box[:, 0], box[:, 1]))],
}


def _corners(made: Detections, value: str, page: Page) -> Detections:
    return _each(made, CORNERS[value])


MIRRORS: Final[Mapping[str, tuple[bool, bool]]] = {
    "the right edge": (True, False),
    "the lower edge": (False, True),
    "the lower right corner": (True, True),
}


def _mirrored(made: Detections, value: str, page: Page) -> Detections:
    is_turned = np.array(MIRRORS[value])
    return _each(made, lambda box: np.where(is_turned, _size(page) - box, box))


STEPS: Final = (2, 4, 5, 8, 10, 16, 20, 25, 32, 50, 100)
GRIDS: Final[Mapping[str, tuple[Callable[[Array], Array], int]]] = {
    f"{way} to multiples of {step}".strip(): (whole, step)
    for way, whole in (("down", np.floor), ("up", np.ceil), ("", np.round))
    for step in STEPS
}


def _rounded(made: Detections, value: str, page: Page) -> Detections:
    whole, step = GRIDS[value]
    return _each(made, lambda box: np.asarray(whole(box / step) * step))


def _grown(made: Detections, pixels: int, page: Page) -> Detections:
    """Return the boxes with each corner moved outward, along x and along y."""
    return _each(made, lambda box: box + np.sign(box - box.mean(axis=0)) * pixels)


# Values that the candidate's boxes tell.


def _edges(page: Page) -> tuple[float | None, ...] | None:
    """Return the left, upper, right and lower edge to which boxes may be clipped; None where none is."""
    if not len(page.right) or not len(page.found):
        return None
    made, found = (np.concatenate(each.polygons) for each in (page.right, page.found))
    low, high = (found.min(axis=0), found.max(axis=0))
    cut = [*(low > made.min(axis=0)), *(high < made.max(axis=0))]
    return tuple(float(edge) if is_cut else None for edge, is_cut in zip((*low, *high), cut, strict=True))


def _edges_in_shares(page: Page) -> tuple[float | None, ...] | None:
    edges = _edges(page)
    if edges is None:
        return None
    size = (*_size(page), *_size(page))
    return tuple(None if edge is None else float(edge / whole) for edge, whole in zip(edges, size, strict=True))


def _clipped(made: Detections, edges: tuple[float | None, ...], page: Page) -> Detections | None:
    if all(edge is None for edge in edges):
        return None
    x0, y0 = (-np.inf if edge is None else edge for edge in edges[:2])
    x1, y1 = (np.inf if edge is None else edge for edge in edges[2:])
    return _each(made, lambda box: np.clip(box, (x0, y0), (x1, y1)))


def _clipped_to_shares(made: Detections, edges: tuple[float | None, ...], page: Page) -> Detections | None:
    size = (*_size(page), *_size(page))
    in_px = tuple(None if edge is None else edge * whole for edge, whole in zip(edges, size, strict=True))
    return _clipped(made, in_px, page)


def _offset(page: Page) -> tuple[float | None, ...] | None:
    if not len(page.right) or len(page.found) != len(page.right):
        return None
    points = [np.concatenate(each.polygons) for each in (page.found, page.right)]
    if points[0].shape != points[1].shape:
        return None
    x, y = np.median(np.sort(points[0], axis=0) - np.sort(points[1], axis=0), axis=0)
    return None if x == y == 0 else (float(x), float(y))


def _moved(made: Detections, by: tuple[float | None, ...], page: Page) -> Detections:
    return _each(made, lambda box: box + np.array(by, np.float64))


def _factor(page: Page) -> tuple[float | None, ...] | None:
    """Return what the scores of boxes that are right are multiplied by; None where that is not one number."""
    found, right = page.found, page.right
    if found.scores is None or right.scores is None or len(found) != len(right):
        return None
    order = indices_of_equal_boxes(Detections(found.polygons, None), right, page)
    if order is None or not np.all(right.scores[order] > 0):
        return None
    factor = float(np.median(found.scores / right.scores[order]))
    return None if factor <= 0 or abs(factor - 1) < 1e-4 else (float(f"{factor:.6g}"),)


def _with_scores_times(made: Detections, factor: tuple[float | None, ...], page: Page) -> Detections | None:
    return None if made.scores is None or factor[0] is None else Detections(made.polygons, made.scores * factor[0])


# Boxes in the place of several.

OF_SEVERAL: Final[Mapping[str, Callable[[Array], float]]] = {
    "the largest": np.max,
    "the mean": np.mean,
    "the smallest": np.min,
}


def _joined(made: Detections, value: str, page: Page) -> Detections | None:
    """Return the boxes with those replaced by one around them that a found box holds.

    Every box must be in exactly one found box, and every found box must be one of the boxes, or the rectangle around
    several. The rectangle and the members are all that is taken from the candidate. One rectangle must be none of its
    members: else boxes that lie in others may only be dropped.
    """
    members = _members(made, page.found)
    if members is None or all(_is_one_around_all(made, each) for each in members):
        return None
    polygons, scores = [], []
    for each in members:
        boxes = [np.asarray(made.polygons[index], np.float64) for index in each]
        polygons.append(boxes[0] if len(boxes) == 1 else upright(np.concatenate(boxes)))
        if made.scores is not None:
            scores.append(float(OF_SEVERAL[value](made.scores[each])))
    return Detections(tuple(polygons), np.array(scores) if made.scores is not None else None)


def _members(made: Detections, found: Detections) -> list[list[int]] | None:
    """Return for each found box which boxes lie in it; None where one lies in none, or in several."""
    members: list[list[int]] = [[] for _ in found.polygons]
    ranges = [(box.min(axis=0), box.max(axis=0)) for box in map(np.asarray, found.polygons)]
    for index, box in enumerate(map(np.asarray, made.polygons)):
        holds = [i for i, (low, high) in enumerate(ranges) if np.all(box >= low - 1) and np.all(box <= high + 1)]
        if not holds:
            return None
        # Where two hold it, the smaller one does: a single box beside a joined one may lie in both.
        smallest = min(holds, key=lambda i: float(np.prod(ranges[i][1] - ranges[i][0])))
        members[smallest].append(index)
    return members if all(members) else None


def _is_one_around_all(made: Detections, members: list[int]) -> bool:
    """Return whether one of these boxes is the rectangle around all of them."""
    boxes = [canonical(made.polygons[index]) for index in members]
    around = canonical(upright(np.concatenate(boxes)))
    return len(boxes) == 1 or any(box.shape == around.shape and np.all(np.abs(box - around) <= 1) for box in boxes)


def without_inner(made: Detections, _: Any, page: Page) -> Detections:
    """Return the boxes that lie in no other one, and of equal ones the first."""
    ranges = [(box.min(axis=0), box.max(axis=0)) for box in map(np.asarray, made.polygons)]

    def lies_in(one: int, other: int) -> bool:
        (low, high), (least, most) = ranges[one], ranges[other]
        is_inside = bool(np.all(low >= least) and np.all(high <= most))
        return is_inside and (one > other or not (np.all(low == least) and np.all(high == most)))

    indices = range(len(ranges))
    kept = [one for one in indices if not any(lies_in(one, other) for other in indices if other != one)]
    return subset(made, np.array(kept, int))


def _rules() -> Iterator[Rule]:
    yield Placed(cause="rescale.ratio", text="boxes scaled {value}", values=tuple(RATIOS), change=_scaled)
    yield Placed(
        cause="rescale.frame",
        text="boxes left in px of the map, clipped to {value}",
        values=("the page", "nothing"),
        change=_unscaled,
    )
    yield Changed(
        cause="rescale.frame",
        text="boxes from 0 to {value}, in shares of the page",
        values=(1, 100, 1000, 10000),
        change=_in_shares,
    )
    yield Changed(
        cause="rescale.axes",
        text="boxes with y before x",
        values=(None,),
        change=lambda made, _, page: _each(made, lambda box: box[:, ::-1]),
    )
    yield Changed(cause="rescale.corners", text="boxes with {value}", values=tuple(CORNERS), change=_corners)
    yield Changed(
        cause="rescale.mirrored",
        text="boxes counted from {value}",
        values=tuple(MIRRORS),
        change=_mirrored,
    )
    yield Changed(
        cause="rescale.rounding",
        text="coordinates rounded {value} px",
        values=tuple(GRIDS),
        change=_rounded,
    )
    yield Changed(
        cause="postprocess.grown",
        text="boxes whose corners are {value} px further out",
        values=tuple(pixels for size in range(1, 11) for pixels in (size, -size)),
        change=_grown,
    )
    yield Changed(
        cause="postprocess.box_type",
        text="the bounding rectangles, parallel to the page's sides",
        values=(None,),
        change=lambda made, _, page: _each(made, upright),
    )
    yield Read(
        cause="rescale.clipped",
        text="boxes clipped to {value} px (left, upper, right and lower edge)",
        values=(),
        read=_edges,
        change=_clipped,
    )
    yield Read(
        cause="rescale.clipped",
        text="boxes clipped to {value} of the page's width and height (left, upper, right and lower edge)",
        values=(),
        read=_edges_in_shares,
        change=_clipped_to_shares,
    )
    yield Read(
        cause="rescale.offset", text="boxes moved by {value} px along x and y", values=(), read=_offset, change=_moved
    )
    yield Read(
        cause="postprocess.scores",
        text="scores times {value}",
        values=(),
        read=_factor,
        change=_with_scores_times,
    )
    yield Changed(
        cause="postprocess.merged",
        text="boxes joined in rectangles around several, with {value} of their scores",
        values=tuple(OF_SEVERAL),
        change=_joined,
    )


LATER: Final[tuple[Rule, ...]] = tuple(_rules())
"""What can be stated, and is done after the boxes were made."""
