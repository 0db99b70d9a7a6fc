"""Ports of the user's that do something with a right map, or right boxes, or keep what they saw before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from faults.ports import Array, ChangesBoxes, Port
from faults.server_boxes import joined
from pytest_ocrparity import Detections, Trace
from pytest_ocrparity.trace import Image, Shape


def changes(change: Callable[[Array, Shape], Any]) -> type[ChangesBoxes]:
    """Return a port that changes each box, given the shape row."""

    class Changes(ChangesBoxes):
        def changed(self, box: Array, size: tuple[int, int], shape: Shape) -> Array:
            return np.asarray(change(np.asarray(box, np.float64), shape), np.float64)

    return Changes


Mirrored = changes(lambda box, shape: np.array([0, shape[0]]) + box * (1, -1))
TwoCorners = changes(lambda box, shape: box[[0, 2]])
OnAGrid = changes(lambda box, shape: np.floor(box / 8) * 8)
Clipped = changes(lambda box, shape: np.clip(box, 120, 400))
Grown = changes(lambda box, shape: box + np.sign(box - box.mean(axis=0)) * 5)


class DampsScores(Port):
    """Scores are multiplied by a weight of the user's."""

    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        made = super().postprocess(probability_map, shape)
        return Detections(made.polygons, None if made.scores is None else made.scores * 0.6)


class JoinsRows(Port):
    """Words of a row become one box, within the post-process."""

    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        made = super().postprocess(probability_map, shape)
        assert made.scores is not None
        rows = joined([(np.asarray(box), float(s)) for box, s in zip(made.polygons, made.scores, strict=True)], 120)
        return Detections(tuple(box for box, _ in rows), np.array([score for _, score in rows]))


class ScalesMapFirst(Port):
    """The map is scaled to the page before it is cut."""

    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        import cv2

        size = int(shape[1]), int(shape[0])
        scaled = np.asarray(cv2.resize(probability_map[0, 0], size), np.float32)[None, None]
        return super().postprocess(scaled, (shape[0], shape[1], 1.0, 1.0))


class MovesMap(Port):
    """The map lies four rows too low."""

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return np.roll(super().infer(tensor), 4, axis=2)


class SeesTiles(Port):
    """The network sees its tensor in squares."""

    side = 320

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        made = np.zeros((1, 1, *tensor.shape[2:]), np.float32)
        for y in range(0, tensor.shape[2], self.side):
            for x in range(0, tensor.shape[3], self.side):
                part = np.ascontiguousarray(tensor[..., y : y + self.side, x : x + self.side])
                made[..., y : y + self.side, x : x + self.side] = super().infer(part)
        return made


class KeepsBuffer(Port):
    """The tensor lies in a buffer that only grows, and is not wiped."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.buffer = np.full((1, 3, 1280, 1280), 0.5, np.float32)

    def preprocess(self, image: Image) -> Trace:
        trace = super().preprocess(image)
        assert trace.tensor is not None
        height, width = trace.tensor.shape[2:]
        size = max(height, self.buffer.shape[2]), max(width, self.buffer.shape[3])
        whole = np.full((1, 3, *size), 0.5, np.float32)
        whole[..., : self.buffer.shape[2], : self.buffer.shape[3]] = self.buffer
        whole[..., :height, :width] = trace.tensor
        self.buffer = whole
        return replace(trace, tensor=whole)
