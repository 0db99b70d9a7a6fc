"""What a network with another operator in a place counts of the network runs of a diagnosis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from toy_graphs import ROWS, ToyGraph

from pytest_ocrparity.diagnose.layers.proved_attribute import WithOperator, runs_of

TENSOR = np.random.default_rng(3).normal(size=(1, 3, 16, 16)).astype(np.float32)


class Doubles:
    """Runs one operator alone: twice its input."""

    def operator_output(
        self, operator: str, attributes: Mapping[str, Any], array: np.ndarray, shape: Sequence[int]
    ) -> np.ndarray:
        assert (operator, attributes, array.shape) == ("relu", {"by": 2}, tuple(shape))
        return np.asarray(np.maximum(array, 0) * np.float32(2))


def test_every_run_of_the_network_counts() -> None:
    network = ToyGraph(ROWS)
    run = WithOperator(network, 3, Doubles(), "relu", {"by": 2})
    made = run(TENSOR)
    assert network.runs == runs_of(run) == 2
    other = ToyGraph(ROWS, {3: lambda array: array * np.float32(2)})
    np.testing.assert_array_equal(made, other.run(TENSOR, [other.output])[0])
    assert runs_of(lambda tensor: network.run(tensor, [network.output])[0]) == 1
