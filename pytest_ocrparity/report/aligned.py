"""Two texts of a line, cut where they differ, as the page shows them one above the other."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import Final, NamedTuple

from pytest_ocrparity.comparison import TextFinding
from pytest_ocrparity.edits import common_ends

MOST: Final = 2000
"""Characters of a text that are aligned: of longer ones the common ends are cut off, and the rest differs."""


class Piece(NamedTuple):
    """A part of a text, and whether the other side reads it as well, in stored order."""

    text: str
    is_same: bool


def aligned(found: TextFinding) -> tuple[list[Piece], list[Piece]]:
    """Return the pieces of both texts, which together are each whole text."""
    texts = found.reference, found.candidate
    if max(map(len, texts)) > MOST:
        return _without_common_ends(*texts)
    pieces: tuple[list[Piece], list[Piece]] = [], []
    for what, start, end, other_start, other_end in SequenceMatcher(None, *texts, autojunk=False).get_opcodes():
        for place, part in enumerate((texts[0][start:end], texts[1][other_start:other_end])):
            if part:
                pieces[place].append(Piece(part, what == "equal"))
    return pieces


def _without_common_ends(one: str, two: str) -> tuple[list[Piece], list[Piece]]:
    start, end = common_ends(one, two)
    cut = [
        [(text[:start], True), (text[start : len(text) - end], False), (text[len(text) - end :], True)]
        for text in (one, two)
    ]
    first, second = ([Piece(*each) for each in parts if each[0]] for parts in cut)
    return first, second
