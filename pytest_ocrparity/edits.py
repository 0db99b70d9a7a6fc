"""How many characters two texts differ by, and where they differ first. Knows texts, and nothing of traces."""

from __future__ import annotations

from typing import Final

LONGEST: Final = 2**15


def edit_distance(reference: str, candidate: str) -> int:
    """Return how many characters must be inserted, removed or replaced to make one text of the other.

    Bits of one integer stand for a column of the table of distances (Myers 1999, Hyyrö 2001), so that a text of
    thousands of characters takes milliseconds. Of more than 2**15, which no line has, all between the common ends
    counts as replaced.
    """
    start, end = common_ends(reference, candidate)
    reference, candidate = reference[start : len(reference) - end], candidate[start : len(candidate) - end]
    if not reference or not candidate or min(len(reference), len(candidate)) > LONGEST:
        return max(len(reference), len(candidate))
    places: dict[str, int] = {}
    for index, character in enumerate(reference):
        places[character] = places.get(character, 0) | 1 << index
    all_bits, last = (1 << len(reference)) - 1, 1 << (len(reference) - 1)
    rises, falls, distance = all_bits, 0, len(reference)
    for character in candidate:
        equal = places.get(character, 0)
        vertical = equal | falls
        horizontal = (((equal & rises) + rises) ^ rises) | equal
        up, down = falls | ~(horizontal | rises) & all_bits, rises & horizontal
        distance += bool(up & last) - bool(down & last)
        up, down = (up << 1 | 1) & all_bits, down << 1 & all_bits
        rises, falls = down | ~(vertical | up) & all_bits, up & vertical
    return distance


def common_ends(one: str, two: str) -> tuple[int, int]:
    """Return how many characters two texts have in common at the start, and behind these at the end."""
    start = _common_start(one, two)
    return start, _common_start(one[start:][::-1], two[start:][::-1])


def _common_start(one: str, two: str) -> int:
    pairs = enumerate(zip(one, two, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(one), len(two)))


def first_difference(reference: str, candidate: str) -> int | None:
    """Return the place, from 0, of the first character that differs; None for equal texts."""
    return None if reference == candidate else _common_start(reference, candidate)
