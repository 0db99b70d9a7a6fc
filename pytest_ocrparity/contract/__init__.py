"""The contract between the core and whatever runs a model: `Pipeline`, and what else a side may offer.

`Pipeline.trace` is enough to compare. Each further protocol holds what one sort of experiment asks for, and each may be
left out: a side has it where it has members of these names, and needs no base class. A member that raises ends its
experiment, which the message then lists as not tried, with the error.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar, cast

from pytest_ocrparity.contract.network_graph import HasGraph, NetworkGraph, Node
from pytest_ocrparity.contract.quantised_programs import (
    ComputesInHalf,
    HalfProgram,
    IsQuantised,
    QuantisedProgram,
    RoundedOperator,
)
from pytest_ocrparity.contract.recognisers import (
    HasCharacters,
    NamesDictionary,
    ReadsMaps,
    Recogniser,
    ReordersTexts,
    ResizesLines,
)
from pytest_ocrparity.contract.stored_arrays import StoresAllWeights, StoresWeights
from pytest_ocrparity.trace import Detections, Image, Shape, Trace

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from pytest_ocrparity.diagnosis import Alternative, Fix

__all__ = [
    "ChangesPictures",
    "ComputesInHalf",
    "Declares",
    "Exports",
    "FusesBranches",
    "HalfProgram",
    "HasCharacters",
    "HasExport",
    "HasGraph",
    "HasIdentity",
    "HasInputSize",
    "HasLaterSteps",
    "HasOtherOutputs",
    "HasSettingsTable",
    "HasTrainedNetwork",
    "IsQuantised",
    "LeaksGlobals",
    "NamesDictionary",
    "NetworkGraph",
    "Node",
    "Pipeline",
    "PostprocessesWith",
    "QuantisedProgram",
    "ReadsMaps",
    "Recogniser",
    "Rectifies",
    "ReordersTexts",
    "ResizesLines",
    "ResizesPictures",
    "ResizesTo",
    "RoundedOperator",
    "RunsBatches",
    "RunsOtherwise",
    "SaysMode",
    "SetsAttributes",
    "StartsAnew",
    "StoresAllWeights",
    "StoresWeights",
    "TakesParameters",
    "TracesAnew",
    "TrainedNetwork",
    "UsesRandomOperators",
    "WasGiven",
    "WordsFixes",
    "offered",
    "pipeline_of",
    "trace_anew",
]

Parameters: TypeAlias = "Mapping[str, Mapping[str, Any]]"
"""By stage name, values by parameter name, both as PaddleOCR calls them."""


class Pipeline(Protocol):
    """A model with its pre- and post-processing. Implement it to bring your own engine.

    Only `trace` is needed to compare. With the others, a failed comparison can be explained by experiment: each
    side's tensor through the other's network, each side's map through the other's post-process.
    """

    name: str

    def trace(self, image: Image) -> Trace:
        """Run all stages; a stage that raises ends the trace there, with `Trace.error` set."""
        ...

    def preprocess(self, image: Image) -> Trace:
        """Run the stages up to the tensor: decode, resize, tensor, shape and their parameters."""
        ...

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the network's first output for a (1, 3, h, w) tensor, (1, C, h, w), as it comes.

        Where batches are asked for, it is given (N, 3, h, w) as well, and returns (N, C, h, w); see `RunsBatches`.
        """
        ...

    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        """Return the boxes of a (1, C, h, w) map in source-image pixels."""
        ...

    @property
    def parameters(self) -> Parameters:
        """The parameters that take effect whatever the image."""
        ...


class HasIdentity(Protocol):
    """States an identity that distinguishes this side from others."""

    @property
    def identity(self) -> Mapping[str, Any]:
        """Everything that could make another result, in JSON types: `files` by their sha256, api, options, engine.

        Two live sides whose identity is the same are refused, as they are one model. Without one nothing is assumed.
        """
        ...


class HasSettingsTable(Protocol):
    """Was loaded by the settings."""

    @property
    def table(self) -> str:
        """The settings table, such as "inference" or "candidates.onnx", in which fixes are worded."""
        ...


class Declares(Protocol):
    """Has a YAML file beside its model."""

    @property
    def written(self) -> Parameters:
        """What the file says, which may be overruled."""
        ...


class WasGiven(Protocol):
    """Knows who set its parameters."""

    @property
    def given(self) -> Mapping[str, Mapping[str, str]]:
        """By stage and parameter name, by what a value that ran was set, such as "inference.options"."""
        ...


