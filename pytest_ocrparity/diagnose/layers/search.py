"""Finds the first layer of a network that an export computes otherwise, and proves it by putting arrays in place.

Knows no framework: both networks are `NetworkGraph`s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from pytest_ocrparity.contract.network_graph import NetworkGraph, SamplesArrays
from pytest_ocrparity.diagnose.layers.matching import Matches, Values, distance, largest, reference_values
from pytest_ocrparity.diagnose.layers.pairing import Pair, is_ambiguous, pairs_of
from pytest_ocrparity.diagnose.network.structure import kind_of
from pytest_ocrparity.trace import Array

NUDGE: Final = np.float32(7.2e-7)
"""What the tensor is moved by to learn how far rounding moves each array, see `compare.sensitivity.STEP`."""
MOST_RUNS: Final = 16
"""Runs of one search, which works on a part of the page."""
MOST_ROUNDS: Final = 4
"""Layers that are put right one after the other, until the rest returns the reference's map."""
MOST_BREAKS: Final = 4
"""Places of one round; where more break at once, the two are not the same network."""
MOST_TRIALS: Final = 4
"""Arrays of the reference that are tried in one place."""


class RunsSpentError(Exception):
    """The search has made all the runs that it may make."""


@dataclass
class Runs:
    """Counts the runs of one search.

    Attributes:
        counted: is entered around each run, and may raise.
        most: how many there may be.
        count: how many were made.
    """

    counted: Callable[[], AbstractContextManager[None]] = nullcontext
    most: int = MOST_RUNS
    count: int = 0

    def run(
        self, graph: NetworkGraph, tensor: Array, wanted: Sequence[int], replaced: Mapping[int, Array] | None = None
    ) -> list[Array]:
        """Run a network, see `NetworkGraph.run`. Raises RunsSpentError."""
        self._count()
        with self.counted():
            return graph.run(tensor, wanted, replaced)

    def samples(self, side: SamplesArrays, tensor: Array, step: int) -> list[Array]:
        """Run a network of which some values of each array are read. Raises RunsSpentError."""
        self._count()
        with self.counted():
            return side.samples(tensor, step)

    def _count(self) -> None:
        if self.count >= self.most:
            raise RunsSpentError
        self.count += 1

    def values(self, graph: NetworkGraph, tensor: Array) -> list[Array]:
        """Return the arrays of all nodes."""
        return self.run(graph, tensor, range(len(graph.nodes)))

    def values_with(self, values: Values, tensor: Array, replaced: Mapping[int, Array], own: int) -> list[Array]:
        """Return the arrays of all nodes with another one in a place: what does not follow it is what it was."""
        after = [place for place in range(own + 1, len(values.nodes)) if own in values.before(place)]
        found = [*values.arrays]
        found[own] = replaced[own]
        for place, array in zip(after, self.run(values.graph, tensor, after, replaced), strict=True):
            found[place] = replaced.get(place, array)
        return found


@dataclass(frozen=True)
class Place:
    """Where the export's operator makes something else.

    Attributes:
        own: its place in the candidate's graph.
        right: the place in the reference's graph of the array that belongs there.
        between: the places of the reference that the operator stands for; none where it is one too many.
        off: how far its array is off.
        makes: how far its operator is off, given the reference's own arrays.
        size: the largest value of the right one.
        frontier: the places of the candidate that it is made of, with those of the reference that hold the same.
        is_shown: whether it is known that this array belongs there: what follows is then the reference's, or the
            reference has no other such operator.
        is_ambiguous: whether another layer of the reference makes the same of the same, and may be meant as well.
        is_lacking: whether the operator is right, given what the reference's own takes: what lies between is not there.
    """

    own: int
    right: int
    between: tuple[int, ...]
    off: float
    makes: float
    size: float
    frontier: Mapping[int, int]
    is_shown: bool = False
    is_ambiguous: bool = False
    is_lacking: bool = False

    @property
    def is_one_too_many(self) -> bool:
        """Whether the reference has no such operator, and what it is given belongs in its place."""
        return not self.between


