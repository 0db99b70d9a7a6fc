"""Polygons: what is wrong with one, how far two lie apart, and which of two sets belong together.

This module knows points in pixels, and nothing of models, scores or limits. A polygon is an (N, 2) array, x then y,
closed from its last point to its first; start and direction mean nothing. Both sides share one frame.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import shapely

__all__ = ["Matching", "Pair", "Polygon", "boundary_distance", "classify", "defect", "match", "vertex_distance"]

Polygon: TypeAlias = "npt.NDArray[Any]"
"""An (N, 2) array of numbers, x then y, in px."""

_Key: TypeAlias = "tuple[str, tuple[tuple[float, ...], ...]]"
"""What makes two boxes equal: the defect or "", and the points in an order that depends on nothing else."""

_Shapes: TypeAlias = "npt.NDArray[np.object_]"
_Edges: TypeAlias = "tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.float64]]"
"""Rows, columns, and what each pair of boxes has in common."""

_FEW, _NOT_FINITE, _NO_AREA, _CROSSING = "fewer than 3 points", "not finite", "zero area", "self-crossing"

_LARGEST = 1e100
"""Beyond this a coordinate counts as not finite: areas are products of two, and float64 ends at 1.8e308."""
_THIN = 1e-9
"""Hull area over squared extent up to which points count as collinear; a box of 10,000 by 0.0001 px has 1e-8."""
_MOSTLY = 0.5
"""The share of its own area from which on a box lies inside another."""
_EXACT = 1e-3
"""The largest error of `boundary_distance`, in px: a thousandth of the strictest limit that is of any use."""
_QUAD_ORDERS = np.array(list(permutations(range(4))))


@dataclass(frozen=True, slots=True)
class Pair:
    """Two boxes that belong together: their indices, and their IoU in 0 to 1."""

    reference: int
    candidate: int
    iou: float


@dataclass(frozen=True, slots=True)
class Matching:
    """Which boxes belong together, sorted by reference index, and the sorted indices of those without partner."""

    pairs: tuple[Pair, ...]
    missing: tuple[int, ...]
    extra: tuple[int, ...]


def defect(polygon: Polygon) -> str | None:
    """Name what makes a polygon invalid, or return None.

    Returns:
        "fewer than 3 points"; "not finite" (NaN, infinite, or beyond 1e100); "zero area" (all points on one line);
        "self-crossing" (as a bow-tie); None for a polygon that has an inside.

    Raises:
        ValueError: the array is no (N, 2).
    """
    ((name, _),), _ = _prepare([polygon])
    return name or None


def match(reference: Sequence[Polygon], candidate: Sequence[Polygon], *, min_iou: float = 0.25) -> Matching:
    """Pair two sets of polygons one to one.

    Equal boxes pair first, the invalid ones included (equal as sets of points, NaN equal to NaN) with an IoU of 1.
    The others pair so that the sum of the IoUs is largest, over pairs that overlap by `min_iou` or more. An invalid
    box without an equal stays alone. The order of boxes and of vertices has no say, and swapping the sides swaps the
    answer; ties go by coordinates, between equal boxes by index.

    Pairing equals first never lowers that sum by more than `min_iou` each, and not at all without the lower bound:
    1 - IoU obeys the triangle inequality. 0.25 lets a 3x3 px box pair that moved by one pixel diagonally (its IoU is
    0.29); pairing only decides what is compared, limits judge. Costs near-linear time unless many boxes pile up.

    Raises:
        ValueError: a polygon is no (N, 2) array, or `min_iou` is not in 0 to 1.
    """
    if not 0 <= min_iou <= 1:
        raise ValueError(f"min_iou is {min_iou}, not a number from 0 to 1")
    (our_keys, ours), (their_keys, theirs) = _prepare(reference), _prepare(candidate)
    pairs = [Pair(i, j, 1.0) for i, j in _equals(our_keys, their_keys)]
    left = _alone(our_keys, {pair.reference for pair in pairs})
    right = _alone(their_keys, {pair.candidate for pair in pairs})
    if [our_keys[i] for i in left] <= [their_keys[j] for j in right]:
        found = _assign(*_ious(ours[left], theirs[right], min_iou))
    else:
        found = [(j, i, iou) for i, j, iou in _assign(*_ious(theirs[right], ours[left], min_iou))]
    for edges in found:
        pairs += [Pair(left[i], right[j], iou) for i, j, iou in zip(*(e.tolist() for e in edges), strict=True)]
    return Matching(
        tuple(sorted(pairs, key=lambda pair: pair.reference)),
        tuple(sorted(set(range(len(our_keys))) - {pair.reference for pair in pairs})),
        tuple(sorted(set(range(len(their_keys))) - {pair.candidate for pair in pairs})),
    )


def classify(
    reference: Sequence[Polygon], candidate: Sequence[Polygon], matching: Matching
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Name what became of the boxes without partner; "inside" means with half of its area or more.

    Returns:
        For each of `matching.missing`: "merged" (inside a candidate box that has another reference box inside too),
        "split" (two or more candidate boxes lie inside it) or "missing". For each of `matching.extra`: "split"
        (inside a reference box that has another candidate box inside too), "merged" (two or more reference boxes lie
        inside it) or "extra". Invalid boxes are "missing" or "extra".

    Raises:
        ValueError: a polygon is no (N, 2) array.
    """
    if not matching.missing and not matching.extra:
        return (), ()
    (_, ours), (_, theirs) = _prepare(reference), _prepare(candidate)
    rows, columns, shared = _overlaps(ours, theirs)
    merged_into, covers = _relation(rows, columns, shared >= _MOSTLY * shapely.area(ours[rows]))
    part_of, holds = _relation(columns, rows, shared >= _MOSTLY * shapely.area(theirs[columns]))

    def several(boxes: Iterable[int], inside: dict[int, set[int]]) -> bool:
        return any(len(inside[box]) > 1 for box in boxes)

    missing = (
        "merged" if several(merged_into[i], covers) else "split" if several([i], holds) else "missing"
        for i in matching.missing
    )
    extra = (
        "split" if several(part_of[j], holds) else "merged" if several([j], covers) else "extra" for j in matching.extra
    )
    return tuple(missing), tuple(extra)


