"""Where a point of a picture lies on the page that was scaled, moved, turned or mirrored into it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_ocrparity.diagnose.page_frame import TURNS, Frame


@pytest.mark.parametrize(
    ("turn", "turned"),
    [
        ("", lambda page: page),
        ("turned by 90 degrees to the left", lambda page: np.rot90(page)),
        ("turned by 90 degrees to the right", lambda page: np.rot90(page, -1)),
        ("turned by 180 degrees", lambda page: np.rot90(page, 2)),
        ("mirrored left to right", np.fliplr),
        ("mirrored top to bottom", np.flipud),
    ],
)
def test_a_point_of_a_turned_page_is_found_on_the_page(turn: str, turned: Any) -> None:
    page = np.zeros((40, 60))
    page[7, 21] = 1
    assert not turn or np.array_equal(TURNS[turn].picture(page), turned(page))
    picture = np.pad(turned(page), ((5, 0), (3, 0))).repeat(2, 0).repeat(2, 1)  # twice as large, and lower to the right
    rows, columns = np.nonzero(picture)
    centre = np.array([[columns.mean() + 0.5, rows.mean() + 0.5]])  # of four pixels
    frame = Frame(0.5, 0.5, -3, -5, turn, page.shape)
    assert frame.of(centre) == pytest.approx(np.array([[21.5, 7.5]]))
