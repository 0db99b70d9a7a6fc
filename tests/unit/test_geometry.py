"""Every kind of box, in both directions: what pairs, and its twin that does not."""

from __future__ import annotations

import itertools
from dataclasses import FrozenInstanceError, replace
from itertools import permutations
from typing import Any

import numpy as np
import pytest
import shapely
from scipy.optimize import linear_sum_assignment
from specimens import (
    INVALID,
    Box,
    bowtie,
    box,
    duplicate,
    empty,
    hexagon,
    infinite_point,
    left_half,
    nan_point,
    nested,
    one_box,
    reversed_,
    right_half,
    rotated,
    touching,
    two_points,
    zero_area,
)

from pytest_ocrparity import geometry
from pytest_ocrparity.geometry import (
    Pair,
    boundary_distance,
    classify_polygons,
    match_polygons,
    polygon_keys_and_shapes,
    vertex_distance,
)

NOT_POLYGONS = [np.zeros(4), np.zeros((4, 3)), np.zeros((1, 4, 2))]


def defects(polygons: list[Box]) -> list[str | None]:
    ours, _ = match_polygons(polygons, []).defects
    return ours


def scattered(rng: np.random.Generator, count: int, size: float) -> list[Box]:
    """Return turned boxes that overlap here and there."""
    angles = rng.uniform(0, 3, count)
    turns = np.stack([np.cos(angles), -np.sin(angles), np.sin(angles), np.cos(angles)], 1).reshape(count, 1, 2, 2)
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * rng.uniform(3, 9, (count, 1, 2))
    return list((turns @ corners[..., None])[..., 0] + rng.uniform(0, size, (count, 1, 2)))


def best_sum(reference: list[Box], candidate: list[Box], min_iou: float = 0.25) -> float:
    ious = np.zeros((len(reference), len(candidate)))
    for i, a in enumerate(map(shapely.Polygon, reference)):
        for j, b in enumerate(map(shapely.Polygon, candidate)):
            ious[i, j] = a.intersection(b).area / a.union(b).area
    ious[ious < min_iou] = 0
    return float(ious[linear_sum_assignment(ious, maximize=True)].sum())


@pytest.mark.parametrize(("name", "polygon"), INVALID.items(), ids=list(INVALID))
def test_a_defect_has_a_name(name: str, polygon: Box) -> None:
    assert defects([polygon]) == [name]


@pytest.mark.parametrize(
    "polygon", [one_box, one_box[:3], rotated, reversed_, hexagon, one_box * 1e-3, one_box * 1e-30, one_box + 1e6]
)
def test_a_polygon_with_an_inside_has_no_defect(polygon: Box) -> None:
    assert defects([polygon]) == [None]


def test_more_defects() -> None:
    assert defects([infinite_point]) == ["not finite"]
    assert defects([one_box * 1e150]) == ["not finite"]
    assert defects([box(0, 0, 1e100, 1e100)]) == [None]
    assert defects([box(0, 0, 1e100, 1.01e100)]) == ["not finite"]
    assert defects([np.zeros((0, 2))]) == ["fewer than 3 points"]
    assert defects([np.zeros(0)]) == ["fewer than 3 points"]
    assert defects([np.zeros((4, 2))]) == ["zero area"]
    assert defects([one_box * 1e-200]) == ["zero area"]
    assert defects([np.array([[0, 0], [0.1, 0.3], [0.2, 0.6], [0.7, 2.1]])]) == ["zero area"]
    assert defects([nan_point[-3:], np.full((3, 2), np.inf)]) == ["not finite", "not finite"]
    assert defects([box(0, 0, 10_000, 0.001)]) == [None]
    assert defects([np.array([[0, 0], [40, 40], [40, 0], [0, 30]])]) == ["self-crossing"]


@pytest.mark.parametrize("polygon", NOT_POLYGONS, ids=str)
def test_what_is_no_polygon_is_refused(polygon: Box) -> None:
    with pytest.raises(ValueError, match="a polygon has shape"):
        match_polygons([polygon], [one_box])
    with pytest.raises(ValueError, match="a polygon has shape"):
        match_polygons([one_box], [polygon])
    with pytest.raises(ValueError, match="a polygon has shape"):
        classify_polygons([polygon], [], match_polygons([], []))
    with pytest.raises(ValueError, match="a polygon has shape"):
        vertex_distance(one_box, polygon)
    with pytest.raises(ValueError, match="a polygon has shape"):
        boundary_distance(polygon, one_box)


