"""docs/reference/settings.md: all settings, limits and options, written from their tables by `make docs`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from pytest_ocrparity.settings.settings_table import SETTINGS, Setting, settings_by_table
from pytest_ocrparity.tolerance import LIMITS, PRESETS

_HEAD: Final = """\
<!-- `make docs` writes this page from pytest_ocrparity/settings/settings_table.py: edit that file instead. -->

# Settings and options

Settings stand in `[tool.ocrparity]` of a `pyproject.toml`, or under the same keys at the top level of an
`ocrparity.toml`. The file is looked for upward from the paths given to pytest; `--ocr-config=FILE` names one. An option
overrides its setting. Paths in the file start at the file (of a link, at the link's own folder), and those of the
command line where it was typed. A file above pytest's rootdir that cannot be read is passed over with a warning.
"""
_CANDIDATES: Final = """
Each `[tool.ocrparity.candidates.NAME]` is one more deployment, with the same keys. What it leaves out is the
`inference` table's, except for its `tolerance`. One with another class as `api` has `model_dir`, `model_name` and
`engine` from there and nothing else; one with a script as `api`, or with OpenVINO, has `model_dir` alone. One with a
`factory` or a `model_file` has nothing, nor has one that says how something else runs where `inference` has a factory,
a file or results. `--ocr-inference-dir` sets the folder of an only candidate. Paths inside of `options` and of an
`options_file`, `paddlex_config`, `rec_char_dict_path` and folders of models, start at the settings file.
"""
_TOLERANCE: Final = """\
## `[tool.ocrparity.tolerance]`

`preset` names a column; a limit of its own is `detections = { max_shift = 2 }` here and
`--ocr-tolerance=detections.max_shift=2` on the command line. Precedence, per limit, from lowest to highest:
built-in, file, candidate, command line, marker, keyword. A preset replaces every limit of a lower level but an
`accuracy.max_drop` that you set. `"off"` reports the amount and judges nothing.
"""


def settings_page(settings: Sequence[Setting] = SETTINGS) -> str:
    """Return the page, as Markdown."""
    limits = _markdown_table(
        ("limit", *(f"`{name}`" for name in PRESETS), "meaning"),
        (
            (f"`{name}`", *(_toml_value(limits[name]) for limits in PRESETS.values()), spec.help)
            for name, spec in LIMITS.items()
        ),
    )
    options = _markdown_table(
        ("option", "meaning"), ((_option_usage(row), row.argument()["help"]) for row in settings if row.option)
    )
    sections = [_settings_section(table, rows) for table, rows in settings_by_table(settings).items()]
    return "\n".join([_HEAD, *sections, f"{_TOLERANCE}\n{limits}", f"## Options\n\n{options}"])


def _settings_section(table: str, rows: Mapping[str, Setting]) -> str:
    """Return the heading and the settings of a table."""
    lines = _markdown_table(
        ("key", "value", "default", "meaning", "option"),
        (
            (
                f"`{key}`",
                _setting_kind(row),
                _toml_value(row.default),
                row.help,
                f"`{row.option}`" if row.option else "",
            )
            for key, row in rows.items()
        ),
    )
    after = _CANDIDATES if table == "inference" else ""
    return f"## `[tool.ocrparity{'.' * bool(table)}{table}]`\n\n{lines}{after}"


def _markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table. A bar within a cell would end it."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def _setting_kind(row: Setting) -> str:
    return " or ".join(map(_toml_value, row.choices)) or row.kind.words


def _toml_value(value: Any) -> str:
    """Return a value as TOML has it, or nothing where there is none."""
    return "" if value is None else f"`{json.dumps(value)}`"


def _option_usage(row: Setting) -> str:
    return f"`{row.option}={'|'.join(row.choices)}`" if row.choices else f"`{row.usage}`"


if __name__ == "__main__":
    print(settings_page(), end="")
