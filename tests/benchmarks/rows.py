"""A row of the table, and how a ratio is measured."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from timeit import Timer
from typing import Any, NamedTuple


class Row(NamedTuple):
    """A figure and the bound that it must keep.

    Attributes:
        name: what is measured.
        against: what it is compared with.
        ratio: what was measured, in `unit`.
        bound: what it must at least be; at most where `is_most`.
        unit: what `ratio` counts.
        is_most: whether less is better.
        told: the figures behind the ratio.
    """

    name: str
    against: str
    ratio: float
    bound: float
    unit: str = "times faster"
    is_most: bool = False
    told: str = ""

    @property
    def holds(self) -> bool:
        return self.ratio <= self.bound if self.is_most else self.ratio >= self.bound

    def line(self) -> str:
        """Return the row as docs/explanation/performance.md has it."""
        measured = f"{self.ratio:,.0f}" if self.ratio >= 100 else f"{self.ratio:.3g}"
        bound = f"{self.bound:,.0f}" if self.bound >= 100 else f"{self.bound:.3g}"
        told = bound if self.holds else f"**{bound}, not reached**"
        return f"| {self.name} | {self.against} | {measured} {self.unit} | {told} | {self.told} |"


def seconds(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def paired(ours: Callable[[], Any], theirs: Callable[[], Any], rounds: int = 10) -> tuple[float, float, float]:
    """Return the median of theirs / ours over rounds, and the median seconds of a call of either.

    A round calls each in a row for 0.2 s or more, as `python -m timeit` does. The two take turns, so that whatever else
    the machine does meets both.
    """
    timers = [(timer, timer.autorange()[0]) for timer in map(Timer, (ours, theirs))]
    pairs = [[timer.timeit(calls) / calls for timer, calls in timers] for _ in range(rounds)]
    ratio = statistics.median(other / own for own, other in pairs)
    return ratio, statistics.median(own for own, _ in pairs), statistics.median(other for _, other in pairs)


def in_turns(ours: Callable[[], Any], theirs: Callable[[], Any], rounds: int = 200) -> float:
    """Return the median of theirs / ours, one call after the other: each finds the caches as the other left them."""
    return statistics.median(seconds(theirs) / seconds(ours) for _ in range(rounds))


def milliseconds(*times: float) -> str:
    return " against ".join(f"{1e3 * each:.3g} ms" for each in times)
