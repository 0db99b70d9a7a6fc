"""Imports and runs paddle, PaddleOCR and paddlex without lasting changes to the process.

Importing and running them changes the process, and this undoes it, see `process`; a PaddleOCR checkout also holds a
`paddleocr` that shadows the installed one, and a `tools` that shadows the user's.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import logging
import os
import random
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import lru_cache
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np

from pytest_ocrparity.errors import ModelError

FROM_CHECKOUT: Final = ("ppocr", "tools")
LIBRARIES: Final = {"libGL": "libgl1", "libgthread": "libglib2.0-0", "libglib": "libglib2.0-0"}
"""What cv2 needs and slim machines lack, and the Debian package that has it."""

EXTRAS: Final = {
    **dict.fromkeys(("paddle", "paddleocr", "paddlex"), "paddle"),
    **dict.fromkeys(("albumentations", "cv2", "lmdb", "pyclipper", "rapidfuzz", "skimage", "tqdm"), "train"),
    "onnxruntime": "onnx",
    **{name: name for name in ("openvino", "rapidocr")},
}
"""The extra of this package that brings a module."""


@contextmanager
def isolated() -> Iterator[None]:
    """Run code of paddle, PaddleOCR or paddlex: without its warnings, and with the state of the process put back.

    What a framework leaves when it is imported is put back by the block that imports it; to put back what it then
    changes in itself, such as its random numbers, use another block.

    Raises:
        ModelError: something they need is not installed; the text names the extra or the system package.
    """
    try:
        with restored():
            yield
    except ImportError as error:
        raise ModelError(_import_error_text(error)) from error


def _import_error_text(error: ImportError) -> str:
    if any(library in str(error) for library in LIBRARIES):
        packages = " ".join(dict.fromkeys(LIBRARIES.values()))
        return f"cv2 does not load: {error}. On Debian or Ubuntu: apt-get install {packages}"
    top = (error.name or "").partition(".")[0]
    if top in FROM_CHECKOUT:
        return (
            f"{error}: set train.paddleocr_root to a PaddleOCR checkout; without one, "
            "`pip install --no-deps --target DIR paddleocr==2.10.0` and set it to DIR/paddleocr"
        )
    if top in EXTRAS:
        return f'{error}: pip install "pytest-ocrparity[{EXTRAS[top]}]"'
    return f"{error}: install what has it; PaddleOCR lists what its checkout needs in requirements.txt"


class _CheckoutFinder(MetaPathFinder):
    """Finds the top-level `ppocr` and `tools` in a checkout, and nothing else."""

    def __init__(self, root: Path) -> None:
        self._root = str(root)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return PathFinder.find_spec(fullname, [self._root]) if fullname in FROM_CHECKOUT else None


@contextmanager
def isolated_checkout(root: Path | None, setting: str = "train.paddleocr_root") -> Iterator[None]:
    """Let `import ppocr` find a PaddleOCR checkout, without putting the checkout on `sys.path`.

    The user's own `tools` and `sys.path` are back afterwards; `ppocr` stays imported, and so do finders that imports
    put on `sys.meta_path`: six and setuptools load modules through theirs later. None means a `ppocr` that is
    importable already; `setting` is what names it, for messages.

    Raises:
        ModelError: the folder has no `ppocr`, this process uses another checkout already, or, see `isolated`,
            something is not installed.
    """
    path = list(sys.path)
    finders: list[MetaPathFinder] = []
    if root is not None:
        check_checkout(root, setting)
        finders = [_CheckoutFinder(root)]
    sys.meta_path[:0] = finders
    try:
        with isolated(), _set_aside("tools"):
            yield
    finally:
        # Several modules of ppocr put their checkout first on sys.path when they are imported.
        sys.path[:] = path
        for finder in finders:
            sys.meta_path.remove(finder)


def check_checkout(root: Path, setting: str = "train.paddleocr_root") -> None:
    """Check that a folder holds PaddleOCR's code, and that this process uses no other.

    Raises:
        ModelError: it does not.
    """
    if not (root / "ppocr" / "__init__.py").is_file():
        nested = next((path for path in root.glob("*/ppocr/__init__.py")), None)
        hint = f"; {nested.parents[1]} has one" if nested else ": it must be a PaddleOCR checkout"
        if not root.is_dir():
            raise ModelError(f"{root}: no such folder (set in {setting})")
        raise ModelError(f"{root} holds no folder ppocr{hint} (set in {setting})")
    loaded = sys.modules.get("ppocr")
    if loaded is not None and (origin := _package_folder(loaded)) != (root / "ppocr").resolve():
        raise ModelError(
            f"this process has already imported ppocr from {origin}, so {root} cannot be used as well: "
            "run the two projects in two pytest commands; where train side and deployment have one each, record "
            "baselines with the one (--ocr-golden) and compare them with the other (--ocr-no-train)"
        )


def check_ppocr() -> None:
    """Check that PaddleOCR's code can be imported without a checkout. Raises ModelError where it cannot."""
    if "ppocr" not in sys.modules and importlib.util.find_spec("ppocr") is None:
        raise ModelError(_import_error_text(ModuleNotFoundError("No module named 'ppocr'", name="ppocr")))


