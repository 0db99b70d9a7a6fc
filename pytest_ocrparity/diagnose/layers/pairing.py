"""Which of the reference's arrays belongs where an export breaks: by what both are made of, and by what follows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from pytest_ocrparity.diagnose.layers.matching import Matches, Values, distance, unlikeness
from pytest_ocrparity.diagnose.network.structure import kind_of

MOST_AFTER: Final = 6
"""How many operators are gone on, where what one makes has no counterpart: a fused block makes other shapes within."""
MOST_BETWEEN: Final = 12
"""How many operators of the reference one of the candidate's may stand for, at most: a fused block has ten."""
MOST_LACKING: Final = 2
"""How many operators in a row may not be there, an activation and what follows it."""
NEAR: Final = 4
"""How many times further than the nearest array another one may lie to be as likely."""


PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "hardswish": ("hardsigmoid", "multiply"),
    "swish": ("sigmoid", "multiply"),
    "silu": ("sigmoid", "multiply"),
}
"""Operators that a file may hold as several."""


class Pair(NamedTuple):
    """An array of the reference that may belong in a place of the candidate.

    Attributes:
        own: the place in the candidate's graph.
        right: that in the reference's.
        between: the places of the reference that the candidate's operator then stands for; none where the reference has
            no such operator, and `right` is what it is given.
        frontier: the places of the candidate that it is made of, with those of the reference that hold the same.
        is_certain: whether that is known without a run.
    """

    own: int
    right: int
    between: frozenset[int]
    frontier: Mapping[int, int]
    is_certain: bool


def pairs_of(matches: Matches, place: int) -> list[Pair]:
    """Return what may be put right where the candidate breaks, the likeliest first.

    That is an array of the reference's of the same shape, in the place itself or in one after it: an operator that
    stands for several may make other shapes within.
    """
    found: list[tuple[Pair, tuple[bool, int], float, tuple[bool, int]]] = []
    others = {each for each in matches.breaks if each != place and any(_pairs(matches, each))}
    for depth, own in _from(matches, place):
        if not others.isdisjoint(matches.candidate.sources(own, matches.equal)[0]):
            continue  # several operators break, and each has an array of its own
        after = _kinds_after(matches.candidate, own)
        for pair in _pairs(matches, own):
            is_other_after = after != _kinds_after(matches.reference, pair.right)
            unlike = unlikeness(matches.candidate.arrays[own], matches.reference.arrays[pair.right])
            is_other = not _is_of_one_kind(matches, own, pair.right)
            found.append((pair, (is_other_after, depth), unlike, (is_other, len(pair.between))))
    too_many = list(_too_many(matches, place))
    if not found:
        return too_many
    # Of those that are almost equally near, the same operator is likelier.
    near = NEAR * min(row[2] for row in found)
    found.sort(key=lambda row: (not row[0].is_certain, row[1], 0 if row[2] <= near else row[2], row[3]))
    return [*too_many, *(row[0] for row in found)]


def is_ambiguous(matches: Matches, pair: Pair) -> bool:
    """Return whether another layer of the reference makes the same of the same, and may be meant as well."""
    reference = matches.reference
    return any(
        distance(reference.arrays[each.right], reference.arrays[pair.right]) <= reference.limits[pair.right]
        and not (each.between <= pair.between or pair.between <= each.between)
        and reference.nodes[each.right].layer != reference.nodes[pair.right].layer
        for each in pairs_of(matches, pair.own)
        if each.own == pair.own and each.right != pair.right
    )


def _too_many(matches: Matches, place: int) -> Iterator[Pair]:
    """Yield operators without kernels that the reference has not: what follows them there follows what they are given.

    Such as one in the place itself, or the last of several.
    """
    reference, candidate = matches.reference, matches.candidate
    for _, own in _from(matches, place):
        within, ends = candidate.sources(own, matches.equal)
        if len(ends) != 1 or any(_is_known(matches, each) for each in within):
            continue
        (before,) = ends
        beside = [each for each in candidate.consumers[before] if each not in within]
        after = _kinds_of(candidate, [*candidate.consumers.get(own, ()), *beside])
        for right in matches.known(ends):
            is_same_shape = reference.arrays[right].shape == candidate.arrays[own].shape
            are_both_last = (own == candidate.graph.output) == (right == reference.graph.output)
            if is_same_shape and are_both_last and after == _kinds_after(reference, right):
                yield Pair(own, right, frozenset(), {before: right}, is_certain=False)


