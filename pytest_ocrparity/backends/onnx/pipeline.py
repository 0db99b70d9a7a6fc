"""A bare `.onnx` file as a side: ONNX Runtime, with PaddleX's own operators around it, recorded after each step.

Nothing of the processing is done here: what runs is what somebody who deploys the file alone would have to call.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.artifacts.configs import MODES, STAGE_OF
from pytest_ocrparity.artifacts.model_files import find_model_file, fingerprint_model_file
from pytest_ocrparity.backends.batches import overrides_batch_parts, trace_stacked_batch
from pytest_ocrparity.backends.decoders import UNREADABLE, image_with_orientation
from pytest_ocrparity.backends.effective_parameters import (
    effective_predictor_detections,
    effective_predictor_resize,
    effective_predictor_tensor,
)
from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.memory_guard import MemoryGuard
from pytest_ocrparity.backends.network_file import NetworkFile
from pytest_ocrparity.backends.onnx.processing import Configured, build_processing_operators, configure_processing
from pytest_ocrparity.backends.onnx.runtime import (
    Provider,
    asked_runtime_providers,
    open_runtime_session,
    runtime_engine,
    runtime_fixed_size,
)
from pytest_ocrparity.backends.paddlex.deployed import steps_text
from pytest_ocrparity.backends.paddlex.fixes import NO_CAP, joined_fixes
from pytest_ocrparity.backends.staged import StagedPipeline
from pytest_ocrparity.diagnosis import Alternative, Change, Fix, table_of
from pytest_ocrparity.errors import ImageError, ModelError
from pytest_ocrparity.files import image_file_bytes
from pytest_ocrparity.jsonable import jsonable
from pytest_ocrparity.stages import DECODE, DETECTIONS, PROBABILITY_MAP, RESIZE, TENSOR
from pytest_ocrparity.trace import Decoded, Detections, Image, Shape, Trace, trace_copy
from pytest_ocrparity.wording import image_label

OPERATOR_OF: Final = {stage: operator for operator, stage in STAGE_OF.items()} | {DETECTIONS: "PostProcess"}
"""Where an inference.yml has the parameters of a stage."""


def load_onnx_pipeline(
    model_file: Path,
    options: Mapping[str, Any] | None = None,
    *,
    memory_limit: int | None = None,
    name: str = "inference",
) -> OnnxPipeline:
    """Load a bare `.onnx` file on ONNX Runtime.

    Args:
        model_file: the file; the inference.yml beside it configures its processing, where there is one.
        options: values of the processing, over those of the inference.yml, and device, use_tensorrt and precision.
        memory_limit: bytes that an image may take; None means what is available.
        name: how messages call this side.

    Raises:
        ModelError: a file, a value, an option, a provider of ONNX Runtime or something to import is missing or wrong.
    """
    options = dict(options or {})
    file, config = find_model_file(model_file)
    table = table_of(name)
    configured = configure_processing(config, options, file, table)
    providers = asked_runtime_providers(options)
    session = open_runtime_session(file, providers)
    return OnnxPipeline(session, file, config, configured, providers, options=options, limit=memory_limit, name=name)


class OnnxPipeline(NetworkFile, StagedPipeline):
    """An `.onnx` file with the values that its processing runs with."""

    _file: Path

    def __init__(
        self,
        session: Any,
        file: Path,
        config: Path | None,
        configured: Configured,
        providers: list[Provider],
        *,
        options: Mapping[str, Any],
        limit: int | None,
        name: str,
    ) -> None:
        """Take an open session and what configures the rest; see `load_onnx_pipeline`."""
        super().__init__(name, fingerprint_model_file(file))
        self.table = table_of(name)
        self.written, self.given = configured.written, configured.given
        self._session, self._file, self._config = session, file, config
        self._values, self._providers, self._options = configured.values, providers, options
        self._operators, self._limit = build_processing_operators(self._values), limit
        self._memory = MemoryGuard(self._run_network, self._engine_parameters, limit=limit)

    def preprocess(self, image: Image) -> Trace:
        """Run PaddleX's operators up to the tensor; a path goes in as it is, an array as (H, W, 3) BGR.

        Raises:
            ImageError: the image is missing or does not decode.
        """
        name, data = image_file_bytes(image)
        given = image_with_orientation(image, is_ignored=self._values[DECODE]["ignore_orientation"])
        is_file = isinstance(given, str)
        trace = Trace(pipeline=self.name, image=name, source=self, parameters=self._preprocessing_parameters())
        operators, stage = self._operators, DECODE
        try:
            with isolated(), self._memory.watching(data if is_file else None):
                (pixels,) = operators.read([given])
                trace, stage = replace(trace, decode=Decoded.of(pixels, operators.read.format)), RESIZE
                (resized,), (row,) = operators.resize([pixels])
                height, width, ratio_h, ratio_w = map(float, row)
                trace = replace(trace, resize=trace_copy(resized), shape=(height, width, ratio_h, ratio_w))
                stage = TENSOR
                self._memory.admit_tensor(resized.shape, TENSOR)
                (tensor,) = operators.to_batch(operators.to_chw(operators.normalize([resized])))
        except Exception as error:
            if stage == DECODE and is_file and UNREADABLE in str(error):
                raise ImageError(f"{name}: paddlex cannot decode this file; is it an image?") from error
            return replace(trace, error=self.stage_error(stage, error))
        return replace(trace, tensor=tensor)

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the file's first output for a (1, 3, h, w) tensor, as it comes.

        Raises:
            NotEnoughMemory: it would take more memory than there is.
        """
        self._memory.admit_tensor(tensor.shape[2:], PROBABILITY_MAP, count=len(tensor))
        return self._run_network(tensor)[0]

    def _run_network(self, tensor: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
        return _run_session(self._session, tensor)

    def trace_batch(self, images: Sequence[Image]) -> list[Trace]:
        """Run PaddleX's operators and the file on images as one batch; return a trace of each, in their order.

        Raises:
            StageError: the file does not take such a batch.
            ValueError: of numpy, for images whose tensors differ in size.
        """
        if overrides_batch_parts(self, OnnxPipeline):
            return trace_stacked_batch(self, images)
        is_ignored = self._values[DECODE]["ignore_orientation"]
        given = [image_with_orientation(image, is_ignored=is_ignored) for image in images]
        operators, parameters = self._operators, self.parameters
        with isolated():
            pixels = operators.read(given)
            resized, rows = operators.resize(pixels)
            (tensors,) = operators.to_batch(operators.to_chw(operators.normalize(resized)))
            try:
                maps = self.infer(tensors)
            except Exception as error:
                raise self.stage_error(PROBABILITY_MAP, error) from error
            polygons, scores = operators.post_process([maps], rows)
        return [
            Trace(
                pipeline=self.name,
                image=image_file_bytes(image)[0],
                decode=Decoded.of(pixels[index], operators.read.format),
                resize=trace_copy(resized[index]),
                shape=cast("Shape", tuple(map(float, rows[index]))),
                tensor=tensors[index : index + 1],
                probability_map=maps[index : index + 1],
                detections=Detections(
                    tuple(np.asarray(polygon, np.float64) for polygon in polygons[index]),
                    np.asarray(scores[index], np.float64),
                ),
                parameters=parameters,
                source=self,
            )
            for index, image in enumerate(images)
        ]

    def fresh(self) -> OnnxPipeline:
        """Return this side newly loaded.

        Raises:
            ModelError: it does not load, or this is a subclass.
        """
        if type(self) is not OnnxPipeline:
            raise ModelError(f"{type(self).__name__} has no fresh() of its own")
        return load_onnx_pipeline(self._file, self._options, memory_limit=self._limit, name=self.name)

    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        """Return the boxes and scores that PaddleX's DBPostProcess makes of a (1, C, h, w) map, in source pixels."""
        with isolated():
            (found,), (scores,) = self._operators.post_process([np.asarray(probability_map)], [np.array(shape)])
        polygons = tuple(np.asarray(polygon, np.float64) for polygon in found)
        return Detections(polygons, np.asarray(scores, np.float64))

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        """By stage name, what the operators hold and what ONNX Runtime runs on."""
        post_process = self._operators.post_process
        found = effective_predictor_detections(post_process, vars(post_process))
        return {**self._preprocessing_parameters(), PROBABILITY_MAP: self._engine_parameters, DETECTIONS: found}

    def _preprocessing_parameters(self) -> dict[str, Mapping[str, Any]]:
        operators = self._operators
        orientation = self._values[DECODE]["ignore_orientation"]
        return {
            DECODE: {"img_mode": operators.read.format, "ignore_orientation": orientation},
            RESIZE: effective_predictor_resize(operators.resize, {}),
            TENSOR: effective_predictor_tensor(operators.normalize, self._values[TENSOR]["scale"]),
        }

    @property
    def identity(self) -> Mapping[str, Any]:
        """Identifies this side; two live sides of the same identity are one model, see `contract.HasIdentity`."""
        engine = self._engine_parameters
        own = {"api": engine["engine"], "code": self.code, "files": self.fingerprint, "options": self._options}
        found: Mapping[str, Any] = jsonable({**own, "engine": engine, "values": self._values})
        return found

    @cached_property
    def _engine_parameters(self) -> dict[str, Any]:
        own = {"model_file": self._file.name, "outputs": len(self._session.get_outputs())}
        return {**runtime_engine(self._session), **own}

    def varied(self, changes: Mapping[str, Mapping[str, Any]]) -> OnnxPipeline:
        """Return this side with other values of its processing, by stage name; the network is shared."""
        other = copy.copy(self)
        other._traces = OrderedDict()
        other._values = {stage: {**own, **changes.get(stage, {})} for stage, own in self._values.items()}
        other._operators = build_processing_operators(other._values)
        return other

    def parameter_fix(self, stage: str, values: Mapping[str, Any]) -> Fix:
        """Return how a user gives this side the values of some parameters of a stage.

        Raises:
            ValueError: no option sets them, as PaddleX's operators know no such value.
        """
        rule = values.get("rule", self._values[RESIZE]["rule"])
        values = {name: value for name, value in values.items() if name != "rule"}
        if values.get("ignore_orientation") or values.get("img_mode", MODES[0]) not in MODES:
            raise ValueError(f"PaddleX's operators have nothing that sets {', '.join(values)}")
        if values.get("max_side_limit", 0) is None:
            values["max_side_limit"] = NO_CAP
        if stage == RESIZE and rule != self._values[RESIZE]["rule"]:
            # A rule among the options comes before that of the file, and must be the only one there.
            gone = dict.fromkeys(self.given.get(RESIZE, {}))
            in_file, in_options = {}, {**gone, **{name: each for name, each in values.items() if each is not None}}
        else:
            own = (self.written.get(stage) or {}).keys() - self.given.get(stage, {}).keys()
            in_file = {name: value for name, value in values.items() if name in own}
            in_options = {name: value for name, value in values.items() if name not in own}
        parts = [self._fix_in_file(stage, in_file)] if in_file else []
        parts += [_fix_in_options(in_options)] if in_options else []
        return joined_fixes(parts, f"nothing was given that sets a parameter of {stage}")

    def _fix_in_file(self, stage: str, values: Mapping[str, Any]) -> Fix:
        config, operator = image_label(str(self._config)), OPERATOR_OF[stage]
        change = Change("inference.yml", dict(values), operator)
        steps = f"in {config}, under {operator}, {steps_text(values, ': ')} (leave its other keys)"
        return Fix(f"{steps}, and the same in the deployment's own code where it does not read that file", (change,))

    def input_size(self) -> tuple[int, int] | None:
        """Return the height and width that the file takes alone, or None where it takes any."""
        return runtime_fixed_size(self._session)

    def other_outputs(self, tensor: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
        """Return the outputs of the file after the first."""
        return self._run_network(tensor)[1:]

    def other_engines(self) -> Iterator[Alternative]:
        """Yield the other ways to run the file, with the cause that each would prove."""
        yield Alternative("network.own_code", "the bare engine", lambda given: OnnxPipeline.infer(self, given))
        plain_session = open_runtime_session(self._file, self._providers, is_optimized=False)
        text = (
            "in the deployment, set graph_optimization_level = ORT_DISABLE_ALL in ONNX Runtime's SessionOptions; for "
        )
        fix = Fix(f"{text}this test, run that session in a MapEngine, as a model_file is always run optimised")
        label = "ONNX Runtime's graph optimisation off"
        yield Alternative("engine.optimization", label, lambda given: _run_session(plain_session, given)[0], fix)


def _run_session(session: Any, tensor: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
    with isolated():
        given = {session.get_inputs()[0].name: np.ascontiguousarray(tensor)}
        return [np.asarray(output) for output in session.run(None, given)]


def _fix_in_options(values: Mapping[str, Any]) -> Fix:
    steps = steps_text(values, " = ")
    text = f"in the deployment's own code, {steps}; for this test, do the same in inference.options"
    return Fix(text, (Change("inference.options", dict(values)),))
