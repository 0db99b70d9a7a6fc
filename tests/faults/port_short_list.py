"""What CI runs of the third table: one kind of each concept, and the pairs that people have complained of.

Each on the first of its pages. OCRPARITY_ALL_FAULTS=1 runs all kinds, on all of their pages.
"""

from __future__ import annotations

from faults.port_kinds import KINDS, Kind
from faults.rows import ALL

FAST = (
    "thresh 0.45",
    "box_thresh 0.7",
    "unclip 2.0",
    "grown by 6 px, whatever the size",
    "dilated by 2x2",
    "eroded by 2x2",
    "slow scores",
    "polygons",
    "upright boxes",
    "boxes below 24 px of the page dropped",
    "a second threshold of 0.7",
    "the best 3",
    "first 4 outlines",
    "joined in rows",
    "map scaled to the page, then cut",
    "scores one box further",
    "scores x 0.7",
    "960/max",
    "640x640",
    "(n / 32 - 1) * 32 of the demo for phones",
    "multiples of 128",
    "pillow bilinear",
    "batch padding to 1024x1312",
    "margins of 20 px cut",
    "halved by a client",
    "a wide page turned left",
    "EXIF ignored",
    "alpha on white",
    "JPEG of quality 75 by a client",
    "grey by a client",
    "grey in the server",
    "inverted",
    "RGB fed",
    "mean and std of 0.5",
    "statistics of RGB",
    "0 to 255, normalised",
    "normalised twice",
    "0 to 1, not normalised",
    "tensor in float16",
    "HWC handed over as CHW",
    "map logits",
    "map moved down",
    "the network in tiles of 320 px",
    "pixels of the map",
    "ratios swapped",
    "5 px further",
    "(y, x)",
    "two corners for four",
    "clipped to 640x640",
    "down to multiples of 10",
    "counted from below",
    "wider by 4 px",
    "a buffer that grows",
    "pages in tiles of 256 px",
    "RapidOCR's defaults",
    "PaddleOCR()'s 64/min and box_thresh 0.7",
    "slow scores and boxes below 24 px dropped",
)
CASES: list[tuple[Kind, str]] = sorted(
    ((kind, page) for kind in KINDS for page in kind.pages), key=lambda case: case[1]
)
RUN = CASES if ALL else [case for case in CASES if case[0].name in FAST and case[1] == case[0].pages[0]]
