"""A full port, as the documentation shows it: ONNX Runtime and cv2, and nothing of PaddleOCR."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import cv2
import numpy as np
import pyclipper

from pytest_ocrparity import FunctionPipeline

with suppress(ModuleNotFoundError):  # tests of the rest of it do without
    import onnxruntime

MEAN, STD = np.array([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]], np.float32)


def make_port(file: str) -> FunctionPipeline:
    net = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    return FunctionPipeline(preprocess=preprocess, infer=lambda x: net.run(None, {"x": x})[0], postprocess=postprocess)


def preprocess(image: Any) -> dict[str, Any]:
    pixels = cv2.imread(image) if isinstance(image, str) else image
    height, width = pixels.shape[:2]
    ratio = max(1, 736 / min(height, width))
    h, w = (max(32, round(int(side * ratio) / 32) * 32) for side in (height, width))
    resized = cv2.resize(pixels, (w, h))
    tensor = ((resized / np.float32(255) - MEAN) / STD).transpose(2, 0, 1)[None]
    return {"decode": pixels, "resize": resized, "tensor": tensor, "shape": (height, width, h / height, w / width)}


def postprocess(probability_map: Any, shape: Any) -> tuple[list[Any], list[float]]:
    values, polygons, scores = probability_map[0, 0], [], []
    for outline in cv2.findContours(np.uint8(values > 0.3), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)[0]:
        _, (w, h), _ = tight = cv2.minAreaRect(outline)
        mask = cv2.fillPoly(np.zeros(values.shape, np.uint8), [np.int32(cv2.boxPoints(tight))], 1)
        score = cv2.mean(values, mask)[0]
        if min(w, h) >= 3 and score >= 0.6:
            offset = pyclipper.PyclipperOffset()
            offset.AddPath(cv2.boxPoints(tight), pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
            grown = cv2.minAreaRect(np.int32(offset.Execute(w * h * 1.5 / (2 * (w + h)))[0]))
            polygons.append(np.round(cv2.boxPoints(grown) * (shape[1] / values.shape[1], shape[0] / values.shape[0])))
            scores.append(score)
    return polygons, scores
