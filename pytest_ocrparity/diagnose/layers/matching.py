"""Which arrays of two graphs hold the same: by shape and content, never by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from functools import cached_property
from typing import Final

import numpy as np

from pytest_ocrparity.contract.network_graph import NetworkGraph, Node
from pytest_ocrparity.diagnose.network.structure import kind_of
from pytest_ocrparity.trace import Array

LEAST: Final = 2e-5
"""How far two arrays may lie apart, of the largest value, whatever the network: what engines that add in another order
leave. Right exports of the example and of PP-OCRv5 mobile stay below it at every operator."""
FACTOR: Final = 8
"""How many times further they may lie apart than the reference's own array moves when the tensor is only rounded."""
SAMPLES: Final = 64
"""How many values are compared before whole arrays are."""


@dataclass(frozen=True)
class Values:
    """The arrays that a network made of one tensor, by the places of its graph.

    Attributes:
        graph: that of the network.
        arrays: what each node made.
        limits: how far an array that holds the same may lie from each; of the reference alone.
        movements: how far each moves when the tensor is only rounded; of the reference alone.
    """

    graph: NetworkGraph
    arrays: Sequence[Array]
    limits: Sequence[float] = ()
    movements: Sequence[float] = ()
    _before: dict[int, frozenset[int]] = field(default_factory=dict)

    @property
    def nodes(self) -> Sequence[Node]:
        """The operators."""
        return self.graph.nodes

    @cached_property
    def consumers(self) -> Mapping[int, list[int]]:
        """The places that take what each place makes."""
        found: dict[int, list[int]] = {}
        for place, node in enumerate(self.nodes):
            for each in dict.fromkeys(node.inputs):
                found.setdefault(each, []).append(place)
        return found

    def before(self, place: int) -> frozenset[int]:
        """Return the places that one is made of, at any distance."""
        if place not in self._before:
            inputs = self.nodes[place].inputs
            self._before[place] = frozenset(inputs).union(*(self.before(each) for each in inputs))
        return self._before[place]

    def sources(self, place: int, until: Iterable[int]) -> tuple[frozenset[int], frozenset[int]]:
        """Return what lies between a place and `until`: those places themselves with this one, and where it ends.

        The end is the part of `until` that was reached, with the first place of the graph where a way there meets none.
        """
        stops, between, ends, left = set(until) - {place}, set(), set(), [place]
        while left:
            each = left.pop()
            if each in between or each in ends:
                continue
            if each in stops or (each == 0 and each != place):
                ends.add(each)
                continue
            between.add(each)
            left += self.nodes[each].inputs
        return frozenset(between), frozenset(ends)


def reference_values(graph: NetworkGraph, arrays: Sequence[Array], moved: Sequence[Array]) -> Values:
    """Return the reference's arrays, with how far another network's may lie from each.

    Args:
        graph: the reference's.
        arrays: what each of its nodes makes of a tensor.
        moved: what they make of the tensor when it is rounded.
    """
    movements = [float(np.max(np.abs(one - two), initial=0.0)) for one, two in zip(arrays, moved, strict=True)]
    limits = [max(LEAST * largest(array), FACTOR * each) for array, each in zip(arrays, movements, strict=True)]
    return Values(graph, arrays, limits, movements)


def largest(array: Array) -> float:
    """Return the largest absolute value of an array, 1 where it has none but 0."""
    return float(np.max(np.abs(array), initial=0.0)) or 1.0


def distance(array: Array, other: Array) -> float:
    """Return how far two arrays of one shape lie apart, infinity where one holds a value that is not finite."""
    with np.errstate(invalid="ignore", over="ignore"):
        found = float(np.max(np.abs(array - other), initial=0.0))
    return found if np.isfinite(found) else float("inf")


