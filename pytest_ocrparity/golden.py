"""Baselines: a trace on disk, one `.npz` per image with its manifest inside, and when to record, trust or refuse it.

This module knows files and digests, and nothing of models or pytest. Nothing in a file is believed before it is
checked, and nothing is unpickled.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import platform
import posixpath
import secrets
import struct
import time
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from importlib import metadata
from numbers import Real
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.errors import GoldenCorrupt, GoldenError, GoldenMissing, GoldenStale
from pytest_ocrparity.pipelines import Image
from pytest_ocrparity.pipelines.staged import LFS_POINTER, image_bytes
from pytest_ocrparity.trace import DETECTIONS, PROBABILITY_MAP, RESIZE, TENSOR, Decoded, Detections, Trace

__all__ = ["FORMAT", "Golden", "GoldenStore", "golden_path", "load", "save"]

FORMAT = 1
_Array: TypeAlias = "npt.NDArray[Any]"
_NPY: Any = np.lib.format  # NumPy 1.26 and 2 type it differently
_MOST_BYTES = 2**31  # of all arrays of one file: a trace of 10,000 x 10,000 px
_DEFLATE_MOST = 1032  # no deflate stream grows by more, so a larger claim is a lie
_LEFTOVER_SECONDS = 3600  # nothing writes one file for an hour
_STEPS = 65535  # a stored probability is a multiple of 1 / 65535: at most 7.7e-6 off, 1.6e-5 beside the threshold
_DISTRIBUTIONS = (
    *("paddlepaddle", "paddlepaddle-gpu", "paddleocr", "paddlex", "numpy", "pytest-ocrparity"),
    *("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless"),
)
_PROBABILITIES = (np.arange(_STEPS + 1) / _STEPS).astype(np.float32)
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
    arrays, steps_error = _encode(trace, lossless)
    packed = {name: _pack(array) for name, array in arrays.items()}
    members = {name: planes for name, (planes, _) in packed.items()}
    decode = trace.decode
    manifest = {
        "format": FORMAT,
        "reference": reference,
        "image": trace.image,
        "image_sha256": trace.image_sha256,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "versions": _versions(),
        "options": dict(options or {}),
        "fingerprint": dict(fingerprint or {}),
        "parameters": trace.parameters,
        "decode": decode and [list(decode.shape), decode.dtype, decode.channel_order, decode.sha256],
        "shape": trace.shape,
        "floor": trace.floor,
        "map_error": trace.map_error + steps_error,
        "arrays": {
            name: [str(array.dtype), list(array.shape), packed[name][1], hashlib.sha256(members[name].data).hexdigest()]
            for name, array in arrays.items()
        },
    }
    text = json.dumps(manifest, indent=1, default=_plain).encode()
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
                return Golden(_decode(_arrays(archive, manifest["arrays"]), manifest), manifest)
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


def _arrays(archive: zipfile.ZipFile, listed: Mapping[str, Any]) -> dict[str, _Array]:
    def read(name: str) -> _Array:
        kind, shape, axes, digest = listed[name]
        planes = _member(archive, name)
        if hashlib.sha256(planes.data).hexdigest() != digest:
            raise ValueError(f"{name} is not what was recorded")
        return _unpack(planes, kind, shape, axes)

    # Inflating, hashing and summing all release the GIL, so two threads halve the time of a page.
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(listed, pool.map(read, listed), strict=True))


def _manifest(archive: zipfile.ZipFile) -> dict[str, Any]:
    if sum(info.file_size for info in archive.infolist()) > _MOST_BYTES:
        raise ValueError(f"it claims to hold more than {_MOST_BYTES} bytes")
    manifest = json.loads(_member(archive, "manifest").tobytes())
    if not isinstance(manifest, dict) or type(manifest.get("format")) is not int or manifest["format"] < FORMAT:
        raise ValueError("its manifest has no format number")
    return manifest


def _member(archive: zipfile.ZipFile, name: str) -> npt.NDArray[np.uint8]:
    """Return one uint8 array, its claimed size checked before any memory is taken."""
    info = archive.getinfo(f"{name}.npy")
    if info.file_size > _DEFLATE_MOST * info.compress_size + 1024:
        raise ValueError(f"{name} claims {info.file_size} bytes of {info.compress_size}")
    with archive.open(info) as file:
        if _NPY.read_magic(file) != (1, 0):
            raise ValueError(f"{name} has an unknown array format")
        shape, is_fortran, dtype = _NPY.read_array_header_1_0(file)
        if dtype != np.uint8 or is_fortran or math.prod(shape) != info.file_size - file.tell():
            raise ValueError(f"{name} is {dtype} {shape} in {info.file_size} bytes")
        return np.frombuffer(file.read(), np.uint8).reshape(shape)


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


def _encode(trace: Trace, lossless: bool) -> tuple[dict[str, _Array], float]:
    """Return the arrays to store, and by how much the largest stored probability is off."""
    arrays: dict[str, _Array | None] = {RESIZE: trace.resize, TENSOR: trace.tensor}
    if (table := _table(trace.resize, trace.tensor)) is not None:
        arrays |= {TENSOR: None, "table": table}
    thresh = trace.parameters.get(DETECTIONS, {}).get("thresh")
    ours, fused = trace.probability_map, trace.fused_map
    if not lossless:
        ours, fused = _steps(ours, thresh), _steps(fused, thresh)
    error = 0.0
    if ours is not None and ours.dtype == np.uint16:
        error = float(np.max(np.abs(_values(ours) - trace.probability_map)))
    if ours is not None and fused is not None and _is_relative(ours, fused):
        fused = fused - ours
    arrays |= {PROBABILITY_MAP: ours, "fused_map": fused}
    if trace.detections is not None:
        polygons = trace.detections.polygons
        arrays["points"] = np.concatenate([*polygons, np.zeros((0, 2))])
        arrays["counts"] = np.array([len(polygon) for polygon in polygons], np.uint32)
        arrays["scores"] = trace.detections.scores
    return {name: np.ascontiguousarray(array) for name, array in arrays.items() if array is not None}, error


def _decode(arrays: Mapping[str, _Array], manifest: Mapping[str, Any]) -> Trace:
    decode, shape, resize = manifest["decode"], manifest["shape"], arrays.get(RESIZE)
    tensor, table = arrays.get(TENSOR), arrays.get("table")
    ours, fused = arrays.get(PROBABILITY_MAP), arrays.get("fused_map")
    if ours is not None and fused is not None and _is_relative(ours, fused):
        fused = fused + ours
    detections = None
    if "points" in arrays:
        ends = np.cumsum(arrays["counts"], dtype=np.int64)
        if len(arrays["points"]) != (ends[-1] if len(ends) else 0):
            raise ValueError("its boxes have more or fewer points than they should")
        detections = Detections(tuple(np.split(arrays["points"], ends)[:-1]), arrays.get("scores"))
    return Trace(
        pipeline=f"baseline ({manifest['reference']})",
        image=manifest["image"],
        decode=decode and Decoded(tuple(decode[0]), *decode[1:]),
        resize=resize,
        shape=shape and (float(shape[0]), float(shape[1]), float(shape[2]), float(shape[3])),
        tensor=tensor if table is None or resize is None else _look_up(table, resize),
        probability_map=_values(ours),
        detections=detections,
        parameters=manifest["parameters"],
        image_sha256=manifest["image_sha256"],
        map_error=manifest["map_error"],
        floor=manifest["floor"],
        fused_map=_values(fused),
    )


def _table(resize: _Array | None, tensor: _Array | None) -> npt.NDArray[np.float32] | None:
    """Return the (C, 256) float32 that PaddleOCR's normalisation maps each grey level to, where that is all it did."""
    if resize is None or tensor is None or resize.dtype != np.uint8 or tensor.dtype != np.float32:
        return None
    if resize.ndim != 3 or tensor.shape != (1, resize.shape[2], *resize.shape[:2]):
        return None
    table = np.zeros((tensor.shape[1], 256), np.float32)
    for channel, levels in enumerate(table):
        levels[resize[..., channel]] = tensor[0, channel]
    return table if _look_up(table, resize).tobytes() == tensor.tobytes() else None


