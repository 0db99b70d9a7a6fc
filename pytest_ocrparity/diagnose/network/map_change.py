"""One change that makes a map of another one of the same tensor, as the cause why the two differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from pytest_ocrparity.compare.sensitivity import map_sensitivity, sensitivity_limit
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.stages import PROBABILITY_MAP
from pytest_ocrparity.trace import Array


class MapChange(NamedTuple):
    """What makes one map of another.

    Attributes:
        kind: what is the same on every image.
        numbers: what must be near on every image.
        text: how it is said.
        fix: how it is put right, with {candidate}.
        left: the largest difference that it leaves.
    """

    kind: str
    numbers: tuple[float, ...]
    text: str
    fix: str
    left: float = 0.0

    def is_again(self, other: MapChange) -> bool:
        """Return whether this is the change that was found on another image."""
        return self.kind == other.kind and bool(np.allclose(self.numbers, other.numbers, rtol=1e-2, atol=1e-3))


class Family(NamedTuple):
    """Changes that are one cause.

    Attributes:
        cause: its code.
        find: returns the changes that make the second map of the first one, within a limit.
        summary, proof: with {candidate}, {reference}, {text} and {left}.
        none: what is noted where no change does.
    """

    cause: str
    find: Callable[[Array, Array, float], Sequence[MapChange]]
    summary: str
    proof: str
    none: str


def map_change_cause(lab: Laboratory, family: Family, right: Array, own: Array) -> Diagnosis | None:
    """Return the diagnosis of a map that one change makes of another one, of the same tensor.

    Where several changes of the family make it, all are said: the image does not tell which it is.
    """
    found = family.find(right, own, _limit(lab))
    if not found:
        lab.tried.append(f"{family.cause}: {family.none}")
        return None
    reference, candidate = lab.names

    def explains(other: Laboratory, made: Array | None) -> bool:
        there = other.reference.probability_map
        if made is None or there is None:
            return False
        return any(each.is_again(before) for each in family.find(there, made, _limit(other)) for before in found)

    lab.patched = replace(lab.patched, explains=explains)
    text, left = ", or ".join(each.text for each in found), f"{max(each.left for each in found):.1e}"
    words = {"reference": reference, "candidate": candidate, "text": text, "left": left}
    fix = "; or ".join(dict.fromkeys(each.fix.format(candidate=candidate) for each in found))
    proof = family.proof.format(**words)
    return lab.proven_cause(PROBABILITY_MAP, family.cause, family.summary.format(**words), [proof], fix)


def _limit(lab: Laboratory) -> float:
    return sensitivity_limit(map_sensitivity(lab.reference))
