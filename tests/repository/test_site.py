"""What `make docs` writes and builds: a page of the schema, and a site without links that lead nowhere."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from paths import ROOT

PROBLEMS: Callable[[Path], Iterator[str]] = runpy.run_path(str(ROOT / "docs" / "check_site.py"))["problems"]
WRITTEN: Callable[[Any], str] = runpy.run_path(str(ROOT / "docs" / "write_results_page.py"))["page"]
RIGHT = """
<head><link rel="stylesheet" href="style.css"><script src="sub/a.js"></script></head>
<h1 id="top">A</h1> <a href="sub/b.html#there">b</a> <a href="#top">top</a> <a href="https://pytest.org">pytest</a>
<img src="data:image/png;base64,AAAA">
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "index.html").write_text(RIGHT)
    (tmp_path / "sub" / "b.html").write_text('<h2 id="there">B</h2><a href="../index.html">a</a>')
    (tmp_path / "sub" / "a.js").write_text("")
    (tmp_path / "style.css").write_text('body { background: url("data:image/png;base64,AAAA") }')
    return tmp_path


def test_a_right_site_has_no_problem(site: Path) -> None:
    assert list(PROBLEMS(site)) == []


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("sub/b.html#there", "sub/c.html", "index.html: no file for sub/c.html"),
        ("sub/b.html#there", "sub/b.html#nowhere", "index.html: no anchor for sub/b.html#nowhere"),
        ("#top", "#bottom", "index.html: no anchor for #bottom"),
        ("sub/a.js", "https://cdn.example/a.js", "index.html: loads https://cdn.example/a.js"),
        ("style.css", "//cdn.example/a.css", "index.html: loads //cdn.example/a.css"),
        ("data:image/png;base64,AAAA", "a.png", "index.html: no file for a.png"),
    ],
)
def test_one_change_is_named(site: Path, old: str, new: str, problem: str) -> None:
    (site / "index.html").write_text(RIGHT.replace(f'"{old}"', f'"{new}"'))
    assert list(PROBLEMS(site)) == [problem]


@pytest.mark.parametrize("rule", ["@import url(a.css);", "body { background: url(https://cdn.example/a.png) }"])
def test_a_style_of_another_host_is_named(site: Path, rule: str) -> None:
    (site / "style.css").write_text(rule)
    assert list(PROBLEMS(site)) == ["style.css: loads a file of another host"]


def test_an_empty_site_is_no_right_one(tmp_path: Path) -> None:
    assert list(PROBLEMS(tmp_path)) == [f"{tmp_path} holds no page"]


def test_the_page_of_results_json_is_what_the_schema_gives() -> None:
    schema = json.loads((ROOT / "pytest_ocrparity" / "results.schema.json").read_text())
    page = (ROOT / "docs" / "reference" / "results_json.md").read_text()
    assert WRITTEN(schema) == page, "docs/reference/results_json.md is out of date: make docs"
    schema["definitions"]["RunRecord"]["properties"]["verdict"]["description"] = "other"
    assert WRITTEN(schema) != page
    cells = {table: {row.count(" | ") for row in table.splitlines()} for table in page.split("\n\n")}
    assert {len(counts) for table, counts in cells.items() if table.startswith("| ")} == {1}
