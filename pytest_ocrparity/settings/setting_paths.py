"""The paths in settings, and in the options of paddleocr among them: each starts at the settings file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_ocrparity.settings.settings_table import TABLES


def with_absolute_option_paths(options: Mapping[str, Any], folder: Path | None) -> dict[str, Any]:
    """Return options whose paths start at a folder: those of model folders, dictionaries and a pipeline's YAML file."""
    return {name: _absolute_option_path(name, value, folder) for name, value in options.items()}


def _absolute_option_path(name: str, value: Any, folder: Path | None) -> Any:
    is_text = folder is not None and isinstance(value, str) and bool(value)
    # Without a suffix it is the name of a pipeline of paddlex's.
    is_file = is_text and name == "paddlex_config" and value.endswith((".yml", ".yaml"))
    if folder is None or not (is_file or (is_text and name.endswith(("_dir", "_dict_path", "_keys_path")))):
        return value
    return os.path.normpath(folder / os.path.expanduser(value))  # noqa: PTH111 - Path's own raises for unknown users


def path_with_home(path: str) -> Path:
    """Return a path with `~` as the user's home, and that of a user who is not known as it is."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - Path's own raises RuntimeError for such a user


def with_absolute_paths_of_table(values: Mapping[str, Any], table: str, root: Path) -> dict[str, Any]:
    """Return the values of a table with its paths made absolute; `~` is the user's home."""
    return {
        key: Path(os.path.normpath(root / path_with_home(value))) if TABLES[table][key].kind.is_path else value
        for key, value in values.items()
    }
