"""What a side offers whose network lies in a file, of Paddle or ONNX: its weights, its graph, and how it is rounded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy.typing as npt

from pytest_ocrparity.backends.graphs import fake_quantised_program, program_graph
from pytest_ocrparity.backends.graphs.onnx_graph import OnnxGraph
from pytest_ocrparity.backends.onnx.runtime import (
    CPU,
    Provider,
    runtime_arrays,
    runtime_half,
    runtime_quantised,
    runtime_shape_error,
)
from pytest_ocrparity.backends.paddlex.program import is_program_in_train_mode, program_arrays
from pytest_ocrparity.backends.staged import StagedSide
from pytest_ocrparity.contract.network_graph import NetworkGraph
from pytest_ocrparity.contract.quantised_programs import HalfProgram, QuantisedProgram
from pytest_ocrparity.errors import ModelError

PROGRAMS: Final = (".json", ".pdmodel")
"""How the files of Paddle's programs end."""


class NetworkFile(StagedSide):
    """A side that runs such a file. Of a file that cannot be read, each method raises what its reader raises."""

    _file: Path | None
    """None where an engine runs something that is not read here."""
    _providers: Sequence[Provider] = (Provider(CPU, {}),)
    """What ONNX Runtime is to run a part of an ONNX file on."""

    @property
    def _program(self) -> Path | None:
        """The file, where it is a program of Paddle."""
        return self._file if self._file is not None and self._file.suffix in PROGRAMS else None

    def stored_weights(self) -> Mapping[str, npt.NDArray[Any]]:
        """Return the arrays in the file by the names that they have there, as far as there are any that are read."""
        if self._program is not None:
            return program_arrays(self._program)
        return {} if self._file is None else runtime_arrays(self._file)

    def stores_all_weights(self) -> bool:
        """Return whether the file is a program of Paddle, whose arrays are all read."""
        return self._program is not None

    def network_graph(self) -> NetworkGraph:
        """Return the graph of the file."""
        if self._file is None:
            raise ModelError("not read: what runs is neither a program of Paddle nor an ONNX file")
        return OnnxGraph(self._file) if self._program is None else program_graph(self._program)

    def quantised_program(self) -> QuantisedProgram | None:
        """Return the file as a quantised program, or None."""
        if self._program is not None:
            return fake_quantised_program(self._program)
        return None if self._file is None else runtime_quantised(self._file)

    def half_program(self) -> HalfProgram | None:
        """Return an ONNX file that computes in float16, or None."""
        if self._file is None or self._program is not None:
            return None
        return runtime_half(self._file, self._providers)

    def is_in_train_mode(self) -> bool | None:
        """Return whether a program was written in training mode; None where it, or an ONNX file, does not say."""
        return None if self._program is None else is_program_in_train_mode(self._program)

    def describe_error(self, error: BaseException) -> str:
        """Return what a stage raised, in the words of messages; a size or batch that the file does not take by both."""
        return runtime_shape_error(error) or super().describe_error(error)
