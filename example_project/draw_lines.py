"""Draw the example's lines: `python -m example_project.draw_lines`. Each provokes one cause of a wrong deployment.

Writes lines/ and Label.txt in it, which says what each line reads, as PaddleOCR's label files do.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from example_project.pages import save_with_alpha, save_with_orientation
from example_project.render import Array
from example_project.render_lines import Line, stroked, typed

FOLDER = Path(__file__).parent / "lines"
BLACK, WHITE, INK, PAPER = (0, 0, 0), (255, 255, 255), (30, 34, 40), (236, 232, 222)
TIGHT = (0.06, 0.06, 0.04, 0.04)


def dark(text: str, size: float = 26) -> Line:
    """Return a line of dark text on paper."""
    return Line(typed(text, size, INK, PAPER), text)


def light(text: str, size: float = 26) -> Line:
    """Return a line of light text on a dark ground."""
    return Line(typed(text, size, (240, 236, 200), (24, 36, 66)), text)


def blurred(line: Line, sigma: float) -> Line:
    """Return a line out of focus."""
    return Line(np.asarray(cv2.GaussianBlur(line.image, (0, 0), sigma), np.uint8), line.text)


def plain() -> dict[str, Line]:
    """Return the lines that are ordinary PNG files, by name. Those called wide are above the 5:1 of image_shape."""
    return {
        "short": dark("OK", 30),
        "digit": Line(typed("7", 34, BLACK, WHITE, TIGHT, tight=True), "7"),
        "price": dark("1204.50"),
        "date": light("28.11.2026", 22),
        "punctuation": dark("A/B-C.D:E"),
        "doubled": dark("BOOKKEEPER", 22),  # CTC tells two letters from one by the blank between them
        "doubled_digits": Line(stroked("1100 2255", 24, BLACK, PAPER), "1100 2255"),
        "spaces": dark("A B C D E"),
        "lookalikes": dark("O0 I1 B8 S5"),
        "wide_invoice": dark("INVOICE NUMBER 2026-1184", 24),
        "wide_dark": light("SERIAL NO 7731-AA-0042", 24),
        "wide_stroked": Line(stroked("SHIP TO HARBOUR STREET 14", 26, INK, WHITE), "SHIP TO HARBOUR STREET 14"),
        "wide_receipt": dark("TOTAL 128.40 PAID 11.02.2026 AT 10:35", 22),
        "just_wide": dark("PLATFORM 9", 24),
        "night": light("NIGHT BUS"),
        "red_on_cyan": Line(typed("RED LINE", 26, (255, 0, 0), (0, 255, 208)), "RED LINE"),
        "colours": Line(typed("SWAPPED", 26, SWAPPED[0], SWAPPED[1]), "SWAPPED"),
        "faint": Line(typed("FAINT INK", 26, (168, 170, 172), (204, 204, 200)), "FAINT INK"),
        "borderline": blurred(dark("MIST 05", 20), BORDERLINE),
        "small": dark("GATE 12", 9),
        "blank": Line(np.full((30, 120, 3), PAPER[::-1], np.uint8), ""),
    }


SWAPPED = ((16, 46, 223), (204, 102, 83))
"""Ink and ground that the recogniser reads in BGR and no longer in RGB."""
BORDERLINE = 1.1
"""A blur at which the two likeliest classes of a timestep are nearly equal, for the committed checkpoint."""


def main(folder: Path = FOLDER) -> None:
    """Write all lines and Label.txt."""
    folder.mkdir(exist_ok=True)
    lines = {f"{name}.png": line for name, line in plain().items()}
    for name, line in lines.items():
        cv2.imwrite(str(folder / name), line.image, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    lines["exif_orientation.jpg"] = dark("TURN BACK")
    save_with_orientation(folder / "exif_orientation.jpg", lines["exif_orientation.jpg"].image)
    lines["alpha.png"] = Line(typed("CLEAR 5", 26, INK, WHITE), "CLEAR 5")
    save_with_alpha(folder / "alpha.png", lines["alpha.png"].image)
    lines["sixteen_bit.png"] = dark("DEPTH 16")
    save_with_sixteen_bits(folder / "sixteen_bit.png", lines["sixteen_bit.png"].image)
    labels = "".join(f"{name}\t{line.text}\n" for name, line in lines.items())
    (folder / "Label.txt").write_text(labels, encoding="utf-8", newline="\n")


def save_with_sixteen_bits(path: Path, image: Array) -> None:
    """Write a grey PNG of 16 bits per pixel."""
    cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.uint16) * 257)


if __name__ == "__main__":
    main()
