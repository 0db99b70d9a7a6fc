"""The shape of the package: imports point down, the public names are these, and nothing heavy loads early."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest_ocrparity

PACKAGE = Path(pytest_ocrparity.__file__).parent

# A module may import only modules that stand in an earlier row, also inside functions; for type checking, any.
TABLE = (
    {"errors", "running", "leftovers"},
    {"caught", "listener", "metrics", "outcomes", "parametrized", "polygons", "tolerance"}
    | {"verdict", "versions", "pipelines"},
    {"trace", "diagnosis"},
    {"causes"},
    {"blocks", "geometry", "preconditions", "sides", "allowance", "advice", "pipelines.*"},
    {"pairing", "codec", "preprocessing", "maps"},
    {"archive", "ownership"},
    {"golden"},
    {"borderline"},
    {"scores"},
    {"boxes"},
    {"compare"},
    {"explain"},
    {"diagnose.*", "diagnose"},
    {"assertions"},
    {"settings_file", "tally", "scheduling"},
    {"settings", "report.templates"},
    {"models", "baseline", "evidence", "origin", "pruning", "report.*", "report"},
    {"worst"},
    {"recorder", "reporting", "judging.*", "judging"},
    {"run", "gate"},
    {"plugin"},
    {"__main__"},
    {""},  # the package itself, lazily
)
KNOW_PYTEST = {"plugin", "run", "gate"}
FRAMEWORKS = {"paddle", "paddleocr", "paddlex", "ppocr", "cv2"}


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found = set()
    for node in ast.walk(tree):
        if node in for_types:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            found |= (
                {node.module} if node.module != "pytest_ocrparity" else {f"{node.module}.{a.name}" for a in node.names}
            )
    return found


MODULES = {module_name(path): imports(path) for path in PACKAGE.rglob("*.py")}


def level(name: str) -> int:
    for index, row in enumerate(TABLE):
        if name in row:
            return index
    general = f"{name.split('.')[0]}.*"
    return next(index for index, row in enumerate(TABLE) if general in row)


def test_imports_point_down() -> None:
    for name, imported in MODULES.items():
        for other in imported:
            if other.startswith("pytest_ocrparity."):
                inner = other.removeprefix("pytest_ocrparity.")
                is_peer = name.split(".")[0] == inner.split(".")[0] in ("pipelines", "diagnose", "report", "judging")
                assert level(inner) < level(name) or is_peer, f"{name} imports {inner}"


def test_only_three_modules_know_pytest() -> None:
    assert {name for name, imported in MODULES.items() if "pytest" in imported} == KNOW_PYTEST


def test_only_pipelines_know_the_frameworks() -> None:
    for name, imported in MODULES.items():
        if not name.startswith("pipelines."):
            assert not {module.split(".")[0] for module in imported} & FRAMEWORKS, name


def test_the_public_names() -> None:
    assert sorted(pytest_ocrparity.__all__) == pytest_ocrparity.__all__ == dir(pytest_ocrparity)
    for name in pytest_ocrparity.__all__:
        assert getattr(pytest_ocrparity, name).__name__ == name
    assert not hasattr(pytest_ocrparity, "no_such_name")


def test_no_file_is_long() -> None:
    lengths = {str(path): len(path.read_text().splitlines()) for path in PACKAGE.rglob("*.py")}
    assert {path: length for path, length in lengths.items() if length > 450} == {}
