"""A detector on OpenVINO as a side: PaddleX's own operators around it, recorded after each step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from pytest_ocrparity.backends.onnx.pipeline import OnnxPipeline
from pytest_ocrparity.backends.onnx.processing import Configured, configure_processing
from pytest_ocrparity.backends.openvino.compiled import Compiling, find_openvino_file, split_openvino_options
from pytest_ocrparity.backends.openvino.on_openvino import OnOpenVino
from pytest_ocrparity.diagnosis import Alternative, table_of


def load_openvino_pipeline(
    *,
    model_dir: Path | None = None,
    model_file: Path | None = None,
    options: Mapping[str, Any] | None = None,
    memory_limit: int | None = None,
    name: str = "inference",
) -> OpenVinoPipeline:
    """Load a detector on OpenVINO.

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


class OpenVinoPipeline(OnOpenVino, OnnxPipeline):
    """A detector that OpenVINO runs, with the values that its processing runs with."""

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
        self._compile(file, compiling)
        self._configured = configured
        super().__init__(self._compiled, file, config, configured, [], options=options, limit=limit, name=name)

    @cached_property
    def _engine_parameters(self) -> dict[str, Any]:
        return self._openvino_parameters()

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

    def other_engines(self) -> Iterator[Alternative]:
        """Yield the other ways to run the file, with the cause that each would prove."""
        yield Alternative("network.own_code", "the bare engine", lambda given: OpenVinoPipeline.infer(self, given))
        yield from self._in_full_precision()
