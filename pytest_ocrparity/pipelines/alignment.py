"""Which stored array of an exported program is which parameter of the trained network.

An export renames and renumbers parameters and leaves out layers that evaluation does not use, but keeps the kind of
each layer and the order in which layers were made.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy.typing as npt

__all__ = ["align", "same_bytes"]

Array: TypeAlias = "npt.NDArray[Any]"
Layer: TypeAlias = "dict[str, tuple[str, Array]]"
"""A layer's arrays by part, such as "w_0", each with its full name."""

_NAME = re.compile(r"(?P<kind>.+)_(?P<number>\d+)\.(?P<part>[a-z]+_\d+)(?:_\d+|_deepcopy_\d+)*")


def align(exported: Mapping[str, Array], trained: Mapping[str, Array]) -> dict[str, str] | None:
    """Return for each exported array the trained one that it is, both by paddle's parameter names.

    None where some layer has no counterpart of its kind and shapes. Of several ways to align, the one with most
    arrays of equal bytes is taken.
    """
    found: dict[str, str] = {}
    theirs, ours = _layers(exported), _layers(trained)
    if theirs is None or ours is None:
        return None
    for kind, layers in theirs.items():
        chosen = _subsequence(layers, ours.get(kind, []))
        if chosen is None:
            return None
        for layer, counterpart in zip(layers, chosen, strict=True):
            found |= {name: counterpart[part][0] for part, (name, _) in layer.items()}
    return found


def same_bytes(one: Array, two: Array) -> bool:
    """Tell whether two arrays are equal bit for bit."""
    return one.shape == two.shape and one.dtype == two.dtype and one.tobytes() == two.tobytes()


def _layers(arrays: Mapping[str, Array]) -> dict[str, list[Layer]] | None:
    found: dict[str, dict[int, Layer]] = {}
    for name, array in arrays.items():
        match = _NAME.fullmatch(name)
        if match is None:
            return None
        layer = found.setdefault(match["kind"], {}).setdefault(int(match["number"]), {})
        layer[match["part"]] = (name, array)
    return {kind: [layers[number] for number in sorted(layers)] for kind, layers in found.items()}


def _subsequence(layers: Sequence[Layer], among: Sequence[Layer]) -> list[Layer] | None:
    """Choose as many of `among`, in order, as there are layers: shapes fit and most arrays are equal."""
    best: list[list[tuple[int, int] | None]] = [[(0, -1)] * (len(among) + 1)]
    for layer in layers:
        row: list[tuple[int, int] | None] = [None]
        for index, other in enumerate(among):
            before, taken = best[-1][index], row[-1]
            score = _score(layer, other)
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


def _score(layer: Layer, other: Layer) -> int | None:
    """Return how many arrays are equal, or None where a part is missing or of another shape."""
    if not layer.keys() <= other.keys() or any(
        array.shape != other[part][1].shape for part, (_, array) in layer.items()
    ):
        return None
    return sum(same_bytes(array, other[part][1]) for part, (_, array) in layer.items())
