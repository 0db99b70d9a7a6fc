"""What rounding and fusing move is with_sensitivity once, and of what can be run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from toy import PAGE, FusedToy, Toy

from pytest_ocrparity.compare.sensitivity import fused_map, map_sensitivity, with_sensitivity


def test_the_floor_and_the_fused_map_are_measured_once() -> None:
    toy = FusedToy(fused_noise=1e-3)
    trace = toy.trace(PAGE)
    assert map_sensitivity(trace) == map_sensitivity(trace)
    assert toy.runs == 3  # its own, the same again, and the one on a tensor that is rounded otherwise
    first = fused_map(trace)
    assert first is not None
    assert first is fused_map(trace)
    assert with_sensitivity(trace).map_sensitivity == map_sensitivity(trace)


def test_what_was_measured_of_a_trace_is_not_believed_of_another() -> None:
    trace = Toy().trace(PAGE)
    floor = map_sensitivity(trace)
    assert trace.tensor is not None and floor is not None
    other = replace(trace, tensor=trace.tensor + np.float32(1), image="b.png")
    assert map_sensitivity(other) != floor
    assert (trace.label, other.label) == (trace.image, "b.png")


def test_what_cannot_be_run_is_none() -> None:
    trace = replace(Toy().trace(PAGE), source=None)
    assert map_sensitivity(trace) is None
    assert fused_map(trace) is None
    assert fused_map(Toy().trace(PAGE)) is None
