"""Loads paddle once, and adds the suite's rows up: `make faults` prints the tables and leaves build/faults.json."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from faults import port_rows
from faults.rows import ALL, added_up, counts, line, markdown
from pytest_ocrparity.backends.isolation import third_party
from pytest_ocrparity.diagnose.cache import DiagnosisCache

TABLES = {"faults": "faults.row", "near_misses": "faults.near"}
"""The tables, and the property in which a test of each records its row."""
ROWS: dict[str, list[dict[str, Any]]] = {table: [] for table in TABLES}
PORTS: list[dict[str, Any]] = []
"""The rows of the third table, of which a test records several, one for each form of a deployment."""
CLEAN: list[bool] = []
BUILD = Path(__file__).parents[2] / "build"


@pytest.fixture(autouse=True)
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DiagnosisCache, "strict", True)


@pytest.fixture(autouse=True, scope="session")
def frameworks() -> None:
    with third_party():
        import paddle  # noqa: F401


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Collect a case's row from its report, wherever it ran."""
    if report.when == "call":
        found: dict[str, Any] = dict(report.user_properties)
        for table, key in TABLES.items():
            if key in found:
                ROWS[table].append({**found[key], "passed": report.passed})
        PORTS.extend(found.get("faults.ports", []))
        if "faults.clean" in found:
            CLEAN.append(report.passed)


def summary() -> dict[str, Any]:
    """Add the rows of all tables up."""
    tables = {table: added_up(rows) for table, rows in ROWS.items()}
    ports = {"forms": port_rows.added_up(PORTS), "rows": port_rows.in_order(PORTS)}
    return {**tables, "ports": ports, "clean_runs": len(CLEAN), "false_alarms": CLEAN.count(False)}


def missed_targets() -> list[str]:
    """Return which targets of the third table are missed, where all of it ran."""
    return port_rows.missed(port_rows.added_up(PORTS)) if port_rows.is_whole(PORTS) else []


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
        for text in port_rows.told(found["ports"]) + missed_targets():
            terminalreporter.line(text)
    terminalreporter.line(counts(found))
    BUILD.mkdir(exist_ok=True)
    (BUILD / "faults.json").write_text(json.dumps(found, indent=1))
    git = ["git", "-C", str(BUILD.parent), "rev-parse", "--short=12", "HEAD"]
    commit = subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    docs = BUILD.parent / "docs"
    if ALL and all(ROWS.values()):
        (docs / "faults.md").write_text(markdown(found, commit))
    if port_rows.is_whole(PORTS):
        (docs / "ports.md").write_text(port_rows.markdown(found["ports"], commit))
