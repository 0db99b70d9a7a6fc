"""The table `labels`: where the labels of the images stand, and how they are read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pytest_ocrparity.errors import SettingsError
from pytest_ocrparity.settings.setting_paths import path_with_home
from pytest_ocrparity.settings.settings_table import settings_table_defaults


class LabelSettings(NamedTuple):
    """What `evaluate.labels.read_labels` is given. Paths are absolute."""

    files: tuple[Path, ...]
    data_dir: Path | None
    delimiter: str
    blank: str | None
    group: str | None


def read_label_settings(where: str, table: Mapping[str, Any], root: Path) -> LabelSettings | None:
    """Return the labels of a task as its table says them, None where there is none.

    Raises:
        SettingsError: no file is named, or the group is no regular expression with one group.
    """
    if not table:
        return None
    values = {**settings_table_defaults("labels"), **table}
    files = values.get("files", [])
    if not files:
        raise SettingsError(f'{where}.files names no label file: set it, as "Label.txt"')
    if "group" in table:
        from pytest_ocrparity.evaluate.label_group import group_mistake

        if mistake := group_mistake(f"{where}.group", table["group"]):
            raise SettingsError(mistake)
    if {"\n", "\r"} & set(values["delimiter"]):
        raise SettingsError(f"{where}.delimiter has a line break, and a label is a line")
    data_dir = values.get("data_dir")
    return LabelSettings(
        tuple(_absolute(root, file) for file in ([files] if isinstance(files, str) else files)),
        None if data_dir is None else _absolute(root, data_dir),
        values["delimiter"],
        values.get("blank"),
        values.get("group"),
    )


def _absolute(root: Path, path: str) -> Path:
    return Path(os.path.normpath(root / path_with_home(path)))
