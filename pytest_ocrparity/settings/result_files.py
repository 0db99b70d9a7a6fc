"""The settings of results that were written elsewhere: where the file of each image lies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from pytest_ocrparity.errors import SettingsError, did_you_mean

PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")
WORDS: Final = ("name", "stem", "parent")
"""What of an image a path may hold: its file's name, that without its suffix, and its folder."""

RESULTS: Final = "results"
"""The `api` that runs nothing."""
OF_A_RUN: Final = ("model_dir", "model_name", "engine", "options", "options_file", "predict_options")
"""What says how something runs, where results of a run are read."""


def runs_without_result_files(inference: Mapping[str, Any], table: Mapping[str, Any]) -> bool:
    """Tell whether a candidate runs something, and the inference table reads results: then it inherits nothing."""
    return inference.get("api") == RESULTS and "api" not in table and not table.keys().isdisjoint(OF_A_RUN)


def check_result_files(where: str, table: Mapping[str, Any]) -> None:
    """Check the settings `api`, `results` and `frame` of a deployment, as they stand in the file.

    Raises:
        SettingsError: one of them is missing or means nothing without another, or all images share one file.
    """
    given = table.get("api") == RESULTS
    for key in ("results", "frame"):
        if key in table and not given:
            raise SettingsError(f'{where}.{key} means something with api = "results" only: set that, or remove {key}')
    if not given:
        return
    template = table.get("results")
    if template is None:
        raise SettingsError(f'{where}.api is "results", and no {where}.results says where: "out/{{stem}}.json"')
    words = PLACEHOLDER.findall(template)
    if unknown := [word for word in words if word not in WORDS]:
        raise SettingsError(f"{where}.results has {{{unknown[0]}}}; {did_you_mean(unknown[0], WORDS)}")
    if not {"name", "stem"} & set(words):
        raise SettingsError(
            f'{where}.results names one file for all images: put {{stem}} in it, as "out/{{stem}}.json"'
        )
    for key in OF_A_RUN:
        if key in table:
            raise SettingsError(f'{where}.{key} does nothing with api = "results", which runs nothing: remove it')
