"""Two texts in pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from properties import quickly

from pytest_ocrparity.comparison import TextFinding
from pytest_ocrparity.report.aligned import MOST, Piece, aligned

TEXTS = st.text("ab 9", max_size=9)


@quickly
@given(TEXTS, TEXTS, st.booleans())
def test_the_pieces_are_the_texts_and_what_is_equal_is_equal(one: str, two: str, is_long: bool) -> None:
    more = "x" * MOST if is_long else ""
    pieces = aligned(TextFinding(one + more, two + more, 0))
    assert ["".join(piece.text for piece in side) for side in pieces] == [one + more, two + more]
    same = ["".join(piece.text for piece in side if piece.is_same) for side in pieces]
    assert same[0] == same[1] and same[0].endswith(more)
    assert all(piece.text for side in pieces for piece in side)


@pytest.mark.parametrize("more", ["", "x" * MOST])
def test_one_other_character(more: str) -> None:
    reference, candidate = aligned(TextFinding(f"0rder{more}", f"order{more}", 1))
    assert reference == [Piece("0", False), Piece(f"rder{more}", True)]
    assert candidate == [Piece("o", False), Piece(f"rder{more}", True)]


def test_nothing_that_is_read() -> None:
    assert aligned(TextFinding("", "", 0)) == ([], [])
