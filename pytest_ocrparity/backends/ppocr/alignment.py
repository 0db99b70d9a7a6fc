"""Which stored array of an exported program is which parameter of the trained network.

An export renames and renumbers parameters and leaves out layers that evaluation does not use, but keeps the kind of
each layer and the order in which layers were made. Where names say nothing, as with those that PaddleOCR 2.x gave its
layers, the arrays' content does, and then their shapes in the order in which a network uses them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = "npt.NDArray[Any]"
Named: TypeAlias = "list[tuple[str, Array]]"
Layer: TypeAlias = "dict[str, tuple[str, Array]]"
"""A layer's arrays by part, such as "w_0", each with its full name."""

_NAME = re.compile(r"(?P<kind>.+)_(?P<number>\d+)\.(?P<part>[a-z]+_\d+)(?:_\d+|_deepcopy_\d+)*")


class Alignment(NamedTuple):
    """For each exported array that is a weight the trained one that it is, and whether the names say so."""

    pairs: dict[str, str]
    is_named: bool


def align_parameters(
    exported: Mapping[str, Array], trained: Mapping[str, Array], used: Sequence[str] = ()
) -> list[Alignment]:
    """Return which trained array each exported one may be, both by paddle's parameter names, the nearest first.

    Empty where names do not fit, an array differs, and shapes permit none or several ways. Several are found where
    arrays of one shape have changed places, or are merely stored in another order. An array of one number that a
    program has of its own, as within an activation, is in no pair.

    Args:
        exported: in the order in which the program uses them, as far as that is known.
        trained: all that the network has.
        used: the names of those that an evaluation uses, in that order, as far as that is known.
    """
    # Among what an evaluation uses, each layer of the export has one counterpart, and among all it may have several.
    among = [{name: trained[name] for name in used}, trained]
    numbers = {name for name in used if trained[name].size == 1}

    def is_right(pairs: Mapping[str, str], own: Mapping[str, Array]) -> bool:
        """Tell whether each number that the network uses has one, where numbers were left out."""
        return len(own) == len(exported) or (bool(used) and numbers <= set(pairs.values()))

    named = {name: array for name, array in exported.items() if array.size > 1 or _NAME.fullmatch(name)}
    for own in (exported, named):
        for arrays in among:
            pairs = _align_by_name(own, arrays)
            if pairs is not None and is_right(pairs, own):
                return [Alignment(pairs, is_named=True)]
    known = {name: array for name, array in exported.items() if array.size > 1 or _is_among(array, trained)}
    for own in (exported, known) if len(known) < len(exported) else (exported,):
        ways = _alignments_without_names(own, trained, among)
        if found := [pairs for pairs in ways if pairs is not None and is_right(pairs, own)]:
            kept = [pairs for place, pairs in enumerate(found) if pairs not in found[:place]]
            kept.sort(key=lambda pairs: sum(exported[n].tobytes() != trained[pairs[n]].tobytes() for n in pairs))
            return [Alignment(pairs, is_named=False) for pairs in kept]
    return []


def _alignments_without_names(
    exported: Mapping[str, Array], trained: Mapping[str, Array], among: Sequence[Mapping[str, Array]]
) -> Iterator[dict[str, str] | None]:
    """Yield the ways in which arrays may be paired by their order alone, and by content as far as it tells."""
    yield _align_by_place(exported, among[0])
    by_content = _align_by_content(exported, trained)
    yield by_content
    if by_content is None:
        ways = (_align_by_order(list(exported.items()), list(arrays.items())) for arrays in among)
        in_order = next((pairs for pairs in ways if pairs is not None), None)
        yield in_order if in_order is not None else _align_the_rest(exported, among[0])


def _align_by_name(exported: Mapping[str, Array], trained: Mapping[str, Array]) -> dict[str, str] | None:
    """Pair layers of one kind in the order of their numbers; of several ways, that with most arrays of equal bytes."""
    found: dict[str, str] = {}
    stored, known = _layers_by_kind(exported), _layers_by_kind(trained)
    if stored is None or known is None:
        return None
    for kind, layers in stored.items():
        chosen = _fitting_layers(layers, known.get(kind, []))
        if chosen is None:
            return None
        for layer, counterpart in zip(layers, chosen, strict=True):
            found |= {name: counterpart[part][0] for part, (name, _) in layer.items()}
    return found


def _align_by_content(exported: Mapping[str, Array], trained: Mapping[str, Array]) -> dict[str, str] | None:
    """Pair arrays of equal bytes; None where one has no partner. Which of two equal ones it is makes no difference."""
    left: dict[Any, list[str]] = {}
    for name, array in trained.items():
        left.setdefault(_array_key(array), []).append(name)
    found = {}
    for name, array in exported.items():
        partners = left.get(_array_key(array))
        if not partners:
            return None
        found[name] = partners.pop(0)
    return found


def _align_by_place(exported: Mapping[str, Array], used: Mapping[str, Array]) -> dict[str, str] | None:
    """Pair as many arrays of the same shapes in the same order; None where that is not what there is."""
    if [_shape(each) for each in exported.values()] != [_shape(each) for each in used.values()]:
        return None
    return dict(zip(exported, used, strict=True))