class TakesParameters(Protocol):
    """A candidate that can run with other parameters."""

    def varied(self, changes: Parameters) -> Pipeline:
        """Return another side with these parameters changed, None to remove one; this one stays as it is."""
        ...


class WordsFixes(Protocol):
    """A candidate that knows where a user sets its parameters."""

    def parameter_fix(self, stage: str, values: Mapping[str, Any]) -> Fix:
        """Return how a user sets these parameters of a stage; None is to be removed."""
        ...


class RunsBatches(Protocol):
    """A candidate whose own code runs several images at once; else tensors of single images are stacked for `infer`."""

    def trace_batch(self, images: Sequence[Image]) -> list[Trace]:
        """Run all images as one batch; return a trace of each, in their order. What stops the batch is raised."""
        ...


class TracesAnew(Protocol):
    """A side that keeps traces, and can do without."""

    def trace_anew(self, image: Image) -> Trace:
        """Run all stages as `trace` does, whatever was traced before, and keep nothing."""
        ...


class StartsAnew(Protocol):
    """A candidate that can be loaded again."""

    def fresh(self) -> Pipeline:
        """Return this side as it is newly loaded, when nothing has run on it; this one stays as it is."""
        ...


class RunsOtherwise(Protocol):
    """A candidate whose network can be run in other ways."""

    def other_engines(self) -> Iterator[Alternative]:
        """Yield each other way to run the same program: another engine, or without an optimisation."""
        ...


