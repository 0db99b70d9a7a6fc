"""Where a page lies in the picture that a side feeds to its network: scaled, moved, turned or mirrored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import numpy as np

from pytest_ocrparity.trace import Array


class Turn(NamedTuple):
    """A way to turn or mirror a page.

    Attributes:
        picture: makes the turned picture of (h, w, 3) pixels.
        back: takes x and y of the turned page back to the page, whose height and width it is given.
    """

    picture: Callable[[Array], Array]
    back: Callable[[Array, Array, int, int], tuple[Array, Array]]


TURNS: Final[Mapping[str, Turn]] = {
    "turned by 90 degrees to the left": Turn(lambda page: np.rot90(page), lambda x, y, height, width: (width - y, x)),
    "turned by 90 degrees to the right": Turn(
        lambda page: np.rot90(page, -1), lambda x, y, height, width: (y, height - x)
    ),
    "turned by 180 degrees": Turn(lambda page: np.rot90(page, 2), lambda x, y, height, width: (width - x, height - y)),
    "mirrored left to right": Turn(lambda page: page[:, ::-1], lambda x, y, height, width: (width - x, y)),
    "mirrored top to bottom": Turn(lambda page: page[::-1], lambda x, y, height, width: (x, height - y)),
}
"""By what messages call them."""


class Frame(NamedTuple):
    """Where a page lies in the picture that a candidate feeds.

    Attributes:
        across, down, left, top: x and y of the picture, times the first two, plus the last two, are x and y of the
            page as it was turned.
        turn: how the page was turned or mirrored before, a key of `TURNS`; "" where it was not.
        page: the page's (height, width), where it was turned.
    """

    across: float
    down: float
    left: float = 0.0
    top: float = 0.0
    turn: str = ""
    page: tuple[int, int] = (0, 0)

    def of(self, points: Array) -> Array:
        """Return (n, 2) points of the picture in px of the page."""
        placed = points * np.array((self.across, self.down)) + np.array((self.left, self.top))
        if not self.turn:
            return np.asarray(placed)
        x, y = TURNS[self.turn].back(placed[:, 0], placed[:, 1], *self.page)
        return np.stack([x, y], axis=1)
