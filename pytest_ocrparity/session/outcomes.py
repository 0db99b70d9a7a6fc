"""How each test ended, and why it compared nothing where it did not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

PHASES: Final = frozenset(("setup", "call", "teardown"))
RED: Final = ("failed", "error", "crashed")
"""How a test ends by which alone its run fails."""
DID_NOT_RUN: Final = "did not run"
"""What is said of a test whose end nobody heard of."""
NOT_REACHED: Final = "not reached"
"""What a test, or an image, is called where the run stopped before its end."""
_WORST_FIRST: Final = ("crashed", "error", "failed", NOT_REACHED, "passed", "skipped")


@dataclass(slots=True)
class Outcome:
    """How one test ended: "passed", "failed", "error", "skipped", "crashed" or NOT_REACHED; why; and where."""

    outcome: str
    reason: str
    file: str
    line: int | None
    flaw: str = ""
    """Why it did not pass from its setup to its teardown, for a sentence; empty where it did."""
    phases: dict[str, str] = field(default_factory=dict)
    """What pytest calls the outcome of each phase."""

    @property
    def has_failed(self) -> bool:
        """Tell whether its test fails by it, whatever is heard of it later: not where a plugin makes another one."""
        return self.outcome in RED and "rerun" not in self.phases.values()

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
    """The tests of a run by node id: of several attempts the last, of a test that ran more than once the worst.

    Of a test that passes from setup to teardown, as most of every suite do, only its place is kept.
    """

    ended: int = 0
    """How many tests have ended; one that is collected twice ends twice."""
    has_crashed: bool = False
    """Whether a worker died."""
    _begun: dict[tuple[str, str], Any] = field(default_factory=dict)
    """The places of tests of which nothing but passed phases was heard so far, by worker and node id."""
    _called: set[tuple[str, str]] = field(default_factory=set)
    """Those of them whose call was heard."""
    _passed: dict[str, Any] = field(default_factory=dict)
    """The places of tests that passed so."""
    _attempts: dict[tuple[str, str], Outcome] = field(default_factory=dict)
    """All others that have not ended."""
    _heard: dict[str, Outcome] = field(default_factory=dict)
    """What was heard of all others."""
    _ended: dict[str, Outcome] = field(default_factory=dict)

    def get(self, test: str) -> Outcome | None:
        """Return what was heard of a test, None where it did not begin.

        Under `--dist=each -x` the end of an attempt that fails may not be heard, when another worker's passed: the
        worst counts.
        """
        found = self._heard.get(test)
        if found is None:
            place = self._passed.get(test)
            found = self._begun_outcome(test) if place is None else _outcome(place)
        failing = [each for (_, name), each in self._attempts.items() if name == test and each.has_failed]
        return _worst(*failing, *(() if found is None else (found,))) if failing else found

    def _begun_outcome(self, test: str) -> Outcome | None:
        """Return what is known of a test of which nothing but passed phases was heard, and not its end."""
        found = {key: place for key, place in self._begun.items() if key[1] == test}
        if not found:
            return None
        outcome = _outcome(next(iter(found.values())))
        if self._called.isdisjoint(found):
            outcome.outcome, outcome.reason = NOT_REACHED, "the run stopped in the middle of this test"
        return outcome

    def items(self) -> Iterator[tuple[str, Outcome]]:
        """Yield each test of which something was heard, with what it was."""
        for test in dict.fromkeys((*self._passed, *(name for _, name in self._begun), *self._heard)):
            outcome = self.get(test)
            assert outcome is not None
            yield test, outcome

    def count(self, name: str) -> int:
        """Return how many tests had this outcome."""
        return sum(outcome.outcome == name for _, outcome in self.items())

    def missing_reports(self, collected: int) -> list[str]:
        """Return what to say where not all tests of a whole run were heard of, which xdist may not tell itself.

        Its INTERNALERROR for a report that does not travel, such as one with half a surrogate pair, leaves exit 0.
        """
        lost = collected - self.ended
        if lost <= 0:
            return []
        return [f"{lost} of {collected} tests did not report a result (xdist worker output lost)"]

    def hear(self, report: Any) -> str | None:
        """Take a report of pytest's, or of xdist's where a worker died in the middle of a test.

        Returns the flaw of the test's attempt where it has ended with this report: not where a plugin makes another.
        """
        test, when, values = report.nodeid, report.when, vars(report)
        worker = values.get("worker_id") or ("node" in values and _node_id(values["node"])) or ""
        key = worker, test
        if values["outcome"] == "passed" and "wasxfail" not in values:  # this runs for every report of every suite
            if when == "setup":
                self._begun[key] = report.location
                self._attempts.pop(key, None)
                return None
            if key in self._begun:
                if when == "call":
                    self._called.add(key)
                    return None
                if when == "teardown" and key in self._called and test not in self._ended:
                    self._called.remove(key)
                    self._passed[test] = self._begun.pop(key)
                    self._heard.pop(test, None)  # of an attempt before
                    self.ended += 1
                    return ""
        return self._hear_other(report, key)

    def _hear_other(self, report: Any, key: tuple[str, str]) -> str | None:
        """Take a report of a test that does not pass from its setup to its teardown, or runs more than once."""
        test, when = report.nodeid, report.when
        attempt = self._attempts.get(key)
        if attempt is None or when == "setup":
            attempt = self._attempts[key] = _outcome(report.location)
            if when != "setup" and key not in self._begun:
                attempt.flaw = DID_NOT_RUN
            if key in self._begun:
                attempt.phases["setup"] = "passed"
            if key in self._called:
                attempt.phases["call"] = "passed"
            self._begun.pop(key, None)
            self._called.discard(key)
            if test not in self._ended and test not in self._passed:
                self._heard[test] = attempt
        attempt.phases[when] = report.outcome
        if report.outcome != "passed" or hasattr(report, "wasxfail") or when not in PHASES:
            self._note_phase(attempt, report)
        elif when == "call" and attempt.outcome == "skipped":  # a subtest was; its test, which reports last, was not
            attempt.outcome, attempt.reason = "passed", ""
        if when in ("setup", "call") or not attempt.is_whole:
            return None
        self.ended += 1
        del self._attempts[key]
        passed = self._passed.pop(test, None)
        before = self._ended.get(test) if passed is None else _outcome(passed)
        self._ended[test] = self._heard[test] = attempt if before is None else _worst(before, attempt)
        return attempt.flaw

    def _note_phase(self, outcome: Outcome, report: Any) -> None:
        """Note a phase that did not pass, or that ended in another way."""
        if report.when not in PHASES:
            outcome.outcome, outcome.reason = "crashed", _pytest_reason(report)
            self.has_crashed = True
        elif report.failed and not hasattr(report, "wasxfail"):  # which pytest does not count as failed
            outcome.outcome, outcome.reason = "failed" if report.when == "call" else "error", _pytest_reason(report)
        elif report.skipped and outcome.outcome == "passed":
            outcome.outcome, outcome.reason = "skipped", _pytest_reason(report)
        outcome.flaw = _phase_flaw(report)


def _worst(*outcomes: Outcome) -> Outcome:
    return min(outcomes, key=lambda each: _WORST_FIRST.index(each.outcome))


def _outcome(place: Any) -> Outcome:
    """Return what is known of a test of which nothing but passed phases was heard, from pytest's `location`."""
    file, line, _ = place
    return Outcome("passed", "", file, None if line is None else line + 1)


def _phase_flaw(report: Any) -> str:
    """Return what happened to a test in a phase that it did not pass."""
    if hasattr(report, "wasxfail"):
        return "is marked or called xfail"
    return "was skipped" if report.outcome == "skipped" else "failed"


def _node_id(node: Any) -> str:
    """Return the name of the worker that died: of a crash the controller makes the report, and names its node."""
    return str(getattr(getattr(node, "gateway", None), "id", ""))


def _pytest_reason(report: Any) -> str:
    """Return the first line of what pytest says."""
    longrepr = report.longrepr
    if isinstance(longrepr, tuple):  # a skip: path, line, reason
        return str(longrepr[2])
    crash = getattr(longrepr, "reprcrash", None)
    text = str(crash.message if crash is not None else longrepr or "")
    return next((line for line in text.splitlines() if line.strip()), "")