@pytest.mark.parametrize("min_iou", [-0.1, 1.1, float("nan")])
def test_an_iou_out_of_range_is_refused(min_iou: float) -> None:
    with pytest.raises(ValueError, match=r"min_iou is .*, not a number from 0 to 1"):
        match_polygons([], [], min_iou=min_iou)


def test_an_iou_of_1_pairs_equal_boxes_alone() -> None:
    matching = match_polygons([one_box, nested], [nested + 1e-3, rotated], min_iou=1)
    assert (matching.pairs, matching.missing, matching.extra) == ((Pair(0, 1, 1.0),), (1,), (0,))


def test_empty_sides() -> None:
    assert match_polygons(empty, empty).pairs == ()
    assert match_polygons([one_box], empty).missing == (0,)
    assert match_polygons(empty, [one_box]).extra == (0,)


@pytest.mark.parametrize("twin", [duplicate, rotated, reversed_, one_box + np.array([0.0, -0.0])])
def test_the_same_box_pairs_whatever_its_vertex_order(twin: Box) -> None:
    assert match_polygons([one_box], [twin]).pairs == (Pair(0, 0, 1.0),)


def test_what_was_found_cannot_be_changed_and_is_told_by_its_pairs() -> None:
    matching = match_polygons([one_box, bowtie], [one_box, bowtie])
    for known, name in ((matching, "pairs"), (matching.pairs[0], "iou")):
        with pytest.raises(FrozenInstanceError):
            setattr(known, name, None)
        assert not hasattr(known, "__dict__")  # of which a page makes hundreds
    assert replace(matching, defects=()) == matching != replace(matching, pairs=())


def test_the_farthest_point_is_found_to_a_thousandth_of_a_px() -> None:
    """Of these two triangles it is no vertex, and of a coarser search what is found is farther off."""
    one, other = np.array([[98, 24], [60, 68], [19, 87]]), np.array([[11, 51], [57, 10], [63, 32], [38, 35]])
    assert boundary_distance(one, other) == pytest.approx(38.5681637, abs=1e-3)


def test_minus_0_is_0() -> None:
    (keys, _), (others, _) = (polygon_keys_and_shapes([each]) for each in (box(0, 0, 9, 9), box(-0.0, -0.0, 9, 9)))
    assert keys == others != polygon_keys_and_shapes([box(1e-9, 0, 9, 9)])[0]


def test_no_iou_is_above_1() -> None:
    """Two boxes of float64's own neighbours: what they share is, as it is counted, more than either has."""
    one = np.array([[35171.68509297207, 2941.5336224485754], [35179.7170443129, 2950.7840867293003]])
    one = np.concatenate([one, [[35172.04216545212, 2957.447995878706], [35164.01021411129, 2948.197531597981]]])
    other = one + np.spacing(one) * [[0, -1], [0, -1], [0, 1], [0, 1]]
    (pair,) = match_polygons([one], [other]).pairs
    assert pair.iou <= 1


def test_what_is_finite() -> None:
    assert geometry.is_finite(np.array([[1e100, -1e100]]))
    assert not geometry.is_finite(np.array([[0, np.nextafter(1e100, 1e101)]]))
    assert not geometry.is_finite(nan_point)


def test_a_row_of_boxes_is_accepted_as_one_array() -> None:
    reference: Any = np.stack([one_box, touching])
    assert len(match_polygons(reference, reference[::-1]).pairs) == 2


@pytest.mark.parametrize("other", [touching, nested, box(500, 500, 10, 10)])
def test_boxes_that_hardly_overlap_stay_alone(other: Box) -> None:
    matching = match_polygons([one_box], [other], min_iou=0.3)
    assert (matching.pairs, matching.missing, matching.extra) == ((), (0,), (0,))


def test_touching_boxes_never_pair() -> None:
    assert match_polygons([one_box], [touching], min_iou=0).pairs == ()


