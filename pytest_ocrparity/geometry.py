"""Measures the distance of two polygons, and pairs the polygons of two sets.

This module knows points in pixels, and nothing of models, scores or limits. Both sides share one frame.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import shapely

Polygon: TypeAlias = "npt.NDArray[Any]"  # (N, 2) numbers, x then y, in px
Key: TypeAlias = "tuple[str, Any]"  # what equal boxes share: defect and points in one order, or "" and them as bytes
Shapes: TypeAlias = "npt.NDArray[np.object_]"
Index: TypeAlias = "npt.NDArray[np.intp]"
Edges: TypeAlias = "tuple[Index, Index, npt.NDArray[np.float64]]"  # rows, columns, what each pair has in common
_Points: TypeAlias = "npt.NDArray[np.float64]"
_Groups: TypeAlias = "defaultdict[int, set[int]]"

_MOSTLY = 0.5  # the share of its own area from which on a box lies inside another
_EXACT = 1e-3  # the largest error of `boundary_distance`, in px
_LARGEST = 1e100  # a coordinate beyond it is not finite: areas are products of two, and float64 ends at 1.8e308
_THIN = 1e-9  # points are on one line up to this hull area over squared extent; 10,000 by 0.0001 px has 1e-8
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


def match_polygons(reference: Sequence[Polygon], candidate: Sequence[Polygon], *, min_iou: float = 0.25) -> Matching:
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
    (reference_keys, reference_shapes), (candidate_keys, candidate_shapes) = (
        polygon_keys_and_shapes(reference),
        polygon_keys_and_shapes(candidate),
    )
    pairs = [Pair(i, j, 1.0) for i, j in _equal_pairs(reference_keys, candidate_keys)]
    left = [
        i
        for i in _unpaired_boxes(reference_keys, (pair.reference for pair in pairs))
        if reference_shapes[i] is not None
    ]
    right = [
        j
        for j in _unpaired_boxes(candidate_keys, (pair.candidate for pair in pairs))
        if candidate_shapes[j] is not None
    ]
    if [reference_keys[i] for i in left] <= [candidate_keys[j] for j in right]:
        found = best_choice(*_box_ious(reference_shapes[left], candidate_shapes[right], min_iou))
    else:
        found = [
            (i, j, iou)
            for j, i, iou in best_choice(*_box_ious(candidate_shapes[right], reference_shapes[left], min_iou))
        ]
    for edges in found:
        pairs += [Pair(left[i], right[j], iou) for i, j, iou in zip(*(e.tolist() for e in edges), strict=True)]
    missing = sorted(_unpaired_boxes(reference_keys, (pair.reference for pair in pairs)))
    extra = sorted(_unpaired_boxes(candidate_keys, (pair.candidate for pair in pairs)))
    defects = tuple([name or None for name, _ in keys] for keys in (reference_keys, candidate_keys))
    return Matching(tuple(sorted(pairs, key=lambda pair: pair.reference)), tuple(missing), tuple(extra), defects)


def classify_polygons(
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
    (_, reference_shapes), (_, candidate_shapes) = (
        polygon_keys_and_shapes(reference),
        polygon_keys_and_shapes(candidate),
    )
    rows, columns, shared = _overlapping_boxes(reference_shapes, candidate_shapes)
    merged_into, covers = _nested_boxes(rows, columns, shared >= _MOSTLY * shapely.area(reference_shapes[rows]))
    part_of, holds = _nested_boxes(columns, rows, shared >= _MOSTLY * shapely.area(candidate_shapes[columns]))
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
    """Return the distance in px between the vertices of two polygons, as sets of points.

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
    return max(_farthest_boundary_point(a, b), _farthest_boundary_point(b, a)) if known is None else known


def _known_distance(a: Polygon, b: Polygon) -> float | None:
    """Return the distance of points that can't be measured, or None."""
    if len(a) and len(b) and is_finite(a) and is_finite(b):
        return None
    return 0.0 if point_set(a) == point_set(b) else float("inf")


def _equal_pairs(reference_keys: Sequence[Key], candidate_keys: Sequence[Key]) -> list[tuple[int, int]]:
    waiting: dict[Key, list[int]] = defaultdict(list)
    for index in reversed(range(len(candidate_keys))):
        waiting[candidate_keys[index]].append(index)
    return [(index, waiting[key].pop()) for index, key in enumerate(reference_keys) if waiting.get(key)]


def _unpaired_boxes(keys: Sequence[Key], paired: Iterable[int]) -> list[int]:
    """Return the indices of unpaired boxes in the order of their coordinates."""
    gone = set(paired)
    return sorted((index for index in range(len(keys)) if index not in gone), key=keys.__getitem__)


def _overlapping_boxes(left: Shapes, right: Shapes) -> Edges:
    """Return the pairs of boxes that meet, and the area that each pair shares."""
    rows, columns = shapely.STRtree(right).query(left, predicate="intersects")
    return rows, columns, _shared_areas(left[rows], right[columns])


