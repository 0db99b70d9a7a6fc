"""The deployed model: paddleocr's own predictor on the export folder, recorded after each step.

`TextDetection.predict` runs for every question, so paddlex's choice of limits and thresholds is part of what is
compared. Nothing of the processing is done here.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.artifacts import configs
from pytest_ocrparity.artifacts.configs import check_inference, declared_parameters, operators, read_yml, scale_value
from pytest_ocrparity.artifacts.model_files import ExportFiles, find_export, fingerprint_export
from pytest_ocrparity.artifacts.ocr_options import all_options
from pytest_ocrparity.backends.batches import has_own_parts, stacked
from pytest_ocrparity.backends.decoders import decoded_without_orientation
from pytest_ocrparity.backends.effective_parameters import (
    predictor_detections,
    predictor_engine,
    predictor_resize,
    predictor_tensor,
)
from pytest_ocrparity.backends.isolation import third_party
from pytest_ocrparity.backends.memory_guard import MemoryGuard
from pytest_ocrparity.backends.onnx.runtime import batch_error, size_error
from pytest_ocrparity.backends.paddlex import onnx_runner
from pytest_ocrparity.backends.paddlex.deployed import APIS, PREPROCESSOR, TEXT_DETECTION, Deployed
from pytest_ocrparity.backends.paddlex.engines import other_ways
from pytest_ocrparity.backends.paddlex.factory import made_by
from pytest_ocrparity.backends.paddlex.fixes import deployment_fix, given_options
from pytest_ocrparity.backends.paddlex.ocr_predictor import load_ocr_predictor
from pytest_ocrparity.backends.paddlex.predictor import (
    STEPS,
    Call,
    Predictor,
    common_options,
    load_predictor,
    one_of_batch,
    onednn_crash,
    runner_inputs,
)
from pytest_ocrparity.backends.paddlex.program import batch_refusal, fixed_size, stored_arrays
from pytest_ocrparity.backends.paddlex.returned import as_returned, detections_of
from pytest_ocrparity.backends.paddlex.variation import replaced_steps
from pytest_ocrparity.backends.staged import StagedPipeline
from pytest_ocrparity.diagnosis import Alternative, Fix
from pytest_ocrparity.errors import ImageError, ModelError, NotEnoughMemory, StageError
from pytest_ocrparity.files import image_bytes
from pytest_ocrparity.jsonable import plain
from pytest_ocrparity.stages import DECODE, DETECTIONS, PROBABILITY_MAP, RESIZE, TENSOR
from pytest_ocrparity.trace import Detections, Image, Shape, Trace, snapshot

UNREADABLE = "Image read Error"
"""How paddlex's `ReadImage` says that a file of a suffix that it knows does not decode."""


def load_inference(
    *,
    model_dir: Path | None = None,
    options: Mapping[str, Any] | None = None,
    predict_options: Mapping[str, Any] | None = None,
    model_name: str | None = None,
    memory_limit: int | None = None,
    name: str = "inference",
    api: str = TEXT_DETECTION.name,
    factory: str | None = None,
    options_file: Path | None = None,
    folder: Path | None = None,
) -> InferencePipeline:
    """Load an export with paddleocr, or tap the object that a user's function returns.

    Args:
        model_dir: the folder that `tools/export_model.py` wrote.
        options: handed to the class as they are.
        predict_options: handed to its `predict` as they are.
        model_name: paddlex's name of the model; None means the one in inference.yml.
        memory_limit: bytes that an image may take; None means what is available.
        name: how messages call this side.
        api: the class, "TextDetection" or "PaddleOCR".
        factory: "module:function" that returns the object, in the place of `model_dir`, `options` and `api`.
        options_file: a YAML or JSON file of options, under `options`.
        folder: where the factory's module is looked for first, and where paths in `options_file` start.

    Raises:
        ModelError: a file, a value in it, an option, or something to import is missing or wrong.
    """
    load_again = partial(
        load_inference, model_dir=model_dir, options=options, predict_options=predict_options, model_name=model_name,
        memory_limit=memory_limit, name=name, api=api, factory=factory, options_file=options_file, folder=folder,
    )  # fmt: skip
    given = Deployed(
        name=name, config=Path(), written={}, options={}, predict_options=dict(predict_options or {}),
        memory_limit=memory_limit,
    )  # fmt: skip
    if factory is not None:
        made = made_by(factory, folder)
        given = replace(
            given, api=made.api, options=made.options, factory=factory, has_own_predict=made.has_own_predict
        )
        try:
            export, deployed, scale = _read_export(made.model_dir, made.model_name, given)
        except ModelError as error:
            where = f"the folder {made.model_dir} (in the current directory, {Path.cwd()})"
            raise ModelError(f"{error}; inference.factory = {factory!r} returned an object of {where}") from error
        return InferencePipeline(made.predictor(deployed.predict_options), export, deployed, scale, load_again)
    merged = all_options(options, options_file, folder)
    from_file = frozenset(merged) - frozenset(options or {})
    given = replace(given, api=APIS[api], options=merged, options_file=options_file, from_file=from_file)
    assert model_dir is not None  # the settings see to it
    export, deployed, scale = _read_export(model_dir, model_name, given)
    load = load_ocr_predictor if deployed.api.has_pipeline else load_predictor
    return InferencePipeline(load(export, deployed), export, deployed, scale, load_again)


