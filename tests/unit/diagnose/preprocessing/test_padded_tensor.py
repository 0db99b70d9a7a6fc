"""A tensor that lies in a larger one is found by its values; what only has its size is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from diagnosing import seen
from resizing_toy import PAGE, Resizes

from pytest_ocrparity.diagnose import diagnose
from pytest_ocrparity.diagnosis import UNKNOWN
from pytest_ocrparity.trace import Image, Trace


class PadsTensor(Resizes):
    """Pads the tensor by zeros, which are no colour, and leaves the picture as it is."""

    fill: float = 0.0
    spoilt: float = 0.0

    def preprocess(self, image: Image) -> Trace:
        trace = super().preprocess(image)
        assert trace.tensor is not None
        height, width = trace.tensor.shape[2:]
        whole = np.full((1, 3, height + 20, width + 30), self.fill, np.float32)
        whole[..., :height, :width] = trace.tensor
        whole[..., -1, -1] += self.spoilt
        return replace(trace, tensor=whole)


class PadsTensorByTwo(PadsTensor):
    spoilt = 0.5


@pytest.mark.parametrize("has_source", [True, False])
def test_a_padded_tensor_is_found_whatever_it_is_filled_with(has_source: bool) -> None:
    candidate = seen(PadsTensor(name="port"), PAGE)
    found = diagnose(
        reference=seen(Resizes(), PAGE),
        candidate=candidate if has_source else replace(candidate, source=None, resize=None),
    )
    assert found[0].cause == "resize.padding"
    assert "placed at x 0, y 0 of 165x110, the rest filled with [0.0, 0.0, 0.0]" in found[0].summary


@pytest.mark.parametrize("has_source", [True, False])
def test_a_tensor_in_a_border_of_two_values_is_not_called_padded(has_source: bool) -> None:
    candidate = seen(PadsTensorByTwo(name="port"), PAGE)
    found = diagnose(
        reference=seen(Resizes(), PAGE),
        candidate=candidate if has_source else replace(candidate, source=None, resize=None),
    )
    assert {each.cause for each in found if each.stage in ("decode", "resize", "tensor")} == {UNKNOWN}


def test_in_an_empty_tensor_nothing_lies() -> None:
    reference, candidate = seen(Resizes(), PAGE), seen(Resizes(name="port"), PAGE)
    assert candidate.probability_map is not None
    changed = replace(candidate, probability_map=candidate.probability_map * np.float32(0.9))
    empty = replace(reference, tensor=np.zeros((1, 3, 0, 0), np.float32))
    assert {each.cause for each in diagnose(reference=empty, candidate=changed)} == {UNKNOWN}
