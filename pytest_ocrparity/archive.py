"""One baseline on disk: a `.npz` with its manifest inside, written whole or not at all.

This module knows files and digests. Nothing in a file is believed before it is checked, and nothing is unpickled.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import re
import secrets
import struct
import time
import zipfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.codec import decode, encode, pack, unpack
from pytest_ocrparity.errors import GoldenCorrupt, GoldenError, GoldenMissing
from pytest_ocrparity.pipelines.staged import LFS_POINTER
from pytest_ocrparity.trace import Trace
from pytest_ocrparity.versions import environment

__all__ = ["FORMAT", "Golden", "is_baseline", "load", "save"]

FORMAT = 1
_Array: TypeAlias = "npt.NDArray[Any]"
_NPY: Any = np.lib.format  # NumPy 1.26 and 2 type it differently
_MOST_BYTES = 2**29  # of all arrays of one file: a trace of 8,000 x 8,000 px; reading takes a multiple of it
_MOST_MANIFEST = 2**20  # bytes of JSON: reading takes up to 30 times as much
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # bz2 and lzma unpack whole blocks, however little is asked for
_START = b"\x93NUMPY\x01\x00"
_HEADER = re.compile(rb"\{'descr': '\|u1', 'fortran_order': False, 'shape': \(([\d, ]*)\), \} *\n")
_DEFLATE_MOST = 1032  # no deflate stream grows by more, so a larger claim is a lie
_LEFTOVER_SECONDS = 3600  # nothing writes one file for an hour
_NOT_OURS = (
    *(zipfile.BadZipFile, zlib.error, struct.error, OSError, EOFError, RuntimeError),  # RuntimeError: too deep JSON
    *(ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError),
)


@dataclass(frozen=True, slots=True)
class Golden:
    """A baseline: the trace, called "baseline (train)" or "baseline (inference)", and the manifest it came with."""

    trace: Trace
    manifest: Mapping[str, Any]


def save(
    path: Path,
    trace: Trace,
    *,
    reference: str,
    fingerprint: Mapping[str, str] | None = None,
    options: Mapping[str, Any] | None = None,
    lossless: bool = False,
) -> None:
    """Write a trace, measured floor and fused map included, whole or not at all.

    Probabilities are kept to 1 / 65535 unless `lossless`, every pixel on its side of the `thresh` that ran; the rest
    is exact. Pixels of the decoded image, `source` and `recorded_from` are left out.

    Raises:
        GoldenError: the trace stopped before its end, or the file cannot be written; an older file stays whole.
    """
    if trace.error is not None:
        raise GoldenError(f"{trace.image}: nothing to record, {trace.pipeline} stopped: {trace.error}")
    trace = trace.measured()
    arrays, steps_error = encode(trace, lossless)
    packed = {name: pack(array) for name, array in arrays.items()}
    members = {name: planes for name, (planes, _) in packed.items()}
    if (size := sum(member.nbytes for member in members.values())) > _MOST_BYTES - 2 * _MOST_MANIFEST:
        raise GoldenError(f"{trace.image}: its trace has {size} bytes, and a baseline takes {_MOST_BYTES}")
    image = trace.decode
    manifest = {
        "format": FORMAT,
        "reference": reference,
        "image": trace.image,
        "image_sha256": trace.image_sha256,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "versions": environment(),
        "options": dict(options or {}),
        "fingerprint": dict(fingerprint or {}),
        "parameters": trace.parameters,
        "decode": image and [list(image.shape), image.dtype, image.channel_order, image.sha256],
        "shape": trace.shape,
        "floor": trace.floor,
        "map_error": trace.map_error + steps_error,
        "arrays": {
            name: [str(array.dtype), list(array.shape), packed[name][1], hashlib.sha256(members[name].data).hexdigest()]
            for name, array in arrays.items()
        },
    }
    text = json.dumps(manifest, indent=1, default=str).encode()
    _replace(path, {"manifest": np.frombuffer(text, np.uint8), **members})


def load(path: Path) -> Golden:
    """Read a baseline. Its parameters come back as JSON has them: tuples as lists.

    Raises:
        GoldenMissing: there is no such file.
        GoldenCorrupt: the file is damaged, foreign, or of a newer format.
        GoldenError: the file cannot be read.
    """
    data = _bytes(path)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            manifest = _manifest(archive)
            if manifest["format"] == FORMAT:
                _check_kinds(manifest)
                arrays = {name: _array(archive, name, *how) for name, how in manifest["arrays"].items()}
                return Golden(decode(arrays, manifest), manifest)
    except _NOT_OURS as error:
        raise GoldenCorrupt(
            f"{path} is not a whole baseline ({error}): restore it, or record it again with: "
            "pytest --ocr-golden --ocr-golden-mode=all"
        ) from error
    raise GoldenCorrupt(
        f"{path} has format {manifest['format']}, and this version of pytest-ocrparity reads format {FORMAT}: "
        "update pytest-ocrparity"
    )


def _bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes() if path.stat().st_size <= _MOST_BYTES else b""
    except FileNotFoundError as error:
        raise GoldenMissing(f"{path}: no such baseline") from error
    except OSError as error:
        raise GoldenError(f"{path}: cannot read this baseline: {error.strerror or error}") from error
    if data.startswith(LFS_POINTER):
        raise GoldenCorrupt(f"{path} is a git-lfs pointer, not a baseline: run `git lfs pull`")
    return data


def _array(archive: zipfile.ZipFile, name: str, kind: str, shape: list[int], axes: list[int], digest: str) -> _Array:
    planes = _member(archive, name)
    if hashlib.sha256(planes.data).hexdigest() != digest:
        raise ValueError(f"{name} is not what was recorded")
    return unpack(planes, kind, shape, axes)


def _manifest(archive: zipfile.ZipFile) -> dict[str, Any]:
    if sum(info.file_size for info in archive.infolist()) > _MOST_BYTES:
        raise ValueError(f"it claims to hold more than {_MOST_BYTES} bytes")
    if archive.getinfo("manifest.npy").file_size > _MOST_MANIFEST:
        raise ValueError(f"its manifest has more than {_MOST_MANIFEST} bytes")
    manifest = json.loads(_member(archive, "manifest").tobytes())
    if not isinstance(manifest, dict) or type(manifest.get("format")) is not int or manifest["format"] < FORMAT:
        raise ValueError("its manifest has no format number")
    return manifest


def _check_kinds(manifest: Mapping[str, Any]) -> None:
    """Check what `decode` does not use and others do."""
    tables = (manifest[name] for name in ("options", "fingerprint", "arrays"))
    if not all(isinstance(table, dict) for table in tables) or not isinstance(manifest["reference"], str):
        raise ValueError("its manifest holds values of another kind than recorded ones")


def _member(archive: zipfile.ZipFile, name: str) -> npt.NDArray[np.uint8]:
    """Return one uint8 array, its claimed size checked before any memory is taken."""
    info = archive.getinfo(f"{name}.npy")
    if info.file_size > _DEFLATE_MOST * info.compress_size + 1024 or info.compress_type not in _METHODS:
        raise ValueError(f"{name} claims {info.file_size} bytes of {info.compress_size}, method {info.compress_type}")
    with archive.open(info) as file:
        start = file.read(len(_START) + 2)
        # NumPy's own reader parses headers as Python, and warns; ours are all of this one form.
        header = file.read(int.from_bytes(start[len(_START) :], "little"))
        found = _HEADER.fullmatch(header)
        if not start.startswith(_START) or found is None:
            raise ValueError(f"{name} is no array of bytes: {(start + header)[:100]!r}")
        shape = [int(side) for side in found[1].replace(b",", b" ").split()]
        if math.prod(shape) != info.file_size - len(start) - len(header):
            raise ValueError(f"{name} has shape {shape} in {info.file_size} bytes")
        # Never more than was claimed: `read()` unpacks first and cuts then.
        return np.frombuffer(file.read(info.file_size), np.uint8).reshape(shape)


def _replace(path: Path, members: Mapping[str, _Array]) -> None:
    """Write the file beside its place, then move it there in one step."""
    temporary = path.parent / f".ocrparity-{os.getpid()}-{secrets.token_hex(4)}.tmp"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path.parent)
        with temporary.open("xb") as file:
            with zipfile.ZipFile(file, "w") as archive:
                for name, array in members.items():
                    content = io.BytesIO()
                    _NPY.write_array(content, array, version=(1, 0), allow_pickle=False)
                    # A ZipInfo of our own has no clock in it: equal arrays make equal bytes.
                    archive.writestr(zipfile.ZipInfo(f"{name}.npy"), content.getvalue(), zipfile.ZIP_DEFLATED, 6)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise GoldenError(f"{path}: cannot write this baseline: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def _remove_leftovers(folder: Path) -> None:
    for leftover in folder.glob(".ocrparity-*.tmp"):
        with suppress(OSError):  # another process may be as tidy
            if time.time() - leftover.stat().st_mtime > _LEFTOVER_SECONDS:
                leftover.unlink()


def is_baseline(path: Path) -> bool:
    """Tell whether a file has a manifest of ours, without reading its arrays."""
    try:
        with zipfile.ZipFile(path) as archive:
            return "arrays" in _manifest(archive)
    except _NOT_OURS:
        return False
