"""Loads paddle once, and adds the suite's rows up: `make faults` prints the table and leaves build/faults.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_ocrparity.diagnose.memory import Memory
from pytest_ocrparity.pipelines.imports import third_party

ROWS: list[dict[str, Any]] = []
CLEAN: list[bool] = []
BUILD = Path(__file__).parents[2] / "build"


@pytest.fixture(autouse=True)
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Memory, "strict", True)


@pytest.fixture(autouse=True, scope="session")
def frameworks() -> None:
    with third_party():
        import paddle  # noqa: F401


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Collect a case's row from its report, wherever it ran."""
    if report.when == "call":
        found: dict[str, Any] = dict(report.user_properties)
        if "faults.row" in found:
            ROWS.append({**found["faults.row"], "passed": report.passed})
        if "faults.clean" in found:
            CLEAN.append(report.passed)


def summary() -> dict[str, Any]:
    """Add the rows up. A claim is wrong when it names a cause that was not injected."""
    return {
        "cases": len(ROWS),
        "caught": sum(row["caught"] for row in ROWS),
        "stage_right": sum(row["stage"] == row["expected_stage"] for row in ROWS),
        "cause_right": sum(row["cause"] == row["expected_cause"] for row in ROWS),
        "wrong_claims": sum(bool(set(row["cause"]) - {*row["expected_cause"], "unknown"}) for row in ROWS),
        "clean_runs": len(CLEAN),
        "false_alarms": CLEAN.count(False),
        "rows": sorted(ROWS, key=lambda row: str(row["name"])),
    }


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the table, and write it down."""
    if not ROWS or hasattr(config, "workerinput"):
        return
    found = summary()
    terminalreporter.section("faults", sep="-")
    for row in found["rows"]:
        told = ", ".join(f"{stage}: {cause}" for stage, cause in zip(row["stage"], row["cause"], strict=True))
        mark = "" if row["cause"] == row["expected_cause"] else f"   EXPECTED {', '.join(row['expected_cause'])}"
        terminalreporter.line(f"{row['name']:<48} {told or 'not caught'}{mark}")
    terminalreporter.line("")
    terminalreporter.line(
        "  ".join(f"{key.replace('_', ' ')} {value}" for key, value in found.items() if key != "rows")
    )
    BUILD.mkdir(exist_ok=True)
    (BUILD / "faults.json").write_text(json.dumps(found, indent=1))
