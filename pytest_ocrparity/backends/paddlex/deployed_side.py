"""What the deployed sides of detectors and recognisers have in common: paddleocr's predictor, recorded after each step.

The class's own `predict` runs for every question, so paddlex's choice of parameters is part of what is compared.
Nothing of the processing is done here.
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.artifacts.model_files import ONNX, ExportFiles, fingerprint_export_files
from pytest_ocrparity.backends.decoders import UNREADABLE, image_with_orientation
from pytest_ocrparity.backends.effective_parameters import effective_predictor_engine
from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.memory_guard import MemoryGuard, Watched
from pytest_ocrparity.backends.network_file import NetworkFile
from pytest_ocrparity.backends.onnx.runtime import CUDA, check_providers, runtime_fixed_size
from pytest_ocrparity.backends.paddlex.deployed import API_OF, Deployed
from pytest_ocrparity.backends.paddlex.engines import other_engines
from pytest_ocrparity.backends.paddlex.fixes import deployment_fix, given_options
from pytest_ocrparity.backends.paddlex.predictor import (
    Predictor,
    common_predictor_options,
    load_predictor,
    predictor_onednn_crash,
)
from pytest_ocrparity.backends.paddlex.program import program_fixed_size
from pytest_ocrparity.backends.paddlex.taps import Call, predictor_runner_inputs
from pytest_ocrparity.diagnosis import Alternative, Fix
from pytest_ocrparity.errors import ImageError, ModelError, NotEnoughMemory, StageError
from pytest_ocrparity.files import image_file_bytes
from pytest_ocrparity.jsonable import jsonable
from pytest_ocrparity.stages import DECODE, PROBABILITY_MAP, RESIZE, TENSOR
from pytest_ocrparity.trace import Image, Trace

if TYPE_CHECKING:
    from typing_extensions import Self


class DeployedSide(NetworkFile):
    """An export behind paddleocr's own predictor.

    `Trace.parameters` hold what the predictor's objects were really called with; `table` is where the settings have it.
    """

    recorded: ClassVar[frozenset[str]]
    """The stages whose parameters a run up to the network records."""

    def __init__(
        self, predictor: Predictor, export: ExportFiles, deployed: Deployed, load: Callable[[], DeployedSide]
    ) -> None:
        """Take a tapped predictor, its files, what the user gave, and what loads all of it once more."""
        super().__init__(deployed.name, fingerprint_export_files(export))
        self.written, self.table = deployed.written, deployed.table
        self.model_name, self.model_dir = deployed.model_name, export.folder
        self._predictor, self._load = predictor, load
        self._session = getattr(predictor.runner, "session", None)  # of ONNX Runtime
        self._check_providers()
        self._export, self._deployed, self._file = export, deployed, self._loaded_file(export)
        self._runs_the_export = _is_paddlexs_on(predictor.runner, export.folder)
        self._changes: dict[str, Mapping[str, Any]] = {}
        self._replaced: dict[str, Callable[..., Any]] = {}
        self._outputs: int | None = None
        engine = self._engine_parameters()
        self._memory = MemoryGuard(self._run_network, engine, limit=deployed.memory_limit, height=self._height())
        self._called: dict[str, Mapping[str, Any]] = {}
        self._surroundings: Mapping[str, Any] = {}

    def _check_providers(self) -> None:
        """Refuse a runner of ONNX Runtime that fell back to another provider. Raises ModelError where it did."""
        config = getattr(self._predictor.runner, "_config", None)
        if self._session is not None and isinstance(config, Mapping):
            check_providers(
                self._session, config.get("providers") or ([CUDA] if config.get("device_type") == "gpu" else [])
            )

    def _loaded_file(self, export: ExportFiles) -> Path | None:
        """Return the file that the predictor's runner has loaded of an export, where that is one that is read."""
        if export.program is not None and self._session is None:
            return export.program
        file = export.folder / ONNX
        return file if file.is_file() else None

    def check(self) -> None:
        """Look at what can be wrong before any image is run."""

    def preprocess(self, image: Image) -> Trace:
        """Run the class's `predict` up to the runner, and record what it was about to be given.

        A path goes in as it is, as paddlex reads files by their suffix; an array goes in as BGR. Of a file with
        several pages the first is taken.

        Raises:
            ImageError: the image is missing or does not decode.
        """
        name, data = image_file_bytes(image)
        given = image_with_orientation(image, is_ignored=self._changes.get(DECODE, {}).get("ignore_orientation"))
        trace = Trace(pipeline=self.name, image=name, source=self)
        error: Exception | None = None
        try:
            with self._memory.watching(data if isinstance(given, str) else None) as watched:
                calls, error = self._predictor.preprocess(given, self._steps_in_place())
        except NotEnoughMemory as refused:
            calls, error, watched = {}, refused, Watched()
        if error is not None and UNREADABLE in str(error):
            raise ImageError(f"{name}: paddlex cannot decode this file; is it an image?") from error
        trace = self._record_calls(trace, calls, watched)
        if trace.decode is None and (error is None or ("Read" in calls and not calls["Read"].result)):
            error = StageError(
                DECODE, f"PaddleOCR does not read {name}: it goes by the suffix and reads {self._suffixes()}"
            )
        if error is not None:
            stage = DECODE if trace.decode is None else RESIZE if trace.resize is None else TENSOR
            return replace(trace, error=self.stage_error(stage, error))
        return trace

    def _steps_in_place(self) -> Mapping[str, Callable[..., Any]]:
        """Return by name what runs in the place of the predictor's steps."""
        return self._replaced

    def _record_calls(self, trace: Trace, calls: Mapping[str, Call], watched: Watched) -> Trace:
        """Fill the trace from the calls of a run, of which the later ones may be missing."""
        order = getattr(self._replaced.get("Read", self._predictor.steps["Read"]), "format")  # noqa: B009
        parameters: dict[str, Mapping[str, Any]] = {}
        if (decoded := self._predictor.decoded(calls, order)) is not None:
            parameters[DECODE] = {"img_mode": order, "ignore_orientation": False}
            trace, resized = self._record_resize(replace(trace, decode=decoded), calls, watched)
            parameters |= resized
        if trace.resize is not None and "runner" in calls:
            (tensor,) = predictor_runner_inputs(calls["runner"])
            trace = replace(trace, tensor=tensor)
        self._called.update(parameters)
        self._surroundings = self._predictor.surroundings(calls)
        return replace(trace, parameters=self._with_changes(parameters))

    @abstractmethod
    def _record_resize(
        self, trace: Trace, calls: Mapping[str, Call], watched: Watched
    ) -> tuple[Trace, dict[str, Mapping[str, Any]]]:
        """Return the trace with its resized picture, and the parameters by stage name, as far as a run came."""

    def _suffixes(self) -> str:
        sampler = self._predictor.inner.batch_sampler
        return ", ".join(getattr(sampler, "IMG_SUFFIX", ())) or "other suffixes"

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the first output of the predictor's runner for a (1, 3, h, w) tensor, float32, whole.

        paddlex goes on with it, whatever else there is.

        Raises:
            NotEnoughMemory: it would take more memory than there is.
        """
        self._memory.admit_tensor(tensor.shape[2:], PROBABILITY_MAP, count=len(tensor))
        outputs = self._run_network(tensor)
        self._outputs = len(outputs)
        return outputs[0]

    def _run_network(self, tensor: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
        given = np.array(tensor, order="C")  # an object of the user's may work in place
        with isolated():
            return [np.asarray(output) for output in self._predictor.runner([given])]

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        """By stage name, what the predictor's objects were last called with, in plain JSON types.

        Before the first image, a blank one is sent through everything but the network.
        """
        if not self.recorded <= self._called.keys():
            self.preprocess(np.zeros((64, 64, 3), dtype=np.uint8))
        if self.product not in self._called:
            self._decode_nothing()
        return {**self._with_changes(self._called), PROBABILITY_MAP: self._engine_parameters()}

    @abstractmethod
    def _decode_nothing(self) -> None:
        """Run the post-process on an empty map, so that its parameters are known."""

    def _with_changes(self, parameters: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
        """Return recorded parameters with those of an experiment in their place."""
        return {stage: {**values, **self._changes.get(stage, {})} for stage, values in parameters.items()}

    @property
    def identity(self) -> Mapping[str, Any]:
        """Identifies this side; two live sides of the same identity are one model, see `Pipeline`."""
        engine = {key: value for key, value in self._engine_parameters().items() if key != "outputs"}
        found: Mapping[str, Any] = jsonable(
            {
                "api": self._deployed.api.label,
                "code": self.code,
                "files": self.fingerprint,
                "model_name": self._deployed.model_name,
                "options": self._deployed.options,
                "predict_options": self._deployed.predict_options,
                **({"factory": self._deployed.factory} if self._deployed.factory else {}),
                "engine": engine,
                "changes": self._changes,
            }
        )
        return found

    def varied(self, changes: Mapping[str, Mapping[str, Any]]) -> Self:
        """Return this side with other preprocessing or post-processing parameters, by stage name, for an experiment.

        paddlex's own classes are built again with them; network and engine are shared.
        """
        other = copy.copy(self)
        other._traces, other._called = OrderedDict(), {}
        stages = {*self._changes, *changes}
        other._changes = {stage: {**self._changes.get(stage, {}), **changes.get(stage, {})} for stage in stages}
        other._replaced = self._replacing(other._changes)
        return other

    @abstractmethod
    def _replacing(self, changes: Mapping[str, Mapping[str, Any]]) -> dict[str, Callable[..., Any]]:
        """Return by name what stands in the place of the predictor's steps under other parameters, by stage name."""

    def parameter_fix(self, stage: str, values: Mapping[str, Any]) -> Fix:
        """Return how a user gives this side the values of some parameters of a stage."""
        deployed = self._deployed.doing_it_itself(self.parameters.get(stage, {}), values)
        return deployment_fix(stage, values, deployed)

    @property
    def given(self) -> Mapping[str, Mapping[str, str]]:
        """By stage name, the parameters that the user's options set, each with the setting that has the last word."""
        return given_options(self._deployed, self.parameters)

    def input_size(self) -> tuple[int, int] | None:
        """Return the height and width that the program was exported for, or None where it takes any."""
        if self._program is not None:
            return program_fixed_size(self._program)
        return None if self._session is None else runtime_fixed_size(self._session)

    def other_outputs(self, tensor: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
        """Return the outputs of the export after the first, which alone paddlex looks at."""
        return self._run_network(tensor)[1:]

    def other_engines(self) -> Iterator[Alternative]:
        """Yield the other ways to run this export, with the cause that each would prove."""
        # What a subclass or a wrapper does to the map is not the engine's doing.
        yield Alternative("network.own_code", "the bare engine", lambda given: DeployedSide.infer(self, given))
        if self._program is not None and (not self._deployed.factory or self._runs_the_export):
            engine, known = self._engine_parameters(), common_predictor_options()
            yield from other_engines(self._export, self._deployed, engine, known, self._infer_otherwise)

    def _infer_otherwise(self, changed: Mapping[str, Any], tensor: npt.NDArray[np.float32]) -> Any:
        """Run the export as paddleocr loads it with some options changed, of which None takes one away.

        Of a pipeline its model alone is loaded, with the options that choose how a network runs: all classes take them.
        """
        given, known = self._deployed, common_predictor_options() if self._deployed.api.has_pipeline else ()
        options = {name: value for name, value in given.options.items() if not known or name in known}
        options = {name: value for name, value in {**options, **changed}.items() if value is not None}
        alone = API_OF[given.api.family.task.name]
        other = replace(given, api=alone, options=options, predict_options={}, from_file=frozenset())
        return self._alike(load_predictor(self._export, other), other).infer(tensor)

    def fresh(self) -> DeployedSide:
        """Return this side newly loaded.

        Raises:
            ModelError: it does not load, a user's function returns the same object each time, or this is a subclass.
        """
        if not type(self).__module__.startswith(__name__.partition(".")[0]):
            raise ModelError(f"{type(self).__name__} has no fresh() of its own")
        other = self._load()
        if other._predictor.inner is self._predictor.inner:
            raise ModelError(f"{self._deployed.factory} returns the same object each time")
        return other

    @abstractmethod
    def _alike(self, predictor: Predictor, deployed: Deployed) -> DeployedSide:
        """Return a side of this sort around another predictor of this export."""

    def _engine_parameters(self) -> dict[str, Any]:
        return {**effective_predictor_engine(self._predictor.runner, self._program), "outputs": self._outputs}

    def describe_error(self, error: BaseException) -> str:
        """Return what a stage raised, in the words of messages, with the way out where it is known."""
        return predictor_onednn_crash(error) or super().describe_error(error)


def _is_paddlexs_on(runner: Any, folder: Path) -> bool:
    """Return whether a runner is paddlex's own on a folder; the object of a user's function may have another."""
    is_paddlexs = str(getattr(runner, "__module__", "")).startswith("paddlex.")
    return is_paddlexs and Path(getattr(runner, "model_dir", folder)).resolve() == folder.resolve()
