"""Fragments of the page by image and stage: they are the same in each run, wherever the image stands in it."""

from __future__ import annotations

import hashlib
import re

from pytest_ocrparity.report.table import Sides
from pytest_ocrparity.stages import LAYER_STAGES, STAGES


def image_anchor(image: str) -> str:
    """Return the fragment of an image: its name, or where that is no fragment a similar one with a digest."""
    safe = re.sub(r"[^\w./-]+", "_", image)
    is_plain = safe == image and safe and safe.rpartition("/")[2] not in (*STAGES, *LAYER_STAGES)
    return safe if is_plain else f"{safe}-{hashlib.sha256(image.encode(errors='replace')).hexdigest()[:8]}"


def stage_anchor(image: str, stage: str, sides: Sides | None = None) -> str:
    """Return the fragment of a stage of an image; `sides` tells pairs apart, of which the first needs no more."""
    anchor = f"{image_anchor(image)}/{stage}"
    return anchor if sides is None else "/".join((anchor, *(image_anchor(name) for name in reversed(sides))))
