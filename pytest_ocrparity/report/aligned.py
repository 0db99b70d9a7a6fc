"""Two texts of a line one above the other, character by character, as the page shows them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from itertools import groupby
from typing import Final, NamedTuple

from pytest_ocrparity.comparison import TextFinding
from pytest_ocrparity.edits import common_ends
from pytest_ocrparity.wording import printable

MOST: Final = 400
"""Characters of a text that are aligned: of longer ones the common ends are cut off, and the rest differs."""

_FORMLESS: Final = ("Cc", "Cs", "Zl", "Zp")
"""Unicode's categories of what `readable` escapes."""

_EDIT: Final = 2 * MOST
"""What an edit costs, where a character that is kept costs -1: more than all that can be kept."""


class Piece(NamedTuple):
    """A part of a text, and whether the other side reads it as well, in stored order."""

    text: str
    is_same: bool


class Place(NamedTuple):
    """One character of each text, which stand for each other; "" where a side has none."""

    reference: str
    candidate: str

    @property
    def is_same(self) -> bool:
        """Return whether both sides read this character."""
        return self.reference == self.candidate


def aligned_texts(found: TextFinding) -> tuple[list[Piece], list[Piece]]:
    """Return the pieces of both texts, which together are each whole text."""
    cut = aligned_places(found) or _without_common_ends(found.reference, found.candidate)
    return _pieces((each.reference, each.is_same) for each in cut), _pieces(
        (each.candidate, each.is_same) for each in cut
    )


def aligned_places(found: TextFinding) -> list[Place]:
    """Return the characters of both texts in pairs, of which as many differ as edits make one text of the other.

    Nothing of texts that are longer than is aligned.
    """
    one, two = found.reference, found.candidate
    if max(len(one), len(two)) > MOST:
        return []
    start, end = common_ends(one, two)
    middle = _edits(one[start : len(one) - end], two[start : len(two) - end])
    return [
        *(Place(each, each) for each in one[:start]),
        *middle,
        *(Place(each, each) for each in one[len(one) - end :]),
    ]


def _edits(one: str, two: str) -> list[Place]:
    """Return the pairs of a shortest way from one text to the other, of those the one that keeps most characters.

    By the table of what the ways between their ends cost.
    """
    rows = [[_EDIT * left for left in range(len(two), -1, -1)]]  # of the empty end of `one` against each end of `two`
    for mine in reversed(one):
        below, row = rows[-1], [rows[-1][-1] + _EDIT]
        for column in range(len(two) - 1, -1, -1):
            row.append(min(below[column + 1] + _cost(mine, two[column]), below[column] + _EDIT, row[-1] + _EDIT))
        rows.append(row[::-1])
    rows.reverse()
    found, i, j = list[Place](), 0, 0
    while i < len(one) or j < len(two):
        left = rows[i][j]
        if i < len(one) and j < len(two) and left == rows[i + 1][j + 1] + _cost(one[i], two[j]):
            found.append(Place(one[i], two[j]))
            i, j = i + 1, j + 1
        elif i < len(one) and left == rows[i + 1][j] + _EDIT:
            found.append(Place(one[i], ""))
            i += 1
        else:
            found.append(Place("", two[j]))
            j += 1
    return found


def _cost(one: str, two: str) -> int:
    return -1 if one == two else _EDIT


def _without_common_ends(one: str, two: str) -> list[Place]:
    start, end = common_ends(one, two)
    return [
        Place(one[:start], two[:start]),
        Place(one[start : len(one) - end], two[start : len(two) - end]),
        Place(one[len(one) - end :], two[len(two) - end :]),
    ]


def _pieces(parts: Iterable[tuple[str, bool]]) -> list[Piece]:
    grouped = groupby(parts, key=lambda part: part[1])
    pieces = [Piece("".join(text for text, _ in group), is_same) for is_same, group in grouped]
    return [piece for piece in pieces if piece.text]


def direction(found: TextFinding) -> str:
    """Return how the texts of a line run, "rtl" or "ltr", by the first letter that has a direction."""
    classes = map(unicodedata.bidirectional, found.reference + found.candidate)
    first = next((each for each in classes if each in ("L", "R", "AL")), "L")
    return "ltr" if first == "L" else "rtl"


def aligned_character(character: str) -> str:
    """Return a character as it can be seen alone: a space, what has no form and what combines are made visible."""
    if character == " ":
        return "\u2423"  # open box
    kind = unicodedata.category(character) if len(character) == 1 else ""
    if kind.startswith(("C", "Z")):
        return code_point(character)
    return f"\u25cc{character}" if kind.startswith("M") else character


def readable(text: str) -> str:
    """Return a text with escapes for what has no form on a page, or none in HTML: controls, half surrogate pairs.

    What joins letters or says how they run stays, as some scripts are written with it.
    """
    return "".join(printable(each) if unicodedata.category(each) in _FORMLESS else each for each in text)


def code_point(character: str) -> str:
    """Return the numbers of a character's code points."""
    return " ".join(f"U+{ord(each):04X}" for each in character)