def _look_up(table: _Array, resize: _Array) -> _Array:
    # NumPy gathers by its own index type twice as fast as by uint8.
    return np.stack([levels.take(resize[..., channel].astype(np.intp)) for channel, levels in enumerate(table)])[None]


def _steps(map_: _Array | None, thresh: object) -> _Array | None:
    """Return probabilities as uint16 steps, no pixel on the other side of `thresh`, and other values as they are."""
    if map_ is None or map_.dtype != np.float32 or not map_.size or not (map_.min() >= 0 and map_.max() <= 1):
        return map_
    steps = np.rint(map_.astype(np.float64) * _STEPS).astype(np.uint16)
    if isinstance(thresh, Real):
        is_above = map_ > thresh
        has_crossed = (_values(steps) > thresh) != is_above
        steps[has_crossed & is_above] += 1
        steps[has_crossed & ~is_above] -= 1
    return steps


def _values(steps: Any) -> Any:
    """Return probabilities from their steps, and anything else as it is."""
    return steps if steps is None or steps.dtype != np.uint16 else _PROBABILITIES.take(steps.astype(np.intp))


def _is_relative(ours: _Array, fused: _Array) -> bool:
    """Tell whether the second stored map is the difference to the first: two in steps and of one shape are."""
    return ours.shape == fused.shape and ours.dtype == fused.dtype == np.uint16


