"""How many characters two texts differ by."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from properties import quickly

from pytest_ocrparity.edits import common_ends, edit_distance, first_edit

TEXTS = st.text("ab \u0645😀", max_size=12)


def by_definition(one: str, two: str) -> int:
    """Return the distance by the table of all prefixes."""
    row = list(range(len(two) + 1))
    for i, a in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, b in enumerate(two, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]


@quickly
@given(TEXTS, TEXTS)
def test_it_is_the_distance_by_definition(one: str, two: str) -> None:
    assert edit_distance(one, two) == edit_distance(two, one) == by_definition(one, two)
    assert (edit_distance(one, two) == 0) == (one == two) == (first_edit(one, two) is None)


@pytest.mark.parametrize(
    ("one", "two", "edits", "place"),
    [
        ("", "", 0, None),
        ("", "abc", 3, 0),
        ("kitten", "sitting", 3, 0),
        ("0rder", "order", 1, 0),
        ("total 98.50", "total98.50", 1, 5),  # a space is a character
        ("ab", "ab ", 1, 2),
        ("e\u0301", "é", 2, 0),  # two code points for one
    ],
)
def test_examples(one: str, two: str, edits: int, place: int | None) -> None:
    assert (edit_distance(one, two), first_edit(one, two)) == (edits, place)


def test_a_long_text_takes_no_time() -> None:
    assert edit_distance("ab" * 2_000, "ba" * 2_000) == 2


def test_a_text_that_is_no_line_is_counted_exactly_too() -> None:
    long = "ab" * 2**15
    assert edit_distance(f"x{long}y", f"x{long[::-1]}y") == 2
    assert edit_distance(f"x{long}y", f"x{long}zy") == 1


def test_common_ends() -> None:
    assert common_ends("aaab", "aab") == (2, 1) and common_ends("aa", "a") == (1, 0)
