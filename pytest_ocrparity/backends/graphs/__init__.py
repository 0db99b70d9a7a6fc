"""Networks as graphs: an exported program, an ONNX file, and a trained network that is traced."""

from __future__ import annotations

from pathlib import Path

from pytest_ocrparity.backends.graphs.fake_quantised import ROUNDS, FakeQuantisedProgram
from pytest_ocrparity.backends.graphs.legacy_graph import LegacyGraph
from pytest_ocrparity.backends.graphs.pir_graph import PirGraph
from pytest_ocrparity.contract.network_graph import NetworkGraph

__all__ = ["fake_quantised_program", "program_graph"]


def program_graph(program: Path) -> NetworkGraph:
    """Return the graph of an exported program, a `.json` or a `.pdmodel`. Raises what its reader raises."""
    return PirGraph(program) if program.suffix == ".json" else LegacyGraph(program)


def fake_quantised_program(program: Path) -> FakeQuantisedProgram | None:
    """Return a `.json` program with its fake-quantised operators; None where it has none, and of a `.pdmodel`."""
    if program.suffix != ".json" or ROUNDS.partition(".")[2].encode() not in program.read_bytes():
        return None
    return FakeQuantisedProgram(program)