def _read_export(folder: Path, model_name: str | None, given: Deployed) -> tuple[ExportFiles, Deployed, float]:
    """Return the files of an export, `given` with what its inference.yml says, and NormalizeImage's scale.

    Raises:
        ModelError: a file or a value in it is missing or wrong.
    """
    export = find_export(folder)
    yml = read_yml(export.config)
    check_inference(yml, export.config)
    deployed = replace(
        given,
        model_name=configs.model_name(yml, export.config, model_name),
        config=export.config,
        written=declared_parameters(yml["PreProcess"]["transform_ops"], yml["PostProcess"], export.config),
    )
    transforms = operators(yml["PreProcess"]["transform_ops"], export.config, "PreProcess.transform_ops")
    scale = next((arguments.get("scale") for operator, arguments in transforms if operator == "NormalizeImage"), None)
    return export, deployed, scale_value(scale, export.config, "NormalizeImage.scale")


class InferencePipeline(StagedPipeline):
    """An export behind paddleocr's own predictor.

    `Trace.parameters` hold what the predictor's objects were really called with; `table` is where the settings have it.
    """

    def __init__(
        self,
        predictor: Predictor,
        export: ExportFiles,
        deployed: Deployed,
        scale: float,
        load: Callable[[], InferencePipeline],
    ) -> None:
        """Take a tapped predictor, its files, what the user gave, and NormalizeImage's scale, kept nowhere else.

        `load` loads all of it once more.
        """
        super().__init__(deployed.name, fingerprint_export(export))
        onnx_runner.check_providers(predictor.runner)
        self.written, self.table = deployed.written, deployed.table
        self.model_name, self.model_dir = deployed.model_name, export.folder
        self._predictor, self._scale, self._load = predictor, scale, load
        self._export, self._program, self._deployed = export, export.program, deployed
        self._changes: dict[str, Mapping[str, Any]] = {}
        self._replaced: dict[str, Callable[..., Any]] = {}
        self._outputs: int | None = None
        self._memory = MemoryGuard(self._run_network, self._engine_parameters(), limit=deployed.memory_limit)
        self._called: dict[str, Mapping[str, Any]] = {}
        self._surroundings: Mapping[str, Any] = {}
        self._found: Any = None

    def preprocess(self, image: Image) -> Trace:
        """Run `TextDetection.predict` up to the runner, and record what it was about to be given.

        A path goes in as it is, as paddlex reads files by their suffix; an array goes in as BGR. Of a file with
        several pages the first is taken.

        Raises:
            ImageError: the image is missing or does not decode.
        """
        name, data = image_bytes(image)
        given = image.copy() if isinstance(image, np.ndarray) else str(image)
        if isinstance(given, str) and self._changes.get(DECODE, {}).get("ignore_orientation"):
            stored = decoded_without_orientation(Path(given))
            given = given if stored is None else stored
        trace = Trace(pipeline=self.name, image=name, source=self)
        error: Exception | None = None
        try:
            with self._memory.watching(data if isinstance(given, str) else None):
                calls, error = self._predictor.preprocess(
                    given, {**self._replaced, "Normalize": self._normalise_within_memory}
                )
        except NotEnoughMemory as refused:
            calls, error = {}, refused
        if error is not None and UNREADABLE in str(error):
            raise ImageError(f"{name}: paddlex cannot decode this file; is it an image?") from error
        trace = self._record_calls(trace, calls)
        if trace.decode is None and (error is None or ("Read" in calls and not calls["Read"].result)):
            error = StageError(
                DECODE, f"PaddleOCR does not read {name}: it goes by the suffix and reads {self._suffixes()}"
            )
        if error is not None:
            stage = DECODE if trace.decode is None else RESIZE if trace.resize is None else TENSOR
            return replace(trace, error=self.stage_error(stage, error))
        return trace

    def _normalise_within_memory(self, imgs: list[Any]) -> Any:
        """Normalise images for which the network has memory; an image that needs no resize is checked only here."""
        for img in imgs:  # none where the file's suffix is none that paddlex reads
            self._memory.admit_tensor(img.shape, TENSOR, count=len(imgs))
        return self._replaced.get("Normalize", self._predictor.steps["Normalize"])(imgs)

    def _record_calls(self, trace: Trace, calls: Mapping[str, Call]) -> Trace:
        """Fill the trace from the calls of a run, of which the later ones may be missing."""
        steps, parameters = self._predictor.steps, {}
        order = getattr(self._replaced.get("Read", steps["Read"]), "format")  # noqa: B009
        if (decoded := self._predictor.decoded(calls, order)) is not None:
            trace = replace(trace, decode=decoded)
            parameters[DECODE] = {"img_mode": order, "ignore_orientation": False}
        if trace.decode is not None and "Resize" in calls:
            (resized, *_), (shape, *_) = calls["Resize"].result
            height, width, ratio_h, ratio_w = map(float, shape)
            trace = replace(trace, resize=snapshot(resized), shape=(height, width, ratio_h, ratio_w))
            parameters[RESIZE] = predictor_resize(steps["Resize"], calls["Resize"].kwargs)
            if (done := self._predictor.preprocessed(calls)) is not None:
                parameters[RESIZE][PREPROCESSOR] = done
            parameters[TENSOR] = predictor_tensor(steps["Normalize"], self._scale)
        if trace.resize is not None and "runner" in calls:
            (tensor,) = runner_inputs(calls["runner"])
            trace = replace(trace, tensor=tensor)
        self._called.update(parameters)
        self._surroundings = self._predictor.surroundings(calls)
        return replace(trace, parameters=self._with_changes(parameters))

    def _run_stages(self, image: Image) -> Trace:
        """Run the stages, and what works on the boxes after the detector: its result is what a user gets."""
        trace = super()._run_stages(image)
        if trace.detections is None or not self.later_steps:
            return trace
        try:
            returned = self._predictor.finish(self._surroundings, self._found)
        except Exception as error:
            return replace(trace, detections=None, error=self.stage_error(DETECTIONS, error))
        finally:
            self._surroundings, self._found = {}, None
        return replace(trace, detections=as_returned(trace.detections, returned))

    @property
    def later_steps(self) -> str:
        """What works on the boxes after `postprocess` has returned them, in words; nothing with `TextDetection`."""
        return self._predictor.later_steps

    def _suffixes(self) -> str:
        sampler = self._predictor.inner.batch_sampler
        return ", ".join(getattr(sampler, "IMG_SUFFIX", ())) or "other suffixes"

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the first output of the predictor's runner for a (1, 3, h, w) tensor, (1, C, h, w) float32, whole.

        paddlex goes on with channel 0 of output 0, whatever else there is.

        Raises:
            NotEnoughMemory: it would take more memory than there is.
        """
        self._memory.admit_tensor(tensor.shape[2:], PROBABILITY_MAP, count=len(tensor))
        outputs = self._run_network(tensor)
        self._outputs = len(outputs)
        return outputs[0]

    def _run_network(self, tensor: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
        with third_party():
            return [np.asarray(output) for output in self._predictor.runner([np.ascontiguousarray(tensor)])]

    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        """Return the boxes and scores that `TextDetection.predict` makes of a (1, C, h, w) map, in source pixels.

        The predictor runs on a dummy image, with this map in the place of its network's output and this shape row in
        the place of its resize's, so that its own choice of thresholds takes part.
        """
        dummy = np.zeros((32, 32, 3), dtype=np.uint8)
        instead = {name: [dummy] for name in STEPS} | {
            "Resize": ([dummy], [np.array(shape, dtype=np.float64)]),
            "runner": [np.asarray(probability_map)],
        }
        result, calls = self._predictor.detect(dummy, instead, self._replaced)
        process = calls["process"]
        names = ("pred", "img_shape", "thresh", "box_thresh", "unclip_ratio")
        given = dict(zip(names, process.args, strict=False)) | dict(process.kwargs)
        self._called[DETECTIONS] = predictor_detections(self._predictor.post_process, given)
        self._found = result
        return detections_of(result)

    def trace_batch(self, images: Sequence[Image]) -> list[Trace]:
        """Run `TextDetection.predict` on images with batch_size as many as they are; return a trace of each, in order.

        Raises:
            StageError: the batch does not run, or the class makes none.
        """
        if self._deployed.api.has_pipeline:
            label = self._deployed.api.label
            raise StageError(PROBABILITY_MAP, f"{label} hands its detector one image after the other: set no batch")
        if has_own_parts(self, InferencePipeline):
            return stacked(self, images)
        given = [image.copy() if isinstance(image, np.ndarray) else str(image) for image in images]
        try:
            results, calls = self._predictor.detect_batch(given, {"Normalize": self._normalise_within_memory})
        except Exception as error:
            stopped = self.stage_error(PROBABILITY_MAP, error)
            refused = batch_refusal(self._program, len(images), str(error)) if self._program is not None else ""
            stopped = StageError(PROBABILITY_MAP, f"{refused}: {stopped}") if refused else stopped
            raise stopped from error
        maps = np.asarray(calls["runner"].result[0])
        if not len(results) == len(maps) == len(images):
            text = f"of {len(images)} images, {len(results)} results and {len(maps)} maps came back"
            raise StageError(PROBABILITY_MAP, f"{text} (a file of several pages is several images)")
        traces = []
        for index, (image, result) in enumerate(zip(images, results, strict=True)):
            trace = Trace(pipeline=self.name, image=image_bytes(image)[0], source=self)
            trace = self._record_calls(trace, one_of_batch(calls, index))
            boxes = detections_of(result)
            traces.append(replace(trace, probability_map=maps[index : index + 1], detections=boxes))
        return [replace(trace, parameters=self._effective_parameters(trace)) for trace in traces]

    def fresh(self) -> InferencePipeline:
        """Return this side newly loaded.

        Raises:
            ModelError: it does not load, a user's function returns the same object each time, or this is a subclass.
        """
        if type(self) is not InferencePipeline:
            raise ModelError(f"{type(self).__name__} has no fresh() of its own")
        other = self._load()
        if other._predictor.inner is self._predictor.inner:
            raise ModelError(f"{self._deployed.factory} returns the same object each time")
        return other

    def rectified(self, image: Image) -> npt.NDArray[np.uint8] | None:
        """Return the (h, w, 3) BGR picture in whose frame the boxes are; None where it is the image itself."""
        given = image.copy() if isinstance(image, np.ndarray) else str(image)
        made = None if self._changes.get(RESIZE, {}).get(PREPROCESSOR, "") is None else self._predictor.rectified(given)
        return None if made is None else np.ascontiguousarray(made, dtype=np.uint8)

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        """By stage name, what the predictor's objects were last called with, in plain JSON types.

        Before the first image, a blank one is sent through everything but the network.
        """
        if not {DECODE, RESIZE, TENSOR} <= self._called.keys():
            self.preprocess(np.zeros((64, 64, 3), dtype=np.uint8))
        if DETECTIONS not in self._called:
            self.postprocess(np.zeros((1, 1, 32, 32), dtype=np.float32), (32.0, 32.0, 1.0, 1.0))
        return {**self._with_changes(self._called), PROBABILITY_MAP: self._engine_parameters()}

    def _with_changes(self, parameters: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
        """Return recorded parameters with those of an experiment in their place."""
        return {stage: {**values, **self._changes.get(stage, {})} for stage, values in parameters.items()}

    @property
    def identity(self) -> Mapping[str, Any]:
        """Identifies this side; two live sides of the same identity are one model, see `Pipeline`."""
        engine = {key: value for key, value in self._engine_parameters().items() if key != "outputs"}
        found: Mapping[str, Any] = plain(
            {
                "api": self._deployed.api.label,
                "code": f"{type(self).__module__}.{type(self).__qualname__}",
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

    def varied(self, changes: Mapping[str, Mapping[str, Any]]) -> InferencePipeline:
        """Return this side with other preprocessing or post-processing parameters, by stage name, for an experiment.

        paddlex's own classes are built again with them; network and engine are shared.
        """
        other = copy.copy(self)
        other._traces, other._called = OrderedDict(), {}
        stages = {*self._changes, *changes}
        other._changes = {stage: {**self._changes.get(stage, {}), **changes.get(stage, {})} for stage in stages}
        other._replaced = replaced_steps(self._predictor, self.parameters, other._changes)
        return other

    def parameter_fix(self, stage: str, values: Mapping[str, Any]) -> Fix:
        """Return how a user gives this side the values of some parameters of a stage."""
        deployed = self._deployed.doing_it_itself(self.parameters.get(stage, {}), values)
        return deployment_fix(stage, values, deployed)

    @property
    def given(self) -> Mapping[str, Mapping[str, str]]:
        """By stage name, the parameters that the user's options set, each with the setting that has the last word."""
        return given_options(self._deployed, self.parameters)

    def stored_weights(self) -> Mapping[str, npt.NDArray[Any]]:
        """Return the arrays of the exported program, by the names that they have there."""
        return onnx_runner.stored_arrays(self._export) if self._program is None else stored_arrays(self._program)

    def input_size(self) -> tuple[int, int] | None:
        """Return the height and width that the program was exported for, or None where it takes any."""
        runner = self._predictor.runner
        return onnx_runner.fixed_size(runner) if self._program is None else fixed_size(self._program)

    def other_outputs(self, tensor: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
        """Return the outputs of the export after the first, which alone paddlex looks at."""
        return self._run_network(tensor)[1:]

    def other_engines(self) -> Iterator[Alternative]:
        """Yield the other ways to run this export, with the cause that each would prove."""
        if self._program is not None:
            # What a subclass or a wrapper does to the map is not the engine's doing.
            yield Alternative("network.own_code", "the bare engine", lambda given: InferencePipeline.infer(self, given))
            if not self._deployed.factory or self._runs_the_export():
                yield from other_ways(self._export, self._deployed, self._engine_parameters(), self._infer_otherwise)

    def _runs_the_export(self) -> bool:
        """Tell whether paddlex's own runner runs this folder; the object of a user's function may have another."""
        runner = self._predictor.runner
        folder = Path(getattr(runner, "model_dir", self._export.folder))
        is_paddlexs = str(getattr(runner, "__module__", "")).startswith("paddlex.")
        return is_paddlexs and folder.resolve() == self._export.folder.resolve()

    def _infer_otherwise(self, changed: Mapping[str, Any], tensor: npt.NDArray[np.float32]) -> Any:
        """Run the export as paddleocr loads it with some options changed, of which None takes one away.

        The detector alone is loaded, with the options that choose how its network runs: all classes take the same.
        """
        given, known = self._deployed, common_options() if self._deployed.api.has_pipeline else ()
        options = {name: value for name, value in given.options.items() if not known or name in known}
        options = {name: value for name, value in {**options, **changed}.items() if value is not None}
        other = replace(given, api=TEXT_DETECTION, options=options, predict_options={}, from_file=frozenset())
        predictor = load_predictor(self._export, other)
        return InferencePipeline(predictor, self._export, other, self._scale, self._load).infer(tensor)

    def _engine_parameters(self) -> dict[str, Any]:
        return {**predictor_engine(self._predictor.runner, self._program), "outputs": self._outputs}

    def describe_error(self, error: BaseException) -> str:
        """Return what a stage raised, in the words of messages, with the way out where it is known."""
        return onednn_crash(error) or size_error(error) or batch_error(error) or super().describe_error(error)
