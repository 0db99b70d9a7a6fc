"""Draws what an assertion compared into the report's folder, at once, so that no arrays are kept for the end."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from msgspec.structs import replace
from PIL import Image, ImageOps

from pytest_ocrparity.comparison import MATCHES, Comparison
from pytest_ocrparity.diagnosis import FeatureMap, FeatureMaps
from pytest_ocrparity.report.document import THUMBNAIL, Picture, RecordedComparison
from pytest_ocrparity.report.pictures import boxes as overlay
from pytest_ocrparity.report.pictures import lines
from pytest_ocrparity.report.pictures.arrays import (
    THUMB,
    Drawn,
    array_heat_map,
    array_photo,
    downscaled_image,
    drawn_array_difference,
    feature_heat_map,
    finite_ends,
    largest_of_channels,
    tensor_array_view,
)
from pytest_ocrparity.report.pictures.pixel_values import pixel_values_script
from pytest_ocrparity.settings.report_pictures import PICTURES
from pytest_ocrparity.stages import (
    DECODE,
    DETECTIONS,
    LAYER_STAGES,
    PREPROCESSING,
    PROBABILITY_MAP,
    PROBABILITY_MAPS,
    RECOGNITION,
    TENSOR,
)
from pytest_ocrparity.trace import Array, Decoded, Trace
from pytest_ocrparity.whole_files import write_whole_file
from pytest_ocrparity.wording import number_of_boxes, path_from

SIDES: Final = ("reference", "candidate")
DIFFERENCE, IMAGE = "difference", "image"
"""Other sides of a picture than the two that are compared; the image is what boxes are drawn on."""
FULL: Final = 1600
"""Longest side in px at which a drawing of boxes opens."""
SMALL: Final = 112
"""Longest side in px of the thumbnail of an image, which lists show at half of it."""
QUALITIES: Final = (75, 60, 45)
"""Of a photo as JPEG: the first whose file is not too large, else the last."""
GRAINY: Final = 0.15
"""Bytes for each pixel beyond which a photo is taken for noisy; calm pages of text take 0.05 to 0.11."""
VEIL: Final = 0.35
"""Opacity of the white between an image and boxes."""


class Album:
    """The pictures of one process. Files are named after what they show and hold, so that none replaces another."""

    def __init__(self, folder: Path, *, is_selective: bool = False) -> None:
        """Draw into this folder, and of what matches a thumbnail alone if `is_selective`."""
        self.folder, self.is_selective = folder, is_selective
        self._thumbnail: tuple[object, Picture | None] = None, None
        """Of the image that was last drawn, as its comparisons come one after the other."""

    def pictures_of(
        self, comparison: Comparison, reference: Trace, candidate: Trace, *, is_whole: bool = False
    ) -> tuple[tuple[Picture, ...], str | None]:
        """Return the pictures of a comparison, and the error of drawing them, or None; an error is not raised.

        `is_whole`: its image differs, so that it is drawn even where it matches itself.
        """
        found: list[Picture] = []
        draw = {
            PREPROCESSING: self._preprocessing_pictures,
            PROBABILITY_MAPS: self._timesteps if comparison.task == RECOGNITION.name else self._map_pictures,
            DETECTIONS: self._box_pictures,
        }  # a text is text
        is_drawn = comparison.kind in draw and (is_whole or not (self.is_selective and comparison.is_match))
        try:
            for picture in draw[comparison.kind](comparison, reference, candidate) if is_drawn else ():
                found.append(picture)
            found += self._thumbnails(reference, candidate)
        except Exception as error:
            return tuple(found), f"{type(error).__name__}: {error}"
        return tuple(found), None

    def feature_maps(self, maps: FeatureMaps, sides: tuple[Trace, Trace]) -> tuple[tuple[Picture, ...], str | None]:
        """Return the pictures of what goes into a layer and comes out of it, and the error of drawing, or None."""
        found: list[Picture] = []
        try:
            for stage, shown in zip(LAYER_STAGES, (maps.given, maps.made), strict=True):
                found += () if shown is None else self._feature_map(stage, shown, sides)
        except Exception as error:
            return tuple(found), f"{type(error).__name__}: {error}"
        return tuple(found), None

    def _feature_map(self, stage: str, shown: FeatureMap, sides: tuple[Trace, Trace]) -> Iterator[Picture]:
        """Draw one channel of both sides on one scale, and its difference on that of what holds the same."""
        arrays = shown.reference, shown.candidate
        ends = finite_ends(arrays)
        for side, trace, values in zip(SIDES, sides, arrays, strict=True):
            drawn = feature_heat_map(values, ends, shown.text)
            picture = self._write_drawing(trace, stage, side, drawn, pixel_values_script(values[None]))
            yield picture
            if _are_equal(*arrays):
                yield replace(picture, side=SIDES[1])
                break
        one, two = (each[None] for each in arrays)
        drawn = drawn_array_difference(one, two, "beyond the limit no longer the same", shown.limit)
        script = pixel_values_script(largest_of_channels(one, two)[None], is_difference=True)
        yield self._write_drawing(sides[1], stage, DIFFERENCE, drawn, script)

    def _thumbnails(self, *sides: Trace) -> list[Picture]:
        """Return the thumbnail of the image that two sides ran on, in a list; an empty one where none holds it."""
        source = next((trace for trace in sides if _has_pixels(trace)), sides[0])
        key = source.image, source.decode and source.decode.sha256
        if self._thumbnail[0] != key:
            image, size = _source_image(source)
            drawn = None
            if image is not None:
                content = _encoded_picture(
                    downscaled_image(image.thumb, SMALL), "jpg", {"quality": 60, "optimize": True}
                )
                name = self._written(source, DECODE, THUMBNAIL, "jpg", content)
                drawn = Picture(DECODE, THUMBNAIL, f"{size[0]}x{size[1]} px", name)
            self._thumbnail = key, drawn
        return [self._thumbnail[1]] if self._thumbnail[1] is not None else []

    def _preprocessing_pictures(self, comparison: Comparison, *sides: Trace) -> Iterator[Picture]:
        yield from self._decoded_images(*sides)
        if comparison.task == RECOGNITION.name:
            yield from self._fed_lines(comparison, *sides)
            return
        tensors = [trace.tensor for trace in sides]
        if _are_equal(*tensors):  # one picture says it
            first = self._write_drawing(sides[0], TENSOR, SIDES[0], tensor_array_view(sides[0]))
            yield from (first, replace(first, side=SIDES[1]))
        else:
            for side, trace, tensor in zip(SIDES, sides, tensors, strict=True):
                if tensor is not None and tensor.size:
                    values = pixel_values_script(tensor[0])
                    yield self._write_drawing(trace, TENSOR, side, tensor_array_view(trace), values)
        if (planes := _planes(*tensors)) is not None:
            yield self._difference(comparison, sides[1], TENSOR, planes, "in units of the tensor")

    def _decoded_images(self, *sides: Trace) -> Iterator[Picture]:
        images = [trace.decode for trace in sides]
        orders = [image.channel_order for image in images if image is not None]
        pixels = [image.pixels for image in images if image is not None and image.pixels is not None]
        is_one = len(set(orders)) == 1 and len(pixels) == 2 and _are_equal(*pixels)
        for side, trace, image in zip(SIDES, sides, images, strict=True):
            if image is None or image.pixels is None:
                continue
            caption = f"{image.shape[1]}x{image.shape[0]} px, decoded as {image.channel_order}"
            caption += "" if image.channel_order == orders[0] else f", drawn as {orders[0]}, which it is taken for"
            drawn = array_photo(image.pixels, orders[0], caption)
            first = self._write_drawing(trace, DECODE, side, drawn)
            yield first
            if is_one:
                yield replace(first, side=SIDES[1])
                break
        if len(pixels) == 2 and pixels[0].shape == pixels[1].shape and pixels[0].ndim == 3:
            planes = [each.transpose(2, 0, 1) for each in pixels]
            drawn = drawn_array_difference(planes[0], planes[1], "in levels of a channel")
            yield self._write_drawing(sides[1], DECODE, DIFFERENCE, drawn)

    def _map_pictures(self, comparison: Comparison, *sides: Trace) -> Iterator[Picture]:
        maps = [trace.probability_map for trace in sides]
        given = [trace.parameters.get(DETECTIONS, {}).get("thresh") for trace in sides]
        for side, trace, values, thresh in zip(SIDES, sides, maps, given, strict=True):
            if values is not None and values.ndim == 4 and values.size:
                caption = f"{values.shape[-1]}x{values.shape[-2]} px"
                caption += f", first of {values.shape[1]} channels" if values.shape[1] > 1 else ""
                caption += f"; text where above thresh {thresh:g}" if isinstance(thresh, int | float) else ""
                script = pixel_values_script(values[0, :1])
                drawn = self._write_drawing(trace, PROBABILITY_MAP, side, array_heat_map(values[0, 0], caption), script)
                yield drawn
                if _are_equal(*maps) and given[0] == given[1]:
                    yield replace(drawn, side=SIDES[1])
                    break
        if (planes := _planes(*maps)) is not None:
            yield self._difference(comparison, sides[1], PROBABILITY_MAP, planes, "of probabilities")

    def _difference(
        self, comparison: Comparison, trace: Trace, stage: str, planes: Sequence[Any], caption: str
    ) -> Picture:
        """Draw the difference of two arrays on the scale of the limit that judges it."""
        drawn = drawn_array_difference(planes[0], planes[1], caption, limit_of(comparison))
        script = None
        if drawn.bar is not None:
            script = pixel_values_script(largest_of_channels(planes[0], planes[1])[None], is_difference=True)
        return self._write_drawing(trace, stage, DIFFERENCE, drawn, script)

    def _fed_lines(self, comparison: Comparison, *sides: Trace) -> Iterator[Picture]:
        """Draw what each recogniser is fed at one scale, with the padding behind the line."""
        widest = max(map(lines.width_of, sides))
        tensors = [trace.tensor for trace in sides]
        for side, trace, tensor in zip(SIDES, sides, tensors, strict=True):
            if tensor is not None and tensor.size:
                drawn = _fed(trace)
                drawn = drawn._replace(caption=f"{drawn.caption}; {lines.content_text(trace)}")
                content = lines.Strip(drawn.full, lines.content_of(trace))
                line = lines.drawing(drawn.caption, lines.width_of(trace), widest, content)
                yield self._write_line(trace, TENSOR, side, drawn, line, None if _are_equal(*tensors) else tensor[0])
        if (planes := _planes(*tensors)) is not None:
            drawn = drawn_array_difference(planes[0], planes[1], "in units of the tensor", limit_of(comparison))
            line = lines.drawing(drawn.caption, widest, widest, lines.Strip(drawn.full, label=""))
            yield self._write_line(sides[1], TENSOR, DIFFERENCE, drawn, line, largest_of_channels(*planes)[None])

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
            shown = values[0][:, rows].T
            drawn = array_heat_map(shown, f"{values.shape[1]} timesteps, {lines.content_text(trace)}")
            drawn = drawn._replace(caption=f"{drawn.caption}; a row for each class that is the best of a timestep")
            has_tensor = trace.tensor is not None and trace.tensor.size
            strip = lines.Strip(_fed(trace).full, lines.content_of(trace)) if has_tensor else None
            steps = lines.timesteps(trace, values, rows, drawn.full)
            line = lines.drawing(drawn.caption, lines.width_of(trace), widest, strip, steps)
            yield self._write_line(trace, PROBABILITY_MAP, side, drawn, line, shown[None])
        if len(right) == 2 and right[0].shape == right[1].shape:
            rows = lines.rows_of(right)
            planes = [each[:1, :, rows].transpose(0, 2, 1) for each in right]
            drawn = drawn_array_difference(planes[0], planes[1], "of probabilities", limit_of(comparison))
            labels = [lines.labelled(index, lines.characters_of(sides[0])) for index in rows]
            line = lines.drawing(drawn.caption, lines.width_of(sides[0]), widest, rows=lines.Rows(drawn.full, labels))
            yield self._write_line(
                sides[1], PROBABILITY_MAP, DIFFERENCE, drawn, line, largest_of_channels(*planes)[None]
            )

    def _write_line(
        self, trace: Trace, stage: str, side: str, drawn: Drawn, line: lines.LineDrawing, values: Array | None
    ) -> Picture:
        script = None
        if values is not None and (side != DIFFERENCE or drawn.bar is not None):
            script = pixel_values_script(values, is_difference=side == DIFFERENCE, frame=line.frame)
        return self._write_files(trace, stage, side, drawn, "svg", (line.svg, line.svg), script)

    def _box_pictures(self, comparison: Comparison, *sides: Trace) -> Iterator[Picture]:
        """Draw the boxes of both sides on one image, of which the page shows either side's alone; and that image."""
        found = [trace.detections for trace in sides]
        names = comparison.reference, comparison.candidate
        drawn = [
            (side, trace, name, each)
            for side, trace, name, each in zip(SIDES, sides, names, found, strict=True)
            if each is not None
        ]
        if not drawn:
            return
        side, whose = ("both", sides[1]) if len(drawn) == 2 else drawn[0][:2]
        source = next((trace for trace in (*sides, whose) if _has_pixels(trace)), whose)
        boxes = overlay.comparison_boxes(found, comparison.boxes, names)
        caption = ", ".join(
            f"{len(each) if place else number_of_boxes(len(each))} of {name}"
            for place, (_, _, name, each) in enumerate(drawn)
        )
        sizes = [trace.decode.shape[:2] for trace in sides if trace.decode is not None]
        if len(set(sizes)) > 1:
            caption += f"; {names[0]} decoded {_size_text(sizes[0])}, {names[1]} {_size_text(sizes[1])}"
        image, size = _source_image(source)
        thumb = beside = None
        if image is not None:
            # As `_decoded_images` draws it, so that both are one file.
            photo = self._write_drawing(source, DECODE, SIDES[0], image)
            yield replace(photo, stage=DETECTIONS, side=IMAGE)
            beside = photo.file.rpartition("/")[2]
            thumb = _data_uri(_encoded_picture(image.thumb, "jpg", {"quality": 60}))
        else:
            points = [np.nan_to_num(box.polygon, posinf=0, neginf=0) for box in boxes]
            size = tuple(int(each) + 8 for each in np.concatenate([np.zeros((1, 2)), *points]).max(axis=0))
        caption += image.caption if image is not None else "; no side recorded the image"
        if len(drawn) == 1:
            caption += f", on the image of {source.pipeline}" if source is not whose else ""
        contents = [
            overlay.drawing(boxes, (size[0], size[1]), background, caption, shown, VEIL)
            for shown, background in ((FULL, beside), (THUMB, thumb))
        ]
        what = Drawn(Image.new("L", (1, 1)), Image.new("L", (1, 1)), caption)
        yield self._write_files(whose, DETECTIONS, side, what, "svg", (contents[0], contents[1]))

    def _write_drawing(self, trace: Trace, stage: str, side: str, drawn: Drawn, values: bytes | None = None) -> Picture:
        thumb = ("png", {}) if side == DIFFERENCE else ("jpg", {"quality": 60})
        full = (
            _encoded_photo(drawn.full) if drawn.is_photo else _encoded_picture(drawn.full, "png", {"compress_level": 6})
        )
        contents = full, _encoded_picture(drawn.thumb, *thumb)
        return self._write_files(trace, stage, side, drawn, "jpg" if drawn.is_photo else "png", contents, values)

    def _write_files(
        self,
        trace: Trace,
        stage: str,
        side: str,
        drawn: Drawn,
        suffix: str,
        contents: tuple[bytes, bytes],
        values: bytes | None = None,
    ) -> Picture:
        of = side if side in (DIFFERENCE, "both") else slug(trace.pipeline, 40)
        picture = Picture(
            stage,
            side,
            drawn.caption,
            self._written(trace, stage, of, suffix, contents[0]),
            drawn.bar,
            drawn.limit,
            None if values is None else self._written(trace, stage, of, "js", values),
        )
        if picture.thumb != picture.file:
            write_whole_file(self.folder / picture.thumb, contents[1])
        return picture

    def _written(self, trace: Trace, stage: str, of: str, suffix: str, content: bytes) -> str:
        """Write a file of an image, and return its name in the report's folder."""
        digest = hashlib.sha256(content).hexdigest()[:10]
        name = f"{PICTURES}/{slug(trace.label, 80)}/{stage}-{of}-{digest}.{suffix}"
        write_whole_file(self.folder / name, content)
        return name