def test_a_small_box_moved_diagonally_still_pairs() -> None:
    (pair,) = match_polygons([box(0, 0, 3, 3)], [box(1, 1, 3, 3)]).pairs
    assert pair.iou == pytest.approx(4 / 14)
    assert match_polygons([box(0, 0, 3, 3)], [box(2, 2, 3, 3)]).pairs == ()


HOLLOW = [polygon for name, polygon in INVALID.items() if name != "self-crossing"]


@pytest.mark.parametrize("polygon", [*HOLLOW, infinite_point, np.zeros((0, 2))])
def test_a_box_without_inside_pairs_with_its_twin_alone(polygon: Box) -> None:
    assert match_polygons([polygon], [polygon[::-1].copy()]).pairs == (Pair(0, 0, 1.0),)
    other = np.concatenate([polygon, [[7.0, 7.0]]])
    assert match_polygons([polygon], [other]).pairs == ()
    assert match_polygons([polygon], [one_box]).missing == (0,)


def test_the_place_of_a_nan_counts() -> None:
    moved = nan_point[:, ::-1].copy()
    assert match_polygons([nan_point], [moved]).pairs == ()


def test_a_self_crossing_box_pairs_by_what_it_encloses() -> None:
    assert match_polygons([bowtie], [bowtie[::-1].copy()]).pairs == (Pair(0, 0, 1.0),)
    (pair,) = match_polygons([bowtie], [bowtie + 1]).pairs
    assert 0.7 < pair.iou < 1
    (pair,) = match_polygons([bowtie], [box(0, 0, 40, 40)]).pairs
    assert pair.iou == pytest.approx(0.5)
    assert match_polygons([bowtie], [bowtie + 100]).pairs == ()


def test_duplicates_pair_by_index_and_one_too_many_is_left() -> None:
    matching = match_polygons([one_box, duplicate, one_box], [one_box, rotated])
    assert matching.pairs == (Pair(0, 0, 1.0), Pair(1, 1, 1.0))
    assert matching.missing == (2,)


def test_an_equal_box_wins_over_a_larger_sum() -> None:
    # 0 pairs with 1 and 1 with 0 would make two pairs of 0.6: but the box that did not move must not seem to.
    reference, candidate = [box(0, 0, 100, 10), box(25, 0, 100, 10)], [box(-25, 0, 100, 10), box(0, 0, 100, 10)]
    assert match_polygons(reference, candidate, min_iou=0.5).pairs == (Pair(0, 1, 1.0),)


def test_nested_boxes_pair_with_their_own() -> None:
    matching = match_polygons([one_box, nested], [nested + 1, one_box + 1])
    assert [(pair.reference, pair.candidate) for pair in matching.pairs] == [(0, 1), (1, 0)]


def test_the_best_sum_beats_the_best_pair() -> None:
    reference, candidate = [box(0, 0, 10, 10), box(4, 0, 10, 10)], [box(1, 0, 10, 10), box(-4, 0, 10, 10)]
    matching = match_polygons(reference, candidate)
    assert [(pair.reference, pair.candidate) for pair in matching.pairs] == [(0, 1), (1, 0)]


@pytest.mark.parametrize("seed", range(60))
def test_agrees_with_dense_assignment(seed: int) -> None:
    rng = np.random.default_rng(seed)
    reference = scattered(rng, int(rng.integers(1, 25)), 30)
    candidate = scattered(rng, int(rng.integers(1, 15)), 30) + [a + rng.normal(0, 1, 2) for a in reference]
    matching = match_polygons(reference, candidate)
    assert sum(pair.iou for pair in matching.pairs) == pytest.approx(best_sum(reference, candidate))
    assert sorted([pair.reference for pair in matching.pairs] + list(matching.missing)) == list(range(len(reference)))
    assert sorted([pair.candidate for pair in matching.pairs] + list(matching.extra)) == list(range(len(candidate)))


