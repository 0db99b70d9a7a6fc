"""Whether chance explains how far two sides lie apart, of which one returns something else each time.

It may, value by value, where all that one side returned and all that the other did overlap; or where the value
changes, and lies no further off than values change by at most. Of many values that change, some come the same in each
of a few runs, as what is clipped does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = "npt.NDArray[Any]"

NEVER: Final = 1 / 32
"""How little chance may reach in a few runs, of a gap that is left, so that it is taken for none of it in many. A gap
that is as small against the largest change of any value is none, as both sides may round otherwise; and values that
come the same in each run do not count where they are as few against those that change."""
FEW: Final = 3
"""How many runs these are."""


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
    """What both sides returned of the same, of which values no further apart than `limit` are the same."""

    reference: Drawn
    candidate: Drawn
    limit: float = 0.0

    @property
    def noise(self) -> float:
        """How far two maps may lie apart by chance alone."""
        return self.reference.noise + self.candidate.noise

    @property
    def gap(self) -> float:
        """How far all that one returned lies at most from all that the other did, of what chance does not explain.

        0 where it explains all, and infinity of two shapes.
        """
        one, other, noise = self.reference, self.candidate, self.noise
        if one.low.shape != other.low.shape:
            return float("inf")
        with np.errstate(invalid="ignore"):
            gaps = np.maximum(one.low - other.high, other.low - one.high)
            changes = (one.high - one.low) + (other.high - other.low)
        is_left = ~(gaps <= max(noise, self.limit))  # what is no number, too
        is_still = ~is_left & (gaps > max(NEVER * noise, self.limit)) & (changes <= NEVER * gaps)
        if np.count_nonzero(is_still) > NEVER * np.count_nonzero(changes):
            is_left |= is_still
        return float(np.max(np.nan_to_num(gaps[is_left], nan=np.inf, posinf=np.inf), initial=0.0))

    @property
    def explains_all(self) -> bool:
        """Whether chance may explain how far both lie apart."""
        return self.gap == 0

    def draw(self, most: int, check: Callable[[], None]) -> None:
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
