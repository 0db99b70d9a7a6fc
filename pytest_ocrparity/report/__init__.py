"""The report of a run: `index.html` with its pictures, `results.json`, `summary.md`, all in one folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pytest_ocrparity.errors import ReportError

__all__ = ["prepare", "publish"]

PAGE, RESULTS, SUMMARY = "index.html", "results.json", "summary.md"
MARK: Final = b'<meta name="generator" content="pytest-ocrparity'
"""What tells a page of ours from a user's."""


def prepare(folder: Path) -> None:
    """Remove an older report, so that none is taken for that of a run which then breaks off.

    Raises:
        ReportError: the folder holds an index.html that is no report, or it cannot be written to.
    """
    page = folder / PAGE
    try:
        if page.is_file() and MARK not in page.read_bytes()[:4096]:
            raise ReportError(f"{folder} holds an {PAGE} that is no ocrparity report: give the report its own folder")
        folder.mkdir(parents=True, exist_ok=True)
        if page.is_file():  # else files of these names are none of ours
            for name in (RESULTS, SUMMARY, PAGE):
                (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise ReportError(f"{folder}: cannot write a report there: {error.strerror or error}") from error


def publish(folder: Path, results: Mapping[str, Any]) -> None:
    """Write the report of a run, and remove pictures that are not in it.

    Raises:
        ReportError: a file cannot be written.
    """
    from pytest_ocrparity.report.album import PICTURES, write_whole
    from pytest_ocrparity.report.markdown import summary
    from pytest_ocrparity.report.page import page
    from pytest_ocrparity.report.results import as_text, without_thumbs

    try:
        html, inlined = page(results, folder)
        write_whole(folder / RESULTS, as_text(without_thumbs(results)).encode())
        write_whole(folder / SUMMARY, summary(results).encode())
        write_whole(folder / PAGE, html.encode())
        used = {folder / name for name in _files(results)} - {folder / name for name in inlined}
        # Whatever lies in there was drawn by a run of ours: the names end in digests.
        for path in sorted((folder / PICTURES).rglob("*"), reverse=True):
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()
            elif path.is_file() and path not in used:
                path.unlink()
    except OSError as error:
        raise ReportError(f"{folder}: cannot write the report: {error.strerror or error}") from error


def _files(results: Mapping[str, Any]) -> Iterator[str]:
    for comparison in results["comparisons"]:
        for picture in comparison["pictures"]:
            yield picture["file"]
            yield picture["thumb"]
