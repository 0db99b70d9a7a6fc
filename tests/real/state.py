"""What a process keeps for everybody in it: read, and compared. Each item has a name, such as "numpy.errstate"."""

from __future__ import annotations

import ctypes
import decimal
import faulthandler
import gc
import locale
import logging
import multiprocessing
import os
import random
import resource
import signal
import socket
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from pytest_ocrparity.backends.isolation import THREADS

__all__ = ["changes", "snapshot", "thread_counts"]

State = dict[str, object]


def snapshot() -> State:
    """Return all items by name. Frameworks that are not imported have none."""
    state = {**_python(), **_system(), **_numbers(), **_loggers()}
    if "cv2" in sys.modules:
        state |= _cv2()
    if "paddle" in sys.modules:
        state |= _paddle()
    return state


def changes(before: Mapping[str, object], after: Mapping[str, object]) -> dict[str, str]:
    """Return what differs, by name, in words. What is new, such as a framework's own items, is no change."""
    return {name: f"{old!r} became {after.get(name)!r}" for name, old in before.items() if old != after.get(name)}


def _python() -> State:
    hooks = ("excepthook", "unraisablehook", "displayhook", "breakpointhook")
    return {
        "sys.path": list(sys.path),
        "sys.meta_path": list(map(repr, sys.meta_path)),
        "sys.path_hooks": list(map(repr, sys.path_hooks)),
        "sys.argv": list(sys.argv),
        "sys.recursionlimit": sys.getrecursionlimit(),
        "sys.switchinterval": sys.getswitchinterval(),
        "sys.dlopenflags": sys.getdlopenflags(),
        "sys.streams": [id(stream) for stream in (sys.stdin, sys.stdout, sys.stderr)],
        "sys.hooks": [repr(getattr(sys, name)) for name in hooks],
        "threading.hooks": [repr(threading.excepthook), repr(sys.gettrace()), repr(sys.getprofile())],
        "warnings.filters": list(map(repr, warnings.filters)),
        "warnings.functions": [repr(warnings.showwarning), repr(warnings.formatwarning)],
        "gc": (gc.isenabled(), gc.get_threshold(), gc.get_debug()),
        "decimal": repr(decimal.getcontext()),
        "tempfile": tempfile.tempdir,
        "socket": socket.getdefaulttimeout(),
        "multiprocessing": multiprocessing.get_start_method(allow_none=True),
        "faulthandler": faulthandler.is_enabled(),
    }


def _system() -> State:
    umask = os.umask(0o22)
    os.umask(umask)
    names = [name for name in dir(resource) if name.startswith("RLIMIT_")]
    return {
        "environ": dict(os.environ),
        "cwd": os.getcwd(),  # noqa: PTH109
        "umask": umask,
        "nice": os.nice(0),
        "affinity": sorted(os.sched_getaffinity(0)),
        "locale": locale.setlocale(locale.LC_ALL),
        "limits": {name: resource.getrlimit(getattr(resource, name)) for name in names},
        "signals.python": {int(number): repr(signal.getsignal(number)) for number in signal.valid_signals()},
        "signals.system": dict(_handlers()),
    }


def _handlers() -> Iterator[tuple[int, bytes]]:
    """Yield the address of each signal's handler, which C++ may have set unseen by Python."""
    library = ctypes.CDLL(None)
    for number in signal.valid_signals():
        action = ctypes.create_string_buffer(256)
        if library.sigaction(int(number), None, action) == 0:
            yield int(number), action.raw[:8]


def _numbers() -> State:
    name, keys, *rest = np.random.get_state()
    return {
        "random": random.getstate(),
        "numpy.random": (name, np.asarray(keys).tobytes(), rest),
        "numpy.errstate": (np.geterr(), np.geterrcall(), np.getbufsize()),
        "numpy.printoptions": repr(np.get_printoptions()),
        **{f"threads.{library}": read() for library, read, _ in thread_counts()},
    }


def thread_counts() -> Iterator[tuple[str, Callable[[], int], Callable[[int], object]]]:
    """Yield the loaded libraries that hold a number of threads, and how it is read and set."""
    for library, (read, write) in THREADS.items():
        with suppress(OSError):
            loaded = ctypes.CDLL(library, mode=os.RTLD_NOLOAD)
            yield library, getattr(loaded, read), getattr(loaded, write)


def _loggers() -> State:
    named = logging.root.manager.loggerDict.items()
    loggers = {"root": logging.root, **{name: each for name, each in named if isinstance(each, logging.Logger)}}
    told = {f"logging.{name}": _told(logger) for name, logger in loggers.items()}
    return {**told, "logging": (logging.root.manager.disable, repr(logging.getLoggerClass()))}


def _told(logger: logging.Logger) -> tuple[object, ...]:
    return logger.level, logger.propagate, logger.disabled, list(logger.handlers), list(logger.filters)


def _cv2() -> State:
    import cv2

    flags = (cv2.useOptimized(), cv2.ocl.useOpenCL(), cv2.ipp.useIPP())
    return {"cv2.threads": cv2.getNumThreads(), "cv2.flags": flags}


def _paddle() -> State:
    import paddle

    flags: Any = paddle.base.core.globals()
    numbers = paddle.get_rng_state()
    drawn = paddle.rand([4]).numpy().tolist() if paddle.in_dynamic_mode() else None
    paddle.set_rng_state(numbers)
    return {
        "paddle.device": paddle.get_device(),
        "paddle.dtype": paddle.get_default_dtype(),
        "paddle.dynamic": (paddle.in_dynamic_mode(), paddle.framework.in_pir_mode()),
        "paddle.grad": paddle.is_grad_enabled(),
        "paddle.random": drawn,
        "paddle.seed": paddle.static.default_main_program().random_seed,
        "paddle.flags": {name: flags[name] for name in flags.keys() if flags.is_public(name)},  # noqa: SIM118
    }
