"""Two texts in pieces, and character by character."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from properties import quickly

from pytest_ocrparity.comparison import TextFinding
from pytest_ocrparity.edits import edit_distance
from pytest_ocrparity.report.aligned import (
    MOST,
    Piece,
    Place,
    aligned_character,
    aligned_places,
    aligned_texts,
    code_point,
    direction,
    readable,
)

TEXTS = st.text("ab 9", max_size=9)
ALEF, BET = "\u05d0", "\u05d1"


@quickly
@given(TEXTS, TEXTS, st.booleans())
def test_the_pieces_are_the_texts_and_what_is_equal_is_equal(one: str, two: str, is_long: bool) -> None:
    more = "x" * MOST if is_long else ""
    pieces = aligned_texts(TextFinding(one + more, two + more, 0))
    assert ["".join(piece.text for piece in side) for side in pieces] == [one + more, two + more]
    same = ["".join(piece.text for piece in side if piece.is_same) for side in pieces]
    assert same[0] == same[1] and same[0].endswith(more)
    assert all(piece.text for side in pieces for piece in side)


@quickly
@given(TEXTS, TEXTS)
def test_as_many_places_differ_as_the_message_counts_edits(one: str, two: str) -> None:
    found = aligned_places(TextFinding(one, two, 0))
    assert "".join(place.reference for place in found) == one
    assert "".join(place.candidate for place in found) == two
    assert sum(not place.is_same for place in found) == edit_distance(one, two)
    assert all(place.reference or place.candidate for place in found)


@pytest.mark.parametrize("more", ["", "x" * MOST])
def test_one_other_character(more: str) -> None:
    reference, candidate = aligned_texts(TextFinding(f"0rder{more}", f"order{more}", 1))
    assert reference == [Piece("0", False), Piece(f"rder{more}", True)]
    assert candidate == [Piece("o", False), Piece(f"rder{more}", True)]


def test_a_character_that_one_side_lacks_has_a_place_of_its_own() -> None:
    assert aligned_places(TextFinding("ab", "b", 1)) == [Place("a", ""), Place("b", "b")]
    assert aligned_places(TextFinding("ab", "abc", 1)) == [Place("a", "a"), Place("b", "b"), Place("", "c")]


def test_of_two_ways_as_short_the_one_that_keeps_more_is_shown() -> None:
    found = aligned_places(TextFinding("SWAPPED", "S./APED", 3))
    assert [place.reference for place in found if place.is_same] == ["S", "A", "P", "E", "D"]


def test_texts_that_are_too_long_have_no_places() -> None:
    assert aligned_places(TextFinding("a" * MOST, "b", MOST)) != []
    assert aligned_places(TextFinding("a" * (MOST + 1), "b", MOST + 1)) == []


def test_nothing_that_is_read() -> None:
    assert aligned_texts(TextFinding("", "", 0)) == ([], [])


@pytest.mark.parametrize(
    ("reference", "candidate", "expected"),
    [
        ("12 " + ALEF, "12", "rtl"),
        ("", BET, "rtl"),
        ("\u0627 a", "", "rtl"),  # Arabic
        ("a" + ALEF, ALEF, "ltr"),
        ("12", "3.", "ltr"),
        ("", "", "ltr"),
    ],
)
def test_a_line_runs_as_its_first_letter_does(reference: str, candidate: str, expected: str) -> None:
    assert direction(TextFinding(reference, candidate, 1)) == expected


@pytest.mark.parametrize(
    ("character", "shown"),
    [
        ("a", "a"),
        (ALEF, ALEF),
        (" ", "\u2423"),
        ("\u00a0", "U+00A0"),
        ("\u200f", "U+200F"),
        ("\n", "U+000A"),
        ("\udcff", "U+DCFF"),
        ("\u0301", "\u25cc\u0301"),
        ("ch", "ch"),  # an entry of a dictionary may be several
        ("", ""),
    ],
)
def test_each_character_is_seen(character: str, shown: str) -> None:
    assert aligned_character(character) == shown


def test_code_points() -> None:
    assert code_point("\U0001f600") == "U+1F600" and code_point("ch") == "U+0063 U+0068"


def test_what_has_no_form_on_a_page_is_escaped_and_nothing_else() -> None:
    assert readable("a\x00\x1b[1m\n\u2028\ud800b") == r"a\x00\x1b[1m\n\u2028\ud800b"
    joined = "\u0646\u200c\u0645 e\u0301 <b> \U0001f469\u200d\U0001f467"  # what scripts are written with
    assert readable(joined) == joined
