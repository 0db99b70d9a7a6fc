"""The deployed detector, and what loads any deployed model: paddleocr's own class on the export folder.

Nothing of the processing is done here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.artifacts import configs
from pytest_ocrparity.artifacts.configs import config_scale, read_config
from pytest_ocrparity.artifacts.families import family_of_export
from pytest_ocrparity.artifacts.model_files import ExportFiles, find_export_files
from pytest_ocrparity.backends.batches import overrides_batch_parts, trace_stacked_batch
from pytest_ocrparity.backends.effective_parameters import (
    effective_predictor_detections,
    effective_predictor_resize,
    effective_predictor_tensor,
)
from pytest_ocrparity.backends.memory_guard import Watched
from pytest_ocrparity.backends.paddlex.deployed import API_OF, APIS, PREPROCESSOR, Api, Deployed
from pytest_ocrparity.backends.paddlex.deployed_recogniser import DeployedRecogniser
from pytest_ocrparity.backends.paddlex.deployed_side import DeployedSide
from pytest_ocrparity.backends.paddlex.factory import made_by_factory
from pytest_ocrparity.backends.paddlex.ocr_predictor import load_ocr_predictor
from pytest_ocrparity.backends.paddlex.predictor import STEPS, Predictor, load_predictor, one_of_batch
from pytest_ocrparity.backends.paddlex.program import program_batch_refusal
from pytest_ocrparity.backends.paddlex.returned import as_returned, returned_detections
from pytest_ocrparity.backends.paddlex.taps import Call
from pytest_ocrparity.backends.paddlex.variation import varied_steps
from pytest_ocrparity.backends.staged import StagedPipeline
from pytest_ocrparity.errors import ModelError, StageError
from pytest_ocrparity.files import image_file_bytes, image_to_hand_on
from pytest_ocrparity.stages import DECODE, DETECTIONS, PROBABILITY_MAP, RECOGNITION, RESIZE, TENSOR
from pytest_ocrparity.trace import Detections, Image, Shape, Trace


def load_paddlex_pipeline(
    *,
    model_dir: Path | None = None,
    options: Mapping[str, Any] | None = None,
    predict_options: Mapping[str, Any] | None = None,
    model_name: str | None = None,
    memory_limit: int | None = None,
    name: str = "inference",
    api: str | None = None,
    factory: str | None = None,
    options_file: Path | None = None,
    folder: Path | None = None,
) -> DeployedSide:
    """Load an export with paddleocr, or tap the object that a user's function returns.

    Args:
        model_dir: the folder that `tools/export_model.py` wrote.
        options: handed to the class as they are.
        predict_options: handed to its `predict` as they are.
        model_name: paddlex's name of the model; None means the one in inference.yml.
        memory_limit: bytes that an image may take; None means what is available.
        name: how messages call this side.
        api: the class, one of `deployed.APIS`; None means the one for what inference.yml is of.
        factory: "module:function" that returns the object, in the place of `model_dir`, `options` and `api`.
        options_file: a YAML or JSON file of options, under `options`.
        folder: where the factory's module is looked for first, and where paths in `options_file` start.

    Raises:
        ModelError: a file, a value in it, an option, or something to import is missing or wrong.
    """
    load_again = partial(
        load_paddlex_pipeline, model_dir=model_dir, options=options, predict_options=predict_options,
        model_name=model_name, memory_limit=memory_limit, name=name, api=api, factory=factory,
        options_file=options_file, folder=folder,
    )  # fmt: skip
    given = Deployed(name=name, predict_options=dict(predict_options or {}), memory_limit=memory_limit)
    if factory is not None:
        made = made_by_factory(factory, folder)
        given = replace(given, options=made.options, factory=factory, has_own_predict=made.has_own_predict)
        try:
            # It was made in this directory; experiments may run in another.
            export, deployed = read_export(made.model_dir.absolute(), made.model_name, made.api, given)
        except ModelError as error:
            where = f"the folder {made.model_dir} (in the current directory, {Path.cwd()})"
            raise ModelError(f"{error}; inference.factory = {factory!r} returned an object of {where}") from error
        predictor = made.predictor(deployed.predict_options)
    else:
        given = given.with_options(options, options_file, folder)
        assert model_dir is not None  # the settings see to it
        export, deployed = read_export(model_dir, model_name, APIS[api] if api else None, given)
        load = load_ocr_predictor if deployed.api.has_pipeline else load_predictor
        predictor = load(export, deployed)
    side = KINDS.get(deployed.api.family.task.name, InferencePipeline)(predictor, export, deployed, load_again)
    side.check()
    return side


def load_inference(**settings: Any) -> InferencePipeline:
    """Load a deployed detector; see `load_paddlex_pipeline`.

    Raises:
        ModelError: as there.
    """
    side = load_paddlex_pipeline(**settings)
    assert isinstance(side, InferencePipeline), f"{side.model_dir} is no detector's"
    return side


def read_export(folder: Path, model_name: str | None, api: Api | None, given: Deployed) -> tuple[ExportFiles, Deployed]:
    """Return the files of an export, and `given` with its class and what its inference.yml says.

    Raises:
        ModelError: a file or a value in it is missing or wrong, or this class runs no models of that task.
    """
    export = find_export_files(folder)
    yml = read_config(export.config)
    family = family_of_export(yml)
    api = API_OF[family.task.name] if api is None else api
    if api.family is not family:
        raise ModelError(
            f"{export.config} is of a model for {family.sort}, and {api.label} runs models for {api.family.sort}: "
            f"deploy it with {API_OF[family.task.name].label}"
        )
    family.check_inference(yml, export.config)
    deployed = replace(
        given,
        api=api,
        model_name=configs.config_model_name(yml, export.config, model_name, family.model_name),
        config=export.config,
        written=family.written(yml["PreProcess"]["transform_ops"], yml["PostProcess"], export.config),
    )
    return export, deployed


class InferencePipeline(DeployedSide, StagedPipeline):
    """A deployed DB detector, alone or in paddleocr's pipeline."""

    recorded = frozenset({DECODE, RESIZE, TENSOR})

    def __init__(
        self, predictor: Predictor, export: ExportFiles, deployed: Deployed, load: Callable[[], DeployedSide]
    ) -> None:
        """Take a tapped predictor, its files, what the user gave, and what loads all of it once more."""
        super().__init__(predictor, export, deployed, load)
        # The predictor keeps what it makes of it alone.
        written = deployed.written.get(TENSOR, {}).get("scale")
        self._scale = config_scale(written, export.config, "NormalizeImage.scale")
        self._found: Any = None

    def _steps_in_place(self) -> Mapping[str, Callable[..., Any]]:
        return {**self._replaced, "Normalize": self._normalise_within_memory}

    def _normalise_within_memory(self, imgs: list[Any]) -> Any:
        """Normalise images for which the network has memory; an image that needs no resize is checked only here."""
        for img in imgs:  # none where the file's suffix is none that paddlex reads
            self._memory.admit_tensor(img.shape, TENSOR, count=len(imgs))
        return self._replaced.get("Normalize", self._predictor.steps["Normalize"])(imgs)

    def _record_resize(
        self, trace: Trace, calls: Mapping[str, Call], watched: Watched
    ) -> tuple[Trace, dict[str, Mapping[str, Any]]]:
        if "Resize" not in calls:
            return trace, {}
        steps = self._predictor.steps
        (resized, *_), (shape, *_) = calls["Resize"].result
        height, width, ratio_h, ratio_w = map(float, shape)
        trace = replace(trace, resize=resized, shape=(height, width, ratio_h, ratio_w))
        resize = effective_predictor_resize(steps["Resize"], calls["Resize"].kwargs)
        if (done := self._predictor.preprocessed(calls)) is not None:
            resize[PREPROCESSOR] = done
        return trace, {RESIZE: resize, TENSOR: effective_predictor_tensor(steps["Normalize"], self._scale)}

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

    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        """Return the boxes and scores that `TextDetection.predict` makes of a (1, C, h, w) map, in source pixels.

        The predictor runs on a dummy image, with this map in the place of its network's output and this shape row in
        the place of its resize's, so that its own choice of thresholds takes part.
        """
        dummy = np.zeros((32, 32, 3), dtype=np.uint8)
        instead = {name: [dummy] for name in STEPS} | {
            "Resize": ([dummy], [np.array(shape, dtype=np.float64)]),
            "runner": [np.array(probability_map)],  # a post-process of the user's may work in place
        }
        result, calls = self._predictor.detect(dummy, instead, self._replaced)
        self._record_process(calls)
        self._found = result
        return returned_detections(result)

    def _record_process(self, calls: Mapping[str, Call]) -> None:
        """Keep with what parameters the post-process was called."""
        process = calls["process"]
        names = ("pred", "img_shape", "thresh", "box_thresh", "unclip_ratio")
        given = dict(zip(names, process.args, strict=False)) | dict(process.kwargs)
        self._called[DETECTIONS] = effective_predictor_detections(self._predictor.post_process, given)

    def trace_batch(self, images: Sequence[Image]) -> list[Trace]:
        """Run `TextDetection.predict` on images with batch_size as many as they are; return a trace of each, in order.

        Raises:
            StageError: the batch does not run, or the class makes none.
        """
        if self._deployed.api.has_pipeline:
            label = self._deployed.api.label
            raise StageError(PROBABILITY_MAP, f"{label} hands its detector one image after the other: set no batch")
        if overrides_batch_parts(self, InferencePipeline):
            return trace_stacked_batch(self, images)
        given = [image_to_hand_on(image) for image in images]
        try:
            results, calls = self._predictor.detect_batch(given, self._steps_in_place())
        except Exception as error:
            stopped = self.stage_error(PROBABILITY_MAP, error)
            refused = program_batch_refusal(self._program, len(images), str(error)) if self._program is not None else ""
            stopped = StageError(PROBABILITY_MAP, f"{refused}: {stopped}") if refused else stopped
            raise stopped from error
        maps = np.asarray(calls["runner"].result[0])
        if not len(results) == len(maps) == len(images):
            text = f"of {len(images)} images, {len(results)} results and {len(maps)} maps came back"
            raise StageError(PROBABILITY_MAP, f"{text} (a file of several pages is several images)")
        traces = []
        for index, (image, result) in enumerate(zip(images, results, strict=True)):
            trace = Trace(pipeline=self.name, image=image_file_bytes(image)[0], source=self)
            trace = self._record_calls(trace, one_of_batch(calls, index), Watched())
            boxes = returned_detections(result)
            traces.append(replace(trace, probability_map=maps[index : index + 1], detections=boxes))
        return [replace(trace, parameters=self._effective_parameters(trace)) for trace in traces]

    @contextmanager
    def within_memory(self, data: bytes | None) -> Iterator[Mapping[str, Callable[..., Any]]]:
        """Yield what stands in the place of the predictor's steps, so that what takes too much memory is refused.

        `data` are the bytes of an image's file, None where pixels are given.
        """
        with self._memory.watching(data):
            yield self._steps_in_place()

    def traced_calls(self, trace: Trace, calls: Mapping[str, Call]) -> Trace:
        """Return a trace with what the calls of a whole run show of the detector, up to its map."""
        trace = self._record_calls(trace, calls, Watched())
        if "runner" in calls:
            trace = replace(trace, probability_map=np.asarray(calls["runner"].result[0]))
        if "process" in calls:
            self._record_process(calls)
        return replace(trace, parameters=self._effective_parameters(trace))

    def rectified(self, image: Image) -> npt.NDArray[np.uint8] | None:
        """Return the (h, w, 3) BGR picture in whose frame the boxes are; None where it is the image itself."""
        given = image_to_hand_on(image)
        made = None if self._changes.get(RESIZE, {}).get(PREPROCESSOR, "") is None else self._predictor.rectified(given)
        return None if made is None else np.ascontiguousarray(made, dtype=np.uint8)

    def _decode_nothing(self) -> None:
        self.postprocess(np.zeros((1, 1, 32, 32), dtype=np.float32), (32.0, 32.0, 1.0, 1.0))

    def _replacing(self, changes: Mapping[str, Mapping[str, Any]]) -> dict[str, Callable[..., Any]]:
        return varied_steps(self._predictor, self.parameters, changes)

    def _alike(self, predictor: Predictor, deployed: Deployed) -> InferencePipeline:
        return InferencePipeline(predictor, self._export, deployed, self._load)


KINDS: Final[Mapping[str, type[DeployedSide]]] = {RECOGNITION.name: DeployedRecogniser}
"""By the name of a task other than detection, what its deployed models are."""
