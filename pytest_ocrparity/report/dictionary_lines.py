"""How messages say that two recognisers state other dictionaries."""

from __future__ import annotations

from pytest_ocrparity.comparison import Difference
from pytest_ocrparity.wording import character_text, counted, printable


def dictionaries_text(difference: Difference, reference: str, candidate: str) -> str:
    """Return in a clause how the dictionaries differ, as far as it is known."""
    one, two = difference.reference, difference.candidate
    if "line" in one:
        most = max(one["characters"], two["characters"])
        return (
            f"the dictionaries differ in {one['differing']} of {_number(most)}, first at line {one['line']}: "
            f"{character_text(one['character'])} in {reference}, {character_text(two['character'])} in {candidate}"
        )
    if "digest" in one:
        sides = zip((one, two), (reference, candidate), strict=True)
        stated = [
            f"{_number(each['characters'])} of digest {printable(each['digest'])} in {name}" for each, name in sides
        ]
        return f"the dictionaries differ, in which characters is not known: {', '.join(stated)}"
    return (
        f"the dictionaries differ, in which characters is not known: {_number(one['characters'])} in {reference}, "
        f"{two['characters']} in {candidate}"
    )


def _number(count: int | None) -> str:
    return "characters" if count is None else counted(count, "character")
