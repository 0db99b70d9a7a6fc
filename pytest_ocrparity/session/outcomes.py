"""How each test ended, and why it compared nothing where it did not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

PHASES: Final = ("setup", "call", "teardown")
RED: Final = ("failed", "error", "crashed")
"""How a test ends by which alone its run fails."""
_WORST_FIRST: Final = ("crashed", "error", "failed", "passed", "skipped")


@dataclass(slots=True)
class Outcome:
    """How one test ended: "passed", "failed", "error", "skipped" or "crashed"; why; and where it stands."""

    outcome: str
    reason: str
    file: str
    line: int | None
    phases: dict[str, str] = field(default_factory=dict)
    """What pytest calls the outcome of each phase."""

    @property
    def is_whole(self) -> bool:
        """Tell whether this was the last attempt of its test: a plugin may report one that is made again in part."""
        if "rerun" in self.phases.values():
            return False
        if not self.phases.keys() <= set(PHASES):  # its worker died
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

    def hear(self, report: Any) -> bool:
        """Take a report of pytest's, or of xdist's where a worker died in the middle of a test.

        Returns whether a test has ended with it: not where a plugin makes another attempt.
        """
        test, key = report.nodeid, (_worker(report), report.nodeid)
        attempt = self._attempts.get(key)
        if attempt is None or report.when == "setup":
            file, line, _ = report.location
            attempt = self._attempts[key] = Outcome("passed", "", file, None if line is None else line + 1)
        self._note(attempt, report)
        before = self._ended.get(test)
        worst = min((before or attempt, attempt), key=lambda each: _WORST_FIRST.index(each.outcome))
        self.by_test[test] = worst
        if attempt.is_whole:
            self.ended += 1
            self._ended[test] = worst
            del self._attempts[key]
        return attempt.is_whole

    def _note(self, outcome: Outcome, report: Any) -> None:
        outcome.phases[report.when] = report.outcome
        if report.when not in PHASES:
            outcome.outcome, outcome.reason = "crashed", _reason(report)
            self.has_crashed = True
        elif report.failed:
            outcome.outcome, outcome.reason = "failed" if report.when == "call" else "error", _reason(report)
        elif report.skipped and outcome.outcome == "passed":
            outcome.outcome, outcome.reason = "skipped", _reason(report)


def _worker(report: Any) -> str:
    """Return which worker ran a test; a crash is reported by the controller, which names its node."""
    gateway = getattr(getattr(report, "node", None), "gateway", None)
    return str(getattr(report, "worker_id", "") or getattr(gateway, "id", ""))


def _reason(report: Any) -> str:
    """Return the first line of what pytest says."""
    longrepr = report.longrepr
    if isinstance(longrepr, tuple):  # a skip: path, line, reason
        return str(longrepr[2])
    crash = getattr(longrepr, "reprcrash", None)
    text = str(crash.message if crash is not None else longrepr or "")
    return next((line for line in text.splitlines() if line.strip()), "")
