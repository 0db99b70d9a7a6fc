"""What became of each test, counted by the reports of their ends."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pytest_ocrparity.session.outcomes import Outcomes


def test_tests_that_are_not_heard_to_end_are_counted() -> None:
    outcomes = Outcomes()
    for test, phases in (("a", ("setup", "call", "teardown")), ("b", ("setup",)), ("c", ("???",))):
        for when in phases:
            outcomes.hear(pytest.TestReport(test, ("t.py", 1, test), {}, "passed", None, when))  # type: ignore[arg-type]
    assert outcomes.missing_reports(2) == []
    (told,) = outcomes.missing_reports(3)
    assert told.startswith("1 of 3 tests did not report a result")


def heard(*reports: tuple[str, str, str]) -> Outcomes:
    """Return what these reports of one test say: worker, phase, outcome."""
    outcomes = Outcomes()
    for worker, when, outcome in reports:
        flags = {"failed": outcome == "failed", "skipped": outcome == "skipped", "longrepr": outcome}
        place: dict[str, Any] = {"nodeid": "test", "location": ("test.py", 1, "test"), "worker_id": worker}
        outcomes.hear(SimpleNamespace(when=when, outcome=outcome, **flags, **place))
    return outcomes


def whole(worker: str, call: str = "passed") -> tuple[tuple[str, str, str], ...]:
    return (worker, "setup", "passed"), (worker, "call", call), (worker, "teardown", "passed")


@pytest.mark.parametrize(
    ("reports", "ended", "outcome"),
    [
        (whole("a"), 1, "passed"),
        (whole("a")[:2], 0, "passed"),
        ((("a", "setup", "skipped"), ("a", "teardown", "passed")), 1, "skipped"),
        ((*whole("a"), *whole("b")), 2, "passed"),
        ((*whole("a"), ("b", "setup", "skipped"), ("b", "teardown", "passed")), 2, "passed"),
        ((("a", "setup", "skipped"), ("a", "teardown", "passed"), *whole("b")), 2, "passed"),
        ((*whole("a", "failed"), *whole("b")), 2, "failed"),
        ((*whole("a"), *whole("b", "failed")), 2, "failed"),
        ((whole("a")[0], whole("b")[0], *whole("a", "failed")[1:], *whole("b")[1:]), 2, "failed"),
        ((*whole("a", "rerun")[:2], *whole("a")), 1, "passed"),  # pytest-rerunfailures, newer and older
        ((*whole("a", "rerun"), *whole("a")), 1, "passed"),
        ((*whole("a")[:2], ("a", "teardown", "rerun"), *whole("a")), 1, "passed"),
        ((*whole("a")[::2], *whole("a")), 1, "passed"),  # flaky, which keeps the calls to itself that it repeats
        ((*whole("b", "failed")[:2], *whole("a")), 1, "failed"),  # --dist=each -x: the end of b's is not heard
        ((*whole("a"), *whole("b", "failed")[:2]), 1, "failed"),
        ((*whole("b", "failed")[:2], *whole("a"), whole("b")[2]), 2, "failed"),
        ((("b", "setup", "failed"), *whole("a")), 1, "error"),
        ((("b", "setup", "skipped"), *whole("a")), 1, "passed"),
        ((*whole("a", "failed")[:2], *whole("a")), 1, "passed"),  # of one worker another attempt
        ((whole("a")[0], ("a", "???", "failed")), 1, "crashed"),
        ((whole("a")[0], ("a", "???", "rerun"), *whole("b")), 1, "passed"),
        ((whole("a")[0], ("a", "call", "skipped"), *whole("a")[1:]), 1, "passed"),  # a subtest, then its test
        ((*whole("a")[:2], *whole("a", "skipped")[1:]), 1, "skipped"),
        ((whole("a")[0], ("a", "call", "failed"), *whole("a")[1:]), 1, "failed"),
    ],
)
def test_tests_are_counted_by_the_reports_of_their_ends(
    reports: tuple[tuple[str, str, str], ...], ended: int, outcome: str
) -> None:
    outcomes = heard(*reports)
    assert outcomes.ended == ended
    found = outcomes.get("test")
    assert found is not None
    assert found.outcome == outcome
    assert [name for name, _ in outcomes.items()] == ["test"]
    assert outcomes.count(outcome) == 1
    assert outcomes.missing_reports(ended) == []
    assert outcomes.missing_reports(ended + 1)[0].startswith(f"1 of {ended + 1} tests")
