"""Exact equality of two results of a post-process, as a set of boxes with their scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from pytest_ocrparity.trace import Array, Detections, Shape

SCORE: Final = 2e-6
"""How far two float32 means over the same pixels lie apart at most, whichever library adds them up."""
SAME: Final = 1e-3
"""Source px between two coordinates that are the same number in float32 and in float64."""


@dataclass(frozen=True, eq=False)
class Page:
    """A map, and what the candidate makes of it.

    Attributes:
        probability_map: (1, 1, h, w).
        shape: the shape row.
        found: the candidate's boxes of this map.
        right: those that the reference's post-process makes of it.
        is_drawn: the map was drawn, so that rules that do the same on pages do different things on it.
    """

    probability_map: Array
    shape: Shape
    found: Detections
    right: Detections
    is_drawn: bool = False

    @property
    def scale(self) -> tuple[float, float]:
        """Source pixels per map pixel, along x and along y."""
        *_, height, width = self.probability_map.shape  # of a side of the user's it may lack axes
        return self.shape[1] / width, self.shape[0] / height

    @cached_property
    def shows(self) -> bool:
        """Whether the candidate's boxes can prove something: there are some, and they are not the reference's."""
        return len(self.found) > 0 and not are_equal(self.right, self.found, self)


def are_equal(made: Detections, found: Detections, page: Page) -> bool:
    """Return whether two results hold the same boxes, with equal scores where both have some, in any order."""
    return len(made) == len(found) and indices_of_equal_boxes(found, made, page) is not None


def indices_of_equal_boxes(found: Detections, made: Detections, page: Page) -> list[int] | None:
    """Return for each found box the index of the equal box among those made; None where one has none.

    Coordinates are equal; or they differ by one px, and the number before it was rounded is halfway between the two: a
    port that divides by a ratio, where PaddleOCR multiplies, gets the other side of it.
    """
    if len(found) > len(made):
        return None
    has_scores = found.scores is not None and made.scores is not None
    by_key: dict[tuple[float, ...], list[int]] = {}
    rows = [canonical(polygon) for polygon in made.polygons]
    for index, row in enumerate(rows):
        by_key.setdefault(_box_sort_key(row), []).append(index)
    free, result = set(range(len(made))), []
    for index, polygon in enumerate(found.polygons):
        own = canonical(polygon)
        near = [each for each in by_key.get(_box_sort_key(own), ()) if each in free]
        choice = next(
            (
                each
                for each in (*near, *sorted(free))
                if _are_same_points(rows[each], own, page.scale)
                and (not has_scores or abs(made.scores[each] - found.scores[index]) <= SCORE)  # type: ignore[index]
            ),
            None,
        )
        if choice is None:
            return None
        free.remove(choice)
        result.append(choice)
    return result


def canonical(polygon: Array) -> Array:
    """Return a polygon's points clockwise from its first one in reading order, wherever its maker began."""
    points = np.asarray(polygon, np.float64)
    if not len(points):
        return points
    if _signed_area(points) < 0:
        points = points[::-1]
    start = int(np.lexsort((points[:, 0], points[:, 0] + points[:, 1]))[0])
    return np.concatenate([points[start:], points[:start]])


def area(polygons: Sequence[Array]) -> float:
    """Return the sum of the polygons' areas."""
    return float(sum(abs(_signed_area(np.asarray(polygon))) for polygon in polygons if len(polygon)))


def _signed_area(points: Array) -> float:
    x, y = points[:, 0], points[:, 1]  # without numpy.roll(), which takes longer than all else here
    return float(x[:-1] @ y[1:] - y[:-1] @ x[1:] + x[-1] * y[0] - y[-1] * x[0]) / 2


def _box_sort_key(row: Array) -> tuple[float, ...]:
    return tuple(np.round(row.reshape(-1), 2))


def _are_same_points(made: Array, found: Array, scale: tuple[float, float]) -> bool:
    if made.shape != found.shape:
        return False
    apart = np.abs(made - found)
    if np.all(apart <= SAME):
        return True
    whole = (np.minimum(made, found) + 0.5) / np.asarray(scale)
    is_tie = np.abs(whole - np.round(whole)) <= 1e-4
    return bool(np.all((apart <= SAME) | ((np.abs(apart - 1) <= SAME) & is_tie)))
