"""One named box of every kind, so that tests say which one they mean."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Box = npt.NDArray[np.float64]


def box(x: float, y: float, width: float, height: float) -> Box:
    """Return a quad from its upper left corner, clockwise on screen."""
    return np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], dtype=np.float64)


empty: list[Box] = []
one_box = box(10, 20, 100, 30)
touching = box(110, 20, 100, 30)
"""Shares an edge with `one_box`, and no area."""
nested = box(20, 25, 40, 20)
left_half, right_half = box(10, 20, 50, 30), box(60, 20, 50, 30)
rotated = np.roll(one_box, 1, axis=0)
reversed_ = one_box[::-1].copy()
duplicate = one_box.copy()
bowtie = np.array([[0, 0], [40, 40], [40, 0], [0, 40]], dtype=np.float64)
zero_area = np.array([[0, 0], [10, 10], [20, 20], [5, 5]], dtype=np.float64)
nan_point = np.array([[0, 0], [10, 0], [np.nan, 10], [0, 10]], dtype=np.float64)
infinite_point = np.array([[0, 0], [10, 0], [np.inf, 10], [0, 10]], dtype=np.float64)
two_points = np.array([[0, 0], [10, 10]], dtype=np.float64)
hexagon = np.array([[0, 0], [20, 0], [30, 10], [20, 20], [0, 20], [-10, 10]], dtype=np.float64)
INVALID = {
    "self-crossing": bowtie,
    "zero area": zero_area,
    "not finite": nan_point,
    "fewer than 3 points": two_points,
}
