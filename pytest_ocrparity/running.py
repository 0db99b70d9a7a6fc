"""What holds for the test that this process is running, in every thread of it.

A context variable would not do: a thread starts without its values, so that what a test asserts in one would be judged
by the built-in limits, and nobody would hear of it.
"""

from __future__ import annotations

from typing import Generic, TypeVar

__all__ = ["OfTheTest"]

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
