"""One table of settings: what a file and the command line may say, checked, with every path made absolute.

Reads `[tool.ocrparity]` of a pyproject.toml, or an ocrparity.toml. Checks values only; files are checked on use.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from pytest_ocrparity.errors import SettingsError
from pytest_ocrparity.tolerance import BUILT_IN, Tolerance, nearest, parse_option

__all__ = ["GOLDEN_MODES", "Settings", "find_file", "load"]

GOLDEN_MODES: Final = ("missing", "changed", "all")
IMAGE_SUFFIXES: Final = (".bmp", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
"""What a folder given as images is searched for; a glob may name anything."""


class Kind(NamedTuple):
    """What a setting's value must be, in words and as a type; `choices` where only some words mean something."""

    words: str
    type: type | tuple[type, ...]
    is_path: bool = False
    choices: tuple[str, ...] = ()


_PATH = Kind("a path", str, is_path=True)
_TEXT = Kind("a text", str)
_FLAG = Kind("true or false", bool)
_TABLE = Kind("a table", Mapping)

TABLE: Final[Mapping[str, Mapping[str, Kind]]] = {
    "": {
        "images": Kind("a list of globs", (list, str)),
        "allow_empty": _FLAG,
        "diagnosis_seconds": Kind("a number from 0 up", (int, float)),
    },
    "golden": {"dir": _PATH, "reference": Kind("a text", str, choices=("train", "inference"))},
    "train": {
        "config": _PATH,
        "checkpoint": _PATH,
        "paddleocr_root": _PATH,
        "network": _TEXT,
        "device": _TEXT,
        "sub_model": _TEXT,
        "trust_checkpoint": _FLAG,
    },
    "inference": {"model_dir": _PATH, "options": _TABLE, "predict_options": _TABLE, "model_name": _TEXT},
}
"""Every key a settings file may hold, by table; `[tool.ocrparity.tolerance]` is checked by `Tolerance`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one run. Paths are absolute.

    Attributes:
        file: the settings file, or None where only the command line spoke.
        root: the folder that image names and baselines are relative to: the file's, else the invocation directory.
        images: (folder, glob) pairs.
        train: keyword arguments of `pipelines.training.load_training`; empty where nothing was said.
        inference: keyword arguments of `pipelines.inference.load_inference`; empty where nothing was said.
        golden_mode: how to record, None when the run only compares.
        diagnosis_seconds: how long the experiments after a failure may take; 0 for none.
    """

    file: Path | None = None
    root: Path = field(default_factory=Path.cwd)
    images: tuple[tuple[Path, str], ...] = ()
    allow_empty: bool = False
    diagnosis_seconds: float = 60.0
    golden_dir: Path = Path("goldens")
    golden_reference: str = "train"
    golden_mode: str | None = None
    golden_prune: bool = False
    train: Mapping[str, Any] = field(default_factory=dict)
    no_train: bool = False
    inference: Mapping[str, Any] = field(default_factory=dict)
    tolerance: Tolerance = BUILT_IN

    @property
    def is_set(self) -> bool:
        """Tell whether anything at all was set, in a file or on the command line."""
        return bool(self.file or self.images or self.train or self.inference)

    def image_paths(self) -> list[Path]:
        """Return the images that the globs match, sorted, each once."""
        found: dict[Path, None] = {}
        for folder, pattern in self.images:
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
            kept = (match for match in sorted(matches) if match.is_file() or match.is_symlink())
            found.update((Path(os.path.normpath(match)), None) for match in kept)
        return list(found)

    def image_name(self, path: Path) -> str:
        """Return how messages, ids and baselines call an image: relative to `root`, with forward slashes."""
        return Path(os.path.relpath(path, self.root)).as_posix()

    def no_image(self) -> str:
        """Return the sentence of a run without images."""
        if not self.images:
            where = self.file or "the command line"
            return f"no images: {where} sets none; set `images` or pass --ocr-images='images/*.png'"
        globs = ", ".join(str(folder / pattern) for folder, pattern in self.images)
        return f"no images: {globs} matches no file; quote a glob on the command line, or the shell expands it"


def find_file(start: Path) -> Path | None:
    """Return the settings file of the nearest folder upward from `start` that has one.

    Raises:
        SettingsError: that folder has two, or its pyproject.toml is no TOML.
    """
    for folder in (start, *start.parents):
        own, shared = folder / "ocrparity.toml", folder / "pyproject.toml"
        has_shared = shared.is_file() and b"ocrparity" in shared.read_bytes() and "ocrparity" in _tools(shared)
        if own.is_file() and has_shared:
            raise SettingsError(f"{folder} has both ocrparity.toml and [tool.ocrparity] in pyproject.toml: keep one")
        if own.is_file() or has_shared:
            return own if own.is_file() else shared
    return None


def _tools(path: Path) -> Mapping[str, Any]:
    tools = _read(path).get("tool", {})
    return tools if isinstance(tools, Mapping) else {}


def _read(path: Path) -> dict[str, Any]:
    try:
        import tomllib  # after the cheap checks: most runs have no settings
    except ModuleNotFoundError:  # Python 3.10
        import tomli as tomllib  # type: ignore[no-redef,import-not-found,unused-ignore]
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot read these settings: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not valid TOML: {error}") from error


