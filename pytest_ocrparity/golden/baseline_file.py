"""One baseline on disk: a `.npz` of two byte arrays, the manifest and the compressed arrays of a trace.

Nothing in a file is believed before it is checked, and nothing is unpickled. The file is written whole or not at all.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import re
import stat
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import zstandard

from pytest_ocrparity.compare.sensitivity import with_sensitivity
from pytest_ocrparity.environment import environment
from pytest_ocrparity.errors import GoldenCorrupt, GoldenError, GoldenMissing
from pytest_ocrparity.files import LFS_POINTER
from pytest_ocrparity.golden.encoding import decode_array, decode_trace, encode_array, encode_trace, encoded_item_size
from pytest_ocrparity.trace import Array, Trace
from pytest_ocrparity.whole_files import write_whole_file

FORMAT = 2
"""Format 1 is read as well: beside an array's shape it names the axes along which the array holds differences."""

_MOST_BYTES = 2**29  # of all arrays of one file: a trace of 8,000 x 8,000 px; reading takes a multiple of it
_MOST_MANIFEST = 2**20  # bytes of JSON: reading takes up to 30 times as much
_START = b"\x93NUMPY\x01\x00"
_HEADER = re.compile(rb"\{'descr': '\|u1', 'fortran_order': False, 'shape': \((\d+),\), \} *\n")
_LEVEL = 3  # zstd's default; 9 takes six times as long to write 3 % less
_WINDOW = 2**21  # bytes that reading looks back on, at that level
_AT_ONCE = 2**26  # bytes that are believed before they are there
_UNREADABLE = (
    *(zipfile.BadZipFile, zstandard.ZstdError, struct.error, OSError, EOFError),
    *(RuntimeError, ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError),
)
"""What damaged or foreign files raise; RuntimeError is JSON that is too deep."""


@dataclass(frozen=True, slots=True)
class Golden:
    """A baseline: the trace, called "baseline (train)" or "baseline (inference)", and the manifest it came with."""

    trace: Trace
    manifest: Mapping[str, Any]


def save_baseline_file(
    path: Path,
    trace: Trace,
    *,
    reference: str,
    fingerprint: Mapping[str, str] | None = None,
    options: Mapping[str, Any] | None = None,
    lossless: bool = False,
    settings: str | None = None,
    model: Mapping[str, Any] | None = None,
) -> None:
    """Write a trace, measured floor and fused map included, whole or not at all.

    Probabilities are kept to 1 / 65535 unless `lossless`, every pixel on its side of the `thresh` that ran, or the best
    class of each timestep the best; the rest is exact. Pixels of the decoded image, `source`, `files` and
    `recorded_from` are left out.

    Args:
        path: the file.
        trace: what one side made of one image.
        reference: whose truth it is, "train" or "inference".
        fingerprint: digests of the parts of the reference model.
        options: its device and engine options.
        lossless: keep every bit of the maps.
        settings: the settings file of the run, from the baselines' folder on.
        model: what was recorded from, see `ownership.Reference.described`.

    Raises:
        GoldenError: the trace stopped before its end, holds what cannot be read back, or the file cannot be written;
            an older file stays whole.
    """
    if trace.error is not None:
        raise GoldenError(f"{trace.image}: nothing to record, {trace.pipeline} stopped: {trace.error}")
    trace = with_sensitivity(trace)
    arrays, steps_error = encode_trace(trace, lossless)
    packed = {name: encode_array(array) for name, array in arrays.items()}
    if (size := sum(planes.nbytes for planes in packed.values())) > _MOST_BYTES:
        raise GoldenError(f"{trace.image}: its trace has {size} bytes, and a baseline takes {_MOST_BYTES}")
    frame = zstandard.ZstdCompressor(_LEVEL).compress(b"".join(planes.tobytes() for planes in packed.values()))
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
        "settings": settings,
        "model": dict(model or {}),
        "parameters": trace.parameters,
        "decode": image and [list(image.shape), image.dtype, image.channel_order, image.sha256],
        "shape": trace.shape,
        "floor": trace.map_sensitivity,
        "map_error": trace.map_error + steps_error,
        "arrays": {name: [str(array.dtype), list(array.shape)] for name, array in arrays.items()},
        "arrays_sha256": hashlib.sha256(frame).hexdigest(),
    }
    if trace.recognition is not None:
        manifest["recognition"] = [trace.recognition.text, trace.recognition.score]
    if trace.texts is not None:
        manifest["texts"] = [each and [each.text, each.score] for each in trace.texts]
    manifest = json.loads(json.dumps(manifest, default=str))  # as it is read again
    manifest["sha256"] = _manifest_digest(manifest)
    try:
        _decoded_baseline(manifest, memoryview(frame))
    except _UNREADABLE as error:
        raise GoldenError(f"{trace.image}: the trace of {trace.pipeline} can be no baseline: {error}") from error
    _write_file(path, manifest, frame)


