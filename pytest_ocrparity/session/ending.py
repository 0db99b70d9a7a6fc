"""The end of a run: what only the whole of it can show, its report, and what its terminal prints. A plugin object."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ocrparity.errors import OcrParityError
from pytest_ocrparity.session.caught import caught_faults, caught_note
from pytest_ocrparity.session.fault_reports import report_faults
from pytest_ocrparity.session.fixtures import OWN_IMAGE
from pytest_ocrparity.session.worst import OUTPUT, Worst, worst_of

if TYPE_CHECKING:
    from pytest_ocrparity.compare.run_verdict import Fault
    from pytest_ocrparity.comparison import Comparison
    from pytest_ocrparity.report.accuracy_record import AccuracyRecord
    from pytest_ocrparity.report.document import Loads, Record
    from pytest_ocrparity.session.collecting import Comparisons
    from pytest_ocrparity.session.digest import Digest
    from pytest_ocrparity.session.run import Run
    from pytest_ocrparity.stages import TaskSides


class Ending:
    """What becomes of a run."""

    def __init__(self, run: Run) -> None:
        """End this run."""
        self.run = run
        self.faults: list[Fault] = []
        self.notes: list[str] = []
        self.accuracy: list[AccuracyRecord] = []
        """That of each candidate with labels."""
        self.label_faults: list[str] = []
        """Why they say nothing."""
        self._comparisons: Callable[[], Comparisons] = cache(self._compared)  # called, for the reason of `Run.tally`
        self.digest: Digest | None = None
        """Its failures, once it has ended."""
        self._has_ended = self._is_reported = False

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, Any, Any]:
        """Judge the run as a whole when its last test has ended; its faults are reports, which decide pytest's exit."""
        try:
            result = yield
        except session.Failed:  # -x or --maxfail
            self._judge_ended_run(session)
            raise
        self._judge_ended_run(session)
        return result

    def _judge_ended_run(self, session: pytest.Session) -> None:
        """Judge a run that came to its end, and report its faults as tests are reported."""
        self.run.worst += self._diagnosed_worst_images()
        self._find_run_faults(session)
        report_faults(session, self.faults)
        self._is_reported = True

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Hand a worker's worst images on. Judge a run that was interrupted, without diagnosing: it is to end."""
        if hasattr(self.run.config, "workeroutput") and self.run.worst:
            from pytest_ocrparity.report.document import pack_document_part

            self.run.config.workeroutput[OUTPUT] = pack_document_part(self.run.worst)
        if not self._has_ended:
            self._find_run_faults(session, is_interrupted=True)
            session.exitstatus = self._exit_status(session, is_interrupted=True)

    def _find_run_faults(self, session: pytest.Session, *, is_interrupted: bool = False) -> None:
        """Find the faults of the run, and publish its report. Does nothing in a worker."""
        self._has_ended = True
        run, settings = self.run, self.run.settings
        is_judged, has_records = run.is_judged(), bool(run.records)
        if not is_judged or not (settings.is_set or has_records):
            if settings.golden_prune:
                why = "there are no ocrparity settings" if is_judged else "no test ran from setup to teardown"
                self.notes = [f"nothing was pruned: {why}"]
            return
        passed_before = run.config.getoption("ocr_reached")
        is_cut_short = bool(is_interrupted or session.shouldfail or session.shouldstop)
        is_whole = not (is_cut_short or passed_before)
        if is_whole and not session.testsfailed and settings.is_set and run.config.pluginmanager.hasplugin("dsession"):
            # Also of a run without a record: it may be in the very report that was lost.
            missing = run.reporting.outcomes.missing_reports(run.expected)
            self.faults = [_run_fault("missing_reports", each) for each in missing]
        if has_records or settings.golden_mode or settings.golden_prune:
            self._add_up(session, is_whole=is_whole)
        elif passed_before:  # and what was left of them compares nothing
            from pytest_ocrparity.session.not_reached import partial_note

            self.notes = [partial_note(passed_before)]
        if not (session.shouldfail or session.shouldstop):
            self.faults += [_run_fault("candidate", each) for each in run.preflight.unsaid(run.reporting.outcomes)]
        status = self._exit_status(session, is_interrupted=is_interrupted)
        try:
            if run.reporting.publishes:
                from pytest_ocrparity.session.collecting import collect_results

                compared = self._comparisons()
                results = collect_results(
                    compared,
                    settings,
                    accuracy=self.accuracy,
                    label_faults=self.label_faults,
                    status=status,
                    is_cut_short=is_cut_short,
                    is_partial=bool(passed_before),
                    faults=[fault.text for fault in self.faults],
                    notes=self.notes,
                )
                self.notes += run.reporting.publish(results, compared.light)
        except OcrParityError as error:
            self.faults.append(_run_fault("report", error))
        if session.testsfailed and has_records:
            from pytest_ocrparity.report.views import errors_in_view
            from pytest_ocrparity.session.digest import Digest

            self.digest = Digest(errors_in_view(self._comparisons().light))

    def _exit_status(self, session: pytest.Session, *, is_interrupted: bool) -> int:
        """Return the status with which pytest is to end; pytest.exit(returncode=0) hides no fault."""
        failed, none = pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED
        if is_interrupted:
            return int(failed if self.faults and session.exitstatus in (0, none) else session.exitstatus)
        return int(failed if session.testsfailed or self.faults else 0 if session.testscollected else none)

    def _compared(self) -> Comparisons:
        """Return what the run compared, once it has ended."""
        from pytest_ocrparity.session.collecting import Comparisons

        return Comparisons(self.run.tally(), self.run.reporting.outcomes)

    def _diagnosed_worst_images(self) -> list[Worst]:
        """Return what is found on the worst images of this process, where its share of a run is over a limit."""

        def is_over(compared: Sequence[Comparison]) -> list[TaskSides]:
            from pytest_ocrparity.compare.run_verdict import verdict_on_run_limits

            return list(dict.fromkeys(fault.sides for fault in verdict_on_run_limits(compared) if fault.sides))

        return self.run.recorder.worst.diagnosed(is_over, lambda: self.run.recorder.diagnoser)

    def _add_up(self, session: pytest.Session, *, is_whole: bool) -> None:
        """Find what only a whole run can show."""
        from pytest_ocrparity.compare.characters import DICTIONARY
        from pytest_ocrparity.compare.run_verdict import NOTHING, WHERE_TESTS_PASSED, Fault, verdict_on_run
        from pytest_ocrparity.report.document import Loads, Used
        from pytest_ocrparity.session.batch_check import batch_check_result

        run = self.run
        settings, tally = run.settings, run.tally()
        worst = worst_of(run.worst)
        causes = {each.sides: f"; cause on {each.image}: {each.text}" for each in worst.values() if each.causes}
        is_recording = settings.golden_mode is not None
        found = verdict_on_run(tally, allow_empty=settings.allow_empty, is_recording=is_recording, causes=causes)
        passed_before = run.config.getoption("ocr_reached")
        if passed_before:  # dictionaries differ on each line, and fail no test
            found = [fault for fault in found if fault.name in (*NOTHING, DICTIONARY)]
        self.faults += found
        over = {fault.sides for fault in self.faults}
        consequences: list[str] = []
        if session.testsfailed and run.have_all_failed():  # what stopped them is said already, by each
            consequences = [
                fault.text.removesuffix(WHERE_TESTS_PASSED) for fault in self.faults if fault.name in NOTHING
            ]
            self.faults = [fault for fault in self.faults if fault.name not in NOTHING]
        batch_faults, batch_notes = batch_check_result(
            settings, tally, is_whole=is_whole, is_partial=bool(passed_before)
        )
        self.faults += batch_faults
        if passed_before:
            from pytest_ocrparity.session.not_reached import partial_note

            batch_notes.append(partial_note(passed_before))
        else:
            batch_notes += self._judge_accuracy(worst, is_whole=is_whole)
        self.faults += caught_faults(tally.light, run.reporting.outcomes)
        uses_images = any(record.fixture == OWN_IMAGE for record in tally.all(Used))
        idle = [line for part in settings.parts for line in part.idle_globs()] if uses_images else []
        taken: list[Record] = [*tally.all(Used), *tally.all(Loads)]
        left_out = self._not_judged(taken)
        if is_strict(run.config):
            self.faults += [Fault("images", each) for each in idle]
            self.faults += [Fault("not_judged", each) for each in left_out]
            idle, left_out = [], []
        try:
            if run.evidence.asked or settings.golden_prune:
                from pytest_ocrparity.session.pruning import report_unused

                faulty, lacking = bool(self.faults), run.labels.lacking(settings)
                self.notes = report_unused(
                    session, settings, run.goldens, run.evidence, lacking=lacking, is_faulty=faulty
                )
        except OcrParityError as error:
            self.faults.append(_run_fault("baselines", error))
        passed_over = run.project.passed_over if tally.all(Used) else ()
        warnings = [f"WARNING: {each}" for each in (*passed_over, *idle)]
        lines = [line for sides, each in worst.items() if sides in over for line in each.message.splitlines()]
        self.notes = [
            *self._loaded_folders(tally.all(Loads)),
            *left_out,
            *batch_notes,
            *lines,
            *consequences,
            *tally.loosened(),
            *caught_note(tally.light),
            *warnings,
            *self.notes,
        ]
        if session.testsfailed:
            from pytest_ocrparity.session.models import findings_about_models

            # Also where a model did not load, and so before any experiment.
            self.notes += [
                f"suspicious in the model's files: {finding}" for finding in findings_about_models(settings, taken)
            ]

    def _judge_accuracy(self, worst: Mapping[TaskSides, Worst], *, is_whole: bool) -> list[str]:
        """Judge what was counted against labels, and return what else is to be said of it."""
        from pytest_ocrparity.compare.run_verdict import Fault, verdict_on_accuracy
        from pytest_ocrparity.report.accuracy_lines import outside_boxes_text
        from pytest_ocrparity.session.accuracy import AccuracyOfRun, asserted_accuracy
        from pytest_ocrparity.session.metrics import accuracy_properties, add_metrics_to_junit

        run = self.run
        found = AccuracyOfRun.of(run.settings, run.tally(), run.labels, worst, is_whole=is_whole)
        # pytest calls one that is marked xfail, and fails, skipped.
        xfailed = {test for test, each in run.reporting.outcomes.items() if each.outcome == "skipped"}
        self.accuracy = [*found.records, *asserted_accuracy(run.tally(), xfailed)]
        self.faults += verdict_on_accuracy(found.records)  # what a test asserted fails that test
        self.label_faults = list(found.nothing)
        if is_strict(run.config):
            outside = dict.fromkeys(outside_boxes_text(each.light) for each in self.accuracy)
            self.label_faults += [each for each in outside if each]
        self.faults += [Fault("labels", each) for each in self.label_faults]
        add_metrics_to_junit(run.config, accuracy_properties(self.accuracy))
        return [f"WARNING: {each}" for each in found.notes]

    def _loaded_folders(self, loads: Sequence[Loads]) -> list[str]:
        """Return where the models of factories' objects lie, of which a relative path depends on where pytest runs."""
        candidates = self.run.settings.candidates
        found = dict.fromkeys((each.side, each.folder) for each in loads if each.folder)
        return [f"{side}: {candidates[side].values['factory']} loaded {folder}" for side, folder in found]

    def _not_judged(self, taken: Sequence[Record]) -> list[str]:
        """Return what of the deployments that tests used was left out, as its model is not on this machine."""
        if not any("api" in candidate.values for candidate in self.run.settings.candidates.values()):
            return []
        from pytest_ocrparity.session.models import parts_without_models

        return parts_without_models(self.run.settings, taken)

    @contextmanager
    def shortening(self, terminalreporter: Any) -> Iterator[None]:
        """Let pytest's terminal print one message per cause, and each failure in a word in its short summary."""
        if self.digest is None:
            yield
        else:
            with self.digest.shortening(terminalreporter, is_folding=self.run.config.get_verbosity() <= 0):
                yield

    @pytest.hookimpl(tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: Any, exitstatus: int) -> None:
        """Print the table, once, from the controller."""
        run, lines = self.run, []
        if exitstatus in (pytest.ExitCode.NO_TESTS_COLLECTED, pytest.ExitCode.USAGE_ERROR):
            lines = run.preflight.not_selected()
        if run.records:
            lines = run.tally().table(per_image=run.config.get_verbosity() > 0)
        if self.accuracy:
            from pytest_ocrparity.report.accuracy_lines import accuracy_lines

            lines += accuracy_lines(self.accuracy)
        if self.digest is not None:
            self.digest.unfold(terminalreporter)
            lines += self.digest.lines()
        lines += self.notes
        unreported = [] if self._is_reported else self.faults
        annotations = run.reporting.annotations if run.settings.is_set else []
        if not (lines or unreported or annotations):
            return
        terminalreporter.section("ocrparity", sep="-")
        for line in lines:
            terminalreporter.line(line)
        for fault in unreported:
            terminalreporter.line(f"FAILED {fault.text}", red=True, bold=True)
        for line in annotations:
            terminalreporter.line(line)


def _run_fault(name: str, error: OcrParityError | str) -> Fault:
    from pytest_ocrparity.compare.run_verdict import Fault

    return Fault(name, str(error))


def is_strict(config: pytest.Config) -> bool:
    """Tell whether what is doubtful in the configuration is an error, by --strict-config or as newer pytests say it."""
    if getattr(config.option, "strict_config", False):
        return True
    with suppress(ValueError, KeyError):  # before pytest 9 there is no such setting
        value = config.getini("strict_config")
        return bool(config.getini("strict") if value is None else value)
    return False


ENDING = pytest.StashKey[Ending]()