@dataclass
class Matches:
    """Which arrays of a candidate are the reference's.

    Attributes:
        reference, candidate: the arrays of both.
        before: those of the candidate before some were replaced.
        equal: by place of the candidate, the places of the reference that hold the same.
    """

    reference: Values
    candidate: Values
    before: InitVar[Matches | None] = None

    def __post_init__(self, before: Matches | None) -> None:
        by_shape: dict[tuple[int, ...], list[int]] = {}
        for place, array in enumerate(self.reference.arrays):
            by_shape.setdefault(array.shape, []).append(place)
        samples = [_sample(array) for array in self.reference.arrays]
        self.equal: dict[int, list[int]] = {0: [0]}
        for place, array in enumerate(self.candidate.arrays):
            if place == 0:
                continue
            if before is not None and array is before.candidate.arrays[place]:
                self.equal |= {place: before.equal[place]} if place in before.equal else {}
                continue
            own = _sample(array)
            same = [
                each
                for each in by_shape.get(array.shape, ())
                if distance(own, samples[each]) <= self.reference.limits[each]
                and distance(array, self.reference.arrays[each]) <= self.reference.limits[each]
            ]
            if same and not np.ptp(array):  # what is zero everywhere says nothing of where it comes from
                same = [each for each in same if self.takes_the_same(place, each)]
            if same:
                self.equal[place] = same

    @cached_property
    def fine(self) -> frozenset[int]:
        """The candidate's places that hold what the reference holds, or that lead to one that does in another way.

        Those are parts of what is one operator of the reference, such as a folded one; and what an engine rounds
        otherwise, of which further on nothing is left.
        """
        found = set(self.equal)
        for place in self.equal:
            within, ends = self.candidate.sources(place, self.equal)
            if len(within) > 1 and any(self._is_other_form(place, within, right, ends) for right in self.equal[place]):
                found |= within
        return frozenset(found)

    def _is_other_form(self, place: int, within: frozenset[int], right: int, ends: Iterable[int]) -> bool:
        """Return whether operators that lead to what the reference holds are another form of its own.

        Where the operators are the same, or the same with others before the last, one of them may make something else
        that what follows hides, as an activation does that is 1 either way; unless each is nearly right.
        """
        between, _ = self.reference.sources(right, self.known(ends))
        own = {each: kind_of(self.candidate.nodes[each].operator) for each in within}
        other = {each: kind_of(self.reference.nodes[each].operator) for each in between}
        has_more = own[place] == other[right] and Counter(other.values()) <= Counter(own.values())
        if min(len(own), len(other)) <= MOST_WITHIN and sorted(own.values()) != sorted(other.values()) and not has_more:
            return True
        arrays, limits = self.candidate.arrays, self.reference.limits
        for one, kind in own.items():
            meant = [each for each, other_kind in other.items() if other_kind == kind]
            offs = [distance(arrays[one], self.reference.arrays[each]) / limits[each]
                    for each in meant if self.reference.arrays[each].shape == arrays[one].shape]  # fmt: skip
            if offs and min(offs) > ROUNDED:
                return False
        return True

    @cached_property
    def breaks(self) -> list[int]:
        """The candidate's places that hold something else although all that they take is the reference's."""
        nodes = self.candidate.nodes
        return [
            place
            for place, node in enumerate(nodes)
            if place not in self.fine and all(each in self.fine for each in node.inputs)
        ]

    def frontier(self, place: int) -> frozenset[int]:
        """Return the nearest places before one of the candidate's that hold what the reference holds."""
        return self.candidate.sources(place, self.equal)[1]

    def takes_the_same(self, place: int, right: int) -> bool:
        """Return whether an operator of the candidate is of the kind of one of the reference, and takes the same."""
        own, node = self.candidate.nodes[place], self.reference.nodes[right]
        return (
            kind_of(node.operator) == kind_of(own.operator)
            and len(node.inputs) == len(own.inputs)
            and all(same in self.equal.get(each, ()) for each, same in zip(own.inputs, node.inputs, strict=True))
        )

    def known(self, ends: Iterable[int]) -> frozenset[int]:
        """Return the reference's places of some of the candidate's that hold the same.

        Of several that hold the same, those of the same operator are meant; and of one that follows another, such as
        what adds zeros to it, the first.
        """
        alike_by_end = [self._alike(end) for end in ends]
        return frozenset(
            each for alike in alike_by_end for each in alike if self.reference.before(each).isdisjoint(alike)
        )

    @cached_property
    def held(self) -> frozenset[int]:
        """The reference's places that one of the candidate's is: by its array, and of several by its operator."""
        return frozenset(alike[0] for place in self.equal if len(alike := self._alike(place)) == 1)

    def _alike(self, place: int) -> list[int]:
        """Return the reference's places that hold what the candidate's does: of its operator, or all if none is."""
        own, equal = kind_of(self.candidate.nodes[place].operator), self.equal[place]
        return [each for each in equal if kind_of(self.reference.nodes[each].operator) == own] or equal


ROUNDED: Final = 8
"""How many limits an array may be off that leads to one that is right: ONNX Runtime's mean of 4096 values is 3 off."""
MOST_WITHIN: Final = 3
"""How many operators one of two forms of the same has at most."""


def unlikeness(array: Array, other: Array) -> float:
    """Return how unlike two arrays of one shape are, 0 to 2: the mean square of the difference, of both's own."""
    with np.errstate(invalid="ignore", over="ignore"):
        one, two = array.astype(np.float64), other.astype(np.float64)
        whole = float(np.sum(one * one) + np.sum(two * two))
        found = 0.0 if whole == 0 else float(np.sum((one - two) ** 2)) / whole
    return found if np.isfinite(found) else 2.0


def _sample(array: Array) -> Array:
    flat = array.reshape(-1)
    return flat[:: max(1, flat.size // SAMPLES)][:SAMPLES]
