"""What a run that ended early did not reach: `pytest @report/not_reached.txt` runs it.

The file holds the words of the run's own command, one a line, then an option and below it each test that has passed.
Lines are only appended, each in one step, so that the file is right whenever the run is killed. A line that a full disk
cuts off names no test, and what it was to name runs again. A test that failed runs again as well.
"""

from __future__ import annotations

import os
import weakref
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from pytest_ocrparity.whole_files import write_whole_file
from pytest_ocrparity.wording import counted, path_from

if TYPE_CHECKING:
    from pytest_ocrparity.report.document import Record

NAME: Final = "not_reached.txt"
OPTION: Final = "--ocr-reached"


class NotReached:
    """The file of one run."""

    def __init__(self, words: Sequence[str], folder: Path, passed: Sequence[str], *, runs_each: bool = False) -> None:
        """Run these words of a command again, which were typed in a folder, without those that had passed before.

        With `runs_each` each worker runs all tests, so that one of them says nothing of the others: none is left out.
        """
        self._words, self._typed_in, self._passed = words, folder, dict.fromkeys(passed)
        self._runs_each = runs_each
        self._path: Path | None = None
        self._file = -1
        """Held open: another run in the same folder replaces the file, and what passes here is not for that one."""

    def begin(self, folder: Path) -> None:
        """Write that nothing was reached. A folder that can't be written is the report's matter."""
        # Read before the file is written, as it may be this one. What was left out stands last, to be appended to.
        words = [word for word in self._words_of_files() if word != OPTION and word not in self._passed]
        lines = [*words, OPTION, *self._passed]
        with suppress(OSError):
            write_whole_file(folder / NAME, b"".join(os.fsencode(line) + b"\n" for line in lines))
            self._file = os.open(folder / NAME, os.O_WRONLY | os.O_APPEND)
            self._close = weakref.finalize(self, os.close, self._file)
            self._path = folder / NAME

    def _words_of_files(self) -> Iterator[str]:
        """Yield the words, and those of a file that was named: it may be that of the run before."""
        for word in self._words:
            found = _words_of_file(word, self._typed_in)
            yield from [word] if found is None else found

    def leave_out(self, test: str, records: Sequence[Record]) -> None:
        """Append that a test has passed, which left these records; not where it fails the run by what it caught."""
        from pytest_ocrparity.report.document import Caught

        is_fault = any(isinstance(record, Caught) and not record.is_expected for record in records)
        if self._path is not None and test.isprintable() and not is_fault and not self._runs_each:
            with suppress(OSError):  # of a full disk: the test runs again
                os.write(self._file, os.fsencode(f"{test}\n"))

    def end(self, *, is_whole: bool) -> list[str]:
        """Return what to say of a run that did not come to its end; of another, remove the file."""
        if self._path is None:
            return []
        is_there, path, self._path = self._is_there(self._path), self._path, None
        self._close()
        place = path_from(self._typed_in, path)
        if not is_there:
            return [
                f"WARNING: {place} was replaced or removed while this run went on: if another run writes its report "
                "there, pictures of this one may be missing"
            ]
        if is_whole:
            with suppress(OSError):
                path.unlink()
            return []
        reads_files = pytest.version_tuple >= (8, 2)
        command = f"pytest @{place}" if reads_files else f"xargs -d '\\n' pytest < {place}"
        return [f"what did not pass yet is run by: {command}"]

    def _is_there(self, path: Path) -> bool:
        """Tell whether the file is still this run's."""
        with suppress(OSError):
            return os.path.samestat(os.fstat(self._file), path.stat())
        return False


def _words_of_file(word: str, folder: Path) -> list[str] | None:
    """Return the words of the file that `@FILE` names; None where the word names no file."""
    file = folder / word[1:]
    return os.fsdecode(file.read_bytes()).splitlines() if word.startswith("@") and file.is_file() else None


def refuse_words_behind(words: Sequence[str], folder: Path) -> None:
    """Refuse what was typed behind such a file: pytest would take it for tests that passed, and leave it out.

    Raises:
        UsageError: there is such a word before the next option.
    """
    for number, word in enumerate(words, 1):
        if OPTION not in (_words_of_file(word, folder) or ()):
            continue
        if behind := list(takewhile(lambda each: not each.startswith("-"), words[number:])):
            raise pytest.UsageError(
                f"{' '.join(behind)} stands behind {word}, which ends with the tests that passed, so that it would be "
                f"left out as one of them: write it before {word}"
            )


class LeftOut:
    """Leaves the tests out that passed in the run before. A plugin object."""

    def __init__(self, tests: Sequence[str]) -> None:
        """Leave out these."""
        self._tests = frozenset(tests)

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Deselect them, but none that is collected twice: it may have passed once."""
        times = Counter(item.nodeid for item in items)
        left_out = [item for item in items if item.nodeid in self._tests and times[item.nodeid] == 1]
        if left_out:
            items[:] = [item for item in items if item.nodeid not in self._tests or times[item.nodeid] > 1]
            config.hook.pytest_deselected(items=left_out)


def partial_note(tests: Sequence[str]) -> str:
    """Return what is said of a run that leaves out what passed in the one before."""
    count = len(set(tests))
    return (
        f"partial: {counted(count, 'test')} that passed before {'were' if count != 1 else 'was'} left out, so "
        "that nothing is judged over the run: no limit of a run, no accuracy, no unused baseline"
    )
