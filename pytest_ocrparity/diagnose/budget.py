"""`Budget`: limits one diagnosis by network runs, processor time, and ten times that time on the clock.

On a loaded machine most of the clock's time is spent waiting for a core: it is left out, or the machine would decide
what a diagnosis finds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

MOST_RUNS: Final = 20
"""Most network runs of one diagnosis; a mobile detector takes 1.3 to 3.3 s per megapixel on one core."""

CLOCK: Final = 10
"""How many times the setting may pass on the clock. A span counts by the clock if this process worked for less than a
tenth of it, as it then waited for an engine elsewhere."""

FINE: Final = 0.01
"""Seconds on the clock for which a check does not ask how long the process worked: with the threads of an engine that
takes half a millisecond, and a diagnosis asks at each of thousands of small steps."""

SCHEDULER: Final = Path("/proc/thread-self/schedstat")
"""Where Linux tells of this thread how long it ran and how long it waited for a core, in nanoseconds."""


def seconds_without_core() -> float:
    """Return how long this thread was ready to run and had no core; 0 where the system does not tell."""
    try:
        return int(SCHEDULER.read_text().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0


class BudgetSpentError(Exception):
    """The diagnosis has used its time or its network runs."""


@dataclass
class Budget:
    """Counts what one diagnosis has used, and ends it.

    Attributes:
        seconds: processor time that it may use (setting `diagnosis_seconds`).
        runs: network runs so far.
        used: seconds used so far.
        more: network runs beyond MOST_RUNS that a last search may make.
        pace: seconds per value of the tensor in the last network run.
        clock, processor, waiting: return the time in seconds; tests replace them.
        passed: seconds on the clock so far, without those of waiting for a core.
    """

    seconds: float
    runs: float = 0
    used: float = 0.0
    more: int = 0
    pace: float = 0.0
    clock: Callable[[], float] = time.monotonic
    processor: Callable[[], float] = time.process_time
    waiting: Callable[[], float] = seconds_without_core
    passed: float = field(init=False, default=0.0)
    _marks: tuple[float, float, float] = field(init=False)

    def __post_init__(self) -> None:
        self._marks = self.clock(), self.processor(), self.waiting()

    def check(self, values: int = 0) -> None:
        """Raise BudgetSpentError where no time is left, or none for a network run on a tensor of so many values."""
        if values or self.seconds - self.used < FINE or self.clock() - self._marks[0] >= FINE:
            self._count_time()
        is_late = self.passed >= CLOCK * self.seconds
        if is_late or self.seconds - self.used <= values * self.pace or (values and self.runs >= MOST_RUNS + self.more):
            raise BudgetSpentError

    @contextmanager
    def network_run(self, values: int, share: float = 1) -> Iterator[None]:
        """Count a network run on a tensor of so many values. Raises BudgetSpentError before the run.

        A run on a part of a page counts as a `share` of one.
        """
        self.check(values)
        self.runs += share
        before = self.used
        try:
            yield
        finally:
            self._count_time()
            self.pace = (self.used - before) / max(values, 1)  # a side of the user's may record an empty tensor

    def _count_time(self) -> None:
        """Add the time since the last call: processor time, or the clock's where the process hardly worked."""
        marks = self.clock(), self.processor(), self.waiting()
        passed, worked, waited = (now - then for now, then in zip(marks, self._marks, strict=True))
        passed -= waited
        self.passed += passed
        self.used += worked if worked * CLOCK >= passed else passed
        self._marks = marks

    def spent(self) -> str:
        """Return in words how much was used, and which setting allows more."""
        runs = f"{self.runs:g} of {MOST_RUNS + self.more} network runs"
        text = f"used {runs} and {self.used:.0f} of {self.seconds:g} s of processor time"
        if self.used < self.seconds <= self.passed / CLOCK:
            text += (
                f"; ended by the clock after {self.passed:.0f} s without waiting for a core, {CLOCK} times the setting"
            )
        if self.runs >= MOST_RUNS + self.more and self.used < self.seconds:
            return f"{text}; the number of runs is fixed"
        return f"{text} (setting: diagnosis_seconds = {self.seconds:g})"
