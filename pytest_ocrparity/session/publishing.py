"""When a run makes its report, and whom it tells. What it looks like is in `report`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_ocrparity.errors import ReportError
from pytest_ocrparity.session.outcomes import Outcomes
from pytest_ocrparity.wording import path_from

if TYPE_CHECKING:
    from pytest_ocrparity.report.accuracy_record import AccuracyRecord
    from pytest_ocrparity.session.collecting import Comparisons
    from pytest_ocrparity.settings import Settings


class Reporting:
    """The report of one run, in the process that hears of all tests.

    Attributes:
        outcomes: how the tests ended.
        annotations: what GitHub reads from the terminal.
        is_due: whether this run makes a report.
    """

    def __init__(self, settings: Settings) -> None:
        """Report as the settings say."""
        self.settings = settings
        self.outcomes = Outcomes()
        self.annotations: list[str] = []
        self.is_due = False
        self._refusal: ReportError | None = None
        """Why the folder could not be cleared for this run's report."""

    def check(self) -> None:
        """Raise ReportError where the folder is not the report's. An older report stays until this run makes one."""
        if self.settings.report_dir is not None:
            from pytest_ocrparity.report import check_folder

            check_folder(self.settings.report_dir)

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

    def publish(
        self,
        comparisons: Comparisons,
        *,
        accuracy: Sequence[AccuracyRecord] = (),
        status: int,
        is_cut_short: bool,
        faults: Sequence[str],
        notes: Sequence[str],
    ) -> list[str]:
        """Write the report and tell GitHub; return what to print about it. The arguments are those of `collect`.

        Raises:
            ReportError: the report cannot be written.
        """
        from pytest_ocrparity.report import publish
        from pytest_ocrparity.report.github import append_summary, error_commands
        from pytest_ocrparity.report.views import View
        from pytest_ocrparity.session.collecting import collect

        results = collect(
            comparisons,
            self.settings,
            accuracy=accuracy,
            status=status,
            is_cut_short=is_cut_short,
            faults=faults,
            notes=notes,
        )
        view = View.of(results, comparisons.light)
        if self.tells_github:
            self.annotations = error_commands(view)
            append_summary(view)
        if self._refusal is not None:
            raise self._refusal
        folder = self.settings.report_dir
        if folder is None:
            return []
        publish(folder, view)
        broken = [each for each in view.compared if each.picture_error]
        lines = [
            f"pictures of {len(broken)} comparisons could not all be drawn: {each.image}: {each.picture_error}"
            for each in broken[:1]
        ]
        return [*lines, f"report: {path_from(os.curdir, folder / 'index.html')}"]

    @property
    def publishes(self) -> bool:
        """Tell whether this run makes a report for anybody."""
        return self.is_due and (self.settings.report_dir is not None or self.tells_github)

    @property
    def tells_github(self) -> bool:
        """Tell whether GitHub Actions runs this, or it is forced."""
        is_there = os.environ.get("GITHUB_ACTIONS") == "true"
        return self.settings.github == "on" or (self.settings.github == "auto" and is_there)
