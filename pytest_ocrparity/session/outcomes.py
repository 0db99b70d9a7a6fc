"""How each test ended, and why it compared nothing where it did not."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

PHASES = ("setup", "call", "teardown")


@dataclass(slots=True)
class Outcome:
    """How one test ended: "passed", "failed", "error", "skipped" or "crashed"; why; and where it stands."""

    outcome: str
    reason: str
    file: str
    line: int | None


@dataclass(slots=True)
class Outcomes:
    """The tests of a run by node id; of several attempts, the last."""

    by_test: dict[str, Outcome] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    """Those whose last report has come."""

    @property
    def has_crashed(self) -> bool:
        """Tell whether a worker died."""
        return any(outcome.outcome == "crashed" for outcome in self.by_test.values())

    def lost(self, collected: int) -> list[str]:
        """Return what to say where not all tests of a whole run were heard of, which xdist may not tell itself.

        Its INTERNALERROR for a report that does not travel, such as one with half a surrogate pair, leaves exit 0.
        """
        lost = collected - len(self.ended)
        return [f"{lost} of {collected} tests were not heard to end: their worker's reports were lost"] if lost else []

    def hear(self, report: Any) -> None:
        """Take a report of pytest's, or of xdist's where a worker died in the middle of a test."""
        outcome = self.by_test.get(report.nodeid)
        if outcome is None or report.when == "setup":
            file, line, _ = report.location
            outcome = self.by_test[report.nodeid] = Outcome("passed", "", file, None if line is None else line + 1)
        if report.when not in PHASES[:2]:
            self.ended.add(report.nodeid)
        if report.when not in PHASES:
            outcome.outcome, outcome.reason = "crashed", _reason(report)
        elif report.failed:
            outcome.outcome, outcome.reason = "failed" if report.when == "call" else "error", _reason(report)
        elif report.skipped and outcome.outcome == "passed":
            outcome.outcome, outcome.reason = "skipped", _reason(report)


def _reason(report: Any) -> str:
    """Return the first line of what pytest says."""
    longrepr = report.longrepr
    if isinstance(longrepr, tuple):  # a skip: path, line, reason
        return str(longrepr[2])
    crash = getattr(longrepr, "reprcrash", None)
    text = str(crash.message if crash is not None else longrepr or "")
    return next((line for line in text.splitlines() if line.strip()), "")


def image_of(test: str, images: Collection[str]) -> str | None:
    """Return the image that a test's id names, of which one may be a part of another: the longest; or None."""
    parameters = test.partition("[")[2]
    # pytest writes what is not ASCII as escapes into test ids.
    escaped = {name.encode("unicode_escape").decode("ascii"): name for name in images}
    found = [text for text in escaped if text in parameters]
    return escaped[max(found, key=len)] if found else None
