"""The baselines of a folder: where each lies, and when to record, load or refuse it.

`GoldenStore` knows files, digests and whose a baseline is, and nothing of models; `Baseline`, what a test holds, also
knows the reference model.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pytest_ocrparity.compare import compare
from pytest_ocrparity.edits import first_edit
from pytest_ocrparity.errors import GoldenCorrupt, GoldenError, GoldenMissing, GoldenStale, GoldenTaken, OcrParityError
from pytest_ocrparity.files import image_file_bytes
from pytest_ocrparity.golden.baseline_file import (
    Golden,
    is_baseline_file,
    load_baseline_file,
    relabel_baseline_file,
    save_baseline_file,
    settings_of_baseline_file,
)
from pytest_ocrparity.golden.ownership import OF_THE_SETTINGS, Ownership, Reference
from pytest_ocrparity.tolerance import BUILT_IN
from pytest_ocrparity.trace import Image, Trace
from pytest_ocrparity.whole_files import remove_leftover_files
from pytest_ocrparity.wording import amount, image_label, number_of_boxes, path_from, quoted

LONGEST_NAME = 200
"""Bytes of a file's name: file systems take 255, of which `.npz` needs some."""


def path_in_golden_store(folder: Path, image: str) -> Path:
    """Return the baseline of an image, inside `folder` whatever its name.

    Names that lead out of it, or that a file system does not take, become a digest.

    `image` is a "/"-separated path relative to the settings file.
    """
    name = posixpath.normpath(image)
    data, can_be_a_file = _encoded_name(name)
    is_long = any(len(part) > LONGEST_NAME for part in data.split(b"/"))
    if is_long or name in (".", "..") or name.startswith(("/", "../")) or Path(name).drive or not can_be_a_file:
        name = f"outside/{hashlib.sha256(data).hexdigest()[:32]}"
    return folder / f"{name}.npz"


def _encoded_name(name: str) -> tuple[bytes, bool]:
    """Return the bytes of a name, and whether a file can have it."""
    try:
        return os.fsencode(name), "\0" not in name
    except UnicodeEncodeError:  # half a surrogate pair
        return name.encode("utf-8", "surrogatepass"), False


