"""Ports of the user's that do one thing wrong: the real inference side with one step put wrong around it.

They stand for C++ servers, older pipelines and other engines, whose faults no setting of paddleocr 3.x can bring about.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pytest_ocrparity import Decoded, Detections, Trace
from pytest_ocrparity.backends.staged import StagedPipeline
from pytest_ocrparity.diagnosis import Alternative
from pytest_ocrparity.trace import Image, Shape

Array: TypeAlias = "npt.NDArray[Any]"


class Port(StagedPipeline):
    """A pipeline that hands everything on to another one."""

    def __init__(self, inner: Any) -> None:
        super().__init__("port")
        self.inner = inner

    def preprocess(self, image: Image) -> Trace:
        trace: Trace = self.inner.preprocess(image)
        return replace(trace, pipeline=self.name, source=self)

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        made: npt.NDArray[np.float32] = self.inner.infer(tensor)
        return made

    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        made: Detections = self.inner.postprocess(probability_map, shape)
        return made

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        known: Mapping[str, Mapping[str, Any]] = self.inner.parameters
        return known

    def varied(self, changes: Mapping[str, Mapping[str, Any]]) -> Port:
        return type(self)(self.inner.varied(changes))


def decoded(image: Image, flags: int | None = None) -> Array:
    """Decode a file with cv2; an array is taken as it is."""
    import cv2

    if isinstance(image, np.ndarray):
        return image
    data = np.frombuffer(Path(image).read_bytes(), np.uint8)
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR if flags is None else flags))


class RoundsDown(Port):
    """R9: sides are cut to multiples of 32 and not rounded to the nearest."""

    def preprocess(self, image: Image) -> Trace:
        import cv2

        pixels = decoded(image)
        height, width = pixels.shape[:2]
        ratio = max(1.0, 736 / min(height, width))
        h, w = (max(math.floor(side * ratio / 32) * 32, 32) for side in (height, width))
        trace = super().preprocess(np.asarray(cv2.resize(pixels, (w, h))))
        return replace(
            trace, decode=Decoded.of(pixels, "BGR"), shape=(float(height), float(width), h / height, w / width)
        )


class IgnoresOrientation(Port):
    """D1: EXIF orientation ignored."""

    def preprocess(self, image: Image) -> Trace:
        import cv2

        return super().preprocess(decoded(image, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION))


class OnWhite(Port):
    """D4: alpha composited on white."""

    def preprocess(self, image: Image) -> Trace:
        import cv2

        pixels = decoded(image, cv2.IMREAD_UNCHANGED)
        if pixels.shape[2] == 4:
            alpha = pixels[..., 3:].astype(np.float32) / np.float32(255)
            pixels = np.clip(pixels[..., :3] * alpha + np.float32(255) * (1 - alpha), 0, 255).astype(np.uint8)
        return super().preprocess(np.ascontiguousarray(pixels))


class KeepsSixteenBits(Port):
    """D5: the pixels of a 16-bit file go into the network as they are."""

    def preprocess(self, image: Image) -> Trace:
        import cv2

        trace, pixels = super().preprocess(image), decoded(image, cv2.IMREAD_UNCHANGED)
        if pixels.dtype == np.uint8 or trace.tensor is None:
            return trace
        pixels = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
        return replace(trace, decode=Decoded.of(pixels, "BGR"), tensor=trace.tensor * np.float32(257))


class OtherDecoder(Port):
    """D6: a decoder whose pixels differ by one here and there."""

    def preprocess(self, image: Image) -> Trace:
        pixels = decoded(image)
        if not isinstance(image, np.ndarray):
            noise = np.random.default_rng(0).random(pixels.shape) < 0.03
            pixels = np.where(noise & (pixels < 255), pixels + 1, pixels).astype(np.uint8)
        return super().preprocess(pixels)


class LoadsRgb(Port):
    """D2: files are loaded as RGB, and go on as if they were BGR."""

    def preprocess(self, image: Image) -> Trace:
        return super().preprocess(image if isinstance(image, np.ndarray) else decoded(image)[..., ::-1].copy())


class LoadsTurned(Port):
    """Files are turned upside down."""

    def preprocess(self, image: Image) -> Trace:
        return super().preprocess(image if isinstance(image, np.ndarray) else decoded(image)[::-1, ::-1].copy())


class Brightens(Port):
    """Files are made brighter."""

    def preprocess(self, image: Image) -> Trace:
        pixels = decoded(image)
        return super().preprocess(
            pixels if isinstance(image, np.ndarray) else np.clip(pixels * 1.1, 0, 255).astype(np.uint8)
        )


class RowOfResized(Port):
    """The shape row holds the resized size."""

    def preprocess(self, image: Image) -> Trace:
        trace = super().preprocess(image)
        assert trace.tensor is not None
        return replace(trace, shape=(float(trace.tensor.shape[2]), float(trace.tensor.shape[3]), 1.0, 1.0))


class Jitters(Port):
    """Noise is added to the tensor."""

    def preprocess(self, image: Image) -> Trace:
        trace = super().preprocess(image)
        assert trace.tensor is not None
        noise = np.random.default_rng().normal(0, 0.1, trace.tensor.shape)
        return replace(trace, tensor=(trace.tensor + noise).astype(np.float32))


class DampsMap(Port):
    """The map is multiplied after the engine."""

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return super().infer(tensor) * np.float32(0.8)

    def other_engines(self) -> Iterator[Alternative]:
        yield from self.inner.other_engines()


class BlursTensor(Port):
    """Blurs what it feeds its network, which no experiment knows."""

    def preprocess(self, image: Image) -> Trace:
        trace = super().preprocess(image)
        assert trace.tensor is not None
        return replace(trace, tensor=ndimage.uniform_filter(trace.tensor, (1, 1, 5, 5)).astype(np.float32))


class PadsToSquare(Port):
    """The page is padded with black to a square before it is resized; boxes come back by the page's size."""

    def preprocess(self, image: Image) -> Trace:
        pixels = decoded(image)
        side = max(pixels.shape[:2])
        page = np.zeros((side, side, 3), np.uint8)
        page[: pixels.shape[0], : pixels.shape[1]] = pixels
        return replace(super().preprocess(page), decode=Decoded.of(pixels, "BGR"))


