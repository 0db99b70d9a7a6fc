"""The export's stored weights beside the checkpoint's: which are equal, and what is wrong with those that are not.

Compares arrays; runs no network, and so shows nothing by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["SHOWN", "StoredWeights", "kind_of", "listed"]

Array: TypeAlias = "npt.NDArray[Any]"

SHOWN: Final = 4
"""How many parameters a message names."""


@dataclass
class StoredWeights:
    """The export's arrays beside those of the trained network that they are, or of its fused copy."""

    exported: Mapping[str, Array]
    network: Any
    is_fused: bool
    unfused: frozenset[str]
    """The checkpoint's keys before fusing."""
    pairs: Mapping[str, str] | None
    """By exported name, the trained one; None where that is not known."""
    is_named: bool = True
    """Whether their names tell the pairs, and not only shapes and order."""

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

    def key(self, name: str) -> str:
        """Return how the checkpoint calls an exported array."""
        keys: Mapping[str, str] = self.network.keys()
        return keys[(self.pairs or {})[name]] if self.pairs and name in self.pairs else name


def kind_of(found: StoredWeights, two: str) -> tuple[str, str]:
    """Return what is wrong with weights that differ: the most specific cause of which every array is an example."""
    total, differing = len(found.exported), found.differing
    if any(not np.all(np.isfinite(found.exported[name])) for name in differing):
        return "network.not_finite", f"{two} stores weights that are NaN or infinite"
    pairs = [(found.exported[name], found.trained[(found.pairs or {})[name]]) for name in differing]
    if all(np.array_equal(e, t.astype(np.float16).astype(t.dtype)) for e, t in pairs):
        return "precision.fp16", f"{two} stores weights rounded to half precision"
    if all(_is_eight_bits(e, t) for e, t in pairs):
        return "precision.int8", f"{two} stores weights rounded to 8 bits"
    if _is_untrained(found):
        told = f"{two} was exported without loading the checkpoint: its batch norm is as initialised"
        return "network.weights.not_loaded", told
    if found.is_fused and all(found.key(name) not in found.unfused for name in differing):
        return "network.fusion", f"branches of {two} were fused wrongly"
    if _are_whole_layers(found) and all(_are_unrelated(exported, trained) for exported, trained in pairs):
        told = f"{len(differing)} of {two}'s {total} weights have nothing of the checkpoint's"
        return "network.weights.partly_loaded", told
    return "network.weights", f"{len(differing)} of {two}'s {total} weights are not the checkpoint's"


def _are_whole_layers(found: StoredWeights) -> bool:
    """Tell whether some layers differ in all their arrays and the others in none, as skipped keys leave them."""
    differing = {found.key(name).rpartition(".")[0] for name in found.differing}
    equal = {found.key(name).rpartition(".")[0] for name in found.exported if name not in found.differing}
    return bool(equal) and not differing & equal


def _are_unrelated(exported: Array, trained: Array) -> bool:
    """Tell whether an array may be of fresh initialisation: a constant vector, or not correlated with the checkpoint's.

    One that was rounded, scaled or trained on correlates with it; one that was turned holds the same values.
    """
    if np.ptp(exported) == 0:
        return exported.ndim == 1
    if exported.size < 16 or np.ptp(trained) == 0 or np.array_equal(np.sort(exported, None), np.sort(trained, None)):
        return False
    return bool(abs(np.corrcoef(exported.ravel(), trained.ravel())[0, 1]) < 0.5)


def _is_eight_bits(exported: Array, trained: Array) -> bool:
    """Tell whether an array is another one rounded to 255 steps, per tensor or per channel of either leading axis."""
    if trained.ndim < 2:
        return False
    for axes in (None, tuple(range(1, trained.ndim)), (0, *range(2, trained.ndim))):
        step = np.max(np.abs(trained), axis=axes, keepdims=True) / 127
        steps = exported / np.maximum(step, 1e-12)
        # Within 0.1 % of whole steps, and of the right one: rounding to float32 leaves 1e-5.
        if np.max(np.abs(steps - np.round(steps))) < 1e-3 and np.all(
            np.abs(exported - trained) <= 0.502 * step + 1e-12
        ):
            return True
    return False


def _is_untrained(found: StoredWeights) -> bool:
    """Tell whether nothing was trained: each batch-norm mean is 0 and variance 1, and no kernel is the checkpoint's."""
    kernels = [name for name, array in found.exported.items() if array.ndim >= 2]
    if any(name not in found.differing for name in kernels):
        return False
    keys = {name: found.key(name) for name in found.exported}
    means = [found.exported[name] for name, key in keys.items() if key.endswith("_mean")]
    variances = [found.exported[name] for name, key in keys.items() if key.endswith("_variance")]
    return (
        bool(means) and all(not array.any() for array in means) and all(bool((array == 1).all()) for array in variances)
    )


def listed(found: StoredWeights) -> str:
    """Return the parameters that differ, as the checkpoint calls them."""
    names = [found.key(name) for name in found.differing]
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
