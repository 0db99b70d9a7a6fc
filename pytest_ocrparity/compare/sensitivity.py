"""Measures how much a side's own map changes when its tensor is only rounded, by running its network again."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.compare.array_difference import array_difference
from pytest_ocrparity.contract import FusesBranches, offered, pipeline_of
from pytest_ocrparity.tolerance import FLOOR_FACTOR, MAP_LEAST, MAP_MOST, TENSOR_LEAST
from pytest_ocrparity.trace import Trace

STEP: Final = np.float32(7.2e-7)
"""The measured difference between the float arithmetic of PaddleOCR's two normalisations."""

REPEATS: Final = 1e-6
"""Within which a network that is run again must return its map: else its movement shows nothing of rounding."""


def map_sensitivity(trace: Trace) -> float | None:
    """Return how far a side's map moves when its tensor moves by +-7.2e-7, or None where it can't be run.

    The answer predicts the map difference of a right export within about 1.4x. Measured once per trace, with a fixed
    seed; a baseline holds it.
    """
    cannot_run = trace.source is None or trace.tensor is None or trace.probability_map is None
    if trace.map_sensitivity is not None or cannot_run:
        return trace.map_sensitivity
    if "map_sensitivity" not in trace.memo:
        trace.memo["map_sensitivity"] = _perturbed_map_difference(trace)
    found: float | None = trace.memo["map_sensitivity"]
    return found


def sensitivity_limit(sensitivity: float | None) -> float:
    """Return how far a map may lie from one of this sensitivity, by the rule of `probability_maps.atol`."""
    return float(np.clip(FLOOR_FACTOR * (sensitivity or 0.0), MAP_LEAST, MAP_MOST))


def fused_map(trace: Trace) -> npt.NDArray[np.float32] | None:
    """Return the (1, C, h, w) map of the network with its branches fused as an export fuses them.

    None for networks without `rep()`. Measured once per trace; a baseline holds it.
    """
    network = offered(trace.source, FusesBranches)
    if trace.fused_map is not None or network is None or trace.tensor is None:
        return trace.fused_map
    if "fused_map" not in trace.memo:
        trace.memo["fused_map"] = network.infer_fused(trace.tensor)
    found: npt.NDArray[np.float32] | None = trace.memo["fused_map"]
    return found


def with_sensitivity(trace: Trace) -> Trace:
    """Return a trace with `map_sensitivity` and `fused_map` filled in, as a baseline stores it."""
    return replace(trace, map_sensitivity=map_sensitivity(trace), fused_map=fused_map(trace))


def sensitivity_to_rounding(reference: Trace, candidate: Trace) -> float | None:
    """Return how far rounding moves the reference's own map: a rounding drawn at random, and that of the candidate.

    The candidate's is its tensor, where that differs from the reference's by no more than a right one does.
    """
    drawn, source = map_sensitivity(reference), pipeline_of(reference)
    tensor, candidate_tensor, probability_map = reference.tensor, candidate.tensor, reference.probability_map
    if drawn is None or source is None or tensor is None or candidate_tensor is None or probability_map is None:
        return drawn
    if (
        tensor.shape != candidate_tensor.shape
        or not 0 < array_difference(tensor, candidate_tensor).largest <= TENSOR_LEAST
    ):
        return drawn
    try:
        moved = array_difference(source.infer(candidate_tensor), probability_map).largest
    except Exception:  # a pipeline of the user's may only trace
        return drawn
    return max(drawn, moved)


def _perturbed_map_difference(trace: Trace) -> float | None:
    source, own = pipeline_of(trace), trace.probability_map
    assert source is not None and trace.tensor is not None and own is not None
    signs = np.random.default_rng(0).integers(0, 2, trace.tensor.shape, dtype=np.int8) * 2 - 1
    try:
        again = source.infer(trace.tensor)
        moved = source.infer(trace.tensor + STEP * signs.astype(np.float32))
    except Exception:  # a pipeline of the user's may only trace, or replay: then it is not known
        return None
    if again.shape != own.shape or not np.max(np.abs(again - own), initial=0) < REPEATS:
        return None  # what does not repeat itself must not widen its own limit
    return float(np.max(np.abs(moved - again), initial=0.0))
