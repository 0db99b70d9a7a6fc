"""Taps on the objects inside paddleocr's predictor: they record what passes, can put something in its place, or stop.

The objects themselves run; attributes of a tapped object still read through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Call", "Stopped", "Tap", "Taps"]


class Stopped(BaseException):
    """A tap has ended a run on purpose; no `except Exception` of a library takes it for a fault."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a tapped object."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    result: Any = None


@dataclass
class Taps:
    """The taps of one predictor, which share one run.

    Attributes:
        calls: by name, the first call of each tapped object in the current run; only those that ended.
        instead: by name, what a tapped object returns in the current run without being called.
        replaced: by name, what is called in its place in the current run.
        stop_at: the tapped object whose call ends the current run; what it was given is recorded.
    """

    calls: dict[str, Call] = field(default_factory=dict)
    instead: Mapping[str, Any] = field(default_factory=dict)
    replaced: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    stop_at: str | None = None

    @contextmanager
    def run(
        self,
        *,
        instead: Mapping[str, Any] | None = None,
        replaced: Mapping[str, Callable[..., Any]] | None = None,
        stop_at: str | None = None,
    ) -> Iterator[dict[str, Call]]:
        """Record one run, which ends quietly where it is told to stop."""
        self.calls, self.instead, self.replaced, self.stop_at = {}, instead or {}, replaced or {}, stop_at
        try:
            yield self.calls
        except Stopped:
            pass
        finally:
            self.calls, self.instead, self.replaced, self.stop_at = {}, {}, {}, None  # holds no arrays between runs

    def passing(self, name: str, real: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Let one call of a tapped object pass."""
        if name == self.stop_at:
            self.calls.setdefault(name, Call(args, kwargs))
            raise Stopped
        result = self.instead[name] if name in self.instead else self.replaced.get(name, real)(*args, **kwargs)
        self.calls.setdefault(name, Call(args, kwargs, result))
        return result


class Tap:
    """Stands in the place of a callable object."""

    def __init__(self, name: str, real: Callable[..., Any], taps: Taps) -> None:
        """Stand for `real` in the runs of `taps`."""
        self._name, self._real, self._taps = name, real, taps

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the real object, unless the run says otherwise."""
        return self._taps.passing(self._name, self._real, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        """Read an attribute of the real object."""
        return getattr(self._real, name)
