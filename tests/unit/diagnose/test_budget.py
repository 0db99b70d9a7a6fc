"""A diagnosis counts its own work: a loaded machine does not end it, and waiting for an engine counts by the clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from toy import PAGE, Toy

from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.diagnose import diagnose, examine
from pytest_ocrparity.diagnose.budget import MOST_RUNS, Budget, BudgetSpentError
from pytest_ocrparity.diagnose.cache import DiagnosisCache
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnosis import Alternative
from pytest_ocrparity.tolerance import BUILT_IN


class Time:
    """A clock and a processor that move as a test says."""

    def __init__(self) -> None:
        self.now = self.worked = 100.0

    def passes(self, seconds: float, working: float) -> None:
        self.now += seconds
        self.worked += seconds * working


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def budget(time: Time) -> Budget:
    return Budget(10.0, clock=lambda: time.now, processor=lambda: time.worked)


def test_a_loaded_machine_costs_nothing(time: Time, budget: Budget) -> None:
    time.passes(30.0, working=0.25)
    budget.check()
    assert budget.used == pytest.approx(7.5)
    time.passes(12.0, working=0.25)
    with pytest.raises(BudgetSpentError):
        budget.check()


def test_waiting_for_an_engine_elsewhere_counts_by_the_clock(time: Time, budget: Budget) -> None:
    time.passes(11.0, working=0.01)
    with pytest.raises(BudgetSpentError):
        budget.check()
    assert budget.used == pytest.approx(11.0)


def test_ten_times_the_setting_on_the_clock_ends_it_and_is_said(time: Time, budget: Budget) -> None:
    for _ in range(24):
        time.passes(4.1, working=0.1)
        budget.check()
        budget.used = 0.0  # as if nothing had been worked
    time.passes(4.1, working=0.1)
    with pytest.raises(BudgetSpentError):
        budget.check()
    assert "ended by the clock after 102 s, 10 times the setting (setting: diagnosis_seconds = 10)" in budget.spent()


def test_network_runs_are_counted_and_paced(time: Time, budget: Budget) -> None:
    with budget.network_run(1000):
        time.passes(2.0, working=1.0)
    assert budget.runs == 1
    assert budget.pace == pytest.approx(0.002)
    budget.check(3000)
    with pytest.raises(BudgetSpentError):  # it would take 10 s of the 8 that are left
        budget.check(5000)


def test_no_more_networks_run_than_the_budget_has(budget: Budget) -> None:
    for _ in range(MOST_RUNS):
        with budget.network_run(1):
            pass
    budget.check()
    with pytest.raises(BudgetSpentError):
        budget.check(1)


class Damps(Toy):
    """Its engine is at fault, which takes network runs to show; so is a threshold, which takes none."""

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return np.asarray(super().infer(tensor) * 0.9, np.float32)

    def other_engines(self) -> Iterator[Alternative]:
        yield Alternative("engine.onednn", "oneDNN off", super().infer)

    def varied(self, changes: Mapping[str, Mapping[str, Any]]) -> Toy:
        return replace(self, box_thresh=changes["detections"]["box_thresh"])


def test_what_takes_no_network_comes_first() -> None:
    reference, candidate = Toy(gain=1.0).trace(PAGE), Damps(name="port", gain=1.0, box_thresh=0.74).trace(PAGE)
    lab = Laboratory(Comparisons(reference, candidate, BUILT_IN), 60)
    lab.budget.runs = MOST_RUNS - 1  # enough to see that the maps differ, for no experiment
    found = examine(lab)
    assert [each.cause for each in found] == ["unknown", "postprocess.box_thresh"]
    assert found[0].summary == "budget spent"
    assert "(setting: diagnosis_seconds = 60)" in found[0].not_tried[-1]


def test_networks_run_again_only_where_they_are_suspected() -> None:
    train, port = Toy(), Toy(name="port", pad=9)
    traces = train.trace(PAGE), port.trace(PAGE)
    before = train.runs, port.runs
    (found,) = diagnose(reference=traces[0], candidate=traces[1])
    assert (found.stage, found.cause) == ("detections", "unknown")
    assert (train.runs, port.runs) == before


def test_each_diagnosis_that_begins_is_announced_once() -> None:
    said: list[str] = []
    cache = DiagnosisCache(60, announce=said.append)
    traces = Toy().trace(PAGE), Toy(name="port", pad=9).trace(PAGE)
    for _ in range(2):
        cache.diagnose(Comparisons(*traces, BUILT_IN))
    assert said == ["page.png"]
