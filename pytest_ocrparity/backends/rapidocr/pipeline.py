"""RapidOCR's detector on a user's ONNX file as a side. Nothing of the processing is done here."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.artifacts.model_files import find_model_file, fingerprint_model_file
from pytest_ocrparity.backends.effective_parameters import effective_rapidocr_parameters
from pytest_ocrparity.backends.graphs.onnx_graph import OnnxGraph
from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.memory_guard import MemoryGuard
from pytest_ocrparity.backends.onnx.half_file import HalfFile
from pytest_ocrparity.backends.onnx.quantised_file import QuantisedFile
from pytest_ocrparity.backends.onnx.runtime import runtime_arrays, runtime_engine, runtime_half, runtime_quantised
from pytest_ocrparity.backends.openvino.compiled import openvino_engine
from pytest_ocrparity.backends.rapidocr.engine import BEFORE, PARAM_OF, make_engine, recorded
from pytest_ocrparity.backends.staged import StagedPipeline
from pytest_ocrparity.diagnosis import Alternative, Change, Fix, table_of
from pytest_ocrparity.errors import ImageError, NotEnoughMemory, StageError
from pytest_ocrparity.files import image_file_bytes
from pytest_ocrparity.jsonable import jsonable
from pytest_ocrparity.stages import DECODE, DETECTIONS, PROBABILITY_MAP, RESIZE, TENSOR
from pytest_ocrparity.trace import Decoded, Detections, Image, Shape, Trace, trace_copy

MOST_PAGES: Final = 8
"""Of how many pages the size before RapidOCR's own changes is kept, by the shape row after them."""


