"""Whether chance explains how far two sides lie apart, of which one returns something else each time.

It may, value by value, where all that one side returned and all that the other did overlap; or where the value
changes, and lies no further off than values change by at most. Of many values that change, some come the same in each
of a few runs, as what is clipped does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.trace import Array

NEVER: Final = 1 / 32
"""How little chance may reach in a few runs, of a gap that is left, so that it is taken for none of it in many. A gap
that is as small against the largest change of any value is none, as both sides may round otherwise; and values that
come the same in each run do not count where they are as few against those that change."""
FEW: Final = 3
"""How many runs these are."""
MOST_MAPS: Final = 6
"""How many maps of one tensor are made at most, each of which takes a network run."""
MOST_NOISE: Final = 0.125
"""How far a side's own maps may lie apart, of what they leave unexplained, so that other experiments are made: what
returns a map within that explains seven eighths."""
RACES: Final = (
    "look for dropout and other random layers (was eval() called before exporting?), then for races (cpu_threads)"
)
"""How a network is mended that returns another map of the same tensor."""


@dataclass
class Drawn:
    """What a side returned of the same in some runs, as the least and the largest of each value.

    Attributes:
        low, high: these values; one that is no number counts where it never was one.
        draw: returns what it returns in another run, None where it can't; None of a side that repeats itself.
        runs: how many runs these are.
    """

    low: Array
    high: Array
    draw: Callable[[], Array | None] | None = None
    runs: int = 1

    @classmethod
    def of(cls, arrays: Sequence[Array], draw: Callable[[], Array | None] | None = None) -> Drawn:
        """Return what arrays of one shape say."""
        made = cls(arrays[0], arrays[0], draw)
        for each in arrays[1:]:
            made.add(each)
        return made

    def add(self, array: Array) -> None:
        """Take in what another run returned."""
        self.low, self.high, self.runs = np.fmin(self.low, array), np.fmax(self.high, array), self.runs + 1

    @property
    def noise(self) -> float:
        """How far what was returned lies apart at most."""
        with np.errstate(invalid="ignore"):
            difference = np.nan_to_num(self.high - self.low, posinf=np.inf)
        return float(np.max(difference, initial=-np.inf))


@dataclass
class Chance:
    """What both sides returned of the same, of which values no further apart than `limit` are the same.

    Attributes:
        noise: how far two results may lie apart by chance alone.
        gap: how far all that one returned lies at most from all that the other did, of what chance does not explain:
            0 where it explains all, and infinity of two shapes.
    """

    reference: Drawn
    candidate: Drawn
    limit: float = 0.0
    noise: float = field(init=False)
    gap: float = field(init=False)

    def __post_init__(self) -> None:
        self._measure()

    def _measure(self) -> None:
        """Set what follows from what was returned so far."""
        one, other = self.reference, self.candidate
        self.noise, self.gap = one.noise + other.noise, float("inf")
        if one.low.shape != other.low.shape:
            return
        with np.errstate(invalid="ignore"):
            gaps = np.maximum(one.low - other.high, other.low - one.high)
            changes = (one.high - one.low) + (other.high - other.low)
        is_left = ~(gaps <= max(self.noise, self.limit))  # what is no number, too
        is_still = ~is_left & (gaps > max(NEVER * self.noise, self.limit)) & (changes <= NEVER * gaps)
        if np.count_nonzero(is_still) > NEVER * np.count_nonzero(changes):
            is_left |= is_still
        self.gap = float(np.max(np.nan_to_num(gaps[is_left], nan=np.inf, posinf=np.inf), initial=0.0))

    @property
    def explains_all(self) -> bool:
        """Whether chance may explain how far both lie apart."""
        return self.gap == 0

    @property
    def leaves_rest_to_examine(self) -> bool:
        """Whether results that lie no further apart than by chance can be taken for the same, and most is left."""
        return 0 < self.noise <= MOST_NOISE * self.gap

    def draw(self, most: int, check: Callable[[], None] = lambda: None) -> None:
        """Run the sides that do not repeat themselves again, until chance may explain all, or next to nothing.

        Args:
            most: how many runs there are of each at most.
            check: is called before each, and may raise.
        """
        sides = self.reference, self.candidate
        while not self.explains_all:
            if self.noise <= NEVER * self.gap and all(each.runs >= FEW for each in sides if each.draw is not None):
                return
            for side in sides:
                if side.draw is None:
                    continue
                check()
                made = side.draw() if side.runs < most else None
                if made is None or made.shape != side.low.shape:
                    return
                side.add(made)
                self._measure()


def with_share_of_chance(diagnosis: Diagnosis, chance: Chance | None, reference: str, candidate: str) -> Diagnosis:
    """Return a diagnosis of what does not come again that says how much of the difference chance explains.

    Args:
        diagnosis: of one of the two sides.
        chance: what both returned, drawn often enough; None where that is not known.
        reference: the name of one side.
        candidate: the name of the other.
    """
    if chance is None:
        proof = "how much of the difference chance explains is not known"
        return replace(diagnosis, evidence=(*diagnosis.evidence, proof))
    runs = max(chance.reference.runs, chance.candidate.runs)
    moved = f"in {runs} runs, chance moved results by up to {chance.noise:.3g}"
    if chance.explains_all:
        beside = f"{moved}, which explains the difference, and would hide another fault that changes values by less"
        return replace(diagnosis, noticed=(*diagnosis.noticed, *[beside] * (chance.noise > 0)))
    far = f"in one place those of {candidate} lie {chance.gap:.3g} or more from those of {reference}"
    if not np.isfinite(chance.gap):
        far = f"those of {candidate} can't be compared with those of {reference} value by value"
    proof = f"{moved}, and {far}: chance explains only a part"
    return replace(
        diagnosis,
        summary=f"{diagnosis.summary}, which explains only a part of the difference",
        evidence=(*diagnosis.evidence, proof),
    )
