"""`python -m pytest_ocrparity judge results.json --tolerance ...`: judge recorded measures under other limits."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from pytest_ocrparity.compare.run_verdict import verdict_on_accuracy, verdict_on_batches, verdict_on_run
from pytest_ocrparity.comparison import MATCHES, UNDECIDED
from pytest_ocrparity.errors import ReportError
from pytest_ocrparity.rejudge import limits_to_rejudge_by, rejudge_comparisons
from pytest_ocrparity.report.accuracy_lines import accuracy_lines
from pytest_ocrparity.report.accuracy_record import AccuracyRecord, rejudge_accuracy
from pytest_ocrparity.report.document import Compared, RecordedComparison, Results, read_report_document
from pytest_ocrparity.report.table import Tally
from pytest_ocrparity.stages import PAGE
from pytest_ocrparity.tolerance import parse_tolerance

DESCRIPTION = """Judge the results of a run again under other limits, without running a model. Limits that are not given
stay what they were. What the recorded measures cannot tell is "undecided". Exits 0 if all pass, 1 if anything differs,
is undecided or was not compared, 2 for a wrong command or file."""

_INCONSISTENT = (KeyError, IndexError, TypeError, ValueError, ArithmeticError)
"""Raised for a document that keeps the schema and is inconsistent, such as boxes without the limits that they broke."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("results", type=Path, help="the results.json of a report")
    parser.add_argument(
        "--tolerance",
        action="append",
        default=[],
        metavar="PRESET|STAGE.LIMIT=VALUE",
        help="exact, fp32, fp16, int8, or one limit; repeatable",
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="a line per image")


def run(given: argparse.Namespace) -> tuple[list[str], int]:
    """Return the table of a results.json as judged, and the exit status."""
    wanted = limits_to_rejudge_by([parse_tolerance(word) for word in given.tolerance])
    results = read_report_document(given.results)
    try:
        # Also those that a failure kept from being asserted: under other limits their test would get to them.
        compared = _without_parts_of_pages(rejudge_comparisons(results.comparisons, wanted))
        accuracy = rejudge_accuracy(results.accuracy, wanted)
        table, faults = _judged_table(compared, accuracy, results, is_verbose=given.verbose)
    except _INCONSISTENT as error:
        raise ReportError(f"{given.results} is inconsistent: {type(error).__name__}: {error}") from error
    return [*table, *(f"FAILED {fault}" for fault in faults), "failed" if faults else "passed"], 1 if faults else 0


def _without_parts_of_pages(compared: Sequence[RecordedComparison]) -> list[RecordedComparison]:
    """Leave out what a failed page shows of its detectors, which judges it and is asserted by no test."""
    pages = {each.key[:3] for each in compared if each.kind == PAGE}
    return [each for each in compared if each.judged or each.key[:3] not in pages]


def _judged_table(
    compared: Sequence[RecordedComparison], accuracy: Sequence[AccuracyRecord], results: Results, *, is_verbose: bool
) -> tuple[list[str], list[str]]:
    """Return the lines of the table, and why the run fails."""
    tally = Tally({"": [*(Compared(comparison=each) for each in compared), *results.batches]})
    faults = [] if compared or accuracy else ["nothing was compared"]
    faults += ["the run stopped before its last test"] if results.run.interrupted else []
    faults += ["the run was partial: it left out what passed before"] if results.run.partial else []
    found = verdict_on_run(tally, allow_empty=results.settings.allow_empty, is_recording=False)
    found += [*verdict_on_accuracy(accuracy), *verdict_on_batches(results.batches)]  # these stay as the run judged them
    faults += [fault.text for fault in found]
    faults += results.label_faults
    missed = [each for each in results.not_compared if each.outcome != "skipped"]
    faults += [f"not compared: {each.image or each.test}: {each.reason or each.outcome}" for each in missed]
    for each in compared:
        if each.status not in MATCHES:
            faults.append(f"{each.status}: {each.image}: {each.kind.replace('_', ' ')} of {each.candidate}")
    if any(each.status == UNDECIDED for each in compared):
        faults.append("undecided is what these measures cannot tell: run pytest with this --ocr-tolerance")
    return [*tally.table(per_image=is_verbose), *accuracy_lines(accuracy)], faults
