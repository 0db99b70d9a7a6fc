"""The export's stored weights beside the trained ones: which differ, and what cause fits all of these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from pytest_ocrparity.contract import TrainedNetwork
from pytest_ocrparity.diagnose.budget import BudgetSpentError
from pytest_ocrparity.diagnose.network.fusing import Check, branch_left_out
from pytest_ocrparity.diagnose.network.grids import Grid, grid_of
from pytest_ocrparity.trace import Array
from pytest_ocrparity.wording import listed

SHOWN: Final = 4
"""How many parameters a message names."""


@dataclass
class StoredWeights:
    """The export's arrays paired with those of the trained network, or of its fused copy."""

    exported: Mapping[str, Array]
    network: TrainedNetwork
    original: TrainedNetwork | None
    """Where the network is a fused copy, the one before it was fused."""
    pairs: Mapping[str, str] | None
    """The trained name by exported name; None where the arrays could not be paired."""
    is_named: bool = True
    """Whether the pairs were found by names, and not only by shapes and order."""
    types: str = ""
    """How many arrays are stored in another type than trained ones, as a text."""

    @cached_property
    def trained(self) -> Mapping[str, Array]:
        """The trained network's arrays, by paddle's parameter names."""
        arrays: Mapping[str, Array] = self.network.arrays()
        return arrays

    @cached_property
    def differing(self) -> list[str]:
        """The exported arrays that are not the trained ones bit for bit."""
        pairs = self.pairs or {}
        return [
            n
            for n, array in self.exported.items()
            if n not in pairs or array.tobytes() != self.trained[pairs[n]].tobytes()
        ]

    @cached_property
    def missing(self) -> list[str]:
        """The keys of what an evaluation uses, as far as that is known, and no stored array is."""
        paired, keys = set((self.pairs or {}).values()), self.network.keys()
        return [keys[name] for name in self.network.used if name not in paired]

    @cached_property
    def elsewhere(self) -> dict[str, str]:
        """By the key of an array that differs, that of the checkpoint's array which is stored there."""
        keys = self.network.keys()
        known = {(array.shape, array.tobytes()): keys[name] for name, array in self.trained.items() if np.ptp(array)}
        stored = {self.key(name): self.exported[name] for name in self.differing}
        places = {key: known.get((array.shape, array.tobytes())) for key, array in stored.items()}
        return {key: place for key, place in places.items() if place is not None}

    @cached_property
    def other_part(self) -> tuple[str, str] | None:
        """The part of the network in which all that differs lies, and that whose arrays are stored there."""
        moves = {_without_common_end(*each) for each in self.elsewhere.items()}
        if len(moves) != 1 or len(self.differing) == 1:
            return None
        ((own, other),) = moves
        arrays = {key: self.trained[name] for name, key in self.network.keys().items()}
        for name in self.differing:
            key = self.key(name)
            stands = arrays.get(f"{other}{key.removeprefix(own)}") if key.startswith(f"{own}.") else None
            if stands is None or stands.tobytes() != self.exported[name].tobytes():
                return None
        return own, other

    @property
    def are_all_elsewhere(self) -> bool:
        """Whether each array that differs is the checkpoint's of another place; constant ones say nothing."""
        varied = {self.key(name) for name in self.differing if np.ptp(self.exported[name])}
        return bool(varied) and varied <= self.elsewhere.keys()

    @cached_property
    def rounded(self) -> tuple[Grid | None, list[str]]:
        """The grid that some of the arrays which differ lie on, and these arrays."""
        pairs = self.pairs or {}
        near = {name: (self.exported[name], self.trained[pairs[name]]) for name in self.differing if name in pairs}
        finite = {name: pair for name, pair in near.items() if np.all(np.isfinite(pair))}
        on_grid = [name for name, pair in finite.items() if grid_of([pair]) is not None]
        return grid_of([near[name] for name in on_grid]), on_grid

    def key(self, name: str) -> str:
        """Return the checkpoint's key of an exported array."""
        keys: Mapping[str, str] = self.network.keys()
        return keys[(self.pairs or {})[name]] if self.pairs and name in self.pairs else name


def cause_of_differing_weights(found: StoredWeights, candidate: str, check: Check) -> tuple[str, str]:
    """Return the most specific cause that fits every array that differs, and its summary.

    Where `check` raises BudgetSpentError, no further branch is left out of what was fused.
    """
    total, differing = len(found.exported), found.differing
    if any(not np.all(np.isfinite(found.exported[name])) for name in differing):
        return "network.not_finite", f"{candidate} stores weights that are NaN or infinite"
    known = found.pairs or {}
    pairs = [(found.exported[name], found.trained[known[name]]) for name in differing if name in known]
    if len(pairs) == len(differing) and (grid := grid_of(pairs)) is not None:
        return grid.cause, f"{candidate} stores weights rounded to {grid.text}"
    if _is_untrained(found):
        summary = f"{candidate} was exported without loading the checkpoint: its batch norm is as initialised"
        return "network.weights.not_loaded", summary
    if (part := found.other_part) is not None:
        own, other = part
        summary = f"{len(differing)} of {candidate}'s {total} weights are the checkpoint's of {other}"
        return "network.weights", f"{summary}, where the trained network uses those of {own}"
    if found.original is not None and not {*map(found.key, differing)} & {*found.original.keys().values()}:
        return _cause_of_fusing(found, found.original, candidate, check)
    are_unrelated = all(_are_unrelated(exported, trained) for exported, trained in pairs)
    if are_unrelated and _are_whole_layers(found) and not found.elsewhere:
        summary = f"{len(differing)} of {candidate}'s {total} weights have nothing of the checkpoint's"
        return "network.weights.partly_loaded", summary
    if found.are_all_elsewhere:
        summary = f"{len(differing)} of {candidate}'s {total} weights are the checkpoint's of other layers"
        return "network.weights", summary
    return "network.weights", f"{len(differing)} of {candidate}'s {total} weights are not the checkpoint's"