@dataclass(frozen=True)
class Search:
    """What a search found.

    Attributes:
        reference, candidate: the arrays of both.
        places: where the export goes wrong, in the order of computation.
        is_proved: whether with the right arrays in these places the rest of the export returns the reference's map, and
            the first one's operator makes something else of the reference's own arrays.
        others: places after these whose arrays had to be put right as well, and whose operators are right: what differs
            less than is seen grows further on.
        left: how far the map is off with all these arrays in place.
        off: how far it is off without.
        runs: how often a network ran.
        why: why nothing is proved, in words.
        is_of_whole_page: whether the arrays are of every few rows and columns of a whole page, see `sampled_search`.
        whole: of such, the arrays around the place that were read whole, of both sides by their places.
    """

    reference: Values
    candidate: Values
    places: tuple[Place, ...] = ()
    is_proved: bool = False
    others: int = 0
    left: float = 0.0
    off: float = 0.0
    runs: int = 0
    why: str = ""
    is_of_whole_page: bool = False
    whole: tuple[Mapping[int, Array], Mapping[int, Array]] = ({}, {})

    def right(self, place: int) -> Array:
        """Return an array of the reference, whole where it was read so."""
        return self.whole[0].get(place, self.reference.arrays[place])

    def own(self, place: int) -> Array:
        """Return an array of the candidate, whole where it was read so."""
        return self.whole[1].get(place, self.candidate.arrays[place])


@dataclass
class _State:
    """The candidate with what was put right so far.

    Attributes:
        tensor: what both networks are given, (1, 3, h, w).
        limit: how far two maps that are the same may lie apart.
        runs: counts the runs.
        matches: the arrays of both networks.
        places: where the reference's arrays stand in the candidate.
        placed: for each of `places`, these arrays by place of the candidate.
    """

    tensor: Array
    limit: float
    runs: Runs
    matches: Matches
    places: list[Place] = field(default_factory=list)
    placed: list[Mapping[int, Array]] = field(default_factory=list)

    @property
    def replaced(self) -> dict[int, Array]:
        """All arrays of the reference that stand in the candidate."""
        return {own: array for each in self.placed for own, array in each.items()}

    @property
    def is_right_throughout(self) -> bool:
        """Whether with what was put right nothing of the candidate is something else."""
        return all(place in self.replaced for place in self.matches.breaks)

    @property
    def maps(self) -> tuple[Array, Array]:
        """The reference's map, and the candidate's with what was put right."""
        reference, candidate = self.matches.reference, self.matches.candidate
        return reference.arrays[reference.graph.output], candidate.arrays[candidate.graph.output]

    @property
    def left(self) -> float:
        """How far the candidate's map is off with what was put right; infinity where it has another shape."""
        right, own = self.maps
        return distance(right, own) if right.shape == own.shape else float("inf")

    @property
    def is_right(self) -> bool:
        """Whether the candidate's map is the reference's with what was put right."""
        return self.left <= self.limit


def search_layers(
    reference: NetworkGraph, candidate: NetworkGraph, tensor: Array, limit: float, runs: Runs | None = None
) -> Search:
    """Return where an export begins to compute something else than a network.

    Args:
        reference: the network.
        candidate: the export.
        tensor: a (1, 3, h, w) tensor of which both make a map.
        limit: how far two maps that are the same may lie apart.
        runs: counts the runs.
    """
    runs = runs or Runs()
    right = _values_of_reference(reference, tensor, runs)
    own = Values(candidate, runs.values(candidate, tensor))
    state = _State(tensor, limit, runs, Matches(right, own))
    off = state.left
    if state.is_right:
        return Search(right, own, off=off, left=off, runs=runs.count, why=NOT_SHOWN)
    try:
        why = _put_right(state)
        if not why:
            why = _leave_what_matters(state, _made_of_right_arrays(state))
            state.places[0] = replace(state.places[0], is_lacking=_is_lacking(state))
    except RunsSpentError:
        why = f"{runs.most} runs did not suffice"
    places = state.places
    wrong = [place for place in places if place.makes > right.limits[place.right]]
    if not why and places[:1] != wrong[:1]:
        why = "given the reference's own arrays, its operator makes what the reference's makes"
    if not why and not all(place.is_shown for place in places):
        why = "which of the reference's arrays belongs in a place is not known"
    if not why and len(wrong) < len(places) and any(place.is_one_too_many for place in places):
        why = NOT_NEEDED
    if not why and places[0].is_ambiguous:
        why = SAME_OF_SAME
    named = places if why else wrong
    others = len(places) - len(named)
    return Search(right, own, tuple(named), not why, others, state.left, off, runs.count, why)


