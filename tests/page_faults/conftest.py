"""Adds up what was said of the faults of pages: `make pages` prints the sums and writes the documentation's table."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from faults.conftest import frameworks, strict  # noqa: F401  # fixtures of every diagnosis of real networks
from freeing import models_are_freed  # noqa: F401

from page_faults.rows import ALL, markdown, missed, told

ROWS: list[dict[str, Any]] = []
CLEAN: list[bool] = []
BUILD = Path(__file__).parents[2] / "build"


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Collect a row from the report of its test, wherever it ran."""
    if report.when == "call":
        for name, value in report.user_properties:
            if name == "pages.row":
                assert isinstance(value, dict)
                ROWS.append(value)
            elif name == "pages.clean":
                CLEAN.append(report.passed)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail where a target is missed."""
    if missed(ROWS, CLEAN):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the sums, and write them down."""
    if not ROWS or hasattr(config, "workerinput"):
        return
    terminalreporter.section("pages", sep="-")
    for line in (*told(ROWS, CLEAN), *missed(ROWS, CLEAN)):
        terminalreporter.line(line)
    if ALL:
        git = ["git", "-C", str(BUILD.parent), "rev-parse", "--short=12", "HEAD"]
        commit = subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
        BUILD.mkdir(exist_ok=True)
        (BUILD / "pages.json").write_text(json.dumps({"faults": ROWS, "clean": CLEAN}, indent=1))
        (BUILD.parent / "docs" / "explanation" / "pages.md").write_text(markdown(ROWS, CLEAN, commit))
