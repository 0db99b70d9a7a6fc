"""Pictures as other code makes them: resized by other interpolations, or changed before the resize.

For experiments with what a candidate made of a page; nothing of it is part of a gate.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.backends.isolation import third_party

Array: TypeAlias = "npt.NDArray[Any]"

CV2: Final = ("AREA", "CUBIC", "NEAREST", "LANCZOS4", "LINEAR_EXACT", "NEAREST_EXACT")
PILLOW: Final = ("NEAREST", "BOX", "BILINEAR", "HAMMING", "BICUBIC", "LANCZOS")
QUALITIES: Final = (95, 90, 85, 80, 75, 70, 60, 50)
"""JPEG qualities that libraries have by default, or that people write."""


def resampled(pixels: Array, size: tuple[int, int]) -> Iterator[tuple[str, Array]]:
    """Yield an (H, W, 3) picture resized to (h, w) in ways other than PaddleOCR's, each with its name."""
    with third_party():
        import cv2

        for name in CV2:
            yield (
                f"cv2.INTER_{name}",
                np.asarray(cv2.resize(pixels, (size[1], size[0]), interpolation=getattr(cv2, f"INTER_{name}"))),
            )
        try:
            from PIL import Image
        except ImportError:
            return
        # Every channel by itself, so that their order has no say.
        picture = Image.fromarray(np.ascontiguousarray(pixels))
        for name in PILLOW:
            made = picture.resize((size[1], size[0]), getattr(Image.Resampling, name))
            yield f"Pillow's {name}", np.asarray(made)


def recoded(pixels: Array) -> Iterator[tuple[str, Array]]:
    """Yield an (H, W, 3) BGR picture after what ports do to it before they resize, each with its name."""
    with third_party():
        import cv2

        grey = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY))
        yield "turned to grey", np.repeat(grey[..., None], 3, axis=2)
        swapped = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY))
        yield "turned to grey as if it were RGB", np.repeat(swapped[..., None], 3, axis=2)
        for quality in QUALITIES:
            data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
            yield (
                f"encoded as JPEG of quality {quality} and decoded",
                np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR)),
            )