@pytest.mark.parametrize("seed", range(20))
def test_order_of_boxes_and_vertices_and_sides_has_no_say(seed: int) -> None:
    rng = np.random.default_rng(seed)
    reference = [np.round(a) for a in scattered(rng, 20, 30)]  # whole pixels, so that ties happen
    candidate = [np.round(a + rng.normal(0, 1, 2)) for a in reference]
    pairs = {(p.reference, p.candidate, p.iou) for p in match_polygons(reference, candidate).pairs}
    order, other = rng.permutation(20), rng.permutation(20)
    turned = [np.roll(candidate[j], int(rng.integers(4)), axis=0)[:: rng.choice([-1, 1])] for j in other]
    shuffled = match_polygons([reference[i] for i in order], turned).pairs
    assert {(order[p.reference], other[p.candidate], p.iou) for p in shuffled} == pairs
    assert {(p.candidate, p.reference, p.iou) for p in match_polygons(candidate, reference).pairs} == pairs


def test_a_tie_is_decided_by_coordinates() -> None:
    left, right = box(-3, 0, 10, 10), box(3, 0, 10, 10)
    first = match_polygons([box(0, 0, 10, 10)], [left, right]).pairs[0].candidate
    assert match_polygons([box(0, 0, 10, 10)], [right, left]).pairs[0].candidate == 1 - first


def test_many_boxes() -> None:
    grid = [box(x * 20.0, y * 12.0, 18, 10) for x in range(60) for y in range(50)]
    matching = match_polygons(grid, [quad + 0.5 for quad in reversed(grid)])
    assert [pair.candidate for pair in matching.pairs] == list(range(2999, -1, -1))


def test_merged_boxes() -> None:
    reference, candidate = [left_half, right_half], [one_box]
    matching = match_polygons(reference, candidate, min_iou=0.6)
    assert classify_polygons(reference, candidate, matching) == (("merged", "merged"), ("merged",))
    thirds = [box(0, 0, 30, 9), box(30, 0, 30, 9), box(60, 0, 30, 9)]
    swallowed = [thirds[0], box(0, 0, 90, 9)]
    assert classify_polygons(thirds, swallowed, match_polygons(thirds, swallowed)) == (("merged",), ())


def test_split_boxes() -> None:
    reference, candidate = [one_box], [left_half, right_half]
    matching = match_polygons(reference, candidate, min_iou=0.6)
    assert classify_polygons(reference, candidate, matching) == (("split",), ("split", "split"))
    paired = match_polygons(reference, candidate)
    assert paired.pairs[0].iou == pytest.approx(0.5)
    assert classify_polygons(reference, candidate, paired) == ((), ("split",))


@pytest.mark.parametrize(("inside", "is_in"), [(50.0, True), (49.9, False)])
def test_a_box_is_inside_with_half_of_its_area(inside: float, is_in: bool) -> None:
    whole = box(0, 0, 200, 30)
    parts = [box(inside - 100, 0, 100, 30), box(200 - inside, 0, 100, 30)]
    alone = match_polygons([whole], parts, min_iou=1)
    assert classify_polygons([whole], parts, alone) == (
        (("split",), ("split", "split")) if is_in else (("missing",), ("extra", "extra"))
    )
    alone = match_polygons(parts, [whole], min_iou=1)
    assert classify_polygons(parts, [whole], alone) == (
        (("merged", "merged"), ("merged",)) if is_in else (("missing", "missing"), ("extra",))
    )


def test_a_box_around_a_single_one_is_extra() -> None:
    matching = match_polygons([nested], [one_box], min_iou=1)
    assert classify_polygons([nested], [one_box], matching) == (("missing",), ("extra",))


def test_neither_merged_nor_split() -> None:
    reference, candidate = [one_box, bowtie, zero_area], [touching, nan_point, two_points]
    matching = match_polygons(reference, candidate)
    assert classify_polygons(reference, candidate, matching) == (("missing",) * 3, ("extra",) * 3)
    assert classify_polygons([one_box], [one_box], match_polygons([one_box], [one_box])) == ((), ())


def test_a_single_part_is_missing_and_extra() -> None:
    matching = match_polygons([one_box], [box(10, 20, 15, 30)])
    assert classify_polygons([one_box], [box(10, 20, 15, 30)], matching) == (("missing",), ("extra",))


@pytest.mark.parametrize("distance", [vertex_distance, boundary_distance])
def test_no_distance_between_the_same_boxes(distance: object) -> None:
    assert callable(distance)
    for other in (duplicate, rotated, reversed_):
        assert distance(one_box, other) == 0.0
    for polygon in (*INVALID.values(), infinite_point, np.zeros((0, 2))):
        assert distance(polygon, polygon[::-1].copy()) == 0.0