def package_folder(name: str) -> Path:
    """Return the folder of a package that was imported."""
    folder = _package_folder(sys.modules[name])
    assert folder is not None  # none of a namespace, which ppocr is not
    return folder


def _package_folder(module: ModuleType) -> Path | None:
    """Return the folder of a package, or of the file of a module."""
    return Path(module.__file__).resolve().parent if module.__file__ else None


@contextmanager
def _set_aside(top: str) -> Iterator[None]:
    """Hide a top-level module and its submodules from imports, and bring them back."""

    def take() -> dict[str, ModuleType]:
        return {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == top}

    users = take()
    try:
        yield
    finally:
        take()
        sys.modules.update(users)


@contextmanager
def importing_from(folder: Path | None) -> Iterator[None]:
    """Let imports look into a folder first."""
    path = list(sys.path)
    sys.path[:0] = [str(folder)] if folder is not None else []
    try:
        yield
    finally:
        sys.path[:] = path


def import_entry_point(reference: str, folder: Path | None, *, setting: str = "train.network") -> Any:
    """Return the object that "package.module:name" names, with `folder` first on `sys.path` while it is imported.

    A module of that name that came from another folder, as with two projects in one run, is not mistaken for it.

    Args:
        reference: the value of a setting.
        folder: where the user's module is looked for first.
        setting: its name, for messages.

    Raises:
        ModelError: the reference has another form, there is no such module or name, or the module does not import.
    """
    module_name, name = _split_entry_point(reference, setting)
    try:
        with importing_from(folder):
            return getattr(_import_module(module_name, folder), name)
    except (Exception, SystemExit) as error:  # whatever the user's module raises
        raise ModelError(f"{setting} = {reference!r} (looked in {folder} first): {_error_text(error)}") from error


def check_entry_point(reference: str, folder: Path | None, *, setting: str = "train.network") -> None:
    """Check that there is a module for "package.module:name", without running any code of it.

    Raises:
        ModelError: the reference has another form, or no such module is found.
    """
    module_name, _ = _split_entry_point(reference, setting)
    parts, path = module_name.split("."), [str(folder)] if folder is not None else []
    path += sys.path
    for number, part in enumerate(parts, 1):
        name = ".".join(parts[:number])
        spec = PathFinder.find_spec(name, path) if part else None
        if spec is None and part and number == 1:
            with suppress(ValueError):  # a module that was made without a spec
                spec = importlib.util.find_spec(part)  # a finder of an editable install knows names that lie on no path
        if spec is None:
            raise ModelError(f"{setting} = {reference!r} (looked in {folder} first): No module named {name!r}")
        if number < len(parts) and spec.submodule_search_locations is None:
            raise ModelError(f"{setting} = {reference!r} (looked in {folder} first): {name!r} is not a package")
        path = list(spec.submodule_search_locations or ())


def _split_entry_point(reference: str, setting: str) -> tuple[str, str]:
    """Return the module and the name of "package.module:name"."""
    module_name, _, name = reference.partition(":")
    if not module_name or not name:
        raise ModelError(f'{setting} is {reference!r}, not "package.module:function"')
    return module_name, name


def _error_text(error: BaseException) -> str:
    """Return an error's text; for other than import and attribute errors, after the name of its class."""
    return str(error) if isinstance(error, ImportError | AttributeError) else f"{type(error).__name__}: {error}"


def _import_module(name: str, folder: Path | None) -> ModuleType:
    top = name.partition(".")[0]
    mine = PathFinder.find_spec(top, [str(folder)]) if folder is not None else None
    if mine is None or _is_loaded(mine):
        return importlib.import_module(name)
    with _set_aside(top):
        importlib.invalidate_caches()
        return importlib.import_module(name)


def _is_loaded(spec: ModuleSpec) -> bool:
    """Return whether an import of this name gets this very module: it is loaded, or nothing of that name is."""
    loaded = sys.modules.get(spec.name)
    if loaded is None:
        return True
    searched, running = (
        (each.origin, list(each.submodule_search_locations or ())) for each in (spec, loaded.__spec__ or spec)
    )
    return searched == running


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
        for keep in (
            _restored_environ,
            _restored_loggers,
            _restored_signal_handlers,
            _restored_thread_counts,
            _restored_default_dtype,
            _RANDOM.swapped,
        ):
            stack.enter_context(keep())
        # ppocr sets seterr() where it is imported, and paddlex the print options where it logs an array.
        stack.enter_context(np.errstate())
        stack.enter_context(np.printoptions())
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _restored_environ() -> Iterator[None]:
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
def _restored_loggers() -> Iterator[None]:
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
def _restored_signal_handlers() -> Iterator[None]:
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
def _restored_thread_counts() -> Iterator[None]:
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
def _restored_default_dtype() -> Iterator[None]:
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
