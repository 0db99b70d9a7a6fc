"""What a recogniser reads in one picture of a line."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from numbers import Real
from typing import Any


@dataclass(frozen=True, slots=True, eq=False)
class Recognition:
    """A text and its score, which never travel apart.

    `text` is what the side returns, spaces and all; `score` is in 0 to 1, or None where the side has none.
    """

    text: str
    score: float | None = None

    def __post_init__(self) -> None:
        """Take any number as a score, and refuse what is no text and no number (TypeError)."""
        if not isinstance(self.text, str):
            raise TypeError(f"the text of a Recognition is a str, not {self.text!r}")
        if self.score is not None:
            score: Any = self.score
            if getattr(score, "ndim", None) == 0:  # numpy's scalars, and arrays without an axis
                score = score.item()
            if isinstance(score, bool) or not isinstance(score, Real):
                raise TypeError(f"the score of a Recognition is a number or None, not {self.score!r}")
            object.__setattr__(self, "score", float(score))

    def __eq__(self, other: object) -> bool:
        """Compare text and score, NaN equal to NaN."""
        if not isinstance(other, Recognition):
            return NotImplemented
        scores = self.score, other.score
        are_nan = all(score is not None and isnan(score) for score in scores)
        return self.text == other.text and (are_nan or scores[0] == scores[1])

    def __hash__(self) -> int:
        """Return what is equal for equal recognitions."""
        return hash(self.text)
