"""What a side offers whose network is an `.onnx` file: its weights, its graph, and how it is rounded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

from pytest_ocrparity.backends.graphs.onnx_graph import OnnxGraph
from pytest_ocrparity.backends.onnx.half_file import HalfFile
from pytest_ocrparity.backends.onnx.quantised_file import QuantisedFile
from pytest_ocrparity.backends.onnx.runtime import (
    CPU,
    Provider,
    runtime_arrays,
    runtime_half,
    runtime_quantised,
)
from pytest_ocrparity.contract import NetworkGraph


class ReadableFile:
    """A side that has such a file. Each method raises ModelError where it cannot be read."""

    _file: Path
    _providers: Sequence[Provider] = (Provider(CPU, {}),)

    def stored_weights(self) -> Mapping[str, npt.NDArray[Any]]:
        """Return the weights in the file by name."""
        return runtime_arrays(self._file)

    def network_graph(self) -> NetworkGraph:
        """Return the graph of the file."""
        return OnnxGraph(self._file)

    def quantised_program(self) -> QuantisedFile | None:
        """Return the file as a quantised one, or None."""
        return runtime_quantised(self._file)

    def half_program(self) -> HalfFile | None:
        """Return a file that computes in float16, or None."""
        return runtime_half(self._file, self._providers)
