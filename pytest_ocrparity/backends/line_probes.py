"""What the parts of a recogniser do, found by running them: how its resize treats lines, and its network's classes.

The rule of a resize is a branch in PaddleOCR's and in paddlex's code, which depends on arguments, on `Global` and on
the release; so the operator that was built is asked, and no argument is read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.backends.memory_guard import guarded_resizes

SQUEEZED: Final = "squeezed"
"""One width for every line: a shorter line keeps its ratio and is filled up, a longer one is squeezed into it."""
AS_WIDE: Final = "as wide as the line"
"""Every line keeps its ratio, and is filled up to the base width."""
STRETCHED: Final = "stretched"
"""One size for every line, whatever its ratio; nothing is filled up."""

Resize = Callable[[npt.NDArray[np.uint8]], npt.NDArray[Any]]


def probed_width_rule(resize: Resize, height: int, width: int) -> str | None:
    """Return which rule a resize follows; None where it does not take a plain line.

    Args:
        resize: makes a (3, height, width) array of (h, w, 3) pixels.
        height: of a line in pixels.
        width: the base width in pixels.
    """
    shorter, longer = (np.full((height, side, 3), 200, np.uint8) for side in (max(1, width // 2), 2 * width))
    try:
        with guarded_resizes() as watched:
            short, content = resize(shorter).shape[-1], watched.picture.shape[1]
        long = resize(longer).shape[-1]
    except Exception:  # whatever an operator raises: each line shows it as the error of its stage
        return None
    if long > short:
        return AS_WIDE
    return STRETCHED if content == short else SQUEEZED


def probed_classes(run: Callable[[], npt.NDArray[Any]]) -> int | None:
    """Return how many classes the timesteps of the (1, T, C) map have that a network makes of an empty line.

    None where the last axis holds no probabilities. So nothing is said of a network whose axes are others, which has no
    softmax, or does not run: each line shows that.
    """
    try:
        probability_map = run()
    except Exception:  # whatever a network or an engine raises
        return None
    if probability_map.ndim != 3 or not np.allclose(probability_map.sum(axis=2), 1, atol=1e-3):
        return None
    return int(probability_map.shape[2])


def probed_line_widths(tensor: npt.NDArray[Any], picture: npt.NDArray[Any] | None) -> dict[str, int]:
    """Return what became of a line: the tensor's height and width and, of those columns, how many hold the picture."""
    height, width = tensor.shape[-2:]
    content = {} if picture is None else {"content_width": int(picture.shape[1])}
    return {"height": int(height), **content, "width": int(width)}
