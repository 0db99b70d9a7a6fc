"""Right ports that are written otherwise: what they do differently changes nothing that counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from faults import ports
from faults.box_hooks import Boxes as BoxList
from faults.box_hooks import in_page
from faults.foreign import DB, MEAN, ONNX, STD, Array, Foreign, Size, imagenet, load_bgr, run
from faults.near_miss import Boxes
from pytest_ocrparity import Detections, Trace
from pytest_ocrparity.trace import Image, Shape

Make = Callable[[Any], Any]


def port(**hooks: Any) -> Make:
    return lambda _: Foreign(**hooks)


def load_rgb(image: Image) -> Array:
    return np.ascontiguousarray(load_bgr(image)[..., ::-1])


def load_with_pil(image: Image) -> Array:
    from PIL import Image as Pillow

    assert not isinstance(image, np.ndarray)
    with Pillow.open(image) as opened:
        return np.ascontiguousarray(np.asarray(opened.convert("RGB"))[..., ::-1])


def in_double(pixels: Array) -> Array:
    return np.asarray((pixels / 255.0 - MEAN.astype(np.float64)) / STD.astype(np.float64))


def folded(pixels: Array) -> Array:
    """Multiply and add once."""
    factor, offset = np.float32(1 / 255) / STD, -MEAN / STD
    return np.asarray(pixels.astype(np.float32) * factor + offset)


def channel_by_channel(pixels: Array) -> Array:
    planes = [(pixels[..., i].astype(np.float32) * np.float32(1 / 255) - MEAN[i]) / STD[i] for i in range(3)]
    return np.stack(planes, axis=-1)


def by_cv2(pixels: Array) -> Array:
    """Let OpenCV subtract and divide."""
    import cv2

    middle, factor = (*(MEAN * 255).tolist(), 0.0), (*(1 / (STD * 255)).tolist(), 0.0)
    return np.asarray(cv2.multiply(cv2.subtract(pixels.astype(np.float64), middle), factor))


class RunsInBatches(Foreign):
    """The page is run beside a copy of itself that is turned."""

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        batch = np.concatenate([tensor, tensor[..., ::-1]]).astype(np.float32)
        return np.asarray(run(ONNX, batch)[:1], np.float32)


@dataclass(kw_only=True)
class Comparable(Foreign):
    """A dataclass that compares by its fields, and so has no hash."""

    threads: int = 1


class NamesPagesItself(Foreign):
    """Its traces call a page as the user's database does."""

    def trace(self, image: Image) -> Trace:
        return replace(super().trace(image), image="scan no. 7, page 1")


class WithoutShape(Foreign):
    """Its traces hold no shape row."""

    def trace(self, image: Image) -> Trace:
        return replace(super().trace(image), shape=None)


class Lists(Foreign):
    """Boxes and scores are plain lists, as json gives them."""

    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        made = super().postprocess(probability_map, shape)
        assert made.scores is not None
        boxes: Any = [polygon.tolist() for polygon in made.polygons]
        scores: Any = made.scores.tolist()
        return Detections(boxes, scores)


class Fortran(Foreign):
    """Arrays lie in memory in another order."""

    def preprocess(self, image: Image) -> Trace:
        trace = super().preprocess(image)
        assert trace.tensor is not None and trace.resize is not None
        return replace(trace, tensor=np.asfortranarray(trace.tensor), resize=np.asfortranarray(trace.resize))

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return np.asfortranarray(super().infer(np.ascontiguousarray(tensor)))


class AllOutlinePoints(DB):
    """Outlines are taken with each of their points; the rectangle around them is the same."""

    def rectangle(self, points: Array) -> tuple[Array, float]:
        return super().rectangle(np.repeat(points, 2, axis=0))


def finishing(change: Callable[[Array], Any]) -> Make:
    return port(finish=lambda boxes, scores: ([change(box) for box in boxes], scores))


def shuffled(boxes: BoxList, scores: list[float]) -> tuple[Sequence[Array], Any]:
    order = np.random.default_rng(0).permutation(len(boxes))
    return [boxes[i] for i in order], [scores[i] for i in order]


def top_to_bottom(boxes: BoxList, scores: list[float]) -> tuple[Sequence[Array], Any]:
    order = sorted(range(len(boxes)), key=lambda i: (boxes[i][0, 1], boxes[i][0, 0]))
    return [boxes[i] for i in order], [scores[i] for i in order]


def by_sizes(box: Array, shape: Shape, size: Size) -> Array:
    return np.clip(np.round(box / (size[1], size[0]) * (shape[1], shape[0])), 0, (shape[1], shape[0]))


