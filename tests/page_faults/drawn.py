"""Pages of text in the font and the characters that the example's recogniser reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from example_project.render_lines import typed

Picture = npt.NDArray[np.uint8]
INK: Final = (20, 24, 30)
PAPER: Final = (238, 236, 230)


def blank(height: int, width: int, paper: tuple[int, ...] = PAPER) -> Picture:
    return np.full((height, width, 3), paper[::-1], np.uint8)


def put(page: Picture, text: str, x: int, y: int, size: float = 26, ink: Any = INK, paper: Any = PAPER) -> None:
    """Draw a line with its top left corner at (x, y)."""
    line = typed(text, size, ink, paper, (0.05, 0.05, 0.05, 0.05))
    height, width = line.shape[:2]
    page[y : y + height, x : x + width] = line


RECEIPT: Final = ("INVOICE 2024", "TOTAL 98.50", "TAX 19.00", "DATE 12.03.2024", "TIME 14:25", "DESK 7", "THANKS")


def receipt() -> Picture:
    page = blank(480, 640)
    for row, text in enumerate(RECEIPT):
        put(page, text, 40 + 30 * (row % 3), 30 + 60 * row)
    return page


def columns() -> Picture:
    """Two columns whose rows are a few pixels apart, so that they are read by rows."""
    page = blank(480, 640)
    pairs = (("APPLES", "3.20"), ("BREAD", "2.80"), ("COFFEE", "4.10"), ("DATES", "6.75"), ("EGGS", "1.95"))
    for row, (name, price) in enumerate(pairs):
        put(page, name, 50, 40 + 80 * row)
        put(page, price, 420, 44 + 80 * row)
    return page


def tilted() -> Picture:
    import cv2

    page = receipt()
    matrix = cv2.getRotationMatrix2D((320.0, 240.0), 5.0, 0.92)
    paper = tuple(map(float, PAPER[::-1]))
    return np.asarray(cv2.warpAffine(page, matrix, (640, 480), borderMode=cv2.BORDER_CONSTANT, borderValue=paper))


def coloured(paper: Any = (20, 40, 150), ink: Any = (250, 220, 60)) -> Picture:
    page = blank(480, 640, paper)
    for row, text in enumerate(RECEIPT[:6]):
        put(page, text, 60, 40 + 70 * row, 28, ink, paper)
    return page


def night() -> Picture:
    """Orange on blue, of about one brightness."""
    return coloured((30, 30, 200), (230, 120, 30))


def wide() -> Picture:
    page = blank(500, 960)
    texts = ("ORDER 4711 OF 12.03.2024 AT 09:30", "SHIP TO DOCK 9 BAY 22", "NET 1200.00 TAX 228.00", "A1", "PAID")
    for row, text in enumerate(texts):
        put(page, text, 40, 40 + 85 * row, 28)
    return page


PAGES: Final[dict[str, Callable[[], Picture]]] = {
    "receipt": receipt,
    "columns": columns,
    "tilted": tilted,
    "coloured": coloured,
    "night": night,
    "wide": wide,
}
