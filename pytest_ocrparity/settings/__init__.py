"""The settings of a run: a file's, overridden by the command line's, with every path made absolute."""

from __future__ import annotations

import glob
import os
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from pytest_ocrparity.errors import Mistakes, OptionError, SettingsError
from pytest_ocrparity.settings.batch_settings import check_batch, typed_batch
from pytest_ocrparity.settings.engine_settings import (
    OF_ANY_CLASS,
    check_engine,
    is_another_model,
    without_second_engine,
)
from pytest_ocrparity.settings.option_paths import with_absolute_paths
from pytest_ocrparity.settings.result_files import RESULTS, check_result_files, is_a_run
from pytest_ocrparity.settings.settings_file import check_length, read_tables
from pytest_ocrparity.settings.settings_table import OPTIONS, TABLES, defaults
from pytest_ocrparity.tolerance import BUILT_IN, Tolerance, parse_option
from pytest_ocrparity.wording import path_from

IMAGE_SUFFIXES: Final = (".bmp", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
"""What a folder given as images is searched for; a glob may name anything."""


_UNITS: Final = {"MB": 10**6, "GB": 10**9, "MIB": 2**20, "GIB": 2**30}
_SIZE: Final = re.compile(rf"(\d+(?:\.\d+)?)\s*({'|'.join(_UNITS)})", re.IGNORECASE)


class Candidate(NamedTuple):
    """A deployment under test.

    `values` are keyword arguments of `pipelines.inference.load_inference`; `tolerance` holds its limits, with those of
    the command line on top; `batch` is how many images it runs at once.
    """

    name: str
    values: Mapping[str, Any]
    tolerance: Tolerance
    inherited: frozenset[str] = frozenset()
    """The keys that it has from the inference table, where their values are corrected."""
    batch: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one run. Paths are absolute.

    Attributes:
        file: the settings file, or None where only the command line spoke.
        root: the folder that image names and baselines are relative to: the file's, else the invocation directory.
        images: (folder, glob) pairs.
        train: keyword arguments of `pipelines.training.load_training`; empty where nothing was said.
        candidates: the deployments under test by name, the one under `inference` first.
        golden_mode: how to record, None when the run only compares.
        diagnosis_seconds: how long the experiments after a failure may take; 0 for none.
        memory_limit: bytes that running an image may take, None for what is available.
        report_dir: where the report goes, None for no report.
        report_pictures: "all", or "failed" for those of failed comparisons only.
        github: "auto", "on" or "off": annotations and job summary.
        tolerance: of tests that compare no single candidate.
        batch: how many images run at once, of sides that are none of the candidates.
        typed: the settings that the command line overrides.
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
    typed: frozenset[str] = frozenset()

    @property
    def has_batches(self) -> bool:
        """Tell whether any side is to run more than one image at once."""
        return max(self.batch, *(each.batch for each in self.candidates.values()), 1) > 1

    def batch_of(self, candidate: str | None) -> int:
        """Return how many images a candidate runs at once; of several, None is none of them."""
        return self.candidates[candidate].batch if candidate else self.batch

    @property
    def is_set(self) -> bool:
        """Tell whether anything at all was set, in a file or on the command line."""
        return bool(self.file or self.images or self.train or self.candidates)

    @property
    def first_candidate(self) -> Candidate | None:
        """The one under `inference`, else the first: whose output baselines of the export are."""
        return next(iter(self.candidates.values()), None)

    def image_paths(self) -> list[Path]:
        """Return the images that the globs match, sorted, each once."""
        return list(dict.fromkeys(path for folder, pattern in self.images for path in _matches(folder, pattern)))

    def idle_globs(self) -> list[str]:
        """Return a sentence for each glob or folder that matches no file where others do."""
        matches = {pattern: _matches(folder, pattern) for folder, pattern in self.images}
        if not any(matches.values()):
            return []  # a run without any image fails by itself
        where = OPTIONS["ocr_images"].option if "images" in self.typed else "images"
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
        return text

    def no_image(self) -> str:
        """Return the sentence of a run without images."""
        if not self.images:
            where = self.file or "the command line"
            return f"no images: {where} sets none; set `images` or pass --ocr-images='images/*.png'"
        globs = ", ".join(str(folder / pattern) for folder, pattern in self.images)
        if "images" in self.typed:
            return f"no images: {globs} matches no file; quote a glob on the command line, or the shell expands it"
        nearest = ", ".join(dict.fromkeys(str(_nearest(folder, pattern)) for folder, pattern in self.images))
        link = f", which is a link to {os.path.realpath(self.file)}" if self.file and self.file.is_symlink() else ""
        return (
            f"no images: {globs} matches no file; `images` starts at the folder of {self.file}{link}; the nearest "
            f"folder that is there: {nearest}"
        )


def _nearest(folder: Path, pattern: str) -> Path:
    """Return the deepest folder of a glob that is there."""
    path = folder / _home_expanded(pattern)
    return next((parent for parent in (path, *path.parents) if _is_plain(parent) and parent.is_dir()), folder)


def _is_plain(path: Path) -> bool:
    return not glob.has_magic(str(path)) or path.exists()


def _matches(folder: Path, pattern: str) -> list[Path]:
    """Return the files that a glob matches, or the images in a folder, sorted.

    Of a name with an accent there are two spellings, and a checkout on macOS may have the other one.
    """
    forms = dict.fromkeys((pattern, *(unicodedata.normalize(form, pattern) for form in ("NFC", "NFD"))))
    return next((found for form in forms if (found := _spelled(folder, form))), [])


def _spelled(folder: Path, pattern: str) -> list[Path]:
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


def load(file: Path | None, options: Mapping[str, Any], invocation_dir: Path) -> Settings:
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
    tables = read_tables(file, mistakes)

    def merged(table: str, values: Mapping[str, Any]) -> dict[str, Any]:
        return {**_absolute(values, table, root), **_overriding(table, options, invocation_dir)}

    train = merged("train", tables["train"])
    top, golden, report = (merged(name, {**defaults(name), **tables[name]}) for name in ("", "golden", "report"))
    images = top.get("images", [])
    images_dir = invocation_dir if options.get("ocr_images") else root
    if "network" in train:
        train["network_folder"] = root
    words = _right_words(options.get("ocr_tolerance") or (), mistakes)
    tolerance, memory_limit, golden_mode = BUILT_IN, None, None
    with mistakes.gathering():
        tolerance = BUILT_IN.override(tables["tolerance"], str(file)) if tables["tolerance"] else BUILT_IN
    with mistakes.gathering():
        memory_limit = _bytes(top.get("memory_limit"), file)
    with mistakes.gathering():
        golden_mode = _golden_mode(options)
    candidates = _candidates(tables, file, root, tolerance, words, mistakes)
    if options.get("ocr_inference_dir"):
        with mistakes.gathering():
            candidates = _with_folder(candidates, invocation_dir, options["ocr_inference_dir"], tolerance, words)
    batch = None
    with mistakes.gathering():
        batch = typed_batch(options)
    candidates = {name: each if batch is None else each._replace(batch=batch) for name, each in candidates.items()}
    # What the only candidate is given holds for everybody: a test need not ask for it by its fixture.
    (only,) = candidates.values() if len(candidates) == 1 else (None,)
    with mistakes.gathering():
        if options.get("ocr_golden") and options.get("ocr_no_train") and golden["reference"] == "train":
            raise OptionError("--ocr-golden with --ocr-no-train: the baselines are recorded from the train model")
    mistakes.raise_any()
    return Settings(
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
        tolerance=only.tolerance if only else _commanded(tolerance, words),
        batch=only.batch if only else batch or 1,
        typed=frozenset(row.name for dest, row in OPTIONS.items() if row.name and options.get(dest)),
    )


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
                _commanded(BUILT_IN, [word])
            except SettingsError as error:
                raise OptionError(str(error)) from error
            right.append(word)
    return right


def _bytes(given: str | int | None, file: Path | None) -> int | None:
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


def _candidates(
    tables: Mapping[str, Mapping[str, Any]],
    file: Path | None,
    root: Path,
    tolerance: Tolerance,
    words: Sequence[str],
    mistakes: Mistakes,
) -> dict[str, Candidate]:
    """Return the candidates; what one leaves out is the inference table's, except for its tolerance."""
    inference = tables["inference"]
    own = {"inference": inference} if inference else {}
    candidates = {}
    for name, table in {**own, **tables["candidates"]}.items():
        where = f"{file}: {'' if name in own else 'candidates.'}{name}"
        with mistakes.gathering():
            _check_factory(table, where)
        inherited = _inherited(inference, table)
        has, table = frozenset(inherited.keys() - table.keys()), {**inherited, **table}
        limits = tolerance
        with mistakes.gathering():
            check_result_files(where, table)
        with mistakes.gathering():
            inferences = {key: f"{file}: inference.{key}" for key in has}
            check_engine({key: f"{where}.{key}" for key in TABLES["inference"]} | inferences, table)
        with mistakes.gathering():
            check_batch(where, table)
        with mistakes.gathering():
            limits = _commanded(tolerance.override(table.pop("tolerance", None), where), words)
        batch = table.pop("batch", 1)
        candidates[name] = Candidate(
            name=name, values=_deployment(table, root), tolerance=limits, inherited=has, batch=batch
        )
    return candidates


BESIDE_FACTORY: Final = (
    *("api", "engine", "model_dir", "model_file", "model_name"),
    *("options", "options_file", "results", "frame"),
)
"""What an object that a user's function returns has already."""


def _inherited(inference: Mapping[str, Any], table: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a candidate has from the inference table, which is nothing that means something else there."""
    if "factory" in table or ("factory" in inference and table.keys() & {*BESIDE_FACTORY}):
        return {}
    if is_another_model(inference, table) or is_a_run(inference, table):
        return {}
    api = TABLES["inference"]["api"].default
    apis = inference.get("api", api), table.get("api", inference.get("api", api))
    if apis[0] != apis[1] and RESULTS in apis:
        return {}
    kept = OF_ANY_CLASS if apis[0] != apis[1] else [key for key in inference if key != "tolerance"]
    return without_second_engine({key: inference[key] for key in kept if key in inference}, table)


def _check_factory(table: Mapping[str, Any], where: str) -> None:
    """Refuse what would change nothing beside a factory. Raises SettingsError."""
    beside = [key for key in BESIDE_FACTORY if key in table]
    if "factory" in table and beside:
        raise SettingsError(
            f"{where}.factory = {table['factory']!r} returns the object that production calls, which has its own "
            f"{' and '.join(beside)}: beside it, {' and '.join(beside)} would change nothing; keep one of them"
        )


def _deployment(table: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """Return the values of a candidate with absolute paths, those inside of its options included."""
    values = _absolute(table, "inference", root)
    if "options" in values:
        values["options"] = with_absolute_paths(values["options"], root)
    return {**values, "folder": root} if values.keys() & {"factory", "options_file"} else values


def _with_folder(
    candidates: Mapping[str, Candidate], folder: Path, given: str, tolerance: Tolerance, words: Sequence[str]
) -> dict[str, Candidate]:
    """Return the only candidate with another export folder. Raises SettingsError where there are several."""
    if len(candidates) > 1:
        raise OptionError(
            f"--ocr-inference-dir={given}: which of {', '.join(candidates)} is meant? It names the folder of an only "
            "candidate; set the folder of one of several in the settings"
        )
    if candidates and next(iter(candidates.values())).values.get("api") == RESULTS:
        raise OptionError(f'--ocr-inference-dir={given}: with api = "results" nothing runs, and no folder is read')
    if candidates and "model_file" in next(iter(candidates.values())).values:
        raise OptionError(f"--ocr-inference-dir={given}: the settings name a single file as model_file, and no folder")
    (only,) = candidates.values() or (Candidate(name="inference", values={}, tolerance=_commanded(tolerance, words)),)
    if "factory" in only.values:
        raise OptionError(
            f"--ocr-inference-dir={given}: {only.name}.factory returns an object that has its folder already"
        )
    return {only.name: only._replace(values={**only.values, "model_dir": folder / _home_expanded(given)})}


def _commanded(tolerance: Tolerance, words: Sequence[str]) -> Tolerance:
    """Return a tolerance with the limits of the command line on top."""
    parsed = [parse_option(word) for word in words]
    # A preset replaces all that is below it, so it comes first wherever it stands on the line.
    for values in sorted(parsed, key=lambda values: "preset" not in values):
        tolerance = tolerance.override(values, "command line")
    return tolerance


def _home_expanded(path: str) -> Path:
    """Return a path with `~` as the user's home, and that of a user who is not known as it is."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - Path's own raises RuntimeError for such a user


def _absolute(values: Mapping[str, Any], table: str, root: Path) -> dict[str, Any]:
    """Return the values of a table with its paths made absolute; `~` is the user's home."""
    return {
        key: Path(os.path.normpath(root / _home_expanded(value))) if TABLES[table][key].kind.is_path else value
        for key, value in values.items()
    }


def _overriding(table: str, options: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return what the command line sets of a table; its paths start at `folder`."""
    given = {key: (row, options.get(row.dest)) for key, row in TABLES[table].items()}
    return {
        key: folder / _home_expanded(value) if row.kind.is_path else value
        for key, (row, value) in given.items()
        if value
    }
