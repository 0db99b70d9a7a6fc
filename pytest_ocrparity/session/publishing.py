"""When a run makes its report, and whom it tells. What it looks like is in `report`."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ocrparity.errors import ReportError
from pytest_ocrparity.session.not_reached import NotReached
from pytest_ocrparity.session.outcomes import Outcomes
from pytest_ocrparity.wording import counted, path_from

if TYPE_CHECKING:
    from pytest_ocrparity.report.accuracy_record import AccuracyRecord
    from pytest_ocrparity.report.views import View
    from pytest_ocrparity.session.collecting import Comparisons
    from pytest_ocrparity.settings import Settings


class Reporting:
    """The report of one run, in the process that hears of all tests.

    Attributes:
        outcomes: how the tests ended.
        annotations: what GitHub reads from the terminal.
        is_due: whether this run makes a report.
    """

    def __init__(self, settings: Settings, not_reached: NotReached, start: Path) -> None:
        """Report as the settings say; paths are printed from `start` on, where the run was started."""
        self.settings = settings
        self._start = start
        self.not_reached = not_reached
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

    def publish(
        self,
        comparisons: Comparisons,
        *,
        accuracy: Sequence[AccuracyRecord] = (),
        label_faults: Sequence[str] = (),
        status: int,
        is_cut_short: bool,
        is_partial: bool,
        faults: Sequence[str],
        notes: Sequence[str],
    ) -> list[str]:
        """Write the report and tell GitHub; return what to print about it. It takes what `collect_results` does.

        Raises:
            ReportError: the report cannot be written.
        """
        from msgspec import structs

        from pytest_ocrparity.report import write_report
        from pytest_ocrparity.report.github import append_github_summary, github_error_commands
        from pytest_ocrparity.report.views import View
        from pytest_ocrparity.session.collecting import collect_results

        results = collect_results(
            comparisons,
            self.settings,
            accuracy=accuracy,
            label_faults=label_faults,
            status=status,
            is_cut_short=is_cut_short,
            is_partial=is_partial,
            faults=faults,
            notes=notes,
        )
        view = View.of(results, comparisons.light)
        lines: list[str] = []
        flaw: ReportError | None = None
        try:
            view, lines = self._with_history(view)
        except ReportError as error:  # the report is made nonetheless, of a run that fails by it
            flaw = error
            faults = (*results.run.faults, str(error))
            failed = structs.replace(results.run, verdict="failed", exit_status=status or 1, faults=faults)
            view = replace(view, results=structs.replace(results, run=failed))
        if self.tells_github:
            self.annotations = github_error_commands(view)
            append_github_summary(view)
        if self._refusal is not None:
            raise self._refusal
        folder = self.settings.report_dir
        if folder is not None:
            write_report(folder, view)
            broken = [each for each in view.compared if each.picture_error]
            lines += [
                f"pictures of {len(broken)} comparisons could not all be drawn: {each.image}: {each.picture_error}"
                for each in broken[:1]
            ]
            lines.append(f"report: {path_from(self._start, folder / 'index.html')}")
        lines += self.not_reached.end(is_whole=not results.run.interrupted)
        if flaw is not None:
            raise flaw
        return lines

    def _with_history(self, view: View) -> tuple[View, list[str]]:
        """Append the run to its history, and return the view with the plots of it, and what to print.

        Raises:
            ReportError: the history cannot be read or written.
        """
        path = self.settings.history
        if path is None:
            return view, []
        from pytest_ocrparity.report.history import append_to_history, history_entry, history_plots, read_history

        where = path_from(self._start, path)
        if not (view.compared or view.results.accuracy):
            return view, [f"history: nothing was appended to {where}, as nothing was compared"]
        if view.results.run.interrupted:
            return view, [f"history: nothing was appended to {where}, as the run stopped before its last test"]
        if view.results.run.partial:
            return view, [f"history: nothing was appended to {where}, as the run was partial"]
        append_to_history(path, history_entry(view.results, view.compared, current_commit(self.settings.root)))
        entries, broken = read_history(path)
        lines = [f"history: {where}, {counted(len(entries), 'run')}"]
        lines += [f"WARNING: {where} has {counted(broken, 'broken line')}, passed over"] if broken else []
        return replace(view, plots=history_plots(entries)), lines

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
