"""A detector as people deploy it by hand: ONNX Runtime on the export, and all the rest written around it.

It returns what the trained model does. Each field is one choice that such a server makes, in plain values; a kind of
fault in `port_kinds.py` is a server with one choice (or a few) made otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from faults import server_boxes as boxes
from faults import server_pages as pages
from faults.foreign import ONNX, run
from faults.server_boxes import MAPS, Numbers, Scored
from faults.server_pages import MEAN, STD, Array, Size
from pytest_ocrparity import Decoded, Detections, Trace
from pytest_ocrparity.trace import Image, Shape


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Where a page lies in the picture that is fed: (height, width) of the page as prepared, of its picture, of all."""

    prepared: Size
    inner: Size
    outer: Size
    corner: Size = (0, 0)


@dataclass(kw_only=True, eq=False)
class Server:
    """One deployment, a `Pipeline` without `varied` and without parameters, as most are.

    Attributes:
        exif, alpha: what is made of an EXIF orientation, and of transparent pixels ("dropped" or "white").
        jpeg: the quality in which a client sends the page, 0 where it sends the file.
        client: how much a client scales the page before it sends it.
        touch: what is done to the pixels before the resize, and `touch_at`: by the client or the server.
        turn: quarters by which pages are turned that are wider than high.
        crop, border: pixels cut off, or laid around, each side.
        border_value, fill: the grey of that border, and of what is padded.
        is_undone: whether boxes come back by what client, turn, crop, border and padding did.
        limit, fixed: (side, "min" or "max"), or one size for all pages.
        multiple, rounding: what sides are rounded to, and how.
        fit: "stretch"; "pad" scales and pads to a multiple, "square" and "letterbox" to `fixed`, without and with
            enlarging; "batch" pads the tensor to `fixed`.
        at: where the page lies in what is padded: 0 at the top left, 0.5 in the middle, 1 at the bottom right.
        how: the interpolation.
        channels: "bgr"; "rgb" feeds them reversed, "rgb as bgr" loads them so.
        mean, std, scale, rounds: the normalisation, and how often it is done.
        numbers: how the tensor is handed over.
        tile: side of the squares in which the network sees its tensor, 0 for all at once.
        read: what becomes of the map.
        post: the post-process.
        is_sized_first: the map is scaled to the page before it is cut by `thresh`.
        ratio: how a box of the map comes to pixels of the page.
        corners: how it leaves.
        least_px, least_score, best, joined: boxes that are dropped by side, by score, but for the best; how far apart
            neighbours are joined.
        scores: "with boxes", "one further", "x 0.7" or "sorted".
        page_tile: side of the squares into which a page is cut, each a page of its own, 0 for none.
        memory: what a server keeps of the pages before: "buffer" grows, "dirty" is one that is not wiped, "boxes",
            "ratio", "size" are those of the first page.
    """

    name: str = "server"
    exif: bool = True
    alpha: str = "dropped"
    jpeg: int = 0
    client: float = 1
    touch: str = "none"
    touch_at: str = "server"
    turn: int = 0
    crop: int = 0
    border: int = 0
    border_value: int = 255
    fill: int = 0
    is_undone: bool = True
    limit: tuple[int, str] = (736, "min")
    fixed: Size | None = None
    multiple: int = 32
    rounding: str = "half even"
    fit: str = "stretch"
    at: float = 0
    how: str = "linear"
    channels: str = "bgr"
    mean: pages.Statistics = MEAN
    std: pages.Statistics = STD
    scale: float = 1 / 255
    rounds: int = 1
    numbers: str = "float32"
    tile: int = 0
    read: str = "as it is"
    post: Numbers = field(default_factory=Numbers)
    is_sized_first: bool = False
    ratio: str = "of the map"
    corners: str = "as they are"
    least_px: float = 0
    least_score: float = 0
    best: int = 0
    joined: float = 0
    scores: str = "with boxes"
    page_tile: int = 0
    memory: str = ""
    kept: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    # The page.

    def load(self, image: Image) -> Array:
        """Return the page that reaches the server, after its client."""
        page = pages.loaded(image, is_turned_by_exif=self.exif, has_alpha_on_white=self.alpha == "white")
        if self.client != 1:
            size = (round(page.shape[0] * self.client), round(page.shape[1] * self.client))
            page = pages.resampled(page, size, "area" if self.client < 1 else "linear")
        if self.touch_at == "client":
            page = pages.TOUCHES[self.touch](page)
        page = pages.through_jpeg(page, self.jpeg) if self.jpeg else page
        return np.ascontiguousarray(page[..., ::-1]) if self.channels == "rgb as bgr" else page

    def prepare(self, page: Array) -> Array:
        """Turn, crop, frame and touch a page."""
        if self.is_turned(page.shape[0], page.shape[1]):
            page = np.rot90(page, self.turn)
        if self.crop:
            page = page[self.crop : -self.crop, self.crop : -self.crop]
        if self.border:
            height, width = page.shape[:2]
            size = (height + 2 * self.border, width + 2 * self.border)
            page = pages.on_canvas(page, size, self.border, self.border, self.border_value)
        touch = self.touch if self.touch_at == "server" else "none"
        return np.ascontiguousarray(pages.TOUCHES[touch](page))

    def is_turned(self, height: float, width: float) -> bool:
        return self.turn != 0 and width > height

    def frame(self, height: int, width: int) -> Frame:
        """Return where a page of this size, as it is loaded, will lie."""
        if self.is_turned(height, width) and self.turn % 2:
            height, width = width, height
        height, width = (side + 2 * (self.border - self.crop) for side in (height, width))
        inner = self.inner(height, width)
        if self.memory == "size":
            inner = self.kept.setdefault("size", inner)
        return Frame(prepared=(height, width), inner=inner, **self.placed(inner))

    def inner(self, height: int, width: int) -> Size:
        scaled = pages.limited(height, width, *self.limit)
        if self.fit in ("square", "letterbox"):
            assert self.fixed is not None
            ratio = min(self.fixed[0] / height, self.fixed[1] / width)
            ratio = min(ratio, 1.0) if self.fit == "square" else ratio
            return round(height * ratio), round(width * ratio)
        if self.fit == "pad":
            return scaled
        if self.fit == "stretch" and self.fixed is not None:
            return self.fixed
        return pages.to_multiples(*scaled, self.multiple, self.rounding)

    def placed(self, inner: Size) -> dict[str, Size]:
        outer = inner
        if self.fit == "pad":
            outer = pages.to_multiples(*inner, self.multiple, "ceil")
        elif self.fit != "stretch":
            assert self.fixed is not None
            outer = (max(self.fixed[0], inner[0]), max(self.fixed[1], inner[1]))
        top, left = (int((whole - part) * self.at) for whole, part in zip(outer, inner, strict=True))
        return {"outer": outer, "corner": (top, left)}

    # The tensor.

    def preprocess(self, image: Image) -> Trace:
        """Decode, resize, normalise."""
        page = self.load(image)
        frame = self.frame(page.shape[0], page.shape[1])
        picture = pages.resampled(self.prepare(page), frame.inner, self.how)
        if self.fit not in ("stretch", "batch"):
            picture = pages.on_canvas(picture, frame.outer, *frame.corner, self.fill)
        if self.memory in ("buffer", "dirty"):
            picture = self.buffered(picture)
        tensor = self.tensor(picture)
        if self.fit == "batch":
            tensor = pages.on_canvas(tensor[0].transpose(1, 2, 0), frame.outer, *frame.corner, 0).transpose(2, 0, 1)[
                None
            ]
        ratios = tuple(part / whole for part, whole in zip(frame.inner, frame.prepared, strict=True))
        return Trace(
            pipeline=self.name,
            image="array" if isinstance(image, np.ndarray) else str(image),
            decode=Decoded.of(page, "BGR"),
            resize=picture,
            shape=(float(page.shape[0]), float(page.shape[1]), ratios[0], ratios[1]),
            tensor=np.asarray(pages.NUMBERS[self.numbers](tensor), np.float32),
            source=self,
        )

    def buffered(self, picture: Array) -> Array:
        """Lay a picture into a buffer that is as large as the largest one so far."""
        before: Array = self.kept.get("buffer", np.zeros((0, 0, 3), np.uint8))
        size = (max(picture.shape[0], before.shape[0]), max(picture.shape[1], before.shape[1]))
        whole = np.zeros((*size, 3), np.uint8)
        if self.memory == "dirty":
            whole[: before.shape[0], : before.shape[1]] = before
        whole[: picture.shape[0], : picture.shape[1]] = picture
        self.kept["buffer"] = whole
        return whole

    def tensor(self, picture: Array) -> Array:
        values = picture[..., ::-1] if self.channels == "rgb" else picture
        values = pages.normalised(values, self.mean, self.std, self.scale)
        for _ in range(self.rounds - 1):
            values = pages.normalised(values, self.mean, self.std, 1)
        return np.ascontiguousarray(values.transpose(2, 0, 1)[None])

    # The map.

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Run ONNX Runtime."""
        values = np.zeros((1, 1, *tensor.shape[2:]), np.float32)
        step = self.tile or max(tensor.shape[2:])
        for y, x in _starts(tensor.shape[2], tensor.shape[3], step):
            part = np.ascontiguousarray(tensor[..., y : y + step, x : x + step], np.float32)
            values[..., y : y + step, x : x + step] = run(ONNX, part)
        return np.asarray(MAPS[self.read](values), np.float32)

    # The boxes.

    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        """Return the boxes of a map in pixels of the page."""
        import cv2

        page, values = (int(shape[0]), int(shape[1])), probability_map[0, 0]
        if self.is_sized_first:
            values = np.asarray(cv2.resize(values, (page[1], page[0])))
        found = boxes.boxes_of(values, self.post)
        found = [(self.to_page(box, (values.shape[0], values.shape[1]), shape), score) for box, score in found]
        return self.sent_back(found, page)

    def to_page(self, box: Array, size: Size, shape: Shape) -> Array:
        """Take a box of a map of `size` to pixels of the page."""
        frame = self.frame(int(shape[0]), int(shape[1]))
        is_padded = self.fit != "stretch" or self.memory in ("buffer", "dirty")
        inner = frame.inner if is_padded else size
        top, left = frame.corner if self.is_undone else (0, 0)
        y, x = self.kept.get("ratio") or self.ratios(frame, inner, shape)
        if self.memory == "ratio":
            self.kept["ratio"] = (y, x)
        box = np.round((box - (left, top)) * (x, y))
        box, limits = (self.undone(box, shape), shape[:2]) if self.is_undone else (box, frame.prepared)
        box = np.clip(box, 0, (limits[1], limits[0]))
        return box / self.client if self.is_undone else box

    def ratios(self, frame: Frame, inner: Size, shape: Shape) -> tuple[float, float]:
        y, x = frame.prepared[0] / inner[0], frame.prepared[1] / inner[1]
        limited = pages.limited(*frame.prepared, *self.limit)
        known: dict[str, tuple[float, float]] = {
            "of the map": (y, x),
            "none": (1, 1),
            "of the height": (y, y),
            "swapped": (x, y),
            "of the limit": (frame.prepared[0] / limited[0], frame.prepared[1] / limited[1]),
            "to one digit": (round(y, 1), round(x, 1)),
            "of the whole": (frame.prepared[0] / frame.outer[0], frame.prepared[1] / frame.outer[1]),
            "twice": (y * y, x * x),
        }
        return known[self.ratio]

    def undone(self, box: Array, shape: Shape) -> Array:
        """Take off what the server did to the page of `shape` before it scaled it."""
        box = box + (self.crop - self.border)
        quarters = self.turn if self.is_turned(shape[0], shape[1]) else 0
        x, y = box[:, 0], box[:, 1]
        return np.stack([(x, y), (shape[1] - y, x), (shape[1] - x, shape[0] - y), (y, shape[0] - x)][quarters], axis=1)

    def sent_back(self, found: list[Scored], page: Size) -> Detections:
        """Filter, join and write boxes as this server does."""
        found = [each for each in found if boxes.side_of(each[0]) >= self.least_px and each[1] >= self.least_score]
        if self.best:
            found = sorted(found, key=lambda each: -each[1])[: self.best]
        if self.joined:
            found = boxes.joined(found, self.joined)
        if self.memory == "boxes":
            found = [*self.kept.get("boxes", []), *found]
            self.kept["boxes"] = found
        scores = [score for _, score in found]
        scores = {
            "with boxes": scores,
            "one further": scores[1:] + scores[:1],
            "x 0.7": [score * 0.7 for score in scores],
            "sorted": sorted(scores, reverse=True),
        }[self.scores]
        return Detections(
            tuple(np.asarray(boxes.CORNERS[self.corners](box, page), np.float64) for box, _ in found),
            np.asarray(scores, np.float64),
        )

    # All of it.

    def trace(self, image: Image) -> Trace:
        """Run all stages."""
        trace = self.preprocess(image)
        assert trace.tensor is not None and trace.shape is not None
        values = self.infer(trace.tensor)
        found = self.postprocess(values, trace.shape) if not self.page_tile else self.of_tiles(image)
        return replace(trace, probability_map=values, detections=found)

    def of_tiles(self, image: Image) -> Detections:
        """Return the boxes of each square of a page, as a server does that was told to handle large ones."""
        page, one = self.load(image), replace(self, page_tile=0)
        polygons: list[Array] = []
        scores: list[float] = []
        for y, x in _starts(page.shape[0], page.shape[1], self.page_tile):
            part = np.ascontiguousarray(page[y : y + self.page_tile, x : x + self.page_tile])
            found = one.trace(part).detections
            assert found is not None and found.scores is not None
            polygons += [polygon + np.array((x, y)) for polygon in found.polygons]
            scores += found.scores.tolist()
        return Detections(tuple(polygons), np.array(scores))


def _starts(height: int, width: int, step: int) -> Iterator[Size]:
    yield from ((y, x) for y in range(0, height, step) for x in range(0, width, step))
