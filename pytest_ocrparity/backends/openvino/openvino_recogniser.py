"""A recogniser on OpenVINO as a side: paddlex's own predictor of text recognition, whose network OpenVINO runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from pytest_ocrparity.artifacts.configs import read_config
from pytest_ocrparity.artifacts.families import RECOGNISERS
from pytest_ocrparity.artifacts.model_files import ExportFiles
from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.openvino.compiled import (
    Compiling,
    find_openvino_file,
    is_openvino_recogniser,
    openvino_recogniser_options,
)
from pytest_ocrparity.backends.openvino.on_openvino import OnOpenVino
from pytest_ocrparity.backends.openvino.pipeline import OpenVinoPipeline, load_openvino_pipeline
from pytest_ocrparity.backends.paddlex.deployed import TEXT_RECOGNITION, Deployed
from pytest_ocrparity.backends.paddlex.deployed_recogniser import DeployedRecogniser
from pytest_ocrparity.backends.paddlex.pipeline import read_export
from pytest_ocrparity.backends.paddlex.predictor import (
    TextPredictor,
    build_predictor,
    import_predictor_packages,
)
from pytest_ocrparity.diagnosis import Alternative
from pytest_ocrparity.errors import ModelError


def load_openvino_side(
    *,
    model_dir: Path | None = None,
    model_file: Path | None = None,
    options: Mapping[str, Any] | None = None,
    memory_limit: int | None = None,
    name: str = "inference",
) -> OpenVinoPipeline | OpenVinoRecogniser:
    """Load a detector or a recogniser on OpenVINO, as the inference.yml says.

    Args:
        model_dir: a folder that holds an `inference.onnx` or an `inference.pdmodel`.
        model_file: an `.onnx` file of a detector, in its place.
        options: see `load_openvino_pipeline`; of a recogniser `input_shape`, device, and OpenVINO's own properties.
        memory_limit: bytes that an image may take; None means what is available.
        name: how messages call this side.

    Raises:
        ModelError: a file, a value, an option or something to import is missing or wrong.
    """
    file, config = find_openvino_file(model_dir, model_file)
    if model_dir is None or config is None or not is_openvino_recogniser(config):
        given: dict[str, Any] = {"model_dir": model_dir, "model_file": model_file, "memory_limit": memory_limit}
        return load_openvino_pipeline(**given, options=options, name=name)
    options = dict(options or {})
    compiling, own = openvino_recogniser_options(options)
    deployed = Deployed(name=name, options=options, memory_limit=memory_limit)
    settings = read_config(config).get("Global")
    is_named = isinstance(settings, Mapping) and bool(settings.get("model_name"))
    # Exports of PaddleOCR 2.x have no name, which paddlex's predictor asks for, and no setting gives one here.
    export, deployed = read_export(model_dir, None if is_named else RECOGNISERS.model_name, TEXT_RECOGNITION, deployed)
    side = OpenVinoRecogniser(export, deployed, file, compiling, own)
    side.check()
    return side


class OpenVinoRecogniser(OnOpenVino, DeployedRecogniser):
    """A recogniser that OpenVINO runs; what is done around it is paddlex's."""

    def __init__(
        self, export: ExportFiles, deployed: Deployed, file: Path, compiling: Compiling, own: Mapping[str, Any]
    ) -> None:
        """Compile a file, and make paddlex's predictor around it; see `load_openvino_side`."""
        self._compile(file, compiling)
        import_predictor_packages()
        with isolated():
            from paddlex.inference.models.text_recognition import predictor as module

            if not hasattr(module, "TextRecRunnerPredictor"):
                raise ModelError("a recogniser on OpenVINO needs paddlex 3.7 or later, whose predictor takes a network")
            made = partial(module.TextRecRunnerPredictor, runner=self._run)
            arguments = {"model_dir": export.folder, "model_name": deployed.model_name, **own}
            inner = build_predictor(made, arguments, export, deployed)
            model = SimpleNamespace(paddlex_predictor=inner, predict=inner.predict)
            tapped = TextPredictor(model, {})
        load = partial(OpenVinoRecogniser, export, deployed, file, compiling, own)
        super().__init__(tapped, export, deployed, load)

    def _loaded_file(self, export: ExportFiles) -> Path | None:
        return self._file

    def _run(self, x: list[Any]) -> list[Any]:
        return self._run_network(np.asarray(x[0]))

    def _engine_parameters(self) -> dict[str, Any]:
        return self._openvino_parameters()

    def other_engines(self) -> Iterator[Alternative]:
        """Yield the other ways to run the file, with the cause that each would prove."""
        yield Alternative("network.own_code", "the bare engine", lambda given: OpenVinoRecogniser.infer(self, given))
        yield from self._in_full_precision()
