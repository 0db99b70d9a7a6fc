"""Experiments with a network that sees its tensor in parts: squares of a page, or parts of a line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, TypeAlias

import numpy as np

from pytest_ocrparity.diagnose.laboratory import Laboratory, are_equal_maps, describe_difference
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.stages import PROBABILITY_MAP
from pytest_ocrparity.trace import Array

Run: TypeAlias = Callable[[Array], Array]
MadeOfParts: TypeAlias = Callable[[Laboratory, Run, Array, Array, int], "Array | None"]
"""Returns the map that a network makes of parts of a side, if it is the last but one argument."""

PAGE_SIDES: Final = tuple(range(64, 2049, 32))
LINE_SIDES: Final = tuple(range(32, 1025, 8))
SEAM: Final = 3.0
"""How many times as much the maps must differ in their steps across seams as elsewhere."""


def page_tiles_cause(lab: Laboratory, run: Run, tensor: Array, right: Array, own: Array) -> Diagnosis | None:
    """Return the diagnosis of a map that the network makes of squares of a tensor, if one side of them makes it all."""
    for side in _likely_squares(right, own):
        corner = np.ascontiguousarray(tensor[..., :side, :side])
        first = lab.run_network(run, corner)
        if first is None or not are_equal_maps(lab, first, own[..., :side, :side]):
            continue
        parts, seen = f"squares of {side} px of the tensor", f"its tensor in squares of {side} px"
        words = (parts, seen, "on the whole tensor, or on tiles that overlap and are cut back")
        if (found := _cause(lab, run, tensor, own, side, _made_of_squares, words)) is not None:
            return found
    lab.tried.append("network.tiles: the reference's network on squares of the tensor does not make this map")
    return None


def line_parts_cause(lab: Laboratory, run: Run, tensor: Array, right: Array, own: Array) -> Diagnosis | None:
    """Return the diagnosis of a map that the network makes of parts of a line, if parts of one width make it all."""
    sides = _likely_widths(right, own, tensor.shape[-1])
    if not sides:
        lab.not_tried.append("network.tiles: no width of parts shows in the difference of the two maps")
        return None
    with lab.budget.network_run(tensor.size):  # the first parts of all widths, each shorter than the line
        firsts = [lab.attempt(lambda side=side: run(np.ascontiguousarray(tensor[..., :side]))) for side in sides]  # type: ignore[misc]
    for side, first in zip(sides, firsts, strict=True):
        if first is None or not are_equal_maps(lab, first, own[:, : first.shape[1]]):
            continue
        parts, seen = f"{side} columns of the tensor at a time", f"a line in parts of {side} columns"
        words = (parts, seen, "on the whole tensor of a line")
        if (found := _cause(lab, run, tensor, own, side, _made_of_parts, words)) is not None:
            return found
    lab.tried.append("network.tiles: the reference's network on parts of the line does not make this map")
    return None


def _cause(
    lab: Laboratory, run: Run, tensor: Array, own: Array, side: int, made_of: MadeOfParts, words: tuple[str, str, str]
) -> Diagnosis | None:
    """Return the diagnosis, if the parts make the candidate's map. The words are of the proof, the summary, the fix."""
    made = made_of(lab, run, tensor, own, side)
    if made is None:
        return None
    reference, candidate = lab.names

    def explains(other: Laboratory, there: Array | None) -> bool:
        return there is not None and made_of(other, run, other.tensor, there, side) is not None

    lab.patched = replace(lab.patched, explains=explains)
    parts, seen, fix = words
    proof = f"{reference}'s network, run on {parts}, makes {candidate}'s map ({describe_difference(made, own)})"
    summary = f"{candidate}'s network sees {seen}, each by itself"
    return lab.proven_cause(PROBABILITY_MAP, "network.tiles", summary, [proof], f"run {candidate}'s network {fix}")


def _made_of_squares(lab: Laboratory, run: Run, tensor: Array, own: Array, side: int) -> Array | None:
    """Return the map of squares side by side, if it is `own`: counted as one run, as it is one pass over the tensor."""
    made = np.zeros(own.shape, np.float32)
    height, width = tensor.shape[2:]
    if own.shape[2:] != (height, width):
        return None

    def all_of(given: Array) -> Array:
        for y in range(0, height, side):
            for x in range(0, width, side):
                part = np.ascontiguousarray(given[..., y : y + side, x : x + side])
                made[..., y : y + side, x : x + side] = run(part)
        return made

    whole = lab.run_network(all_of, tensor)
    return whole if whole is not None and are_equal_maps(lab, whole, own) else None


def _made_of_parts(lab: Laboratory, run: Run, tensor: Array, own: Array, side: int) -> Array | None:
    """Return the map of parts one after the other, if it is `own`, the last one filled up or not: one run each."""

    def all_of(given: Array, *, is_filled_up: bool) -> Array:
        made = []
        for start in range(0, given.shape[3], side):
            part = given[..., start : start + side]
            missing = side - part.shape[3] if is_filled_up else 0
            made.append(run(np.ascontiguousarray(np.pad(part, ((0, 0), (0, 0), (0, 0), (0, missing))))))
        return np.concatenate(made, axis=1)[:, : own.shape[1]]

    for is_filled_up in (False, True) if tensor.shape[3] % side else (False,):
        whole = lab.run_network(lambda given, is_it=is_filled_up: all_of(given, is_filled_up=is_it), tensor)  # type: ignore[misc]
        if whole is not None and are_equal_maps(lab, whole, own):
            return whole
    return None


def _likely_squares(right: Array, own: Array) -> list[int]:
    """Return the sides of squares at whose edges the difference of two maps of a page jumps, the most likely three."""
    if right.shape != own.shape or right.ndim != 4:
        return []
    difference = own[0, 0].astype(np.float64) - right[0, 0]
    jumps = [np.abs(np.diff(difference, axis=axis)).mean(axis=1 - axis) for axis in (0, 1)]
    usual = [float(np.median(each)) + 1e-9 for each in jumps]
    found = {}
    for side in PAGE_SIDES:
        seams = [each[side - 1 :: side] / usual[axis] for axis, each in enumerate(jumps) if len(each) >= side]
        if seams:
            found[side] = float(np.mean(np.concatenate(seams)))
    return _likeliest(found)


def _likely_widths(right: Array, own: Array, width: int) -> list[int]:
    """Return the widths of parts at whose edges the difference of two maps of a line jumps, the most likely three."""
    is_of_lines = all(each.ndim == 3 and each.size and np.isfinite(each).all() for each in (right, own))
    if right.shape != own.shape or not is_of_lines:
        return []
    count = right.shape[1]
    stride = round(width / count)  # columns that a timestep takes
    difference = own[0].astype(np.float64) - right[0]
    jumps = np.abs(np.diff(difference, axis=0)).max(axis=1, initial=0.0)
    usual = float(np.median(jumps)) + 1e-9 if len(jumps) else 1.0
    found = {}
    for side in LINE_SIDES:
        steps, rest = divmod(side, max(1, stride))
        if not rest and steps < count:
            found[side] = float(np.mean(jumps[steps - 1 :: steps])) / usual
    return _likeliest(found)


def _likeliest(jumps: Mapping[int, float]) -> list[int]:
    # Every seam of the right side jumps; of twice that side only every other is looked at, so the smaller one is right.
    best = max(jumps.values(), default=0.0)
    return [side for side, jump in jumps.items() if jump > SEAM and jump >= best / 4][:3]
