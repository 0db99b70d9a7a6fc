"""A table of a network's operators, with how far an export's arrays lie from the trained network's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pytest_ocrparity.diagnose.layers.matching import Matches, Values, distance, largest
from pytest_ocrparity.diagnose.layers.search import Search
from pytest_ocrparity.diagnose.network.structure import kind_of

HEAD = ("layer", "operator", "difference", "", "largest value", "moves by rounding")


def layer_rows(search: Search) -> Iterator[tuple[str, ...]]:
    """Yield a row for each operator of the trained network, in the order of computation.

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
        word = "begins to differ" if place in broken else "same" if place in same else "differs" if own else "not found"
        amounts = (
            "" if off is None else f"{off:.1e}",
            word,
            f"{largest(array):.3g}",
            f"{reference.movements[place]:.1e}",
        )
        yield (node.layer or "(the network itself)", node.operator, *amounts)


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
