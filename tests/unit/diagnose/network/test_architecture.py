"""An export of which it is not known which array is which: what of its graph is read, and when nothing is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from diagnosing import Array, on
from networks import Exported, Network, Trained

from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.contract.network_graph import Node
from pytest_ocrparity.diagnose.budget import BudgetSpentError
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.network.architecture import by_architecture
from pytest_ocrparity.diagnose.network.side_graphs import candidate_graph
from pytest_ocrparity.tolerance import BUILT_IN

OTHER_WEIGHTS = {"k": np.random.default_rng(7).normal(size=(5, 7, 3, 3)).astype(np.float32)}


def nodes(size: int, kernel: tuple[int, ...]) -> list[Node]:
    return [Node("data"), *(Node("conv2d", (place,), kernel=kernel) for place in range(size))]


@dataclass
class Graph:
    """A graph of an engine's that computes nothing else than its side."""

    nodes: Sequence[Node]
    side: Exported | None = None
    output: int = 1

    def run(self, tensor: Array, wanted: Sequence[int], replaced: Mapping[int, Array] | None = None) -> list[Array]:
        assert self.side is not None
        return [self.side.infer(tensor)]


@dataclass(frozen=True)
class Traced(Network):
    traces: list[str] = field(default_factory=list)

    def network_graph(self) -> Graph:
        self.traces.append("train")
        return Graph(nodes(2, (32, 3, 1, 1)))


@dataclass
class Port(Exported):
    kernel: tuple[int, ...] = (5, 7, 3, 3)
    reads: int = 0

    def stored_weights(self) -> Mapping[str, Array]:
        return OTHER_WEIGHTS

    def network_graph(self) -> Graph:
        self.reads += 1
        return Graph(nodes(4, self.kernel), self)


def lab_of(port: Port, network: Network, seconds: float = 60) -> Laboratory:
    return Laboratory(Comparisons(on(Trained(network=network)), on(port), BUILT_IN), seconds)


def test_another_architecture_is_named_and_the_graph_read_once() -> None:
    port, network = Port(name="port", power=2), Traced()
    lab = lab_of(port, network)
    found = by_architecture(lab, lab.candidate.probability_map)
    assert found is not None and found.cause == "network.architecture"
    assert found.evidence[0] == (
        "4 of port's 4 kernels have a shape that train's lack; 4 of its 4 operators with kernels or several inputs are "
        "made of other operators than there"
    )
    assert candidate_graph(lab) is not None
    assert port.reads == 1
    assert network.traces == ["train"]


def test_an_export_without_kernels_in_float32_is_not_compared() -> None:
    port, network = Port(name="port", power=2, kernel=()), Traced()
    lab = lab_of(port, network)
    assert by_architecture(lab, lab.candidate.probability_map) is None
    assert lab.not_tried == ["network.architecture: port stores no kernels in float32"]
    assert lab.noticed == network.traces == []


def test_nothing_is_read_or_traced_when_the_budget_is_spent() -> None:
    port, network = Port(name="port", power=2), Traced()
    for name, reads in (("exported", 0), ("candidate graph", 1)):
        lab = lab_of(port, network)
        if name == "candidate graph":
            assert candidate_graph(lab) is not None
        lab.memo["exported"] = OTHER_WEIGHTS
        lab.budget.used = lab.budget.seconds
        with pytest.raises(BudgetSpentError):
            by_architecture(lab, lab.candidate.probability_map)
        assert (port.reads, network.traces) == (reads, [])
