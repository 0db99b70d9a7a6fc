"""What GitHub Actions shows: annotations at the tests, and the job's summary."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from pytest_ocrparity.errors import ReportError
from pytest_ocrparity.report.markdown import markdown_summary
from pytest_ocrparity.report.views import View

MOST: Final = 10
"""GitHub shows that many annotations of a step."""


def github_error_commands(view: View, rootdir: Path) -> list[str]:
    """Return a workflow command per cause, at the test that found it first, and one per fault of the run.

    `rootdir` is pytest's, from which the files of tests are named.
    """
    commands = [_workflow_command(fault, title="ocrparity") for fault in view.results.run.faults]
    for cause in view.errors:
        first, diagnosis = cause.comparisons[0], cause.diagnosis
        count = len(cause.images)
        message = f"{first.image}: {diagnosis.stage}: {diagnosis.summary}"
        message += f" (and on {count - 1} more image{'s' * (count > 2)})" if count > 1 else ""
        message += f"\nfix: {diagnosis.fix.text}" if diagnosis.fix else ""
        title = f"{cause.candidate} against {cause.reference}: {diagnosis.cause}"
        commands.append(
            _workflow_command(message, title=title, file=_file_in_repository(rootdir, first.file), line=first.line)
        )
    for missed in view.results.not_compared:
        if missed.outcome != "skipped":
            commands.append(
                _workflow_command(f"{missed.image or missed.test}: not compared: {missed.reason}", title="ocrparity")
            )
    if len(commands) > MOST:
        left = len(commands) - MOST + 1
        commands[MOST - 1 :] = [_workflow_command(f"and {left} more: see the report", title="ocrparity")]
    return commands


def append_github_summary(view: View) -> None:
    """Append the Markdown summary to the job's, where GitHub names its file. Raises ReportError if it can't."""
    name = os.environ.get("GITHUB_STEP_SUMMARY")
    if not name:
        return
    try:
        with Path(name).open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(markdown_summary(view))
    except OSError as error:
        raise ReportError(f"GITHUB_STEP_SUMMARY={name}: cannot write there: {error.strerror or error}") from error


def _file_in_repository(rootdir: Path, file: str) -> str:
    """Return a test file as GitHub knows it: relative to the repository, if that is where it lies."""
    path, given = (rootdir / file).resolve(), os.environ.get("GITHUB_WORKSPACE")
    root = None if given is None else Path(given).resolve()
    return path.relative_to(root).as_posix() if root is not None and path.is_relative_to(root) else file


def _workflow_command(message: str, **properties: Any) -> str:
    given = ",".join(
        f"{name}={_escaped_command(str(value), ':,')}" for name, value in properties.items() if value is not None
    )
    return f"::error {given}::{_escaped_command(message)}"


def _escaped_command(text: str, more: str = "") -> str:
    """Escape what a workflow command reads as its own, as actions/toolkit documents it."""
    for letter in f"%\r\n{more}":
        text = text.replace(letter, f"%{ord(letter):02X}")
    return text
