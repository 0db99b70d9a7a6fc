"""What must hold of matching for any boxes: each property is also shown to fail a broken matcher."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from properties import quickly, violated
from scipy.optimize import linear_sum_assignment
from specimens import INVALID, Box, box

from pytest_ocrparity.geometry import Matching, Pair, match_polygons

Match = Callable[[Sequence[Box], Sequence[Box]], Matching]


@st.composite
def boxes(draw: Any) -> list[Box]:
    """Draw boxes that often overlap, are sometimes equal, turned or invalid, and lie on few coordinates: ties."""
    found: list[Box] = []
    for _ in range(draw(st.integers(0, 6))):
        what = draw(st.integers(0, 11))
        if what == 0:
            found.append(draw(st.sampled_from(list(INVALID.values()))))
        elif what == 1 and found:
            found.append(found[draw(st.integers(0, len(found) - 1))].copy())
        else:
            x, y = draw(st.integers(0, 8)) * 4, draw(st.integers(0, 4)) * 4
            width, height = draw(st.integers(1, 6)) * 4, draw(st.integers(1, 4)) * 4
            made = box(x, y, width, height)
            if what >= 9:
                angle = draw(st.floats(0, 3, width=32))
                turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
                made = (made - made.mean(axis=0)) @ turn.T + made.mean(axis=0)
            found.append(made)
    return found


crowds = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 7)), min_size=3, max_size=6, unique=True).map(
    lambda places: [box(x, y, 16, 12) for x, y in places]
)
"""Boxes of which most overlap most others, so that the best for one is often not the best for all."""


def total(matching: Matching) -> float:
    return sum(pair.iou for pair in matching.pairs)


def as_contents(ours: Sequence[Box], theirs: Sequence[Box], matching: Matching) -> list[Any]:
    """Return a matching in terms of the boxes and not of their places, without their first vertex and direction."""

    def key(polygon: Box) -> Any:
        return tuple(sorted(map(repr, (polygon + 0.0).tolist())))

    pairs = sorted((key(ours[pair.reference]), key(theirs[pair.candidate]), pair.iou) for pair in matching.pairs)
    return [pairs, sorted(key(ours[i]) for i in matching.missing), sorted(key(theirs[j]) for j in matching.extra)]


def check_symmetric(matcher: Match) -> None:
    """Swapping the sides swaps the answer."""

    @quickly
    @given(boxes(), boxes())
    def check(ours: list[Box], theirs: list[Box]) -> None:
        there, back = matcher(ours, theirs), matcher(theirs, ours)
        swapped = sorted((pair.candidate, pair.reference, pair.iou) for pair in back.pairs)
        assert as_contents(ours, theirs, there)[1:] == as_contents(theirs, ours, back)[:0:-1]
        assert sorted(iou for *_, iou in swapped) == sorted(pair.iou for pair in there.pairs)
        if len({key_of(each) for each in (*ours, *theirs)}) == len(ours) + len(theirs):  # no two boxes are equal
            assert swapped == [(pair.reference, pair.candidate, pair.iou) for pair in there.pairs]

    check()


def key_of(polygon: Box) -> Any:
    return tuple(sorted(map(repr, (polygon + 0.0).tolist())))


def check_order(matcher: Match) -> None:
    """The order of the boxes has no say."""

    @quickly
    @given(boxes(), boxes(), st.randoms(use_true_random=False))
    def check(ours: list[Box], theirs: list[Box], random: Any) -> None:
        before = as_contents(ours, theirs, matcher(ours, theirs))
        random.shuffle(ours)
        random.shuffle(theirs)
        assert as_contents(ours, theirs, matcher(ours, theirs)) == before

    check()


def check_rotation(matcher: Match) -> None:
    """Neither has the first vertex of a box, nor its direction."""

    @quickly
    @given(boxes(), boxes(), st.lists(st.integers(-4, 4), min_size=6, max_size=6))
    def check(ours: list[Box], theirs: list[Box], turns: list[int]) -> None:
        turned = [
            np.roll(each[:: -1 if turn < 0 else 1], turn, axis=0) for each, turn in zip(ours, turns, strict=False)
        ]
        before, after = matcher(ours, theirs), matcher(turned, theirs)
        assert [(p.reference, p.candidate) for p in before.pairs] == [(p.reference, p.candidate) for p in after.pairs]
        assert total(before) == total(after)
        assert (before.missing, before.extra) == (after.missing, after.extra)

    check()


def check_identity(matcher: Match) -> None:
    """A set matches itself, whatever it holds."""

    @quickly
    @given(boxes(), st.randoms(use_true_random=False))
    def check(ours: list[Box], random: Any) -> None:
        order = list(range(len(ours)))
        random.shuffle(order)
        found = matcher(ours, [ours[place] for place in order])
        assert len(found.pairs) == len(ours)
        assert all(pair.iou == 1.0 for pair in found.pairs)
        assert all(key_of(ours[pair.reference]) == key_of(ours[order[pair.candidate]]) for pair in found.pairs)

    check()


def best_sum(ours: Sequence[Box], theirs: Sequence[Box], min_iou: float) -> float:
    """Return the largest sum of IoUs that any one-to-one choice has, by SciPy on the whole dense matrix."""
    ious = np.zeros((len(ours), len(theirs)))
    for i, a in enumerate(map(shapely.Polygon, ours)):
        for j, b in enumerate(map(shapely.Polygon, theirs)):
            ious[i, j] = a.intersection(b).area / a.union(b).area
    ious[ious < min_iou] = 0
    return float(ious[linear_sum_assignment(ious, maximize=True)].sum())


def check_optimal(matcher: Match) -> None:
    """The sum is SciPy's, less at most `min_iou` for each pair of equal boxes, which pair first."""

    @quickly
    @given(st.one_of(boxes(), crowds), st.one_of(boxes(), crowds))
    def check(ours: list[Box], theirs: list[Box]) -> None:
        defects = match_polygons(ours, theirs).defects
        ours, theirs = (
            [each for each, name in zip(side, names, strict=True) if not name]
            for side, names in zip((ours, theirs), defects, strict=True)
        )
        found = matcher(ours, theirs)
        best, equal = best_sum(ours, theirs, 0.25), sum(pair.iou == 1.0 for pair in found.pairs)
        assert total(found) <= best + 1e-9
        assert total(found) >= best - 0.25 * equal - 1e-9
        assert (
            len({pair.reference for pair in found.pairs})
            == len({pair.candidate for pair in found.pairs})
            == len(found.pairs)
        )
        assert all(pair.iou >= 0.25 for pair in found.pairs)

    check()


