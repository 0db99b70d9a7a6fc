"""The values of a picture's pixels, as a script that the page loads when it shows them.

A page that is opened as a file may not read pictures, nor fetch files, but it may load scripts from its folder.
"""

from __future__ import annotations

import base64
import json
import math
import zlib
from typing import Any, Final

import numpy as np
import numpy.typing as npt

MOST_VALUES: Final = 120_000
"""Values that are kept, on a regular grid: of a page of 736x960 each third pixel of a map, each fifth of a tensor."""
STEPS: Final = 1000
"""Steps between the smallest and the largest value: what a reader of three digits needs."""
NOT_FINITE: Final = 0xFFFF


def pixel_values_script(
    values: npt.NDArray[Any],
    *,
    is_difference: bool = False,
    frame: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0),
) -> bytes:
    """Return the script that hands the values of a (C, h, w) array to the page.

    Of a difference each block of pixels gives its largest value; of others its first. The frame is where the picture
    shows them: left, top, width and height in shares of it.
    """
    height, width = values.shape[1:]
    step = max(1, math.ceil(math.sqrt(values.size / MOST_VALUES)))
    values = values.astype(np.float32)
    kept = _largest_of_blocks(values, step) if is_difference else values[:, ::step, ::step]
    is_finite = np.isfinite(kept)
    low = float(kept[is_finite].min(initial=0.0))
    high = float(kept[is_finite].max(initial=low))
    size = (high - low) / STEPS or 1.0
    places = np.clip((np.where(is_finite, kept, low) - low) / np.float32(size), 0, STEPS)
    steps = (np.ceil(places) if is_difference else np.rint(places)).astype(np.uint16)
    steps[~is_finite] = NOT_FINITE
    # Neighbours resemble each other: what each differs by from the one before it takes a quarter of the room.
    changes = np.diff(steps.reshape(-1), prepend=np.uint16(0)).astype("<u2")
    data = np.stack([changes & 0xFF, changes >> 8]).astype(np.uint8).tobytes()
    head = {
        **{"width": width, "height": height, "step": step, "channels": len(kept)},
        **{"columns": kept.shape[2], "rows": kept.shape[1], "low": low, "size": size},
        "frame": [round(each, 5) for each in frame],
        "data": base64.b64encode(zlib.compress(data, 6)).decode(),
    }
    return f"ocrparityValues({json.dumps(head)});\n".encode()


def _largest_of_blocks(values: npt.NDArray[np.float32], step: int) -> npt.NDArray[np.float32]:
    if step == 1:
        return values
    channels, height, width = values.shape
    padded = np.pad(values, ((0, 0), (0, -height % step), (0, -width % step)))
    blocks = padded.reshape(channels, -(-height // step), step, -(-width // step), step)
    largest: npt.NDArray[np.float32] = blocks.max(axis=(2, 4))
    return largest
