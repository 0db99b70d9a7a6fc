"""How often a long test is counted aloud."""

from __future__ import annotations

from pytest_ocrparity.session.recorder import is_milestone


def test_counts_are_printed_less_and_less_often() -> None:
    counts = [count for count in range(60_000) if is_milestone(count)]
    assert counts == [100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000]
