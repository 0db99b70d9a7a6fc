"""The graphs of both sides, which several experiments look at: each is read or traced once."""

from __future__ import annotations

from pytest_ocrparity.contract import HasGraph, NetworkGraph, TrainedNetwork, offered
from pytest_ocrparity.diagnose.laboratory import Laboratory


def candidate_graph(lab: Laboratory) -> NetworkGraph | None:
    """Return the candidate's graph, read once; None, and a note, where it can't be read."""
    if "candidate graph" not in lab.memo:
        lab.budget.check()
        title = f"the graph of {lab.names.candidate}"
        lab.memo["candidate graph"] = lab.ask(lab.candidate, HasGraph, lambda side: side.network_graph(), title)
    found: NetworkGraph | None = lab.memo["candidate graph"]
    return found


def trained_graph(lab: Laboratory, network: TrainedNetwork, title: str) -> NetworkGraph | None:
    """Return the graph of a trained network, traced once; None where it can't be traced, and a note with this title.

    Each experiment that can't have it notes that: notes are of one experiment.
    """
    known: dict[int, NetworkGraph] = lab.memo.setdefault("trained graphs", {})
    source = offered(network, HasGraph)
    if source is not None and id(network) not in known:
        lab.budget.check()
        if (graph := lab.attempt(source.network_graph, title)) is not None:
            known[id(network)] = graph
    return known.get(id(network))