def vertex_distance(a: Polygon, b: Polygon) -> float:
    """Return how far, in px, the vertices of two polygons lie apart, as sets of points.

    Two quads: the farthest pair of the one-to-one assignment that keeps it nearest, so that a duplicated vertex can't
    stand in for a lost one. Others: the largest distance from a vertex of either to the nearest of the other.
    Infinite where either has no points or is not finite, 0 between equal ones whatever they are.

    Raises:
        ValueError: a polygon is no (N, 2) array.
    """
    a, b, known = _comparable(a, b)
    if known is not None:
        return known
    distances = np.hypot(*(a[:, None] - b[None]).transpose(2, 0, 1))
    if distances.shape == (4, 4):
        return float(distances[np.arange(4), _QUAD_ORDERS].max(axis=1).min())
    return float(max(distances.min(axis=0).max(), distances.min(axis=1).max()))


def boundary_distance(a: Polygon, b: Polygon) -> float:
    """Return the Hausdorff distance between two boundaries in px: how far either strays from the other.

    At most 0.001 px too small, never too large, also where the farthest point is no vertex. Infinite where either has
    no points or is not finite, 0 between equal ones whatever they are. Memory goes with the product of vertices.

    Raises:
        ValueError: a polygon is no (N, 2) array.
    """
    a, b, known = _comparable(a, b)
    return max(_farthest(a, b), _farthest(b, a)) if known is None else known


def _points(polygon: Polygon) -> npt.NDArray[np.float64]:
    points = np.asarray(polygon, dtype=np.float64) + 0.0  # makes -0 and 0 one number
    if points.size and (points.ndim != 2 or points.shape[1] != 2):
        raise ValueError(f"a polygon has shape {points.shape}, not (number of points, 2)")
    return points.reshape(-1, 2)


