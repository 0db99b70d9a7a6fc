"""Loads paddleocr's `PaddleOCR` around a detector, and records what its pipeline does before and after it.

Knows the inside of paddlex's OCR pipeline. Models that the deployment has and this machine has not are switched off
before paddleocr tries the network; the recogniser is a stand-in where the options name none.
"""

from __future__ import annotations

import copy
import inspect
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import numpy as np

from pytest_ocrparity.artifacts.model_files import ExportFiles
from pytest_ocrparity.artifacts.ocr_options import (
    ORIENTATION,
    UNWARPING,
    Absent,
    absent_models_of_ocr_options,
    base_ocr_options,
    ocr_options_block,
)
from pytest_ocrparity.artifacts.ocr_options import PREPROCESSOR as DOC_PREPROCESSOR
from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.paddlex.deployed import PADDLE_OCR, Deployed
from pytest_ocrparity.backends.paddlex.predictor import (
    Predictor,
    build_predictor,
    check_options_of_predict,
    check_options_of_predictor,
    close_pages,
    common_predictor_options,
    import_predictor_packages,
)
from pytest_ocrparity.backends.paddlex.stand_in import MODEL_NAME, write_stand_in
from pytest_ocrparity.backends.paddlex.taps import SOURCE, Call, Tap, decoded_as_tapped
from pytest_ocrparity.errors import ModelError
from pytest_ocrparity.trace import Decoded

RESERVED: Final = {
    "text_detection_model_name": "model_name",
    "text_detection_model_dir": "model_dir",
    "det_model_dir": "model_dir",
}
"""The options that have a setting of their own, with its name."""

PREPROCESSOR, DETECTED, SORTED = "preprocessing", "detector", "sort"
"""The taps around the detector, beside `SOURCE` of `img_reader`: of `doc_preprocessor_pipeline`, `text_det_model` and
`_sort_boxes`."""


class ListTap(Tap):
    """Stands in the place of what yields its results, and records them as a list."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the real object and run it to its end."""
        return self._taps.passing(self._name, lambda *a, **k: list(self._real(*a, **k)), args, kwargs)


class OcrPredictor(Predictor):
    """A tapped `PaddleOCR`: its detector's steps as in `TextDetection`, and its pipeline's own around them.

    Attributes:
        pipeline: paddlex's pipeline inside.
    """

    def __init__(self, ocr: Any, predict_options: Mapping[str, Any]) -> None:
        """Tap a `PaddleOCR` in place.

        Raises:
            ModelError: it runs on several devices, or its engine does not preprocess with paddlex's own steps.
        """
        self.pipeline: Any = getattr(ocr.paddlex_pipeline, "_pipeline", None)
        if self.pipeline is None:
            raise ModelError(
                "inference.options: this PaddleOCR runs a pipeline per device, and one is compared: name one device, "
                'such as device = "cpu"'
            )
        pipeline = self.pipeline
        super().__init__(
            SimpleNamespace(paddlex_predictor=pipeline.text_det_model, predict=ocr.predict), predict_options
        )
        pipeline.img_reader = Tap(SOURCE, pipeline.img_reader, self.taps)
        pipeline.text_det_model = ListTap(DETECTED, pipeline.text_det_model, self.taps)
        pipeline._sort_boxes = Tap(SORTED, pipeline._sort_boxes, self.taps)
        if pipeline.use_doc_preprocessor:
            real = pipeline.doc_preprocessor_pipeline
            pipeline.doc_preprocessor_pipeline = ListTap(PREPROCESSOR, real, self.taps)

    @property
    def later_steps(self) -> str:
        """What works on the boxes after the detector, in words."""
        return "paddleocr.PaddleOCR sorts boxes and drops those without a crop"

    def decoded(self, calls: Mapping[str, Call], order: str) -> Decoded | None:
        """Return the image as the pipeline reads it, before any preprocessor, in the order that the detector reads."""
        if SOURCE not in calls or not calls[SOURCE].result:
            return None
        return decoded_as_tapped(calls[SOURCE], "BGR").in_order(order)

    def preprocessed(self, calls: Mapping[str, Call]) -> str | None:
        """Return what the document preprocessor did to the image, in words; None where it is off."""
        if PREPROCESSOR not in calls or not calls[PREPROCESSOR].result:
            return None
        made = calls[PREPROCESSOR].result[0]
        steps = [f"turned by {made['angle']} degrees"] if made.get("angle", -1) not in (-1, 0) else []
        steps += ["unwarped"] * bool(ocr_options_block(made, "model_settings").get(UNWARPING))
        if not steps and not np.array_equal(made["output_img"], calls[SOURCE].result[0]):
            steps = ["changed"]
        return " and ".join(steps) or "unchanged"

    def rectified(self, image: Any) -> Any:
        """Return the picture that the document preprocessor makes of an image; None where it is off."""
        with isolated():
            with self.taps.run(stop_at=DETECTED) as calls:
                self.predict(image)
            close_pages(image)
        return calls[PREPROCESSOR].result[0]["output_img"] if PREPROCESSOR in calls else None

    def detect(
        self, image: Any, instead: Mapping[str, Any], replaced: Mapping[str, Callable[..., Any]]
    ) -> tuple[Any, Mapping[str, Call]]:
        """Run the pipeline on one image up to the end of its detector; return the detector's result and the calls."""
        instead = {PREPROCESSOR: ocr_preprocessor_off([image]), **instead}
        with isolated(), self.taps.run(instead=instead, replaced=replaced, stop_at=SORTED) as calls:
            self.predict(image)
        (result,) = calls[DETECTED].result
        return result, calls

    def surroundings(self, calls: Mapping[str, Call]) -> Mapping[str, Any]:
        """Return the results of what runs before the detector, by tap, for `finish`."""
        return {name: calls[name].result[:1] for name in (SOURCE, PREPROCESSOR) if name in calls}

    def finish(self, surroundings: Mapping[str, Any], found: Any) -> list[Any]:
        """Run the pipeline to its end with what its detector found, and return its polygons."""
        (source,) = surroundings[SOURCE]
        with isolated(), self.taps.run(instead={**surroundings, DETECTED: [found]}):
            (result,) = self.predict(source)
        return list(result["dt_polys"])


