"""A detector in thirty lines of numpy: bright pixels are text. Small enough to break in one place at a time.

It implements the whole `Pipeline` contract on a network that is really run, so that the core is tested fast and
without paddle; tests/real has the same tests on the real thing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.special import expit

from pytest_ocrparity.trace import Decoded, Detections, Image, Shape, Trace


def page(height: int = 64, width: int = 96, boxes: tuple[tuple[int, int, int, int], ...] = ()) -> npt.NDArray[np.uint8]:
    """Return a grey (H, W, 3) page with a word in each (x0, y0, x1, y1), each darker than the one before."""
    image = np.full((height, width, 3), 40, np.uint8)
    image[..., 0] += 20  # blue differs from red, so that a swapped channel order shows
    for index, (x0, y0, x1, y1) in enumerate(boxes):
        image[y0:y1, x0:x1] = 230 - 10 * index
    return image


WORDS = ((8, 8, 40, 20), (50, 8, 88, 20), (8, 36, 60, 52))
PAGE = page(boxes=WORDS)
BLANK = page()


@dataclass
class Toy:
    """One side. Each field is one thing that can be wrong."""

    name: str = "train"
    scale: int = 1
    mean: float = 0.5
    std: float = 0.25
    img_mode: str = "BGR"
    gain: float = 6.0
    offset: float = 0.0
    thresh: float = 0.3
    box_thresh: float = 0.6
    pad: int = 1
    noise: float = 0.0
    box_type: str = "quad"
    has_scores: bool = True
    fused_noise: float | None = None
    runs: int = 0

    def preprocess(self, image: Image) -> Trace:
        """Decode, enlarge by `scale`, normalise."""
        name = "page.png" if isinstance(image, np.ndarray) else str(image)
        source: npt.NDArray[np.uint8] = image if isinstance(image, np.ndarray) else np.load(image)
        pixels = source[..., ::-1] if self.img_mode == "RGB" else source
        resized = pixels.repeat(self.scale, 0).repeat(self.scale, 1)
        tensor = ((resized.astype(np.float32) / np.float32(255) - np.float32(self.mean)) / np.float32(self.std)).astype(
            np.float32
        )
        return Trace(
            pipeline=self.name,
            image=name,
            decode=Decoded.of(pixels, self.img_mode),
            resize=resized,
            shape=(float(source.shape[0]), float(source.shape[1]), float(self.scale), float(self.scale)),
            tensor=tensor.transpose(2, 0, 1)[None],
            parameters={key: self.parameters[key] for key in ("decode", "resize", "tensor")},
            source=self,
        )

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return sigmoid(gain * weighted channels)."""
        self.runs += 1
        light = (tensor * np.array([0.2, 0.3, 0.5], np.float32)[None, :, None, None]).sum(1, keepdims=True)
        result = expit(self.gain * (light - 0.3)) + self.offset
        if self.noise:
            result = result + np.random.default_rng(1).uniform(-self.noise, self.noise, result.shape)
        return np.asarray(result, np.float32)

    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        """Return the padded bounding box of each blob above `thresh` whose mean is above `box_thresh`."""
        values = probability_map[0, 0]
        labels, _ = ndimage.label(values > self.thresh)
        polygons, scores = [], []
        ratio = shape[0] / values.shape[0]
        for rows, columns in ndimage.find_objects(labels):
            score = float(values[rows, columns].mean())
            if score < self.box_thresh:
                continue
            x0, x1 = (columns.start - self.pad) * ratio, (columns.stop + self.pad) * ratio
            y0, y1 = (rows.start - self.pad) * ratio, (rows.stop + self.pad) * ratio
            polygons.append(np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]))
            scores.append(score)
        return Detections(tuple(polygons), np.array(scores) if self.has_scores else None)

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        """Say what ran."""
        return {
            "decode": {"img_mode": self.img_mode},
            "resize": {"scale": self.scale},
            "tensor": {"mean": [self.mean] * 3, "std": [self.std] * 3},
            "probability_map": {"engine": "numpy"},
            "detections": {"thresh": self.thresh, "box_thresh": self.box_thresh, "box_type": self.box_type},
        }

    def trace(self, image: Image) -> Trace:
        """Run all stages."""
        trace = self.preprocess(image)
        assert trace.tensor is not None
        assert trace.shape is not None
        probability_map = self.infer(trace.tensor)
        detections = self.postprocess(probability_map, trace.shape)
        return replace(trace, probability_map=probability_map, detections=detections, parameters=self.parameters)


class FusedToy(Toy):
    """A toy whose export fuses branches, which moves the map by `fused_noise`."""

    def infer_fused(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the fused network's map."""
        return replace(self, noise=self.fused_noise or 0.0).infer(tensor)
