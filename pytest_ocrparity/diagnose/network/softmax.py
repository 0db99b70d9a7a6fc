"""The experiment with the softmax of a recogniser: an export that lacks it, has it twice, or takes its logarithm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np

from pytest_ocrparity.diagnose.laboratory import Laboratory, are_equal_maps, describe_difference
from pytest_ocrparity.diagnose.network.weights import has_exported_weights
from pytest_ocrparity.diagnosis import Change, Diagnosis, Fix
from pytest_ocrparity.stages import PROBABILITY_MAP
from pytest_ocrparity.trace import Array


class Way(NamedTuple):
    """One thing that is wrong: how it is said, what makes the candidate's map right, and how it is put right."""

    text: str
    right: Callable[[Array], Array]
    fix: str


def _softmax(values: Array) -> Array:
    powers = np.exp(values.astype(np.float64) - values.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), np.float32)


def _without_one(values: Array) -> Array:
    """Return the probabilities whose softmax these are: their sum of 1 says which constant a softmax has lost."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logarithms = np.log(values.astype(np.float64))
        found = logarithms + (1 - logarithms.sum(axis=-1, keepdims=True)) / values.shape[-1]
    return np.asarray(np.nan_to_num(found, nan=-1.0, posinf=-1.0, neginf=-1.0), np.float32)


SAME_SUM: Final = 1e-3
"""How far, of their mean, sums of timesteps lie apart that are one: float32 sums of 18,385 classes were within 1e-5."""

WAYS: Final = (  # a softmax makes probabilities of their logarithms too, which come first for that
    Way(
        "logarithms of probabilities", lambda values: np.exp(values), "take the exponential of what the network returns"
    ),
    Way(
        "logits, without a softmax",
        _softmax,
        "export the network in evaluation mode (PaddleOCR's CTCHead leaves its softmax out while training), or add a "
        "softmax over the classes",
    ),
    Way("the softmax of probabilities", _without_one, "take the second softmax out: PaddleOCR's CTCHead has one"),
)


def _are_multiplied(values: Array) -> bool:
    """Return whether values may be probabilities times a number: none is negative, and each timestep has their sum."""
    sums = values.sum(axis=-1, dtype=np.float64)
    return bool(values.min() >= 0 and np.ptp(sums) <= SAME_SUM * sums.mean())


def by_softmax(lab: Laboratory, candidate_map: Array | None) -> Diagnosis | None:
    """Return a missing, a second or a logarithmic softmax as the cause, where without it the map is the reference's."""
    right = lab.reference.probability_map
    if right is None or candidate_map is None or right.ndim != 3 or candidate_map.shape != right.shape:
        return None
    if not np.all(np.isfinite(candidate_map)):
        return None
    own = lab.patched
    # A softmax of them is one-hot as well where probabilities were multiplied: that all sums are one tells them apart.
    ways = [way for way in WAYS if way.right is not _softmax or not _are_multiplied(candidate_map)]
    for way in ways:
        with np.errstate(over="ignore"):
            made = way.right(candidate_map)
        if not are_equal_maps(lab, made, right):
            continue
        reference, candidate = lab.names
        lab.patched = replace(own, infer=lambda tensor, way=way: way.right(lab.own.infer(tensor)))  # type: ignore[misc]
        proof = (
            f"with that undone, {candidate}'s map is {reference}'s ({describe_difference(made, right)}); the values "
        )
        sums = candidate_map.sum(axis=-1, dtype=np.float64)
        proof += f"of a timestep add up to {float(sums.min()):.4g} to {float(sums.max()):.4g}"
        fix = Fix(way.fix, (Change("export"),) if has_exported_weights(lab) else ())
        return lab.proven_cause(
            PROBABILITY_MAP, "network.softmax", f"{candidate}'s network returns {way.text}", [proof], fix
        )
    lab.tried.append("network.softmax: no missing, second or logarithmic softmax makes this map")
    return None
