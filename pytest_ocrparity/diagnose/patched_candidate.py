"""The candidate with some of its parts put right: what experiments build up, step by step, and run in its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.contract import Pipeline, TakesParameters, offered
from pytest_ocrparity.trace import Detections, Image, Shape, Trace

Array: TypeAlias = "npt.NDArray[Any]"


@dataclass(frozen=True)
class Patch:
    """What puts one cause right: other parameters of the candidate by stage name, or other fields of its remedy."""

    stage: str
    cause: str
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Remedy:
    """A pipeline around the candidate's.

    Attributes:
        pipeline: the candidate's own, or a variation of it.
        pixels: returns the (H, W, 3) uint8 BGR image that is given in the place of a file, from the reference's trace.
        tensor: returns the tensor put right.
        infer: runs in the place of the network.
        boxes: returns the boxes put right, given the map's (h, w) and the shape row.
        is_resized: `pixels` are already of the reference's size, so that decoding and resizing are the reference's.
        has_row: the shape row is the reference's.
        own_size: the reference's preprocessing runs with the candidate's size, see `Laboratory.at_size`.
        reference_values: what the reference's post-process was given to make the candidate's boxes, which shows a cause
            that can't be put right in the candidate.
        explains: tells, given the `Laboratory` of another image and the candidate's map, whether the network's cause
            shows there as well, by two runs at most; None where the network is right, or `infer` puts it right.
        applies: whether the cause shows on the traces of another image, where putting the stage right does not tell.
        patches: what was put right so far, in order.
    """

    pipeline: Pipeline
    pixels: Callable[[Trace, Image], Array | None] | None = None
    tensor: Callable[[Array], Array] | None = None
    infer: Callable[[Array], Array] | None = None
    boxes: Callable[[Detections, tuple[int, int], Shape], Detections] | None = None
    reference_values: Mapping[str, Any] | None = None
    explains: Callable[[Any, Array | None], bool] | None = None
    applies: Callable[[Trace, Trace], bool] | None = None
    is_resized: bool = False
    has_row: bool = False
    own_size: bool = False
    patches: tuple[Patch, ...] = ()

    def varied(self, changes: Mapping[str, Mapping[str, Any]]) -> Remedy | None:
        """Return this with other parameters of the candidate, or None where it takes none."""
        side = offered(self.pipeline, TakesParameters)
        return None if side is None else replace(self, pipeline=side.varied(changes))

    def patched(self, patch: Patch) -> Remedy | None:
        """Return this with one more cause put right, or None where the candidate takes no other parameters."""
        remedy = self.varied(patch.parameters) if patch.parameters else self
        return None if remedy is None else replace(remedy, **patch.fields, patches=(*self.patches, patch))

    def changed_since(self, earlier: Remedy) -> dict[str, Any]:
        """Return the fields that differ from an earlier remedy's, parameters aside."""
        names = [each.name for each in fields(self) if each.name not in ("pipeline", "patches")]
        return {name: value for name in names if (value := getattr(self, name)) is not getattr(earlier, name)}

    def without(self, cause: str, pipeline: Pipeline) -> Remedy | None:
        """Return what is left when one cause is not put right, made anew around the candidate's own pipeline."""
        remedy: Remedy | None = Remedy(pipeline)
        for patch in self.patches:
            if remedy is not None and patch.cause != cause:
                remedy = remedy.patched(patch)
        return remedy

    def preprocess(self, image: Image, reference: Trace) -> Trace:
        """Run the candidate's preprocessing, put right."""
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
        """Run the candidate's post-process, put right."""
        found = self.pipeline.postprocess(np.array(probability_map, np.float32), shape)  # it may write in place
        size = (int(probability_map.shape[-2]), int(probability_map.shape[-1]))
        return found if self.boxes is None else self.boxes(found, size, shape)


class CannotRunError(Exception):
    """A recorded trace stands for a side of which no part can be run again."""


@dataclass
class Recorded:
    """Stands for a side whose preprocessing can't be run again: it returns what was recorded.

    What else runs is that of `inner`, where there is one.
    """

    name: str
    recorded: Trace
    inner: Pipeline | None = None

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        """What the trace says that ran."""
        return self.recorded.parameters

    def trace(self, image: Image) -> Trace:
        """Return the trace."""
        return self.recorded

    def preprocess(self, image: Image) -> Trace:
        """Return the trace of the image that it is of; other pixels can't be given to it (CannotRunError)."""
        if isinstance(image, np.ndarray):
            raise CannotRunError(f"{self.name} can't be run again")
        return self.recorded

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Run the inner network, or raise CannotRunError."""
        return self._running().infer(tensor)

    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        """Run the inner post-process, or raise CannotRunError."""
        return self._running().postprocess(probability_map, shape)

    def _running(self) -> Pipeline:
        if self.inner is None:
            raise CannotRunError(f"{self.name} can't be run again")
        return self.inner


def _size(trace: Trace) -> tuple[int, ...] | None:
    return None if trace.tensor is None else tuple(trace.tensor.shape[2:])