def _shared_areas(left: Shapes, right: Shapes) -> npt.NDArray[np.float64]:
    """Return the area that each two shapes share."""
    (quads, is_quad), (others, is_other_quad) = _convex_quads(left), _convex_quads(right)
    is_quick, areas = is_quad & is_other_quad, np.empty(len(left))
    areas[is_quick] = _shared_areas_of_quads(quads[is_quick], others[is_quick])
    areas[~is_quick] = shapely.area(shapely.intersection(left[~is_quick], right[~is_quick]))
    return areas


def _convex_quads(shapes: Shapes) -> tuple[_Points, npt.NDArray[np.bool_]]:
    """Return the corners of convex quads, (N, 4, 2), x turning to y, and which shapes are such; other rows are 0."""
    corners = np.zeros((len(shapes), 4, 2))
    is_quad = (shapely.get_type_id(shapes) == shapely.GeometryType.POLYGON) & (shapely.get_num_coordinates(shapes) == 5)
    corners[is_quad] = shapely.get_coordinates(shapes[is_quad]).reshape(is_quad.sum(), 5, 2)[:, :4]
    edges = np.roll(corners, -1, axis=1) - corners
    turns = _cross_product(edges, np.roll(edges, -1, axis=1))
    is_backward = (turns <= 0).all(axis=1)
    corners[is_backward] = corners[is_backward, ::-1]
    return corners, is_quad & (is_backward | (turns >= 0).all(axis=1))


def _shared_areas_of_quads(left: _Points, right: _Points) -> npt.NDArray[np.float64]:
    """Return the area that each two convex quads share; all at once, in a tenth of the time that GEOS takes.

    Sutherland and Hodgman, Reentrant polygon clipping, 1974: each edge of the one cuts away what of the other lies
    outside of it, which leaves at most one corner more.
    """
    shared = left
    for start, end in zip(right.swapaxes(0, 1), np.roll(right, -1, axis=1).swapaxes(0, 1), strict=True):
        following, corners = np.roll(shared, -1, axis=1), shared.shape[1] + 1
        depth = _cross_product((end - start)[:, None], shared - start[:, None])
        next_depth = np.roll(depth, -1, axis=1)
        stays = depth >= 0
        leaves = stays != np.roll(stays, -1, axis=1)
        share = np.divide(depth, depth - next_depth, out=np.zeros_like(depth), where=leaves)
        cut = shared + share[..., None] * (following - shared)
        points = np.stack([shared, cut], axis=2).reshape(len(shared), 2 * corners - 2, 2)
        is_left = np.stack([stays, leaves], axis=2).reshape(len(shared), 2 * corners - 2)
        count = is_left.sum(axis=1)[:, None]
        order = np.argsort(~is_left, axis=1, kind="stable")[:, :corners]
        # Corners that are not there stand where the last one does; where none is left, all stand at one point.
        order = np.take_along_axis(order, np.minimum(np.arange(corners), count - 1), axis=1)
        shared = np.take_along_axis(points, order[..., None], axis=1)
    from_first = shared - shared[:, :1]  # far from the origin, products of coordinates would lose digits
    return np.asarray(_cross_product(from_first, np.roll(from_first, -1, axis=1)).sum(axis=1) / 2)


def _cross_product(a: _Points, b: _Points) -> _Points:
    return np.asarray(a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0])


def _box_ious(left: Shapes, right: Shapes, min_iou: float) -> Edges:
    """Return the pairs of boxes whose IoU is `min_iou` or more, and not 0."""
    rows, columns = shapely.STRtree(right).query(left)
    left_areas, right_areas = shapely.area(left), shapely.area(right)
    corners = shapely.bounds(left)[rows], shapely.bounds(right)[columns]
    sides = np.minimum(corners[0][:, 2:], corners[1][:, 2:]) - np.maximum(corners[0][:, :2], corners[1][:, :2])
    # What two bounding boxes share bounds the IoU from above, for a hundredth of what an intersection costs.
    may_reach = sides.prod(axis=1) * (1 + 1e-9) > min_iou * np.maximum(left_areas[rows], right_areas[columns])
    rows, columns = rows[may_reach], columns[may_reach]
    shared = _shared_areas(left[rows], right[columns])
    iou = np.minimum(shared / (left_areas[rows] + right_areas[columns] - shared), 1.0)
    keep = (iou >= min_iou) & (iou > 0)
    return rows[keep], columns[keep], iou[keep]


def best_choice(rows: Index, columns: Index, weights: npt.NDArray[np.float64]) -> list[Edges]:
    """Return the one-to-one choice of weighted pairs with the largest sum, in pieces: rows, columns, weights."""
    is_only = (np.bincount(rows)[rows] == 1) & (np.bincount(columns)[columns] == 1)
    chosen, rest = [(rows[is_only], columns[is_only], weights[is_only])], ~is_only
    return chosen + list(_best_choices(rows[rest], columns[rest], weights[rest])) if rest.any() else chosen


