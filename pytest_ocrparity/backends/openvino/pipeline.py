"""An export on OpenVINO as a side: PaddleX's own operators around it, recorded after each step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.backends.graphs import program_graph
from pytest_ocrparity.backends.onnx.pipeline import OnnxPipeline
from pytest_ocrparity.backends.onnx.processing import Configured, configure_processing
from pytest_ocrparity.backends.onnx.quantised_file import QuantisedFile
from pytest_ocrparity.backends.onnx.runtime import runtime_arrays
from pytest_ocrparity.backends.openvino.compiled import (
    FULL,
    PRECISION,
    Compiling,
    compile_openvino_model,
    find_openvino_file,
    openvino_engine,
    openvino_fixed_size,
    run_openvino_model,
    split_openvino_options,
)
from pytest_ocrparity.backends.paddlex.program import program_arrays
from pytest_ocrparity.contract import NetworkGraph
from pytest_ocrparity.diagnosis import Alternative, Change, Fix, table_of

PROGRAM = ".pdmodel"


def load_openvino_pipeline(
    *,
    model_dir: Path | None = None,
    model_file: Path | None = None,
    options: Mapping[str, Any] | None = None,
    memory_limit: int | None = None,
    name: str = "inference",
) -> OpenVinoPipeline:
    """Load an export on OpenVINO.

    Args:
        model_dir: a folder that holds an `inference.onnx` or an `inference.pdmodel`.
        model_file: an `.onnx` file, in its place.
        options: values of the processing, over those of the inference.yml; device; and OpenVINO's own properties by
            their names in capitals, which it is compiled with as they are.
        memory_limit: bytes that an image may take; None means what is available.
        name: how messages call this side.

    Raises:
        ModelError: a file, a value, an option or something to import is missing or wrong.
    """
    options = dict(options or {})
    file, config = find_openvino_file(model_dir, model_file)
    compiling, rest = split_openvino_options(options)
    configured = configure_processing(config, rest, file, table_of(name))
    return OpenVinoPipeline(file, config, configured, compiling, options=options, limit=memory_limit, name=name)


class OpenVinoPipeline(OnnxPipeline):
    """An export that OpenVINO runs, with the values that its processing runs with."""

    def __init__(
        self,
        file: Path,
        config: Path | None,
        configured: Configured,
        compiling: Compiling,
        *,
        options: Mapping[str, Any],
        limit: int | None,
        name: str,
    ) -> None:
        """Compile a file; see `load_openvino_pipeline`."""
        self._compiling, self._configured = compiling, configured
        compiled = compile_openvino_model(file, compiling)
        super().__init__(compiled, file, config, configured, [], options=options, limit=limit, name=name)

    def _run_network(self, tensor: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
        return run_openvino_model(self._session, tensor)

    @cached_property
    def _engine_parameters(self) -> dict[str, Any]:
        return {**openvino_engine(self._session), "model_file": self._file.name}

    def fresh(self) -> OpenVinoPipeline:
        """Return this side newly compiled."""
        return OpenVinoPipeline(
            self._file,
            self._config,
            self._configured,
            self._compiling,
            options=self._options,
            limit=self._limit,
            name=self.name,
        )

    def stored_weights(self) -> Mapping[str, npt.NDArray[Any]]:
        """Return the weights in the file by name."""
        return program_arrays(self._file) if self._file.suffix == PROGRAM else runtime_arrays(self._file)

    def network_graph(self) -> NetworkGraph:
        """Return the graph of the file."""
        return program_graph(self._file)

    def quantised_program(self) -> QuantisedFile | None:
        """Return an ONNX file as a quantised one, or None."""
        return None if self._file.suffix == PROGRAM else super().quantised_program()

    def half_program(self) -> None:
        """Return None: in what precision OpenVINO computes its own hint says, whatever the file does."""
        return

    def input_size(self) -> tuple[int, int] | None:
        """Return the height and width that the file takes alone, or None where it takes any."""
        return openvino_fixed_size(self._session)

    def other_engines(self) -> Iterator[Alternative]:
        """Yield the other ways to run the file, with the cause that each would prove."""
        yield Alternative("network.own_code", "the bare engine", lambda given: OpenVinoPipeline.infer(self, given))
        if self._engine_parameters["precision"] == FULL:
            return
        properties = {**self._compiling.properties, PRECISION: FULL}
        compiled = compile_openvino_model(self._file, self._compiling._replace(properties=properties))
        yield in_full_precision(lambda given: run_openvino_model(compiled, given)[0])


def in_full_precision(run: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]) -> Alternative:
    """Return OpenVINO's run of the same file in float32, with the cause that it would prove."""
    text = f'in the deployment, compile the model with {PRECISION} = "{FULL}"; for this test, add the same to '
    fix = Fix(f"{text}inference.options", (Change("inference.options", {PRECISION: FULL}),))
    return Alternative("engine.precision", f"{PRECISION} {FULL}", run, fix)
