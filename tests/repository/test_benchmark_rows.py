"""What `make bench` prints and writes: a bound that does not hold is told, and fails the command."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from benchmarks import __main__ as command
from benchmarks.rows import Row

FAST = Row("maps", "NumPy", 16.4, 15, told="1 ms against 16 ms")
SLOW = FAST._replace(ratio=14.9)
SMALL = Row("file", "savez", 0.2, 1 / 3, "of its size", is_most=True)


def test_a_bound_is_kept_from_its_side() -> None:
    assert FAST.holds and SMALL.holds
    assert not SLOW.holds
    assert not SMALL._replace(ratio=0.34).holds


def test_a_row_is_one_of_the_page() -> None:
    assert FAST.line() == "| maps | NumPy | 16.4 times faster | 15 | 1 ms against 16 ms |"
    assert SLOW.line() == "| maps | NumPy | 14.9 times faster | **15, not reached** | 1 ms against 16 ms |"
    assert SMALL.line() == "| file | savez | 0.2 of its size | 0.333 |  |"


@pytest.mark.parametrize(("row", "status"), [(FAST, 0), (SLOW, 1)])
def test_the_command_fails_where_a_bound_does(
    row: Row, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def module(*rows: Row) -> SimpleNamespace:
        def measure() -> Iterator[Row]:
            yield from rows

        return SimpleNamespace(rows=measure)

    monkeypatch.setattr(command, "MODULES", {"kernels": module(row), "gates": module(SMALL)})
    path = tmp_path / "build" / "bench.json"
    assert command.main([], path) == status
    assert command.main(["gates"], path) == 0
    maps, file = json.loads(path.read_text())
    assert maps == {"name": "maps / NumPy", "ratio": row.ratio, "bound": 15, "holds": row.holds}
    assert (file["name"], file["holds"]) == ("file / savez", True)