def limit_of(comparison: Comparison) -> float | None:
    """Return the limit of a comparison's largest difference of an array; None where it has none."""
    measure = comparison.measure(f"{comparison.kind}.atol")
    return None if measure is None else measure.limit


def _are_equal(reference: Array | None, candidate: Array | None) -> bool:
    return (
        reference is not None
        and candidate is not None
        and bool(reference.size)
        and reference.dtype == candidate.dtype
        and np.array_equal(reference, candidate)
    )


def _planes(reference: Array | None, candidate: Array | None) -> tuple[Array, Array] | None:
    """Return the first of two batches of (C, h, w) arrays; None where they have no common shape."""
    if reference is None or candidate is None or reference.ndim != 4:
        return None
    return (reference[0], candidate[0]) if reference.shape == candidate.shape and reference.size else None


def slug(text: str, most: int) -> str:
    """Return a file name that says what a text says, whatever is in it; changed ones end in a digest."""
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip("._")[-most:]
    return safe if safe and safe == text else f"{safe}-{hashlib.sha256(text.encode(errors='replace')).hexdigest()[:8]}"


def album_lines(comparisons: Iterable[RecordedComparison], folder: Path, start: Path) -> list[str]:
    """Return where the pictures of what differs are, for the failure's section: a folder, and its files by stage.

    Paths are from `start` on, where the run was started: a test may have changed the working directory.
    """
    found: dict[str, dict[str, list[str]]] = {}
    for comparison in comparisons:
        if comparison.status not in MATCHES:
            for picture in (each for each in comparison.pictures if each.side not in (IMAGE, THUMBNAIL)):
                place, _, name = picture.file.rpartition("/")
                found.setdefault(place, {}).setdefault(picture.stage, []).append(name)
    lines = []
    for place, stages in found.items():
        lines.append(path_from(start, folder / place))
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


def _encoded_photo(image: Image.Image) -> bytes:
    """Return a photo as JPEG, the grain of a noisy one in less quality: it takes most of a file, and shows nothing."""
    content = b""
    for quality in QUALITIES:
        content = _encoded_picture(image, "jpg", {"quality": quality, "optimize": True})
        if len(content) <= GRAINY * image.width * image.height:
            break
    return content


def _encoded_picture(image: Image.Image, suffix: str, how: Mapping[str, Any]) -> bytes:
    content = io.BytesIO()
    is_jpeg = suffix == "jpg"
    (image.convert("RGB") if is_jpeg else image).save(content, "JPEG" if is_jpeg else "PNG", **how)
    return content.getvalue()


def _data_uri(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