def ocr_preprocessor_off(images: Sequence[Any]) -> list[dict[str, Any]]:
    """Return what a document preprocessor returns that is off."""
    return [{"output_img": image} for image in images]


def load_ocr_predictor(
    export: ExportFiles, deployed: Deployed, kind: type[OcrPredictor] = OcrPredictor
) -> OcrPredictor:
    """Load `paddleocr.PaddleOCR` around an export, with the options of its constructor and of its `predict`.

    `kind` is what taps it.

    Raises:
        ModelError: paddleocr has no such class, an option is unknown, or a model does not load; says what to do.
    """
    import_predictor_packages()
    with isolated(), tempfile.TemporaryDirectory(prefix="ocrparity-") as folder:
        import paddleocr

        check_options_of_predictor(deployed, known_options(paddleocr.PaddleOCR), RESERVED)
        check_options_of_predict(deployed, _ocr_keywords(paddleocr.PaddleOCR.predict))
        absent = absent_models_of_ocr_options(deployed.options, deployed.predict_options)
        with _ocr_class_with_models_here(paddleocr.PaddleOCR, absent, Path(folder)) as ocr:
            own = {"text_detection_model_name": deployed.model_name, "text_detection_model_dir": str(export.folder)}
            arguments = {**deployed.options, **own}
            if deployed.options.get("paddlex_config") is not None:
                arguments["paddlex_config"] = dict(base_ocr_options(deployed.options) or {})
            made = build_predictor(ocr, arguments, export, deployed)
        return kind(made, _without_absent(deployed, absent))


@contextmanager
def _ocr_class_with_models_here(base: Any, absent: Sequence[Absent], folder: Path) -> Iterator[Any]:
    """Yield a class whose configuration, once paddleocr has merged it, names only models that are here."""

    class PaddleOCR(base):  # type: ignore[misc]
        def _get_merged_paddlex_config(self) -> Any:
            return with_models_that_are_here(super()._get_merged_paddlex_config(), absent, folder)

    yield PaddleOCR


def with_models_that_are_here(config: Any, absent: Sequence[Absent], folder: Path) -> Any:
    """Return a pipeline's configuration without the absent models, and with a stand-in where no recogniser is named."""
    config = copy.deepcopy(config)
    for model, _ in absent:
        place = config
        for key in model.place:
            place = place[key]
        place[model.switch] = False
    block = ocr_options_block(config, *DOC_PREPROCESSOR)
    if absent and not any(block.get(name, True) for name in (ORIENTATION, UNWARPING)):
        config["use_doc_preprocessor"] = False
    recogniser = config["SubModules"]["TextRecognition"]
    if not recogniser.get("model_dir"):
        write_stand_in(folder)
        plain = {"paddle_static": {"run_mode": "paddle", "cpu_threads": 1}}
        recogniser |= {"model_name": MODEL_NAME, "model_dir": str(folder), "engine": None, "engine_config": plain}
    return config


def _without_absent(deployed: Deployed, absent: Sequence[Absent]) -> dict[str, Any]:
    """Return the options of `predict` that do not ask for a model which is switched off."""
    off = {each.model.switch for each in absent}
    options = {name: False if name in off and value else value for name, value in deployed.predict_options.items()}
    if off & {ORIENTATION, UNWARPING} & options.keys():  # one that is False and one not given switch both off
        for name in (ORIENTATION, UNWARPING):
            options.setdefault(name, name not in off and deployed.options.get(name, True))
    return options


def known_options(ocr: Any) -> list[str]:
    """Return the keyword arguments of `PaddleOCR`, former names included."""
    former = PADDLE_OCR.former
    with_old_names = {*_ocr_keywords(ocr.__init__), *former, *former.values(), "paddlex_config"}
    return sorted(with_old_names.union(common_predictor_options()) - {"self", "kwargs", *RESERVED})


def _ocr_keywords(function: Any) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name not in ("self", "input", "kwargs")]
