"""The experiment with a tensor that is padded: the reference's own lies in it, and the rest is one value by channel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.page_frame import Frame
from pytest_ocrparity.diagnose.patched_candidate import PatchedCandidate, Proved
from pytest_ocrparity.stages import RESIZE, TENSOR
from pytest_ocrparity.trace import Trace


class Place(NamedTuple):
    """Where a tensor lies in a larger one, whose rest is of one value by channel."""

    top: int
    left: int
    fill: tuple[float, ...]


def by_padded_tensor(lab: Laboratory, base: PatchedCandidate) -> Proved:
    """Find the reference's tensor within the candidate's larger one, as batches and fixed inputs are padded."""
    trace = lab.run_preprocessing(base)
    before = None if trace is None else _padded(lab, trace)
    if trace is None or before is None or trace.tensor is None:
        return None
    made, place = before
    earlier, lab.before = lab.before, made
    if not lab.is_same_stage(TENSOR, trace):
        lab.before = earlier
        return None
    right, (height, width) = lab.tensor, trace.tensor.shape[2:]
    row = lab.reference.shape or (float(right.shape[2]), float(right.shape[3]), 1.0, 1.0)
    across, down = row[1] / right.shape[3], row[0] / right.shape[2]
    lab.to_page = Frame(across, down, -place.left * across, -place.top * down)
    reference, candidate = lab.names
    words = f"placed at x {place.left}, y {place.top} of {width}x{height}, the rest filled with "
    words += f"{[round(value, 4) + 0.0 for value in place.fill]}"
    proof = f"{reference}'s tensor, {words}, is {candidate}'s"
    summary = f"{candidate} pads the tensor: {words}"
    fix = f"give {candidate}'s network the tensor as {reference} does, with nothing around it"
    stage = TENSOR if trace.resize is not None and lab.reference.resize is not None else RESIZE
    found = lab.proven_cause(stage, "resize.padding", summary, [proof], fix)

    def again(other: Laboratory) -> Trace | None:
        there = _padded(other, other.candidate)
        return None if there is None else there[0]

    return found, replace(base, before=again)


def _padded(lab: Laboratory, trace: Trace) -> tuple[Trace, Place] | None:
    """Return the reference's trace with its tensor padded as the candidate's, and where it lies."""
    right, own = lab.reference.tensor, trace.tensor
    if right is None or own is None or own.ndim != 4 or own.shape[:2] != right.shape[:2] or own.shape == right.shape:
        return None
    rest = own.shape[2] - right.shape[2], own.shape[3] - right.shape[3]
    if min(rest) < 0 or not right.size or np.ptp(right) == 0:
        return None
    for top, left in _corners(rest):
        part = own[:, :, top : top + right.shape[2], left : left + right.shape[3]]
        if np.max(np.abs(part - right)) > 1e-3:
            continue
        outside = np.ones(own.shape[2:], bool)
        outside[top : top + right.shape[2], left : left + right.shape[3]] = False
        border = own[0][:, outside]
        if np.any(border != border[:, :1]):
            continue
        padded = np.array(own)
        padded[:, :, top : top + right.shape[2], left : left + right.shape[3]] = right
        place = Place(top, left, tuple(float(value) for value in border[:, 0]))
        return replace(lab.reference, tensor=padded, resize=trace.resize, shape=trace.shape), place
    return None


def _corners(rest: tuple[int, int]) -> Iterator[tuple[int, int]]:
    yield 0, 0
    yield rest[0] // 2, rest[1] // 2
    yield rest
