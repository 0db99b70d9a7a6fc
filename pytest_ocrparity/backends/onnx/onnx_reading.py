"""Reading an `.onnx` file with the package onnx: what it raises at a damaged one is told in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.errors import ModelError


@contextmanager
def reading_onnx(file: Path) -> Iterator[None]:
    """Read a file in this block, see `isolated`.

    Raises:
        ModelError: the file is no ONNX file, or what it holds does not fit together.
    """
    with isolated():
        try:
            yield
        except (ImportError, MemoryError, ModelError):
            raise
        except Exception as error:  # of protobuf, onnx and numpy, and of what the file says of itself
            text = " ".join(f"{type(error).__name__}: {error}".split())
            raise ModelError(f"{file}: not read: it is no whole ONNX file: {text[:300]}") from error
