"""The graphs of both sides are made once, and why one can't be is noted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from diagnosing import on
from networks import Exported, Trained
from toy_graphs import ROWS, ToyGraph

from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.network.side_graphs import candidate_graph, trained_graph
from pytest_ocrparity.tolerance import BUILT_IN


@dataclass
class Port(Exported):
    name: str = "port"
    is_whole: bool = True
    reads: int = 0

    def network_graph(self) -> ToyGraph:
        self.reads += 1
        if not self.is_whole:
            raise OSError("truncated")
        return ToyGraph(ROWS)


def lab_of(port: Exported) -> Laboratory:
    return Laboratory(Comparisons(on(Trained()), on(port), BUILT_IN), 60)


def test_it_is_read_once() -> None:
    port = Port()
    lab = lab_of(port)
    found = candidate_graph(lab)
    assert found is not None and found is candidate_graph(lab)
    assert (port.reads, lab.not_tried) == (1, [])


def test_one_that_cannot_be_read_is_noted_once() -> None:
    port = Port(is_whole=False)
    lab = lab_of(port)
    assert candidate_graph(lab) is candidate_graph(lab) is None
    assert (port.reads, lab.not_tried) == (1, ["the graph of port: OSError: truncated"])


def test_a_side_without_a_graph_is_no_fault() -> None:
    lab = lab_of(Exported(name="port"))
    assert candidate_graph(lab) is None
    assert lab.not_tried == []


def test_a_trained_network_is_traced_once() -> None:
    network: Any = Port()
    other: Any = Port()
    lab = lab_of(Exported(name="port"))
    found = trained_graph(lab, network, "one")
    assert found is not None and found is trained_graph(lab, network, "another")
    assert trained_graph(lab, other, "one") is not found
    assert (network.reads, other.reads, lab.not_tried) == (1, 1, [])


def test_each_experiment_notes_that_a_network_cannot_be_traced() -> None:
    network: Any = Port(is_whole=False)
    lab = lab_of(Exported(name="port"))
    for title in ("one", "another"):
        assert trained_graph(lab, network, title) is None
    assert lab.not_tried == ["one: OSError: truncated", "another: OSError: truncated"]