def _pack(array: _Array) -> tuple[_Array, list[int]]:
    """Return the array as byte planes, (bytes per number, *shape), and the axes along which they hold differences."""
    rows = {3: 0, 4: 2}.get(array.ndim)  # images are (h, w, 3), maps and tensors (1, C, h, w)
    tried = [(_planes(array, axes), axes) for axes in ([[]] if rows is None else [[], [rows], [rows, rows + 1]])]
    return min(tried, key=lambda planes: len(zlib.compress(planes[0].tobytes(), 1)))


def _planes(array: _Array, axes: list[int]) -> _Array:
    width = array.dtype.itemsize
    numbers = array.view(f"<u{width}")
    for axis in axes:
        numbers = np.diff(numbers, axis=axis, prepend=numbers.dtype.type(0))
    if axes and width > 1:  # the sign goes last, so that small differences of either sign have empty high bytes
        numbers = (numbers << 1) ^ (0 - (numbers >> (8 * width - 1)))
    return np.ascontiguousarray(np.moveaxis(numbers[..., None].view(np.uint8), -1, 0))


def _unpack(planes: _Array, kind: str, shape: list[int], axes: list[int]) -> _Array:
    dtype = np.dtype(kind)
    if dtype.kind not in "uf" or planes.shape != (dtype.itemsize, *shape):
        raise ValueError(f"{planes.shape} bytes are no {kind} {shape}")
    numbers = planes[0].astype(f"<u{dtype.itemsize}")
    for place, plane in enumerate(planes[1:], 1):
        numbers |= plane.astype(numbers.dtype) << 8 * place
    if axes and dtype.itemsize > 1:
        numbers = (numbers >> 1) ^ (0 - (numbers & 1))
    for axis in reversed(axes):
        lines = np.moveaxis(numbers, axis, 0)
        for before, line in zip(lines, lines[1:], strict=False):  # whole rows: six times as fast as np.cumsum
            np.add(before, line, out=line)
    return numbers.view(dtype)


def _versions() -> dict[str, str]:
    """Return what is installed, by distribution, without importing any of it."""
    versions = {"python": platform.python_version()}
    for name in _DISTRIBUTIONS:
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions


