"""paddleocr's predictor with other parameters: paddlex's own classes, built again with what an experiment asks for."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from pytest_ocrparity.backends.paddlex.deployed import PREPROCESSOR
from pytest_ocrparity.backends.paddlex.ocr_predictor import PREPROCESSOR as PREPROCESSOR_TAP
from pytest_ocrparity.backends.paddlex.ocr_predictor import ocr_preprocessor_off
from pytest_ocrparity.backends.paddlex.predictor import Predictor
from pytest_ocrparity.stages import DECODE, DETECTIONS, RESIZE, TENSOR

Steps = dict[str, Callable[..., Any]]
Changes = Mapping[str, Mapping[str, Any]]

NO_CAP: Final = 10**9
"""Above every image: what a side without `max_side_limit` has."""

RULES: Final = {
    "limit": ("limit_side_len", "limit_type"),
    "image_shape": ("image_shape", "keep_ratio"),
    "resize_long": ("resize_long",),
    "input_shape": ("input_shape",),
}


def varied_steps(predictor: Predictor, current: Changes, changes: Changes) -> Steps:
    """Return by tap name what stands in the predictor's place under other parameters.

    Args:
        predictor: whose classes are used.
        current: its parameters as they run, by stage name.
        changes: those to replace, by stage name.
    """
    steps = predictor.steps
    found: Steps = {}
    if "img_mode" in changes.get(DECODE, {}):
        mode = changes[DECODE]["img_mode"]
        found["Read"] = GreyReader() if mode == "GRAY" else type(steps["Read"])(format=mode)
    if changes.get(RESIZE):
        wanted = {**current[RESIZE], **changes[RESIZE]}
        arguments = {name: wanted[name] for name in RULES[wanted["rule"]] if wanted.get(name) is not None}
        resize = type(steps["Resize"])(**arguments)
        cap = wanted.get("max_side_limit") or NO_CAP
        found["Resize"] = lambda imgs, **_: resize(imgs, max_side_limit=cap)
        if wanted.get(PREPROCESSOR) is None:
            found[PREPROCESSOR_TAP] = lambda imgs, **_: ocr_preprocessor_off(imgs)
    if changes.get(TENSOR):
        wanted = {**current[TENSOR], **changes[TENSOR]}
        found["Normalize"] = type(steps["Normalize"])(**wanted)
    if changes.get(DETECTIONS):
        found["process"] = _process_with(predictor.post_process, changes[DETECTIONS])
    return found


class GreyReader:
    """Reads as PaddleOCR's training side does with `img_mode: GRAY`: three channels of grey, where paddlex has one."""

    format = "GRAY"

    def __call__(self, imgs: list[Any]) -> list[Any]:
        """Return each image, a path or (H, W, 3) BGR pixels, as (H, W, 3)."""
        import cv2

        read = []
        for image in imgs:
            data = cv2.imencode(".png", image)[1] if isinstance(image, np.ndarray) else np.fromfile(image, np.uint8)
            grey = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
            read.append(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR))
        return read


def _process_with(real: Any, wanted: Mapping[str, Any]) -> Callable[..., Any]:
    """Return the `process` of a copy of the post-process with other attributes and thresholds."""
    other = copy.copy(real)
    for name, value in wanted.items():
        setattr(other, name, value)

    def process(pred: Any, img_shape: Any, thresh: float, box_thresh: float, unclip_ratio: float) -> Any:
        given = {"thresh": thresh, "box_thresh": box_thresh, "unclip_ratio": unclip_ratio}
        used = {name: wanted.get(name, value) for name, value in given.items()}
        # The instance holds a tap under this name, so the class is asked.
        return type(other).process(other, pred, img_shape, **used)

    return process
