"""When a run makes its report, and whom it tells. What it looks like is in `report`."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ocrparity.errors import ReportError
from pytest_ocrparity.session.not_reached import NotReached
from pytest_ocrparity.session.outcomes import Outcomes
from pytest_ocrparity.wording import counted, path_from

if TYPE_CHECKING:
    from pytest_ocrparity.report.document import RecordedComparison, Results
    from pytest_ocrparity.report.history import HistoryEntry
    from pytest_ocrparity.report.views import View
    from pytest_ocrparity.settings import Settings


class Reporting:
    """The report of one run, in the process that hears of all tests.

    Attributes:
        outcomes: how the tests ended.
        annotations: what GitHub reads from the terminal.
        is_due: whether this run makes a report.
    """

    def __init__(self, settings: Settings, not_reached: NotReached, start: Path, rootdir: Path) -> None:
        """Report as the settings say.

        Paths are printed from `start` on, where the run was started; `rootdir` is pytest's.
        """
        self.settings, self.not_reached = settings, not_reached
        self._start, self._rootdir = start, rootdir
        self.outcomes = Outcomes()
        self.annotations: list[str] = []
        self.is_due = False
        self._refusal: ReportError | None = None
        """Why the folder could not be cleared for this run's report."""

    def check(self) -> None:
        """Raise ReportError where the folder is not the report's, or the history's file is none.

        An older report stays until this run makes one.
        """
        if self.settings.history is not None:
            from pytest_ocrparity.report.history import read_history

            read_history(self.settings.history)
        if self.settings.report_dir is not None:
            from pytest_ocrparity.report import check_report_folder

            check_report_folder(self.settings.report_dir)

    def begin(self) -> None:
        """Remove an older report, once: what is found in the end is this run's, or none where it breaks off.

        Raises:
            ReportError: as `check`. `publish` raises it again, for whoever can't stop the run here.
        """
        is_first, self.is_due = not self.is_due, True
        if is_first and self.settings.report_dir is not None:
            from pytest_ocrparity.report import remove_old_report

            try:
                remove_old_report(self.settings.report_dir)
            except ReportError as error:
                self._refusal = error
                raise
            self.not_reached.begin(self.settings.report_dir)

    def publish(self, results: Results, compared: list[RecordedComparison]) -> list[str]:
        """Write the report of a run, whose comparisons are given light, and tell GitHub; return what to print about it.

        Raises:
            ReportError: the report, the history or GitHub's summary cannot be written. What is written all the same is
                that of a run that fails by it.
        """
        from pytest_ocrparity.report.github import append_github_summary, github_error_commands
        from pytest_ocrparity.report.views import View

        # Whatever cannot be read or written fails the run, and what is still to be written says so.
        flaws = [] if self._refusal is None else [self._refusal]
        view, entry, lines = View.of(results, compared), None, list[str]()
        with _noting(flaws):
            view, entry, lines = self._with_plots(view)
        with _noting(flaws):
            lines += self._written_report(_failed_by(view, flaws))
        try:
            self._append_to_history(entry, is_failed=bool(flaws))
        except ReportError as error:
            flaws.append(error)
            with _noting(flaws):  # again: a page can be written twice, a line of the history only once
                self._written_report(_failed_by(view, flaws))
        if self.tells_github:
            view = _failed_by(view, flaws)
            self.annotations = github_error_commands(view, self._rootdir)
            with _noting(flaws):
                append_github_summary(view)
        lines += self.not_reached.end(is_whole=not results.run.interrupted)
        if flaws:
            raise flaws[0]
        return lines

    def _written_report(self, view: View) -> list[str]:
        """Write the report into its folder, if it has one that is its own, and return what to print about it.

        Raises:
            ReportError: a file cannot be written.
        """
        from pytest_ocrparity.report import write_report

        folder = self.settings.report_dir
        if folder is None or self._refusal is not None:
            return []
        write_report(folder, view)
        broken = [each for each in view.compared if each.picture_error]
        return [
            *(
                f"pictures of {len(broken)} comparisons could not all be drawn: {each.image}: {each.picture_error}"
                for each in broken[:1]
            ),
            f"report: {path_from(self._start, folder / 'index.html')}",
        ]

    def _with_plots(self, view: View) -> tuple[View, HistoryEntry | None, list[str]]:
        """Return the view with the plots of the history and of this run, what is to be appended, and what to print.

        Raises:
            ReportError: the history cannot be read.
        """
        path = self.settings.history
        if path is None:
            return view, None, []
        from pytest_ocrparity.report.history import history_entry, history_plots, read_history

        where = path_from(self._start, path)
        if not (view.compared or view.results.accuracy):
            return view, None, [f"history: nothing was appended to {where}, as nothing was compared"]
        if view.results.run.interrupted:
            return view, None, [f"history: nothing was appended to {where}, as the run stopped before its last test"]
        if view.results.run.partial:
            return view, None, [f"history: nothing was appended to {where}, as the run was partial"]
        entry = history_entry(view.results, view.compared, current_commit(self.settings.root))
        entries, broken = read_history(path)
        entries.append(entry)
        lines = [f"history: {where}, {counted(len(entries), 'run')}"]
        lines += [f"WARNING: {where} has {counted(broken, 'broken line')}, passed over"] if broken else []
        return replace(view, plots=history_plots(entries)), entry, lines

    def _append_to_history(self, entry: HistoryEntry | None, *, is_failed: bool) -> None:
        """Append this run's entry, if it has one, as that of a failed run where it fails by its report."""
        from msgspec import structs

        from pytest_ocrparity.report.history import append_to_history

        if self.settings.history is not None and entry is not None:
            append_to_history(self.settings.history, structs.replace(entry, verdict="failed") if is_failed else entry)

    @property
    def publishes(self) -> bool:
        """Tell whether this run makes a report for anybody."""
        is_for_files = self.settings.report_dir is not None or self.settings.history is not None
        return self.is_due and (is_for_files or self.tells_github)

    @property
    def tells_github(self) -> bool:
        """Tell whether GitHub Actions runs this, or it is forced."""
        is_there = os.environ.get("GITHUB_ACTIONS") == "true"
        return self.settings.github == "on" or (self.settings.github == "auto" and is_there)


@contextmanager
def _noting(flaws: list[ReportError]) -> Iterator[None]:
    """Append what cannot be read or written to these."""
    try:
        yield
    except ReportError as error:
        flaws.append(error)


def _failed_by(view: View, flaws: Sequence[ReportError]) -> View:
    """Return the same run as one that fails by these, if there are any."""
    if not flaws:
        return view
    from msgspec import structs

    run = view.results.run
    faults = (*run.faults, *map(str, flaws))
    failed = structs.replace(run, verdict="failed", exit_status=run.exit_status or 1, faults=faults)
    return replace(view, results=structs.replace(view.results, run=failed))


def current_commit(root: Path) -> str:
    """Return the commit that is tested: GitHub's, else that which git has checked out; nothing where neither is."""
    if given := os.environ.get("GITHUB_SHA"):
        return given
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(
            ["git", "-C", str(root), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
        return done.stdout.strip()
    return ""
