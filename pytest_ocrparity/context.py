"""What an assertion knows of the run around it. A module of its own, as every pytest run loads it.

A context variable would not do: a thread starts without its values, so that what a test asserts in one would be judged
by the built-in limits, and nobody would hear of it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from pytest_ocrparity.tolerance import BUILT_IN, Tolerance

if TYPE_CHECKING:
    from pytest_ocrparity.comparison import Comparison, DifferenceError
    from pytest_ocrparity.diagnosis import Diagnosis
    from pytest_ocrparity.evaluate.counts import ImageCounts
    from pytest_ocrparity.evaluate.verdict import Accuracy
    from pytest_ocrparity.trace import Trace


class Diagnoser(Protocol):
    """Finds the causes of failed comparisons, see `diagnose.cache`."""

    def diagnose(self, comparisons: Any) -> tuple[Diagnosis, ...]:
        """Return the causes for which a `compare.Comparisons` fails."""
        ...

    def diagnose_page(self, made: Any) -> tuple[Diagnosis, ...]:
        """Return the causes for which a `compare.whole_page.PageComparisons` fails."""
        ...


class Listener(Protocol):
    """Receives what assertions find. The plugin sets one around each test; elsewhere there is none."""

    @property
    def diagnoser(self) -> Diagnoser:
        """The run's, which knows what it has diagnosed so far; made on first use."""
        ...

    def on_comparison(self, judged: Comparison, reference: Trace, candidate: Trace, tolerance: Tolerance) -> None:
        """Take a comparison that an assertion judged by a tolerance, before anything else is done about it."""
        ...

    def on_failure(
        self,
        judged: Comparison,
        comparisons: Sequence[Comparison],
        diagnoses: Sequence[Diagnosis],
        message: str,
        sides: tuple[Trace, Trace],
    ) -> None:
        """Take what became of one that failed: all comparisons of its image, the diagnoses, and the whole message."""
        ...

    def on_accuracy(
        self, judged: Accuracy, images: Sequence[ImageCounts], sides: tuple[str, str], left_out: Mapping[str, int]
    ) -> None:
        """Take an accuracy that an assertion judged, with its counts and how many images and labels have none."""
        ...

    def on_error(self, error: DifferenceError) -> None:
        """Take what an assertion is raising, which the test may catch."""
        ...


@dataclass(frozen=True)
class Context:
    """What holds for the test that this process is running, in every thread of it.

    Attributes:
        tolerance: returns the test's, with markers that its fixtures added.
        listener: who learns what its assertions find; None outside of tests, where each failure is diagnosed by itself.
        rerun: tells the command that runs the test again, given the name of its image; empty where there is none.
    """

    tolerance: Callable[[], Tolerance] = lambda: BUILT_IN
    listener: Listener | None = None
    rerun: Callable[[str], str] = lambda image: ""


_current = Context()


def current_context() -> Context:
    """Return what holds here and now."""
    return _current


def context_test_id() -> str:
    """Return the id of the test that pytest runs, to which xdist adds "@group"; nothing outside of a test.

    The name of an image may hold "]@" too, and is followed by a bracket.
    """
    return re.sub(r"(?<=\])@[^\]]*$", "", os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" (")[0])


@contextmanager
def running(context: Context) -> Iterator[None]:
    """Let a context hold, and put back what held before: runs can nest."""
    global _current
    before, _current = _current, context
    try:
        yield
    finally:
        _current = before
