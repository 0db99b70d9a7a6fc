"""The one door through which paddle, PaddleOCR and paddlex come in.

Importing and running them changes the process, and this undoes it, see `process`; a PaddleOCR checkout also holds a
`paddleocr` that shadows the installed one, and a `tools` that shadows the user's.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from pytest_ocrparity.backends.process import restored
from pytest_ocrparity.errors import ModelError

__all__ = ["checkout", "folder_module", "third_party"]

FROM_CHECKOUT: Final = ("ppocr", "tools")
LIBRARIES: Final = {"libGL": "libgl1", "libgthread": "libglib2.0-0", "libglib": "libglib2.0-0"}
"""What cv2 needs and slim machines lack, and the Debian package that has it."""

EXTRAS: Final = {
    **dict.fromkeys(("paddle", "paddleocr", "paddlex"), "paddle"),
    **dict.fromkeys(("albumentations", "cv2", "lmdb", "pyclipper", "rapidfuzz", "skimage", "tqdm"), "train"),
}
"""The extra of this package that brings a module."""


@contextmanager
def third_party() -> Iterator[None]:
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
        raise ModelError(_missing(error)) from error


def _missing(error: ImportError) -> str:
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
def checkout(root: Path | None) -> Iterator[None]:
    """Let `import ppocr` find a PaddleOCR checkout, without putting the checkout on `sys.path`.

    The user's own `tools` and `sys.path` are back afterwards; `ppocr` stays imported, and so do finders that imports
    put on `sys.meta_path`: six and setuptools load modules through theirs later. None means a `ppocr` that is
    importable already.

    Raises:
        ModelError: the folder has no `ppocr`, this process uses another checkout already, or, see `third_party`,
            something is not installed.
    """
    path = list(sys.path)
    finders: list[MetaPathFinder] = []
    if root is not None:
        _check_checkout(root)
        finders = [_CheckoutFinder(root)]
    sys.meta_path[:0] = finders
    try:
        with third_party(), _set_aside("tools"):
            yield
    finally:
        # Several modules of ppocr put their checkout first on sys.path when they are imported.
        sys.path[:] = path
        for finder in finders:
            sys.meta_path.remove(finder)


def _check_checkout(root: Path) -> None:
    if not (root / "ppocr" / "__init__.py").is_file():
        nested = next((path for path in root.glob("*/ppocr/__init__.py")), None)
        hint = f"; {nested.parents[1]} has one" if nested else ": it must be a PaddleOCR checkout"
        if not root.is_dir():
            raise ModelError(f"{root}: no such folder (set in train.paddleocr_root)")
        raise ModelError(f"{root} holds no folder ppocr{hint} (set in train.paddleocr_root)")
    loaded = sys.modules.get("ppocr")
    if loaded is not None and (origin := _folder(loaded)) != (root / "ppocr").resolve():
        raise ModelError(
            f"this process has already imported ppocr from {origin}, so {root} cannot be used as well: "
            "run the two projects in two pytest commands"
        )


def package_folder(name: str) -> Path:
    """Return the folder of a package that was imported."""
    folder = _folder(sys.modules[name])
    assert folder is not None  # none of a namespace, which ppocr is not
    return folder


def _folder(module: ModuleType) -> Path | None:
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


def folder_module(reference: str, folder: Path | None) -> Any:
    """Return the object that "package.module:name" names, with `folder` first on `sys.path` while it is imported.

    A module of that name that came from another folder, as with two projects in one run, is not mistaken for it.

    Raises:
        ModelError: the reference has another form, there is no such module or name, or the module does not import.
    """
    module_name, _, name = reference.partition(":")
    if not module_name or not name:
        raise ModelError(f'train.network is {reference!r}, not "package.module:function"')
    path = list(sys.path)
    sys.path[:0] = [str(folder)] if folder is not None else []
    try:
        return getattr(_imported(module_name, folder), name)
    except Exception as error:  # whatever the user's module raises
        raise ModelError(f"train.network = {reference!r} (looked in {folder} first): {_said(error)}") from error
    finally:
        sys.path[:] = path


def _said(error: Exception) -> str:
    """Return an error's text, after its kind where the text does not speak for itself."""
    return str(error) if isinstance(error, ImportError | AttributeError) else f"{type(error).__name__}: {error}"


def _imported(name: str, folder: Path | None) -> ModuleType:
    top = name.partition(".")[0]
    mine = PathFinder.find_spec(top, [str(folder)]) if folder is not None else None
    if mine is None or _is_loaded(mine):
        return importlib.import_module(name)
    with _set_aside(top):
        importlib.invalidate_caches()
        return importlib.import_module(name)


def _is_loaded(spec: ModuleSpec) -> bool:
    """Tell whether an import of this name gets this very module: it is loaded, or nothing of that name is."""
    loaded = sys.modules.get(spec.name)
    if loaded is None:
        return True
    one, two = ((each.origin, list(each.submodule_search_locations or ())) for each in (spec, loaded.__spec__ or spec))
    return one == two
