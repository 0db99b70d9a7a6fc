"""Adds up what was said of the layers: `make layers` prints the tables and leaves build/layers.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from faults.conftest import frameworks, strict  # noqa: F401  # fixtures of every diagnosis of real networks

from layers.drawing import LIST
from layers.judging import LEAST_RIGHT, LEAST_RIGHT_OF_SHORT_LIST, added_up, missed, not_right, told
from layers.networks import ALL
from layers.trial import subject_of

ROWS: dict[str, list[dict[str, Any]]] = {"layers.row": [], "layers.clean": []}
"""By the property in which a test records one, the rows of faults and those of right exports."""
LEAST = LEAST_RIGHT if ALL else LEAST_RIGHT_OF_SHORT_LIST
BUILD = Path(__file__).parents[2] / "build"


@pytest.fixture(scope="session")
def subjects(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The networks by name, each made once."""
    folder = tmp_path_factory.mktemp("networks")
    return lambda name: subject_of(name, folder)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Collect a row from the report of its test, wherever it ran."""
    if report.when == "call":
        for name, row in report.user_properties:
            if name in ROWS:
                assert isinstance(row, dict)
                ROWS[name].append(row)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail where a target is missed."""
    rows, clean = ROWS.values()
    if missed(rows, clean, LEAST):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the tables, and write them down."""
    rows, clean = ROWS.values()
    if not rows or hasattr(config, "workerinput"):
        return
    terminalreporter.section("layers", sep="-")
    for line in told(rows, clean, json.loads(LIST.read_text())["draws"]) + not_right(rows) + missed(rows, clean, LEAST):
        terminalreporter.line(line)
    BUILD.mkdir(exist_ok=True)
    document = {"all": added_up(rows), "missed": missed(rows, clean, LEAST), "faults": rows, "right_exports": clean}
    (BUILD / "layers.json").write_text(json.dumps(document, indent=1))
