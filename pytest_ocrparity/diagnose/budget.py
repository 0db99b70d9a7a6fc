"""What a diagnosis may take: network runs, processor time of this process, and at most ten times that on the clock.

A loaded machine makes the clock run faster than the work is done, so that the clock alone would end a diagnosis early.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

MOST_RUNS: Final = 20
"""Network runs of one diagnosis; a mobile detector takes 1.3 to 3.3 s per megapixel on one core."""

CLOCK: Final = 10
"""How many times the setting may pass on the clock. A span in which this process worked for less than that share of the
clock's time was spent waiting for an engine elsewhere, and counts by the clock."""


class BudgetSpentError(Exception):
    """The diagnosis has used its time or its network runs."""


@dataclass
class Budget:
    """The budget of one diagnosis.

    Attributes:
        seconds: of processor time, as the setting `diagnosis_seconds` has it.
        runs: network runs so far.
        used: seconds so far.
        pace: seconds per value of the tensor, of the last network run.
        clock, processor: what tells the time; a test's own.
    """

    seconds: float
    runs: int = 0
    used: float = 0.0
    pace: float = 0.0
    clock: Callable[[], float] = time.monotonic
    processor: Callable[[], float] = time.process_time
    started: float = field(init=False)
    _marks: tuple[float, float] = field(init=False)

    def __post_init__(self) -> None:
        self.started = self.clock()
        self._marks = self.started, self.processor()

    def check(self, values: int = 0) -> None:
        """Raise BudgetSpentError where the time, or a network run on so many values, is not left."""
        self._count()
        is_late = self._marks[0] - self.started >= CLOCK * self.seconds
        if is_late or self.seconds - self.used <= values * self.pace or (values and self.runs >= MOST_RUNS):
            raise BudgetSpentError

    @contextmanager
    def network_run(self, values: int) -> Iterator[None]:
        """Count a network run on a tensor of so many values. Raises BudgetSpentError before it begins."""
        self.check(values)
        self.runs += 1
        before = self.used
        try:
            yield
        finally:
            self._count()
            self.pace = (self.used - before) / values

    def _count(self) -> None:
        """Add what has passed since the last time: processor time, or the clock's where the process hardly worked."""
        marks = self.clock(), self.processor()
        passed, worked = (now - then for now, then in zip(marks, self._marks, strict=True))
        self.used += worked if worked * CLOCK >= passed else passed
        self._marks = marks

    def spent(self) -> str:
        """Return what of the budget was used, and which setting raises it."""
        on_clock = self._marks[0] - self.started
        told = (
            f"used {self.runs} of {MOST_RUNS} network runs and {self.used:.0f} of {self.seconds:g} s of processor time"
        )
        if self.used < self.seconds <= on_clock / CLOCK:
            told += f"; ended by the clock after {on_clock:.0f} s, {CLOCK} times the setting"
        return f"{told} (setting: diagnosis_seconds = {self.seconds:g})"