@pytest.mark.parametrize("distance", [vertex_distance, boundary_distance])
def test_a_distance_is_that_of_the_move(distance: object) -> None:
    assert callable(distance)
    moved = rotated + np.array([3.0, 4.0])
    assert distance(one_box, moved) == pytest.approx(5)
    assert distance(one_box, moved) == distance(moved, one_box)
    assert distance(hexagon, hexagon + 1) == pytest.approx(2**0.5)


@pytest.mark.parametrize("distance", [vertex_distance, boundary_distance])
@pytest.mark.parametrize("polygon", [nan_point, infinite_point, np.zeros((0, 2))])
def test_the_distance_to_what_has_no_place_is_infinite(distance: object, polygon: Box) -> None:
    assert callable(distance)
    assert distance(one_box, polygon) == distance(polygon, one_box) == float("inf")


def test_a_duplicated_vertex_does_not_hide_a_lost_one() -> None:
    lost = one_box.copy()
    lost[2] = lost[3]
    assert vertex_distance(one_box, lost) == pytest.approx(100)
    twice = one_box[[0, 1, 2, 2]]
    assert vertex_distance(twice, one_box[[0, 1, 1, 2]]) == pytest.approx(30)  # as sets they are equal


@pytest.mark.parametrize("seed", range(10))
def test_vertices_of_other_polygons_are_as_far_as_sets_of_points_are(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(0, 100, (5, 2)), rng.uniform(0, 100, (6, 2))
    a[2] += 300  # far from all others, so that each side's farthest is another
    expected = shapely.hausdorff_distance(shapely.MultiPoint(a), shapely.MultiPoint(b))
    assert vertex_distance(a, b) == pytest.approx(expected)
    assert vertex_distance(b, a) == pytest.approx(expected)


def test_quads_take_the_best_of_all_assignments() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        a, b = rng.uniform(0, 9, (2, 4, 2))
        best = min(max(np.hypot(*(a[i] - b[j])) for i, j in enumerate(order)) for order in permutations(range(4)))
        assert vertex_distance(a, b) == pytest.approx(best)


def test_the_boundary_strays_farthest_between_vertices() -> None:
    plate, notched = box(0, 0, 100, 40), np.array([[0, 0], [50, 30], [100, 0], [100, 40], [0, 40.0]])
    # The middle of the upper edge is nearest to the notch's flanks, and no vertex is as far.
    expected = 50 * 30 / np.hypot(50, 30)
    assert boundary_distance(plate, notched) == boundary_distance(notched, plate)
    assert boundary_distance(plate, notched) == pytest.approx(expected, abs=1e-3)
    assert vertex_distance(plate, notched) == pytest.approx(np.hypot(50, 10))


@pytest.mark.parametrize("seed", range(30))
def test_boundary_distance_agrees_with_dense_sampling(seed: int) -> None:
    rng = np.random.default_rng(seed)

    def star(points: int) -> Box:
        angles, radii = np.sort(rng.uniform(0, 6.28, points)), rng.uniform(20, 100, points)
        return np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)

    a, b = star(int(rng.integers(3, 20))), star(int(rng.integers(3, 20)))
    sampled = shapely.hausdorff_distance(shapely.LinearRing(a), shapely.LinearRing(b), densify=0.001)
    assert sampled - 1.1e-3 <= boundary_distance(a, b) <= sampled + 0.2


def test_a_repeated_point_has_no_length() -> None:
    assert boundary_distance(one_box, one_box[[0, 0, 1, 2, 3]]) == 0.0
    assert boundary_distance(np.zeros((3, 2)), np.ones((3, 2))) == pytest.approx(2**0.5)


def test_huge_coordinates_come_to_an_end() -> None:
    a, b = np.array([[0, 0], [1e99, 0], [0, 1e99]]), np.array([[0, 0], [2e99, 0], [5, 1e99]])
    assert boundary_distance(a, b) == pytest.approx(1e99)


