"""Differences that a test found and kept to itself: such a test passes, although an assertion of ours failed in it.

A `DifferenceError` that leaves a test counts as pytest counts that test, `xfail` included. One that the test caught, by
`try`, `pytest.raises`, a thread or a forked process whose result nobody reads, fails the run, unless the test says that
it expects one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_ocrparity.session.forked import Forked
from pytest_ocrparity.session.outcomes import RED
from pytest_ocrparity.session.parametrized import is_marked

if TYPE_CHECKING:
    from pytest_ocrparity.compare.run_verdict import Fault
    from pytest_ocrparity.comparison import Comparison, DifferenceError
    from pytest_ocrparity.report.document import Caught, Record
    from pytest_ocrparity.session.outcomes import Outcomes


MARKER: Final = "ocr_expects_difference"
"""The marker of a test that expects an assertion of ocrparity to fail, and catches its error."""


def wrong_caught_marker(item: Any) -> str:
    """Return what is wrong with a test's marker, or nothing."""
    is_given = is_marked(item, MARKER) and any(mark.args or mark.kwargs for mark in item.iter_markers(MARKER))
    return f"{MARKER} takes no arguments: it is about the whole test" if is_given else ""


class Raised:
    """What our assertions raised in one attempt of a test, and what of it has left the test.

    It keeps no error alive: each holds the frames of its test, and with them arrays.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.is_recording = False
        """Whether something was recorded, which can't differ from itself."""
        self._open: dict[int, Comparison] = {}
        """By identity, those that fail and whose error is not raised yet: their causes are looked for."""
        self._said: dict[int, Comparison] = {}
        """Those of them whose test has ended, and of which it is said already."""
        self._heard: list[tuple[object, str]] = []  # only appended to, as a test may assert in threads
        self._left: set[int] = set()
        self._forked = Forked()

    def begin(self) -> None:
        """Begin an attempt of a test with nothing."""
        self._forked.begin()
        self.is_recording = False
        if self._heard or self._left:
            self._heard, self._left = [], set()

    def expect(self, judged: Comparison) -> None:
        """Take a comparison that fails, before its error is raised."""
        self._open[id(judged)] = judged

    def is_open(self, judged: Comparison) -> bool:
        """Tell whether the test that made a failing comparison still runs: a thread may outlive it."""
        return id(judged) in self._open

    def hear(self, error: DifferenceError) -> None:
        """Take an error that is being raised."""
        for each in error.comparisons:
            self._open.pop(id(each), None)
        if any(id(each) in self._said for each in error.comparisons):
            return
        error.heard_as, text = object(), str(error).partition("\n")[0]
        if self._forked.is_inside:
            self._forked.send(text)
        else:
            self._heard.append((error.heard_as, text))

    def leave(self, error: BaseException) -> None:
        """Take what ended a phase of the test, or a part of one: all that it was raised from, or holds, has left."""
        left = {id(token) for each in _with_causes(error) if (token := getattr(each, "heard_as", None)) is not None}
        self._left |= left
        if left - {id(token) for token, _ in self._heard}:  # not raised here: it came back from another process
            self._forked.begin()

    @contextmanager
    def hearing_expected_failures(self, item: Any) -> Iterator[None]:
        """Hear what leaves a `unittest.TestCase` marked `expectedFailure`: pytest puts an error of its own there."""
        original = item.addExpectedFailure

        def add(testcase: Any, info: Any, *rest: Any) -> None:
            self.leave(info[1])
            original(testcase, info, *rest)

        item.addExpectedFailure = add
        try:
            yield
        finally:
            del item.addExpectedFailure

    @property
    def has_any(self) -> bool:
        """Tell whether anything was raised, wherever it went."""
        return bool(self._heard or self._forked.texts)

    @property
    def caught(self) -> list[str]:
        """The first lines of the errors that have not left the test."""
        here = [text for token, text in self._heard if id(token) not in self._left] if self._heard else []
        return [*here, *self._forked.texts]

    def end(self) -> list[str]:
        """Return what the test caught, now that it has ended, and what a thread of it found that goes on."""
        said, self._open = self._open, {}
        self._said |= said
        late = (
            f"{each.image}: {each.kind} {each.status}, and the test ended before the error came"
            for each in said.values()
        )
        return [*self.caught, *late]

    def end_without_reports(self, error: BaseException) -> None:
        """Take what ended the whole run in the middle of the test, as Ctrl-C does."""
        self._open = {}
        if not isinstance(error, pytest.exit.Exception):  # by which a test can end the run and hide what it caught
            self.leave(error)


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception, those that it was raised from or while handling, and those of a group."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            yield each
            waiting += [each.__cause__, each.__context__, *getattr(each, "exceptions", ())]


def caught_faults(records: Mapping[str, Sequence[Record]], outcomes: Outcomes) -> list[Fault]:
    """Return a fault for each test function that caught a difference, expects none and did not fail."""
    from pytest_ocrparity.compare.run_verdict import Fault

    caught: dict[str, list[tuple[str, str]]] = {}
    for test, record in _caught_failures(records):
        outcome = outcomes.get(test)
        if not record.is_expected and (outcome is None or outcome.outcome not in RED):
            caught.setdefault(test.partition("[")[0], []).extend((test, text) for text in record.messages)
    return [Fault("caught", _caught_sentence(*min(found), others=len(found) - 1)) for found in caught.values()]


def _caught_failures(records: Mapping[str, Sequence[Record]]) -> Iterator[tuple[str, Caught]]:
    from pytest_ocrparity.report.document import Caught

    for test, left in records.items():
        yield from ((test, record) for record in left if isinstance(record, Caught))


def _caught_sentence(test: str, message: str, others: int) -> str:
    more = f" (and {others} more in this test)" if others else ""
    return (
        f"{test} caught a difference and did not fail: {message}{more}; let the DifferenceError leave the test, or, if "
        f"the test expects it, mark it with @pytest.mark.{MARKER}"
    )


def caught_note(records: Mapping[str, Sequence[Record]]) -> list[str]:
    """Return a line that says how many of the differences in the table tests expect, or nothing."""
    number = sum(len(record.messages) for _, record in _caught_failures(records) if record.is_expected)
    return [f"expected differences: {number}, caught in tests marked {MARKER}"] if number else []
