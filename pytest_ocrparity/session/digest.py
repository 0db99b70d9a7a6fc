"""The failures of a run as a person reads them: each cause's message once, then a block per cause with its images.

The reports of other plugins keep every message: only what pytest's terminal prints is shortened, and not with -v.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pytest_ocrparity.diagnosis import UNKNOWN
from pytest_ocrparity.wording import listed, number_of_images

if TYPE_CHECKING:
    from pytest_ocrparity.report.views import Cause

OWN_SECTION: Final = "ocrparity pictures"
_RAISED: Final = "pytest_ocrparity.DifferenceError: "
_IMAGES: Final = 3
"""How many images a block names."""


def label(cause: Cause) -> str:
    """Return what is wrong in a word or two: the code of a known cause, else the stage that differs."""
    found = cause.diagnosis
    if found.cause == UNKNOWN:
        return f"unknown cause at {found.stage}"
    return found.cause if "." in found.cause else f"{found.cause} at {found.stage}"


@dataclass(frozen=True, slots=True)
class Crash:
    """Where a test failed, as pytest has it; `--tb=line` prints it."""

    path: str
    lineno: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.lineno}: {self.message}"


class Shortened:
    """A failure of an assertion as pytest's terminal prints it, in the place of `report.longrepr`."""

    def __init__(self, longrepr: Any, labels: str, first: str = "") -> None:
        """Print `longrepr`, or where a test `first` has printed the same cause, one line."""
        self.longrepr, self.labels, self.first = longrepr, labels, first
        self.reprcrash = Crash(longrepr.reprcrash.path, longrepr.reprcrash.lineno, labels)

    def toterminal(self, out: Any) -> None:
        """Print it."""
        if self.first:
            out.line(f"{self.labels}, as in {self.first} above")
        else:
            self.longrepr.toterminal(out)

    def __str__(self) -> str:
        return str(self.longrepr)


class Digest:
    """The causes of a run, and which of its reports show them.

    Attributes:
        causes: as `report.views` groups them.
    """

    def __init__(self, causes: Sequence[Cause]) -> None:
        """Know the causes by the tests that show them and the first lines of their messages."""
        self.causes = causes
        self._by_line: dict[tuple[str, str], list[Cause]] = {}
        for cause in causes:
            for each in cause.comparisons:
                if each.message:
                    line = each.message.partition("\n")[0]
                    self._by_line.setdefault((each.test, _RAISED + line), []).append(cause)
        self._failed: list[Any] = []
        self._folded: set[int] = set()

    def of(self, report: Any) -> list[Cause]:
        """Return the causes that a failed report names; none where it failed for another reason."""
        crash = getattr(report.longrepr, "reprcrash", None)
        return self._by_line.get((report.nodeid, getattr(crash, "message", "").partition("\n")[0]), [])

    @contextmanager
    def shortening(self, reporter: Any, *, is_folding: bool) -> Iterator[None]:
        """Let the terminal's failures be short: above, one message of a cause only; in its summary each in a word.

        `unfold` is called between the two.
        """
        self._failed = list(reporter.stats.get("failed", []))
        longreprs = [report.longrepr for report in self._failed]
        shown: dict[int, str] = {}
        for report in self._failed:
            if not (causes := self.of(report)):
                continue
            labels = _in_a_word(report, causes)
            new = [id(cause) for cause in causes if id(cause) not in shown]
            shown.update(dict.fromkeys(new, report.nodeid))
            is_repeated = is_folding and not new
            report.longrepr = Shortened(report.longrepr, labels, shown[id(causes[0])] if is_repeated else "")
            if is_repeated and all(name == OWN_SECTION for name, _ in report.sections):
                self._folded.add(id(report))  # one that printed something is kept, with what it printed
        if self._folded:
            reporter.stats["failed"] = [report for report in self._failed if id(report) not in self._folded]
        try:
            yield
        finally:
            for report, longrepr in zip(self._failed, longreprs, strict=True):
                report.longrepr = longrepr
            self.unfold(reporter)

    def unfold(self, reporter: Any) -> None:
        """Give the terminal back what was left out above: its short summary lists every failure."""
        if self._folded:
            reporter.stats["failed"] = self._failed

    def lines(self) -> list[str]:
        """Return a block per cause, where more than one comparison fails: of a single one the message is just above."""
        if sum(len(cause.comparisons) for cause in self.causes) < 2:
            return []
        lines = [line for cause in self.causes for line in _cause_block(cause)]
        if self._folded:
            lines.append("the message of each cause is printed once, above; -v prints that of every image")
        return lines


def _in_a_word(report: Any, causes: Sequence[Cause]) -> str:
    """Return what a failure is about: the codes of its causes where all are known, else what differs first."""
    if any(cause.diagnosis.cause == UNKNOWN for cause in causes):
        headline = str(report.longrepr.reprcrash.message).removeprefix(_RAISED).partition("\n")[0]
        return f"unknown cause, {headline.removeprefix(f'{causes[0].comparisons[0].image}: ')}"
    return ", ".join(dict.fromkeys(map(label, causes)))


def _cause_block(cause: Cause) -> list[str]:
    images, found = cause.images, cause.diagnosis
    lines = [
        f"{label(cause)}: {number_of_images(len(images))} of {cause.candidate} against {cause.reference}",
        f"  {found.stage}: {found.summary}",
    ]
    lines += [f"  fix: {found.fix.text}"] if found.fix else []
    return [*lines, f"  {listed(images, _IMAGES)}"]