def _best_choices(rows: Index, columns: Index, ious: npt.NDArray[np.float64]) -> Iterator[Edges]:
    """Yield the best choice of each connected part of the graph: dense solving costs the cube of its size."""
    from scipy.optimize import linear_sum_assignment  # here: importing it takes longer than most comparisons,
    from scipy.sparse import coo_matrix  # which don't need it
    from scipy.sparse.csgraph import connected_components

    width = int(rows.max()) + 1
    graph = coo_matrix((ious, (rows, width + columns)), shape=(width + int(columns.max()) + 1,) * 2)
    label = connected_components(graph)[1][rows]
    order = np.argsort(label, kind="stable")
    for part in np.split(order, np.flatnonzero(np.diff(label[order])) + 1):
        left, dense_rows = np.unique(rows[part], return_inverse=True)
        right, dense_columns = np.unique(columns[part], return_inverse=True)
        weights = np.zeros((len(left), len(right)))
        weights[dense_rows, dense_columns] = ious[part]
        row, column = linear_sum_assignment(weights, maximize=True)
        kept = weights[row, column] > 0
        yield left[row[kept]], right[column[kept]], weights[row[kept], column[kept]]


def _nested_boxes(inner: Index, outer: Index, is_in: npt.NDArray[np.bool_]) -> tuple[_Groups, _Groups]:
    """Return by inner box the boxes around it, and by outer box the boxes inside it."""
    around: _Groups = defaultdict(set)
    inside: _Groups = defaultdict(set)
    for small, large in zip(inner[is_in].tolist(), outer[is_in].tolist(), strict=True):
        around[small].add(large)
        inside[large].add(small)
    return around, inside


def _farthest_boundary_point(a: Polygon, b: Polygon) -> float:
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


def as_points(polygon: Polygon) -> _Points:
    """Return a polygon as float64 (N, 2). Raises ValueError where it is none."""
    points = np.asarray(polygon, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2:
        if points.size:
            raise ValueError(f"a polygon has shape {points.shape}, not (number of points, 2)")
        points = points.reshape(0, 2)
    return points


def is_finite(points: Polygon) -> bool:
    """Return whether all coordinates are finite and within 1e100."""
    return bool((np.abs(points) <= _LARGEST).all())


def polygon_keys_and_shapes(polygons: Sequence[Polygon]) -> tuple[list[Key], Shapes]:
    """Return each polygon's key, and its shape or None where it has no inside; `geometry.Matching` lists the defects.

    Raises:
        ValueError: a polygon is no (N, 2) array.
    """
    every = [as_points(polygon) for polygon in polygons]
    lengths = np.array([len(each) for each in every], np.intp)
    # All points in one array: of a page's boxes, NumPy's calls cost more than their numbers.
    points = np.concatenate([*every, np.zeros((0, 2))]) + 0.0  # makes -0 and 0 one number
    rings, owner = _canonical_points(points, lengths), np.repeat(np.arange(len(every)), lengths)
    is_broken = np.bincount(owner[~(np.abs(points) <= _LARGEST).all(axis=1)], minlength=len(every)) > 0
    names = np.where(lengths < 3, "fewer than 3 points", np.where(is_broken, "not finite", "")).tolist()
    shapes: Shapes = np.full(len(every), None, dtype=object)
    whole = np.flatnonzero((lengths >= 3) & ~is_broken)
    if len(whole):
        indices = np.repeat(np.arange(len(whole)), lengths[whole])
        made = np.asarray(shapely.polygons(shapely.linearrings(rings[np.isin(owner, whole)], indices=indices)))
        for index, name, shape in zip(whole.tolist(), _shape_defects(made), made, strict=True):
            names[index] = name
            shapes[index] = None if name == "zero area" else _enclosed_area(shape) if name else shape
    # Bytes: a hundred thousand numbers in tuples keep the garbage collector busy. They sort as numbers from 0 on do.
    ends, numbers = np.cumsum(16 * lengths).tolist(), rings.astype(">f8").tobytes()
    return [
        (name, point_set(each) if name else numbers[end - 16 * len(each) : end])
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


def _enclosed_area(shape: shapely.Polygon) -> shapely.MultiPolygon:
    """Return the area that a self-crossing boundary encloses."""
    parts = shapely.get_parts(shapely.get_parts(shapely.make_valid(shape)))
    made: shapely.MultiPolygon = shapely.multipolygons(
        parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON]
    )
    return made


def _canonical_points(points: _Points, lengths: npt.NDArray[np.intp]) -> _Points:
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
    """Return any points sorted, with a flag beside each number that distinguishes NaN from 0."""
    numbers = sorted((x == x, x if x == x else 0.0, y == y, y if y == y else 0.0) for x, y in points.tolist())
    return tuple(value for point in numbers for value in point)
