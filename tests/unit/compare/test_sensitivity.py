"""What rounding and fusing move is with_sensitivity once, and of what can be run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from toy import PAGE, FusedToy, Toy

from pytest_ocrparity.compare.sensitivity import (
    REPEATS,
    STEP,
    fused_map,
    map_sensitivity,
    sensitivity_limit,
    sensitivity_to_rounding,
    with_sensitivity,
)
from pytest_ocrparity.contract import pipeline_of
from pytest_ocrparity.tolerance import TENSOR_LEAST
from pytest_ocrparity.trace import Trace


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


def test_what_a_trace_lacks_is_not_measured() -> None:
    trace = Toy().trace(PAGE)
    for less in (replace(trace, tensor=None), replace(trace, probability_map=None)):
        assert map_sensitivity(less) is None
        assert map_sensitivity(replace(less, map_sensitivity=0.5)) == 0.5


def test_what_cannot_be_run_is_none() -> None:
    trace = replace(Toy().trace(PAGE), source=None)
    assert map_sensitivity(trace) is None
    assert fused_map(trace) is None
    assert fused_map(Toy().trace(PAGE)) is None


class Steep(Toy):
    """A network of which rounding is seen a thousand times as large."""

    fails_from = 99

    def infer(self, tensor: Any) -> Any:
        self.runs += 1
        if self.runs > self.fails_from:
            raise ValueError
        return np.asarray(tensor[:, :1] * np.float32(1000), np.float32)


@pytest.mark.parametrize(
    ("off", "is_rounding"), [(0.0, False), (1e-6, True), (-1e-6, True), (1.9e-6, True), (2.1e-6, False), (1.0, False)]
)
def test_the_candidates_rounding_counts_where_it_is_one(off: float, is_rounding: bool) -> None:
    reference = Steep().trace(np.zeros_like(PAGE))
    assert reference.tensor is not None
    zeros = np.zeros_like(reference.tensor)
    reference = replace(reference, tensor=zeros, probability_map=zeros[:, :1])
    drawn = map_sensitivity(reference)
    assert drawn is not None and reference.tensor is not None
    assert drawn == pytest.approx(7.2e-4)  # each value moves by as much, up or down
    candidate = replace(reference, pipeline="port", tensor=reference.tensor + np.float32(off))
    found = sensitivity_to_rounding(reference, candidate)
    assert found == pytest.approx(max(drawn, abs(off) * 1000) if is_rounding else drawn, rel=1e-5)
    assert candidate.tensor is not None
    for other in (None, candidate.tensor[..., 1:]):
        assert sensitivity_to_rounding(reference, replace(candidate, tensor=other)) == drawn
    known = replace(reference, map_sensitivity=7.0)
    for less in (replace(known, probability_map=None), replace(known, source=None)):
        assert sensitivity_to_rounding(less, candidate) == 7.0
    side = pipeline_of(reference)
    assert isinstance(side, Steep)
    side.fails_from = side.runs
    assert sensitivity_to_rounding(reference, candidate) == drawn


@pytest.mark.parametrize(("sensitivity", "limit"), [(None, 1e-4), (2e-5, 1e-4), (1e-3, 4e-3), (1.0, 1e-2)])
def test_the_limit_is_four_times_that_within_its_range(sensitivity: float | None, limit: float) -> None:
    assert sensitivity_limit(sensitivity) == pytest.approx(limit)


def test_a_network_that_does_not_repeat_itself_has_none() -> None:
    trace = Toy().trace(PAGE)
    assert trace.probability_map is not None
    for off, is_known in ((0.0, True), (REPEATS / 2, True), (REPEATS * 2, False)):
        other = replace(trace, probability_map=trace.probability_map + np.float32(off))
        assert (map_sensitivity(other) is not None) == is_known
    assert map_sensitivity(replace(trace, probability_map=trace.probability_map[..., 1:])) is None


@pytest.mark.parametrize("runs", [1, 2])
def test_a_network_that_fails_once_it_is_run_again_has_none(runs: int) -> None:
    """As one of which the trace alone was recorded."""
    side = Steep()
    trace = side.trace(np.zeros_like(PAGE))
    side.fails_from = runs
    assert map_sensitivity(trace) is None


class Kept(Steep):
    """Keeps the tensors that it was given."""

    given: list[Any] = []  # noqa: RUF012

    def infer(self, tensor: Any) -> Any:
        self.given = [*self.given, tensor]
        return super().infer(tensor)


def zeros(side: Toy, kind: Any = np.float32, **changes: Any) -> Trace:
    """Return a trace of a side whose tensor and map are all 0."""
    trace = side.trace(np.zeros_like(PAGE))
    assert trace.tensor is not None
    none = np.zeros(trace.tensor.shape, kind)
    return replace(trace, **{"tensor": none, "probability_map": none[:, :1], **changes})


def test_each_value_is_rounded_up_or_down_by_one_step() -> None:
    side = Kept()
    trace = zeros(side)
    side.given = []
    map_sensitivity(trace)
    again, moved = side.given
    assert not again.any()
    assert set(np.unique(moved).tolist()) == {float(-STEP), float(STEP)}
    assert 0.45 < (moved > 0).mean() < 0.55


def test_a_network_that_is_off_by_just_what_repeating_allows_has_none() -> None:
    for off, is_known in ((REPEATS, False), (np.nextafter(REPEATS, 0), True)):
        trace = zeros(Steep(), np.float64)
        assert trace.probability_map is not None
        found = map_sensitivity(replace(trace, probability_map=trace.probability_map + off))
        assert (found is not None) == is_known


def test_what_a_candidate_shows_of_rounding_is_asked_only_where_it_can_be() -> None:
    side = Steep()
    known = zeros(side, np.float64, map_sensitivity=0.0)
    assert known.tensor is not None
    port = replace(known, pipeline="port")
    runs = side.runs
    assert sensitivity_to_rounding(known, port) == 0.0  # an equal tensor
    assert side.runs == runs
    most = replace(port, tensor=known.tensor + TENSOR_LEAST)
    assert sensitivity_to_rounding(known, most) == pytest.approx(1000 * TENSOR_LEAST)
    for less in (replace(known, tensor=None), replace(known, source=None), replace(known, probability_map=None)):
        assert sensitivity_to_rounding(less, most) == 0.0
    restless = replace(known, map_sensitivity=None, probability_map=known.tensor[:, :1] + 1)
    assert sensitivity_to_rounding(restless, most) is None


def test_a_millionth_is_what_repeating_allows() -> None:
    for off, is_known in ((0.9e-6, True), (1.2e-6, False), (0.5, False)):
        trace = zeros(Steep(), np.float64)
        assert trace.probability_map is not None
        found = map_sensitivity(replace(trace, probability_map=trace.probability_map + off))
        assert (found is not None) == is_known
