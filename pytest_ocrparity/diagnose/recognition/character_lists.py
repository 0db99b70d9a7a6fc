"""Says how a candidate's list of characters is not the reference's: shifted, in another order, shorter, or another."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from pytest_ocrparity.compare.characters import Stated, dictionary_difference
from pytest_ocrparity.contract import Declares
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.recognition.ctc_rules import Measured, best_ctc_classes
from pytest_ocrparity.stages import TEXT
from pytest_ocrparity.trace import Trace
from pytest_ocrparity.wording import quoted

SHOWN: Final = 4
"""How many characters a message shows."""
FEWEST: Final = 3
"""How many entries in a row must be the neighbour's before a list is called shifted."""


class Found(NamedTuple):
    """How two lists differ. `summary` has a place for the candidate's name."""

    cause: str
    summary: str
    substitution: str
    evidence: tuple[str, ...]
    fix: str


def differing_classes(lab: Laboratory) -> list[int]:
    """Return the first few classes whose characters are said to differ, so that decoders are asked about them too."""
    one, two = _stated(lab)
    if one.characters is None or two.characters is None:
        return []
    pairs = enumerate(zip(one.characters, two.characters, strict=False), 1)
    return [each for each, (right, own) in pairs if right != own][:SHOWN]


def _stated(lab: Laboratory) -> tuple[Stated, Stated]:
    """Return what the two sides state of the characters that the network has classes for."""
    return Stated.by(lab.reference, lab.candidate), Stated.by(lab.candidate, lab.reference)


def difference(lab: Laboratory, right: Mapping[int, str], own: Measured) -> Found | None:
    """Return how the candidate's characters differ from the reference's; None where no list shows to be another.

    Its list may be the reference's, and what it makes of it is not. Of a side that gives no list, what a change of
    texts would do as well shows none.

    Args:
        lab: the diagnosis.
        right: the reference's characters by class, where the candidate's blank is.
        own: the candidate's, as its decoder returned them.
    """
    reference, candidate = lab.names
    read = own.characters
    differing = [each for each in right if each in own.refused or read.get(each, right[each]) != right[each]]
    line = set() if lab.reference.probability_map is None else {*best_ctc_classes(lab.reference.probability_map)}
    shown = [
        f"{_named(read[each])} for {_named(right[each])}" if read.get(each) else _nothing(each, right, own)
        for each in sorted(differing, key=lambda each: each not in line)[:SHOWN]  # those of this line say most
    ]
    more = f" and {len(differing) - SHOWN} more" if len(differing) > SHOWN else ""
    substitution = ", ".join(shown) + more
    lists = [each.characters for each in _stated(lab)]
    if (why := _why_no_list(lab, [(right[each], read.get(each)) for each in differing])) is not None:
        lab.tried.append(f"text.dictionary: its decoder returns {substitution}, and {why}")
        return None
    evidence = (*_count_rows(lab), *_absent_rows(lab))
    if differing and all(each in own.refused or not read[each] for each in differing):
        known = [each for each in right if each not in differing]
        if min(differing) > max(known, default=0):  # what it has is right, and ends too early
            summary = f"{{candidate}}'s dictionary ends before class {min(differing)}, which {reference}'s has"
            fix = f"give {candidate} every line of the dictionary of the training, and the space that use_space_char "
            return Found("text.dictionary_length", summary, substitution, evidence, f"{fix}appends")
    fix = f"give {candidate} the dictionary with which the network was trained, with its lines in their order"
    others = "decoder returns other characters for the same classes"
    if lists[1] is None and not _is_stated(lab.candidate):
        summary = f"{{candidate}}'s {others}: by another dictionary, or by what changes its texts afterwards"
        return Found("text.dictionary", summary, substitution, evidence, f"{fix}, and change no text after that")
    how = None if lists[0] is None or lists[1] is None else _how_lists_differ(lists[0], lists[1], reference)
    summary = f"the dictionary of {{candidate}} is another: {how or f'its {others}'}"
    return Found("text.dictionary", summary, substitution, evidence, fix)


def _is_stated(trace: Trace) -> bool:
    """Return whether a side says by a digest which characters it has."""
    return trace.parameters.get(TEXT, {}).get("dictionary") is not None


