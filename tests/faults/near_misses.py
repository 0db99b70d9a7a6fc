"""The second table: near misses and foreign ports, in which a cause almost fits.

Written without looking at diagnose/, and before what answers it.
"""

from __future__ import annotations

from faults.near_boxes import BOXES
from faults.near_miss import NearMiss
from faults.near_others import OTHERS
from faults.near_pages import PAGES

__all__ = ["FAST", "NEAR_MISSES", "NearMiss"]

NEAR_MISSES: list[NearMiss] = [*PAGES, *BOXES, *OTHERS]

FAST = (
    "A4 padded to 32 and not rounded",
    "halved by a client",
    "margins cut, origin added",
    "contrast of the pixels",
    "area",
    "(n / 32 - 1) * 32",
    "RGB fed",
    "A5 normalised twice",
    "map transposed",
    "another checkpoint in ONNX",
    "the last box forgotten",
    "boxes below 10 px of the page dropped",
    "B1 scores one box further",
    "every other moved by 6 px",
    "A14 unclip 2.0 and a filter of 20 px",
    "A6 RGB and 960/max, tensor and map recorded",
    "A16 960/max of a port that declares thresholds",
    "A8 another checkpoint, with names of 2.x",
    "a buffer of one size, whatever ran before",
)
"""What CI runs: one case of each kind, on its smallest page. OCRPARITY_ALL_FAULTS=1 runs all, on all of their pages."""