def load_baseline_file(path: Path) -> Golden:
    """Read a baseline. Its parameters come back as JSON has them: tuples as lists.

    Raises:
        GoldenMissing: there is no such file.
        GoldenCorrupt: the file is damaged, foreign, or of a newer format.
        GoldenError: the file cannot be read.
    """
    data = _read_file(path)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            manifest = _read_manifest(archive)
            if manifest["format"] <= FORMAT:
                return _decoded_baseline(manifest, _array_bytes(archive, "arrays"))
    except _UNREADABLE as error:
        raise _baseline_is_damaged(path, error) from error
    raise GoldenCorrupt(
        f"{path} has format {manifest['format']}, and this version of pytest-ocrparity reads formats 1 and {FORMAT}: "
        "update pytest-ocrparity"
    )


def relabel_baseline_file(path: Path, **changes: Any) -> None:
    """Replace keys of a baseline's manifest; its arrays stay as they are.

    Raises:
        GoldenMissing, GoldenCorrupt, GoldenError: as `load_baseline_file` and `save_baseline_file` do.
    """
    data = _read_file(path)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            manifest, frame = {**_read_manifest(archive), **changes}, bytes(_array_bytes(archive, "arrays"))
    except _UNREADABLE as error:
        raise _baseline_is_damaged(path, error) from error
    manifest["sha256"] = _manifest_digest(manifest)
    _write_file(path, manifest, frame)


def is_baseline_file(path: Path) -> bool:
    """Return whether a file has a baseline's manifest, without reading its arrays."""
    try:
        with zipfile.ZipFile(path) as archive:
            return "arrays" in _read_manifest(archive)
    except _UNREADABLE:
        return False


def settings_of_baseline_file(path: Path) -> str | None:
    """Return the settings file that a baseline's manifest names, or None where it names none that can be trusted."""
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = _read_manifest(archive)
            _check_manifest(manifest)
    except _UNREADABLE:
        return None
    settings: str | None = manifest.get("settings")
    return settings


def _baseline_is_damaged(path: Path, error: Exception) -> GoldenCorrupt:
    return GoldenCorrupt(
        f"{path} is not a whole baseline ({error}): restore it, or record it again with: "
        "pytest --ocr-golden --ocr-golden-mode=all"
    )


def _decoded_baseline(manifest: Mapping[str, Any], frame: memoryview) -> Golden:
    """Return the baseline of a manifest and a frame; what does not fit together raises one of `_UNREADABLE`."""
    _check_manifest(manifest)
    trace = replace(decode_trace(_read_arrays(frame, manifest), manifest), files=manifest["fingerprint"])
    return Golden(trace, manifest)


def _read_file(path: Path) -> bytes:
    try:
        found = path.stat()
        never_ends = stat.S_ISCHR(found.st_mode) or stat.S_ISFIFO(found.st_mode)
        data = b"" if never_ends or found.st_size > _MOST_BYTES else path.read_bytes()
    except FileNotFoundError as error:
        raise GoldenMissing(f"{path}: no such baseline") from error
    except OSError as error:
        raise GoldenError(f"{path}: cannot read this baseline: {error.strerror or error}") from error
    if data.startswith(LFS_POINTER):
        raise GoldenCorrupt(f"{path} is a git-lfs pointer, not a baseline: run `git lfs pull`")
    return data


