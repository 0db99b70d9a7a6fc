"""A port as a user writes one: ONNX Runtime, an own cv2 preprocessing and an own DB post-process, right until told.

Nothing of PaddleOCR runs in it. Each hook is one thing that a port can do otherwise; a case changes one, or two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from faults.deployment import EXAMPLE
from pytest_ocrparity import Decoded, Detections, Trace
from pytest_ocrparity.trace import Image, Shape

Array: TypeAlias = "npt.NDArray[Any]"
Size: TypeAlias = "tuple[int, int]"
ONNX = EXAMPLE / "inference_onnx" / "inference.onnx"
MEAN, STD = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)


def load_bgr(image: Image) -> Array:
    """Decode a page as cv2 does by itself."""
    import cv2

    if isinstance(image, np.ndarray):
        return image
    return np.asarray(cv2.imdecode(np.frombuffer(Path(image).read_bytes(), np.uint8), cv2.IMREAD_COLOR))


def at_least_736(height: int, width: int) -> Size:
    """Return the network's size: the short side enlarged to 736 px, both rounded to multiples of 32."""
    return to_32(*limited(height, width, 736, "min"))


def limited(height: int, width: int, side: int, rule: str) -> tuple[float, float]:
    """Return a page's size under a limit of its short side ("min") or its long side ("max"), not rounded yet."""
    ratio = max(1.0, side / min(height, width)) if rule == "min" else min(1.0, side / max(height, width))
    return int(height * ratio), int(width * ratio)


def to_32(height: float, width: float, rounding: Callable[[float], int] = round) -> Size:
    return max(rounding(height / 32) * 32, 32), max(rounding(width / 32) * 32, 32)


def bilinear(pixels: Array, size: Size) -> Array:
    import cv2

    return np.asarray(cv2.resize(pixels, (size[1], size[0]), interpolation=cv2.INTER_LINEAR))


def imagenet(pixels: Array) -> Array:
    """Normalise (h, w, 3) pixels by ImageNet's mean and std, in the order of the channels."""
    return (pixels.astype(np.float32) / np.float32(255) - MEAN) / STD


def same(array: Array) -> Array:
    return array


