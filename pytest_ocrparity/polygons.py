"""One polygon by itself: its points, what is wrong with it, the form that equal ones share, its shape.

This module knows points in pixels, and nothing of pairs. A polygon is an (N, 2) array, x then y, closed from its last
point to its first; start and direction mean nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import shapely

__all__ = ["Key", "Polygon", "Shapes", "as_points", "is_finite", "point_set", "prepare"]

Polygon: TypeAlias = "npt.NDArray[Any]"  # (N, 2) numbers, x then y, in px
Key: TypeAlias = "tuple[str, tuple[float, ...]]"  # what equal boxes share: defect or "", and points in one order
Shapes: TypeAlias = "npt.NDArray[np.object_]"
_Points: TypeAlias = "npt.NDArray[np.float64]"

_LARGEST = 1e100  # a coordinate beyond it is not finite: areas are products of two, and float64 ends at 1.8e308
_THIN = 1e-9  # points are on one line up to this hull area over squared extent; 10,000 by 0.0001 px has 1e-8


def as_points(polygon: Polygon) -> _Points:
    """Return a polygon as float64 (N, 2). Raises ValueError where it is none."""
    points = np.asarray(polygon, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2:
        if points.size:
            raise ValueError(f"a polygon has shape {points.shape}, not (number of points, 2)")
        points = points.reshape(0, 2)
    return points


def is_finite(points: Polygon) -> bool:
    """Tell whether all coordinates are numbers to reckon with."""
    return bool((np.abs(points) <= _LARGEST).all())


def prepare(polygons: Sequence[Polygon]) -> tuple[list[Key], Shapes]:
    """Return each polygon's key, and its shape or None where it has no inside; `geometry.Matching` lists the defects.

    Raises:
        ValueError: a polygon is no (N, 2) array.
    """
    every = [as_points(polygon) for polygon in polygons]
    lengths = np.array([len(each) for each in every], np.intp)
    # All points in one array: of a page's boxes, NumPy's calls cost more than their numbers.
    points = np.concatenate([*every, np.zeros((0, 2))]) + 0.0  # makes -0 and 0 one number
    rings, owner = _turned(points, lengths), np.repeat(np.arange(len(every)), lengths)
    is_broken = np.bincount(owner[~(np.abs(points) <= _LARGEST).all(axis=1)], minlength=len(every)) > 0
    names = np.where(lengths < 3, "fewer than 3 points", np.where(is_broken, "not finite", "")).tolist()
    shapes: Shapes = np.full(len(every), None, dtype=object)
    whole = np.flatnonzero((lengths >= 3) & ~is_broken)
    if len(whole):
        indices = np.repeat(np.arange(len(whole)), lengths[whole])
        made = np.asarray(shapely.polygons(shapely.linearrings(rings[np.isin(owner, whole)], indices=indices)))
        for index, name, shape in zip(whole.tolist(), _shape_defects(made), made, strict=True):
            names[index] = name
            shapes[index] = None if name == "zero area" else _inside(shape) if name else shape
    ends, numbers = np.cumsum(2 * lengths).tolist(), rings.ravel().tolist()
    return [
        (name, point_set(each) if name else tuple(numbers[end - 2 * len(each) : end]))
        for name, each, end in zip(names, every, ends, strict=True)
    ], shapes


def _shape_defects(shapes: Shapes) -> list[str]:
    bounds = shapely.bounds(shapes)
    least = _THIN * (bounds[:, 2:] - bounds[:, :2]).max(axis=1) ** 2
    # The hull is larger than the area, however often a boundary of so many points winds around it; and dear.
    is_thin = shapely.area(shapes) <= least * shapely.get_num_coordinates(shapes)
    is_thin[is_thin] = shapely.area(shapely.convex_hull(shapes[is_thin])) <= least[is_thin]  # a bow-tie's own is 0
    is_valid = shapely.is_valid(shapes)
    return ["zero area" if t else "" if v else "self-crossing" for t, v in zip(is_thin, is_valid, strict=True)]


def _inside(shape: shapely.Polygon) -> shapely.MultiPolygon:
    """Return the area that a self-crossing boundary encloses."""
    parts = shapely.get_parts(shapely.get_parts(shapely.make_valid(shape)))
    made: shapely.MultiPolygon = shapely.multipolygons(
        parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON]
    )
    return made


def _turned(points: _Points, lengths: npt.NDArray[np.intp]) -> _Points:
    """Return the points of all polygons, each from its smallest on, in the direction that sorts first."""
    starts, turned = np.cumsum(lengths) - lengths, points.copy()
    as_one = points.view(np.complex128)[:, 0]  # NumPy compares complex numbers as a whole, x before y
    for length in np.unique(lengths[lengths > 0]):
        places, steps = starts[lengths == length][:, None] + np.arange(length), np.arange(length)
        rings = as_one[places]
        first = rings.argmin(axis=1)[:, None]
        ahead, back = (np.take_along_axis(rings, (first + way) % length, axis=1) for way in (steps, -steps))
        turn = (ahead != back).argmax(axis=1)[:, None]
        with np.errstate(invalid="ignore"):  # of points that are no numbers, whose order nobody asks for
            is_ahead = np.take_along_axis(ahead, turn, axis=1) <= np.take_along_axis(back, turn, axis=1)
        turned[places] = np.where(is_ahead, ahead, back).view(np.float64).reshape(*places.shape, 2)
        for row in places[(rings == rings.min(axis=1, keepdims=True)).sum(axis=1) > 1]:
            turned[row] = _first_turn(points[row])
    return turned


def _first_turn(points: _Points) -> _Points:
    """Return the ring of a polygon that passes its smallest point more than once."""
    ring = [tuple(point) for point in points.tolist()]
    turns = [ring[start:] + ring[:start] for start, point in enumerate(ring) if point == min(ring)]
    return np.array(min(turns + [turn[:1] + turn[:0:-1] for turn in turns]))


def point_set(points: Polygon) -> tuple[float, ...]:
    """Return any points sorted, with a flag beside each number that tells NaN from 0."""
    told = sorted((x == x, x if x == x else 0.0, y == y, y if y == y else 0.0) for x, y in points.tolist())
    return tuple(value for point in told for value in point)
