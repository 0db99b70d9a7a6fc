"""A table of a network's operators, with how far an export's arrays lie from the trained network's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from pytest_ocrparity.diagnose.layers.matching import Matches, Values, distance, largest
from pytest_ocrparity.diagnose.layers.search import Search
from pytest_ocrparity.diagnose.network.structure import kind_of
from pytest_ocrparity.diagnosis import LayerStep

HEAD = ("layer", "operator", "difference", "", "largest value", "moves by rounding")
BEGINS: Final = "begins to differ"
BEFORE, AFTER = 3, 5
"""How many operators before the place where an export goes wrong, and after it, a report shows."""


def layer_rows(search: Search) -> Iterator[tuple[str, ...]]:
    """Yield a row of text for each operator of the trained network, see `layer_steps`."""
    for step in layer_steps(search):
        off = "" if step.difference is None else f"{step.difference:.1e}"
        moves = "" if step.movement is None else f"{step.movement:.1e}"
        amounts = off, step.status, f"{step.largest:.3g}", moves
        yield (step.layer or "(the network itself)", step.operator, *amounts)


def steps_around(search: Search) -> tuple[LayerStep, ...]:
    """Return the steps around the first place where the export goes wrong."""
    steps, place = list(layer_steps(search)), search.places[0]
    if place.is_one_too_many:
        operator = f"{search.candidate.nodes[place.own].operator}, in the export alone"
        layer = search.reference.nodes[place.right].layer or ""
        movement = search.reference.movements[place.right]
        step = LayerStep(
            layer=layer, operator=operator, status=BEGINS, difference=place.off, largest=place.size, movement=movement
        )
        steps.insert(place.right, step)
    index = next(index for index, step in enumerate(steps) if step.status == BEGINS)
    return tuple(steps[max(0, index - BEFORE) : index + AFTER + 1])


def layer_steps(search: Search) -> Iterator[LayerStep]:
    """Yield a step for each operator of the trained network, in the order of computation.

    A difference is that of the export's array that holds the same, marked "same"; else of the array of the same
    operator and shape in that order, where both sides have as many of them. Where there is neither, the export may hold
    several operators as one. The places where it breaks are marked as such.
    """
    reference, candidate = search.reference, search.candidate
    matches = Matches(reference, candidate)
    same: dict[int, list[int]] = {}
    for place, many in matches.equal.items():
        for each in many:
            same.setdefault(each, []).append(place)
    others = _in_order(reference, candidate, set(same), set(matches.equal))
    broken = {place.right: place.own for place in search.places if not place.is_one_too_many}
    for place, (node, array) in enumerate(zip(reference.nodes, reference.arrays, strict=True)):
        if place == 0:
            continue
        own = [broken[place]] if place in broken else same.get(place, [others[place]] if place in others else [])
        off = min((distance(candidate.arrays[each], array) for each in own), default=None)
        yield LayerStep(
            layer=node.layer or "",
            operator=node.operator,
            status=BEGINS if place in broken else "same" if place in same else "differs" if own else "not found",
            difference=off,
            largest=largest(array),
            movement=reference.movements[place] if reference.movements else None,
        )


def _in_order(reference: Values, candidate: Values, known: set[int], own_known: set[int]) -> Mapping[int, int]:
    """Pair the places that hold nothing alike: those of one operator and shape in order, where there are as many."""
    right, own = _by_kind(reference, known), _by_kind(candidate, own_known)
    return {
        each: other
        for kind, places in right.items()
        if len(places) == len(own.get(kind, ()))
        for each, other in zip(places, own[kind], strict=True)
    }


def _by_kind(values: Values, known: Iterable[int]) -> dict[tuple[str, tuple[int, ...]], list[int]]:
    found: dict[tuple[str, tuple[int, ...]], list[int]] = {}
    for place, (node, array) in enumerate(zip(values.nodes, values.arrays, strict=True)):
        if place not in known:
            found.setdefault((kind_of(node.operator), array.shape), []).append(place)
    return found
