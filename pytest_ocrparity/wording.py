"""How messages write images, amounts, sizes and lists."""

from __future__ import annotations

import math
from contextlib import suppress
from pathlib import Path


def image_label(name: str) -> str:
    """Return how messages call an image: relative to the working directory where it lies below it, on one line."""
    path = Path(name)
    if path.is_absolute():
        with suppress(OSError, ValueError):  # the working directory may be gone, or elsewhere
            name = path.relative_to(Path.cwd()).as_posix()
    return printable(name)


def printable(name: str) -> str:
    """Return a name on one line: what does not print, and half a surrogate pair, becomes an escape."""
    if name.isprintable():
        return name
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in name)


def number_of_boxes(count: int) -> str:
    """Write a number of boxes."""
    return f"{count} box" if count == 1 else f"{count} boxes"


def amount(value: float) -> str:
    """Write a measured number so that it reads well: 0, 12, 0.91, 3.2e-05."""
    if value != value or value in (0, math.inf):
        return "NaN" if value != value else "0" if value == 0 else "infinite"
    if float(value).is_integer() and abs(value) < 1e6:
        return str(int(value))
    return f"{value:.1e}" if abs(value) < 0.01 else f"{value:.3g}"