def describe_stored_weights(found: StoredWeights) -> list[str]:
    """Return in words which of the stored arrays differ, and what they are instead as far as that is known."""
    total, differing, (grid, rounded) = len(found.exported), found.differing, found.rounded
    same = f"{total - len(differing)} of {total} stored arrays are the checkpoint's exactly"
    in_place = " in their places" if found.elsewhere else ""
    keys = [found.key(name) for name in sorted(differing, key=lambda name: name in set(rounded))]
    texts = [f"{same}{in_place}{found.types}; not: {listed(keys, SHOWN)}"]
    if grid is not None and len(rounded) < len(differing):
        texts.append(f"{len(rounded)} of those are the checkpoint's, rounded to {grid.text}; the others are not")
    if found.elsewhere and found.other_part is None:
        moved = [f"{key} holds {other}" for key, other in found.elsewhere.items()]
        texts.append(f"the checkpoint's of another place: {listed(moved, SHOWN)}")
    return texts


def _are_whole_layers(found: StoredWeights) -> bool:
    """Return whether some layers differ in all their arrays and the others in none, as where keys were skipped."""
    differing = {found.key(name).rpartition(".")[0] for name in found.differing}
    equal = {found.key(name).rpartition(".")[0] for name in found.exported if name not in found.differing}
    return bool(equal) and not differing & equal


def _cause_of_fusing(found: StoredWeights, original: TrainedNetwork, candidate: str, check: Check) -> tuple[str, str]:
    """Return the cause where only what fusing makes differs: another checkpoint's branches do that as well."""
    own = {found.key(name): found.exported[name] for name in found.differing}
    try:
        branch = branch_left_out(original, own, check)
    except BudgetSpentError:
        branch = None
    if branch is not None:
        return "network.fusion", f"branches of {candidate} were fused without {branch}"
    text = f"{len(own)} of {candidate}'s weights that fusing makes are not those of the checkpoint's fused copy"
    return "network.weights", f"{text}: fused otherwise, or from another checkpoint"


def _are_unrelated(exported: Array, trained: Array) -> bool:
    """Return whether an array may be freshly initialised: a constant vector, or not correlated with the checkpoint's.

    An array that was rounded, scaled or trained further correlates with it. A transposed one holds the same values, or
    all of them times a factor.
    """
    if np.ptp(exported) == 0:
        return exported.ndim == 1
    if exported.size < 16 or np.ptp(trained) == 0 or _hold_the_same(exported, trained):
        return False
    turned = [exported, exported[:, ::-1]] if exported.ndim > 1 else [exported]  # colours may be in the other order
    # Of a kernel, one channel may hold nearly all of the variance, or each may be scaled by itself.
    axes = [each for each in range(min(exported.ndim, 2)) if exported.size >= FEWEST * exported.shape[each]]
    ways = [(own.reshape(1, -1), trained.reshape(1, -1)) for own in turned]
    ways += [(_by_channel(own, axis), _by_channel(trained, axis)) for own in turned for axis in axes]
    return all(_correlation(one, other) < 0.5 for one, other in ways)


def _by_channel(array: Array, axis: int) -> Array:
    return np.moveaxis(array, axis, 0).reshape(array.shape[axis], -1)


def _hold_the_same(exported: Array, trained: Array) -> bool:
    """Return whether two arrays hold the same values in any order, up to one factor."""
    one, other = (np.sort(each / np.linalg.norm(each), None) for each in (exported, trained))
    most = 1e-3 * np.max(np.abs(other))
    return any(np.max(np.abs(one - each)) <= most for each in (other, -other[::-1]))


FEWEST: Final = 4
"""Values of a channel, below which it correlates by chance."""


def _correlation(one: Array, other: Array) -> float:
    """Return the mean correlation of the rows of two arrays that vary, without its sign; 0 where there is none."""
    rows = [each - each.mean(axis=1, keepdims=True) for each in (one.astype(np.float64), other.astype(np.float64))]
    lengths = np.prod([np.linalg.norm(each, axis=1) for each in rows], axis=0)
    varies = lengths > 0
    return abs(float(np.mean(np.sum(rows[0] * rows[1], axis=1)[varies] / lengths[varies]))) if varies.any() else 0.0


def _is_untrained(found: StoredWeights) -> bool:
    """Return whether nothing was trained: batch-norm means are 0, variances 1, and no kernel is the checkpoint's."""
    kernels = [name for name, array in found.exported.items() if array.ndim >= 2]
    if any(name not in found.differing for name in kernels):
        return False
    keys = {name: found.key(name) for name in found.exported}
    means = [found.exported[name] for name, key in keys.items() if key.endswith("_mean")]
    variances = [found.exported[name] for name, key in keys.items() if key.endswith("_variance")]
    return (
        bool(means) and all(not array.any() for array in means) and all(bool((array == 1).all()) for array in variances)
    )


def _without_common_end(key: str, other: str) -> tuple[str, str]:
    """Return two keys without the last parts that they share."""
    own, others = key.split("."), other.split(".")
    while len(own) > 1 and len(others) > 1 and own[-1] == others[-1]:
        del own[-1], others[-1]
    return ".".join(own), ".".join(others)
