"""The baselines of a folder: where each lies, and when to record, trust or refuse it.

This module knows image digests and fingerprints, and nothing of models or pytest.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pytest_ocrparity.archive import Golden, is_baseline, load, remove_leftovers, save
from pytest_ocrparity.errors import GoldenCorrupt, GoldenError, GoldenMissing, GoldenStale
from pytest_ocrparity.pipelines import Image
from pytest_ocrparity.pipelines.staged import image_bytes
from pytest_ocrparity.trace import Trace, image_label

__all__ = ["Golden", "GoldenStore", "golden_path", "load", "save"]


LONGEST_NAME = 200
"""Bytes of a file's name: file systems take 255, of which `.npz` and a temporary file's suffix need some."""


def golden_path(folder: Path, image: str) -> Path:
    """Return the baseline of an image, inside `folder` whatever its name.

    Names that lead out of it, or that a file system does not take, become a digest.

    `image` is a "/"-separated path relative to the settings file.
    """
    name = posixpath.normpath(image)
    data, can_be_a_file = _encoded(name)
    is_long = any(len(part) > LONGEST_NAME for part in data.split(b"/"))
    if is_long or name in (".", "..") or name.startswith(("/", "../")) or not can_be_a_file:
        name = f"outside/{hashlib.sha256(data).hexdigest()[:32]}"
    return folder / f"{name}.npz"


def _encoded(name: str) -> tuple[bytes, bool]:
    """Return the bytes of a name, and whether a file can have it."""
    try:
        return os.fsencode(name), "\0" not in name
    except UnicodeEncodeError:  # half a surrogate pair
        return name.encode("utf-8", "surrogatepass"), False


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
        self._recorded: dict[Path, object] = {}
        self._is_tidy = mode is None  # who only compares removes nothing

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

    def path(self, image: Image) -> Path:
        """Return where an image's baseline lies or would lie. Raises ImageError for an image that can't be read."""
        return self._identify(image)[2]

    def needs_recording(self, image: Image) -> bool:
        """Tell whether this run is to record the image's baseline; each is recorded once. Raises as `load` does.

        Where it may record, it first removes what killed runs left in the folder.
        """
        name, digest, path = self._identify(image)
        if not self._is_tidy:
            remove_leftovers(self.folder)
            self._is_tidy = True
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
        self._recorded[path] = made_by = trace.source or trace.pipeline
        recorded = load(path).trace
        if old is not None:
            self.drift[name] = _drift(old.trace, recorded)
        return replace(recorded, image=name, recorded_from=made_by)

    def unused(self, known_images: Iterable[str | os.PathLike[str]], asked: Iterable[Path] = ()) -> list[Path]:
        """Return the baselines whose image is not known and that no test asked for, here or (`asked`) elsewhere.

        Files that are no baselines are left out, so that pruning never removes a user's own.
        """
        used = self.asked | set(asked) | {golden_path(self.folder, self._relative(image)) for image in known_images}
        return sorted(path for path in self.folder.rglob("*.npz") if path not in used and is_baseline(path))

    def prune(self, known_images: Iterable[str | os.PathLike[str]], asked: Iterable[Path] = ()) -> list[Path]:
        """Remove the unused baselines and return them.

        Raises:
            GoldenError: one cannot be removed.
        """
        unused = self.unused(known_images, asked)
        for path in unused:
            try:
                path.unlink()
            except OSError as error:
                raise GoldenError(f"{path}: cannot remove this baseline: {error.strerror or error}") from error
        return unused

    def _identify(self, image: Image) -> tuple[str, str, Path]:
        """Return an image's name, its digest and the path of its baseline."""
        name, data = image_bytes(image)
        name = image_label(name)
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


def _drift(old: Trace, new: Trace) -> dict[str, Any]:
    before, after, difference = old.probability_map, new.probability_map, None
    if before is not None and after is not None and before.shape == after.shape:
        difference = float(np.max(np.abs(before - after), initial=0.0))
    boxes = {"boxes_before": len(old.detections or ()), "boxes_after": len(new.detections or ())}
    return {**boxes, "map_difference": difference}
