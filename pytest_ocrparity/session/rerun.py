"""The command that runs a test again, as it can be typed where this run was started."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any, Final

import pytest

from pytest_ocrparity.settings import Settings
from pytest_ocrparity.settings.settings_table import OPTIONS
from pytest_ocrparity.wording import path_from

_NOT_AGAIN: Final = (
    *("ocr_golden", "ocr_golden_mode", "ocr_golden_prune"),  # who runs a test again compares, and records nothing
    *("ocr_report", "ocr_github", "ocr_history", "ocr_reached"),
)


def rerun_command(config: pytest.Config, settings: Settings, test: str, image: str) -> str:
    """Return the command, with the options of this run that say what is compared.

    Args:
        config: of the process that runs the test.
        settings: the test's.
        test: the node id.
        image: the name of its image, of which the gate inside the package is run again.
    """
    folder = config.invocation_params.dir
    path, _, name = test.partition("::")
    options = dict(_typed_options(config))
    if path:
        file = path_from(folder, config.rootpath / path)
        words = [f"{file}::{name}" if name else file]
    elif settings.prefix:  # its images are not those that an option names
        words = ["--pyargs", "pytest_ocrparity.gate", "-k", name.partition("[")[0]]
    else:  # the gate inside the package has no path that could be typed
        words = ["--pyargs", "pytest_ocrparity.gate"]
        options["ocr_images"] = [f"--ocr-images={path_from(folder, settings.root / image)}"]
    return shlex.join(["pytest", *words, *(word for given in options.values() for word in given)])


def _typed_options(config: pytest.Config) -> Iterator[tuple[str, list[str]]]:
    """Yield the typed options by their `dest`: ours, and those of pytest's that decide what the project is."""
    option = config.option
    if file := getattr(option, "inifilename", None):
        yield "inifilename", ["-c", str(file)]
    if root := getattr(option, "rootdir", None):
        yield "rootdir", [f"--rootdir={root}"]
    plugins = [name for name in getattr(option, "plugins", None) or () if not name.startswith("no:")]
    yield "plugins", [word for name in plugins for word in ("-p", name)]
    for dest, row in OPTIONS.items():
        given: Any = getattr(option, dest, None)
        if given and dest not in _NOT_AGAIN:
            values = given if isinstance(given, list) else [given]
            yield dest, [row.option] if given is True else [f"{row.option}={value}" for value in values]
