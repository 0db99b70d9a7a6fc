"""Loads paddle once, and adds the suite's rows up: `make faults` prints the tables and leaves build/faults.json."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from freeing import models_are_freed  # noqa: F401

from faults import port_rows
from faults.recognition.judging import missed
from faults.recognition.short_list import FAULT_NAMES
from faults.rows import ALL, added_up, counts, line, markdown
from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.diagnose.cache import DiagnosisCache

TABLES = {
    "faults": "faults.row",
    "near_misses": "faults.near",
    "faults_of_recognisers": "faults.line",
    "near_misses_of_recognisers": "faults.near_line",
}
"""The tables, and the property in which a test of each records its row."""
ROWS: dict[str, list[dict[str, Any]]] = {table: [] for table in TABLES}
PORTS: list[dict[str, Any]] = []
"""The rows of the third table, of which a test records several, one for each form of a deployment."""
CLEAN: dict[str, list[bool]] = {"faults.clean": [], "faults.clean_line": []}
"""By property, whether right deployments passed: of detectors, and of recognisers."""
BUILD = Path(__file__).parents[2] / "build"


@pytest.fixture(autouse=True)
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DiagnosisCache, "strict", True)


@pytest.fixture(autouse=True, scope="session")
def frameworks() -> None:
    with isolated():
        import paddle  # noqa: F401


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Collect a case's row from its report, wherever it ran."""
    if report.when == "call":
        found: dict[str, Any] = dict(report.user_properties)
        for table, key in TABLES.items():
            if key in found:
                ROWS[table].append({**found[key], "passed": report.passed})
        PORTS.extend(found.get("faults.ports", []))
        for key in CLEAN.keys() & found.keys():
            CLEAN[key].append(report.passed)


def summary() -> dict[str, Any]:
    """Add the rows of all tables up."""
    tables = {table: added_up(rows) for table, rows in ROWS.items()}
    ports = {"forms": port_rows.added_up(PORTS), "rows": port_rows.in_order(PORTS)}
    pages, lines = CLEAN.values()
    return {
        **tables,
        "ports": ports,
        "clean_runs": len(pages),
        "false_alarms": pages.count(False),
        "clean_runs_of_recognisers": len(lines),
        "false_alarms_of_recognisers": lines.count(False),
    }


def missed_targets() -> list[str]:
    """Return which targets of the third table and of the recognisers' faults are missed, where all of it ran."""
    found = port_rows.missed(port_rows.added_up(PORTS)) if port_rows.is_whole(PORTS) else []
    return found + missed(ROWS["faults_of_recognisers"], FAULT_NAMES)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail where a target is missed."""
    if missed_targets():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the tables, and write them down."""
    if not (any(ROWS.values()) or PORTS) or hasattr(config, "workerinput"):
        return
    found = summary()
    for table in filter(ROWS.get, TABLES):
        terminalreporter.section(table.replace("_", " "), sep="-")
        for row in found[table]["rows"]:
            terminalreporter.line(line(row))
        terminalreporter.line("")
        terminalreporter.line(counts(found[table]))
    if PORTS:
        terminalreporter.section("ports", sep="-")
        for text in port_rows.told(found["ports"]):
            terminalreporter.line(text)
    for text in missed_targets():
        terminalreporter.line(text)
    terminalreporter.line(counts(found))
    BUILD.mkdir(exist_ok=True)
    (BUILD / "faults.json").write_text(json.dumps(found, indent=1))
    docs = BUILD.parent / "docs" / "explanation"
    if ALL and all(ROWS.values()):
        (docs / "faults.md").write_text(markdown(found, commit()))
    if port_rows.is_whole(PORTS):
        (docs / "ports.md").write_text(port_rows.markdown(found["ports"], commit()))


def commit() -> str:
    """Return the commit that a table is made on."""
    git = ["git", "-C", str(BUILD.parent), "rev-parse", "--short=12", "HEAD"]
    return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