CHANGES: Final[Mapping[str, Callable[[str], str]]] = {
    "upper()": str.upper,
    "lower()": str.lower,
    "strip()": str.strip,
    "Unicode's NFKC": lambda text: unicodedata.normalize("NFKC", text),
    "a filter that drops them": lambda text: "",
}
"""What programs do to texts."""


def _why_no_list(lab: Laboratory, pairs: Sequence[tuple[str, str | None]]) -> str | None:
    """Return why other characters show no other list; None where they do.

    Args:
        lab: the diagnosis.
        pairs: the reference's characters that differ, each with the candidate's; None where it stops.
    """
    if dictionary_difference(lab.reference, lab.candidate) is not None:
        return None
    one, two = _stated(lab)
    if one.digest is not None and one.digest == two.digest:
        return "both sides have the same list"
    changes = [name for name, change in CHANGES.items() if all(change(one) == two for one, two in pairs)]
    return f"{' or '.join(changes)} would do the same" if changes else None


def _named(text: str) -> str:
    """Return a character in quotation marks, with its code point where it may look as another one does."""
    return quoted(text) if text.isascii() or len(text) != 1 else f"{quoted(text)} (U+{ord(text):04X})"


def _nothing(each: int, right: Mapping[int, str], own: Measured) -> str:
    what = f"an error at class {each}" if each in own.refused else "nothing"
    return f"{what} for {quoted(right[each])}"


def _count_rows(lab: Laboratory) -> Iterator[str]:
    """Yield how many characters the candidate has, where its map has another number of classes beside the blank."""
    right, count = lab.reference.probability_map, lab.candidate.parameters.get(TEXT, {}).get("characters")
    if right is not None and isinstance(count, int) and count != right.shape[2] - 1:
        yield f"{lab.names.candidate} has {count} characters, and the network {right.shape[2]} classes with the blank"


def _absent_rows(lab: Laboratory) -> Iterator[str]:
    """Yield that the candidate's YAML file holds no dictionary, where it says so."""
    written = lab.ask(lab.candidate, Declares, lambda side: side.written)
    if written is not None and TEXT in written and not written[TEXT].get("character_dict"):
        yield f"the YAML file of {lab.names.candidate} holds no character_dict: paddlex takes 0-9 and a-z then"


def _how_lists_differ(right: Sequence[str], own: Sequence[str], reference: str) -> str | None:
    """Return in words how one list became the other; lines are counted from 1, as in the file."""
    pairs = list(zip(right, own, strict=False))
    differing = [index for index, (one, two) in enumerate(pairs) if one != two]
    if not differing:
        return None
    first = differing[0]
    for step, what in ((1, "is missing"), (-1, "is inserted")):
        last = _shifted_until(right, own, first, step)
        if last - first + 1 < FEWEST:
            continue
        line = quoted(right[first] if step == 1 else own[first])
        span = f"from line {first + 1} on" if last >= len(pairs) - 2 else f"in lines {first + 1} to {last + 1}"
        if sorted(own) == sorted(right):
            # A list may hold a character twice: what moved stands behind those that it shifted.
            its_place = own.index(right[first], last + 1) if step == 1 else right.index(own[first], last)
            what = f"stands in line {its_place + 1}" if step == 1 else f"is {reference}'s line {its_place + 1}"
            span = f"in lines {first + 1 + (step == -1)} to {last + 1}"
        return f"line {first + 1}, {line}, {what}, so that {span} every character is its neighbour"
    lines, its = (list(each[:-1]) if each[-1:] == (" ",) else list(each) for each in map(tuple, (right, own)))
    if its == lines[::-1]:
        return f"it is {reference}'s in reverse"
    if sorted(own) == sorted(right):
        if its == sorted(its):
            return f"it is {reference}'s, sorted"
        return f"it is {reference}'s in another order, from line {first + 1} on ({len(differing)} lines differ)"
    return f"{len(differing)} of {len(pairs)} lines differ, from line {first + 1} on"


def _shifted_until(right: Sequence[str], own: Sequence[str], first: int, step: int) -> int:
    """Return the last line, from 0, up to which each character from `first` on is its neighbour's; `first` - 1 if none.

    With a step of -1, the inserted line itself has no neighbour.
    """
    index = first + (step == -1)
    while index < len(own) and 0 <= index + step < len(right) and own[index] == right[index + step]:
        index += 1
    return index - 1
