"""How messages show two texts of a line: on one line each, cut around where they differ first, and that by code point.

A text that runs from right to left is written in its stored order, in which its places are counted.
"""

from __future__ import annotations

import unicodedata

from pytest_ocrparity.comparison import Comparison
from pytest_ocrparity.edits import first_edit
from pytest_ocrparity.wording import character_text, number_of_edits, quoted


def texts_of(comparison: Comparison) -> str:
    """Return both texts of a line that is read otherwise, in one clause."""
    found = comparison.texts
    assert found is not None
    place = first_edit(found.reference, found.candidate) or 0
    texts = quoted(found.reference, place), quoted(found.candidate, place)
    note = note_of_look(found.reference, found.candidate)
    return f"{texts[0]} in {comparison.reference}, {texts[1]} in {comparison.candidate}{note}"


def note_of_look(reference: str, candidate: str) -> str:
    """Return what to say of two texts that differ and look alike; nothing of others."""
    is_alike = unicodedata.normalize("NFC", reference) == unicodedata.normalize("NFC", candidate)
    return ", which look alike: they are equal in Unicode's NFC" if is_alike else ""


def rows_of_texts(comparison: Comparison) -> list[tuple[str, str]]:
    """Return rows with the number of edits and the first character that differs; nothing for equal texts."""
    found = comparison.texts
    place = None if found is None else first_edit(found.reference, found.candidate)
    if found is None or place is None:
        return []
    sides = (found.reference, comparison.reference), (found.candidate, comparison.candidate)
    one, two = (f"{character_text(text[place : place + 1])} in {side}" for text, side in sides)
    edits = number_of_edits(found.edits, len(found.reference))
    return [("differs", f"first at character {place + 1}: {one}, {two}; {edits}")]
