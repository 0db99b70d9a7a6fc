"""How a hand-written server turns a map into boxes: the DB post-process with cv2, shapely and pyclipper."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from faults.server_pages import Array, Size

Scored = tuple[Array, float]
"""A box of (4, 2) points and its score."""


def _logits(values: Array) -> Array:
    inside = np.clip(values.astype(np.float64), 1e-7, 1 - 1e-7)
    return np.asarray(np.log(inside / (1 - inside)))


def _by_page_of(factor: float) -> Callable[[Array], Array]:
    def scaled(values: Array) -> Array:
        import cv2

        return np.asarray(cv2.resize(values[0, 0], None, fx=factor, fy=factor))[None, None]

    return scaled


def _blurred(values: Array) -> Array:
    import cv2

    return np.asarray(cv2.GaussianBlur(values[0, 0], (5, 5), 0))[None, None]


MAPS: Mapping[str, Callable[[Array], Array]] = {
    "as it is": lambda values: values,
    "logits": _logits,
    "sigmoid twice": lambda values: 1 / (1 + np.exp(-values)),
    "x 0.85": lambda values: values * np.float32(0.85),
    "x 1.2": lambda values: values * np.float32(1.2),
    "+ 0.1": lambda values: values + np.float32(0.1),
    "squared": lambda values: values**2,
    "at most 0.9": lambda values: np.minimum(values, np.float32(0.9)),
    "in 8 bits": lambda values: np.round(values * 255).astype(np.uint8) / np.float32(255),
    "0 to 255": lambda values: values * np.float32(255),
    "1 - p": lambda values: 1 - values,
    "binary": lambda values: (values > 0.3).astype(np.float32),
    "half the size": _by_page_of(0.5),
    "twice the size": _by_page_of(2.0),
    "blurred": _blurred,
    "one row down": lambda values: np.roll(values, 4, axis=2),
}
"""What becomes of the (1, 1, h, w) map between the engine and the post-process."""


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """The post-process's numbers.

    Attributes:
        thresh, box_thresh, unclip: as PaddleOCR calls them.
        grow: pixels of the map by which boxes are grown in place of `unclip`, where not 0.
        kernel: side of the square that the bitmap is dilated by; 1 is none; -2 erodes by 2.
        score: what a box's score is the mean of: its rectangle ("fast") or its outline ("slow"); "max" is no mean.
        least: the shorter side in pixels of the map below which a box is dropped.
        outlines: how many are looked at.
        is_upright: boxes are parallel to the page's sides.
        is_polygon: boxes follow their outline.
    """

    thresh: float = 0.3
    box_thresh: float = 0.6
    unclip: float = 1.5
    grow: float = 0
    kernel: int = 1
    score: str = "fast"
    least: float = 3
    outlines: int = 1000
    is_upright: bool = False
    is_polygon: bool = False


def boxes_of(values: Array, numbers: Numbers) -> list[Scored]:
    """Return the boxes of a map in its own pixels."""
    import cv2

    bitmap = (values > numbers.thresh).astype(np.uint8) * 255
    if numbers.kernel != 1:
        change = cv2.dilate if numbers.kernel > 1 else cv2.erode
        bitmap = np.asarray(change(bitmap, np.ones((abs(numbers.kernel),) * 2, np.uint8)))
    found, _ = cv2.findContours(bitmap, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    boxes = (_box_of(outline, values, numbers) for outline in found[: numbers.outlines])
    return [box for box in boxes if box is not None]


def _box_of(outline: Array, values: Array, numbers: Numbers) -> Scored | None:
    tight, side = _rectangle(outline, numbers.is_upright)
    if numbers.is_polygon:
        tight = _simplified(outline)
    if side < numbers.least or len(tight) < 4:
        return None
    score = _score(values, tight if numbers.score == "fast" else outline.reshape(-1, 2), numbers.score)
    if score < numbers.box_thresh:
        return None
    grown = _grown(tight, numbers)
    if grown is None:
        return None
    box, side = _rectangle(grown, numbers.is_upright)
    if side < numbers.least + 2:
        return None
    return (grown.reshape(-1, 2).astype(np.float64) if numbers.is_polygon else box), score


def _simplified(outline: Array) -> Array:
    import cv2

    return np.asarray(cv2.approxPolyDP(outline, 0.002 * cv2.arcLength(outline, True), True), np.float64).reshape(-1, 2)


def _rectangle(points: Array, is_upright: bool) -> tuple[Array, float]:
    """Return the corners of the rectangle around points, clockwise from the upper left, and its shorter side."""
    import cv2

    if is_upright:
        x, y, w, h = cv2.boundingRect(points)
        return np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], np.float64), float(min(w, h))
    around = cv2.minAreaRect(points)
    corners = sorted(np.asarray(cv2.boxPoints(around), np.float64).tolist(), key=lambda corner: corner[0])
    left, right = sorted(corners[:2], key=lambda corner: corner[1]), sorted(corners[2:], key=lambda corner: corner[1])
    return np.array([left[0], right[0], right[1], left[1]]), float(min(around[1]))


def _score(values: Array, polygon: Array, how: str) -> float:
    import cv2

    height, width = values.shape
    x0, y0 = np.clip(np.floor(polygon.min(axis=0)), 0, (width - 1, height - 1)).astype(int)
    x1, y1 = np.clip(np.ceil(polygon.max(axis=0)), 0, (width - 1, height - 1)).astype(int)
    mask = np.zeros((y1 - y0 + 1, x1 - x0 + 1), np.uint8)
    cv2.fillPoly(mask, [(polygon - (x0, y0)).astype(np.int32)], 1)
    part = values[y0 : y1 + 1, x0 : x1 + 1]
    return float(part[mask > 0].max()) if how == "max" else float(cv2.mean(part, mask)[0])


def _grown(box: Array, numbers: Numbers) -> Array | None:
    import pyclipper
    from shapely import Polygon

    shape = Polygon(box)
    distance = numbers.grow or shape.area * numbers.unclip / shape.length
    offset = pyclipper.PyclipperOffset()
    offset.AddPath(box, pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
    grown = offset.Execute(distance)
    return np.array(grown[0], np.int32).reshape(-1, 1, 2) if len(grown) == 1 else None


# What becomes of boxes in pixels of the page.


def side_of(box: Array) -> float:
    """Return a box's shorter side."""
    return float(min(np.linalg.norm(box[1] - box[0]), np.linalg.norm(box[3] - box[0])))


