"""How far chance could have made the difference of two accuracies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated


@dataclass(frozen=True, slots=True)
class Interval:
    """The two-sided 95 % interval of candidate minus reference, as shares: -0.01 is one point lost."""

    low: Annotated[float, "the lower end, 2.5 % below it"]
    high: Annotated[float, "the upper end, 2.5 % above it"]
