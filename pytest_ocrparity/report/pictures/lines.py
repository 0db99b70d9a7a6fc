"""A line as a recogniser takes it, and below it what its network says of each place, as SVG.

Columns of the tensor stand above the timesteps that see them, and the sides of a comparison are drawn at one scale.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from pytest_ocrparity.report.aligned import aligned_character
from pytest_ocrparity.report.templates import TEMPLATES
from pytest_ocrparity.stages import RESIZE, TEXT
from pytest_ocrparity.trace import Trace

MOST_CLASSES: Final = 64
"""Rows of a drawing of timesteps."""
BLANK: Final = 0
"""The class that stands for no character."""
_ROW, _FONT, _MARGIN, _GAP = 14, 12, 64, 4
"""In px of the screen: the height of a row and of its letters, the width of what stands left of the rows."""
_WIDE, _MOST_SCALE, _LEAST_SCALE = 1100, 3.0, 1.0
"""The width of a drawing in px that a page shows whole, and how much larger or smaller it makes a tensor for that."""
_STRIDE: Final = 8
"""Columns per timestep where no tensor tells."""

Map = npt.NDArray[Any]


class Strip(NamedTuple):
    """A picture of a tensor's size; of its columns the first `content` hold the line, None where it is not known."""

    picture: Image.Image
    content: int | None = None
    label: str = "fed"


class Rows(NamedTuple):
    """A picture of one px per timestep and class, what stands beside its rows, and what is read at which timestep."""

    picture: Image.Image
    labels: Sequence[str]
    read: Sequence[tuple[int, str]] = ()


def width_of(trace: Trace) -> int:
    """Return the width of a side's tensor in px, which is that of its timesteps too."""
    if trace.tensor is not None and trace.tensor.ndim == 4:
        return int(trace.tensor.shape[-1])
    values = trace.probability_map
    return values.shape[1] * _STRIDE if values is not None and values.ndim == 3 else 1


def content_of(trace: Trace) -> int | None:
    """Return how many columns of a side's tensor hold the line; None where it does not say so."""
    said: Any = trace.parameters.get(RESIZE, {}).get("content_width")
    is_count = isinstance(said, int) and not isinstance(said, bool)
    return said if is_count and 0 < said <= width_of(trace) else None


def content_text(trace: Trace) -> str:
    """Return in words how a side's tensor is filled."""
    content, width = content_of(trace), width_of(trace)
    if content is None:
        return "where the picture ends is not recorded"
    return f"{content} px of picture, then {width - content} px of padding" if content < width else "no padding"


def best_classes(values: Map) -> list[int]:
    """Return the best class of each timestep of a (1, T, C) map."""
    return [int(each) for each in np.nan_to_num(values[0]).argmax(-1)]


def rows_of(maps: Sequence[Map]) -> list[int]:
    """Return the classes that are the best of a timestep: the blank, then in the order in which they are read."""
    return list(dict.fromkeys([BLANK, *(index for values in maps for index in best_classes(values))]))[:MOST_CLASSES]


def kept_steps(best: Sequence[int]) -> list[int]:
    """Return the timesteps that give a character: no blank, and no repetition of the class before."""
    return [step for step, index in enumerate(best) if index != BLANK and (step == 0 or index != best[step - 1])]


def characters_of(trace: Trace) -> Mapping[int, str]:
    """Return the characters of classes as the side gives them, else as its text shows: a baseline has no decoder."""
    try:
        given: Any = getattr(trace.source, "characters", None)
        if given is not None:
            return {index: str(each) for index, each in enumerate(given, BLANK + 1)}
    except Exception:  # a user's own side may fail in any way, and these are labels of a drawing
        return {}
    if trace.recognition is None or trace.probability_map is None or trace.parameters.get(TEXT, {}).get("reorders"):
        return {}
    best = best_classes(trace.probability_map)
    read = [best[step] for step in kept_steps(best)]
    found = dict(zip(read, trace.recognition.text, strict=False))
    return found if "".join(found.get(index, "") for index in read) == trace.recognition.text else {}


def labelled(index: int, characters: Mapping[int, str]) -> str:
    """Return what stands beside the row of a class."""
    return (
        "blank" if index == BLANK else aligned_character(characters[index]) if index in characters else f"class {index}"
    )


def timesteps(trace: Trace, values: Map, rows: Sequence[int], picture: Image.Image) -> Rows:
    """Return the rows of a side's map, with what it reads at which timestep."""
    characters, best = characters_of(trace), best_classes(values)
    read = [(step, aligned_character(characters[best[step]])) for step in kept_steps(best) if best[step] in characters]
    return Rows(picture, [labelled(index, characters) for index in rows], read)


class LineDrawing(NamedTuple):
    """An SVG file, and where its values stand: left, top, width and height in shares of the drawing."""

    svg: bytes
    frame: tuple[float, float, float, float]


def drawing(title: str, width: int, widest: int, strip: Strip | None = None, rows: Rows | None = None) -> LineDrawing:
    """Return the drawing of a line; its values are those of the rows where there are some, else of the strip.

    Args:
        title: what it shows.
        width: of the tensor in px.
        widest: that of the widest tensor of the comparison, as wide as the drawing becomes.
        strip: the tensor.
        rows: what is drawn below it.
    """
    scale = min(_MOST_SCALE, max(_LEAST_SCALE, _WIDE / widest))
    height, top, tall = 0.0, 0.0, 0.0
    parts: dict[str, Any] = {"strip": None, "rows": None}
    if strip is not None:
        content = None if strip.content is None else strip.content * scale
        tall = strip.picture.size[1] * scale * width / strip.picture.size[0]
        parts["strip"] = {
            "uri": _png(strip.picture),
            "height": round(tall, 1),
            "content": content,
            "label": strip.label,
        }
        height = tall + _GAP
    if rows is not None:
        step = width * scale / rows.picture.size[0]
        top = height + (_ROW + _GAP if rows.read else 0)
        parts["rows"] = {
            "uri": _png(rows.picture),
            "top": round(top, 1),
            "height": _ROW * len(rows.labels),
            "labels": [(label, round(top + _ROW * (place + 0.8), 1)) for place, label in enumerate(rows.labels)],
            "read": [(text, round(_MARGIN + (each + 0.5) * step, 1)) for each, text in rows.read],
            "read_at": round(height + _ROW * 0.8, 1),
        }
        tall = _ROW * len(rows.labels)
        height = top + tall
    total, whole = round(_MARGIN + widest * scale + _GAP), round(height)
    text = TEMPLATES.get_template("line.svg.jinja").render(
        title=title,
        total=total,
        height=whole,
        margin=_MARGIN,
        gap=_GAP,
        width=round(width * scale, 1),
        font=_FONT,
        **parts,
    )
    return LineDrawing(text.encode(), (_MARGIN / total, top / whole, width * scale / total, tall / whole))


def _png(picture: Image.Image) -> str:
    content = io.BytesIO()
    picture.save(content, "PNG")
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"
