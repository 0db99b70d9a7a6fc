"""Images through a side as one batch: by its own code, else by its network on their stacked tensors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from diagnosing import GREY, PAGES
from toy import PAGE, Toy

from pytest_ocrparity import Trace
from pytest_ocrparity.backends.batches import can_trace_batches, overrides_batch_parts, trace_batch
from pytest_ocrparity.errors import StageError
from pytest_ocrparity.trace import Image

Array = npt.NDArray[np.float32]


def test_tensors_are_stacked_and_the_network_runs_once() -> None:
    side = Toy()
    alone = [side.trace(image) for image in PAGES]
    side.runs = 0
    together = trace_batch(side, PAGES)
    assert side.runs == 1
    for one, other in zip(alone, together, strict=True):
        assert one.tensor is not None and other.tensor is not None
        assert np.array_equal(one.tensor, other.tensor)
        assert one.probability_map is not None and other.probability_map is not None
        assert other.probability_map.shape == one.probability_map.shape
        assert np.array_equal(one.probability_map, other.probability_map)
        assert one.detections == other.detections
        assert other.source is side


def test_its_own_code_runs_where_it_has_some() -> None:
    class Own(Toy):
        def trace_batch(self, images: Sequence[Image]) -> list[Trace]:
            return [self.trace(image) for image in images][::-1]

    side = Own()
    first, second = trace_batch(side, [PAGE, GREY])
    assert second.decode == side.trace(PAGE).decode != first.decode


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            lambda maps: maps[:1],
            r"a batch of 2 tensors, \(2, 3, 64, 96\), and returned \(1, 1, 64, 96\): a map for each",
        ),
        (lambda maps: maps.reshape(-1), "a map for each"),
    ],
)
def test_other_than_a_map_for_each_tensor_is_an_error(change: object, text: str) -> None:
    class Wrong(Toy):
        def infer(self, tensor: Array) -> Array:
            return change(super().infer(tensor))  # type: ignore[operator, no-any-return]

    with pytest.raises(StageError, match=text):
        trace_batch(Wrong(), [PAGE, GREY])


def test_other_than_a_result_for_each_image_is_an_error() -> None:
    class Loses(Toy):
        def trace_batch(self, images: Sequence[Image]) -> list[Trace]:
            return [self.trace(images[0])]

    with pytest.raises(StageError, match="of 2 images in a batch, 1 results came back"):
        trace_batch(Loses(), [PAGE, GREY])


def test_tensors_of_two_sizes_are_numpys_error() -> None:
    with pytest.raises(ValueError, match="dimensions"):
        trace_batch(Toy(), [PAGE, PAGE[:32]])


def test_what_stops_before_the_network_is_raised() -> None:
    class Stops(Toy):
        def preprocess(self, image: Image) -> Trace:
            return Trace(pipeline=self.name, image="page.png", error=StageError("resize", "too wide"))

    with pytest.raises(StageError, match="too wide"):
        trace_batch(Stops(), [PAGE, GREY])


def test_a_side_that_only_traces_runs_none() -> None:
    class Traces:
        def trace(self, image: Image) -> Trace:
            return Toy().trace(image)

    assert can_trace_batches(Toy())
    assert not can_trace_batches(Traces())


def test_a_subclass_with_a_network_of_its_own_is_told_apart() -> None:
    class Same(Toy):
        pass

    class Other(Toy):
        def infer(self, tensor: Array) -> Array:
            return super().infer(tensor)

    assert not overrides_batch_parts(Same(), Toy)
    assert overrides_batch_parts(Other(), Toy)
