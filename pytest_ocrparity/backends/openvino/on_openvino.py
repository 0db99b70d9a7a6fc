"""What the sides of detectors and recognisers on OpenVINO have in common: one file, compiled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.backends.network_file import NetworkFile
from pytest_ocrparity.backends.openvino.compiled import (
    FULL,
    PRECISION,
    Compiling,
    compile_openvino_model,
    openvino_engine,
    openvino_fixed_size,
    run_openvino_model,
)
from pytest_ocrparity.diagnosis import Alternative, Change, Fix


class OnOpenVino(NetworkFile):
    """The network of a side, which OpenVINO runs, and what is known of its file."""

    _file: Path
    _compiling: Compiling
    _compiled: Any

    def _compile(self, file: Path, compiling: Compiling) -> None:
        """Compile a file. Raises ModelError where OpenVINO refuses it."""
        self._file, self._compiling = file, compiling
        self._compiled = compile_openvino_model(file, compiling)

    def _run_network(self, tensor: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
        return run_openvino_model(self._compiled, tensor)

    def _openvino_parameters(self) -> dict[str, Any]:
        return {**openvino_engine(self._compiled), "model_file": self._file.name}

    def half_program(self) -> None:
        """Return None: in what precision OpenVINO computes its own hint says, whatever the file does."""
        return

    def input_size(self) -> tuple[int, int] | None:
        """Return the height and width that the file takes alone, or None where it takes any."""
        return openvino_fixed_size(self._compiled)

    def _in_full_precision(self) -> Iterator[Alternative]:
        """Yield OpenVINO's run of the same file in float32, where it computes otherwise."""
        if self._openvino_parameters()["precision"] == FULL:
            return
        properties = {**self._compiling.properties, PRECISION: FULL}
        compiled = compile_openvino_model(self._file, self._compiling._replace(properties=properties))
        yield in_full_precision(lambda given: run_openvino_model(compiled, given)[0])


def in_full_precision(run: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]) -> Alternative:
    """Return OpenVINO's run of the same file in float32, with the cause that it would prove."""
    text = f'in the deployment, compile the model with {PRECISION} = "{FULL}"; for this test, add the same to '
    fix = Fix(f"{text}inference.options", (Change("inference.options", {PRECISION: FULL}),))
    return Alternative("engine.precision", f"{PRECISION} {FULL}", run, fix)