def upright(box: Array) -> Array:
    (x0, y0), (x1, y1) = box.min(axis=0), box.max(axis=0)
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])


def _sides_for_corners(box: Array) -> Array:
    """(x, y, width, height), read as the two corners of a box."""
    (x0, y0), (x1, y1) = box.min(axis=0), box.max(axis=0) - box.min(axis=0)
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])


CORNERS: Mapping[str, Callable[[Array, Size], Array]] = {
    "as they are": lambda box, page: box,
    "corners of upright": lambda box, page: upright(box),
    "two corners": lambda box, page: box[[0, 2]],
    "sides for corners": lambda box, page: _sides_for_corners(box),
    "sorted by x": lambda box, page: box[np.lexsort((box[:, 1], box[:, 0]))],
    "(y, x)": lambda box, page: box[:, ::-1],
    "0 to 1": lambda box, page: box / (page[1], page[0]),
    "0 to 1000": lambda box, page: np.floor(box / (page[1], page[0]) * 1000),
    "down": lambda box, page: np.floor(box),
    "one more": lambda box, page: box + 1,
    "to the last pixel": lambda box, page: np.clip(box, 0, (page[1] - 1, page[0] - 1)),
    "within 640x640": lambda box, page: np.clip(box, 0, 640),
    "within a tenth": lambda box, page: np.clip(box, (page[1] * 0.1, page[0] * 0.1), (page[1] * 0.9, page[0] * 0.9)),
    "5 px further": lambda box, page: box + 5,
    "another corner first": lambda box, page: np.roll(box, 1, axis=0),
    "wider by 4 px": lambda box, page: box + np.array([[-4, -4], [4, -4], [4, 4], [-4, 4]]),
    "down to 10 px": lambda box, page: np.floor(box / 10) * 10,
    "from below": lambda box, page: np.array([0, page[0]]) + box * (1, -1),
}
"""How the corners of a box, in pixels of a page of (height, width), leave the server."""


def joined(boxes: list[Scored], gap: float) -> list[Scored]:
    """Join neighbours in a row that lie less than `gap` px apart, as an extra stage of a server does."""
    done: list[Scored] = []
    for box, score in sorted(boxes, key=lambda each: float(each[0][:, 0].min())):
        for index, (other, best) in enumerate(done):
            is_beside = box[:, 0].min() - other[:, 0].max() < gap
            if is_beside and abs(box[:, 1].mean() - other[:, 1].mean()) < side_of(other) / 2:
                done[index] = upright(np.concatenate([other, box])), max(best, score)
                break
        else:
            done.append((box, score))
    return done