@pytest.mark.parametrize("move", [(0, 0), (300, 0), (0, 300), (-50, 700)])
@pytest.mark.parametrize("is_tall", [True, False])
@pytest.mark.parametrize(("height", "defect"), [(0.9e-7, "zero area"), (1.1e-7, None)])
def test_a_box_is_thin_by_its_longer_side_wherever_it_lies(
    move: tuple[int, int], is_tall: bool, height: float, defect: str | None
) -> None:
    made = box(0, 0, 100, height)[:, :: -1 if is_tall else 1] + np.array(move)
    rounding = 1e-13 * max(map(abs, move))
    assert rounding < 0.01 * 1e-7
    assert defects([made]) == [defect]


def test_the_iou_of_upright_and_of_turned_boxes() -> None:
    angle = np.deg2rad(30)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    one = box(3, 7, 20, 12)
    for x, y, width, height in itertools.product((-9, 0, 5), (-4, 0, 6), (8, 20, 31), (5, 12, 25)):
        other = box(3 + x, 7 + y, width, height)
        across = min(23, 3 + x + width) - max(3, 3 + x)
        down = min(19, 7 + y + height) - max(7, 7 + y)
        shared = max(0, across) * max(0, down)
        iou = shared / (240 + width * height - shared)
        for left, right in ((one, other), (one @ turn, other @ turn), (one[::-1], other), (other, one)):
            found = match_polygons([left], [right], min_iou=0.05).pairs
            assert [pair.iou for pair in found] == ([pytest.approx(iou, abs=1e-9)] if iou >= 0.05 else [])


def test_an_iou_at_the_least_is_a_pair() -> None:
    one, other = box(0, 0, 10, 10), box(0, 0, 10, 5)
    assert len(match_polygons([one], [other], min_iou=0.5).pairs) == 1
    assert not match_polygons([one], [other], min_iou=0.5001).pairs


@pytest.fixture
def without_geos(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*shapes: object) -> None:
        if any(len(each) for each in shapes):  # type: ignore[arg-type]
            raise AssertionError("GEOS was asked")

    monkeypatch.setattr(shapely, "intersection", refuse)


CORNER_ON_AN_EDGE = np.array([[0, 0], [20, 0], [20, 10], [10, 5]], dtype=np.float64)
LEANING = np.array([[0, 10], [5, 0], [50, 10], [45, 20]], dtype=np.float64)
"""Of its corners beside the leftmost the upper one is nearer, where that of an upright box is the lower one."""
CONVEX = [one_box, box(0, 0, 9, 40) @ [[0.8, 0.6], [-0.6, 0.8]], LEANING, one_box * 1e-3, LEANING * 1e-3]
CONVEX += [CORNER_ON_AN_EDGE, CORNER_ON_AN_EDGE[:, ::-1], CORNER_ON_AN_EDGE * [1, -1] + 50]


@pytest.mark.usefixtures("without_geos")
@pytest.mark.parametrize("turn", range(4))
@pytest.mark.parametrize("polygon", CONVEX)
def test_convex_quads_are_measured_without_geos(polygon: Box, turn: int) -> None:
    """In a tenth of its time, whatever their first corner and direction."""
    one = np.roll(polygon, turn, axis=0)
    step = 0.01 * np.abs(polygon).max()
    for other in (one + step, one[::-1] + step):
        for left, right in ((one, other), (other, one)):
            assert len(match_polygons([left], [right]).pairs) == 1


@pytest.mark.usefixtures("without_geos")
@pytest.mark.parametrize("polygon", [hexagon, np.array([[0, 0], [20, 0], [5, 5], [0, 20]], dtype=np.float64)])
def test_other_polygons_are_measured_by_geos(polygon: Box) -> None:
    with pytest.raises(AssertionError, match="GEOS was asked"):
        match_polygons([polygon], [polygon + 0.5])


@pytest.mark.parametrize("turn", range(4))
@pytest.mark.parametrize("is_reversed", [True, False])
def test_a_concave_quad_shares_what_is_not_in_its_notch(turn: int, is_reversed: bool) -> None:
    notched = np.roll(np.array([[0, 0], [20, 0], [5, 5], [0, 20]], dtype=np.float64), turn, axis=0)
    notched = notched[::-1] if is_reversed else notched
    for other in (box(4, 4, 16, 16), notched + 2):
        shapes = shapely.Polygon(notched), shapely.Polygon(other)
        expected = shapes[0].intersection(shapes[1]).area / shapes[0].union(shapes[1]).area
        for left, right in ((notched, other), (other, notched)):
            (pair,) = match_polygons([left], [right], min_iou=0).pairs
            assert pair.iou == pytest.approx(expected)