class RapidPipeline(StagedPipeline):
    """RapidOCR with its detector on a user's file; what it does to a page before and to boxes after is its own.

    It hands on no scores: in its result they are in another order than the boxes.
    """

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
        self._engine = make_engine(self._file, self._options)
        self._session = self._engine.text_det.session
        self._pages: OrderedDict[Shape, tuple[int, int]] = OrderedDict()
        self._memory = MemoryGuard(self._run_network, self._engine_parameters, limit=memory_limit)

    def preprocess(self, image: Image) -> Trace:
        """Run RapidOCR up to its network.

        Raises:
            ImageError: the image is missing or does not decode.
        """
        name, data = image_file_bytes(image)
        given = image.copy() if isinstance(image, np.ndarray) else str(image)
        trace = Trace(pipeline=self.name, image=name, source=self, parameters=self._preprocessing_parameters({}))
        stopped: Exception | None = None
        with isolated(), recorded(self._engine) as run:
            try:
                with self._memory.watching(data if isinstance(given, str) else None):
                    self._engine(given)
            except Exception as error:
                stopped = error
        if isinstance(stopped, NotEnoughMemory) and run.decoded is None:
            return replace(trace, error=stopped)
        if run.decoded is None:
            raise ImageError(f"{name}: RapidOCR cannot decode this file; is it an image?") from stopped
        trace = replace(trace, decode=Decoded.of(run.decoded, "BGR"))
        if run.resized is not None:
            (height, width), (h, w) = run.page.shape[:2], run.resized.shape[:2]
            shape = float(height), float(width), h / height, w / width
            self._pages[shape] = run.decoded.shape[:2]
            while len(self._pages) > MOST_PAGES:
                self._pages.popitem(last=False)
            parameters = self._preprocessing_parameters(run.steps)
            trace = replace(trace, resize=trace_copy(run.resized), shape=shape, parameters=parameters)
        if stopped is not None:
            return replace(trace, error=self.stage_error(RESIZE if trace.resize is None else TENSOR, stopped))
        if run.tensor is None:
            return replace(trace, error=StageError(RESIZE, "RapidOCR resizes this page to no pixel, and runs nothing"))
        return replace(trace, tensor=run.tensor)

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the map that RapidOCR's session makes of a (1, 3, h, w) tensor.

        Raises:
            NotEnoughMemory: it would take more memory than there is.
        """
        self._memory.admit_tensor(tensor.shape[2:], PROBABILITY_MAP, count=len(tensor))
        return self._run_network(tensor)

    def _run_network(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        with isolated():
            return np.asarray(self._session(np.ascontiguousarray(tensor)))

    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        """Return the boxes that RapidOCR makes of a (1, C, h, w) map, in px of the page.

        Its code runs to its end, on a blank page. Of a shape row that is no page's before its detector, such as the
        other side's, the detector's part of it.
        """
        output, tensor = np.array(probability_map, np.float32), np.zeros((1, 3, 32, 32), np.float32)
        size = self._pages.get(shape)
        page = np.zeros((*(size or (int(shape[0]), int(shape[1]))), 3), np.uint8)
        run = self._engine.text_det if size is None else self._engine
        with isolated(), recorded(self._engine, session=lambda _: output, tensor=tensor):
            found = run(page).boxes
        return Detections(tuple(np.asarray(box, np.float64) for box in (() if found is None else found)), None)

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        """By stage name, what RapidOCR's objects hold and what its network runs on."""
        found = effective_rapidocr_parameters(self._engine.text_det)
        engine = {PROBABILITY_MAP: self._engine_parameters, DETECTIONS: found[DETECTIONS]}
        return {**self._preprocessing_parameters({}), **engine}

    def _preprocessing_parameters(self, steps: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
        """Return the parameters up to the tensor, with what was done to the page before the detector.

        Args:
            steps: RapidOCR's own record of a page.
        """
        found = effective_rapidocr_parameters(self._engine.text_det)
        padding, ratios = steps.get("padding_1", {}).get("top"), steps.get("preprocess", {})
        if padding:
            found[RESIZE]["vertical_padding"] = int(padding)
        if ratios and (ratios["ratio_h"], ratios["ratio_w"]) != (1.0, 1.0):
            found[RESIZE]["page_size"] = [1 / float(ratios["ratio_h"]), 1 / float(ratios["ratio_w"])]
        return {stage: found[stage] for stage in (DECODE, RESIZE, TENSOR)}

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
        code = f"{type(self).__module__}.{type(self).__qualname__}"
        own = {"api": "rapidocr", "code": code, "files": self.fingerprint, "options": self._options}
        found: Mapping[str, Any] = jsonable({**own, "engine": self._engine_parameters})
        return found

    def varied(self, changes: Mapping[str, Mapping[str, Any]]) -> RapidPipeline:
        """Return this side with the params that give these parameters, by stage name; the network is shared.

        Raises:
            ValueError: RapidOCR has no param that sets one of them.
        """
        params = dict(self._options)
        for stage, values in changes.items():
            params |= self._params(stage, values)
        other = copy.copy(self)
        other._traces, other._options, other._pages = OrderedDict(), params, OrderedDict()
        other._engine = make_engine(self._file, params, self._session)
        return other

    def _params(self, stage: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the params that give some parameters of a stage these values."""
        current, found, unknown = self.parameters[stage], dict[str, Any](), []
        for name, value in values.items():
            if name in BEFORE and value is None:
                found.update(BEFORE[name])
            elif value == current.get(name):
                continue
            elif name in PARAM_OF:
                found[PARAM_OF[name]] = value
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

    def fresh(self) -> RapidPipeline:
        """Return this side newly loaded."""
        return RapidPipeline(self._file, self._options, memory_limit=self._limit, name=self.name)

    def stored_weights(self) -> Mapping[str, npt.NDArray[Any]]:
        """Return the weights in the file by name. Raises ModelError where the package onnx is not installed."""
        return runtime_arrays(self._file)

    def network_graph(self) -> OnnxGraph:
        """Return the graph of the file. Raises ModelError where the package onnx is not installed."""
        return OnnxGraph(self._file)

    def quantised_program(self) -> QuantisedFile | None:
        """Return the file as a quantised one, or None. Raises ModelError where the package onnx is not installed."""
        return runtime_quantised(self._file)

    def half_program(self) -> HalfFile | None:
        """Return a file that computes in float16, or None. Raises ModelError where onnx is not installed."""
        return runtime_half(self._file)

    def other_engines(self) -> Iterator[Alternative]:
        """Yield the other ways to run the file, with the cause that each would prove."""
        yield Alternative("network.own_code", "the bare engine", lambda given: RapidPipeline.infer(self, given))
        if self._engine_parameters["engine"] == "openvino" and self._engine_parameters["precision"] != "f32":
            params = {"Det.engine_type": "onnxruntime"}
            session = make_engine(self._file, {**self._options, **params}).text_det.session
            fix = Fix(
                'pass params={"Det.engine_type": EngineType.ONNXRUNTIME} to RapidOCR, whose openvino engine has no '
                'param for a precision; for this test, set "Det.engine_type" = "onnxruntime" in inference.options',
                (Change("inference.options", params),),
            )
            label = "ONNX Runtime, which computes in float32,"
            yield Alternative("engine.precision", label, lambda given: np.asarray(session(given)), fix)
