"""A toy whose words fade out at their rims, as values of a post-process show on them, and twenty words to see it on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from diagnosing import each_moved
from toy import Toy, page

from pytest_ocrparity import Detections, Trace
from pytest_ocrparity.trace import Image, Shape

MANY = page(
    160,
    256,
    tuple(
        (8 + 60 * column, 6 + 30 * row, 28 + 60 * column + 6 * row, 14 + 32 * row)
        for row in range(5)
        for column in range(4)
    ),
)
"""Twenty words, each darker than the one before and with sides of its own."""


def grown(polygon: Any, pixels: float) -> Any:
    return polygon + np.sign(polygon - polygon.mean(axis=0)) * pixels


@dataclass
class Soft(Toy):
    """Words fade out at their rims, so that a threshold moves their edges."""

    unclip_ratio: float = 1.0

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        light = super().infer(tensor)
        wide = sum(np.roll(light, (y, x), (2, 3)) for y in range(-3, 4) for x in range(-3, 4))
        return np.asarray(wide / 49, np.float32)

    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        """Larger boxes grow more."""
        made = super().postprocess(probability_map, shape)
        return each_moved(made, lambda p: grown(p, round((self.unclip_ratio - 1) * np.ptp(p, axis=0).min() / 4)))

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        known = super().parameters
        return {**known, "detections": {**known["detections"], "unclip_ratio": self.unclip_ratio}}


class Builds(Soft):
    """A reference whose post-process can be built with other values."""

    def postprocess_with(self, values: Mapping[str, Any]) -> Any:
        if {*values} - {"thresh", "box_thresh", "unclip_ratio"}:
            raise ValueError("no such value")
        return replace(self, **values).postprocess


class Silent(Soft):
    """A port that says no parameters."""

    def trace(self, image: Image) -> Trace:
        return replace(super().trace(image), parameters={})


def train() -> Builds:
    return Builds(gain=1.0, box_thresh=0.3)


def port(kind: type[Soft] = Silent, **values: Any) -> Any:
    return kind(name="port", **{"gain": 1.0, "box_thresh": 0.3, **values})


Change = Callable[[Any, Any], Any]
"""Takes a box and the page's (width, height)."""


def changes(change: Change) -> type[Silent]:
    class Changes(Silent):
        def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
            made = super().postprocess(probability_map, shape)
            return each_moved(made, lambda box: np.asarray(change(box, np.array([shape[1], shape[0]])), np.float64))

    return Changes
