"""What must hold of matching, comparing and storing for any input: each property is also shown to fail what is broken.

A property is a function of what it judges, so that its negative twin is the same function given a broken one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import shapely
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.optimize import linear_sum_assignment
from specimens import INVALID, Box, box
from toy import PAGE, Toy

from pytest_ocrparity.compare import compare
from pytest_ocrparity.geometry import Matching, Pair, match
from pytest_ocrparity.golden.baseline_file import load, save
from pytest_ocrparity.golden.encoding import decode, encode, pack, unpack
from pytest_ocrparity.tolerance import BUILT_IN, OFF, Tolerance
from pytest_ocrparity.trace import Decoded, Detections, Trace

Match = Callable[[Sequence[Box], Sequence[Box]], Matching]
phases: ContextVar[tuple[Phase, ...]] = ContextVar("phases", default=(Phase.generate, Phase.shrink))


def quickly(test: Callable[..., None]) -> Callable[[], None]:
    """Run a property on the same few inputs each time."""
    return settings(
        max_examples=60,
        derandomize=True,
        database=None,
        deadline=None,
        phases=phases.get(),
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )(test)


def violated(check: Callable[[], None]) -> None:
    """Assert that a property does not hold; how small an input shows it does not matter."""
    token = phases.set((Phase.generate,))
    with pytest.raises(AssertionError, match=r"."):
        check()
    phases.reset(token)


# Matching


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
        defects = match(ours, theirs).defects
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
        found = [pair for pair in (match([polygon], [theirs[j]]).pairs for j in sorted(left)) if pair]
        if found:
            j, iou = max(
                (
                    (j, match([polygon], [theirs[j]]).pairs[0].iou)
                    for j in sorted(left)
                    if match([polygon], [theirs[j]]).pairs
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
    PROPERTIES[name][0](match)


@pytest.mark.parametrize("name", PROPERTIES)
def test_a_broken_matcher_is_noticed(name: str) -> None:
    check, broken = PROPERTIES[name]
    violated(lambda: check(broken))


# Comparing


Compare = Callable[[Trace, Trace, Tolerance], str]
Form = Callable[[Box], Box]
REFERENCE = Toy().trace(PAGE)


def tolerance_of(stage: str, beside: Mapping[str, Any] | None = None, **limits: Any) -> Tolerance:
    """Return limits under test, which the twin scales, beside others, which it leaves."""
    return BUILT_IN.override({stage: beside or {}}, "beside").override({stage: limits}, "test")


def status_of(kind: int) -> Compare:
    def run(reference: Trace, candidate: Trace, tolerance: Tolerance) -> str:
        return compare(reference=reference, candidate=candidate, tolerance=tolerance)[kind].status

    return run


amounts = st.floats(1e-6, 0.25)
factors = st.one_of(st.sampled_from((0.98, 1.02)), st.floats(0.0, 0.98), st.floats(1.02, 50.0))


def check_values(compared: Compare, stage: str, name: str, limited: str = "atol") -> None:
    """Values, anywhere, that are off by more than the limit, or by more on average, fail; by less, they pass."""
    is_mean = limited == "mean_atol"
    expected = getattr(REFERENCE, name)

    @quickly
    @given(amounts, factors, st.sets(st.integers(0, expected.size - 1), min_size=1), st.sampled_from((-1, 1)))
    def check(limit: float, factor: float, places: set[int], sign: int) -> None:
        array = expected.copy()
        amount = limit * factor * (array.size / len(places) if is_mean else 1)
        array.flat[sorted(places)] += np.resize((sign * amount, -sign * amount), len(places)).astype(np.float32)
        distances = np.abs(array.astype(np.float64) - expected)
        off = float(distances.mean() if is_mean else distances.max())
        assume(abs(off / limit - 1) > 0.01)  # float32 itself rounds
        candidate = replace(Toy(name="inference").trace(PAGE), **{name: array})
        beside = {"atol": OFF} if is_mean else {}
        status = compared(REFERENCE, candidate, tolerance_of(stage, beside, **{limited: limit}))
        assert status == ("same" if off < limit else "different")

    check()


def check_pixels(compared: Compare, limited: str, atol: float | str, of: int, change: Callable[..., Any]) -> None:
    """More pixels than the limit fail; as many pass, and so do others, which `change` does less to."""
    expected = REFERENCE.probability_map
    assert expected is not None

    @quickly
    @given(st.integers(0, 10), st.integers(0, 20), st.randoms(use_true_random=False))
    def check(limit: int, count: int, random: Any) -> None:
        is_chosen = np.zeros(expected.shape, np.bool_)
        is_chosen.flat[random.sample(range(expected.size), count)] = True
        array = change(expected, is_chosen).astype(np.float32)
        candidate = replace(Toy(name="inference").trace(PAGE), probability_map=array)
        tolerance = tolerance_of("probability_maps", {"atol": atol}, **{limited: limit / of})
        assert compared(REFERENCE, candidate, tolerance) == ("same" if count <= limit else "different")

    check()


def octagon(polygon: Box) -> Box:
    """Return a quad with its corners cut off."""
    ahead = np.roll(polygon, -1, axis=0)
    return np.stack([0.75 * polygon + 0.25 * ahead, 0.25 * polygon + 0.75 * ahead], axis=1).reshape(-1, 2)


def halved(polygon: Box) -> Box:
    """Return the same boundary with a point more on each edge."""
    return np.stack([polygon, (polygon + np.roll(polygon, -1, axis=0)) / 2], axis=1).reshape(-1, 2)


def sides(form: Form, which: int, change: Form) -> tuple[Trace, Trace]:
    """Return two traces whose boxes have a form, of which the candidate's has one changed."""
    candidate = Toy(name="inference").trace(PAGE)
    assert candidate.detections is not None
    ours = [form(polygon) for polygon in candidate.detections.polygons]
    theirs = [change(polygon) if index == which else polygon for index, polygon in enumerate(ours)]
    both = [Detections(tuple(polygons), candidate.detections.scores) for polygons in (ours, theirs)]
    return replace(REFERENCE, detections=both[0]), replace(candidate, detections=both[1])


