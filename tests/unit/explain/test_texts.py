"""How messages show two texts of a line."""

from __future__ import annotations

import pytest

from pytest_ocrparity import DifferenceError, Recognition, assert_same_text
from pytest_ocrparity.wording import quoted


def message(reference: str, candidate: str) -> list[str]:
    with pytest.raises(DifferenceError) as raised:
        assert_same_text(Recognition(reference), Recognition(candidate))
    return str(raised.value).splitlines()


def test_both_texts_and_the_first_character_that_differs() -> None:
    first, *rows = message("0rder 12", "order 12")
    assert first.endswith(": first difference at text: '0rder 12' in reference, 'order 12' in candidate")
    row = next(row for row in rows if row.startswith("  differs"))
    assert row.split(None, 1)[1] == (
        "first at character 1: '0' (U+0030) in reference, 'o' (U+006F) in candidate; 1 edit in 8 characters"
    )


def test_a_space_and_the_end_are_named() -> None:
    assert any("character 6: ' ' (U+0020) in reference, '9' (U+0039)" in row for row in message("total 9", "total9"))
    assert any("character 3: nothing in reference, '!' (U+0021) in candidate" in row for row in message("ab", "ab!"))


def test_of_a_long_text_what_stands_around_the_place() -> None:
    text = "x" * 300 + "y" + "z" * 300
    shown = quoted(text, 300)
    assert shown.startswith("'...") and shown.endswith("...'") and "xyz" in shown and len(shown) <= 70
    assert quoted("ab", 1) == "'ab'"


def test_it_stays_on_one_line_and_in_its_quotation_marks() -> None:
    assert quoted("a\nb\u2028\udcff'\\") == r"'a\nb\u2028\udcff\'\\'"
    assert all("\n" not in row for row in message("a\nb", "a\u2028b"))


def test_a_text_from_right_to_left_does_not_turn_what_stands_beside_it() -> None:
    assert quoted("\u0634\u0643\u0631 12") == "'\u2068\u0634\u0643\u0631 12\u2069'"
    assert quoted("thanks 12") == "'thanks 12'"


def test_texts_that_look_alike_are_said_to() -> None:
    first, *_ = message("caf\u00e9", "cafe\u0301")
    assert first.endswith("in candidate, which look alike: they are equal in Unicode's NFC")
    assert "look alike" not in message("caf\u00e9", "cafe")[0]


def test_one_edit_per_character_is_one() -> None:
    assert any("text.max_cer 1 edit per character, limit 0" in row for row in message("a", "b"))
    assert any("text.max_cer 0.5 edits per character, limit 0" in row for row in message("ab", "aa"))
