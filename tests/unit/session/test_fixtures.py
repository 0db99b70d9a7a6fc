"""Where the fixture lies that a test would get."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_ocrparity.session.fixtures import fixture_place


@pytest.mark.parametrize(
    ("base", "file", "expected"),
    [
        ("", "{root}/conftest.py", "conftest.py"),
        (".", "{root}/conftest.py", "conftest.py"),
        ("", "{root}/../conftest.py", "../conftest.py"),
        ("", "{root}/models.py", "models"),  # a plugin's
        ("", None, "models"),
        ("a", "{root}/a/conftest.py", "a/conftest.py"),
        ("a", "{root}/models.py", "a/conftest.py"),  # made elsewhere, and there for what lies below
        ("my.python", "{root}/models.py", "my.python/conftest.py"),
        ("a/test_a.py", "{root}/models.py", "a/test_a.py"),
        ("a/test_a.py::TestIt", "{root}/a/test_a.py", "a/test_a.py::TestIt"),
    ],
)
def test_where_a_fixture_lies(tmp_path: Path, base: str, file: str | None, expected: str) -> None:
    found = {"__name__": "models", "__file__": file and file.format(root=tmp_path)}
    exec(compile("def ocr_train_model(): ...", "/of/a/cached/module/conftest.py", "exec"), found)
    definition = SimpleNamespace(func=found["ocr_train_model"], baseid=base, argnames=())
    item = SimpleNamespace(nodeid="a/test_a.py::test_it", callspec=None)
    manager = SimpleNamespace(getfixturedefs=lambda name, node: [definition])
    item.session = SimpleNamespace(_fixturemanager=manager)
    item.config = SimpleNamespace(rootpath=tmp_path)
    assert fixture_place(item, "ocr_train_model", tmp_path) == expected
    item.session = SimpleNamespace()
    assert fixture_place(item, "ocr_train_model", tmp_path) == ""  # a pytest that does not tell