class GoldenStore:
    """The baselines of one folder, and what this run may do with them.

    Attributes:
        asked: the baselines that tests asked for, whether they exist or not.
        drift: by image, what re-recording changed: `map_difference`, the largest, or None where the maps have no common
            shape, and before and after of a detector `boxes_`, of a recogniser `text_`; of a page also `texts_new`, how
            many of its texts were not there; where the older one was of another task, `task_before` alone.
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
        earlier: Mapping[str, Collection[str]] | None = None,
        options: Mapping[str, Any] | None = None,
        settings: Path | None = None,
        is_described: bool = False,
        kind: str = "model",
    ) -> None:
        """Open a folder; nothing is read yet.

        Args:
            folder: where the baselines lie.
            root: the folder of the settings file, which images are named after.
            reference: whose truth they are, "train" or "inference".
            mode: None to compare only; "missing", "changed" or "all" to record.
            lossless: keep every bit of the maps.
            fingerprint: digests of the parts of the reference model that are present, such as "config", "checkpoint".
            earlier: what else a baseline may have noted of such a part as it is now, see `files.earlier_file_digests`.
            options: device and engine options, for the manifest.
            settings: the settings file, which the manifest names.
            is_described: whether the settings describe the reference model; else only a fixture can make it.
            kind: what the fixture of the reference gives: a "model", or both as a "page".
        """
        self.folder, self.root, self.reference, self.mode, self.lossless = folder, root, reference, mode, lossless
        self.fingerprint, self.options = dict(fingerprint or {}), dict(options or {})
        self._earlier = dict(earlier or {})
        self.asked: set[Path] = set()
        self.drift: dict[str, dict[str, Any]] = {}
        self.ownership = Ownership(folder, root, settings, f"ocr_{reference}_{kind}", is_described=is_described)
        self._recorded: dict[Path, object] = {}
        self._fingerprints: dict[str, Mapping[str, str]] = {}
        self._is_tidy = mode is None  # who only compares removes nothing

    def load(self, image: Image, fixture: str = "") -> Trace:
        """Return the baseline of an image; `fixture` is where that of the reference lies, see `ownership.Reference`.

        Raises:
            ImageError: the image is missing or unreadable.
            GoldenMissing, GoldenStale, GoldenCorrupt: there is none, or not for this image and reference as they are.
            GoldenTaken: it is that of another fixture.
            GoldenError: it is a baseline of the other model or of another project, or cannot be read.
        """
        name, digest, path = self._locate_baseline(image)
        golden = self._open_baseline(name, path)
        self.ownership.refuse_other_reference(name, path, golden.manifest, fixture)
        if changed := self._changes_since_recording(golden, digest, fixture):
            raise GoldenStale(
                f"{name}: {' and '.join(changed)} changed since the baseline was recorded; if that is meant: "
                "pytest --ocr-golden --ocr-golden-mode=changed"
            )
        return replace(golden.trace, image=name, recorded_from=self._recorded.get(path))

    def path(self, image: Image) -> Path:
        """Return where an image's baseline lies or would lie. Raises ImageError for an image that can't be read."""
        return self._locate_baseline(image)[2]

    def needs_recording(self, image: Image, fixture: str = "") -> bool:
        """Return whether this run is to record the image's baseline; each is recorded once. Raises as `load` does.

        Where it may record, it first removes the old temporary files of killed runs from the folder.
        """
        name, digest, path = self._locate_baseline(image)
        if not self._is_tidy:
            remove_leftover_files(self.folder)
            self._is_tidy = True
        if self.mode is None or path in self._recorded:
            return False
        if self.mode == "all" or not path.exists():
            return True
        return self.mode == "changed" and bool(
            self._changes_since_recording(self._open_baseline(name, path), digest, fixture)
        )

    def record(self, image: Image, trace: Trace, model: Reference | None = None) -> Trace:
        """Store a trace as the image's baseline, and return what the disk holds.

        The fingerprint of `model`, from which it was made, replaces the store's where it has one.

        Raises:
            ImageError: the image is missing or unreadable.
            GoldenCorrupt: the file in its place is not a baseline, and the mode is not "all".
            GoldenTaken: it is that of another fixture.
            GoldenError: it is a baseline of the other model or of another project; the trace stopped; or the disk
                refuses.
        """
        name, digest, path = self._locate_baseline(image)
        model = model or Reference()
        old = self._older_baseline(name, path)
        if old is not None:
            self.ownership.refuse_other_reference(name, path, old.manifest, model.fixture)
        if model.fingerprint is not None:
            self._fingerprints[model.fixture] = model.fingerprint
        shown = (
            name if isinstance(image, np.ndarray) else self._path_from_settings_file(image)
        )  # no machine's paths in the file
        save_baseline_file(
            path,
            replace(trace, image=shown, image_sha256=digest),
            reference=self.reference,
            fingerprint=self.fingerprint if model.fingerprint is None else model.fingerprint,
            options=self.options,
            lossless=self.lossless,
            settings=self.ownership.settings,
            model=model.described(self.fingerprint),
        )
        self.ownership.note_recording(path, model.fixture)
        self._recorded[path] = made_by = trace.source or trace.pipeline
        recorded = load_baseline_file(path).trace
        if old is not None:
            self.drift[name] = _measure_drift(old.trace, recorded)
        return replace(recorded, image=name, recorded_from=made_by)

    def share(self, image: Image, fixture: str) -> None:
        """Let the reference of one more fixture use the image's baseline, as it makes the same of the image.

        Raises as `load` does, and GoldenError where the file cannot be written.
        """
        name, _, path = self._locate_baseline(image)
        manifest = self._open_baseline(name, path).manifest
        users = self.ownership.users(path, manifest, fixture)
        relabel_baseline_file(path, model={**manifest.get("model", {}), "fixtures": users})

    def open(self, image: Image) -> Golden:
        """Return the image's baseline as it is, fresh or stale. Raises as `load` does, but for GoldenTaken."""
        name, _, path = self._locate_baseline(image)
        return self._open_baseline(name, path)

    def not_asked_for(
        self, known_images: Iterable[str | os.PathLike[str]], asked: Iterable[Path] = ()
    ) -> dict[Path, str | None]:
        """Return the baselines whose image is not known and that no test asked for, here or (`asked`) elsewhere.

        Beside each stands the settings file that it was recorded under, from the folder on, or None where it names
        none. Files that are no baselines are left out, so that pruning never removes a user's own.
        """
        used = (
            self.asked
            | set(asked)
            | {self._baseline_path(self._path_from_settings_file(image)) for image in known_images}
        )
        found = sorted(path for path in self.folder.rglob("*.npz") if path not in used and is_baseline_file(path))
        return {path: settings_of_baseline_file(path) for path in found}

    def remove(self, paths: Iterable[Path]) -> None:
        """Remove baselines.

        Raises:
            GoldenError: one cannot be removed.
        """
        for path in paths:
            try:
                path.unlink()
            except OSError as error:
                raise GoldenError(f"{path}: cannot remove this baseline: {error.strerror or error}") from error

    def _locate_baseline(self, image: Image) -> tuple[str, str, Path]:
        """Return an image's name, its digest and the path of its baseline."""
        name, data = image_file_bytes(image)
        name = image_label(name)
        digest = hashlib.sha256(data).hexdigest()
        key = f"array-{digest[:16]}" if isinstance(image, np.ndarray) else self._path_from_settings_file(image)
        path = self._baseline_path(key)
        self.asked.add(path)
        return name, digest, path

    def _baseline_path(self, key: str) -> Path:
        """Return where the baseline of an image lies or would lie.

        macOS writes a letter and its accent as two characters, and most others as one: of a name with both spellings
        the baseline is found that is there.
        """
        path = path_in_golden_store(self.folder, key)
        others = (path_in_golden_store(self.folder, unicodedata.normalize(form, key)) for form in ("NFC", "NFD"))
        return path if key.isascii() or path.exists() else next((other for other in others if other.exists()), path)

    def _path_from_settings_file(self, path: str | os.PathLike[str]) -> str:
        """Return a path from the settings file on; links are followed only where it would lead out of there."""
        name = path_from(self.root, path)
        return path_from(os.path.realpath(self.root), os.path.realpath(path)) if name.startswith("../") else name

    def _open_baseline(self, name: str, path: Path) -> Golden:
        folder = self._path_from_settings_file(self.folder)
        try:
            golden = load_baseline_file(path)
        except GoldenMissing as error:
            raise GoldenMissing(f"{name}: no baseline in {folder}; record it with: pytest --ocr-golden") from error
        self.ownership.refuse_other_project(name, golden.manifest)
        recorded = golden.manifest["reference"]
        if recorded != self.reference:
            raise GoldenError(
                f"{name}: the baseline in {folder} was recorded from the {recorded} model, but golden.reference is "
                f'"{self.reference}": change the setting back, or delete {folder} and run: pytest --ocr-golden'
            )
        return golden

    def _older_baseline(self, name: str, path: Path) -> Golden | None:
        try:
            return self._open_baseline(name, path)
        except GoldenMissing:
            return None
        except GoldenCorrupt:
            if self.mode != "all":
                raise
            return None

    def _changes_since_recording(self, golden: Golden, digest: str, fixture: str) -> list[str]:
        """Name what is no longer as it was recorded; of the parts of the reference, those known then and now."""
        changed = [] if golden.manifest["image_sha256"] == digest else ["the image"]
        if self.reference == "train":
            then, known = golden.manifest["fingerprint"], self._fingerprint_of(fixture, golden)
            changed += [f"the {part}" for part, now in known.items() if not self._is_same(part, then, now)]
        return changed

    def _is_same(self, part: str, then: Mapping[str, str], now: str) -> bool:
        """Tell whether a part of the reference is the one that was noted, in today's form or an earlier one."""
        noted = then.get(part, now)
        return noted == now or (now == self.fingerprint.get(part) and noted in self._earlier.get(part, ()))

    def _fingerprint_of(self, fixture: str, golden: Golden) -> Mapping[str, str]:
        """Return the digests of a fixture's model: those of the settings' files are not the ones of a user's own."""
        is_of_settings = golden.manifest.get("model", {}).get("is_of_settings", True)
        known = self.fingerprint if is_of_settings or fixture in ("", OF_THE_SETTINGS) else {}
        return self._fingerprints.get(fixture, known)


