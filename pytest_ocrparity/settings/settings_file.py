"""The settings file: where it is, what it says, and the message for a wrong key or value.

Reads `[tool.ocrparity]` of a pyproject.toml, or an ocrparity.toml. Checks values only; files are checked on use.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from pytest_ocrparity.diagnosis import PAGE_SIDE
from pytest_ocrparity.errors import Mistakes, SettingsError, did_you_mean
from pytest_ocrparity.settings.settings_table import TABLES, Setting

_MOST: Final = 2**24
"""The bytes that a settings file may have: more than any has, as each run looks at those of projects without us too."""
DEEPEST: Final = 50
"""How deep tables and lists may lie in each other."""
RESERVED: Final = ("inference", "train", "baseline", PAGE_SIDE)
"""What sides are called already."""
RECOGNITION: Final = "recognition"
"""The table that holds the settings of recognisers, in a project of both tasks."""
LABELS: Final = "labels"
"""The table that may be a path or a list of paths instead, which are its files."""
OF_RECOGNITION: Final = {"": {name: TABLES[RECOGNITION][name] for name in ("images", LABELS)}, **TABLES}
"""Every key that a table of it may hold, as `TABLES` has them."""


class Project(NamedTuple):
    """What a search for settings found.

    Attributes:
        file: the settings file, or None.
        why_none: why there is none where the paths belong to several projects, or only some of them to one.
        passed_over: a sentence for each file above the project that can't be read, and so may hold settings or not.
    """

    file: Path | None
    why_none: str = ""
    passed_over: tuple[str, ...] = ()


def find_settings_file(start: Path, on_error: Callable[[Path, SettingsError], None] | None = None) -> Path | None:
    """Return the settings file of the nearest folder upward from `start` that has one.

    Args:
        start: the first folder to look into.
        on_error: takes a folder and what is wrong with a file in it, which may hold settings or not; it is passed over
            unless this raises. None raises the error.

    Raises:
        SettingsError: that folder has two, or its file is larger than settings are or no TOML.
    """
    for folder in (start, *start.parents):
        found = []
        for name, holds_settings in (("ocrparity.toml", _is_toml), ("pyproject.toml", _has_table)):
            try:
                found += [folder / name] if holds_settings(folder / name) else []
            except SettingsError as error:
                if on_error is None:
                    raise
                on_error(folder, error)
        if len(found) > 1:
            raise SettingsError(f"{folder} has both ocrparity.toml and [tool.ocrparity] in pyproject.toml: keep one")
        if found:
            return found[0]
    return None


def find_shared_settings_file(paths: Sequence[Path], rootdir: Path | None = None) -> Project:
    """Return the settings file nearest upward from what all paths share; where there is none, why not.

    Args:
        paths: the ones given to pytest.
        rootdir: pytest's. What can't be read is an error in there; above it, it is somebody else's and passed over.

    Raises:
        SettingsError: see `find_settings_file`.
    """
    passed_over: dict[str, None] = {}

    def pass_over(folder: Path, error: SettingsError) -> None:
        if rootdir is None or folder.is_relative_to(rootdir):
            raise error
        passed_over[f"{error}; it lies outside of {rootdir} and was passed over"] = None

    def file_of(path: Path) -> Path | None:
        return find_settings_file(path if path.is_dir() else path.parent, pass_over)

    why_none, found = "", None
    with suppress(ValueError):  # of Windows: two drives share no folder
        found = file_of(Path(os.path.commonpath(paths)))
    if found is None and len(paths) > 1:
        files = {file_of(path) for path in paths}
        names = ", ".join(sorted(str(file) for file in files if file))
        several = "belong to several projects" if len(files - {None}) > 1 else "do not all belong to a project"
        why_none = f"the given paths {several} ({names})" if names else ""
    return Project(found, why_none, tuple(passed_over))


def _is_toml(own: Path) -> bool:
    """Tell whether there is an ocrparity.toml; all that it holds is settings.

    Raises SettingsError where it is no TOML.
    """
    if not os.path.isfile(own):  # noqa: PTH113 - Path's own raises where the folder can't be looked into
        return False
    _parsed_toml(own)
    return True


def _has_table(shared: Path) -> bool:
    """Tell whether a pyproject.toml has our table. Raises SettingsError as `_parsed_toml` does."""
    is_there = os.path.isfile(shared)  # noqa: PTH113 - as above
    return is_there and b"ocrparity" in _file_bytes(shared) and "ocrparity" in _tool_tables(shared)


def _tool_tables(path: Path) -> Mapping[str, Any]:
    tools = _parsed_toml(path).get("tool", {})
    return tools if isinstance(tools, Mapping) else {}


def _file_bytes(path: Path) -> bytes:
    data = b""
    try:
        size = path.stat().st_size
        if size <= _MOST:
            with path.open("rb") as file:
                data = file.read(_MOST + 1)
            size = len(data)  # a device or a pipe has no size before it is read
    except OSError as error:
        raise SettingsError(f"{path}: cannot read these settings: {error.strerror or error}") from error
    if size > _MOST:
        raise SettingsError(f"{path} has {size} bytes, where settings have at most {_MOST}: is it another file?")
    return data


def _parsed_toml(path: Path) -> dict[str, Any]:
    return parse_toml(_file_bytes(path), path)


def parse_toml(data: bytes, path: Path) -> dict[str, Any]:
    """Return what a TOML file holds. Raises SettingsError where it is no TOML."""
    if sys.version_info >= (3, 11):
        import tomllib  # after the cheap checks: most runs have no settings
    else:  # Python 3.10
        import tomli as tomllib
    try:
        return tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # TOMLDecodeError, UnicodeDecodeError, numbers too long to read
        raise SettingsError(f"{path}: not valid TOML: {error}") from error


def read_settings_file(file: Path | None, mistakes: Mistakes) -> dict[str, dict[str, Any]]:
    """Return what is right of a settings file by table: those of TABLES, "tolerance" and "candidates".

    "page" is among them only where the file has that table.

    Each key or value that means nothing is a mistake, which names it, its file and the nearest known key.
    """
    where = f"{file}: [tool.ocrparity]" if file and file.name == "pyproject.toml" else str(file)
    content: Mapping[str, Any] = {}
    with mistakes.gathering():
        content = _settings_of_file(file) if file else {}
    tables = _right_tables(f"{where}: ", content, TABLES, mistakes)
    recognition = {name: OF_RECOGNITION[name] for name in ("", "train", "inference", LABELS)}
    tables[RECOGNITION] = (
        _right_tables(f"{where}: {RECOGNITION}.", tables[RECOGNITION], recognition, mistakes)
        if tables[RECOGNITION]
        else {}
    )
    if PAGE_SIDE not in content:  # one without a value says that pages are read
        del tables[PAGE_SIDE]
    return tables


def _right_tables(
    where: str, content: Mapping[str, Any], known_tables: Mapping[str, Mapping[str, Setting]], mistakes: Mistakes
) -> dict[str, dict[str, Any]]:
    """Return what is right of the settings of a task, or of all, by table; `where` is what names begin with."""
    tables: dict[str, dict[str, Any]] = {name: {} for name in (*known_tables, "tolerance", "candidates")}
    for name, value in content.items():
        with mistakes.gathering():
            _check_plain(where.rpartition(":")[0], {name: value})
            if name == "tolerance" and isinstance(value, str):
                tables[name] = {"preset": value}
            elif name == LABELS and not isinstance(value, Mapping):
                _check_setting(f"{where}{name}", value, known_tables[""][name])
                tables[name] = {"files": value}
            elif name in tables and name:
                if not isinstance(value, Mapping):
                    raise SettingsError(f"{where}{name} is a table, not {value!r}")
                if name == LABELS and not value:
                    raise SettingsError(f'{where}{name}.files names no label file: set it, as "Label.txt"')
                tables[name] = dict(value)
            else:
                tables[""][name] = value
    for name, known in known_tables.items():
        others = () if name else (*known_tables, "candidates", "tolerance")
        prefix = f"{where}{name}." if name else where
        tables[name] = _right_values(prefix, tables[name], known, mistakes, others)
    candidates, tables["candidates"] = tables["candidates"], {}
    for name, table in candidates.items():
        with mistakes.gathering():
            _check_name(f"{where}candidates", name, table)
            right = _right_values(f"{where}candidates.{name}.", table, TABLES["inference"], mistakes)
            tables["candidates"][name] = right
    return tables


def _settings_of_file(file: Path) -> Mapping[str, Any]:
    """Return the settings in a file. Raises SettingsError where there are none."""
    if file.name == "pyproject.toml":
        content = _tool_tables(file).get("ocrparity")
        if not isinstance(content, Mapping):
            raise SettingsError(f"{file} has no table [tool.ocrparity]")
        return content
    own = _parsed_toml(file)
    if "tool" in own:
        raise SettingsError(f"{file}: in an ocrparity.toml the keys stand at the top level, without [tool.ocrparity]")
    return own


def check_length(where: str, value: Any) -> None:
    """Refuse a text with a name that no file can have: whoever looks for such a file would raise an OSError."""
    for text in value if isinstance(value, list) else [value]:
        names = text.encode(errors="surrogatepass").split(b"/") if isinstance(text, str) else []
        if longest := max((len(name) for name in names if len(name) > 255), default=0):
            raise SettingsError(f"{where} has a name of {longest} bytes, and no file's has more than 255")


def _check_plain(where: str, value: Any, depth: int = 0) -> None:
    """Refuse what is right in no table: what can't be printed, kept as JSON or used as a path."""
    if depth > DEEPEST:
        raise SettingsError(f"{where} has tables in tables, more than {DEEPEST} deep")
    if isinstance(value, Mapping | list):
        for each in (*value, *value.values()) if isinstance(value, Mapping) else value:
            _check_plain(where, each, depth + 1)
    elif isinstance(value, str) and "\0" in value:
        raise SettingsError(f"{where} has a text with a NUL, {value!r}")
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:  # as far as TOML's integers go
        raise SettingsError(f"{where} has a number of {value.bit_length()} bits")