def _is_known(matches: Matches, own: int) -> bool:
    """Return whether an operator has a kernel, or the reference has one of its kind that takes the same."""
    has_kernel = len(matches.candidate.nodes[own].kernel) > 1
    return has_kernel or any(matches.takes_the_same(own, each) for each in range(len(matches.reference.nodes)))


def _from(matches: Matches, place: int) -> Iterator[tuple[int, int]]:
    """Yield a place, and those that it leads to as long as they hold what the reference does not, with how far."""
    row, seen = [place], {place}
    for depth in range(MOST_AFTER + 1):
        yield from ((depth, each) for each in row)
        after = [each for own in row for each in matches.candidate.consumers.get(own, ())]
        row = [each for each in dict.fromkeys(after) if each not in seen and each not in matches.fine]
        seen |= set(row)


def _pairs(matches: Matches, own: int) -> Iterator[Pair]:
    reference, candidate = matches.reference, matches.candidate
    frontier = matches.frontier(own)
    known = matches.known(frontier)
    for right, array in enumerate(reference.arrays):
        if array.shape != candidate.arrays[own].shape or right in matches.held:
            continue
        between, ends = reference.sources(right, known)
        if matches.takes_the_same(own, right) or _takes_another(matches, own, right):
            between, ends = _with_what_lacks(matches, own, right), frozenset(reference.nodes[right].inputs)
        elif not (ends and ends <= known and len(between) <= MOST_BETWEEN):
            continue
        same = {each: _meant(matches.equal[each], ends, known) for each in frontier}
        yield Pair(own, right, between, same, _is_certain(matches, own, right))


def _meant(equal: Sequence[int], ends: Collection[int], known: Collection[int]) -> int:
    """Return which of several places of the reference that hold the same is meant: one where the way to it ends."""
    return next((each for each in equal if each in ends), next(each for each in equal if each in known))


def _with_what_lacks(matches: Matches, own: int, right: int) -> frozenset[int]:
    """Return a place of the reference, with those before it that make what it takes of what the candidate's takes.

    An operator that takes another array cannot be told from one before which an operator is not there.
    """
    nodes, found = matches.reference.nodes, {right}
    taken = {same for each in matches.candidate.nodes[own].inputs for same in matches.equal[each]}
    there = {same for equal in matches.equal.values() for same in equal}
    for each in nodes[right].inputs:
        way: list[int] = []
        while each not in taken and each not in there and len(nodes[each].inputs) == 1 and len(way) < MOST_LACKING:
            way.append(each)
            (each,) = nodes[each].inputs
        found |= set(way if each in taken else ())
    return frozenset(found)


def _is_of_one_kind(matches: Matches, own: int, right: int) -> bool:
    return kind_of(matches.candidate.nodes[own].operator) == kind_of(matches.reference.nodes[right].operator)


def _takes_another(matches: Matches, own: int, right: int) -> bool:
    """Return whether both join arrays alike, of which some are the same and one is another."""
    taken, meant = matches.candidate.nodes[own].inputs, matches.reference.nodes[right].inputs
    if len(meant) < 2 or not _is_of_one_kind(matches, own, right) or any(each not in matches.equal for each in taken):
        return False
    same = [any(each in matches.equal[own] for own in taken) for each in meant]
    return any(same) and not all(same)


def _is_certain(matches: Matches, own: int, right: int) -> bool:
    """Return whether one place of the reference alone is the same operator of the same arrays.

    What follows both has to be the same, too: an operator into which others are folded comes before others.
    """
    alike = [
        each
        for each in range(len(matches.reference.nodes))
        if matches.takes_the_same(own, each)
        and matches.reference.arrays[each].shape == matches.candidate.arrays[own].shape
        and each not in matches.held
    ]
    return alike == [right] and _kinds_after(matches.candidate, own) == _kinds_after(matches.reference, right)


def _kinds_after(values: Values, place: int) -> list[str]:
    return _kinds_of(values, values.consumers.get(place, ()))


def _kinds_of(values: Values, places: Iterable[int]) -> list[str]:
    kinds = (kind_of(values.nodes[each].operator) for each in places)
    return sorted(part for kind in kinds for part in PARTS.get(kind, (kind,)))
