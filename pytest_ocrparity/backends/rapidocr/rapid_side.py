"""What the sides of RapidOCR's detector and recogniser have in common: its own object around one ONNX file.

Nothing of the processing is done here.
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.artifacts.model_files import find_model_file, fingerprint_model_file
from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.memory_guard import MemoryGuard, Watched
from pytest_ocrparity.backends.network_file import NetworkFile
from pytest_ocrparity.backends.onnx.runtime import runtime_engine
from pytest_ocrparity.backends.openvino.compiled import openvino_engine
from pytest_ocrparity.backends.rapidocr.engine import Part, Run, make_engine
from pytest_ocrparity.diagnosis import Alternative, Change, Fix, table_of
from pytest_ocrparity.errors import ImageError, NotEnoughMemory, StageError
from pytest_ocrparity.files import image_file_bytes, image_to_hand_on
from pytest_ocrparity.jsonable import jsonable
from pytest_ocrparity.stages import PROBABILITY_MAP, RESIZE, TENSOR
from pytest_ocrparity.trace import Decoded, Image, Trace

if TYPE_CHECKING:
    from typing_extensions import Self


class RapidSide(NetworkFile):
    """RapidOCR with one of its models on a user's file; what it does before and after is its own."""

    part: ClassVar[Part]
    _file: Path

    def __init__(
        self,
        model_file: Path,
        options: Mapping[str, Any] | None = None,
        *,
        memory_limit: int | None = None,
        name: str = "inference",
    ) -> None:
        """Load RapidOCR on an `.onnx` file.

        Args:
            model_file: the file.
            options: RapidOCR's params, by name.
            memory_limit: bytes that an image may take; None means what is available.
            name: how messages call this side.

        Raises:
            ModelError: the file, a param or something to import is missing or wrong.
        """
        self._file, _ = find_model_file(model_file)
        super().__init__(name, fingerprint_model_file(self._file))
        self.table, self._options, self._limit = table_of(name), dict(options or {}), memory_limit
        self._engine = make_engine(self.part, self._file, self._options)
        self._session = self._model.session
        self._memory = MemoryGuard(
            self._run_network, self._engine_parameters, limit=memory_limit, height=self._height()
        )

    @property
    def _model(self) -> Any:
        """RapidOCR's own detector or recogniser."""
        return getattr(self._engine, self.part.attribute)

    @abstractmethod
    def _recorded(self) -> AbstractContextManager[Run]:
        """Run the block with what records a run, which ends before the network."""

    @abstractmethod
    def _with_resized(self, trace: Trace, run: Run, watched: Watched) -> Trace:
        """Return a trace with what a run made between decoding and the tensor."""

    @abstractmethod
    def _preprocessing_parameters(self, run: Run | None = None) -> dict[str, dict[str, Any]]:
        """Return the parameters up to the tensor; of a run with what was done to the image before the model."""

    @property
    @abstractmethod
    def _product_parameters(self) -> Mapping[str, Any]:
        """The parameters of the post-process."""

    def preprocess(self, image: Image) -> Trace:
        """Run RapidOCR up to its network.

        Raises:
            ImageError: the image is missing or does not decode.
        """
        name, data = image_file_bytes(image)
        given = image_to_hand_on(image)
        trace = Trace(pipeline=self.name, image=name, source=self, parameters=self._preprocessing_parameters())
        stopped: Exception | None = None
        watched = Watched()
        with isolated(), self._recorded() as run:
            try:
                with self._memory.watching(data if isinstance(given, str) else None) as watched:
                    self._engine(given)
            except Exception as error:
                stopped = error
        if isinstance(stopped, NotEnoughMemory) and run.decoded is None:
            return replace(trace, error=stopped)
        if run.decoded is None:
            raise ImageError(f"{name}: RapidOCR cannot decode this file; is it an image?") from stopped
        trace = self._with_resized(replace(trace, decode=Decoded.of(run.decoded, "BGR")), run, watched)
        if stopped is not None:
            return replace(trace, error=self.stage_error(RESIZE if trace.resize is None else TENSOR, stopped))
        if run.tensor is None:
            return replace(trace, error=StageError(RESIZE, "RapidOCR resizes this page to no pixel, and runs nothing"))
        return replace(trace, tensor=run.tensor)

    def _scaled_before(self, run: Run | None) -> dict[str, Any]:
        """Return by parameter how an image was scaled before the model saw it, by height and width; empty if not."""
        ratios = {} if run is None else run.steps.get("preprocess", {})
        if run is None or not ratios or (ratios["ratio_h"], ratios["ratio_w"]) == (1.0, 1.0):
            return {}
        is_shrunk = max(run.decoded.shape[:2]) > self._engine.max_side_len
        return {
            "page_size" if is_shrunk else "least_size": [1 / float(ratios["ratio_h"]), 1 / float(ratios["ratio_w"])]
        }

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the map that RapidOCR's session makes of a (1, 3, h, w) tensor.

        Raises:
            NotEnoughMemory: it would take more memory than there is.
        """
        self._memory.admit_tensor(tensor.shape[2:], PROBABILITY_MAP, count=len(tensor))
        return self._run_network(tensor)

    def _run_network(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        with isolated():
            return np.array(self._session(np.ascontiguousarray(tensor)))  # of OpenVINO it is a view of its memory

    def describe_error(self, error: BaseException) -> str:
        """Return what a stage raised; RapidOCR's engines raise a whole traceback as their text."""
        return super().describe_error(error.__cause__ if "Traceback" in str(error) and error.__cause__ else error)

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        """By stage name, what RapidOCR's objects hold and what its network runs on."""
        engine = {PROBABILITY_MAP: self._engine_parameters, self.product: self._product_parameters}
        return {**self._preprocessing_parameters(), **engine}

    @cached_property
    def _engine_parameters(self) -> dict[str, Any]:
        inner = self._session.session
        if hasattr(inner, "get_providers"):
            found = {**runtime_engine(inner), "outputs": len(inner.get_outputs())}
        else:
            found = openvino_engine(inner.get_compiled_model())
        return {**found, "model_file": self._file.name}

    @property
    def identity(self) -> Mapping[str, Any]:
        """Identifies this side; two live sides of the same identity are one model, see `contract.HasIdentity`."""
        own = {"api": "rapidocr", "code": self.code, "files": self.fingerprint, "options": self._options}
        found: Mapping[str, Any] = jsonable({**own, "engine": self._engine_parameters})
        return found

    def varied(self, changes: Mapping[str, Mapping[str, Any]]) -> Self:
        """Return this side with the params that give these parameters, by stage name; the network is shared.

        Raises:
            ValueError: RapidOCR has no param that sets one of them.
        """
        params = dict(self._options)
        for stage, values in changes.items():
            params |= self._params(stage, values)
        other = copy.copy(self)
        other._traces, other._options = OrderedDict(), params
        other._engine = make_engine(self.part, self._file, params, self._session)
        return other

    def _params(self, stage: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the params that give some parameters of a stage these values."""
        current, found, unknown = self.parameters[stage], dict[str, Any](), []
        for name, value in values.items():
            if name in self.part.before and value is None:
                found.update(self.part.before[name])
            elif value == current.get(name):
                continue
            elif name in self.part.param_of:
                found[self.part.param_of[name]] = value
            else:
                unknown.append(name)
        if unknown:
            raise ValueError(f"RapidOCR has no param that sets {', '.join(unknown)}")
        return found

    def parameter_fix(self, stage: str, values: Mapping[str, Any]) -> Fix:
        """Return the params by which a user gives RapidOCR the values of some parameters of a stage."""
        params = self._params(stage, values)
        if not params:
            raise ValueError("nothing was given that a param sets")
        words = ", ".join(f'"{name}": {value!r}' for name, value in params.items())
        text = f"pass params={{{words}}} to RapidOCR, or set the same in its YAML file"
        return Fix(f"{text}; for this test, add them to inference.options", (Change("inference.options", params),))

    def fresh(self) -> Self:
        """Return this side newly loaded."""
        return type(self)(self._file, self._options, memory_limit=self._limit, name=self.name)

    def other_engines(self) -> Iterator[Alternative]:
        """Yield the other ways to run the file, with the cause that each would prove."""
        yield Alternative("network.own_code", "the bare engine", lambda given: RapidSide.infer(self, given))
        if self._engine_parameters["engine"] == "openvino" and self._engine_parameters["precision"] != "f32":
            name = f"{self.part.section}.engine_type"
            params = {name: "onnxruntime"}
            made = make_engine(self.part, self._file, {**self._options, **params})
            session = getattr(made, self.part.attribute).session
            fix = Fix(
                f'pass params={{"{name}": EngineType.ONNXRUNTIME}} to RapidOCR, whose openvino engine has no '
                f'param for a precision; for this test, set "{name}" = "onnxruntime" in inference.options',
                (Change("inference.options", params),),
            )
            yield Alternative(
                "engine.precision", "ONNX Runtime in float32", lambda given: np.asarray(session(given)), fix
            )
