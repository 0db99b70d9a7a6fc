"""One table of settings and options: what is checked, registered, printed and documented is what its rows say."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest
from paths import ROOT

from pytest_ocrparity.backends.ppocr.pipeline import load_training
from pytest_ocrparity.errors import SettingsError
from pytest_ocrparity.settings import load_settings
from pytest_ocrparity.settings.settings_page import settings_page
from pytest_ocrparity.settings.settings_table import OPTIONS, SETTINGS, TABLES, Setting
from pytest_ocrparity.tolerance import BUILT_IN, LIMITS, PRESETS

PAGE = (ROOT / "docs" / "reference" / "settings.md").read_text()
IN_FILE = [row for row in SETTINGS if row.name]


def title(row: Setting) -> str:
    return row.name or row.option


@pytest.mark.parametrize("row", SETTINGS, ids=title)
def test_a_row_is_whole(row: Setting) -> None:
    assert row.help.strip() == row.help != ""
    assert row.name or row.option
    assert row.option == "" or row.option.startswith("--ocr-")
    assert row.default is None or isinstance(row.default, row.kind.type)
    assert row.default is None or not row.choices or row.default in row.choices
    # What stands after the option in --help: choices, a word of its own, or nothing after a switch.
    takes_value = bool(row.option) and row.kind.type is not bool
    assert ("=" in row.usage) == (takes_value and not row.choices)


def test_no_name_is_there_twice() -> None:
    for names in ([row.name for row in IN_FILE], [row.option for row in SETTINGS if row.option]):
        assert len(set(names)) == len(names)


def test_every_option_is_registered_and_nothing_else(pytestconfig: pytest.Config) -> None:
    (group,) = (group for group in pytestconfig._parser._groups if group.name == "ocrparity")
    registered = {option.dest: (option.names(), option.attrs()["help"]) for option in group.options}
    assert registered == {dest: ([row.option], row.argument()["help"]) for dest, row in OPTIONS.items()}
    assert all(row.help in registered[dest][1] for dest, row in OPTIONS.items())


def test_an_option_that_is_not_given_says_nothing(pytestconfig: pytest.Config) -> None:
    parsed = pytestconfig._parser.parse_known_args([])
    assert not any(getattr(parsed, dest) for dest in OPTIONS)


@pytest.mark.parametrize("row", [row for row in IN_FILE if row.name != "tolerance"], ids=title)
def test_a_value_of_another_kind_is_refused_in_the_words_of_the_row(tmp_path: Path, row: Setting) -> None:
    path = tmp_path / "ocrparity.toml"
    path.write_text(f"{row.name} = [1]")
    with pytest.raises(SettingsError, match=re.escape(f"{path}: {row.name} is {row.kind.words}, not [1]")):
        load_settings(path, {}, tmp_path)


def test_the_page_is_what_the_table_gives() -> None:
    assert settings_page() == PAGE, "docs/reference/settings.md is out of date: make docs"


@pytest.mark.parametrize("row", SETTINGS, ids=title)
@pytest.mark.parametrize("change", [{"help": "other"}, {"default": "other"}, {"usage": "--ocr-other=X"}], ids=str)
def test_a_page_of_another_row_is_another(row: Setting, change: dict[str, Any]) -> None:
    assert settings_page([row._replace(**change) if each is row else each for each in SETTINGS]) != PAGE


def test_the_page_has_every_key_limit_and_option() -> None:
    for name in [*(row.key for row in IN_FILE), *LIMITS]:
        assert f"\n| `{name}` | " in PAGE
    assert set(re.findall(r"^\| `(--ocr-[a-z-]+)", PAGE, re.MULTILINE)) == {row.option for row in OPTIONS.values()}
    # No text of a row breaks its line into other cells.
    cells = {table: {len(re.split(r"(?<!\\)\|", row)) for row in table.splitlines()} for table in PAGE.split("\n\n")}
    assert {len(counts) for table, counts in cells.items() if table.startswith("| ")} == {1}


def on_the_page(table: str) -> dict[str, Any]:
    """Return the defaults that the page states for a table."""
    section = PAGE.split(f"`[tool.ocrparity{'.' * bool(table)}{table}]`\n")[1].split("\n## ")[0]
    found = re.findall(r"^\| `(\w+)` \| .*? \| (?:`(.*?)`)? \| ", section, re.MULTILINE)
    assert [key for key, _ in found] == list(TABLES[table])
    return {key: json.loads(value) if value else None for key, value in found}


def test_the_defaults_on_the_page_are_the_real_ones(tmp_path: Path) -> None:
    settings = load_settings(None, {}, tmp_path)
    top = on_the_page("")
    assert PRESETS[top.pop("tolerance")] == {name: BUILT_IN[name].value for name in LIMITS}
    assert settings.images == ()
    assert top == {
        "images": None,
        "labels": None,
        "allow_empty": settings.allow_empty,
        "diagnosis_seconds": settings.diagnosis_seconds,
        "memory_limit": settings.memory_limit,
    }
    golden = on_the_page("golden")
    assert (tmp_path / golden["dir"], golden["reference"]) == (settings.golden_dir, settings.golden_reference)
    assert on_the_page("report") == {
        "dir": settings.report_dir,
        "pictures": settings.report_pictures,
        "github": settings.github,
        "history": settings.history,
    }
    # What says nothing is not handed over: the defaults are those of the function.
    parameters = inspect.signature(load_training).parameters
    assert settings.train == {}
    train = on_the_page("train")
    assert train.pop("config") is None and parameters["config"].default is inspect.Parameter.empty
    assert train == {key: parameters[key].default for key in train}
