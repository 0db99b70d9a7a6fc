"""How each test ended, and why it compared nothing where it did not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

PHASES: Final = frozenset(("setup", "call", "teardown"))
RED: Final = ("failed", "error", "crashed")
"""How a test ends by which alone its run fails."""
DID_NOT_RUN: Final = "did not run"
"""What is said of a test whose end nobody heard of."""
_WORST_FIRST: Final = ("crashed", "error", "failed", "passed", "skipped")


@dataclass(slots=True)
class Outcome:
    """How one test ended: "passed", "failed", "error", "skipped" or "crashed"; why; and where it stands."""

    outcome: str
    reason: str
    file: str
    line: int | None
    flaw: str = ""
    """Why it did not pass from its setup to its teardown, for a sentence; empty where it did."""
    phases: dict[str, str] = field(default_factory=dict)
    """What pytest calls the outcome of each phase."""

    @property
    def is_whole(self) -> bool:
        """Tell whether this was the last attempt of its test: a plugin may report one that is made again in part."""
        if "rerun" in self.phases.values():
            return False
        if not self.phases.keys() <= PHASES:  # its worker died
            return True
        return "teardown" in self.phases and ("call" in self.phases or self.phases.get("setup") != "passed")


@dataclass(slots=True)
class Outcomes:
    """The tests of a run by node id: of several attempts the last, of a test that ran more than once the worst."""

    by_test: dict[str, Outcome] = field(default_factory=dict)
    ended: int = 0
    """How many tests have ended; one that is collected twice ends twice."""
    has_crashed: bool = False
    """Whether a worker died."""
    _attempts: dict[tuple[str, str], Outcome] = field(default_factory=dict)
    """Those that have not ended, by worker and node id."""
    _ended: dict[str, Outcome] = field(default_factory=dict)

    def missing_reports(self, collected: int) -> list[str]:
        """Return what to say where not all tests of a whole run were heard of, which xdist may not tell itself.

        Its INTERNALERROR for a report that does not travel, such as one with half a surrogate pair, leaves exit 0.
        """
        lost = collected - self.ended
        if lost <= 0:
            return []
        return [f"{lost} of {collected} tests did not report a result (xdist worker output lost)"]

    def hear(self, report: Any) -> Outcome | None:
        """Take a report of pytest's, or of xdist's where a worker died in the middle of a test.

        Returns the test's attempt where it has ended with it: not where a plugin makes another.
        """
        test, when, values = report.nodeid, report.when, vars(report)
        key = _worker(values), test
        attempt = self._attempts.get(key)
        if attempt is None or when == "setup":
            file, line, _ = report.location
            flaw = "" if when == "setup" else DID_NOT_RUN
            attempt = self._attempts[key] = Outcome("passed", "", file, None if line is None else line + 1, flaw)
            if test not in self._ended:
                self.by_test[test] = attempt
        attempt.phases[when] = report.outcome
        if report.outcome != "passed" or "wasxfail" in values or when not in PHASES:
            self._note(attempt, report)
        if when in ("setup", "call") or not attempt.is_whole:  # this runs for every report of every suite
            return None
        self.ended += 1
        del self._attempts[key]
        before = self._ended.setdefault(test, attempt)
        if before is not attempt:
            attempts = sorted((before, attempt), key=lambda each: _WORST_FIRST.index(each.outcome))
            self._ended[test] = self.by_test[test] = attempts[0]
        return attempt

    def _note(self, outcome: Outcome, report: Any) -> None:
        """Note a phase that did not pass, or that ended in another way."""
        if report.when not in PHASES:
            outcome.outcome, outcome.reason = "crashed", _reason(report)
            self.has_crashed = True
        elif report.failed and not hasattr(report, "wasxfail"):  # which pytest does not count as failed
            outcome.outcome, outcome.reason = "failed" if report.when == "call" else "error", _reason(report)
        elif report.skipped and outcome.outcome == "passed":
            outcome.outcome, outcome.reason = "skipped", _reason(report)
        outcome.flaw = _flaw(report)


def _flaw(report: Any) -> str:
    """Return what happened to a test in a phase that it did not pass."""
    if hasattr(report, "wasxfail"):
        return "is marked or called xfail"
    return "was skipped" if report.outcome == "skipped" else "failed"


def _worker(values: Mapping[str, Any]) -> str:
    """Return which worker sent a report of these attributes; of a crash the controller does, and names its node."""
    worker: str = values.get("worker_id") or ""
    return worker or ("node" in values and str(getattr(getattr(values["node"], "gateway", None), "id", ""))) or ""


def _reason(report: Any) -> str:
    """Return the first line of what pytest says."""
    longrepr = report.longrepr
    if isinstance(longrepr, tuple):  # a skip: path, line, reason
        return str(longrepr[2])
    crash = getattr(longrepr, "reprcrash", None)
    text = str(crash.message if crash is not None else longrepr or "")
    return next((line for line in text.splitlines() if line.strip()), "")
