"""Draws what an assertion compared into the report's folder, at once, so that no arrays are kept for the end."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image, ImageOps

from pytest_ocrparity.comparison import MATCHES, Comparison
from pytest_ocrparity.report.document import Picture, RecordedComparison
from pytest_ocrparity.report.pictures import boxes as overlay
from pytest_ocrparity.report.pictures import lines
from pytest_ocrparity.report.pictures.arrays import (
    THUMB,
    Drawn,
    array_heat_map,
    array_photo,
    drawn_array_difference,
    tensor_array_view,
)
from pytest_ocrparity.stages import (
    DECODE,
    DETECTIONS,
    PREPROCESSING,
    PROBABILITY_MAP,
    PROBABILITY_MAPS,
    RECOGNITION,
    TENSOR,
)
from pytest_ocrparity.trace import Decoded, Trace
from pytest_ocrparity.whole_files import write_whole_file
from pytest_ocrparity.wording import number_of_boxes, path_from

PICTURES: Final = "pictures"
"""The folder of pictures inside of the report's."""

SIDES: Final = ("reference", "candidate")
FULL: Final = 1600
"""Longest side in px at which a drawing of boxes opens."""


class Album:
    """The pictures of one process. Files are named after what they show and hold, so that none replaces another."""

    def __init__(self, folder: Path, *, is_selective: bool = False) -> None:
        """Draw into this folder, and only what failed if `is_selective`."""
        self.folder, self.is_selective = folder, is_selective

    def pictures_of(
        self, comparison: Comparison, reference: Trace, candidate: Trace
    ) -> tuple[tuple[Picture, ...], str | None]:
        """Return the pictures of a comparison, and the error of drawing them, or None; an error is not raised."""
        found: list[Picture] = []
        if self.is_selective and comparison.is_match:
            return (), None
        try:
            draw = {
                PREPROCESSING: self._preprocessing_pictures,
                PROBABILITY_MAPS: self._map_pictures,
                DETECTIONS: self._box_pictures,
            }
            if comparison.task == RECOGNITION.name:
                draw = {
                    PREPROCESSING: self._preprocessing_pictures,
                    PROBABILITY_MAPS: self._timesteps,
                }  # a text is text
            for picture in draw[comparison.kind](comparison, reference, candidate) if comparison.kind in draw else ():
                found.append(picture)
        except Exception as error:
            return tuple(found), f"{type(error).__name__}: {error}"
        return tuple(found), None

    def _preprocessing_pictures(self, comparison: Comparison, *sides: Trace) -> Iterator[Picture]:
        images = [trace.decode for trace in sides]
        orders = [image.channel_order for image in images if image is not None]
        for side, trace, image in zip(SIDES, sides, images, strict=True):
            if image is not None and image.pixels is not None:
                caption = f"{image.shape[1]}x{image.shape[0]} px, decoded as {image.channel_order}"
                caption += "" if image.channel_order == orders[0] else f", drawn as {orders[0]}, which it is taken for"
                yield self._write_drawing(trace, DECODE, side, array_photo(image.pixels, orders[0], caption))
        pixels = [image.pixels for image in images if image is not None and image.pixels is not None]
        if len(pixels) == 2 and pixels[0].shape == pixels[1].shape and pixels[0].ndim == 3:
            planes = [each.transpose(2, 0, 1) for each in pixels]
            drawn = drawn_array_difference(planes[0], planes[1], "in levels of a channel")
            yield self._write_drawing(sides[1], DECODE, "difference", drawn)
        if comparison.task == RECOGNITION.name:
            yield from self._fed_lines(*sides)
            return
        for side, trace in zip(SIDES, sides, strict=True):
            if trace.tensor is not None and trace.tensor.size:
                yield self._write_drawing(trace, TENSOR, side, tensor_array_view(trace))
        tensors = [trace.tensor for trace in sides if trace.tensor is not None]
        if len(tensors) == 2 and tensors[0].shape == tensors[1].shape and tensors[0].size:
            drawn = drawn_array_difference(tensors[0][0], tensors[1][0], "in units of the tensor")
            yield self._write_drawing(sides[1], TENSOR, "difference", drawn)

    def _map_pictures(self, comparison: Comparison, *sides: Trace) -> Iterator[Picture]:
        for side, trace in zip(SIDES, sides, strict=True):
            values = trace.probability_map
            if values is not None and values.ndim == 4 and values.size:
                thresh = trace.parameters.get(DETECTIONS, {}).get("thresh")
                caption = f"{values.shape[-1]}x{values.shape[-2]} px"
                caption += f", first of {values.shape[1]} channels" if values.shape[1] > 1 else ""
                caption += f"; text where above thresh {thresh:g}" if thresh is not None else ""
                yield self._write_drawing(trace, PROBABILITY_MAP, side, array_heat_map(values[0, 0], caption))
        maps = [trace.probability_map for trace in sides if trace.probability_map is not None]
        if len(maps) == 2 and maps[0].ndim == 4 and maps[0].shape == maps[1].shape and maps[0].size:
            drawn = drawn_array_difference(maps[0][0], maps[1][0], "of probabilities")
            yield self._write_drawing(sides[1], PROBABILITY_MAP, "difference", drawn)

    def _fed_lines(self, *sides: Trace) -> Iterator[Picture]:
        """Draw what each recogniser is fed at one scale, with the padding behind the line."""
        widest = max(map(lines.width_of, sides))
        for side, trace in zip(SIDES, sides, strict=True):
            if trace.tensor is not None and trace.tensor.size:
                drawn = _fed(trace)
                caption = f"{drawn.caption}; {lines.content_text(trace)}"
                content = lines.Strip(drawn.full, lines.content_of(trace))
                svg = lines.drawing(caption, lines.width_of(trace), widest, content)
                yield self._write_files(trace, TENSOR, side, caption, "svg", (svg, svg), None)
        tensors = [trace.tensor for trace in sides if trace.tensor is not None]
        if len(tensors) == 2 and tensors[0].shape == tensors[1].shape and tensors[0].size:
            drawn = drawn_array_difference(tensors[0][0], tensors[1][0], "in units of the tensor")
            svg = lines.drawing(drawn.caption, widest, widest, lines.Strip(drawn.full, label=""))
            yield self._write_files(sides[1], TENSOR, "difference", drawn.caption, "svg", (svg, svg), drawn.bar)

    def _timesteps(self, comparison: Comparison, *sides: Trace) -> Iterator[Picture]:
        """Draw below what was fed a row for each class that is the best of a timestep."""
        maps = [trace.probability_map for trace in sides]
        right = [each for each in maps if each is not None and each.ndim == 3 and each.size]
        have_same_classes = len({each.shape[2] for each in right}) == 1
        widest = max(map(lines.width_of, sides))
        for side, trace, values in zip(SIDES, sides, maps, strict=True):
            if values is None or values.ndim != 3 or not values.size:
                continue
            rows = lines.rows_of(right if have_same_classes else [values])
            drawn = array_heat_map(values[0][:, rows].T, f"{values.shape[1]} timesteps, {lines.content_text(trace)}")
            caption = f"{drawn.caption}; a row for each class that is the best of a timestep"
            has_tensor = trace.tensor is not None and trace.tensor.size
            strip = lines.Strip(_fed(trace).full, lines.content_of(trace)) if has_tensor else None
            steps = lines.timesteps(trace, values, rows, drawn.full)
            svg = lines.drawing(caption, lines.width_of(trace), widest, strip, steps)
            yield self._write_files(trace, PROBABILITY_MAP, side, caption, "svg", (svg, svg), drawn.bar)
        if len(right) == 2 and right[0].shape == right[1].shape:
            rows = lines.rows_of(right)
            planes = [each[:1, :, rows].transpose(0, 2, 1) for each in right]
            drawn = drawn_array_difference(planes[0], planes[1], "of probabilities")
            labels = [lines.labelled(index, lines.characters_of(sides[0])) for index in rows]
            svg = lines.drawing(drawn.caption, lines.width_of(sides[0]), widest, rows=lines.Rows(drawn.full, labels))
            yield self._write_files(
                sides[1], PROBABILITY_MAP, "difference", drawn.caption, "svg", (svg, svg), drawn.bar
            )

    def _box_pictures(self, comparison: Comparison, *sides: Trace) -> Iterator[Picture]:
        found = [trace.detections for trace in sides]
        names = comparison.reference, comparison.candidate
        if found[0] is not None and found[1] is not None:
            boxes = overlay.comparison_boxes(found[0], found[1], comparison.boxes, names)
            caption = f"{number_of_boxes(len(found[0]))} of {names[0]}, {len(found[1])} of {names[1]}"
            sizes = [trace.decode.shape[:2] for trace in sides if trace.decode is not None]
            if len(set(sizes)) > 1:
                caption += f"; {names[0]} decoded {_size_text(sizes[0])}, {names[1]} {_size_text(sizes[1])}"
            yield self._write_boxes((sides[1], sides[0]), "both", boxes, caption, veil=0.35)
        for side, name, trace, detections in zip(SIDES, names, sides, found, strict=True):
            if detections is not None:
                boxes = overlay.side_boxes(detections, side, name)
                caption = f"{number_of_boxes(len(detections))} of {name}"
                yield self._write_boxes(
                    (trace, *(other for other in sides if other is not trace)), side, boxes, caption
                )

    def _write_drawing(self, trace: Trace, stage: str, side: str, drawn: Drawn) -> Picture:
        suffix, how = ("jpg", {"quality": 90}) if drawn.is_photo else ("png", {"compress_level": 3})
        thumb = ("png", {}) if side == "difference" else ("jpg", {"quality": 70})
        contents = _encoded_picture(drawn.full, suffix, how), _encoded_picture(drawn.thumb, *thumb)
        return self._write_files(trace, stage, side, drawn.caption, suffix, contents, drawn.bar)

    def _write_boxes(
        self, traces: tuple[Trace, ...], side: str, boxes: Sequence[overlay.Box], caption: str, veil: float = 0.0
    ) -> Picture:
        """Draw boxes on the image of the first of these sides that holds one; the first is whose boxes they are."""
        source = next((trace for trace in traces if _has_pixels(trace)), traces[0])
        image, size = _source_image(source)
        if image is None:
            points = [np.nan_to_num(box.polygon, posinf=0, neginf=0) for box in boxes]
            size = tuple(int(each) + 8 for each in np.concatenate([np.zeros((1, 2)), *points]).max(axis=0))
        contents = []
        for shown, picture in ((FULL, image and image.full), (THUMB, image and image.thumb)):
            uri = (
                None
                if picture is None
                else _data_uri(_encoded_picture(picture, "jpg", {"quality": 85 if shown == FULL else 70}))
            )
            contents.append(overlay.drawing(boxes, (size[0], size[1]), uri, caption, shown, veil))
        caption += image.caption if image is not None else "; no side recorded the image"
        caption += f", on the image of {source.pipeline}" if source is not traces[0] else ""
        return self._write_files(traces[0], DETECTIONS, side, caption, "svg", (contents[0], contents[1]), None)

    def _write_files(
        self,
        trace: Trace,
        stage: str,
        side: str,
        caption: str,
        suffix: str,
        contents: tuple[bytes, bytes],
        bar: tuple[float, float] | None,
    ) -> Picture:
        digest = hashlib.sha256(contents[0]).hexdigest()[:10]
        of = side if side in ("difference", "both") else slug(trace.pipeline, 40)
        name = f"{PICTURES}/{slug(trace.label, 80)}/{stage}-{of}-{digest}.{suffix}"
        picture = Picture(stage, side, caption, name, bar)
        for each, content in zip((picture.file, picture.thumb), contents, strict=True):
            write_whole_file(self.folder / each, content)
        return picture


