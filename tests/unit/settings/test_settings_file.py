"""The settings file: where it is found, and which files are refused unread."""

from __future__ import annotations

import os
import re
import tracemalloc
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest
from projects import settings_file

from pytest_ocrparity.errors import SettingsError
from pytest_ocrparity.settings import load_settings
from pytest_ocrparity.settings.settings_file import find_settings_file, find_shared_settings_file


def test_the_nearest_file_upward_is_found(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    assert find_settings_file(deep) is None
    outer = settings_file(tmp_path, "[tool.ocrparity]\n", "pyproject.toml")
    assert find_settings_file(deep) == outer
    settings_file(tmp_path / "a", "[tool.other]\n# ocrparity is only mentioned\n", "pyproject.toml")
    assert find_settings_file(deep) == outer
    inner = settings_file(tmp_path / "a" / "b", "")
    assert find_settings_file(deep) == inner


def test_two_files_in_one_folder_are_an_error(tmp_path: Path) -> None:
    settings_file(tmp_path, "[tool.ocrparity]\n", "pyproject.toml")
    settings_file(tmp_path, "")
    with pytest.raises(SettingsError, match=r"has both ocrparity.toml and \[tool.ocrparity\]"):
        find_settings_file(tmp_path)


def test_a_pyproject_without_the_table_is_named(tmp_path: Path) -> None:
    path = settings_file(tmp_path, "[tool.other]\n", "pyproject.toml")
    with pytest.raises(SettingsError, match=r"has no table \[tool.ocrparity\]"):
        load_settings(path, {}, tmp_path)
    path.write_text("tool = 3\n# ocrparity")
    assert find_settings_file(tmp_path) is None


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot read these settings"):
        load_settings(tmp_path, {}, tmp_path)


@pytest.mark.parametrize("name", ["ocrparity.toml", "pyproject.toml"])
def test_a_file_larger_than_settings_are_is_refused_unread(tmp_path: Path, name: str) -> None:
    path = settings_file(tmp_path, "[tool.ocrparity]\n", name)
    os.truncate(path, 200 * 10**6)  # sparse: it takes no disk
    told = re.escape(f"{path} has 200000000 bytes, where settings have at most {2**24}: is it another file?")
    tracemalloc.start()
    with pytest.raises(SettingsError, match=f"^{told}$"):
        load_settings(path, {}, tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20


def test_looking_for_the_settings_reads_no_larger_file_either(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    os.truncate(settings_file(tmp_path, "", "pyproject.toml"), 200 * 10**6)
    with pytest.raises(SettingsError, match=r"pyproject\.toml has 200000000 bytes"):
        find_settings_file(deep)
    with pytest.raises(SettingsError, match=r"pyproject\.toml has 200000000 bytes"):
        find_shared_settings_file([deep, tmp_path / "a"])


def test_a_file_as_large_as_settings_may_be_is_read(tmp_path: Path) -> None:
    text = "[tool.ocrparity]\nimages = 'a.png'\n"
    path = settings_file(tmp_path, text + "#" * (2**24 - len(text)), "pyproject.toml")
    assert find_settings_file(tmp_path) == path
    assert load_settings(path, {}, tmp_path).images == ((tmp_path, "a.png"),)
    path.write_text(path.read_text() + "#")
    with pytest.raises(SettingsError, match=f"has {2**24 + 1} bytes"):
        find_settings_file(tmp_path)


def test_a_pipe_has_no_size_and_is_read_no_further(tmp_path: Path) -> None:
    path = tmp_path / "ocrparity.toml"
    os.mkfifo(path)

    def write() -> None:
        with suppress(BrokenPipeError):
            path.write_bytes(b"#" * 2**25)

    writer = Thread(target=write)
    writer.start()
    with pytest.raises(SettingsError, match=f"has {2**24 + 1} bytes"):
        load_settings(path, {}, tmp_path)
    writer.join()
