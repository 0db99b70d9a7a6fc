"""The settings that a command reads, as those of a run in the working directory."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pytest_ocrparity.errors import SettingsError
from pytest_ocrparity.settings import Settings, load_settings
from pytest_ocrparity.settings.settings_file import find_settings_file

SETTINGS_HELP: Final = "the project's ocrparity.toml or pyproject.toml; default: the nearest upward from here"


def settings_of_project(
    file: Path | None, options: Mapping[str, str | None], way_out: str = "run this in the project, or pass --settings"
) -> Settings:
    """Return the settings of a file, or of the nearest one upward from here, overridden by options.

    Args:
        file: the file that was named.
        options: values by the `dest` of pytest's options; None where not given.
        way_out: what to do where there is no file and no option is given.

    Raises:
        SettingsError: there is none, or something in it means nothing.
    """
    found = find_settings_file(Path.cwd()) if file is None else Path(os.path.abspath(file))  # noqa: PTH100 - no links
    given = {name: value for name, value in options.items() if value}
    if found is None and not given:
        raise SettingsError(f"no settings file was found upward from here: {way_out}")
    return load_settings(found, given, Path.cwd())
