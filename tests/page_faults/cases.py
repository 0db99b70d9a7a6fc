"""The faults of pages: each spoils a right deployment in one place, or two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from faults import exports as of_pages
from faults.deployment import EXPORT_YML
from faults.recognition import exports as of_lines
from faults.recognition.deployment import EXPORT_YML as LINE_YML
from faults.recognition.exports import dictionary, of_network, of_state

from page_faults.deployment import PageDeployment
from pytest_ocrparity.artifacts.ocr_options import TEXT_LINES
from pytest_ocrparity.backends.paddlex.ocr_predictor import PREPROCESSOR, ListTap
from pytest_ocrparity.backends.paddlex.page_predictor import PagePredictor

Array = Any
Inject = Callable[[PageDeployment], None]
DETECTION, RECOGNITION, PIPELINE = "detection", "recognition", "pipeline"


@dataclass(frozen=True)
class PageCase:
    """A fault of a page.

    Attributes:
        name: what is done.
        page: which of `drawn.PAGES` shows it.
        model: whose fault comes first.
        stage: the stage that must be named first; "a/b" where both are true.
        causes: codes of which the first cause must be one.
        inject: does it.
        also: models, with codes, of a second fault.
        refused: what is said where the deployment does not load.
    """

    name: str
    page: str
    model: str
    stage: str
    causes: Sequence[str]
    inject: Inject
    also: Sequence[tuple[str, str]] = ()
    refused: str = ""


def options(**given: Any) -> Inject:
    return lambda d: _update(d.options, given)


def predict(**given: Any) -> Inject:
    return lambda d: _update(d.predict_options, given)


def _update(values: dict[str, Any], given: dict[str, Any]) -> None:
    for name, value in given.items():
        values.pop(name, None)
        if value is not None:
            values[name] = value


def detector(change: Callable[[Any], None]) -> Inject:
    return lambda d: change(d.detector)


def recogniser(change: Callable[[Any], None]) -> Inject:
    return lambda d: change(d.recogniser)


def detector_yml(operator: str, **arguments: Any) -> Inject:
    return lambda d: d.detector.operator(EXPORT_YML, operator, **arguments)


def line_yml(operator: str, **arguments: Any) -> Inject:
    return lambda d: d.recogniser.operator(LINE_YML, operator, **arguments)


def letters(change: Callable[[list[str]], Any]) -> Inject:
    return lambda d: dictionary(d.recogniser, change)


def hook(change: Callable[[PagePredictor], None]) -> Inject:
    return lambda d: d.hooks.append(change)


def both(*injections: Inject) -> Inject:
    def inject(d: PageDeployment) -> None:
        for each in injections:
            each(d)

    return inject


# What stands between the models.


def cuts(rule: Callable[[Array, Array], Array]) -> Callable[[PagePredictor], None]:
    """Cut lines out by another rule."""

    def change(predictor: PagePredictor) -> None:
        predictor.pipeline._crop_by_polys._real = lambda picture, polygons: [rule(picture, each) for each in polygons]

    return change


def upright(margin: int) -> Callable[[Array, Array], Array]:
    def rule(picture: Array, polygon: Array) -> Array:
        left, top = np.maximum(np.min(polygon, axis=0) - margin, 0)
        right, bottom = np.max(polygon, axis=0) + margin
        return picture[top:bottom, left:right].copy()

    return rule


def shrunk(picture: Array, polygon: Array) -> Array:
    """Cut a fifth of the height off above and below, as a rule for tight boxes does."""
    whole = upright(0)(picture, polygon)
    rows = len(whole) // 5
    return whole[rows : len(whole) - rows]


def lying(picture: Array, polygon: Array) -> Array:
    """Turn each line by 90 degrees, as a rule for columns of text does."""
    return np.ascontiguousarray(np.rot90(upright(0)(picture, polygon)))


def swapped(picture: Array, polygon: Array) -> Array:
    """Mirror each line, as a rule whose corners are in another order does."""
    return np.ascontiguousarray(upright(0)(picture, polygon)[:, ::-1])


def turns(which: Callable[[int], bool]) -> Callable[[PagePredictor], None]:
    """Let a classifier of orientation err."""

    def change(predictor: PagePredictor) -> None:
        def classify(lines: list[Array], **_: Any) -> Any:
            return [{"class_ids": np.array([int(which(index))])} for index, _ in enumerate(lines)]

        predictor.pipeline.use_textline_orientation = True
        predictor.pipeline.textline_orientation_model = classify

    return change


def turned(which: Callable[[int], bool]) -> Inject:
    """Leave the classifier on, as paddleocr has it by itself."""

    def inject(d: PageDeployment) -> None:
        d.options.pop(TEXT_LINES)
        change = turns(which)
        d.hooks.append(lambda predictor: change(predictor) if d.options.get(TEXT_LINES) is None else None)

    return inject


def sorts(order: Callable[[list[Array]], list[Array]]) -> Callable[[PagePredictor], None]:
    def change(predictor: PagePredictor) -> None:
        predictor.pipeline._sort_boxes._real = lambda polygons: order(list(polygons))

    return change


def rectifies(change: Callable[[Array], Array], angle: int = 0) -> Callable[[PagePredictor], None]:
    """Let a document preprocessor turn or unwarp pages."""

    def put(predictor: PagePredictor) -> None:
        def stub(images: list[Array], **_: Any) -> list[dict[str, Any]]:
            return [{"angle": angle, "output_img": np.ascontiguousarray(change(each))} for each in images]

        predictor.pipeline.use_doc_preprocessor = True
        predictor.pipeline.doc_preprocessor_pipeline = ListTap(PREPROCESSOR, stub, predictor.taps)

    return put


def drops_a_box(predictor: PagePredictor) -> None:
    real = predictor.pipeline._crop_by_polys._real
    predictor.pipeline._crop_by_polys._real = lambda picture, polygons: [
        each if index else each[:0] for index, each in enumerate(real(picture, polygons))
    ]


def shears(picture: Array) -> Array:
    import cv2

    matrix = np.array([[1, 0.06, 0], [0.03, 1, 6]], np.float32)
    return np.asarray(cv2.warpAffine(picture, matrix, picture.shape[1::-1], borderMode=cv2.BORDER_REPLICATE))


def lines_of(state_change: Any) -> Inject:
    return recogniser(of_state(state_change))


def exchanged(entries: list[str]) -> list[str]:
    places = {name: entries.index(name) for name in ("0", "O", "1", "I")}
    entries[places["0"]], entries[places["O"]] = "O", "0"
    entries[places["1"]], entries[places["I"]] = "I", "1"
    return entries


WEIGHTS = ("network.weights", "network.weights.other_checkpoint", "network.weights.partly_loaded")

CASES: list[PageCase] = [
    # the detector's settings
    PageCase("unclip_ratio", "receipt", DETECTION, "detections", ["postprocess.unclip_ratio"],
             options(text_det_unclip_ratio=2.2)),
    PageCase("unclip_ratio of predict", "columns", DETECTION, "detections", ["postprocess.unclip_ratio"],
             predict(text_det_unclip_ratio=1.0)),
    PageCase("thresh", "receipt", DETECTION, "detections", ["postprocess.thresh"], options(text_det_thresh=0.7)),
    PageCase("box_thresh", "columns", DETECTION, "detections", ["postprocess.box_thresh"],
             options(text_det_box_thresh=0.75)),
    PageCase("paddleocr's own limits", "receipt", DETECTION, "resize", ["resize.limits"],
             options(text_det_limit_side_len=None, text_det_limit_type=None)),
    PageCase("limit_side_len", "wide", DETECTION, "resize", ["resize.limits"], options(text_det_limit_side_len=320)),
    PageCase("half a limit", "columns", DETECTION, "resize", ["resize.limits"], options(text_det_limit_type="max",
             text_det_limit_side_len=400)),
    # the detector's export
    PageCase("mean and std", "receipt", DETECTION, "tensor", ["normalize.mean_std"],
             detector_yml("NormalizeImage", mean=[0.9, 0.9, 0.9], std=[0.5, 0.5, 0.5])),
    PageCase("scale", "receipt", DETECTION, "tensor", ["normalize.scale", "normalize.mean_std"],
             detector_yml("NormalizeImage", scale=1 / 128)),
    PageCase("channel order of the page", "coloured", DETECTION, "decode", ["decode.channel_order"],
             detector_yml("DecodeImage", img_mode="RGB")),
    PageCase("use_dilation", "receipt", DETECTION, "detections", ["postprocess.use_dilation"],
             detector_yml("PostProcess", use_dilation=True)),
    PageCase("max_candidates", "columns", DETECTION, "detections", ["postprocess.max_candidates"],
             detector_yml("PostProcess", max_candidates=4)),
    PageCase("an earlier checkpoint of the detector", "receipt", DETECTION, "probability_map", WEIGHTS,
             detector(of_pages.early)),
    PageCase("nothing loaded into the detector", "receipt", DETECTION, "probability_map",
             ["network.weights.not_loaded"], detector(of_pages.untrained)),
    PageCase("a part of the detector's weights", "columns", DETECTION, "probability_map", WEIGHTS,
             detector(of_pages.partly_loaded)),
    # the recogniser's settings
    PageCase("input_shape", "receipt", RECOGNITION, "resize", ["resize.input_shape"],
             options(text_rec_input_shape=[3, 32, 160])),
    PageCase("a narrow input_shape", "wide", RECOGNITION, "resize", ["resize.input_shape"],
             options(text_rec_input_shape=[3, 32, 96])),
    # the recogniser's export
    PageCase("channel order of lines", "night", RECOGNITION, "decode", ["decode.channel_order"],
             line_yml("DecodeImage", img_mode="RGB")),
    PageCase("height", "receipt", RECOGNITION, "resize", ["resize.height", "resize.image_shape"],
             line_yml("RecResizeImg", image_shape=[3, 48, 160])),
    PageCase("dictionary shifted by one", "receipt", RECOGNITION, "text", ["text.dictionary"],
             letters(lambda entries: entries[1:] + entries[:1])),
    PageCase("dictionary sorted backwards", "columns", RECOGNITION, "text", ["text.dictionary"],
             letters(lambda entries: sorted(entries, reverse=True))),
    PageCase("two pairs of the dictionary exchanged", "receipt", RECOGNITION, "text", ["text.dictionary"],
             letters(exchanged)),
    PageCase("a short dictionary", "receipt", RECOGNITION, "load", ["refused"],
             letters(lambda entries: entries[:-5]), refused="character_dict"),
    PageCase("another epoch's recogniser", "coloured", RECOGNITION, "probability_map", WEIGHTS,
             lines_of(of_lines.moved)),
    PageCase("nothing loaded into the recogniser", "receipt", RECOGNITION, "probability_map",
             ["network.weights.not_loaded"], lines_of(of_lines.not_loaded)),
    PageCase("the head of the recogniser was skipped", "columns", RECOGNITION, "probability_map",
             ["network.weights.partly_loaded"], lines_of(of_lines.without("classify."))),
    PageCase("the BiLSTM was skipped", "receipt", RECOGNITION, "probability_map",
             ["network.weights.partly_loaded"], lines_of(of_lines.without("context."))),
    PageCase("exported in training mode", "receipt", RECOGNITION, "probability_map",
             ["network.train_mode", "network.softmax"], recogniser(of_network("", trains=True))),
    # what stands between them
    PageCase("upright crops", "tilted", PIPELINE, "crop", ["pipeline.crop_rule"], hook(cuts(upright(0)))),
    PageCase("crops with a margin", "receipt", PIPELINE, "crop", ["pipeline.crop_rule"], hook(cuts(upright(10)))),
    PageCase("tight crops", "columns", PIPELINE, "crop", ["pipeline.crop_rule"], hook(cuts(shrunk))),
    PageCase("crops turned by 90 degrees", "receipt", PIPELINE, "crop", ["pipeline.crop_rule"], hook(cuts(lying))),
    PageCase("crops mirrored", "columns", PIPELINE, "crop", ["pipeline.crop_rule"], hook(cuts(swapped))),
    PageCase("every line turned", "receipt", PIPELINE, "crop", ["pipeline.textline_orientation"],
             turned(lambda index: True)),
    PageCase("one line turned", "columns", PIPELINE, "crop", ["pipeline.textline_orientation"],
             turned(lambda index: index == 4)),
    PageCase("boxes from left to right", "columns", PIPELINE, "page", ["pipeline.order"],
             hook(sorts(lambda boxes: sorted(boxes, key=lambda each: int(each[0][0]))))),
    PageCase("boxes from the bottom up", "receipt", PIPELINE, "page", ["pipeline.order"],
             hook(sorts(lambda boxes: sorted(boxes, key=lambda each: -int(each[0][1]))))),
    PageCase("text_rec_score_thresh", "receipt", PIPELINE, "page", ["pipeline.score_thresh"],
             options(text_rec_score_thresh=0.999)),
    PageCase("text_rec_score_thresh of predict", "wide", PIPELINE, "page", ["pipeline.score_thresh"],
             predict(text_rec_score_thresh=0.9999)),
    PageCase("the page upside down", "receipt", PIPELINE, "resize", ["pipeline.doc_preprocessor"],
             hook(rectifies(lambda picture: picture[::-1, ::-1], 180))),
    PageCase("the page unwarped", "receipt", PIPELINE, "resize", ["pipeline.doc_preprocessor"],
             hook(rectifies(shears))),
    PageCase("a box without a crop", "columns", PIPELINE, "detections", ["pipeline.boxes"], hook(drops_a_box)),
    # two at once
    PageCase("unclip_ratio, and a dictionary", "receipt", DETECTION, "detections", ["postprocess.unclip_ratio"],
             both(options(text_det_unclip_ratio=1.7), letters(exchanged)), also=[(RECOGNITION, "text.dictionary")]),
    PageCase("a line turned, and a dictionary", "receipt", PIPELINE, "crop", ["pipeline.textline_orientation"],
             both(turned(lambda index: index == 2), letters(exchanged)),
             also=[(RECOGNITION, "text.dictionary")]),
    PageCase("texts left out, and in another order", "columns", PIPELINE, "page", ["pipeline.score_thresh"],
             both(options(text_rec_score_thresh=0.999), hook(sorts(lambda boxes: boxes[::-2] + boxes[-2::-2]))),
             also=[(PIPELINE, "pipeline.order")]),
    # what real exports do in batches
    PageCase("lines filled up in a batch", "banner", PIPELINE, "resize", ["resize.batch_padding"],
             options(text_recognition_batch_size=8)),
]  # fmt: skip
SHORT: tuple[str, ...] = (
    "unclip_ratio",
    "height",
    "two pairs of the dictionary exchanged",
    "exported in training mode",
    "upright crops",
    "boxes from left to right",
    "text_rec_score_thresh",
    "lines filled up in a batch",
    "a line turned, and a dictionary",
)
"""The cases that `make test` runs: of each model and each step between them."""