NOT_SHOWN: Final = "both make the same map of it"
NO_PLACE: Final = "no operator of it makes something else of what both make alike"
NOT_NEEDED: Final = "an operator before it may as well not be there"
SAME_OF_SAME: Final = "another layer makes the same of the same"


def _values_of_reference(reference: NetworkGraph, tensor: Array, runs: Runs) -> Values:
    """Return what a network makes of a tensor, and how far rounding moves each array."""
    arrays = runs.values(reference, tensor)
    signs = np.random.default_rng(0).integers(0, 2, tensor.shape, dtype=np.int8) * 2 - 1
    moved = runs.values(reference, tensor + NUDGE * signs.astype(np.float32))
    return reference_values(reference, arrays, moved)


def _put_right(state: _State) -> str:
    """Put the reference's arrays in place until the rest returns its map; return why that was not reached."""
    for _ in range(MOST_ROUNDS):
        breaks = [place for place in state.matches.breaks if place not in state.replaced]
        if not breaks:
            return NO_PLACE
        if len(breaks) > MOST_BREAKS:
            return f"{len(breaks)} operators make something else at once"
        before = len(state.matches.fine)
        for place in breaks:
            _put_one_right(state, place)
            if state.is_right:
                return ""
        if len(state.matches.fine) <= before:
            right, own = state.maps
            if right.shape != own.shape:
                return f"its map is of shape {own.shape}, and the reference's of {right.shape}"
            return f"with the reference's array in its place, the map is still off by {state.left:.2g}"
    return f"more than {MOST_ROUNDS} operators make something else, one after the other"


def _put_one_right(state: _State, place: int) -> None:
    """Try which of the reference's arrays belongs in a place, or after it; keep the best."""
    matches, first, other = state.matches, None, None
    for pair in pairs_of(matches, place)[:MOST_TRIALS]:
        tried = _with_arrays(state, pair, ())
        follows = [each for each in matches.candidate.consumers.get(pair.own, ()) if each not in matches.fine]
        is_shown = tried.is_right or any(each in tried.matches.fine for each in follows)
        if tried.places[-1].is_one_too_many and not (tried.is_right and tried.is_right_throughout):
            other = _shown(tried) if is_shown and other is None else other  # an operator before it may not be there
            continue
        first = first or tried
        if tried.places[-1].is_shown or is_shown:
            first = _shown(tried)
            rest = () if tried.is_right else _rest_of_layer(tried.matches, pair)
            if rest:
                whole = _with_arrays(state, pair, rest)
                whole.places[-1] = first.places[-1]
                first = whole if whole.left <= first.left else first
            break
    if other is not None and (first is None or _is_enough(other, first)):
        first = other
    if first is not None:  # where two operators break side by side, neither alone shows which array is right
        state.matches, state.placed, state.places = first.matches, first.placed, first.places


def _is_enough(other: _State, first: _State) -> bool:
    """Return whether without an operator too many that is right which another array was put in the place of."""
    is_right = first.places[-1].own in other.matches.equal and len(first.matches.fine) <= len(other.matches.fine)
    return is_right or len(first.matches.fine) < len(other.matches.fine)


def _shown(tried: _State) -> _State:
    """Return it with its last place shown to be right."""
    tried.places[-1] = replace(tried.places[-1], is_shown=True)
    return tried