def _is_finite(points: npt.NDArray[np.float64]) -> bool:
    return bool((np.abs(points) <= _LARGEST).all())


def _comparable(a: Polygon, b: Polygon) -> tuple[Polygon, Polygon, float | None]:
    """Return both polygons as float64, and their distance where it is known without measuring."""
    a, b = _points(a), _points(b)
    if len(a) and len(b) and _is_finite(a) and _is_finite(b):
        return a, b, None
    return a, b, 0.0 if _point_set(a) == _point_set(b) else float("inf")


def _prepare(polygons: Sequence[Polygon]) -> tuple[list[_Key], _Shapes]:
    """Return each polygon's key, and its shape or None where it is invalid."""
    every = [_points(polygon) for polygon in polygons]
    names = [_FEW if len(points) < 3 else "" if _is_finite(points) else _NOT_FINITE for points in every]
    rings = {index: _ring(every[index]) for index, name in enumerate(names) if not name}
    shapes: _Shapes = np.full(len(every), None, dtype=object)
    if rings:
        owner = np.repeat(np.arange(len(rings)), [len(ring) for ring in rings.values()])
        flat = np.array([point for ring in rings.values() for point in ring])
        made = np.asarray(shapely.polygons(shapely.linearrings(flat, indices=owner)))
        for index, name, shape in zip(rings, _shape_defects(made), made, strict=True):
            names[index], shapes[index] = name, None if name else shape
    return [(name, _point_set(every[i]) if name else rings[i]) for i, name in enumerate(names)], shapes


def _shape_defects(shapes: _Shapes) -> list[str]:
    bounds = shapely.bounds(shapes)
    extent = (bounds[:, 2:] - bounds[:, :2]).max(axis=1)
    # The hull's area: a bow-tie's own is zero as well.
    is_thin = shapely.area(shapely.convex_hull(shapes)) <= _THIN * extent**2
    return [_NO_AREA if t else "" if v else _CROSSING for t, v in zip(is_thin, shapely.is_valid(shapes), strict=True)]


def _ring(points: npt.NDArray[np.float64]) -> tuple[tuple[float, ...], ...]:
    """Return finite points from the smallest one on, in the direction that sorts first."""
    ring = [tuple(point) for point in points.tolist()]
    first = min(ring)
    turns = [ring[start:] + ring[:start] for start, point in enumerate(ring) if point == first]
    return tuple(min(turns + [turn[:1] + turn[:0:-1] for turn in turns]))


def _point_set(points: npt.NDArray[np.float64]) -> tuple[tuple[float, ...], ...]:
    """Return any points sorted, with a flag beside each number that tells NaN from 0."""
    return tuple(sorted((x == x, x if x == x else 0.0, y == y, y if y == y else 0.0) for x, y in points.tolist()))


def _equals(ours: Sequence[_Key], theirs: Sequence[_Key]) -> list[tuple[int, int]]:
    waiting: dict[_Key, list[int]] = defaultdict(list)
    for index in reversed(range(len(theirs))):
        waiting[theirs[index]].append(index)
    return [(index, waiting[key].pop()) for index, key in enumerate(ours) if waiting.get(key)]


def _alone(keys: Sequence[_Key], paired: set[int]) -> list[int]:
    """Return the unpaired valid boxes in an order that depends on their coordinates."""
    return sorted((i for i, key in enumerate(keys) if not key[0] and i not in paired), key=lambda i: keys[i])


def _overlaps(left: _Shapes, right: _Shapes) -> _Edges:
    """Return the pairs of boxes that meet, and the area that each pair shares."""
    rows, columns = shapely.STRtree(right).query(left, predicate="intersects")
    return rows, columns, np.asarray(shapely.area(shapely.intersection(left[rows], right[columns])))


def _ious(left: _Shapes, right: _Shapes, min_iou: float) -> _Edges:
    rows, columns, shared = _overlaps(left, right)
    iou = np.minimum(shared / (shapely.area(left[rows]) + shapely.area(right[columns]) - shared), 1.0)
    keep = (iou >= min_iou) & (iou > 0)
    return rows[keep], columns[keep], iou[keep]