def _check_name(where: str, name: str, table: Any) -> None:
    if name in RESERVED:
        raise SettingsError(f"{where}: a side is called {name!r} already; give this candidate another name")
    if not name or not name.isprintable():
        raise SettingsError(f"{where}: {name!r} is no name that can be printed on a line")
    if not isinstance(table, Mapping):
        raise SettingsError(f"{where}.{name} is a table, not {table!r}")


def _right_values(
    prefix: str,
    table: Mapping[str, Any],
    known: Mapping[str, Setting],
    mistakes: Mistakes,
    others: Iterable[str] = (),
) -> dict[str, Any]:
    """Return what is right in a table; the rest is a mistake each."""
    right = {}
    for key, value in table.items():
        with mistakes.gathering():
            if key not in known:
                # Users of an engine expect its own arguments beside its name.
                hint = "what the deployment itself is given stands in options; " if "options" in known else ""
                near = did_you_mean(key, [*known, *filter(None, others)], hint)
                raise SettingsError(f"{prefix}{key} is no setting; {near}")
            _check_setting(f"{prefix}{key}", value, known[key])
            right[key] = value
    return right


def _check_setting(name: str, value: Any, row: Setting) -> None:
    kind = row.kind
    is_right = isinstance(value, kind.type) and value != ""
    if isinstance(kind.type, tuple) and isinstance(value, int | float):
        is_right = is_right and not isinstance(value, bool) and value >= 0
    if is_right and isinstance(value, list):
        is_right = all(isinstance(item, str) and item for item in value)
    if not is_right:
        raise SettingsError(f"{name} is {kind.words}, not {value!r}")
    if kind.is_path or isinstance(value, list):
        check_length(name, value)
    if row.choices and value not in row.choices:
        raise SettingsError(f"{name} is one of {', '.join(row.choices)}, not {value!r}")
