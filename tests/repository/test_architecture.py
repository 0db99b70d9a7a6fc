"""The shape of the package: imports point down, the public names are these, and nothing heavy loads early."""

from __future__ import annotations

import ast
import graphlib
from collections import Counter
from pathlib import Path

import pytest_ocrparity

PACKAGE = Path(pytest_ocrparity.__file__).parent

# A row imports only what stands in an earlier row, also inside functions and for types. Inside a package, any.
TABLE = (
    {"errors", "stages", "wording", "jsonable", "environment", "geometry"},
    {"trace", "tolerance", "diagnosis"},
    {"comparison", "files", "settings", "contract"},
    {"context", "artifacts", "explain", "report"},
    {"compare", "backends"},
    {"golden", "diagnose", "rejudge"},
    {"assertions", "session"},
    {"plugin", "gate", "__main__", ""},
)
KNOW_PYTEST = {"plugin", "gate", "session"}
FRAMEWORKS = {"paddle", "paddleocr", "paddlex", "ppocr", "cv2"}
OF_TWO_BACKENDS = {"pipeline.py"}
"""File names that stand for the same thing in two packages."""


def module_name(path: Path) -> str:
    """Return the module's name inside the package; nothing for the package itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def room(module: str) -> str:
    return module.partition(".")[0]


FILES = {module_name(path): path for path in PACKAGE.rglob("*.py")}


def imported(path: Path) -> set[str]:
    """Return every module that a file names in an import, those of this package by their names inside of it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module is not None, f"{path}: relative import"
            inner = node.module.removeprefix("pytest_ocrparity").removeprefix(".")
            for alias in node.names if room(node.module) == "pytest_ocrparity" else ():
                below = f"{inner}.{alias.name}".removeprefix(".")
                found.add(f"pytest_ocrparity.{below if below in FILES else inner}")
            found.add(node.module)
    return found


IMPORTS = {name: imported(path) for name, path in FILES.items()}
OURS = {
    name: {
        each.removeprefix("pytest_ocrparity.")
        for each in found
        if each.startswith("pytest_ocrparity.") and each.removeprefix("pytest_ocrparity.") != name
    }
    for name, found in IMPORTS.items()
}


def row(module: str) -> int:
    return next(index for index, rooms in enumerate(TABLE) if room(module) in rooms)


def test_every_room_stands_in_the_table_once() -> None:
    rooms = Counter(each for row in TABLE for each in row)
    assert set(rooms) == {room(module) for module in FILES}
    assert set(rooms.values()) == {1}


def test_imports_point_down() -> None:
    for name, found in OURS.items():
        for other in found:
            assert room(other) == room(name) or row(other) < row(name), f"{name} imports {other}"


def test_no_module_imports_itself_by_way_of_others() -> None:
    # A package's `__init__` may import what lies in it: who imports a module runs the packages above it first.
    list(graphlib.TopologicalSorter(OURS).static_order())


def test_only_three_rooms_know_pytest() -> None:
    assert {room(name) for name, found in IMPORTS.items() if "pytest" in found} == KNOW_PYTEST


def test_only_backends_know_the_frameworks() -> None:
    knowing = {room(name) for name, found in IMPORTS.items() if {room(each) for each in found} & FRAMEWORKS}
    assert knowing == {"backends"}


def test_the_root_shows_the_architecture() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= 20


def test_no_two_modules_share_a_name() -> None:
    names = Counter(path.name for path in FILES.values())
    assert {name for name, count in names.items() if count > 1} == {"__init__.py", *OF_TWO_BACKENDS}


def test_the_public_names() -> None:
    assert sorted(pytest_ocrparity.__all__) == pytest_ocrparity.__all__ == dir(pytest_ocrparity)
    for name in pytest_ocrparity.__all__:
        assert getattr(pytest_ocrparity, name).__name__ == name
    assert not hasattr(pytest_ocrparity, "no_such_name")


def test_no_file_is_long() -> None:
    lengths = {name: len(path.read_text().splitlines()) for name, path in FILES.items()}
    assert {name: length for name, length in lengths.items() if length > 450} == {}
