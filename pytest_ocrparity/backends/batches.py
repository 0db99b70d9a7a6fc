"""Runs images through a side as one batch: by its own `trace_batch`, else by `infer` of their stacked tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.contract import Pipeline, ReadsMaps, RunsBatches, offered
from pytest_ocrparity.errors import StageError
from pytest_ocrparity.stages import PROBABILITY_MAP
from pytest_ocrparity.trace import Image, Trace

PARTS: Final = ("preprocess", "infer", "postprocess")
"""What a side must have to run a batch without a `trace_batch`."""


def overrides_batch_parts(side: object, base: type[object]) -> bool:
    """Tell whether a subclass has other parts than its base, whose way to run a batch is then not its own."""
    return any(getattr(type(side), name) is not getattr(base, name) for name in PARTS)


def can_trace_batches(side: object) -> bool:
    """Tell whether a side can be asked for a batch."""
    return offered(side, RunsBatches) is not None or all(
        callable(getattr(side, name, None)) for name in parts_for_batches(side)
    )


def parts_for_batches(side: object) -> tuple[str, ...]:
    """Return the methods by which a side runs a batch without a `trace_batch`; a recogniser's last is another."""
    return (*PARTS[:-1], "read_map") if offered(side, ReadsMaps) is not None else PARTS


def trace_batch(side: Pipeline, images: Sequence[Image]) -> list[Trace]:
    """Run images through a side as one batch; return a trace of each, in their order.

    Raises:
        StageError: the side returns other than one trace or one map for each image.
        Exception: whatever stops the side.
    """
    own = offered(side, RunsBatches)
    traces = trace_stacked_batch(side, images) if own is None else list(own.trace_batch(images))
    if len(traces) != len(images):
        raise StageError(PROBABILITY_MAP, f"of {len(images)} images in a batch, {len(traces)} results came back")
    return traces


def trace_stacked_batch(side: Pipeline, images: Sequence[Image]) -> list[Trace]:
    """Preprocess each image, run the network once on all tensors, and make the boxes or the text of each map.

    Raises:
        StageError: a stage stops, or the network returns other than one map for each tensor.
        Exception: what the side raises.
    """
    traces = [side.preprocess(image) for image in images]
    tensors = [trace.tensor for trace in traces if trace.error is None and trace.tensor is not None]
    if len(tensors) < len(traces):
        stopped = next((trace.error for trace in traces if trace.error is not None), None)
        raise stopped or StageError(PROBABILITY_MAP, "preprocess returns no tensor")
    maps = np.asarray(side.infer(np.concatenate(tensors)))
    if len(maps) != len(traces):
        text = f"infer was given a batch of {len(traces)} tensors, {_shape(tensors)}, and returned {maps.shape}"
        wanted = "(N, C, h, w)" if offered(side, ReadsMaps) is None else "(N, T, C)"
        raise StageError(PROBABILITY_MAP, f"{text}: a map for each, {wanted}, is right")
    return [
        _with_product(side, replace(trace, probability_map=np.array(maps[index : index + 1]), source=side))
        for index, trace in enumerate(traces)
    ]


def _with_product(side: Pipeline, trace: Trace) -> Trace:
    """Return a trace that holds a map with what the side makes of it: a text, or boxes."""
    assert trace.probability_map is not None
    probability_map = np.array(trace.probability_map)  # it may write in place
    if (reader := offered(side, ReadsMaps)) is not None:
        return replace(trace, recognition=reader.read_map(probability_map))
    assert trace.shape is not None
    return replace(trace, detections=side.postprocess(probability_map, trace.shape))


def _shape(tensors: Sequence[npt.NDArray[np.float32]]) -> tuple[int, ...]:
    return (sum(len(tensor) for tensor in tensors), *tensors[0].shape[1:])
