"""The contract between the core and whatever runs a model: one screen, and no model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from pytest_ocrparity.trace import Image, Shape

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from pytest_ocrparity.trace import Detections, Trace

__all__ = ["Pipeline"]


class Pipeline(Protocol):
    """A model with its pre- and post-processing. Implement it to bring your own engine.

    Two live sides whose `identity` is the same are refused, as they are one model: a mapping in JSON types that names
    everything that could make another result, such as `files` by their sha256, api, options, engine and batch. Without
    one nothing is assumed.

    Only `trace` is needed to compare. With the others, a failed comparison can be explained by experiment: each
    side's tensor through the other's network, each side's map through the other's post-process.

    A diagnosis also asks for what follows, where a side has it. A candidate: `varied(changes)`, the same side with
    other parameters, by stage name those of `parameters`; `parameter_fix(stage, values)`, a `Fix` that says where a
    user sets them; `other_engines()`, which yields an `Alternative` for each other way to run its network;
    `stored_weights()`, its network's arrays by name; `input_size()`, the (height, width) that it takes alone; and
    `written`, by stage name what its yml says. A reference, in addition, what `TrainingPipeline` has.
    """

    name: str

    def trace(self, image: Image) -> Trace:
        """Run all stages; a stage that raises ends the trace there, with `Trace.error` set."""
        ...

    def preprocess(self, image: Image) -> Trace:
        """Run the stages up to the tensor: decode, resize, tensor, shape and their parameters."""
        ...

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the network's first output for a (1, 3, h, w) tensor, (1, C, h, w), as it comes."""
        ...

    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        """Return the boxes of a (1, C, h, w) map in source-image pixels."""
        ...

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        """By stage name, the parameters that take effect whatever the image."""
        ...
