"""The deployed page: `paddleocr.PaddleOCR` with a detector and a recogniser, from a file to its texts.

Nothing of the processing is done here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from pytest_ocrparity.artifacts.model_files import ExportFiles
from pytest_ocrparity.artifacts.ocr_options import FORMER, TEXT_LINES, with_todays_names
from pytest_ocrparity.backends.paddlex.deployed import PADDLE_OCR, PAGE_RECOGNISER, Deployed
from pytest_ocrparity.backends.paddlex.deployed_recogniser import DeployedRecogniser
from pytest_ocrparity.backends.paddlex.factory import made_by_factory
from pytest_ocrparity.backends.paddlex.fixes import fix_keyword_text
from pytest_ocrparity.backends.paddlex.ocr_predictor import DETECTED, SORTED, load_ocr_predictor
from pytest_ocrparity.backends.paddlex.page_predictor import PagePredictor
from pytest_ocrparity.backends.paddlex.page_rules import paddlex_step
from pytest_ocrparity.backends.paddlex.pipeline import InferencePipeline, read_export
from pytest_ocrparity.backends.paddlex.returned import as_returned
from pytest_ocrparity.backends.page_side import PageSide, ReadPage
from pytest_ocrparity.contract.page_readers import BATCH, CUT, ORDER, SCORES, TURN, LineOfPage
from pytest_ocrparity.diagnosis import PAGE_SIDE, Change, Fix
from pytest_ocrparity.errors import ModelError, NotEnoughMemory, StageError
from pytest_ocrparity.files import image_file_bytes, image_to_hand_on
from pytest_ocrparity.stages import CROP, DETECTIONS, PAGE, TEXT
from pytest_ocrparity.trace import Image, Trace

RECOGNISER_OPTIONS: Final = ("text_recognition_model_name", "text_recognition_model_dir")
"""The options that the recogniser's own settings set."""
SCORE_OPTION: Final = "text_rec_score_thresh"
BATCH_OPTION: Final = "text_recognition_batch_size"
_LINES: Final = "lines"
"""Where a trace keeps what became of its boxes."""


class DeployedPage(PageSide):
    """A `PaddleOCR` that reads pages; `table` is where the settings have it.

    Attributes:
        detector: its detector, in its pipeline.
        recogniser: its recogniser, alone.
    """

    table = PAGE_SIDE

    def __init__(
        self, predictor: PagePredictor, detector: InferencePipeline, recogniser: DeployedRecogniser, deployed: Deployed
    ) -> None:
        """Take a tapped `PaddleOCR`, the sides of its two models, and what the user gave."""
        super().__init__(deployed.name, detector, recogniser)
        self._predictor, self._deployed = predictor, deployed

    def lines(self, trace: Trace) -> Sequence[LineOfPage]:
        """Return what became of each box of a trace, in their order.

        Raises:
            StageError: it is none of this side's last few, nor one that `with_step` returned.
        """
        kept: Sequence[LineOfPage] | None = trace.memo.get(_LINES)
        return super().lines(trace) if kept is None else kept

    def with_step(self, trace: Trace, step: str) -> Trace:
        """Run the page of a trace once more with a step changed, see `contract.page_readers.ChangesSteps`.

        Raises:
            StageError: it is none of the last few of this side.
        """
        kept = self._page_of(trace)
        taps: dict[str, Any] = {}
        options: dict[str, Any] = {}
        if step in (CUT, ORDER):
            taps = {{CUT: CUT, ORDER: SORTED}[step]: paddlex_step(step)}
        elif step == TURN:
            options = {TEXT_LINES: False}
        elif step == SCORES:
            options = {SCORE_OPTION: 0.0}
        return self._read(kept.image, trace.image, trace.image_sha256 or "", taps, options, step=step).trace

    def step_fix(self, step: str) -> Fix:
        """Return how a user has a step as paddleocr has it by itself, or without it."""
        if step in (CUT, ORDER):
            own = {CUT: "_crop_by_polys", ORDER: "_sort_boxes"}[step]
            who = f"where {self._deployed.factory} makes it" if self._deployed.factory else "in the deployment"
            return Fix(f"{who}, leave {own} of its pipeline as paddlex has it")
        option, value = {TURN: (TEXT_LINES, False), SCORES: (SCORE_OPTION, 0.0), BATCH: (BATCH_OPTION, 1)}[step]
        if self._deployed.predict_options.get(option) is not None:
            what = f"in the deployment, pass {option}={value!r} to predict(); for this test, add the same to "
            return Fix(f"{what}inference.predict_options", (Change("inference.predict_options", {option: value}),))
        former = [old for old, new in FORMER.items() if new == option and self._deployed.options.get(old) is not None]
        instead = f" in the place of {', '.join(former)}" * bool(former)
        what = f"{fix_keyword_text({option: value})}{instead}"
        return self._deployed.passing(what, {option: value, **dict.fromkeys(former)})

    @property
    def steps(self) -> Mapping[str, Any]:
        """By name, the parameters of the steps around the models."""
        pipeline = self._predictor.pipeline
        called = self._deployed.predict_options
        thresh, turned = called.get(SCORE_OPTION), called.get(TEXT_LINES)
        return {
            TEXT_LINES: bool(pipeline.use_textline_orientation if turned is None else turned),
            SCORE_OPTION: float(pipeline.text_rec_score_thresh if thresh is None else thresh),
            BATCH_OPTION: int(self._predictor.recogniser.batch_sampler.batch_size),
        }

    def _read(
        self,
        image: Image,
        name: str,
        digest: str,
        taps: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        *,
        step: str = "",
    ) -> ReadPage:
        """Run a page from end to end, with something in the place of some steps, and other options of `predict`."""
        given = image_to_hand_on(image)
        trace = Trace(pipeline=self.name, image=name, image_sha256=digest, source=self)
        result: Any = None
        calls: Mapping[str, Any] = {}
        error: Exception | None = None
        try:
            data = None if isinstance(image, np.ndarray) else image_file_bytes(image)[1]
            with self.detector.within_memory(data) as steps:
                replaced = {**steps, **(taps or {})}
                result, calls, error = self._predictor.read_page(given, replaced, options or {}, step=step)
        except NotEnoughMemory as refused:
            error = refused
        if error is not None and DETECTED not in calls:
            # The detector alone says at which of its stages it stopped, or that the file is no image.
            alone = self.detector.trace_anew(image)
            stopped = alone.error or StageError(PAGE, self.detector.describe_error(error))
            return ReadPage(image, replace(alone, source=self, detections=None, error=stopped), ())
        made, parameters = self.detector.traced_calls(trace, calls), {PAGE: self.steps}
        if error is not None:
            stopped = self.recogniser.stage_error(TEXT if CUT in calls else CROP, error)
            made = replace(made, detections=self._predictor.detected(calls), error=stopped)
            made.memo[_LINES] = self._predictor.cut_lines(calls)
            return ReadPage(image, made, made.memo[_LINES])
        found, texts = self._predictor.page_of(result, calls)
        lines = self._predictor.lines_of(result, calls, found)
        made = replace(made, detections=found, texts=tuple(texts), parameters={**made.parameters, **parameters})
        detected = as_returned(self._predictor.detected(calls), result["dt_polys"])
        made.memo.update({_LINES: lines, DETECTIONS: detected})
        return ReadPage(image, made, lines)


