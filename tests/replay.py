"""A pipeline over traces that exist already: recorded ones, or made by hand. Runs no model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.errors import ImageError, StageError
from pytest_ocrparity.stages import DECODE, PROBABILITY_MAP, RESIZE, TENSOR
from pytest_ocrparity.trace import Detections, Image, Shape, Trace

__all__ = ["ReplayPipeline"]

Infer = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]
Postprocess = Callable[[npt.NDArray[np.float32], Shape], Detections]


class ReplayPipeline:
    """Gives back the traces it was made with, by image name.

    `infer` and `postprocess` answer for tensors and maps that are not among the traces; without them such a question
    raises StageError.
    """

    def __init__(
        self,
        traces: Iterable[Trace],
        *,
        name: str = "replay",
        infer: Infer | None = None,
        postprocess: Postprocess | None = None,
    ) -> None:
        self.name = name
        self._traces = {trace.image: replace(trace, pipeline=name, source=self) for trace in traces}
        self._infer, self._postprocess = infer, postprocess

    def trace(self, image: Image) -> Trace:
        """Return the trace of that image name. Raises ImageError where there is none."""
        name = "" if isinstance(image, np.ndarray) else Path(image).as_posix()
        if name not in self._traces:
            raise ImageError(f"{name or 'this array'}: {self.name} holds no trace of it; it has {sorted(self._traces)}")
        return self._traces[name]

    def preprocess(self, image: Image) -> Trace:
        """Return the trace up to its tensor."""
        trace = self.trace(image)
        parameters = {stage: trace.parameters[stage] for stage in (DECODE, RESIZE, TENSOR) if stage in trace.parameters}
        return replace(trace, probability_map=None, detections=None, parameters=parameters)

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the recorded map of that very tensor, else what `infer` says."""
        for trace in self._traces.values():
            if trace.tensor is not None and trace.probability_map is not None and np.array_equal(trace.tensor, tensor):
                return trace.probability_map
        if self._infer is None:
            raise StageError(PROBABILITY_MAP, f"{self.name} replays recorded maps and has none for this tensor")
        return self._infer(tensor)

    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        """Return what `postprocess` says, else the recorded boxes of that very map."""
        if self._postprocess is not None:
            return self._postprocess(probability_map, shape)
        for trace in self._traces.values():
            same = trace.probability_map is not None and np.array_equal(trace.probability_map, probability_map)
            if same and trace.shape == shape and trace.detections is not None:
                return trace.detections
        raise StageError("detections", f"{self.name} replays recorded boxes and has none for this map")

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the parameters of the first trace."""
        return next(iter(self._traces.values())).parameters if self._traces else {}
