"""What an assertion knows of the run around it. A module of its own, as every pytest run loads it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from pytest_ocrparity.tolerance import BUILT_IN, Tolerance

if TYPE_CHECKING:
    from pytest_ocrparity.comparison import Comparison, DifferenceError
    from pytest_ocrparity.diagnose.cache import Memory
    from pytest_ocrparity.diagnosis import Diagnosis
    from pytest_ocrparity.trace import Trace


Value = TypeVar("Value")


class OfTheTest(Generic[Value]):
    """A value that the plugin sets around each test, and puts back, as runs can nest."""

    def __init__(self, default: Value) -> None:
        """Hold what is true outside of tests."""
        self._value = default

    def get(self) -> Value:
        """Return the value."""
        return self._value

    def set(self, value: Value) -> Value:
        """Set another value; return the one before, which `reset` takes."""
        before, self._value = self._value, value
        return before

    def reset(self, before: Value) -> None:
        """Put back what `set` returned."""
        self._value = before


__all__ = ["Listener", "OfTheTest", "Value", "current_tolerance", "is_in_a_run", "listener"]


class Listener(Protocol):
    """Who hears what assertions find: the plugin around each test, and nobody elsewhere."""

    @property
    def diagnoses(self) -> Memory:
        """What the run has diagnosed so far, made on first use."""
        ...

    def hear(self, judged: Comparison, reference: Trace, candidate: Trace) -> None:
        """Hear of a comparison that an assertion judged, before anything else is done about it."""
        ...

    def hear_failure(
        self,
        judged: Comparison,
        comparisons: Sequence[Comparison],
        diagnoses: Sequence[Diagnosis],
        message: str,
        sides: tuple[Trace, Trace],
    ) -> None:
        """Hear what became of one that failed: all comparisons of its image, the diagnoses, and the whole message."""
        ...

    def hear_error(self, error: DifferenceError) -> None:
        """Hear what an assertion is raising, which the test may catch."""
        ...


listener: OfTheTest[Listener | None] = OfTheTest(None)
"""Who listens to the running test; None elsewhere, where each failure is diagnosed by itself."""


def is_in_a_run() -> bool:
    """Tell whether somebody listens who will judge the limits that hold for a whole run."""
    return listener.get() is not None


current_tolerance: OfTheTest[Callable[[], Tolerance]] = OfTheTest(lambda: BUILT_IN)
"""Tells the tolerance of the running test, markers that its fixtures added included; elsewhere the built-in one."""