def load_page(
    *,
    detector: Path | None = None,
    recogniser: Path | None = None,
    detector_name: str | None = None,
    recogniser_name: str | None = None,
    options: Mapping[str, Any] | None = None,
    predict_options: Mapping[str, Any] | None = None,
    options_file: Path | None = None,
    factory: str | None = None,
    folder: Path | None = None,
    memory_limit: int | None = None,
    name: str = PAGE_SIDE,
) -> DeployedPage:
    """Load `paddleocr.PaddleOCR` with two exports, or tap the object that a user's function returns.

    Args:
        detector: the folder of the detector that `tools/export_model.py` wrote.
        recogniser: that of the recogniser.
        detector_name: paddlex's name of the model; None means the one in its inference.yml.
        recogniser_name: the same of the recogniser.
        options: handed to `PaddleOCR` as they are.
        predict_options: handed to its `predict` as they are.
        options_file: a YAML or JSON file of options, under `options`.
        factory: "module:function" that returns the object, in the place of all of these.
        folder: where the factory's module is looked for first, and where paths in `options_file` start.
        memory_limit: bytes that an image may take; None means what is available.
        name: how messages call this side.

    Raises:
        ModelError: a file, a value in it, an option, or something to import is missing or wrong.
    """
    given = Deployed(name=name, predict_options=dict(predict_options or {}), memory_limit=memory_limit)
    if factory is not None:
        made = made_by_factory(factory, folder)
        if not made.api.has_pipeline:
            raise ModelError(f"page.factory = {factory!r} returned a {made.api.label}, which reads no pages")
        given = replace(given, options=made.options, factory=factory, has_own_predict=made.has_own_predict)
        export, deployed = read_export(made.model_dir.absolute(), made.model_name, PADDLE_OCR, given)
        predictor = made.tapped_by(PagePredictor, given.predict_options)
        recogniser, recogniser_name = Path(predictor.recogniser.model_dir).absolute(), predictor.recogniser.model_name
        of_lines, deployed_lines = read_export(recogniser, recogniser_name, PAGE_RECOGNISER, given)
    else:
        assert detector is not None and recogniser is not None  # the settings see to it
        given = given.with_options(options, options_file, folder)
        if beside := [option for option in RECOGNISER_OPTIONS if option in with_todays_names(given.options)]:
            own = {RECOGNISER_OPTIONS[0]: "model_name", RECOGNISER_OPTIONS[1]: "model_dir"}[beside[0]]
            raise ModelError(f"page.options: {beside[0]} has a setting of its own, recognition.inference.{own}")
        export, deployed = read_export(detector, detector_name, PADDLE_OCR, given)
        of_lines, deployed_lines = read_export(recogniser, recogniser_name, PAGE_RECOGNISER, given)
        both = {
            **given.options,
            RECOGNISER_OPTIONS[0]: deployed_lines.model_name,
            RECOGNISER_OPTIONS[1]: str(recogniser),
        }
        loaded = load_ocr_predictor(export, replace(deployed, options=both), PagePredictor)
        assert isinstance(loaded, PagePredictor)
        predictor = loaded
    load_again = partial(
        load_page, detector=detector, recogniser=recogniser, detector_name=detector_name,
        recogniser_name=recogniser_name, options=options, predict_options=predict_options, options_file=options_file,
        factory=factory, folder=folder, memory_limit=memory_limit, name=name,
    )  # fmt: skip
    return _page_of_models(predictor, (export, deployed), (of_lines, deployed_lines), load_again)


def _page_of_models(
    predictor: PagePredictor,
    detector: tuple[ExportFiles, Deployed],
    recogniser: tuple[ExportFiles, Deployed],
    load_again: partial[DeployedPage],
) -> DeployedPage:
    finds = InferencePipeline(predictor, *detector, lambda: load_again().detector)
    reads = DeployedRecogniser(predictor.reader, *recogniser, lambda: load_again().recogniser)
    finds.check()
    reads.check()
    return DeployedPage(predictor, finds, reads, detector[1])
