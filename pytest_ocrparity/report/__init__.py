"""The report of a run: `index.html` with its pictures, `results.json`, `summary.md`, all in one folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_ocrparity.errors import ReportError
from pytest_ocrparity.settings.report_pictures import OURS, PICTURES, RESULTS, SUMMARY

if TYPE_CHECKING:
    from pytest_ocrparity.report.document import RecordedComparison
    from pytest_ocrparity.report.views import View

PAGE: Final = "index.html"
MARK: Final = b'<meta name="generator" content="pytest-ocrparity'
"""The mark by which a page of this plugin is distinguished from a user's."""


def check_report_folder(folder: Path) -> None:
    """Raise ReportError where a report would overwrite files of the user's, or can't be written."""
    try:
        for name in (PAGE, RESULTS, SUMMARY):
            if (folder / name).exists() and not _is_ours(folder):
                raise ReportError(
                    f"{folder} holds a file {name} that is of no ocrparity report: give the report its own folder"
                )
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error


def _unwritable(folder: Path, error: OSError) -> ReportError:
    return ReportError(
        f"{folder}: cannot write a report there: {error.strerror or error}; give the report a folder that can be "
        "written"
    )


def _is_ours(folder: Path) -> bool:
    page = folder / PAGE
    return page.is_file() and MARK in page.read_bytes()[:4096]


def remove_old_report(folder: Path) -> None:
    """Remove an older report, so that none is taken for that of a run which then breaks off.

    Raises:
        ReportError: as `check_report_folder`.
    """
    check_report_folder(folder)
    try:
        for name in (RESULTS, SUMMARY, PAGE):  # the page, which marks the folder as a report, last
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error


def _noting_pictures(comparisons: Iterable[RecordedComparison], used: set[int]) -> Iterator[RecordedComparison]:
    """Yield comparisons, and note the names of their pictures and values: each is unpacked when it is asked for.

    By their hashes, as ten thousand images have some hundred thousand names: of two with one hash a file may stay.
    """
    for each in comparisons:
        used.update(hash(name) for picture in each.pictures for name in (picture.file, picture.values_file) if name)
        yield each


def write_report(folder: Path, view: View) -> None:
    """Write the report of a run, and remove pictures that are not in it.

    Raises:
        ReportError: a file cannot be written.
    """
    from pytest_ocrparity.report.document_text import report_document_parts
    from pytest_ocrparity.report.markdown import markdown_summary
    from pytest_ocrparity.report.page import report_page
    from pytest_ocrparity.whole_files import write_whole_file

    try:
        used: set[int] = set()
        # First, as it marks the folder as a report. Half a surrogate pair, as a file may hold, is no text.
        write_whole_file(
            folder / PAGE, (text.encode(errors="backslashreplace") for text in report_page(view, folder, used))
        )
        written = _noting_pictures(view.results.comparisons, used)
        write_whole_file(folder / RESULTS, (text.encode() for text in report_document_parts(view.results, written)))
        write_whole_file(folder / SUMMARY, markdown_summary(view).encode(errors="backslashreplace"))
        for drawn in (folder / PICTURES).glob("*"):
            unused = [path for path in drawn.glob("*") if hash(path.relative_to(folder).as_posix()) not in used]
            ours = [path for path in unused if OURS.fullmatch(path.name)]
            for path in ours:
                path.unlink()
            if ours and not any(drawn.iterdir()):
                drawn.rmdir()
    except OSError as error:
        file = f": {error.filename}" if error.filename else ""
        raise ReportError(f"{folder}: cannot write the report: {error.strerror or error}{file}") from error