def _rest_of_layer(matches: Matches, pair: Pair) -> tuple[tuple[int, int], ...]:
    """Return the places after a pair's that are the same operators of its layer, such as the sum with a bias.

    What one of them makes may differ by less than is seen, and grow further on.
    """
    reference, candidate = matches.reference, matches.candidate
    found: list[tuple[int, int]] = []
    own, right = pair.own, pair.right
    while True:
        follows = [
            (each, other)
            for each in candidate.consumers.get(own, ())
            for other in reference.consumers.get(right, ())
            if candidate.nodes[each].inputs == (own,)
            and reference.nodes[other].inputs == (right,)
            and reference.nodes[other].layer == reference.nodes[pair.right].layer
            and kind_of(reference.nodes[other].operator) == kind_of(candidate.nodes[each].operator)
            and reference.arrays[other].shape == candidate.arrays[each].shape
        ]
        if len(follows) != 1:
            return tuple(found)
        found += follows
        own, right = follows[0]


def _with_arrays(state: _State, pair: Pair, rest: Sequence[tuple[int, int]]) -> _State:
    """Return the candidate with the reference's array in the place of a pair, and with those of the `rest` after it."""
    matches = state.matches
    reference, candidate = matches.reference, matches.candidate
    array = reference.arrays[pair.right]
    place = Place(
        own=pair.own,
        right=pair.right,
        between=tuple(sorted(pair.between)),
        off=distance(candidate.arrays[pair.own], array),
        makes=0.0,
        size=largest(array),
        frontier=pair.frontier,
        is_shown=pair.is_certain,
        is_ambiguous=is_ambiguous(matches, pair),
    )
    here = {pair.own: array, **{own: reference.arrays[right] for own, right in rest}}
    arrays = state.runs.values_with(candidate, state.tensor, {**state.replaced, **here}, pair.own)
    made = Matches(reference, Values(candidate.graph, arrays), matches)
    return replace(state, matches=made, places=[*state.places, place], placed=[*state.placed, here])


def _made_of_right_arrays(state: _State) -> list[Array]:
    """Return what the operator of each place makes, given the reference's own arrays, and note how far that is off."""
    arrays = state.matches.reference.arrays
    given = {each: arrays[same] for place in state.places for each, same in place.frontier.items() if each}
    made = state.runs.run(state.matches.candidate.graph, state.tensor, [place.own for place in state.places], given)
    state.places = [
        replace(place, makes=distance(array, arrays[place.right]))
        for place, array in zip(state.places, made, strict=True)
    ]
    return made


def _leave_what_matters(state: _State, made: Sequence[Array]) -> str:
    """Leave out the places before the first that moves the reference's own map; return why the rest is no proof."""
    graph, own, (right, _) = state.matches.reference.graph, state.matches.candidate.graph, state.maps
    count = 0
    while len(state.places) - count > 1 and state.places[count].right:
        replaced = {state.places[count].right: made[count]}
        (moved,) = state.runs.run(graph, state.tensor, [graph.output], replaced)
        if distance(moved, right) > state.limit:
            break
        count += 1
    if not count:
        return ""
    state.places, state.placed = state.places[count:], state.placed[count:]
    (array,) = state.runs.run(own, state.tensor, [own.output], state.replaced)
    return "" if distance(array, right) <= state.limit else "a place before it is off by what alone moves no map"


def _is_lacking(state: _State) -> bool:
    """Return whether the first place's operator makes what the reference's does of what that one takes itself."""
    place, right, graph = state.places[0], state.matches.reference, state.matches.candidate.graph
    own, meant = graph.nodes[place.own], right.nodes[place.right]
    is_comparable = kind_of(own.operator) == kind_of(meant.operator) and len(own.inputs) == len(meant.inputs)
    if len(place.between) < 2 or len(meant.inputs) != 1 or not is_comparable:
        return False
    given = {each: right.arrays[other] for each, other in zip(own.inputs, meant.inputs, strict=True)}
    if any(array.shape != state.matches.candidate.arrays[each].shape for each, array in given.items()):
        return False
    (made,) = state.runs.run(graph, given.pop(0, state.tensor), [place.own], given)
    return distance(made, right.arrays[place.right]) <= right.limits[place.right]