def _measure_drift(old: Trace, new: Trace) -> dict[str, Any]:
    before, after, difference = old.probability_map, new.probability_map, None
    if before is not None and after is not None and before.shape == after.shape:
        difference = float(np.max(np.abs(before - after), initial=0.0))
    if old.task != new.task:
        return {"task_before": old.task.name, "map_difference": None}
    if new.recognition is not None:
        texts = ["" if each.recognition is None else each.recognition.text for each in (old, new)]
        return {"text_before": texts[0], "text_after": texts[1], "map_difference": difference}
    boxes = {"boxes_before": len(old.detections or ()), "boxes_after": len(new.detections or ())}
    return {**boxes, **_texts_moved(old, new), "map_difference": difference}


def _texts_moved(old: Trace, new: Trace) -> dict[str, int]:
    """Return of a page how many of its texts were not there before."""
    if new.texts is None:
        return {}
    assert old.texts is not None  # of another task, nothing is counted
    before = [each and each.text for each in old.texts]
    return {"texts_new": sum(1 for each in new.texts if (each and each.text) not in before)}


class Baseline:
    """The baselines of a run as its tests see them."""

    def __init__(
        self,
        store: GoldenStore,
        reference: Callable[[], Any],
        note: Callable[..., None],
        fixture: Callable[[], str] = lambda: "",
    ) -> None:
        """Keep the store, what loads the reference model, where to note what happened, and what tells its fixture."""
        self.store, self._reference, self._note, self._fixture = store, reference, note, fixture

    def trace(self, image: Image) -> Trace:
        """Return the baseline of an image (a path, or an (H, W, 3) uint8 BGR array), as it lies on disk.

        Raises:
            ImageError: the image is missing or does not decode.
            GoldenMissing, GoldenStale, GoldenCorrupt, GoldenError: there is no baseline that can be used; the text
                names the command that makes one, or whose it is.
        """
        __tracebackhide__ = True
        try:
            path = str(self.store.path(image))
            self._note("asked", path=path)  # whatever comes of it
            records = self.store.needs_recording(image, self._fixture())
            trace = self._record_baseline(image) if records else self._load_baseline(image)
        except OcrParityError as error:  # its sentence says all; the way through our code does not help
            raise error.with_traceback(None) from None
        is_recorded = trace.recorded_from is not None  # by this test, one before it, or an attempt before
        self._note(
            "golden",
            image=trace.label,
            path=path,
            reference=self.store.reference,
            recorded=is_recorded,
            drift=_drift_text(self.store.drift.get(trace.image)) if is_recorded else "",
        )
        return trace

    def _record_baseline(self, image: Image) -> Trace:
        model = self._reference()
        return self.store.record(image, model.trace(image), Reference.of(model, self._fixture()))

    def _load_baseline(self, image: Image) -> Trace:
        """Return a baseline; one of another reference only where this one makes the same of the image.

        That is found out while recording: who only compares does without the reference model.
        """
        try:
            return self.store.load(image, self._fixture())
        except GoldenTaken:
            if self.store.mode is None or not self._makes_the_same(image):
                raise
        self.store.share(image, self._fixture())
        return self.store.load(image, self._fixture())

    def _makes_the_same(self, image: Image) -> bool:
        model, golden = self._reference(), self.store.open(image)
        is_same = Reference.of(model, self._fixture()).is_of(golden.manifest)
        if is_same is not None:
            return is_same
        trace = model.trace(image)
        recorded = replace(golden.trace, image=trace.image)
        if recorded.texts != trace.texts:
            return False
        return all(each.is_match for each in compare(reference=recorded, candidate=trace, tolerance=BUILT_IN))


def _drift_text(drift: dict[str, Any] | None) -> str:
    """Return in words what re-recording changed, or an empty text where there was no older baseline."""
    if drift is None:
        return ""
    if "task_before" in drift:
        return f"a baseline of the other task, {drift['task_before']}, before"
    difference = drift["map_difference"]
    if "text_after" in drift:
        before, after = drift["text_before"], drift["text_after"]
        place = first_edit(before, after)
        found = "the same text" if place is None else f"{quoted(before, place)} before, {quoted(after, place)} after"
    else:
        before, after = drift["boxes_before"], drift["boxes_after"]
        boxes = number_of_boxes(before)
        found = f"{boxes} before and after" if before == after else f"{boxes} before, {after} after"
        found += f", {drift['texts_new']} texts are new" if drift.get("texts_new") else ""
    return f"{found}, map {'of another shape' if difference is None else f'moved by up to {amount(difference)}'}"