def _read_arrays(frame: memoryview, manifest: Mapping[str, Any]) -> dict[str, Array]:
    """Return the arrays of a zstd frame: its digest is checked before it is opened, its size before memory is taken."""
    if hashlib.sha256(frame).hexdigest() != manifest["arrays_sha256"]:
        raise ValueError("its arrays are not what was recorded")
    entries = manifest["arrays"].items()
    forms = {name: ((encoded_item_size(kind), *shape), kind, *axes) for name, (kind, shape, *axes) in entries}
    sizes = [math.prod(shape) for shape, *_ in forms.values()]
    if any(size < 0 for size in sizes) or not sum(sizes) == zstandard.frame_content_size(frame) <= _MOST_BYTES:
        raise ValueError(f"its arrays claim {sum(sizes)} bytes; {_MOST_BYTES} at most, and as many as it holds")
    content = np.frombuffer(_decompressed_arrays(frame, sum(sizes)), np.uint8)
    if len(content) != sum(sizes):
        raise ValueError(f"its arrays end after {len(content)} of {sum(sizes)} bytes")
    parts = (content[end - size : end] for size, end in zip(sizes, accumulate(sizes), strict=True))
    return {
        name: decode_array(planes.reshape(shape), kind, *axes)
        for planes, (name, (shape, kind, *axes)) in zip(parts, forms.items(), strict=True)
    }


def _decompressed_arrays(frame: memoryview, size: int) -> bytes:
    """Return what a zstd frame holds, which says that it holds `size` bytes."""
    decompressor = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
    if size <= _AT_ONCE:
        return decompressor.decompress(frame)
    # By pieces, which takes half as long again: a frame that says more than it holds takes no memory for the rest.
    return b"".join(decompressor.read_to_iter(frame, write_size=_WINDOW))


def _read_manifest(archive: zipfile.ZipFile) -> dict[str, Any]:
    if archive.getinfo("manifest.npy").file_size > _MOST_MANIFEST:
        raise ValueError(f"its manifest has more than {_MOST_MANIFEST} bytes")
    manifest = json.loads(bytes(_array_bytes(archive, "manifest")))
    if not isinstance(manifest, dict) or type(manifest.get("format")) is not int or manifest["format"] < 1:
        raise ValueError("its manifest has no format number")
    return manifest


def _check_manifest(manifest: Mapping[str, Any]) -> None:
    """Check the digest, and the kinds of what `decode_trace` does not use and others do."""
    if manifest["sha256"] != _manifest_digest(manifest):
        raise ValueError("its manifest is not what was recorded")
    tables = (manifest[name] for name in ("options", "fingerprint", "arrays"))
    if not all(isinstance(table, dict) for table in tables) or not isinstance(manifest["reference"], str):
        raise ValueError("its manifest holds values of another kind than recorded ones")
    settings, model = manifest.get("settings"), manifest.get("model", {})  # files of 0.1.0 have neither
    if not isinstance(settings, str | None) or not all(isinstance(name, str) for name in model.get("fixtures", [])):
        raise ValueError("its manifest names its settings or its reference in no way that is known")


def _manifest_digest(manifest: Mapping[str, Any]) -> str:
    """Return the digest of all other fields; that of the arrays is one of them, so that it stands for the file."""
    rest = {name: value for name, value in manifest.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _array_bytes(archive: zipfile.ZipFile, name: str) -> memoryview:
    """Return the bytes of one array of uint8, which lie in the file as they are."""
    info = archive.getinfo(f"{name}.npy")
    if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
        raise ValueError(f"{name} claims {info.file_size} bytes of {info.compress_size}")
    data = archive.read(info)
    # NumPy's own reader parses headers as Python, and warns; those of baselines are all of this one form.
    body = len(_START) + 2 + int.from_bytes(data[len(_START) : len(_START) + 2], "little")
    found = _HEADER.fullmatch(data[len(_START) + 2 : body])
    if not data.startswith(_START) or found is None or int(found[1]) != len(data) - body:
        raise ValueError(f"{name} is no array of bytes: {data[:100]!r}")
    return memoryview(data)[body:]


def _write_file(path: Path, manifest: Mapping[str, Any], frame: bytes) -> None:
    content, text = io.BytesIO(), json.dumps(manifest, indent=1).encode()
    np.savez(content, manifest=np.frombuffer(text, np.uint8), arrays=np.frombuffer(frame, np.uint8))
    try:
        write_whole_file(path, content.getvalue())
    except OSError as error:
        raise GoldenError(f"{path}: cannot write this baseline: {error.strerror or error}") from error
