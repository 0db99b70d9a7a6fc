"""Which options of paddleocr are paths: they start at the settings file, as every path in it does."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def with_absolute_paths(options: Mapping[str, Any], folder: Path | None) -> dict[str, Any]:
    """Return options whose paths start at a folder: those of model folders, and that of a pipeline's YAML file."""
    return {name: _absolute_option_path(name, value, folder) for name, value in options.items()}


def _absolute_option_path(name: str, value: Any, folder: Path | None) -> Any:
    is_text = folder is not None and isinstance(value, str) and bool(value)
    # Without a suffix it is the name of a pipeline of paddlex's.
    is_file = is_text and name == "paddlex_config" and value.endswith((".yml", ".yaml"))
    if folder is None or not (is_file or (is_text and name.endswith("_dir"))):
        return value
    return os.path.normpath(folder / os.path.expanduser(value))  # noqa: PTH111 - Path's own raises for unknown users
