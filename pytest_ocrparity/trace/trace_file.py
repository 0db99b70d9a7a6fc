"""A JSON document on disk with its arrays in `.npy` files beside it: `out/page.json`, `out/page.tensor.npy`.

This module knows files, bytes and arrays, and nothing of what they mean.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from pytest_ocrparity.errors import ResultError
from pytest_ocrparity.trace.decoded import Array
from pytest_ocrparity.whole_files import write_whole_file
from pytest_ocrparity.wording import printable

KINDS: Final = "fiub"
"""Kinds of NumPy's numbers that an array may hold: floats, integers and truth values."""

_UNREADABLE: Final = (ValueError, EOFError, SyntaxError, OverflowError, RecursionError, MemoryError, TypeError)
"""What NumPy raises besides OSError of a file that is no array, or claims to be a larger one than it is."""


def trace_array_path(path: Path, name: str) -> Path:
    """Return where an array of a document lies: its file is called after both."""
    return path.with_name(f"{path.stem}.{name}.npy")


def write_trace_file(path: Path, document: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
    """Write the arrays, then the document, which names them and their digests under "arrays".

    Raises:
        OSError: a file cannot be written.
    """
    digests = {}
    for name, array in arrays.items():
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=False)
        digests[name] = hashlib.sha256(buffer.getbuffer()).hexdigest()
        write_whole_file(trace_array_path(path, name), buffer.getvalue())
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in {**document, "arrays": digests}.items()]
    # Last, so that it never names arrays of a later trace; ASCII, so that a name that is no UTF-8 comes back as it was.
    write_whole_file(path, ("{\n" + ",\n".join(lines) + "\n}\n").encode("ascii"))


def read_trace_json(data: bytes | str, where: str) -> dict[str, Any]:
    """Return the mapping that a JSON text holds; NaN and Infinity are numbers, as Python writes them.

    Raises:
        ResultError: it holds something else, or is no JSON.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        start = data[:60] if isinstance(data, str) else data[:60].decode("utf-8", "replace")
        shown = f"it begins {start!r}" if start.strip() else "it is empty"
        raise ResultError(f"{where}: not JSON ({printable(str(error))}): {shown}") from error
    if not isinstance(document, dict):
        raise ResultError(f"{where}: holds a JSON {type(document).__name__}, not the object of one image's results")
    return document


def read_trace_file(path: Path, where: str) -> bytes:
    """Return the bytes of a file. Raises ResultError where it can't be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ResultError(f"{where}: cannot read these results: {error.strerror or error}") from error


def read_trace_arrays(path: Path, digests: object, names: tuple[str, ...], where: str) -> dict[str, Array]:
    """Return the arrays of a document, as its "arrays" names them.

    Raises:
        ResultError: it names one that there can't be; a file is missing, damaged or not the one that was written.
    """
    if not isinstance(digests, dict) or not all(isinstance(each, str) for each in digests.values()):
        raise ResultError(f'{where}: "arrays" is {digests!r:.80}, not a digest for each array')
    if unknown := sorted(set(digests) - set(names)):
        raise ResultError(f'{where}: "arrays" names {", ".join(map(printable, unknown))}; known: {", ".join(names)}')
    found = {}
    for name, digest in digests.items():
        file = trace_array_path(path, name)
        if hashlib.sha256(read_trace_file(file, str(file))).hexdigest() != digest:
            raise ResultError(f"{file} is not the array that {where} was written with: write both again")
        found[name] = read_trace_array(file)
    return found


def read_trace_array(file: Path) -> Array:
    """Return the array of a `.npy` file. Raises ResultError where it holds none, or no plain numbers."""
    try:
        # Mapped, so that a file that claims to be larger than it is claims no memory.
        array = np.array(np.load(file, mmap_mode="r" if file.stat().st_size else None, allow_pickle=False))
    except OSError as error:
        raise ResultError(f"{file}: cannot read this array: {error.strerror or error}") from error
    except _UNREADABLE as error:
        raise ResultError(f"{file}: not a .npy file of plain numbers: {printable(str(error))[:200]}") from error
    if array.dtype.kind not in KINDS:
        raise ResultError(f"{file}: holds {array.dtype}, not plain numbers")
    return array
