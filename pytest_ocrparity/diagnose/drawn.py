"""A map that is drawn: boxes of many sizes and strengths, on which rules differ that keep the same boxes of a page."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["PROBE", "drawn_map"]

PROBE: Final = 1024
"""Side in px of the drawn map, which stands for a page of a quarter of it, so that small boxes survive there."""


def drawn_map(*, weakest: float = 1.0) -> npt.NDArray[np.float32]:
    """Return a (1, 1, PROBE, PROBE) map of rectangles 4 to 24 px high and 6 to 48 px wide, far from each other.

    Their values run from `weakest` to 1 in steps that repeat, and each is weaker at its rim.
    """
    drawn = np.zeros((1, 1, PROBE, PROBE), np.float32)
    values = np.linspace(weakest, 1, 7, dtype=np.float32)
    top, count = 16, 0
    for height in range(4, 24):
        left = 16
        for width in (6, 12, 24, 48):
            value = values[count % len(values)]
            drawn[0, 0, top : top + height, left : left + width] = value if weakest == 1 else value * 0.8
            drawn[0, 0, top + 1 : top + height - 1, left + 1 : left + width - 1] = value
            left, count = left + 96, count + 1
        top += height + 32
    return drawn