@dataclass(frozen=True, kw_only=True)
class DB:
    """The DB post-process: outlines of the map above `thresh`, each a rectangle, grown by `unclip`.

    Attributes:
        least: boxes are dropped whose shorter side in the map is below.
        most: outlines looked at.
        dilated: the bitmap is dilated by 2x2 first.
        slow: the mean within the outline is the score, and not the mean within its rectangle.
        upright: boxes are parallel to the page's sides.
    """

    thresh: float = 0.3
    box_thresh: float = 0.6
    unclip: float = 1.5
    least: float = 3
    most: int = 1000
    dilated: bool = False
    slow: bool = False
    upright: bool = False

    def __call__(self, values: Array) -> tuple[list[Array], list[float]]:
        """Return boxes in pixels of the map, and their scores."""
        import cv2

        bitmap = (values > self.thresh).astype(np.uint8)
        if self.dilated:
            bitmap = np.asarray(cv2.dilate(bitmap, np.ones((2, 2), np.uint8)))
        outlines, _ = cv2.findContours(bitmap, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
        boxes, scores = [], []
        for outline in outlines[: self.most]:
            tight, side = self.rectangle(outline)
            if side < self.least:
                continue
            score = mean_within(values, outline.reshape(-1, 2) if self.slow else tight)
            if score < self.box_thresh:
                continue
            box, side = self.rectangle(grown(tight, self.unclip))
            if side >= self.least + 2:
                boxes.append(box)
                scores.append(score)
        return boxes, scores

    def rectangle(self, points: Array) -> tuple[Array, float]:
        """Return the smallest rectangle around points, from its top left corner clockwise, and its shorter side."""
        import cv2

        if self.upright:
            x, y, w, h = cv2.boundingRect(points)
            return np.array([[x, y], [x + w - 1, y], [x + w - 1, y + h - 1], [x, y + h - 1]], np.float64), min(w, h)
        found = cv2.minAreaRect(points)
        corners = np.asarray(cv2.boxPoints(found), np.float64)
        left, right = np.split(corners[np.argsort(corners[:, 0], kind="stable")], 2)
        left, right = left[np.argsort(left[:, 1])], right[np.argsort(right[:, 1])]
        return np.stack([left[0], right[0], right[1], left[1]]), min(found[1])


def mean_within(values: Array, polygon: Array) -> float:
    """Return the mean of a map over the pixels of a polygon."""
    import cv2

    height, width = values.shape
    low = np.clip(np.floor(polygon.min(axis=0)).astype(int), 0, (width - 1, height - 1))
    high = np.clip(np.ceil(polygon.max(axis=0)).astype(int), 0, (width - 1, height - 1))
    mask = np.zeros((high[1] - low[1] + 1, high[0] - low[0] + 1), np.uint8)
    cv2.fillPoly(mask, [(polygon - low).astype(np.int32)], 1)
    return float(cv2.mean(values[low[1] : high[1] + 1, low[0] : high[0] + 1], mask)[0])


def grown(box: Array, ratio: float) -> Array:
    """Return a box's outline, moved outward by area * ratio / circumference."""
    import cv2
    import pyclipper

    offset = pyclipper.PyclipperOffset()
    offset.AddPath(box, pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
    outline = box.astype(np.float32)
    distance = cv2.contourArea(outline) * ratio / cv2.arcLength(outline, closed=True)
    return np.array(offset.Execute(distance)[0], np.int32).reshape(-1, 1, 2)


def by_ratios(box: Array, shape: Shape, _: Size) -> Array:
    """Take a box from the map to the page by the ratios of its resize, rounded and clipped to the page."""
    return np.clip(np.round(box / (shape[3], shape[2])), 0, (shape[1], shape[0]))


def untouched(boxes: list[Array], scores: list[float]) -> tuple[Sequence[Array], Any]:
    return boxes, scores


@dataclass(kw_only=True, eq=False)
class Foreign:
    """One port. It implements `Pipeline` as far as most users do: no `varied`, and no parameters.

    Attributes:
        load: the page as `decode` records it, in BGR unless `order` says otherwise.
        prepare: what happens to it before it is resized.
        size, resample: the network's size for a page's, and the picture of that size; it may hold borders.
        ratios: (ratio_h, ratio_w) of a page's size and the network's, for the shape row.
        normalise, feed: the (h, w, 3) pixels as floats; the (1, 3, h, w) tensor as it is fed.
        network: where the ONNX file is.
        read: the (1, 1, h, w) map as it comes from the engine.
        db: the post-process.
        place: a box of the map in pixels of the page.
        finish: all boxes and scores, last of all.
        recorded: the stages whose values its traces hold, beside the boxes.
        has_source: whether a trace hands out the port itself, so that a diagnosis can run it.
    """

    name: str = "port"
    order: str = "BGR"
    load: Callable[[Image], Array] = load_bgr
    prepare: Callable[[Array], Array] = same
    size: Callable[[int, int], Size] = at_least_736
    resample: Callable[[Array, Size], Array] = bilinear
    ratios: Callable[[Size, Size], tuple[float, float]] = lambda page, size: (size[0] / page[0], size[1] / page[1])
    normalise: Callable[[Array], Array] = imagenet
    feed: Callable[[Array], Array] = same
    network: Callable[[], Path] = lambda: ONNX
    read: Callable[[Array], Array] = same
    db: DB = DB()
    place: Callable[[Array, Shape, Size], Array] = by_ratios
    finish: Callable[[list[Array], list[float]], tuple[Sequence[Array], Any]] = untouched
    recorded: tuple[str, ...] = ("decode", "resize", "tensor", "probability_map")
    has_source: bool = True
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def preprocess(self, image: Image) -> Trace:
        """Decode, resize, normalise."""
        pixels = self.load(image)
        prepared = self.prepare(pixels)
        page = (prepared.shape[0], prepared.shape[1])
        size = self.size(*page)
        resized = self.resample(prepared, size)
        tensor = np.ascontiguousarray(self.normalise(resized).transpose(2, 0, 1)[None], np.float32)
        return Trace(
            pipeline=self.name,
            image=str(image) if not isinstance(image, np.ndarray) else "array",
            decode=Decoded.of(pixels, self.order),
            resize=resized,
            shape=(float(page[0]), float(page[1]), *self.ratios(page, size)),
            tensor=np.asarray(self.feed(tensor), np.float32),
            parameters=self.parameters,
            source=self,
        )

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Run ONNX Runtime."""
        return np.asarray(self.read(run(self.network(), np.asarray(tensor))), np.float32)

    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        """Return the boxes of a map."""
        boxes, scores = self.db(probability_map[0, 0])
        size = (probability_map.shape[2], probability_map.shape[3])
        polygons, told = self.finish([self.place(box, shape, size) for box in boxes], scores)
        return Detections(tuple(polygons), None if told is None else np.asarray(told))

    def trace(self, image: Image) -> Trace:
        """Run all stages, and keep what this port records."""
        trace = self.preprocess(image)
        assert trace.tensor is not None and trace.shape is not None
        values = self.infer(trace.tensor)
        trace = replace(trace, probability_map=values, detections=self.postprocess(values, trace.shape))
        lost: dict[str, Any] = dict.fromkeys({"decode", "resize", "tensor", "probability_map"} - {*self.recorded})
        return replace(trace, **lost, source=self if self.has_source else None)


@lru_cache(maxsize=4)
def session(network: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # it warns of arrays that nothing uses
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(network.read_bytes(), options, providers=["CPUExecutionProvider"])


def run(network: Path, tensor: Array) -> Array:
    """Return an ONNX network's first output."""
    engine = session(network)
    return np.asarray(engine.run(None, {engine.get_inputs()[0].name: tensor})[0])


def with_weights(target: Path, weights: Mapping[str, Array], trained: Mapping[str, Array]) -> Path:
    """Write the example's ONNX network with other arrays in place of the trained ones, of the same names and sizes."""
    content = ONNX.read_bytes()
    for name, array in trained.items():
        old, new = np.ascontiguousarray(array).tobytes(), np.ascontiguousarray(weights[name], array.dtype).tobytes()
        if content.count(old) == 1:  # those of the training-only head are not in an export
            content = content.replace(old, new)
    target.write_bytes(content)
    return target
