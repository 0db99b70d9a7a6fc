"""Experiments with the map of a line: its timesteps or classes in other places, or a head of other classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final, TypeAlias

import numpy as np

from pytest_ocrparity.compare.sensitivity import map_sensitivity, sensitivity_limit
from pytest_ocrparity.diagnose.laboratory import Laboratory, are_equal_maps, describe_difference
from pytest_ocrparity.diagnose.network.map_change import Family, MapChange
from pytest_ocrparity.diagnose.network.weights import has_exported_weights, weights_export_command
from pytest_ocrparity.diagnosis import Change, Diagnosis, Fix
from pytest_ocrparity.stages import PROBABILITY_MAP
from pytest_ocrparity.trace import Array

Run: TypeAlias = Callable[[Array], Array]

SHARE: Final = 0.1
"""How much of the largest difference may be left."""
REACH: Final = 4
"""By how many timesteps, or classes, a map may be rotated."""

FIX: Final = (
    "hand {candidate}'s map to the decoder as the network returns it: (1, timesteps, classes), the blank first; or "
    "export the network with its classes in that order"
)


def _are_maps_of_lines(right: Array, own: Array) -> bool:
    """Return whether both have timesteps and classes, and finite values alone."""
    return all(each.ndim == 3 and each.size and np.isfinite(each).all() for each in (right, own))


def places_of(right: Array, own: Array, limit: float) -> list[MapChange]:
    """Return where the values of `own`, a map of a line, may come from in `right`."""
    if not _are_maps_of_lines(right, own):
        return []
    most = limit
    if right.shape == own.shape:
        most = min(limit, SHARE * float(np.max(np.abs(right - own))))
    found = []
    for text, made in _rearranged(right):
        if made.shape == own.shape and (left := float(np.max(np.abs(made - own)))) <= most:
            found.append(MapChange(text, (), text, FIX, left))
    return found


def _rearranged(right: Array) -> Iterator[tuple[str, Array]]:
    yield "with classes and timesteps exchanged", right.transpose(0, 2, 1)
    yield "with its timesteps in reverse", right[:, ::-1]
    yield "with its classes in reverse", right[:, :, ::-1]
    for axis, name in ((1, "timestep"), (2, "class")):
        for by in (step for each in range(1, REACH + 1) for step in (each, -each)):
            plural = "" if abs(by) == 1 else "es" if axis == 2 else "s"
            yield f"rotated by {by} {name}{plural} (np.roll)", np.roll(right, by, axis)


PLACES: Final = Family(
    "layout.map",
    places_of,
    "{candidate}'s map is {reference}'s, {text}",
    "{reference}'s map, {text}, is {candidate}'s (largest difference {left})",
    "with its axes exchanged, reversed or rotated, no other map makes this one",
)


# A head of other classes.

SAME: Final = 0.02
"""How far logarithms of equal probabilities lie apart: those of 1e-6 were within 1e-3 between engines."""
LEAST: Final = 1e-6
"""Probabilities below are of no class that could be read, and float32 rounds their logarithms."""
FEWEST: Final = 8
"""How many of them there must be beside the best of each timestep: maps of networks that are certain are all alike."""


def line_map_head_cause(lab: Laboratory, right: Array, own: Array) -> Diagnosis | None:
    """Return a head of more or fewer classes as the cause, if those that both have are the same but for their sum."""
    found = _without_the_others(lab, right, own)
    if found is None:
        return None
    where, made, other, lacking = found
    reference, candidate = lab.names
    count = own.shape[2] - right.shape[2]
    rest = float(lacking.sum(axis=2).max())
    is_cut = count < 0 and rest <= sensitivity_limit(map_sensitivity(lab.reference))
    if is_cut or (count > 0 and np.ptp(lacking) == 0):  # a port fills up with one number, and a head has many
        lab.noticed.append(f"the {abs(count)} {where}, which one map lacks, add up to {rest:.1e} at most in the other")
        summary = f"{candidate}'s map has {own.shape[2]} classes, and {reference}'s {right.shape[2]}: by another head, "
        summary += "or by what cuts nearly empty classes off or adds zeros. This image does not tell which it is"
        return replace(lab.unknown_cause(PROBABILITY_MAP, summary), rivals=("network.head", "layout.map"))

    def explains(there: Laboratory, again: Array | None) -> bool:
        before = there.reference.probability_map
        return again is not None and before is not None and _without_the_others(there, before, again) is not None

    lab.patched = replace(lab.patched, explains=explains)
    larger, smaller = (candidate, reference) if count > 0 else (reference, candidate)
    summary = f"{candidate}'s head has {own.shape[2]} classes, and {reference}'s {right.shape[2]}"
    proof = f"without the {abs(count)} {where}, and added up to 1 again, {larger}'s map is {smaller}'s "
    proof += f"({describe_difference(made, other)}), so that the classes that both have are the same"
    text = "deploy the network that was trained, with the classes of its dictionary and no other"
    if has_exported_weights(lab) and (command := weights_export_command(lab)):
        text += f"; {command}"
    fix = Fix(text, (Change("export"),) if has_exported_weights(lab) else ())
    return lab.proven_cause(PROBABILITY_MAP, "network.head", summary, [proof], fix)


def _without_the_others(lab: Laboratory, right: Array, own: Array) -> tuple[str, Array, Array, Array] | None:
    """Return where the classes are that one map lacks, the other without them, the one, and what they hold.

    None where the two are not equal.
    """
    if not _are_maps_of_lines(right, own) or right.shape[:2] != own.shape[:2] or right.shape == own.shape:
        return None
    larger, smaller = (own, right) if own.shape[2] > right.shape[2] else (right, own)
    more, count = larger.shape[2] - smaller.shape[2], larger.shape[2]
    places = {count - more: "last classes", count - more - 1: "classes before the last", 1: "classes after the blank"}
    for start, where in {**places, 0: "first classes"}.items():
        kept = np.delete(larger, slice(start, start + more), axis=2)
        sums = kept.sum(axis=2, keepdims=True)
        if sums.min() <= 0:
            continue
        made = kept / sums
        is_shown = (made > LEAST) & (smaller > LEAST)
        if np.count_nonzero(is_shown) - made.shape[1] < FEWEST:
            continue
        logarithms = [np.log(np.where(is_shown, each, 1)) for each in (made, smaller)]
        if are_equal_maps(lab, made, smaller) and np.max(np.abs(logarithms[0] - logarithms[1])) <= SAME:
            return where, made, smaller, larger[:, :, start : start + more]
    return None
