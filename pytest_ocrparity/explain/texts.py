"""How messages show two texts of a line: on one line each, cut around where they differ first, and that by code point.

A text that runs from right to left is written in its stored order, in which its places are counted.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from pytest_ocrparity.comparison import Comparison, TextFinding
from pytest_ocrparity.edits import first_difference
from pytest_ocrparity.wording import printable

MOST: Final = 60
"""Characters of a text that a message shows."""
ISOLATED: Final = "\u2068{}\u2069"
"""Around a text that runs from right to left, so that it does not turn what stands beside it."""


def texts_of(comparison: Comparison) -> str:
    """Return both texts of a line that is read otherwise, in one clause."""
    found = comparison.texts
    assert found is not None
    place = first_difference(found.reference, found.candidate) or 0
    texts = quoted(found.reference, place), quoted(found.candidate, place)
    return f"{texts[0]} in {comparison.reference}, {texts[1]} in {comparison.candidate}"


def difference_rows(comparison: Comparison) -> list[tuple[str, str]]:
    """Return rows with the number of edits and the first character that differs; nothing for equal texts."""
    found = comparison.texts
    place = None if found is None else first_difference(found.reference, found.candidate)
    if found is None or place is None:
        return []
    sides = comparison.reference, comparison.candidate
    one, two = (_character(text, place, side) for text, side in zip(_texts(found), sides, strict=True))
    edits = f"{found.edits} edit{'s' * (found.edits != 1)} in {len(found.reference)} characters"
    return [("differs", f"first at character {place + 1}: {one}, {two}; {edits}")]


def quoted(text: str, place: int = 0) -> str:
    """Return a text in quotation marks on one line; of a long one what stands around a place, from 0."""
    start = max(0, min(place - MOST // 3, len(text) - MOST))
    part = text[start : start + MOST]
    shown = printable(part.replace("\\", "\\\\").replace("'", "\\'"))
    shown = f"{'...' * (start > 0)}{shown}{'...' * (start + MOST < len(text))}"
    return f"'{ISOLATED.format(shown) if is_right_to_left(part) else shown}'"


def is_right_to_left(text: str) -> bool:
    """Return whether a text holds a letter of a script that runs from right to left."""
    return any(unicodedata.bidirectional(character) in ("R", "AL") for character in text)


def _texts(found: TextFinding) -> tuple[str, str]:
    return found.reference, found.candidate


def _character(text: str, place: int, side: str) -> str:
    """Return the character at a place, with its code point, as look-alikes and spaces do not show by themselves."""
    if place >= len(text):
        return f"nothing in {side}"
    return f"{quoted(text[place])} (U+{ord(text[place]):04X}) in {side}"
