"""Stands in the places of a library's objects, and records what passes through them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from pytest_ocrparity.backends.replacing import Stopped
from pytest_ocrparity.trace import Decoded
from pytest_ocrparity.trace.decoded import read_only

RUNNER: Final = "runner"
"""The tap of the network."""
SOURCE: Final = "source"
"""The tap of what reads an image for a pipeline."""
COPIED: Final = ("Read", SOURCE, "Resize", RUNNER)
"""The taps whose results are recorded as they are when they are made."""


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
        calls: by name, the first call of each tapped object in the current run; only those that ended. What is recorded
            of images, tensor and map is a copy: a step of the user's may work in place.
        instead: by name, what a tapped object returns in the current run without being called.
        replaced: by name, what is called in its place in the current run.
        stop_at: the tapped object whose call ends the current run; what it was given is recorded.
        is_running: whether a run is on. Outside of one, who calls the object is its owner: nothing is recorded.
    """

    calls: dict[str, Call] = field(default_factory=dict)
    instead: Mapping[str, Any] = field(default_factory=dict)
    replaced: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    stop_at: str | None = None
    is_running: bool = False

    @contextmanager
    def run(
        self,
        *,
        instead: Mapping[str, Any] | None = None,
        replaced: Mapping[str, Callable[..., Any]] | None = None,
        stop_at: str | None = None,
    ) -> Iterator[dict[str, Call]]:
        """Record one run; a tap that stops it ends it without an error."""
        self.calls, self.instead, self.replaced, self.stop_at = {}, instead or {}, replaced or {}, stop_at
        self.is_running = True
        try:
            yield self.calls
        except Stopped:
            pass
        finally:
            self.calls, self.instead, self.replaced, self.stop_at = {}, {}, {}, None  # holds no arrays between runs
            self.is_running = False

    def passing(self, name: str, real: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Let one call of a tapped object pass."""
        if not self.is_running:
            return real(*args, **kwargs)
        if name == self.stop_at:
            self.calls.setdefault(name, Call(args, kwargs))
            raise Stopped
        if name in self.instead:
            result = self.instead[name]
            self.calls.setdefault(name, Call(args, kwargs, result))
            return result
        given, named = _private_copy((args, kwargs)) if name == RUNNER else (args, kwargs)
        result = self.replaced.get(name, real)(*args, **kwargs)
        self.calls.setdefault(name, Call(given, named, _private_copy(result) if name in COPIED else result))
        return result


def _private_copy(value: Any) -> Any:
    """Return lists, tuples and mappings of arrays with arrays that nobody else has."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, Mapping):
        return {key: _private_copy(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        copies = [_private_copy(each) for each in value]
        return copies if isinstance(value, list) else tuple(copies)
    return value


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


def decoded_as_tapped(call: Call, order: str) -> Decoded:
    """Return the first image of a tapped reader, whose pixels nobody else has."""
    pixels = call.result[0]
    return Decoded(pixels.shape, str(pixels.dtype), order, pixels=read_only(pixels))


def predictor_runner_inputs(call: Call) -> list[Any]:
    """Return what the runner was given: `x=[tensor]`, or in older paddlex its only argument."""
    return list(call.kwargs["x"] if "x" in call.kwargs else call.args[0])
