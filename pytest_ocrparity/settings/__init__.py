"""The settings of a run: a file's, overridden by the command line's, with every path made absolute."""

from __future__ import annotations

import glob
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from pytest_ocrparity.diagnosis import PAGE_SIDE
from pytest_ocrparity.errors import Mistakes, OptionError, SettingsError
from pytest_ocrparity.settings.batch_settings import typed_batch_setting
from pytest_ocrparity.settings.candidates import Candidate, candidates_with_folder, commanded, read_candidates
from pytest_ocrparity.settings.label_settings import LabelSettings, read_label_settings
from pytest_ocrparity.settings.page_settings import read_page_settings
from pytest_ocrparity.settings.report_pictures import is_picture_of_a_report
from pytest_ocrparity.settings.setting_paths import path_with_home, with_absolute_paths_of_table
from pytest_ocrparity.settings.settings_file import check_length, read_settings_file
from pytest_ocrparity.settings.settings_table import OPTIONS, TABLES, settings_table_defaults
from pytest_ocrparity.stages import RECOGNITION
from pytest_ocrparity.tolerance import BUILT_IN, Tolerance
from pytest_ocrparity.wording import listed, path_from

IMAGE_SUFFIXES: Final = (".bmp", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
"""What a folder given as images is searched for; a glob may name anything."""


_OF_A_TABLE: Final = re.compile(
    rf"(?<![\w.])(?:{'|'.join(f'{table}[.]{key}' for table in ('train', 'inference') for key in TABLES[table])})\b"
)
"""The name of a setting that the table of recognisers may hold as well."""
_UNITS: Final = {"MB": 10**6, "GB": 10**9, "MIB": 2**20, "GIB": 2**30}
_SIZE: Final = re.compile(rf"(\d+(?:\.\d+)?)\s*({'|'.join(_UNITS)})", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one run. Paths are absolute.

    Attributes:
        file: the settings file, or None where only the command line spoke.
        root: the folder that image names and baselines are relative to: the file's, else the invocation directory.
        images: (folder, glob) pairs.
        labels: where the labels of the images stand, None where there are none.
        images_of_labels: returns the images that labels name; asked where the settings name none.
        train: keyword arguments of `pipelines.training.load_training`; empty where nothing was said.
        candidates: the deployments under test by name, the one under `inference` first.
        golden_mode: how to record, None when the run only compares.
        diagnosis_seconds: how long the experiments after a failure may take; 0 for none.
        memory_limit: bytes that running an image may take, None for what is available.
        report_dir: where the report goes, None for no report.
        history: the file to which the run appends its line, None for none.
        report_pictures: "failed" for those of images that differ, and thumbnails of others; or "all".
        github: "auto", "on" or "off": annotations and job summary.
        tolerance: of tests that compare no single candidate.
        batch: how many images run at once, of sides that are none of the candidates.
        typed: the settings that the command line overrides.
        recognition: in a project of both tasks, the settings of its recognisers: their own images, train, candidates
            and tolerance, and all else as it is here.
        page: what the table `page` sets, of the deployment that reads pages with both models.
        reads_pages: whether there is that table, which may be empty.
        prefix: what the names of these settings begin with: "recognition." of those.
    """

    file: Path | None
    root: Path
    images: tuple[tuple[Path, str], ...]
    allow_empty: bool
    diagnosis_seconds: float
    memory_limit: int | None
    golden_dir: Path
    golden_reference: str
    golden_mode: str | None
    golden_prune: bool
    train: Mapping[str, Any]
    no_train: bool
    candidates: Mapping[str, Candidate]
    report_dir: Path | None
    report_pictures: str
    github: str
    tolerance: Tolerance
    batch: int = 1
    labels: LabelSettings | None = None
    images_of_labels: Callable[[Settings], list[Path]] | None = None
    history: Path | None = None
    typed: frozenset[str] = frozenset()
    recognition: Settings | None = None
    page: Mapping[str, Any] = field(default_factory=dict)
    reads_pages: bool = False
    prefix: str = ""

    def of_task(self, task: str) -> Settings:
        """Return the settings of the models of a task, one of `stages.TASKS`."""
        return self.recognition if self.recognition is not None and task == RECOGNITION.name else self

    @property
    def parts(self) -> tuple[Settings, ...]:
        """These settings and, in a project of both tasks, those of its recognisers."""
        return (self,) if self.recognition is None else (self, self.recognition)

    @property
    def has_detector(self) -> bool:
        """Tell whether anything is set of another model than those of the recognition table."""
        return bool(self.images or self.labels or self.train or self.candidates)

    def all_image_paths(self) -> list[Path]:
        """Return the images of all tasks."""
        return list(dict.fromkeys(path for part in self.parts for path in part.image_paths()))

    def shared_images(self) -> list[str]:
        """Return a sentence where an image is one of both tasks, which it can't be."""
        if self.recognition is None:
            return []
        lines = set(self.recognition.image_paths())
        shared = [path for path in self.image_paths() if path in lines]
        if not shared:
            return []
        more = f" and {len(shared) - 1} more" if shared[1:] else ""
        return [
            f"{self.file}: images and recognition.images both match {self.image_name(shared[0])}{more}: an image is "
            "one of a detector or one of a recogniser; correct one of the globs"
        ]

    @property
    def has_batches(self) -> bool:
        """Tell whether any side is to run more than one image at once."""
        return any(part.batches() for part in self.parts)

    def batches(self) -> dict[str, int]:
        """Return how many images each side of these runs at once that is to run more than one."""
        named = {each.name: each.batch for each in self.candidates.values() if each.batch > 1}
        return named or ({"inference": self.batch} if self.batch > 1 else {})

    def batch_of(self, candidate: str | None) -> int:
        """Return how many images a candidate runs at once; of several, None is none of them."""
        return self.candidates[candidate].batch if candidate else self.batch

    @property
    def is_set(self) -> bool:
        """Tell whether anything at all was set, in a file or on the command line."""
        return bool(self.file or self.has_detector)

    @property
    def first_candidate(self) -> Candidate | None:
        """The one under `inference`, else the first: whose output baselines of the export are."""
        return next(iter(self.candidates.values()), None)

    def image_paths(self) -> list[Path]:
        """Return the images that the globs match, sorted, each once, and no report's; without globs the labels'."""
        if not self.images and self.labels is not None and self.images_of_labels is not None:
            return self.images_of_labels(self)
        found = dict.fromkeys(path for folder, pattern in self.images for path in _matching_images(folder, pattern))
        return [path for path in found if not is_picture_of_a_report(path, self.report_dir)]

    def idle_globs(self) -> list[str]:
        """Return a sentence for each glob or folder that matches no file where others do."""
        matches = {pattern: _matching_images(folder, pattern) for folder, pattern in self.images}
        if not any(matches.values()):
            return []  # a run without any image fails by itself
        where = OPTIONS["ocr_images"].option if "images" in self.typed else f"{self.prefix}images"
        return [
            f"{where}: {pattern} matches no file, while others match {len(self.image_paths())}: correct it or remove it"
            for pattern, found in matches.items()
            if not found
        ]

    def image_name(self, path: Path) -> str:
        """Return how messages, ids and baselines call an image: relative to `root`, with forward slashes."""
        return path_from(self.root, path)

    def as_typed(self, text: str) -> str:
        """Return a text that names settings, with the options in their place that were typed instead of them."""
        for row in OPTIONS.values():
            if row.name in self.typed and row.table:
                text = re.sub(rf"(the setting )?\b{re.escape(row.name)}\b", row.option, text)
        return _OF_A_TABLE.sub(rf"{self.prefix}\g<0>", text) if self.prefix else text

    def no_image(self) -> str:
        """Return the sentence of a run without images."""
        if not self.images and self.labels is not None:
            files = ", ".join(path_from(self.root, file) for file in self.labels.files)
            return f"no images: {files} labels none that is there, and no {self.prefix}images are set"
        if not self.images:
            where = self.file or "the command line"
            if self.prefix or self.recognition is not None:
                marked = "marked" if self.prefix else "not marked"
                return (
                    f'no images: {where} sets no {self.prefix}images, which tests {marked} ocr_task("recognition") get'
                )
            return f"no images: {where} sets none; set `images` or pass --ocr-images='images/*.png'"
        globs = ", ".join(str(folder / pattern) for folder, pattern in self.images)
        nearest = ", ".join(dict.fromkeys(_nearest_folder_text(folder, pattern) for folder, pattern in self.images))
        start = ""
        if "images" not in self.typed:
            link = f", which is a link to {os.path.realpath(self.file)}" if self.file and self.file.is_symlink() else ""
            start = f"; `{self.prefix}images` starts at the folder of {self.file}{link}"
        return f"no images: {globs} matches no file{start}; the nearest folder that is there: {nearest}"


def _nearest_folder_text(folder: Path, pattern: str) -> str:
    """Return the deepest folder of a glob that is there, with what it holds."""
    nearest = _nearest_folder(folder, pattern)
    children = sorted(nearest.iterdir()) if os.access(nearest, os.R_OK) else []
    suffixes = Counter(child.suffix for child in children if child.suffix.lower() in IMAGE_SUFFIXES)
    if suffixes:
        return f"{nearest}, which holds {', '.join(f'{count} of *{suffix}' for suffix, count in suffixes.items())}"
    folders = [child.name for child in children if child.is_dir() and not child.name.startswith(".")]
    return f"{nearest}, which holds no image" + (f", but the folders {listed(folders, 8)}" if folders else "")


def _nearest_folder(folder: Path, pattern: str) -> Path:
    """Return the deepest folder of a glob that is there."""
    path = folder / path_with_home(pattern)
    return next((parent for parent in (path, *path.parents) if _is_plain(parent) and parent.is_dir()), folder)


def _is_plain(path: Path) -> bool:
    return not glob.has_magic(str(path)) or path.exists()


def _matching_images(folder: Path, pattern: str) -> list[Path]:
    """Return the files that a glob matches, or the images in a folder, sorted.

    Of a name with an accent there are two spellings, and a checkout on macOS may have the other one.
    """
    forms = dict.fromkeys((pattern, *(unicodedata.normalize(form, pattern) for form in ("NFC", "NFD"))))
    return next((found for form in forms if (found := _glob_as_spelled(folder, form))), [])


def _glob_as_spelled(folder: Path, pattern: str) -> list[Path]:
    """Return what matches a glob as it is spelled."""
    pattern = os.path.expanduser(pattern)  # noqa: PTH111 - a glob is no path
    path = folder / pattern
    matches = (
        (child for child in path.rglob("*") if child.suffix.lower() in IMAGE_SUFFIXES)
        if path.is_dir()
        else [path]  # a name may hold the letters of a glob
        if path.is_file()
        # Path.glob refuses absolute patterns and `..`, both of which users write.
        else (folder / name for name in glob.glob(pattern, root_dir=folder, recursive=True))  # noqa: PTH207
    )
    # A dangling link is kept: its test fails by name, which is better than an image less.
    return [Path(os.path.normpath(match)) for match in sorted(matches) if match.is_file() or match.is_symlink()]


def load_settings(file: Path | None, options: Mapping[str, Any], invocation_dir: Path) -> Settings:
    """Return the settings of a file, overridden by command-line options.

    Args:
        file: a settings file, or None.
        options: values of the `--ocr-*` options by their `dest`; None or missing where not given.
        invocation_dir: what command-line paths are relative to.

    Raises:
        SettingsError: keys or values mean nothing, or contradict each other: a line for each, which names it, its file
            and the nearest known key. An OptionError where an option takes part in it.
    """
    mistakes = Mistakes()
    options = _right_options(options, mistakes)
    root = file.parent if file else invocation_dir
    tables = read_settings_file(file, mistakes)

    def merged(table: str, values: Mapping[str, Any]) -> dict[str, Any]:
        return {
            **with_absolute_paths_of_table(values, table, root),
            **_overridden_by_command_line(table, options, invocation_dir),
        }

    train = merged("train", tables["train"])
    top, golden, report = (
        merged(name, {**settings_table_defaults(name), **tables[name]}) for name in ("", "golden", "report")
    )
    images = top.get("images", [])
    images_dir = invocation_dir if options.get("ocr_images") else root
    if "network" in train:
        train["network_folder"] = root
    words = _right_words(options.get("ocr_tolerance") or (), mistakes)
    tolerance, memory_limit, golden_mode = BUILT_IN, None, None
    with mistakes.gathering():
        tolerance = BUILT_IN.override(tables["tolerance"], str(file)) if tables["tolerance"] else BUILT_IN
    with mistakes.gathering():
        memory_limit = _size_in_bytes(top.get("memory_limit"), file)
    with mistakes.gathering():
        golden_mode = _golden_mode(options)
    page: Mapping[str, Any] = {}
    with mistakes.gathering():
        page = read_page_settings(f"{file}: page", tables.get(PAGE_SIDE, {}), root)
    labels = None
    with mistakes.gathering():
        labels = read_label_settings(f"{file}: labels", tables["labels"], root)
    candidates = read_candidates(tables, file, root, tolerance, words, mistakes)
    if options.get("ocr_inference_dir"):
        with mistakes.gathering():
            candidates = candidates_with_folder(
                candidates, invocation_dir, options["ocr_inference_dir"], tolerance, words
            )
    batch = None
    with mistakes.gathering():
        batch = typed_batch_setting(options)
    candidates = _in_batches(candidates, batch)
    with mistakes.gathering():
        if options.get("ocr_golden") and options.get("ocr_no_train") and golden["reference"] == "train":
            raise OptionError("--ocr-golden with --ocr-no-train: the baselines are recorded from the train model")
    found = Settings(
        file=file,
        root=root,
        images=tuple((images_dir, pattern) for pattern in ([images] if isinstance(images, str) else images)),
        allow_empty=top["allow_empty"],
        diagnosis_seconds=top["diagnosis_seconds"],
        memory_limit=memory_limit,
        golden_dir=golden["dir"],
        golden_reference=golden["reference"],
        golden_mode=golden_mode,
        golden_prune=bool(options.get("ocr_golden_prune")),
        train=train,
        no_train=bool(options.get("ocr_no_train")),
        candidates=candidates,
        report_dir=report.get("dir"),
        report_pictures=report["pictures"],
        github=report["github"],
        tolerance=_of_all_tests(candidates, tolerance, words),
        batch=next(iter(candidates.values())).batch if len(candidates) == 1 else batch or 1,
        labels=labels,
        page=page,
        reads_pages=PAGE_SIDE in tables,
        history=report.get("history"),
        typed=frozenset(row.name for dest, row in OPTIONS.items() if row.name and options.get(dest)),
    )
    if tables["recognition"]:
        found = replace(
            found, recognition=_of_recognisers(found, tables["recognition"], tolerance, words, batch, mistakes)
        )
    mistakes.raise_any()
    return found


def _of_recognisers(
    settings: Settings,
    tables: Mapping[str, Mapping[str, Any]],
    tolerance: Tolerance,
    words: Sequence[str],
    batch: int | None,
    mistakes: Mistakes,
) -> Settings:
    """Return the settings of recognisers beside a detector.

    Options of the command line that name files are the detector's; how to compare and to run, they say of both.
    """
    with mistakes.gathering():
        where = f"{settings.file}: recognition"
        tolerance = tolerance.override(tables["tolerance"], where) if tables["tolerance"] else tolerance
    train, images = with_absolute_paths_of_table(tables["train"], "train", settings.root), tables[""].get("images", [])
    if "network" in train:
        train["network_folder"] = settings.root
    labels = None
    with mistakes.gathering():
        labels = read_label_settings(f"{settings.file}: recognition.labels", tables["labels"], settings.root)
    candidates = read_candidates(
        tables, settings.file, settings.root, tolerance, words, mistakes, prefix="recognition."
    )
    candidates = _in_batches(candidates, batch)
    return replace(
        settings,
        images=tuple((settings.root, pattern) for pattern in ([images] if isinstance(images, str) else images)),
        train=train,
        candidates=candidates,
        tolerance=_of_all_tests(candidates, tolerance, words),
        batch=next(iter(candidates.values())).batch if len(candidates) == 1 else batch or 1,
        labels=labels,
        typed=frozenset(),
        prefix="recognition.",
    )


def _in_batches(candidates: Mapping[str, Candidate], batch: int | None) -> dict[str, Candidate]:
    """Return candidates that run as many images at once as the command line says; None: as each says itself."""
    return {name: each if batch is None else each._replace(batch=batch) for name, each in candidates.items()}


def _of_all_tests(candidates: Mapping[str, Candidate], tolerance: Tolerance, words: Sequence[str]) -> Tolerance:
    """Return the limits of tests that compare no single candidate; an only one's are everybody's."""
    (only,) = candidates.values() if len(candidates) == 1 else (None,)
    return only.tolerance if only else commanded(tolerance, words)


def _right_options(options: Mapping[str, Any], mistakes: Mistakes) -> dict[str, Any]:
    """Return the options that have a value which can be used; each of the others is a mistake."""
    right = dict(options)
    for option, row in OPTIONS.items():
        value = options.get(option)
        with mistakes.gathering():
            right.pop(option, None)
            if value == "" or (isinstance(value, list) and "" in value):
                raise OptionError(f"{row.option}= is empty: give it a value or leave it out")
            try:
                check_length(row.option, value)
            except SettingsError as error:
                raise OptionError(str(error)) from error
            right[option] = value
    return right


def _right_words(words: Sequence[str], mistakes: Mistakes) -> list[str]:
    """Return the values of `--ocr-tolerance` that mean something; each of the others is a mistake."""
    right = []
    for word in words:
        with mistakes.gathering():
            try:
                commanded(BUILT_IN, [word])
            except SettingsError as error:
                raise OptionError(str(error)) from error
            right.append(word)
    return right


def _size_in_bytes(given: str | int | None, file: Path | None) -> int | None:
    """Return a size in bytes. Raises SettingsError where a text is none."""
    if not isinstance(given, str):
        return given
    match = _SIZE.fullmatch(given.strip())
    size = float(match[1]) * _UNITS[match[2].upper()] if match else float("inf")
    if size == float("inf"):
        raise SettingsError(f'{file}: memory_limit is a size such as "4 GB", "512 MiB" or a number, not {given!r}')
    return int(size)


def _golden_mode(options: Mapping[str, Any]) -> str | None:
    mode = options.get("ocr_golden_mode")
    if mode is not None and not options.get("ocr_golden"):
        raise OptionError(f"--ocr-golden-mode={mode} records nothing without --ocr-golden")
    return (mode or OPTIONS["ocr_golden_mode"].default) if options.get("ocr_golden") else None


def _overridden_by_command_line(table: str, options: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return what the command line sets of a table; its paths start at `folder`."""
    given = {key: (row, options.get(row.dest)) for key, row in TABLES[table].items()}
    return {
        key: folder / path_with_home(value) if row.kind.is_path else value
        for key, (row, value) in given.items()
        if value
    }
