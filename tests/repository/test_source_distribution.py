"""The source distribution holds every tracked file, so that its tests pass where it is unpacked."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:  # Python 3.10
    import tomli as tomllib

from paths import ROOT

ALWAYS = {".gitignore", "LICENSE", "README.md", "pyproject.toml"}
"""What hatchling adds whatever is included."""
LEFT_OUT: set[str] = set()
"""What is tracked and of no use in a source distribution."""


def tracked(*options: str) -> set[str]:
    """Return the files that git tracks."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout: there is no list of tracked files to compare with")
    command = ["git", "-C", str(ROOT), "ls-files", "-z", *options]
    return set(filter(None, subprocess.run(command, capture_output=True, check=True, text=True).stdout.split("\0")))


def is_included(name: str, patterns: Sequence[str]) -> bool:
    """Tell whether one of hatchling's patterns, each a file or a folder from the root, takes a file in."""
    return name in ALWAYS or any(f"/{name}/".startswith(f"{pattern}/") for pattern in patterns)


def test_it_holds_every_tracked_file() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["sdist"]
    assert build.keys() == {"include"}  # no exclude, which this test does not read
    assert all((ROOT / pattern.lstrip("/")).exists() and pattern.startswith("/") for pattern in build["include"])
    assert {name for name in tracked() if not is_included(name, build["include"])} == LEFT_OUT


def test_no_tracked_file_is_ignored() -> None:
    assert tracked("--cached", "--ignored", "--exclude-standard") == set()  # hatchling leaves out what git ignores


def test_a_file_beside_a_pattern_is_not_included() -> None:
    assert is_included("docs/a.md", ["/docs"])
    assert is_included("noxfile.py", ["/noxfile.py"])
    assert not is_included("docs.md", ["/docs"])
    assert not is_included("other/docs/a.md", ["/docs"])