def test_the_iou_of_boxes_far_away_loses_no_digits() -> None:
    for far in (1e7, -1e7):
        (pair,) = match_polygons([box(far, far, 20, 10)], [box(far + 5, far, 20, 10)]).pairs
        assert pair.iou == pytest.approx(0.6, abs=1e-12)


@pytest.mark.parametrize(
    ("other", "min_iou", "is_measured"),
    [
        (box(5, 5, 10, 10), 0.25, True),
        (box(-5, -5, 10, 10), 0.25, True),
        (box(5.1, 5, 10, 10), 0.25, False),
        (box(5, -5.1, 10, 10), 0.25, False),
        (box(0, 0, 20, 20), 0.25, True),  # its IoU is 0.25
        (box(-5, -5, 20, 21), 0.25, False),
        (box(2, 2, 5, 5), 0.25, True),
        (box(2, 2, 5, 4.9), 0.25, False),
        (box(10, 0, 10, 10), 0.0, False),  # touches
        (box(9.9, 0, 10, 10), 0.0, True),
    ],
)
def test_only_boxes_that_may_reach_the_least_iou_are_measured(
    other: Box, min_iou: float, is_measured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What their bounding boxes share tells it, for a hundredth of the time."""
    measured = []

    def counted(left: Any, right: Any) -> Any:
        measured.append(len(left))
        return shared_areas(left, right)

    shared_areas = geometry._shared_areas
    monkeypatch.setattr(geometry, "_shared_areas", counted)
    one = box(0, 0, 10, 10)
    for left, right in ((one, other), (other, one)):
        match_polygons([left], [right], min_iou=min_iou)
    assert measured == [int(is_measured)] * 2


def test_boxes_of_which_one_cuts_nothing_off_the_other_share_nothing() -> None:
    """Beside each other, though what surrounds them meets."""
    diamond = np.array([[0, 10], [10, 0], [20, 10], [10, 20]], dtype=np.float64)
    for corner in (box(16, 16, 9, 9), box(-5, -5, 9, 9), box(16, -5, 9, 9), box(-5, 16, 9, 9)):
        for left, right in ((diamond, corner), (corner, diamond)):
            assert match_polygons([left], [right], min_iou=0).pairs == ()


def test_of_boxes_that_cannot_all_pair_some_stay_alone() -> None:
    rows, columns, weights = np.array([0, 0, 1]), np.array([0, 1, 0]), np.array([0.9, 0.1, 0.1])
    found = [
        (int(i), int(j), float(w))
        for edges in geometry.best_choice(rows, columns, weights)
        for i, j, w in zip(*edges, strict=True)
    ]
    assert found == [(0, 0, 0.9)]


@pytest.mark.parametrize("corner", range(4))
def test_a_corner_that_stands_twice_makes_one_key_wherever_it_begins(corner: int) -> None:
    twice = np.insert(LEANING, corner, LEANING[corner], axis=0)
    turned = [np.roll(each, start, axis=0) for each in (twice, twice[::-1]) for start in range(5)]
    keys, shapes = polygon_keys_and_shapes(turned)
    assert len(set(keys)) == 1
    assert {round(shape.area, 9) for shape in shapes} == {shapely.Polygon(LEANING).area}


def test_a_triangle_pairs_with_one_that_moved() -> None:
    assert len(match_polygons([one_box[:3]], [one_box[:3] + 0.5]).pairs) == 1


@pytest.mark.parametrize("scale", [(1, 1.5), (1.5, 1)])
def test_points_without_an_inside_pair_by_both_coordinates(scale: tuple[float, float]) -> None:
    other = two_points * np.array(scale)
    assert match_polygons([two_points], [other]).pairs == ()
    assert match_polygons([other], [other[::-1]]).pairs == (Pair(0, 0, 1.0),)