class HasOtherOutputs(Protocol):
    """A candidate whose network has several outputs."""

    def other_outputs(self, tensor: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
        """Return every output but the first for a (1, 3, h, w) tensor."""
        ...


class HasInputSize(Protocol):
    """A candidate whose network may take one size alone."""

    def input_size(self) -> tuple[int, int] | None:
        """Return the (height, width) in pixels that it takes alone, or None."""
        ...


class SaysMode(Protocol):
    """Has a program that says in which mode its network was written."""

    def is_in_train_mode(self) -> bool | None:
        """Return whether it was written in training mode; None where the program does not say."""
        ...


class HasExport(Protocol):
    """A candidate that was loaded from an export directory."""

    @property
    def model_dir(self) -> Path:
        """The directory."""
        ...

    @property
    def model_name(self) -> str:
        """PaddleX's name of the model."""
        ...


class HasLaterSteps(Protocol):
    """A candidate whose own code works on the boxes after `postprocess` has returned them."""

    @property
    def later_steps(self) -> str:
        """What does so, in words; nothing where nothing does."""
        ...


class Rectifies(Protocol):
    """A candidate that may turn or unwarp an image before anything else, and leaves the boxes in that frame."""

    def rectified(self, image: Image) -> npt.NDArray[np.uint8] | None:
        """Return the (h, w, 3) BGR picture in whose frame the boxes are; None where it is the image itself."""
        ...


class FusesBranches(Protocol):
    """A reference whose network an export re-parameterises."""

    def infer_fused(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32] | None:
        """Return the map of the copy with fused branches, or None where the network has none."""
        ...


class ResizesTo(Protocol):
    """A reference that can resize to another size."""

    def preprocess_at(self, image: Image, size: tuple[int, int]) -> Trace:
        """Run the stages up to the tensor with (height, width) in pixels in the place of its limits."""
        ...


class ResizesPictures(Protocol):
    """A reference whose resize can be run by itself, which takes less than all that leads to a tensor."""

    def resized_to(self, pixels: npt.NDArray[np.uint8], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
        """Return (H, W, 3) pixels as `ResizesTo.preprocess_at` would resize them to (height, width)."""
        ...


class ChangesPictures(Protocol):
    """A reference that can make pictures as other code does."""

    def resampled(
        self, pixels: npt.NDArray[np.uint8], size: tuple[int, int]
    ) -> Iterator[tuple[str, npt.NDArray[np.uint8]]]:
        """Yield (H, W, 3) pixels resized to (height, width) by other interpolations, each with its name."""
        ...

    def recoded(self, pixels: npt.NDArray[np.uint8]) -> Iterator[tuple[str, npt.NDArray[np.uint8]]]:
        """Yield (H, W, 3) BGR pixels after a change that keeps their size, each with its name."""
        ...


class PostprocessesWith(Protocol):
    """A reference whose post-process can be built with other values."""

    def postprocess_with(self, values: Mapping[str, Any]) -> Callable[[npt.NDArray[np.float32], Shape], Detections]:
        """Return what `Pipeline.postprocess` would be with these values of its parameters.

        Beside them `min_size`, the shorter side on the map below which boxes are dropped; `rectangles`: "upright" ones
        in place of the smallest, or "upright, last pixel included"; `kernel`: the side of the square by which the
        binary map is dilated, or eroded if it is negative; `unclip_distance`: px of the map by which each box grows, in
        place of `unclip_ratio`; `unclip`: "no unclip", where no box grows, "no unclip, and no check of its size after",
        or "unclip_ratio 0"; `score`: "largest" value within a box in place of the mean; `map_size`: "page", where
        the map is scaled to the page before anything else. What it does not know it refuses.
        """
        ...


class UsesRandomOperators(Protocol):
    """A reference whose transforms may hold random operators."""

    def random_operators(self) -> tuple[str, ...]:
        """Return their names."""
        ...

    def without_random(self) -> Pipeline:
        """Return this side without them."""
        ...


class LeaksGlobals(Protocol):
    """A reference whose operators may take values from the YAML file's `Global`."""

    def leaked(self) -> Mapping[str, str]:
        """Return by key of `Global` that reached an operator, the stage that it changes."""
        ...

    def without_leak(self) -> Pipeline:
        """Return this side built without these keys."""
        ...


class Exports(Protocol):
    """A reference that knows how it is exported."""

    def export_command(self, folder: Path | None = None, model_name: str | None = None) -> str:
        """Return the clause of a fix that exports it into a directory, under PaddleX's name of the model.

        Such as "export again: " and a shell command, or which script is to be run again.
        """
        ...


class TrainedNetwork(Protocol):
    """The network of a train side, as experiments with weights use it."""

    @property
    def fused(self) -> TrainedNetwork | None:
        """The copy with fused branches, or None."""
        ...

    @property
    def used(self) -> tuple[str, ...]:
        """The parameters' names in the order in which the network uses them."""
        ...

    def run(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the map of a (1, 3, h, w) tensor."""
        ...

    def arrays(self) -> Mapping[str, npt.NDArray[Any]]:
        """Return its arrays by paddle's parameter names."""
        ...

    def keys(self) -> Mapping[str, str]:
        """Return the checkpoint's keys by paddle's parameter names."""
        ...

    def with_arrays(self, arrays: Mapping[str, npt.NDArray[Any]]) -> TrainedNetwork:
        """Return a copy with other arrays, by paddle's parameter names."""
        ...


class SetsAttributes(Protocol):
    """A trained network whose layers can be given other attributes."""

    def with_attributes(self, layer: str, values: Mapping[str, Any]) -> TrainedNetwork | None:
        """Return a copy with other attributes of a layer, by their names in a program; None where it has none of them.

        "operator" stands for an activation in the place of the layer.
        """
        ...


class HasTrainedNetwork(Protocol):
    """A reference whose network was built from a checkpoint."""

    @property
    def network(self) -> TrainedNetwork:
        """The network."""
        ...


Offer = TypeVar("Offer")


def offered(source: object, offer: type[Offer]) -> Offer | None:
    """Return a side as one that offers something, or None where it lacks a member of it."""
    names = contract_members(offer)
    return cast("Offer", source) if names and all(_has(source, name) for name in names) else None


def contract_members(offer: type[object]) -> list[str]:
    """Return the names of what an offer consists of."""
    return [name for name in (*vars(offer), *vars(offer).get("__annotations__", ())) if not name.startswith("_")]


def _has(source: object, name: str) -> bool:
    """Return whether a side has a member; a property that raises is there, and whoever reads it learns why."""
    if inspect.getattr_static(source, name, None) is not None:
        return True
    try:
        return hasattr(source, name)  # a wrapper that hands on what it does not have itself
    except Exception:
        return True


def pipeline_of(trace: Trace) -> Pipeline | None:
    """Return what made a trace and can run parts of it again, or None where it gives no source.

    A user's own may lack everything but `trace`: whoever runs a part is ready for what it raises.
    """
    return cast("Pipeline | None", trace.source)


def trace_anew(side: Pipeline, image: Image) -> Trace:
    """Return the trace of an image that is run now, and not one that the side has kept, as far as it can do without."""
    anew = offered(side, TracesAnew)
    return side.trace(image) if anew is None else anew.trace_anew(image)