def load(file: Path | None, options: Mapping[str, Any], invocation_dir: Path) -> Settings:
    """Return the settings of a file, overridden by command-line options.

    Args:
        file: a settings file, or None.
        options: values of the `--ocr-*` options by their `dest`; None or missing where not given.
        invocation_dir: what command-line paths are relative to.

    Raises:
        SettingsError: a key or value means nothing; the text names it, its file and the nearest known key.
    """
    for name, value in options.items():
        if name.startswith("ocr_") and (value == "" or (isinstance(value, list) and "" in value)):
            raise SettingsError(f"--{name.replace('_', '-')}= is empty: give it a value or leave it out")
    root = file.parent if file else invocation_dir
    tables = _tables(file)
    images = tables[""].get("images", [])
    pairs = [(root, pattern) for pattern in ([images] if isinstance(images, str) else images)]
    if options.get("ocr_images"):
        pairs = [(invocation_dir, pattern) for pattern in options["ocr_images"]]
    train, inference = (_absolute(tables[name], TABLE[name], root) for name in ("train", "inference"))
    for key, table, name in (
        ("ocr_train_config", train, "config"),
        ("ocr_train_checkpoint", train, "checkpoint"),
        ("ocr_paddleocr_root", train, "paddleocr_root"),
        ("ocr_inference_dir", inference, "model_dir"),
    ):
        if options.get(key):
            table[name] = invocation_dir / options[key]
    if "network" in train:
        train["network_folder"] = root
    golden = _absolute(tables["golden"], TABLE["golden"], root)
    golden_dir = invocation_dir / options["ocr_golden_dir"] if options.get("ocr_golden_dir") else golden.get("dir")
    settings = Settings(
        file=file,
        root=root,
        images=tuple(pairs),
        allow_empty=tables[""].get("allow_empty", False),
        diagnosis_seconds=tables[""].get("diagnosis_seconds", 60.0),
        golden_dir=golden_dir or root / "goldens",
        golden_reference=golden.get("reference", "train"),
        golden_mode=_golden_mode(options),
        golden_prune=bool(options.get("ocr_golden_prune")),
        train=train,
        no_train=bool(options.get("ocr_no_train")),
        inference=inference,
        tolerance=_tolerance(tables["tolerance"], file, options.get("ocr_tolerance") or ()),
    )
    if settings.golden_mode and settings.no_train and settings.golden_reference == "train":
        raise SettingsError("--ocr-golden with --ocr-no-train: the baselines are recorded from the train model")
    return settings


def _golden_mode(options: Mapping[str, Any]) -> str | None:
    mode = options.get("ocr_golden_mode")
    if mode is not None and not options.get("ocr_golden"):
        raise SettingsError(f"--ocr-golden-mode={mode} records nothing without --ocr-golden")
    return (mode or "missing") if options.get("ocr_golden") else None


def _tolerance(table: Mapping[str, Any], file: Path | None, words: Sequence[str]) -> Tolerance:
    tolerance = BUILT_IN.override(table, str(file)) if table else BUILT_IN
    parsed = [parse_option(word) for word in words]
    # A preset replaces all that is below it, so it comes first wherever it stands on the line.
    for values in sorted(parsed, key=lambda values: "preset" not in values):
        tolerance = tolerance.override(values, "command line")
    return tolerance


def _tables(file: Path | None) -> dict[str, dict[str, Any]]:
    """Return the checked tables of a settings file by name, "" for its top level."""
    tables: dict[str, dict[str, Any]] = {name: {} for name in (*TABLE, "tolerance")}
    if file is None:
        return tables
    is_own = file.name != "pyproject.toml"
    data = _read(file)
    content = data if is_own else _tools(file).get("ocrparity")
    where = str(file) if is_own else f"{file}: [tool.ocrparity]"
    if not isinstance(content, Mapping):
        raise SettingsError(f"{file} has no table [tool.ocrparity]")
    if is_own and "tool" in content:
        raise SettingsError(f"{file}: in an ocrparity.toml the keys stand at the top level, without [tool.ocrparity]")
    for name, value in content.items():
        if name == "tolerance" and isinstance(value, str):
            tables[name] = {"preset": value}
        elif name in tables and name:
            if not isinstance(value, Mapping):
                raise SettingsError(f"{where}: {name} is a table, not {value!r}")
            tables[name] = dict(value)
        else:
            tables[""][name] = value
    for name, known in TABLE.items():
        prefix = f"{where}: {name}." if name else f"{where}: "
        others = () if name else (*TABLE, "tolerance")
        for key, value in tables[name].items():
            _check(prefix, key, value, known, others)
    return tables


def _check(prefix: str, key: str, value: Any, known: Mapping[str, Kind], others: Iterable[str]) -> None:
    if key not in known:
        raise SettingsError(f"{prefix}{key} is no setting; {nearest(key, [*known, *filter(None, others)])}")
    kind = known[key]
    is_right = isinstance(value, kind.type) and value != ""
    if kind.type == (int, float):
        is_right = is_right and not isinstance(value, bool) and value >= 0
    if is_right and isinstance(value, list):
        is_right = all(isinstance(item, str) and item for item in value)
    if not is_right:
        raise SettingsError(f"{prefix}{key} is {kind.words}, not {value!r}")
    if kind.choices and value not in kind.choices:
        raise SettingsError(f"{prefix}{key} is one of {', '.join(kind.choices)}, not {value!r}")


def _absolute(table: Mapping[str, Any], known: Mapping[str, Kind], root: Path) -> dict[str, Any]:
    """Return a table with its paths made absolute; `~` is the user's home."""
    return {
        key: Path(os.path.normpath(root / Path(value).expanduser())) if known[key].is_path else value
        for key, value in table.items()
    }