def by_factors(box: Array, shape: Shape, size: Size) -> Array:
    return np.clip(np.round(box * (shape[1] / size[1], shape[0] / size[0])), 0, (shape[1], shape[0]))


def half_up(box: Array, shape: Shape, size: Size) -> Array:
    return np.clip(np.floor(box / (shape[3], shape[2]) + 0.5), 0, (shape[1], shape[0]))


def not_rounded(box: Array, shape: Shape, size: Size) -> Array:
    return np.clip(box / (shape[3], shape[2]), 0, (shape[1], shape[0]))


class Stacked(Boxes):
    """Plain polygons as one (M, 4, 2) array."""

    def trace(self, image: Any) -> Any:
        return np.stack(super().trace(image))


class ClosedRings(Boxes):
    """Plain polygons whose first point stands at the end as well, as shapely and GeoJSON have it."""

    def trace(self, image: Any) -> list[Any]:
        return [np.vstack([box, box[:1]]) for box in super().trace(image)]


PAGES = ("curved.png", "colours.png")
COLOURED = ("colours.png", "rotated.jpg")

HARMLESS: dict[str, tuple[Make, tuple[str, ...]]] = {
    "as it is": (port(), ("receipt.png", "exif_orientation.jpg", "blank.png", "border.png")),
    "RGB, said so, and fed as BGR": (
        port(load=load_rgb, order="RGB", normalise=lambda pixels: imagenet(pixels[..., ::-1])),
        (*COLOURED, "curved.png"),
    ),
    "a PNG decoded by PIL": (port(load=load_with_pil), PAGES),
    "normalised as float64": (port(normalise=in_double), PAGES),
    "scale and bias folded": (port(normalise=folded), PAGES),
    "normalised channel by channel": (port(normalise=channel_by_channel), PAGES),
    "normalised by OpenCV": (port(normalise=by_cv2), PAGES),
    "arrays in Fortran's order": (lambda _: Fortran(), PAGES),
    "run in a batch": (lambda _: RunsInBatches(), PAGES),
    "all points of an outline": (port(db=AllOutlinePoints()), PAGES),
    "boxes shuffled, scores with them": (port(finish=shuffled), PAGES),
    "boxes from top to bottom": (port(finish=top_to_bottom), PAGES),
    "boxes as float32": (finishing(lambda box: box.astype(np.float32)), PAGES),
    "boxes as int32": (finishing(lambda box: box.astype(np.int32)), PAGES),
    "boxes and scores as lists": (lambda _: Lists(), PAGES),
    "closed rings": (finishing(lambda box: np.vstack([box, box[:1]])), PAGES),
    "another vertex first": (finishing(lambda box: np.roll(box, 1, axis=0)), PAGES),
    "the other way around": (finishing(lambda box: box[::-1]), PAGES),
    "no scores": (port(finish=lambda boxes, scores: (boxes, None)), PAGES),
    "scores as float32": (port(finish=lambda boxes, scores: (boxes, np.float32(scores))), PAGES),
    "scores to six digits": (port(finish=lambda boxes, scores: (boxes, np.round(scores, 6))), PAGES),
    "x / w * W": (port(place=by_sizes), PAGES),
    "x * (W / w)": (port(place=by_factors), PAGES),
    "rounded half up": (port(place=half_up), PAGES),
    "not rounded": (port(place=not_rounded), PAGES),
    "clipped to the last pixel": (
        port(place=in_page(lambda box, page: np.clip(box, 0, page - 1))),
        ("border.png", "rotated.jpg"),
    ),
    "no decoded page recorded": (port(recorded=("resize", "tensor", "probability_map")), PAGES),
    "no resized page recorded": (port(recorded=("decode", "tensor", "probability_map")), PAGES),
    "tensor and map recorded": (port(recorded=("tensor", "probability_map")), PAGES),
    "no source": (port(has_source=False), PAGES),
    "no shape row": (lambda _: WithoutShape(), PAGES),
    "pages named otherwise": (lambda _: NamesPagesItself(), PAGES),
    "an engine without a hash": (lambda _: Comparable(), PAGES),
    "parameters in its own words": (
        port(parameters={"detections": {"det_db_thresh": np.float32(0.3), "unclip": [1.5]}, "engine": {"threads": 1}}),
        PAGES,
    ),
    "a wrapper that changes nothing": (ports.Port, PAGES),
    "boxes alone": (port(recorded=(), has_source=False), PAGES),
    "plain polygons": (lambda _: Boxes(Foreign()), PAGES),
    "plain polygons as one array": (lambda _: Stacked(Foreign()), PAGES),
    "plain closed rings": (lambda _: ClosedRings(Foreign()), PAGES),
}