def _align_the_rest(exported: Mapping[str, Array], used: Mapping[str, Array]) -> dict[str, str] | None:
    """Pair arrays in whatever order: by bytes that occur once on each side, and what is left over by its shape.

    None where several of one shape are left over, or one that has no partner.
    """
    rows, known = list(exported.items()), list(used.items())
    found = {rows[own][0]: known[right][0] for own, right in _unique_pairs(rows, known)}
    left: dict[tuple[int, ...], list[str]] = {}
    for name in used.keys() - set(found.values()):
        left.setdefault(_shape(used[name]), []).append(name)
    for name in exported.keys() - found.keys():
        partners = left.get(_shape(exported[name]), [])
        if len(partners) != 1:
            return None
        found[name] = partners.pop()
    return found


def _align_by_order(exported: Named, trained: Named) -> dict[str, str] | None:
    """Pair arrays by shape, in order, around those whose bytes occur once on each side; None where several ways fit."""
    anchors = [(-1, -1), *_unique_pairs(exported, trained), (len(exported), len(trained))]
    found: dict[str, str] = {}
    for (start, first), (end, last) in pairwise(anchors):
        if last <= first:
            return None  # the orders are not the same
        chosen = _only_way(exported[start + 1 : end], trained[first + 1 : last])
        if chosen is None:
            return None
        found |= chosen
        if end < len(exported):
            found[exported[end][0]] = trained[last][0]
    return found


def _unique_pairs(exported: Named, trained: Named) -> list[tuple[int, int]]:
    """Return the places of the arrays that only one array of each side can be; constants may be equal by chance."""
    places: list[dict[Any, list[int]]] = [{}, {}]
    for place, arrays in zip(places, (exported, trained), strict=True):
        for index, (_, array) in enumerate(arrays):
            if array.size and np.any(array != array.flat[0]):
                place.setdefault(_array_key(array), []).append(index)
    both = [(exported_at, places[1].get(key, [])) for key, exported_at in places[0].items()]
    only = [pair for pair in both if len(pair[0]) == len(pair[1]) == 1]
    return sorted((exported_at[0], trained_at[0]) for exported_at, trained_at in only)


def _only_way(exported: Named, trained: Named) -> dict[str, str] | None:
    """Choose as many of `trained`, in order, as there are exported, of equal shapes; None unless one way does."""
    ways = [1] * (len(trained) + 1)
    for _, array in exported:
        row = [0]
        for index, (_, other) in enumerate(trained):
            row.append(min(2, row[-1] + (ways[index] if _shape(array) == _shape(other) else 0)))
        ways = row
    if ways[-1] != 1:
        return None
    rest = iter(trained)
    return {name: next(key for key, other in rest if _shape(other) == _shape(array)) for name, array in exported}


def _array_key(array: Array) -> tuple[Any, ...]:
    return _shape(array), str(array.dtype), hashlib.sha256(array.tobytes()).digest()


def _shape(array: Array) -> tuple[int, ...]:
    """Return an array's shape without sides of 1, which programs add to a bias and leave out."""
    return tuple(side for side in array.shape if side != 1)


def _is_among(array: Array, trained: Mapping[str, Array]) -> bool:
    return any(other.size == array.size and other.tobytes() == array.tobytes() for other in trained.values())


def same_bytes(exported: Array, trained: Array) -> bool:
    """Return whether two arrays are equal bit for bit."""
    is_same_type = exported.shape == trained.shape and exported.dtype == trained.dtype
    return is_same_type and exported.tobytes() == trained.tobytes()


def _layers_by_kind(arrays: Mapping[str, Array]) -> dict[str, list[Layer]] | None:
    found: dict[str, dict[int, Layer]] = {}
    for name, array in arrays.items():
        match = _NAME.fullmatch(name)
        if match is None:
            return None
        layer = found.setdefault(match["kind"], {}).setdefault(int(match["number"]), {})
        layer[match["part"]] = (name, array)
    return {kind: [layers[number] for number in sorted(layers)] for kind, layers in found.items()}


def _fitting_layers(layers: Sequence[Layer], among: Sequence[Layer]) -> list[Layer] | None:
    """Choose as many of `among`, in order, as there are layers: shapes fit and most arrays are equal."""
    best: list[list[tuple[int, int] | None]] = [[(0, -1)] * (len(among) + 1)]
    for layer in layers:
        row: list[tuple[int, int] | None] = [None]
        for index, other in enumerate(among):
            before, taken = best[-1][index], row[-1]
            score = _count_equal_arrays(layer, other)
            if before is not None and score is not None:
                reached = before[0] + score
                row.append((reached, index) if taken is None or reached > taken[0] else taken)
            else:
                row.append(taken)
        best.append(row)
    chosen: list[Layer] = []
    end = len(among)
    for row in reversed(best[1:]):
        step = row[end]
        if step is None:
            return None
        end = step[1]
        chosen.append(among[end])
    return chosen[::-1]


def _count_equal_arrays(layer: Layer, other: Layer) -> int | None:
    """Return how many arrays are equal, or None where a part is missing or of another shape."""
    if not layer.keys() <= other.keys() or any(
        array.shape != other[part][1].shape for part, (_, array) in layer.items()
    ):
        return None
    return sum(same_bytes(array, other[part][1]) for part, (_, array) in layer.items())
