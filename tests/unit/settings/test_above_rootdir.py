"""Settings are looked for above rootdir too, where somebody else's broken file is none of ours."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_ocrparity.errors import SettingsError
from pytest_ocrparity.settings.settings_file import find_shared_settings_file

BROKEN = "[tool.ocrparity\n"


@pytest.fixture
def rootdir(tmp_path: Path) -> Path:
    folder = tmp_path / "home" / "package"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("name", ["pyproject.toml", "ocrparity.toml"])
@pytest.mark.parametrize("kind", ["malformed", "huge", "unreadable"])
def test_what_cannot_be_read_above_is_passed_over_and_named(
    tmp_path: Path, rootdir: Path, name: str, kind: str
) -> None:
    path = rootdir.parent / name
    path.write_text(BROKEN)
    if kind == "huge":
        os.truncate(path, 200 * 10**6)
    elif kind == "unreadable":
        path.chmod(0)
        if os.access(path, os.R_OK):
            path.write_bytes(b"# ocrparity \xff\n")  # this user may read all files: what is not UTF-8 can't be read
    found = find_shared_settings_file([rootdir], rootdir)
    assert found.file is None
    (said,) = found.passed_over
    assert said.startswith(str(path))
    assert said.endswith(f"it lies outside of {rootdir} and was passed over")
    valid = tmp_path / "pyproject.toml"
    valid.write_text("[tool.ocrparity]\n")
    assert find_shared_settings_file([rootdir], rootdir).file == valid
    assert len(find_shared_settings_file([rootdir], rootdir).passed_over) == 1


@pytest.mark.parametrize("name", ["pyproject.toml", "ocrparity.toml"])
@pytest.mark.parametrize("below", [".", "tests"])
def test_at_and_below_rootdir_it_is_an_error(rootdir: Path, name: str, below: str) -> None:
    folder = rootdir / below
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(BROKEN)
    with pytest.raises(SettingsError, match="not valid TOML"):
        find_shared_settings_file([folder], rootdir)


def test_a_valid_table_below_a_broken_file_says_nothing(rootdir: Path) -> None:
    (rootdir.parent / "pyproject.toml").write_text(BROKEN)
    (rootdir / "ocrparity.toml").write_text("")
    found = find_shared_settings_file([rootdir], rootdir)
    assert found.file == rootdir / "ocrparity.toml"
    assert found.passed_over == ()


def test_a_broken_file_beside_a_right_one_is_passed_over(rootdir: Path) -> None:
    (rootdir.parent / "pyproject.toml").write_text(BROKEN)
    own = rootdir.parent / "ocrparity.toml"
    own.write_text("")
    found = find_shared_settings_file([rootdir, rootdir], rootdir)
    assert found.file == own
    assert len(found.passed_over) == 1
