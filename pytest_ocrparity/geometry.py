"""Two polygons or two sets of them: how far they lie apart, and which belong together.

This module knows points in pixels, and nothing of models, scores or limits. Both sides share one frame.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import shapely

from pytest_ocrparity.polygons import Key, Polygon, Shapes, as_points, is_finite, point_set, prepare

__all__ = ["Matching", "Pair", "boundary_distance", "classify", "match", "vertex_distance"]

_Groups: TypeAlias = "defaultdict[int, set[int]]"
_Index: TypeAlias = "npt.NDArray[np.intp]"
_Edges: TypeAlias = "tuple[_Index, _Index, npt.NDArray[np.float64]]"  # rows, columns, what each pair has in common

_MOSTLY = 0.5  # the share of its own area from which on a box lies inside another
_EXACT = 1e-3  # the largest error of `boundary_distance`, in px
_QUAD_ORDERS = np.array(list(permutations(range(4))))


@dataclass(frozen=True, slots=True)
class Pair:
    """Two boxes that belong together: their indices, and their IoU in 0 to 1."""

    reference: int
    candidate: int
    iou: float


@dataclass(frozen=True, slots=True)
class Matching:
    """Which boxes belong together, sorted by reference index, and the sorted indices of those without partner.

    `defects` names, for either side, what makes each box invalid, None for a valid one: "fewer than 3 points", "not
    finite" (NaN, infinite, beyond 1e100), "zero area" (all points on one line) or "self-crossing" (a bow-tie, or a
    boundary that touches itself). Left out of equality.
    """

    pairs: tuple[Pair, ...]
    missing: tuple[int, ...]
    extra: tuple[int, ...]
    defects: tuple[list[str | None], ...] = field(default=(), compare=False)


def match(reference: Sequence[Polygon], candidate: Sequence[Polygon], *, min_iou: float = 0.25) -> Matching:
    """Pair two sets of polygons one to one, so that the summed IoU of pairs of `min_iou` or more is largest.

    Equal boxes pair first, with an IoU of 1: also invalid ones, of which only the self-crossing have an inside and so
    an IoU; the others need equal points (NaN equal to NaN) to pair at all. That lowers the sum by less than `min_iou`
    each, as 1 - IoU obeys the triangle inequality. The order of boxes and vertices has no say, and swapping sides
    swaps the answer; ties go by coordinates, of equal boxes by index.
    0.25 lets a 3x3 px box pair that moved one pixel diagonally (its IoU is 0.29): pairing only decides what is
    compared, limits judge. Near-linear time unless hundreds of boxes pile up in one place.

    Raises:
        ValueError: a polygon is no (N, 2) array, or `min_iou` is not in 0 to 1.
    """
    if not 0 <= min_iou <= 1:
        raise ValueError(f"min_iou is {min_iou}, not a number from 0 to 1")
    (our_keys, ours), (their_keys, theirs) = prepare(reference), prepare(candidate)
    pairs = [Pair(i, j, 1.0) for i, j in _equals(our_keys, their_keys)]
    left = [i for i in _alone(our_keys, (pair.reference for pair in pairs)) if ours[i] is not None]
    right = [j for j in _alone(their_keys, (pair.candidate for pair in pairs)) if theirs[j] is not None]
    if [our_keys[i] for i in left] <= [their_keys[j] for j in right]:
        found = _assign(*_ious(ours[left], theirs[right], min_iou))
    else:
        found = [(i, j, iou) for j, i, iou in _assign(*_ious(theirs[right], ours[left], min_iou))]
    for edges in found:
        pairs += [Pair(left[i], right[j], iou) for i, j, iou in zip(*(e.tolist() for e in edges), strict=True)]
    missing = sorted(_alone(our_keys, (pair.reference for pair in pairs)))
    extra = sorted(_alone(their_keys, (pair.candidate for pair in pairs)))
    defects = tuple([name or None for name, _ in keys] for keys in (our_keys, their_keys))
    return Matching(tuple(sorted(pairs, key=lambda pair: pair.reference)), tuple(missing), tuple(extra), defects)


def classify(
    reference: Sequence[Polygon], candidate: Sequence[Polygon], matching: Matching
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Name what became of the boxes without partner; "inside" means with half of its area or more.

    Returns:
        For each of `matching.missing`: "merged" (inside a candidate box that has another reference box inside too),
        "split" (two or more candidate boxes lie inside it) or "missing". For each of `matching.extra`: "split"
        (inside a reference box that has another candidate box inside too), "merged" (two or more reference boxes lie
        inside it) or "extra". Boxes without an inside are "missing" or "extra".

    Raises:
        ValueError: a polygon is no (N, 2) array.
    """
    (_, ours), (_, theirs) = prepare(reference), prepare(candidate)
    rows, columns, shared = _overlaps(ours, theirs)
    merged_into, covers = _relation(rows, columns, shared >= _MOSTLY * shapely.area(ours[rows]))
    part_of, holds = _relation(columns, rows, shared >= _MOSTLY * shapely.area(theirs[columns]))
    missing = (
        "merged" if any(len(covers[j]) > 1 for j in merged_into[i]) else "split" if len(holds[i]) > 1 else "missing"
        for i in matching.missing
    )
    extra = (
        "split" if any(len(holds[i]) > 1 for i in part_of[j]) else "merged" if len(covers[j]) > 1 else "extra"
        for j in matching.extra
    )
    return tuple(missing), tuple(extra)