def by_place(ours: Sequence[Box], theirs: Sequence[Box]) -> Matching:
    """Pair the first with the first: what counting boxes amounts to."""
    count = min(len(ours), len(theirs))
    pairs = tuple(Pair(i, i, 1.0) for i in range(count))
    return Matching(pairs, tuple(range(count, len(ours))), tuple(range(count, len(theirs))))


def greedy(ours: Sequence[Box], theirs: Sequence[Box]) -> Matching:
    """Let each box take the best that is left."""
    left, pairs = set(range(len(theirs))), []
    for i, polygon in enumerate(ours):
        found = [pair for pair in (match_polygons([polygon], [theirs[j]]).pairs for j in sorted(left)) if pair]
        if found:
            j, iou = max(
                (
                    (j, match_polygons([polygon], [theirs[j]]).pairs[0].iou)
                    for j in sorted(left)
                    if match_polygons([polygon], [theirs[j]]).pairs
                ),
                key=lambda each: each[1],
            )
            left.remove(j)
            pairs.append(Pair(i, j, iou))
    missing = sorted(set(range(len(ours))) - {pair.reference for pair in pairs})
    return Matching(tuple(pairs), tuple(missing), tuple(sorted(left)))


def by_first_vertex(ours: Sequence[Box], theirs: Sequence[Box]) -> Matching:
    """Pair boxes that begin at the same point."""
    pairs = [Pair(i, j, 1.0) for i, a in enumerate(ours) for j, b in enumerate(theirs) if np.array_equal(a[0], b[0])]
    return Matching(tuple(pairs[:1]), (), ())


PROPERTIES = {
    "symmetric": (check_symmetric, greedy),
    "order": (check_order, by_place),
    "rotation": (check_rotation, by_first_vertex),
    "identity": (check_identity, by_first_vertex),
    "optimal": (check_optimal, greedy),
}


@pytest.mark.parametrize("name", PROPERTIES)
def test_matching(name: str) -> None:
    PROPERTIES[name][0](match_polygons)


@pytest.mark.parametrize("name", PROPERTIES)
def test_a_broken_matcher_is_noticed(name: str) -> None:
    check, broken = PROPERTIES[name]
    violated(lambda: check(broken))


@pytest.mark.parametrize(("scale", "offset"), [(1.0, 0.0), (1e-3, 0.0), (1e6, 0.0), (1.0, 1e7)])
@pytest.mark.parametrize("is_whole", [True, False], ids=["whole", "fractions"])
def test_the_iou_of_two_boxes_is_that_of_shapely(scale: float, offset: float, is_whole: bool) -> None:
    """Convex quads are measured by our own arithmetic: turned, mirrored, touching, concave, alike but for an edge."""
    rng = np.random.default_rng(7)
    compared = 0
    for _ in range(400):
        x, y, width, height = (float(value) for value in rng.integers(1, 30, 4))
        made = box(x, y, width, height)
        others = [box(x, y, width + 3, height), box(x + width, y, width, height), made[::-1] + 1, made[[0, 2, 1, 3]]]
        others += [
            made + rng.uniform(-3, 3, (4, 2)),
            made - np.array([[0, 0], [0, 0], [0.8 * width, 0.6 * height], [0, 0]]),
        ]
        other = others[rng.integers(len(others))]
        one, two = ((np.rint(each) if is_whole else each + 0.1) * scale + offset for each in (made, other))
        shapes = shapely.Polygon(one), shapely.Polygon(two)
        if not all(each.is_valid for each in shapes):
            continue
        union = shapes[0].union(shapes[1]).area
        expected = shapes[0].intersection(shapes[1]).area / union
        found = match_polygons([one], [two], min_iou=0.0).pairs
        assert (found[0].iou if found else 0.0) == pytest.approx(expected, abs=1e-7)
        compared += 0.01 < expected < 0.99
    assert compared > 100