def _assign(rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp], ious: npt.NDArray[np.float64]) -> list[_Edges]:
    """Return the one-to-one choice of edges with the largest sum, in pieces."""
    is_only = (np.bincount(rows)[rows] == 1) & (np.bincount(columns)[columns] == 1)
    chosen = [(rows[is_only], columns[is_only], ious[is_only])]
    rest = np.flatnonzero(~is_only)
    return chosen + [_solve(rows[part], columns[part], ious[part]) for part in _components(rows[rest], columns[rest])]


def _components(rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]) -> list[npt.NDArray[np.intp]]:
    """Return the numbers of the edges, grouped by the connected part of the graph that they lie in."""
    if not len(rows):
        return []
    from scipy.sparse import coo_matrix  # here, as most comparisons need no scipy and it takes longer than they do
    from scipy.sparse.csgraph import connected_components

    width = int(rows.max()) + 1
    size = width + int(columns.max()) + 1
    graph = coo_matrix((np.ones(len(rows)), (rows, width + columns)), shape=(size, size))
    label = connected_components(graph, directed=False)[1][rows]
    order = np.argsort(label, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(label[order])) + 1)


def _solve(rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp], ious: npt.NDArray[np.float64]) -> _Edges:
    from scipy.optimize import linear_sum_assignment

    row_names, dense_rows = np.unique(rows, return_inverse=True)
    column_names, dense_columns = np.unique(columns, return_inverse=True)
    weights = np.zeros((len(row_names), len(column_names)))
    weights[dense_rows, dense_columns] = ious
    row, column = linear_sum_assignment(weights, maximize=True)
    kept = weights[row, column] > 0
    return row_names[row[kept]], column_names[column[kept]], weights[row[kept], column[kept]]


def _relation(
    inner: npt.NDArray[np.intp], outer: npt.NDArray[np.intp], holds: npt.NDArray[np.bool_]
) -> tuple[dict[int, set[int]], dict[int, set[int]]]:
    """Return by inner box the boxes around it, and by outer box the boxes inside it."""
    around: dict[int, set[int]] = defaultdict(set)
    inside: dict[int, set[int]] = defaultdict(set)
    for small, large in zip(inner[holds].tolist(), outer[holds].tolist(), strict=True):
        around[small].add(large)
        inside[large].add(small)
    return around, inside


def _farthest(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    """Return how far the boundary of `a` strays from that of `b`.

    The distance to one edge of `b` is convex along an edge of `a`, so on a piece of it no point is farther than the
    farther end from the edge that serves both ends best. Pieces that can't win are dropped, the others halved.
    """
    starts, ends = a, np.roll(a, -1, axis=0)
    near, far = _edge_distances(starts, b), _edge_distances(ends, b)
    best = float(near.min(axis=1).max())
    step = max(_EXACT, 1e-12 * float(np.abs(a).max()))  # float64 ends before 0.001 px in huge coordinates
    while (may_win := np.maximum(near, far).min(axis=1) > best + step).any():
        starts, ends, near, far = starts[may_win], ends[may_win], near[may_win], far[may_win]
        middles = (starts + ends) / 2
        half = _edge_distances(middles, b)
        best = max(best, float(half.min(axis=1).max()))
        starts, ends = np.concatenate([starts, middles]), np.concatenate([middles, ends])
        near, far = np.concatenate([near, half]), np.concatenate([half, far])
    return best


def _edge_distances(points: npt.NDArray[np.float64], polygon: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the distances of (P, 2) points to the N edges of a polygon, (P, N)."""
    edges = np.roll(polygon, -1, axis=0) - polygon
    offsets = points[:, None] - polygon[None]
    lengths = np.maximum((edges**2).sum(axis=1), np.finfo(np.float64).tiny)
    along = np.clip((offsets * edges).sum(axis=2) / lengths, 0.0, 1.0)
    return np.asarray(np.hypot(*(offsets - along[..., None] * edges).transpose(2, 0, 1)))
