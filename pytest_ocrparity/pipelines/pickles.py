"""A checkpoint is a pickle, and a pickle is a program: this looks at which globals it names, and runs none of them."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, Final

from pytest_ocrparity.errors import ModelError

__all__ = ["check_pickle"]

HARMLESS: Final = frozenset(
    {
        ("_codecs", "encode"),
        ("numpy", "dtype"),
        ("numpy", "ndarray"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy.core.multiarray", "_reconstruct"),
    }
)
"""All that a `.pdparams` of arrays names, whichever numpy wrote it."""


class _Hollow:
    """Stands for whatever a pickle builds: takes any arguments and state, and keeps nothing."""

    def __new__(cls, *_: Any) -> _Hollow:
        return super().__new__(cls)

    def __setstate__(self, state: Any) -> None:
        """Keep nothing."""

    def __hash__(self) -> int:
        return 0


class _Inspector(pickle.Unpickler):
    """Goes through a whole pickle without importing or calling anything that it names."""

    def find_class(self, module: str, name: str) -> type[_Hollow]:
        if (module, name) not in HARMLESS:
            raise _ForeignError(f"{module}.{name}")
        return _Hollow


class _ForeignError(Exception):
    """A pickle names a global that no array needs."""


def check_pickle(path: Path) -> None:
    """Check that a checkpoint is whole and that loading it runs nothing but numpy's array constructors.

    Raises:
        ModelError: it names another global (and how to load it all the same), it is cut off, or it is no pickle of a
            mapping.
    """
    try:
        with path.open("rb") as file:
            # paddle.load reads old checkpoints with this encoding, too.
            content = _Inspector(file, encoding="latin1").load()
    except _ForeignError as error:
        raise ModelError(
            f"{path}: this checkpoint's pickle names {error}, which loading would run; no plain checkpoint does. "
            "If you trust where it comes from, set train.trust_checkpoint = true"
        ) from None
    except Exception as error:  # a damaged pickle raises nearly anything
        raise ModelError(
            f"{path}: not a whole checkpoint ({type(error).__name__}: {error}): copy it again; it has "
            f"{path.stat().st_size} bytes"
        ) from error
    if not isinstance(content, dict):
        raise ModelError(
            f"{path}: holds a {type(content).__name__}, not the mapping of a paddle checkpoint (.pdparams)"
        )