def check_shift(compared: Compare, form: Form = np.copy, points: Form = np.copy, **beside: Any) -> None:
    """A box that is shifted by more than the limit, plus the free pixel of rounding, fails; by less, it passes."""

    @quickly
    @given(st.floats(0.25, 3), factors, st.integers(0, 2), st.floats(0, 6.3))
    def check(limit: float, factor: float, which: int, angle: float) -> None:
        shift = min((limit + 1) * factor, 6.0)  # boxes of 12 px that keep an IoU and so a partner
        assume(abs(shift / (limit + 1) - 1) > 0.01)
        way = shift * np.array([math.cos(angle), math.sin(angle)])
        reference, candidate = sides(form, which, lambda polygon: points(polygon + way))
        status = compared(reference, candidate, tolerance_of("detections", beside, max_shift=limit))
        assert status == ("same" if shift < limit + 1 else "different")

    check()


def check_iou(compared: Compare, form: Form = np.copy) -> None:
    """A box that shrinks to less of its area than the limit fails; to more, it passes."""

    @quickly
    @given(st.floats(0.3, 0.95), st.floats(0.26, 1), st.integers(0, 2))
    def check(limit: float, iou: float, which: int) -> None:
        assume(abs(iou - limit) > 1e-6)

        def shrunk(polygon: Box) -> Box:
            middle: Box = polygon.mean(axis=0)
            return middle + math.sqrt(iou) * (polygon - middle)

        status = compared(*sides(form, which, shrunk), tolerance_of("detections", {"max_shift": OFF}, min_iou=limit))
        assert status == ("same" if iou > limit else "different")

    check()


def check_unmatched(compared: Compare) -> None:
    """Boxes that are missing, moved or extra fail where they are a larger share than the limit; as large, they pass."""
    every = [box(20 * x, 20 * y, 12, 12) for x in range(4) for y in range(3)]

    @quickly
    @given(st.integers(0, 12), *[st.integers(0, 4)] * 3)
    def check(limit: int, missing: int, moved: int, extra: int) -> None:
        theirs = [each + 3 * (index < missing + moved) for index, each in enumerate(every) if index >= missing]
        theirs += [box(20 * x, 80, 12, 12) for x in range(extra)]
        reference = replace(REFERENCE, detections=Detections(tuple(every)))
        candidate = replace(Toy(name="inference").trace(PAGE), detections=Detections(tuple(theirs)))
        status = compared(reference, candidate, tolerance_of("detections", max_unmatched=limit / 12))
        share = (missing + moved + extra) / (12 + extra)
        assert status == ("same" if share <= limit / 12 else "different")

    check()


def check_scores(compared: Compare) -> None:
    """A score that is off by more than the limit fails; by less, it passes."""

    @quickly
    @given(st.floats(1e-4, 0.4), factors, st.integers(0, 2))
    def check(limit: float, factor: float, which: int) -> None:
        candidate = Toy(name="inference").trace(PAGE)
        assert candidate.detections is not None and candidate.detections.scores is not None
        scores = candidate.detections.scores.copy()
        scores[which] -= limit * factor
        candidate = replace(candidate, detections=Detections(candidate.detections.polygons, scores))
        status = compared(REFERENCE, candidate, tolerance_of("detections", max_score_difference=limit))
        assert status == ("same" if factor < 1 else "different")

    check()


def beyond(values: Any, is_chosen: Any) -> Any:
    """Move the chosen by twice an atol of 0.01, the others by half of it."""
    return values + np.where(is_chosen, 0.02, 0.005)


