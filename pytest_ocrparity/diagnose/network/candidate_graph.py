"""The graph of the candidate's file, which several experiments look at."""

from __future__ import annotations

from pytest_ocrparity.contract import HasGraph, NetworkGraph
from pytest_ocrparity.diagnose.laboratory import Laboratory


def candidate_graph(lab: Laboratory) -> NetworkGraph | None:
    """Return the candidate's graph, read once; None, and a note, where it can't be read."""
    if "candidate graph" not in lab.memo:
        lab.budget.check()
        title = f"the graph of {lab.names.candidate}"
        lab.memo["candidate graph"] = lab.ask(lab.candidate, HasGraph, lambda side: side.network_graph(), title)
    found: NetworkGraph | None = lab.memo["candidate graph"]
    return found
