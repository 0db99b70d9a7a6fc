"""A diagnosis counts its own work: a loaded machine does not end it, and waiting for an engine counts by the clock."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_ocrparity.diagnose.budget import (
    FINE,
    MOST_RUNS,
    SCHEDULER,
    Budget,
    BudgetSpentError,
    seconds_without_core,
)


class Time:
    """A clock and a processor that move as a test says."""

    def __init__(self) -> None:
        self.now = self.worked = self.waited = 100.0

    def passes(self, seconds: float, working: float, waiting: float = 0.0) -> None:
        self.now += seconds
        self.worked += seconds * working
        self.waited += seconds * waiting


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def budget(time: Time) -> Budget:
    return Budget(10.0, clock=lambda: time.now, processor=lambda: time.worked, waiting=lambda: time.waited)


def test_a_loaded_machine_costs_nothing(time: Time, budget: Budget) -> None:
    time.passes(30.0, working=0.25)
    budget.check()
    assert budget.used == pytest.approx(7.5)
    time.passes(12.0, working=0.25)
    with pytest.raises(BudgetSpentError):
        budget.check()


def test_a_machine_on_which_others_have_the_cores_costs_nothing(time: Time, budget: Budget) -> None:
    time.passes(400.0, working=0.02, waiting=0.98)
    budget.check()
    assert budget.used == pytest.approx(8.0)
    time.passes(125.0, working=0.02, waiting=0.98)
    with pytest.raises(BudgetSpentError):
        budget.check()
    assert "ended by the clock" not in budget.spent()


def test_waiting_for_an_engine_elsewhere_on_such_a_machine_counts(time: Time, budget: Budget) -> None:
    time.passes(20.0, working=0.01, waiting=0.5)
    with pytest.raises(BudgetSpentError):
        budget.check()
    assert budget.used == pytest.approx(10.0)


@pytest.mark.skipif(not SCHEDULER.exists(), reason="what a thread waits for a core is told by Linux")
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="puts processes on one core")
def test_waiting_for_a_core_is_told_apart_from_sleeping() -> None:
    core = {min(os.sched_getaffinity(0))}
    own = f"import os, time; os.sched_setaffinity(0, {core})"
    other = subprocess.Popen([sys.executable, "-c", f"{own}\nwhile True: pass"])
    mine = (
        f"{own}; from {seconds_without_core.__module__} import seconds_without_core as waited\n"
        "begun = waited(); end = time.process_time() + 0.3\n"
        "while time.process_time() < end: pass\n"
        "print(waited() - begun)\n"
        "begun = waited(), time.monotonic(), time.process_time()\n"
        "time.sleep(0.5)\n"
        "print(time.monotonic() - begun[1] - (waited() - begun[0]))"
    )
    try:
        done = subprocess.run([sys.executable, "-c", mine], capture_output=True, text=True, check=True)
    finally:
        other.kill()
        other.wait()
    beside_another, asleep = map(float, done.stdout.split())
    assert beside_another > 0.1
    assert asleep > 0.4


def test_a_system_that_does_not_tell_has_no_such_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("pytest_ocrparity.diagnose.budget.SCHEDULER", tmp_path / "none")
    assert seconds_without_core() == 0.0
    (tmp_path / "none").write_text("disabled")
    assert seconds_without_core() == 0.0


def test_the_second_number_is_how_long_a_thread_waited(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("pytest_ocrparity.diagnose.budget.SCHEDULER", tmp_path / "schedstat")
    (tmp_path / "schedstat").write_text("7000000000 2500000000 31\n")
    assert seconds_without_core() == 2.5


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
    said = "ended by the clock after 102 s without waiting for a core, 10 times the setting"
    assert f"{said} (setting: diagnosis_seconds = 10)" in budget.spent()


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
    assert budget.spent().endswith("of 20 network runs and 0 of 10 s of processor time; the number of runs is fixed")
    budget.used = budget.seconds  # then it is the setting that allows no more, whatever was run
    assert budget.spent().endswith("10 of 10 s of processor time (setting: diagnosis_seconds = 10)")
    budget.used = 0.0
    budget.more = 2  # that a last search may make
    assert "the number of runs is fixed" not in budget.spent()
    for _ in range(2):
        with budget.network_run(1):
            pass
    with pytest.raises(BudgetSpentError):
        budget.check(1)
    assert "used 22 of 22 network runs" in budget.spent()


@pytest.mark.parametrize(("seconds", "is_said"), [(100.0, True), (99.0, False), (101.0, True)])
def test_that_the_clock_ended_it_is_said_from_ten_times_the_setting_on(
    time: Time, budget: Budget, seconds: float, is_said: bool
) -> None:
    time.passes(seconds, working=0.1)
    with contextlib.suppress(BudgetSpentError):
        budget.check()
    budget.used = 9.0
    assert ("ended by the clock" in budget.spent()) == is_said
    budget.used = 10.0  # the work ended it
    assert "ended by the clock" not in budget.spent()


@pytest.mark.parametrize(
    ("passed", "left", "values", "is_asked"),
    [
        (FINE / 2, 10.0, 0, False),
        (FINE, 10.0, 0, True),
        (FINE / 2, 10.0, 7, True),  # before a network runs
        (FINE / 2, FINE, 0, False),
        (FINE / 2, FINE / 2, 0, True),  # near its end
    ],
)
def test_how_long_the_process_worked_is_asked_rarely(passed: float, left: float, values: int, is_asked: bool) -> None:
    clock, asked = [FINE], []

    def processor() -> float:
        asked.append(True)
        return 0.0

    budget = Budget(2 * left, clock=lambda: clock[0], processor=processor)
    budget.used = left
    asked.clear()
    clock[0] += passed
    with contextlib.suppress(BudgetSpentError):
        budget.check(values)
    assert bool(asked) == is_asked


def test_the_clock_ends_it_at_ten_times_the_setting(time: Time, budget: Budget) -> None:
    for _ in range(9):
        time.passes(10.0, working=0.1)
        budget.check()
        budget.used = 0.0
    time.passes(9.0, working=0.2)
    budget.check()
    budget.used = 0.0
    time.passes(1.0, working=0.2)
    with pytest.raises(BudgetSpentError):
        budget.check()
    assert budget.used < 1


def test_the_pace_is_that_of_the_last_run(time: Time, budget: Budget) -> None:
    for seconds in (3.0, 1.0):
        with budget.network_run(100):
            time.passes(seconds, working=1.0)
        assert budget.pace == pytest.approx(seconds / 100)
    assert budget.used == pytest.approx(4.0)


def test_a_run_on_an_empty_tensor_counts_as_one(time: Time, budget: Budget) -> None:
    with budget.network_run(0):
        time.passes(1.0, working=1.0)
    assert budget.runs == 1
    assert budget.used == pytest.approx(1.0)
