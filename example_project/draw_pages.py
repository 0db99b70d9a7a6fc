"""Draw the pages that both of the example's models read together: `python -m example_project.draw_pages`."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from example_project.render import Array
from example_project.render_lines import typed

FOLDER = Path(__file__).parent / "pages"
INK, PAPER = (20, 24, 30), (238, 236, 230)
MARGINS = (0.05, 0.05, 0.05, 0.05)
INVOICE = ("INVOICE 2024", "TOTAL 98.50", "TAX 19.00", "DATE 12.03.2024", "TIME 14:25", "DESK 7", "THANKS")
MENU = (("APPLES", "3.20"), ("BREAD", "2.80"), ("COFFEE", "4.10"), ("DATES", "6.75"), ("EGGS", "1.95"))


def blank(height: int, width: int, paper: tuple[int, ...] = PAPER) -> Array:
    """Return an empty page of a colour."""
    return np.full((height, width, 3), paper[::-1], np.uint8)


def put(
    page: Array, text: str, x: int, y: int, size: float = 26, ink: tuple[int, ...] = INK, paper: tuple[int, ...] = PAPER
) -> None:
    """Draw a line with its top left corner at (x, y)."""
    line = typed(text, size, ink, paper, MARGINS)
    height, width = line.shape[:2]
    page[y : y + height, x : x + width] = line


def invoice() -> Array:
    """Return a page of seven lines."""
    page = blank(480, 640)
    for row, text in enumerate(INVOICE):
        put(page, text, 40 + 30 * (row % 3), 30 + 60 * row)
    return page


def menu() -> Array:
    """Return two columns whose rows are a few pixels apart, so that they are read by rows."""
    page = blank(480, 640)
    for row, (name, price) in enumerate(MENU):
        put(page, name, 50, 40 + 80 * row)
        put(page, price, 420, 44 + 80 * row)
    return page


def main() -> None:
    """Write both pages."""
    FOLDER.mkdir(exist_ok=True)
    for page in (invoice, menu):
        cv2.imwrite(str(FOLDER / f"{page.__name__}.png"), page(), [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    main()
