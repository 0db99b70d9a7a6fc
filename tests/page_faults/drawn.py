"""Pages of text in the font and the characters that the example's recogniser reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from example_project.draw_pages import INVOICE as RECEIPT
from example_project.draw_pages import PAPER, blank, put
from example_project.draw_pages import invoice as receipt
from example_project.draw_pages import menu as columns
from example_project.pages import FOLDER

Picture = npt.NDArray[np.uint8]


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


def banner() -> Picture:
    """Return the example's page of two lines in letters that its recogniser does not know, one wider than the other."""
    import cv2

    return np.asarray(cv2.imread(str(FOLDER / "banner.png")), np.uint8)


IN_BATCHES: Final[dict[str, Callable[[], Picture]]] = {"banner": banner}
"""Pages on which right exports read otherwise in batches, as paddleocr has it by itself: a fault of the page alone."""
