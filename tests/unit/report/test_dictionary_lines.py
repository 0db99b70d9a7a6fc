"""How messages say that two sides state other dictionaries."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_ocrparity.comparison import Difference
from pytest_ocrparity.report.dictionary_lines import dictionaries_text


def listed(characters: int, character: str | None) -> dict[str, Any]:
    return {"characters": characters, "differing": 1, "line": 12, "character": character}


@pytest.mark.parametrize(
    ("reference", "candidate", "text"),
    [
        (
            listed(97, "a"),
            listed(97, "\u0430"),
            "in 1 of 97 characters, first at line 12: 'a' (U+0061) in train, '\u0430' (U+0430) in port",
        ),
        (listed(12, "\u2028"), listed(11, None), r"line 12: '\u2028' (U+2028) in train, nothing in port"),
        (listed(1, "e\u0301"), listed(1, ""), "in 1 of 1 character, first at line 12: 'e\u0301' (U+0065 U+0301) in"),
        (
            {"characters": 97, "digest": "12ab"},
            {"characters": None, "digest": "34\n"},
            r"is not known: 97 characters of digest 12ab in train, characters of digest 34\n in port",
        ),
        ({"characters": 97}, {"characters": 96}, "is not known: 97 characters in train, 96 in port"),
    ],
)
def test_it_says_what_is_known(reference: Any, candidate: Any, text: str) -> None:
    found = dictionaries_text(Difference("text", "dictionary", reference, candidate), "train", "port")
    assert found.startswith("the dictionaries differ") and text in found and "\n" not in found