def vertex_distance(a: Polygon, b: Polygon) -> float:
    """Return how far, in px, the vertices of two polygons lie apart, as sets of points.

    For two quads, the farthest pair of the best one-to-one assignment: a duplicated vertex can't stand in for a lost
    one. Else the largest distance from a vertex of either to the nearest of the other. Infinite where either has no
    points or is not finite, 0 between equal ones whatever they are.

    Raises:
        ValueError: a polygon is no (N, 2) array.
    """
    a, b = as_points(a), as_points(b)
    if (known := _known_distance(a, b)) is not None:
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
    a, b = as_points(a), as_points(b)
    known = _known_distance(a, b)
    return max(_farthest(a, b), _farthest(b, a)) if known is None else known


def _known_distance(a: Polygon, b: Polygon) -> float | None:
    """Return the distance of points that can't be measured, or None."""
    if len(a) and len(b) and is_finite(a) and is_finite(b):
        return None
    return 0.0 if point_set(a) == point_set(b) else float("inf")


def _equals(ours: Sequence[Key], theirs: Sequence[Key]) -> list[tuple[int, int]]:
    waiting: dict[Key, list[int]] = defaultdict(list)
    for index in reversed(range(len(theirs))):
        waiting[theirs[index]].append(index)
    return [(index, waiting[key].pop()) for index, key in enumerate(ours) if waiting.get(key)]


def _alone(keys: Sequence[Key], paired: Iterable[int]) -> list[int]:
    """Return the indices of unpaired boxes in the order of their coordinates."""
    return sorted(set(range(len(keys))).difference(paired), key=lambda index: (keys[index], index))


def _overlaps(left: Shapes, right: Shapes) -> _Edges:
    """Return the pairs of boxes that meet, and the area that each pair shares."""
    rows, columns = shapely.STRtree(right).query(left, predicate="intersects")
    return rows, columns, _shared(left[rows], right[columns])


def _shared(ours: Shapes, theirs: Shapes) -> npt.NDArray[np.float64]:
    return np.asarray(shapely.area(shapely.intersection(ours, theirs)))


def _ious(left: Shapes, right: Shapes, min_iou: float) -> _Edges:
    """Return the pairs of boxes whose IoU is `min_iou` or more, and not 0."""
    rows, columns = shapely.STRtree(right).query(left)
    ours, theirs = shapely.area(left), shapely.area(right)
    corners = shapely.bounds(left)[rows], shapely.bounds(right)[columns]
    sides = np.minimum(corners[0][:, 2:], corners[1][:, 2:]) - np.maximum(corners[0][:, :2], corners[1][:, :2])
    # What two bounding boxes share bounds the IoU from above, for a hundredth of what an intersection costs.
    may_reach = sides.prod(axis=1) * (1 + 1e-9) >= min_iou * np.maximum(ours[rows], theirs[columns])
    rows, columns = rows[may_reach], columns[may_reach]
    shared = _shared(left[rows], right[columns])
    iou = np.minimum(shared / (ours[rows] + theirs[columns] - shared), 1.0)
    keep = (iou >= min_iou) & (iou > 0)
    return rows[keep], columns[keep], iou[keep]


def _assign(rows: _Index, columns: _Index, ious: npt.NDArray[np.float64]) -> list[_Edges]:
    """Return the one-to-one choice of edges with the largest sum, in pieces."""
    is_only = (np.bincount(rows)[rows] == 1) & (np.bincount(columns)[columns] == 1)
    chosen, rest = [(rows[is_only], columns[is_only], ious[is_only])], ~is_only
    return chosen + list(_solve(rows[rest], columns[rest], ious[rest])) if rest.any() else chosen


def _solve(rows: _Index, columns: _Index, ious: npt.NDArray[np.float64]) -> Iterator[_Edges]:
    """Yield the best choice of each connected part of the graph: dense solving costs the cube of its size."""
    from scipy.optimize import linear_sum_assignment  # here: importing it takes longer than most comparisons,
    from scipy.sparse import coo_matrix  # which don't need it
    from scipy.sparse.csgraph import connected_components

    width = int(rows.max()) + 1
    graph = coo_matrix((ious, (rows, width + columns)), shape=(width + int(columns.max()) + 1,) * 2)
    label = connected_components(graph, directed=False)[1][rows]
    order = np.argsort(label, kind="stable")
    for part in np.split(order, np.flatnonzero(np.diff(label[order])) + 1):
        left, dense_rows = np.unique(rows[part], return_inverse=True)
        right, dense_columns = np.unique(columns[part], return_inverse=True)
        weights = np.zeros((len(left), len(right)))
        weights[dense_rows, dense_columns] = ious[part]
        row, column = linear_sum_assignment(weights, maximize=True)
        kept = weights[row, column] > 0
        yield left[row[kept]], right[column[kept]], weights[row[kept], column[kept]]


def _relation(inner: _Index, outer: _Index, is_in: npt.NDArray[np.bool_]) -> tuple[_Groups, _Groups]:
    """Return by inner box the boxes around it, and by outer box the boxes inside it."""
    around: _Groups = defaultdict(set)
    inside: _Groups = defaultdict(set)
    for small, large in zip(inner[is_in].tolist(), outer[is_in].tolist(), strict=True):
        around[small].add(large)
        inside[large].add(small)
    return around, inside


def _farthest(a: Polygon, b: Polygon) -> float:
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


def _edge_distances(points: Polygon, polygon: Polygon) -> npt.NDArray[np.float64]:
    """Return the distances of (P, 2) points to the N edges of a polygon, (P, N)."""
    edges = np.roll(polygon, -1, axis=0) - polygon
    offsets = points[:, None] - polygon[None]
    lengths = np.maximum((edges**2).sum(axis=1), np.finfo(np.float64).tiny)
    along = np.clip((offsets * edges).sum(axis=2) / lengths, 0.0, 1.0)
    return np.asarray(np.hypot(*(offsets - along[..., None] * edges).transpose(2, 0, 1)))