class CutByClient(Port):
    """A client cuts the margins off before it sends the page, and takes the boxes as they are."""

    def preprocess(self, image: Image) -> Trace:
        return super().preprocess(np.ascontiguousarray(decoded(image)[16:-16, 24:-24]))


class HalvedByClient(Port):
    """A client halves the page before it sends it, and takes the boxes as they are."""

    def preprocess(self, image: Image) -> Trace:
        import cv2

        pixels = decoded(image)
        return super().preprocess(np.asarray(cv2.resize(pixels, (pixels.shape[1] // 2, pixels.shape[0] // 2))))


class ResizesByArea(Port):
    """The page is resized by area to the size that is right."""

    def preprocess(self, image: Image) -> Trace:
        import cv2

        pixels = decoded(image)
        height, width = pixels.shape[:2]
        right = super().preprocess(pixels)
        assert right.tensor is not None
        size = (right.tensor.shape[3], right.tensor.shape[2])
        trace = super().preprocess(np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)))
        return replace(
            trace,
            decode=Decoded.of(pixels, "BGR"),
            shape=(float(height), float(width), size[1] / height, size[0] / width),
        )


class ReturnsLogits(Port):
    """The map is handed on before its sigmoid."""

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        made = np.clip(super().infer(tensor).astype(np.float64), 1e-7, 1 - 1e-7)
        return np.asarray(np.log(made / (1 - made)), np.float32)


class FeedsGrey(Port):
    """The page is decoded in colours and turned to grey before it is resized."""

    def preprocess(self, image: Image) -> Trace:
        import cv2

        pixels = decoded(image)
        grey = cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        return replace(super().preprocess(np.asarray(grey)), decode=Decoded.of(pixels, "BGR"))


class ForgetsLater(Port):
    """A second stage forgets every third box."""

    def trace(self, image: Image) -> Trace:
        made = super().trace(image)
        assert made.detections is not None and made.detections.scores is not None
        kept = [index for index in range(len(made.detections)) if index % 3]
        boxes = tuple(made.detections.polygons[index] for index in kept)
        return replace(made, detections=Detections(boxes, made.detections.scores[kept]))


class DropsBoxes(Port):
    """Forgets every third box, which no experiment knows."""

    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        made = super().postprocess(probability_map, shape)
        assert made.scores is not None
        kept = [index for index in range(len(made)) if index % 3]
        return Detections(tuple(made.polygons[index] for index in kept), made.scores[kept])


class SharpensMap(Port):
    """Squares the map, and offers no experiment with its engine."""

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return super().infer(tensor) ** 2


class KeepsBuffer(Port):
    """E8: the network runs in a buffer as large as the largest page so far, which is not wiped between pages."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.buffer: Array = np.zeros((1, 3, 0, 0), np.float32)

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        height, width = tensor.shape[2:]
        before = self.buffer
        size = max(height, before.shape[2]), max(width, before.shape[3])
        self.buffer = np.zeros((1, 3, *size), np.float32)
        self.buffer[..., : before.shape[2], : before.shape[3]] = before
        self.buffer[..., :height, :width] = tensor
        return super().infer(self.buffer)[..., :height, :width]

    def fresh(self) -> Port:
        """Return it as it is before its first page."""
        return type(self)(self.inner)


class ChangesTensor(Port):
    """Base of those that compute another tensor."""

    def changed(self, tensor: Array) -> Array:
        raise NotImplementedError

    def preprocess(self, image: Image) -> Trace:
        trace = super().preprocess(image)
        assert trace.tensor is not None
        return replace(trace, tensor=np.asarray(self.changed(trace.tensor), np.float32))


MEAN, STD = (np.reshape(values, (3, 1, 1)) for values in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))


class ReversedStatistics(ChangesTensor):
    """N2: RGB statistics on BGR."""

    def changed(self, tensor: Array) -> Array:
        return np.asarray((tensor * STD + MEAN - MEAN[::-1]) / STD[::-1])


class OtherMean(ChangesTensor):
    """N1: mean and std of 0.5."""

    def changed(self, tensor: Array) -> Array:
        return np.asarray((tensor.astype(np.float64) * STD + MEAN - 0.5) / 0.5)


class NoScale(ChangesTensor):
    """N3: pixels of 0 to 255, normalised as if they were 0 to 1."""

    def changed(self, tensor: Array) -> Array:
        return np.asarray(((tensor.astype(np.float64) * STD + MEAN) * 255 - MEAN) / STD)


class NormalisesTwice(ChangesTensor):
    """What is normalised is normalised again."""

    def changed(self, tensor: Array) -> Array:
        return np.asarray((tensor.astype(np.float64) - MEAN) / STD)


class HalfPrecision(ChangesTensor):
    """The tensor goes through float16."""

    def changed(self, tensor: Array) -> Array:
        return tensor.astype(np.float16)


class PermutesScores(Port):
    """Sorts its scores and leaves the boxes as they are."""

    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        made = super().postprocess(probability_map, shape)
        assert made.scores is not None
        return Detections(made.polygons, np.roll(made.scores, 1))


class SwapsChannels(ChangesTensor):
    """D2: red and blue change places, and the statistics with them."""

    def changed(self, tensor: Array) -> Array:
        return np.ascontiguousarray(tensor[:, ::-1])


class HeightWidthChannels(ChangesTensor):
    """N5: the buffer holds HWC and is said to be CHW."""

    def changed(self, tensor: Array) -> Array:
        return np.ascontiguousarray(tensor.transpose(0, 2, 3, 1)).reshape(tensor.shape)


class BrokenPass(Port):
    """E3: kernels that are wrong where text is, with oneDNN and without, but not in the plain executor."""

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        made = super().infer(tensor)
        return np.where(made > 0.5, made * np.float32(0.7), made).astype(np.float32)

    def other_engines(self) -> Iterator[Alternative]:
        yield Alternative("engine.onednn", "oneDNN off", self.infer)
        yield Alternative("engine.optimization", "no engine pass", self.inner.infer)


class Racing(Port):
    """An engine that answers otherwise each time."""

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        made = super().infer(tensor)
        return np.clip(made + np.random.default_rng().uniform(-0.2, 0.2, made.shape), 0, 1).astype(np.float32)


class ChangesBoxes(Port):
    """Base of those that return other coordinates."""

    def changed(self, box: Array, size: tuple[int, int], shape: Shape) -> Array:
        raise NotImplementedError

    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        made = super().postprocess(probability_map, shape)
        size = (probability_map.shape[2], probability_map.shape[3])
        return Detections(tuple(self.changed(box, size, shape) for box in made.polygons), made.scores)


class FiltersSmallBoxes(Port):
    """P7: boxes with a side of up to 3 px are dropped, and the rest clipped to the last pixel."""

    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        made = super().postprocess(probability_map, shape)
        assert made.scores is not None
        kept = []
        for index, box in enumerate(made.polygons):
            sides = [np.linalg.norm(box[0] - box[1]), np.linalg.norm(box[0] - box[3])]
            if min(map(int, sides)) > 3:
                kept.append(index)
        boxes = tuple(np.clip(made.polygons[index], 0, (shape[1] - 1, shape[0] - 1)) for index in kept)
        return Detections(boxes, made.scores[kept])


class SwapsRatios(ChangesBoxes):
    """P13: x is scaled by the ratio of y, and the reverse."""

    def changed(self, box: Array, size: tuple[int, int], shape: Shape) -> Array:
        x, y = shape[1] / size[1], shape[0] / size[0]
        return np.asarray(box * (y / x, x / y))


class MapPixels(ChangesBoxes):
    """Boxes stay in pixels of the map."""

    def changed(self, box: Array, size: tuple[int, int], shape: Shape) -> Array:
        return np.asarray(box * (size[1] / shape[1], size[0] / shape[0]))


class ZeroToOne(ChangesBoxes):
    """Boxes stay in shares of the image."""

    def changed(self, box: Array, size: tuple[int, int], shape: Shape) -> Array:
        return np.asarray(box / (shape[1], shape[0]))


class SwapsXY(ChangesBoxes):
    """Boxes hold (y, x)."""

    def changed(self, box: Array, size: tuple[int, int], shape: Shape) -> Array:
        return np.ascontiguousarray(box[:, ::-1])


class ScalesBoxes(ChangesBoxes):
    """Boxes are scaled for no reason."""

    def changed(self, box: Array, size: tuple[int, int], shape: Shape) -> Array:
        return np.asarray(box * 1.02)


class ForgottenOffset(ChangesBoxes):
    """The page was padded by 12 and 20 px before the network, and nobody took that off again."""

    def changed(self, box: Array, size: tuple[int, int], shape: Shape) -> Array:
        return np.asarray(box + np.array([12, 20]))