def _plain(value: object) -> object:
    """Return for JSON what it doesn't know: NumPy's numbers and arrays as Python's, anything else as text."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value)


def golden_path(folder: Path, image: str) -> Path:
    """Return the baseline of an image, inside `folder` whatever its name: names that lead out become a digest.

    `image` is a "/"-separated path relative to the settings file.
    """
    name = posixpath.normpath(image)
    if name in (".", "..") or name.startswith(("/", "../")):
        name = f"outside/{hashlib.sha256(os.fsencode(name)).hexdigest()[:32]}"
    return folder / f"{name}.npz"


class GoldenStore:
    """The baselines of one folder, and what this run may do with them.

    Attributes:
        asked: the baselines that tests asked for, whether they exist or not.
        drift: by image, what re-recording changed: `boxes_before`, `boxes_after` and `map_difference`, the largest, or
            None where the maps have no common shape.
    """

    def __init__(
        self,
        folder: Path,
        *,
        root: Path,
        reference: str,
        mode: str | None = None,
        lossless: bool = False,
        fingerprint: Mapping[str, str] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        """Open a folder; nothing is read yet.

        Args:
            folder: where the baselines lie.
            root: the folder of the settings file, which images are named after.
            reference: whose truth they are, "train" or "inference".
            mode: None to compare only; "missing", "changed" or "all" to record.
            lossless: keep every bit of the maps.
            fingerprint: digests of the parts of the reference model that are present, such as "config", "checkpoint".
            options: device and engine options, for the manifest.
        """
        self.folder, self.root, self.reference, self.mode, self.lossless = folder, root, reference, mode, lossless
        self.fingerprint, self.options = dict(fingerprint or {}), dict(options or {})
        self.asked: set[Path] = set()
        self.drift: dict[str, dict[str, Any]] = {}
        self._recorded: dict[Path, str] = {}

    def load(self, image: Image) -> Trace:
        """Return the baseline of an image.

        Raises:
            ImageError: the image is missing or unreadable.
            GoldenMissing, GoldenStale, GoldenCorrupt: there is none, or not for this image and reference as they are.
            GoldenError: it is a baseline of the other model, or cannot be read.
        """
        name, digest, path = self._identify(image)
        golden = self._open(name, path)
        if changed := self._changed(golden, digest):
            raise GoldenStale(
                f"{name}: {' and '.join(changed)} changed since the baseline was recorded; if that is meant: "
                "pytest --ocr-golden --ocr-golden-mode=changed"
            )
        return replace(golden.trace, image=name, recorded_from=self._recorded.get(path))

    def needs_recording(self, image: Image) -> bool:
        """Tell whether this run is to record the image's baseline; each is recorded once. Raises as `load` does."""
        name, digest, path = self._identify(image)
        if self.mode is None or path in self._recorded:
            return False
        if self.mode == "all" or not path.exists():
            return True
        return self.mode == "changed" and bool(self._changed(self._open(name, path), digest))

    def record(self, image: Image, trace: Trace, fingerprint: Mapping[str, str] | None = None) -> Trace:
        """Store a trace as the image's baseline, and return what the disk holds.

        `fingerprint` replaces the store's where the digests are only known once the model has loaded.

        Raises:
            ImageError: the image is missing or unreadable.
            GoldenCorrupt: the file in its place is not a baseline, and the mode is not "all".
            GoldenError: it is a baseline of the other model; the trace stopped; or the disk refuses.
        """
        name, digest, path = self._identify(image)
        old = self._old(name, path)
        if fingerprint is not None:
            self.fingerprint = dict(fingerprint)
        shown = name if isinstance(image, np.ndarray) else self._relative(image)  # no machine's paths in the file
        save(
            path,
            replace(trace, image=shown, image_sha256=digest),
            reference=self.reference,
            fingerprint=self.fingerprint,
            options=self.options,
            lossless=self.lossless,
        )
        self._recorded[path] = trace.pipeline
        recorded = load(path).trace
        if old is not None:
            self.drift[name] = _drift(old.trace, recorded)
        return replace(recorded, image=name, recorded_from=trace.pipeline)

    def unused(self, known_images: Iterable[str | os.PathLike[str]]) -> list[Path]:
        """Return the baselines whose image is not known and no test asked for; files that are none are left out."""
        used = self.asked | {golden_path(self.folder, self._relative(image)) for image in known_images}
        return sorted(path for path in self.folder.rglob("*.npz") if path not in used and _is_baseline(path))

    def prune(self, known_images: Iterable[str | os.PathLike[str]]) -> list[Path]:
        """Remove the unused baselines and return them.

        Raises:
            GoldenError: one cannot be removed.
        """
        unused = self.unused(known_images)
        for path in unused:
            try:
                path.unlink()
            except OSError as error:
                raise GoldenError(f"{path}: cannot remove this baseline: {error.strerror or error}") from error
        return unused

    def _identify(self, image: Image) -> tuple[str, str, Path]:
        """Return an image's name, its digest and the path of its baseline."""
        name, data = image_bytes(image)
        digest = hashlib.sha256(data).hexdigest()
        key = f"array-{digest[:16]}" if isinstance(image, np.ndarray) else self._relative(image)
        path = golden_path(self.folder, key)
        self.asked.add(path)
        return name, digest, path

    def _relative(self, path: str | os.PathLike[str]) -> str:
        """Return a path from the settings file on; links are followed only where it would lead out of there."""
        name = os.path.relpath(path, self.root)
        if name.startswith(os.pardir + os.sep):
            name = os.path.relpath(os.path.realpath(path), os.path.realpath(self.root))
        return Path(name).as_posix()

    def _open(self, name: str, path: Path) -> Golden:
        folder = self._relative(self.folder)
        try:
            golden = load(path)
        except GoldenMissing as error:
            raise GoldenMissing(f"{name}: no baseline in {folder}; record it with: pytest --ocr-golden") from error
        recorded = golden.manifest["reference"]
        if recorded != self.reference:
            raise GoldenError(
                f"{name}: the baseline in {folder} was recorded from the {recorded} model, but golden.reference is "
                f'"{self.reference}": change the setting back, or delete {folder} and run: pytest --ocr-golden'
            )
        return golden

    def _old(self, name: str, path: Path) -> Golden | None:
        try:
            return self._open(name, path)
        except GoldenMissing:
            return None
        except GoldenCorrupt:
            if self.mode != "all":
                raise
            return None

    def _changed(self, golden: Golden, digest: str) -> list[str]:
        """Name what is no longer as it was recorded; of the parts of the reference, those known then and now."""
        changed = [] if golden.manifest["image_sha256"] == digest else ["the image"]
        if self.reference == "train":
            then = golden.manifest["fingerprint"]
            changed += [f"the {part}" for part, now in self.fingerprint.items() if then.get(part, now) != now]
        return changed


def _is_baseline(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return "arrays" in _manifest(archive)
    except _NOT_OURS:
        return False


def _drift(old: Trace, new: Trace) -> dict[str, Any]:
    before, after, difference = old.probability_map, new.probability_map, None
    if before is not None and after is not None and before.shape == after.shape:
        difference = float(np.max(np.abs(before - after), initial=0.0))
    boxes = {"boxes_before": len(old.detections or ()), "boxes_after": len(new.detections or ())}
    return {**boxes, "map_difference": difference}
