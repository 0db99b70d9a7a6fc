"""What `make mutation` mutates and runs is there, and what it excuses still stands in the code."""

from __future__ import annotations

import sys
from pathlib import Path

from mutation.core import TESTS, files_of_core, mirrors
from paths import TESTS as FOLDER

if sys.version_info >= (3, 11):
    import tomllib
else:  # Python 3.10
    import tomli as tomllib

ROOT = FOLDER.parent
PACKAGE = ROOT / "pytest_ocrparity"


def test_the_core_and_its_tests_are_there() -> None:
    files = files_of_core(PACKAGE)
    assert len(files) > 20 and all(file.is_file() for file in files)
    assert all((ROOT / name).exists() for name in TESTS)


def test_each_file_of_the_core_has_tests_that_run_where_a_change_acts_at_import() -> None:
    for file in files_of_core(PACKAGE):
        place = Path(file.relative_to(PACKAGE))
        assert all((ROOT / name).exists() for name in mirrors(file, PACKAGE)), place


def test_each_excuse_has_a_reason_and_stands_in_the_code() -> None:
    table = tomllib.loads((FOLDER / "mutation" / "equivalent.toml").read_text(encoding="utf-8"))
    lines = {line.strip() for file in files_of_core(PACKAGE) for line in file.read_text(encoding="utf-8").splitlines()}
    for each in table["mutant"]:
        assert set(each["old"].splitlines()) <= lines
        assert not set(each["new"].splitlines()) <= lines
        assert each["why"].endswith(".")
