"""The candidate with some of its parts mended: what experiments build up, step by step, and run in its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.pipelines import Image, Pipeline, Shape
from pytest_ocrparity.trace import Detections, Trace

if TYPE_CHECKING:
    from pytest_ocrparity.diagnose.laboratory import Laboratory

__all__ = ["Remedy"]

Array: TypeAlias = "npt.NDArray[Any]"


@dataclass(frozen=True)
class Remedy:
    """A pipeline around the candidate's.

    Attributes:
        pipeline: the candidate's own, or a variation of it.
        pixels: returns the (H, W, 3) uint8 BGR image that is given in the place of a file, from the reference's trace.
        tensor: returns the mended tensor.
        infer: runs in the place of the network.
        boxes: returns the mended boxes, given the map's (h, w) and the shape row.
        is_resized: `pixels` are already of the reference's size, so that decoding and resizing are the reference's.
        has_row: the shape row is the reference's.
        explains: whether the network's cause shows on another image as well, by an experiment of two runs at most;
            None where the network is right, or `infer` is what was found to mend it.
        applies: whether the cause shows on the traces of another image, where putting the stage right does not tell.
    """

    pipeline: Pipeline
    pixels: Callable[[Trace, Image], Array | None] | None = None
    tensor: Callable[[Array], Array] | None = None
    infer: Callable[[Array], Array] | None = None
    boxes: Callable[[Detections, tuple[int, int], Shape], Detections] | None = None
    explains: Callable[[Laboratory, Array | None], bool] | None = None
    applies: Callable[[Trace, Trace], bool] | None = None
    is_resized: bool = False
    has_row: bool = False

    def varied(self, changes: Mapping[str, Mapping[str, Any]]) -> Remedy | None:
        """Return this with other parameters of the candidate, or None where it takes none."""
        vary = getattr(self.pipeline, "varied", None)
        return None if vary is None else replace(self, pipeline=vary(changes))

    def preprocess(self, image: Image, reference: Trace) -> Trace:
        """Run the candidate's preprocessing, mended."""
        pixels = self.pixels(reference, image) if self.pixels is not None else None
        trace = self.pipeline.preprocess(image if pixels is None else pixels)
        if self.is_resized and reference.resize is not None and _size(trace) == reference.resize.shape[:2]:
            trace = replace(trace, decode=reference.decode, resize=reference.resize, shape=reference.shape)
        if self.has_row:
            trace = replace(trace, shape=reference.shape)
        if self.tensor is not None and trace.tensor is not None:
            trace = replace(trace, tensor=self.tensor(trace.tensor))
        return trace

    def run(self, tensor: Array) -> Array:
        """Run the candidate's network, or what stands in for it."""
        return self.infer(tensor) if self.infer is not None else self.pipeline.infer(tensor)

    def postprocess(self, probability_map: Array, shape: Shape) -> Detections:
        """Run the candidate's post-process, mended."""
        found = self.pipeline.postprocess(np.asarray(probability_map, np.float32), shape)
        size = (int(probability_map.shape[-2]), int(probability_map.shape[-1]))
        return found if self.boxes is None else self.boxes(found, size, shape)


def _size(trace: Trace) -> tuple[int, ...] | None:
    return None if trace.tensor is None else tuple(trace.tensor.shape[2:])