def across(values: Any, is_chosen: Any) -> Any:
    """Mirror the chosen at the thresh of 0.3, and move the others away from it."""
    return np.where(is_chosen, 0.6 - values, values + 0.1 * np.sign(values - 0.3))


COMPARED: dict[str, tuple[Callable[[Compare], None], int]] = {
    "tensor": (lambda compared: check_values(compared, "preprocessing", "tensor"), 0),
    "map": (lambda compared: check_values(compared, "probability_maps", "probability_map"), 1),
    "mean": (lambda compared: check_values(compared, "probability_maps", "probability_map", "mean_atol"), 1),
    "share": (lambda compared: check_pixels(compared, "max_share", 0.01, PAGE.size // 3, beyond), 1),
    "crossings": (lambda compared: check_pixels(compared, "max_crossings", OFF, 1, across), 1),
    "shift": (check_shift, 2),
    "shift of polygons": (lambda compared: check_shift(compared, octagon, halved, min_iou=0), 2),
    "IoU": (check_iou, 2),
    "IoU of polygons": (lambda compared: check_iou(compared, octagon), 2),
    "unmatched": (check_unmatched, 2),
    "score": (check_scores, 2),
}


@pytest.mark.parametrize("name", COMPARED)
def test_a_tolerance_is_kept_to_exactly(name: str) -> None:
    check, kind = COMPARED[name]
    check(status_of(kind))


@pytest.mark.parametrize("name", COMPARED)
@pytest.mark.parametrize("scale", [0.25, 4.0], ids=["a quarter", "four times"])
def test_another_tolerance_is_noticed(name: str, scale: float) -> None:
    check, kind = COMPARED[name]

    def off(reference: Trace, candidate: Trace, tolerance: Tolerance) -> str:
        values = {
            limit: replace(value, value=float(value.value) * scale) if value.origin == "test" else value
            for limit, value in tolerance.limits.items()
        }
        return status_of(kind)(reference, candidate, Tolerance(values))

    violated(lambda: check(off))


# Storing


Store = Callable[[Trace, bool], Trace]
_sides = st.integers(1, 6)
_maps = st.tuples(st.just(1), st.just(1), _sides, _sides)
_numbers = st.one_of(st.floats(0, 1, width=32), st.floats(width=32))


@st.composite
def traces(draw: Any) -> Trace:
    """Draw a trace of any values: also NaN, infinite and negative ones, and no boxes."""
    height, width = draw(_sides), draw(_sides)
    shape = (1, 1, height, width)
    values = draw(st.sampled_from((st.floats(0, 1, width=32), _numbers)))
    points = arrays.arrays(np.float64, st.tuples(st.integers(0, 7), st.just(2)), elements=st.floats())
    polygons = tuple(draw(st.lists(points, max_size=4)))
    scores = draw(st.none() | arrays.arrays(np.float64, len(polygons), elements=st.floats()))
    thresh = draw(st.one_of(st.floats(0, 1), st.sampled_from((0.3, 0.0, 1.0, 1 / 65535, None))))
    resize = draw(arrays.arrays(np.uint8, (height, width, 3)))
    tensor = arrays.arrays(np.float32, (1, 3, height, width), elements=st.floats(width=32))
    table = draw(arrays.arrays(np.float32, (256,), elements=st.floats(width=32)))
    return Trace(
        pipeline="baseline (train)",
        image=draw(st.text(max_size=5)),
        decode=draw(st.none() | st.just(Decoded((height, width, 3), "uint8", "BGR", "0" * 64))),
        resize=draw(st.none() | st.just(resize)),
        shape=draw(st.none() | st.tuples(*[st.floats(0, 1e6)] * 4)),
        tensor=draw(st.one_of(st.none(), tensor, st.just(table[resize].transpose(2, 0, 1)[None]))),
        probability_map=draw(st.none() | arrays.arrays(np.float32, shape, elements=values)),
        fused_map=draw(st.none() | arrays.arrays(np.float32, shape, elements=values)),
        detections=draw(st.none() | st.just(Detections(polygons, scores))),
        parameters={"detections": {"thresh": thresh}},
        image_sha256=draw(st.none() | st.just("1" * 64)),
        map_error=draw(st.floats(0, 0.99)),  # storing adds to it, and 1 is the most that a probability can be off
        map_sensitivity=draw(st.none() | st.floats(0, 1)),
    )


def same_bits(one: npt.NDArray[Any] | None, two: npt.NDArray[Any] | None) -> bool:
    if one is None or two is None:
        return one is two
    return one.dtype == two.dtype and one.shape == two.shape and one.tobytes() == two.tobytes()


def check_stored(store: Store) -> None:
    """What comes back is what was stored; probabilities within the error that the trace then states."""

    @quickly
    @given(traces(), st.booleans())
    def check(trace: Trace, lossless: bool) -> None:
        back = store(trace, lossless)
        stated = back.map_error - trace.map_error
        assert 0 <= stated <= (0 if lossless else 1.6e-5)
        for name in ("probability_map", "fused_map"):
            before, after = getattr(trace, name), getattr(back, name)
            if lossless or before is None or not (before.min() >= 0 and before.max() <= 1):
                assert same_bits(before, after)
                continue
            most = stated if name == "probability_map" else 1.6e-5
            assert np.max(np.abs(before.astype(np.float64) - after)) <= most + 1e-9
            thresh = trace.parameters["detections"]["thresh"]
            if thresh is not None:
                assert np.array_equal(before > thresh, after > thresh)
        assert same_bits(trace.resize, back.resize)
        assert same_bits(trace.tensor, back.tensor)
        exact: dict[str, Any] = {"probability_map": None, "fused_map": None, "map_error": 0.0, "tensor": None}
        assert replace(trace, **exact) == replace(back, **exact)

    check()


def to_disk(folder: Path) -> Store:
    def store(trace: Trace, lossless: bool) -> Trace:
        path = folder / "a.npz"
        save(path, trace, reference="train", lossless=lossless)
        return load(path).trace

    return store


def test_storing(tmp_path: Path) -> None:
    check_stored(to_disk(tmp_path))


@pytest.mark.parametrize(
    "damage",
    [
        {"probability_map": lambda values: values + np.float32(2e-5)},
        {"tensor": lambda values: np.nextafter(values, np.float32(9))},
        {"resize": lambda values: values ^ 1},
        {"detections": lambda found: Detections(found.polygons[::-1], found.scores)},
        {"map_sensitivity": lambda _: None},
        {"map_error": lambda error: error + 1e-3},
    ],
    ids=lambda damage: next(iter(damage)),
)
def test_damage_by_storing_is_noticed(tmp_path: Path, damage: dict[str, Callable[[Any], Any]]) -> None:
    ((name, change),) = damage.items()

    def store(trace: Trace, lossless: bool) -> Trace:
        back = to_disk(tmp_path)(trace, lossless)
        value = getattr(back, name)
        return back if value is None else replace(back, **{name: change(value)})

    violated(lambda: check_stored(store))


_kinds = st.sampled_from((np.uint8, np.uint16, np.uint32, np.float16, np.float32, np.float64))
_any_array = _kinds.flatmap(
    lambda kind: arrays.arrays(kind, arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
)


def check_packed(unpacked: Callable[..., npt.NDArray[Any]]) -> None:
    """Byte planes give back every bit of an array of any kind and shape."""

    @quickly
    @given(_any_array)
    def check(array: npt.NDArray[Any]) -> None:
        assert same_bits(array, unpacked(pack(array), str(array.dtype)))

    check()


def test_packing() -> None:
    check_packed(unpack)


def test_a_wrong_order_of_bytes_is_noticed() -> None:
    violated(lambda: check_packed(lambda planes, kind: unpack(planes[::-1], kind)))


def check_format_1(unpacked: Callable[..., npt.NDArray[Any]]) -> None:
    """Differences along the axes that format 1 took give back every bit."""

    @quickly
    @given(_any_array)
    def check(array: npt.NDArray[Any]) -> None:
        numbers = array.view(f"u{array.itemsize}")
        axes = {3: [0], 4: [2, 3]}.get(array.ndim, [])
        for axis in axes:
            numbers = np.diff(numbers, axis=axis, prepend=numbers.dtype.type(0))
        if axes and array.itemsize > 1:  # the sign goes last, so that small ones of either sign have empty high bytes
            numbers = (numbers << 1) ^ (0 - (numbers >> (8 * array.itemsize - 1)))
        assert same_bits(array, unpacked(pack(numbers), str(array.dtype), axes))

    check()


def test_unpacking_differences_of_format_1() -> None:
    check_format_1(unpack)


def test_an_axis_left_out_is_noticed() -> None:
    violated(lambda: check_format_1(lambda planes, kind, _: unpack(planes, kind)))


def test_what_is_encoded_is_what_decodes() -> None:
    """The same without files, so that `codec` alone is held to it."""
    manifest = {"reference": "train", "decode": None, "shape": None, "image_sha256": None, "floor": None}

    def store(trace: Trace, lossless: bool) -> Trace:
        arrays_, error = encode(trace, lossless)
        fields = {
            **manifest,
            "image": trace.image,
            "parameters": trace.parameters,
            "map_error": trace.map_error + error,
        }
        back = decode(arrays_, fields)
        return replace(
            back,
            decode=trace.decode,
            shape=trace.shape,
            image_sha256=trace.image_sha256,
            map_sensitivity=trace.map_sensitivity,
        )

    check_stored(store)