def slug(text: str, most: int) -> str:
    """Return a file name that says what a text says, whatever is in it; changed ones end in a digest."""
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip("._")[-most:]
    return safe if safe and safe == text else f"{safe}-{hashlib.sha256(text.encode(errors='replace')).hexdigest()[:8]}"


def album_lines(comparisons: Iterable[RecordedComparison], folder: Path) -> list[str]:
    """Return where the pictures of what differs are, for the failure's section: a folder, and its files by stage."""
    found: dict[str, dict[str, list[str]]] = {}
    for comparison in comparisons:
        if comparison.status not in MATCHES:
            for picture in comparison.pictures:
                place, _, name = picture.file.rpartition("/")
                found.setdefault(place, {}).setdefault(picture.stage, []).append(name)
    lines = []
    for place, stages in found.items():
        lines.append(path_from(os.curdir, folder / place))
        lines += [f"  {stage:<16} {'  '.join(dict.fromkeys(names))}" for stage, names in stages.items()]
    return lines


def _fed(trace: Trace) -> Drawn:
    """Draw a recogniser's tensor; both sides by the same scale, or a normalisation that differs would not show."""
    return tensor_array_view(trace, (-1.0, 1.0))


def _size_text(shape: Sequence[int]) -> str:
    return f"{shape[1]}x{shape[0]} px"


def _has_pixels(trace: Trace) -> bool:
    return trace.decode is not None and trace.decode.pixels is not None


def _source_image(trace: Trace) -> tuple[Drawn | None, tuple[int, ...]]:
    """Return the image that boxes are drawn on, with its width and height in px.

    It is what the side decoded, else the file as Pillow decodes it, else None.
    """
    if isinstance(trace.decode, Decoded) and trace.decode.pixels is not None:
        return array_photo(trace.decode.pixels, trace.decode.channel_order, ""), trace.decode.shape[1::-1]
    try:
        with Image.open(trace.image) as file:
            upright = ImageOps.exif_transpose(file).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None, ()
    return array_photo(np.asarray(upright), "RGB", ", drawn on the file as Pillow decodes it"), upright.size


def _encoded_picture(image: Image.Image, suffix: str, how: Mapping[str, Any]) -> bytes:
    content = io.BytesIO()
    is_jpeg = suffix == "jpg"
    (image.convert("RGB") if is_jpeg else image).save(content, "JPEG" if is_jpeg else "PNG", **how)
    return content.getvalue()


def _data_uri(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
