"""Whether two recognisers state that they have other dictionaries, whatever the lines of a run show of it.

Of a class that no line holds, no map and no text shows which character a side takes it for. So what the sides state is
compared: their characters, or the digest and the number of them. Where one states nothing, nothing is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from pytest_ocrparity.artifacts.dictionary import dictionary_digest
from pytest_ocrparity.comparison import DIFFERENT, MATCHES, Comparison, Difference
from pytest_ocrparity.contract import HasCharacters, offered
from pytest_ocrparity.stages import TEXT
from pytest_ocrparity.trace import Trace

DICTIONARY: Final = "dictionary"
"""The kind of the difference."""


class Stated(NamedTuple):
    """What a side states of its characters; None where it does not.

    `characters` and `number` are of those alone that its network has classes for, as paddlex appends a space that a
    network may lack; `digest` is of all that it stated, unless `characters` are known.
    """

    characters: Sequence[str] | None
    number: int | None
    digest: str | None

    @classmethod
    def by(cls, trace: Trace, other: Trace) -> Stated:
        """Return what the side of a trace states; how many classes there are the other side's map may show as well."""
        given, characters = trace.parameters.get(TEXT, {}), characters_of(trace)
        classes = _classes_of(trace) or _classes_of(other)
        most = None if classes is None else classes - 1
        if characters is not None:
            return cls(characters[:most], len(characters[:most]), dictionary_digest(characters[:most]))
        count, digest = given.get("characters"), given.get("dictionary")
        known = count if isinstance(count, int) and not isinstance(count, bool) else None
        has_more = known is not None and most is not None and known > most
        digest = None if has_more or not isinstance(digest, str) else digest  # it is also of what has no class
        return cls(None, most if has_more else known, digest)


def characters_of(trace: Trace) -> Sequence[str] | None:
    """Return a side's characters from class 1 on; None where it does not give them."""
    side = offered(trace.source, HasCharacters)
    try:
        found = None if side is None else tuple(side.characters)
    except Exception:  # a user's own may fail in any way
        return None
    return found if found is not None and all(isinstance(each, str) for each in found) else None


def dictionary_difference(reference: Trace, candidate: Trace) -> Difference | None:
    """Return that the sides state other dictionaries; None where they state the same, or too little.

    Networks of two numbers of classes are two networks, each with a dictionary of its own. It fails nothing by itself:
    a run says it once, and outside of a run see `with_dictionaries_judged`.
    """
    classes = _classes_of(reference), _classes_of(candidate)
    if classes[0] is not None and classes[1] is not None and classes[0] != classes[1]:
        return None
    one, two = Stated.by(reference, candidate), Stated.by(candidate, reference)
    if one.characters is not None and two.characters is not None:
        return _difference_of_lists(one.characters, two.characters)
    if one.number is not None and two.number is not None and one.number != two.number:
        return _difference({"characters": one.number}, {"characters": two.number})
    if one.digest is None or two.digest is None or one.digest == two.digest:
        return None
    stated = [{"characters": each.number, "digest": each.digest} for each in (one, two)]
    return _difference(*stated)


def with_dictionaries_judged(comparison: Comparison) -> Comparison:
    """Return a comparison that fails where the sides state other dictionaries, for who has no run that says so."""
    if not any(each.kind == DICTIONARY for each in comparison.differences):
        return comparison
    differences = tuple(
        replace(each, fails=True) if each.kind == DICTIONARY else each for each in comparison.differences
    )
    if comparison.status not in MATCHES:
        return replace(comparison, differences=differences)
    return replace(comparison, differences=differences, status=DIFFERENT, stage=TEXT)


def _difference(reference: Mapping[str, Any], candidate: Mapping[str, Any]) -> Difference:
    return Difference(TEXT, DICTIONARY, dict(reference), dict(candidate), fails=False)


def _difference_of_lists(one: Sequence[str], two: Sequence[str]) -> Difference | None:
    if one == two:
        return None
    pairs = list(zip(one, two, strict=False))
    places = [place for place, pair in enumerate(pairs) if pair[0] != pair[1]]
    first = places[0] if places else len(pairs)
    differing = len(places) + abs(len(one) - len(two))
    sides = [
        {
            "characters": len(each),
            "differing": differing,
            "line": first + 1,
            "character": each[first] if first < len(each) else None,
        }
        for each in (one, two)
    ]
    return _difference(*sides)


def _classes_of(trace: Trace) -> int | None:
    """Return how many classes the network of a side has, as its map shows it."""
    found = trace.probability_map
    return None if found is None or found.ndim != 3 or not found.shape[2] else int(found.shape[2])
