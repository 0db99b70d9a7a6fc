"""Networks as graphs: an exported program, an ONNX file, and a trained network that is traced."""

from __future__ import annotations

from pathlib import Path

from pytest_ocrparity.backends.graphs.legacy_graph import LegacyGraph
from pytest_ocrparity.backends.graphs.onnx_graph import OnnxGraph
from pytest_ocrparity.backends.graphs.pir_graph import PirGraph
from pytest_ocrparity.contract.network_graph import NetworkGraph

__all__ = ["program_graph"]


def program_graph(program: Path) -> NetworkGraph:
    """Return the graph of an exported program, a `.json`, a `.pdmodel` or an `.onnx`. Raises what its reader raises."""
    if program.suffix == ".onnx":
        return OnnxGraph(program)
    return PirGraph(program) if program.suffix == ".json" else LegacyGraph(program)
