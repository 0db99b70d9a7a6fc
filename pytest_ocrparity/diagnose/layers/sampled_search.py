"""Finds the first layer that differs on a whole page in four runs, where no part of it shows what differs.

Two runs read some values of each array, which show where the export breaks. The arrays around that place are read whole
in the third; and the fourth puts them into the export.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pytest_ocrparity.contract import NetworkGraph, offered
from pytest_ocrparity.contract.network_graph import SamplesArrays
from pytest_ocrparity.diagnose.layers.matching import Matches, Values, distance, largest
from pytest_ocrparity.diagnose.layers.pairing import Pair, is_ambiguous, pairs_of
from pytest_ocrparity.diagnose.layers.search import (
    NO_PLACE,
    NOT_NEEDED,
    NOT_SHOWN,
    SAME_OF_SAME,
    Place,
    Runs,
    Search,
)
from pytest_ocrparity.diagnose.network.structure import kind_of
from pytest_ocrparity.trace import Array


def search_whole_page(
    reference: NetworkGraph,
    candidate: NetworkGraph,
    tensor: Array,
    step: int,
    shares: Sequence[float],
    limit: float,
    runs: Runs,
) -> Search | None:
    """Return where an export begins to compute something else on a whole page; None where samples can't be taken.

    Args:
        reference: the network.
        candidate: the export.
        tensor: that of the whole page.
        step: of how many rows and columns one is read.
        shares: by place of the reference, how far an array that holds the same may lie from it, of its largest value.
        limit: how far two maps that are the same may lie apart.
        runs: counts the runs, four at most.
    """
    offers = [offered(graph, SamplesArrays) for graph in (reference, candidate)]
    sides = [side for side in offers if side is not None]
    if len(sides) < len(offers):
        return None
    arrays = [runs.samples(side, tensor, step) for side in sides]
    limits = [share * largest(array) for share, array in zip(shares, arrays[0], strict=True)]
    right, own = Values(reference, arrays[0], limits), Values(candidate, arrays[1])
    off = distance(right.arrays[reference.output], own.arrays[candidate.output])
    found = Search(right, own, off=off, left=off, runs=runs.count, is_of_whole_page=True, why=NOT_SHOWN)
    if off <= limit:
        return found
    matches = Matches(right, own)
    pairs = pairs_of(matches, matches.breaks[0]) if matches.breaks else []
    if not pairs:
        return replace(found, why=NO_PLACE)
    found = _tried(found, pairs[0], tensor, limit, runs)
    why = found.why
    if not why and is_ambiguous(matches, pairs[0]):
        why = SAME_OF_SAME
    if not why and not pairs[0].between and not _is_one_too_many(matches, pairs):
        why = NOT_NEEDED
    return replace(found, is_proved=not why, why=why)


def _is_one_too_many(matches: Matches, pairs: Sequence[Pair]) -> bool:
    """Return whether no other array may belong in the place of the first pair, and no operator breaks beside it.

    With all arrays of the rest of the export that would be seen; here they are not read.
    """
    own = pairs[0].own
    within = matches.candidate.sources(own, matches.equal)[0]
    return within.issuperset(matches.breaks) and not any(pair.own == own and pair.between for pair in pairs)


def _tried(found: Search, pair: Pair, tensor: Array, limit: float, runs: Runs) -> Search:
    """Return what a search found, with the arrays around one place read whole and put into the export."""
    reference, candidate = found.reference, found.candidate
    right, own = reference.nodes[pair.right], candidate.nodes[pair.own]
    # What the export's operator makes of what the reference's own takes tells whether one before it is not there.
    is_alike = (
        kind_of(right.operator) == kind_of(own.operator)
        and len(right.inputs) == len(own.inputs)
        and all(candidate.consumers[each] == [pair.own] for each in own.inputs)
    )
    given = dict(zip(own.inputs, right.inputs, strict=True)) if is_alike and pair.between else dict(pair.frontier)
    wanted = list(dict.fromkeys([pair.right, reference.graph.output, *given.values()]))
    arrays = dict(zip(wanted, runs.run(reference.graph, tensor, wanted), strict=True))
    replaced = {each: arrays[same] for each, same in given.items()} | {pair.own: arrays[pair.right]}
    known = [each for each in pair.frontier if given.get(each) == pair.frontier[each]]
    own_arrays = runs.run(
        candidate.graph, replaced.pop(0, tensor), [pair.own, candidate.graph.output, *known], replaced
    )
    made, output, *before = own_arrays
    if pair.own == candidate.graph.output:
        output = arrays[pair.right]
    if made.shape != arrays[pair.right].shape:
        return replace(found, why=NO_PLACE, runs=runs.count)
    makes, left = distance(made, arrays[pair.right]), distance(output, arrays[reference.graph.output])
    is_right = makes <= reference.limits[pair.right] / largest(reference.arrays[pair.right]) * largest(made)
    is_lacking = is_alike and is_right and len(pair.between) > 1
    place = Place(
        own=pair.own,
        right=pair.right,
        between=tuple(sorted(pair.between)),
        off=distance(candidate.arrays[pair.own], reference.arrays[pair.right]),
        makes=0.0 if is_lacking else makes,
        size=largest(arrays[pair.right]),
        frontier=pair.frontier,
        is_shown=True,
        is_lacking=is_lacking,
    )
    why = "" if left <= limit else f"with the reference's array there the map is still off by {left:.2g}"
    if not why and is_right and not is_lacking:
        why = "given the reference's own arrays, its operator makes what the reference's makes"
    whole = arrays, {pair.own: made, **dict(zip(known, before, strict=True))}
    return replace(found, places=(place,), left=left, runs=runs.count, why=why, whole=whole)
