"""How many characters two texts differ by, and where they differ first. Knows texts, and nothing of traces."""

from __future__ import annotations


def edit_distance(reference: str, candidate: str) -> int:
    """Return how many characters must be inserted, removed or replaced to make one text of the other.

    Bits of one integer stand for a column of the table of distances (Myers 1999, Hyyrö 2001), so that a text of
    thousands of characters takes milliseconds.
    """
    if not reference:
        return len(candidate)
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


def first_difference(reference: str, candidate: str) -> int | None:
    """Return the place, from 0, of the first character that differs; None for equal texts."""
    pairs = enumerate(zip(reference, candidate, strict=False))
    place = next((index for index, (one, two) in pairs if one != two), min(len(reference), len(candidate)))
    return None if reference == candidate else place
