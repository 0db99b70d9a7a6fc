"""The table `page`: the deployment that reads pages with the detector and the recogniser of the other tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_ocrparity.errors import SettingsError
from pytest_ocrparity.settings.setting_paths import with_absolute_option_paths, with_absolute_paths_of_table


def read_page_settings(where: str, table: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """Return the values of the table with absolute paths, those inside of its options included.

    Raises:
        SettingsError: something stands beside a factory, whose object has all of it already.
    """
    beside = [key for key in ("options", "options_file") if key in table]
    if "factory" in table and beside:
        raise SettingsError(
            f"{where}.factory = {table['factory']!r} returns the object that production calls, which has its own "
            f"options: beside it, {' and '.join(beside)} would change nothing; keep one of them"
        )
    values = with_absolute_paths_of_table(table, "page", root)
    if "options" in values:
        values["options"] = with_absolute_option_paths(values["options"], root)
    return values


def page_values(page: Mapping[str, Any], finds: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is deployed around both models: the table `page`, over what a detector's `PaddleOCR` is given.

    `finds` are the values of the candidate that holds the detector. Options are taken from it one by one, unless the
    table names a file of them or a factory.
    """
    own = dict(page)
    if finds.get("api") != "PaddleOCR" or own.keys() & {"factory", "options_file"}:
        return own
    found = {key: finds[key] for key in ("options", "options_file", "predict_options") if key in finds} | own
    if "options" in found:
        found["options"] = {**(finds.get("options") or {}), **(own.get("options") or {})}
    return found
