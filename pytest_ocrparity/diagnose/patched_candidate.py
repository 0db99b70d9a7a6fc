"""`PatchedCandidate`: the candidate with some of its parts put right, which experiments run in its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.contract import Pipeline, TakesParameters, offered
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.trace import Array, Detections, Image, Shape, Trace

Proved: TypeAlias = "tuple[Diagnosis, PatchedCandidate] | None"
"""What an experiment with the preprocessing returns: the cause that it states, with the candidate in which that is put
right; None where it states none."""


@dataclass(frozen=True)
class Patch:
    """Puts one cause right: sets parameters of the candidate by stage name, or fields of the `PatchedCandidate`."""

    stage: str
    cause: str
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PatchedCandidate:
    """Wraps the candidate's pipeline and changes what goes into its parts and what comes out of them.

    Attributes:
        pipeline: the candidate's own, or a variation of it.
        pixels: returns, from the reference's trace, the (H, W, 3) uint8 BGR image that replaces the file.
        file: gives, while it is read, the file in the place of the image's, where there are no `pixels`.
        tensor: returns the tensor put right.
        infer: runs in the place of the network.
        boxes: returns the boxes put right, given the map's (h, w) and the shape row.
        explains_boxes: takes the `Laboratory` of another image, and returns whether the rule that makes the candidate's
            boxes makes them there too. It shows a cause that can't be put right in the candidate.
        explains: takes the `Laboratory` of another image and the candidate's map, and returns whether the network's
            cause shows there as well, in at most two runs. None where the network is right, or `infer` puts it right.
        applies: takes the traces of another image, and returns whether the cause shows on them. None where putting the
            stage right shows it.
        detectors_own: the boxes are those of the candidate's own post-process, and not what its later steps return.
        has_row: the shape row is the reference's.
        before: takes the `Laboratory` of an image, and returns what the reference's own operators make of it in the
            candidate's way, such as at its size; the stages before the network are compared with that. None where they
            are compared with the reference's trace.
        patches: what was put right so far, in order.
    """

    pipeline: Pipeline
    pixels: Callable[[Trace, Image], Array | None] | None = None
    file: Callable[[Image], AbstractContextManager[Image]] | None = None
    tensor: Callable[[Array], Array] | None = None
    infer: Callable[[Array], Array] | None = None
    boxes: Callable[[Detections, tuple[int, int], Shape], Detections] | None = None
    explains_boxes: Callable[[Any], bool] | None = None
    explains: Callable[[Any, Array | None], bool] | None = None
    applies: Callable[[Trace, Trace], bool] | None = None
    detectors_own: bool = False
    has_row: bool = False
    before: Callable[[Any], Trace | None] | None = None
    patches: tuple[Patch, ...] = ()

    def varied(self, changes: Mapping[str, Mapping[str, Any]]) -> PatchedCandidate | None:
        """Return a copy whose candidate has other parameters; None where it takes none."""
        side = offered(self.pipeline, TakesParameters)
        return None if side is None else replace(self, pipeline=side.varied(changes))

    def with_patch(self, patch: Patch) -> PatchedCandidate | None:
        """Return a copy with one more cause put right; None where the candidate takes no other parameters."""
        patched = self.varied(patch.parameters) if patch.parameters else self
        return None if patched is None else replace(patched, **patch.fields, patches=(*self.patches, patch))

    def changed_since(self, earlier: PatchedCandidate) -> dict[str, Any]:
        """Return the fields that differ from an earlier one's, without `pipeline` and `patches`."""
        names = [each.name for each in fields(self) if each.name not in ("pipeline", "patches")]
        return {name: value for name in names if (value := getattr(self, name)) is not getattr(earlier, name)}

    def without(self, cause: str, pipeline: Pipeline) -> PatchedCandidate | None:
        """Return `pipeline` with all patches but those of one cause; None where it takes no parameters."""
        patched: PatchedCandidate | None = PatchedCandidate(pipeline)
        for patch in self.patches:
            if patched is not None and patch.cause != cause:
                patched = patched.with_patch(patch)
        return patched

    def preprocess(self, image: Image, reference: Trace) -> Trace:
        """Run the candidate's preprocessing with what was put right."""
        pixels = self.pixels(reference, image) if self.pixels is not None else None
        with nullcontext(image) if self.file is None else self.file(image) as file:
            trace = self.pipeline.preprocess(file if pixels is None else pixels)
        if self.has_row:
            trace = replace(trace, shape=reference.shape)
        if self.tensor is not None and trace.tensor is not None:
            trace = replace(trace, tensor=self.tensor(trace.tensor))
        return trace

    def run(self, tensor: Array) -> Array:
        """Run the candidate's network, or `infer` where that is set."""
        return self.infer(tensor) if self.infer is not None else self.pipeline.infer(tensor)

    def postprocess(self, probability_map: Array, shape: Shape) -> Detections:
        """Run the candidate's post-process with what was put right."""
        found = self.pipeline.postprocess(np.array(probability_map, np.float32), shape)  # it may write in place
        size = (int(probability_map.shape[-2]), int(probability_map.shape[-1]))
        return found if self.boxes is None else self.boxes(found, size, shape)


class CannotRunError(Exception):
    """A part of a side was asked to run, and only its recorded trace is there."""


@dataclass
class Recorded:
    """Stands for a side whose preprocessing can't be run again: `preprocess` returns the recorded trace.

    The network and the post-process of `inner` run, where there is one.
    """

    name: str
    recorded: Trace
    inner: Pipeline | None = None

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        """The parameters that the trace recorded."""
        return self.recorded.parameters

    def trace(self, image: Image) -> Trace:
        """Return the recorded trace."""
        return self.recorded

    def preprocess(self, image: Image) -> Trace:
        """Return the recorded trace. Raises CannotRunError where pixels are given."""
        if isinstance(image, np.ndarray):
            raise CannotRunError(f"{self.name} can't be run again")
        return self.recorded

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Run the network of `inner`. Raises CannotRunError where there is none."""
        return self._running_pipeline().infer(tensor)

    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        """Run the post-process of `inner`. Raises CannotRunError where there is none."""
        return self._running_pipeline().postprocess(probability_map, shape)

    def _running_pipeline(self) -> Pipeline:
        if self.inner is None:
            raise CannotRunError(f"{self.name} can't be run again")
        return self.inner
