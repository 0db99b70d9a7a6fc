"""The state of the user's process that frameworks change, and how it is put back.

Knows what numpy, logging, the C library, OpenMP, MKL and paddle keep for a whole process; what is imported is not its
matter. Some of what an import leaves has to stay: hooks of `atexit`, the finders that six and setuptools put on
`sys.meta_path` for modules they load later, pools of threads, new loggers, and paddle's counters of names, as the
names of parameters must differ from each other.
"""

from __future__ import annotations

import ctypes
import logging
import os
import random
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import lru_cache
from typing import Any, Final

import numpy as np

__all__ = ["restored"]

OPENMP: Final = ("omp_get_max_threads", "omp_set_num_threads")
THREADS: Final = {
    **dict.fromkeys(("libiomp5.so", "libgomp.so.1", "libomp.so"), OPENMP),
    "libmklml_intel.so": ("MKL_Get_Max_Threads", "MKL_Set_Num_Threads"),
}
"""The libraries that hold a number of threads, those of paddle's wheels among them, and how it is read and set."""


SIGACTION_BYTES: Final = 256
"""More than a `struct sigaction` takes: 152 with glibc on x86-64."""

SIGNALS: Final = tuple(map(int, signal.valid_signals())) if os.name == "posix" else ()
_sigaction: Any = ctypes.CDLL(None).sigaction if SIGNALS else None


@contextmanager
def restored() -> Iterator[None]:
    """Run third-party code without its warnings, and put the state of the process back, whatever it raised.

    Where this runs already, the outer block does it.
    """
    if _RANDOM.is_swapped:
        yield
        return
    with ExitStack() as stack:
        for keep in (_environ, _loggers, _signal_handlers, _threads, _default_dtype, _RANDOM.swapped):
            stack.enter_context(keep())
        # ppocr sets seterr() where it is imported, and paddlex the print options where it logs an array.
        stack.enter_context(np.errstate())
        stack.enter_context(np.printoptions())
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _environ() -> Iterator[None]:
    """Importing paddle sets OMP_NUM_THREADS, and importing cv2 LD_LIBRARY_PATH."""
    before = dict(os.environ)
    try:
        yield
    finally:
        for key in before.keys() | os.environ.keys():
            if key not in before:
                del os.environ[key]
            elif os.environ.get(key) != before[key]:
                os.environ[key] = before[key]


@contextmanager
def _loggers() -> Iterator[None]:
    """Importing paddle gives the root logger a handler, and importing paddlex silences loggers of others."""
    named = logging.root.manager.loggerDict.values()
    known = [logging.root, *(each for each in named if isinstance(each, logging.Logger))]
    before = [
        (each, each.level, each.propagate, each.disabled, list(each.handlers), list(each.filters)) for each in known
    ]
    try:
        yield
    finally:
        for logger, level, propagate, disabled, handlers, filters in before:
            if logger.level != level:
                logger.setLevel(level)
            logger.propagate, logger.disabled = propagate, disabled
            if logger.handlers != handlers or logger.filters != filters:
                logger.handlers[:], logger.filters[:] = handlers, filters


@contextmanager
def _signal_handlers() -> Iterator[None]:
    """Paddle's C++ takes SIGSEGV and its like from faulthandler, and SIGTERM from the user, unseen by Python."""
    before = _signal_actions()
    try:
        yield
    finally:
        for number, action in _signal_actions().items():
            if action != before.get(number, action):
                _sigaction(number, before[number], None)


def _signal_actions() -> dict[int, bytes]:
    """Return what the C library does at each signal, as it keeps it."""
    buffer, found = ctypes.create_string_buffer(SIGACTION_BYTES), {}
    for number in SIGNALS:
        if _sigaction(number, None, buffer) == 0:
            found[number] = buffer.raw
    return found


@contextmanager
def _threads() -> Iterator[None]:
    """An engine sets the numbers of threads where it is made, and to 1 after each run."""
    before = [(read, write, read()) for read, write in _thread_counts()]
    try:
        yield
    finally:
        for read, write, count in before:
            if read() != count:  # what was set once no longer goes by the environment
                write(count)


def _thread_counts() -> Sequence[tuple[Callable[[], int], Callable[[int], object]]]:
    """Return how to read and set the number of threads of each library that this process has loaded."""
    return _loaded_thread_counts(len(sys.modules))


@lru_cache(maxsize=1)  # looking for what is not there takes as long as all else here, and imports load libraries
def _loaded_thread_counts(_modules: int) -> Sequence[tuple[Callable[[], int], Callable[[int], object]]]:
    found = []
    for name, (read, write) in THREADS.items() if hasattr(os, "RTLD_NOLOAD") else ():
        with suppress(OSError):
            library = ctypes.CDLL(name, mode=os.RTLD_NOLOAD)
            found.append((getattr(library, read), getattr(library, write)))
    return found


@contextmanager
def _default_dtype() -> Iterator[None]:
    """A network of the user's may set it for its own layers."""
    paddle = sys.modules.get("paddle")
    before = paddle and paddle.get_default_dtype()
    try:
        yield
    finally:
        if paddle is not None:
            paddle.set_default_dtype(before)


class _Random:
    """Random numbers of third-party code: not the user's, which it would use up, and never the same twice.

    Putting the user's state back alone would give each run the same numbers, and hide an operator that is random.
    """

    def __init__(self) -> None:
        self._own: dict[str, Any] = {}
        self.is_swapped = False

    @contextmanager
    def swapped(self) -> Iterator[None]:
        """Go on with our numbers, from where they were, and give the user's back."""
        users = _random_states()
        _set_random_states(self._own)
        self.is_swapped = True
        try:
            yield
        finally:
            self.is_swapped = False
            self._own = _random_states()
            _set_random_states(users)


_RANDOM: Final = _Random()


def _random_states() -> dict[str, Any]:
    """Return the states of the generators of Python, numpy and paddle; paddle's are those of its current device."""
    states = {"random": random.getstate(), "numpy": np.random.get_state()}
    if paddle := sys.modules.get("paddle"):
        states[paddle.get_device()] = paddle.get_rng_state()
    return states


def _set_random_states(states: dict[str, Any]) -> None:
    if "random" in states:
        random.setstate(states["random"])
        np.random.set_state(states["numpy"])
    paddle = sys.modules.get("paddle")
    if paddle is not None and (device := paddle.get_device()) in states:
        paddle.set_rng_state(states[device])
