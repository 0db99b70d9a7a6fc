"""Boxes drawn over the source image, as SVG: lines stay sharp at any zoom, and each kind has a colour and a dash."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.comparison import BoxFinding
from pytest_ocrparity.report.templates import TEMPLATES
from pytest_ocrparity.trace import Detections


class Style(NamedTuple):
    """How a kind of box is drawn: stroke colour, width in screen px, dash pattern, and whether it is filled."""

    colour: str
    width: float
    dash: str = ""
    fill: bool = False


# The colours are those of Okabe and Ito (2008), "Color Universal Design"; the dashes distinguish them without colour.
STYLES: Final = {
    "reference": Style("#0072b2", 2),
    "candidate": Style("#e69f00", 2, "6 4"),
    "missing": Style("#d55e00", 3.5, fill=True),
    "extra": Style("#b0478c", 3.5, "2 4", fill=True),
    "split": Style("#007a59", 3, "10 3 2 3"),
    "merged": Style("#000000", 3, "14 4"),
    "borderline": Style("#767676", 2, "1 3"),
}
"""By kind; what is paired, moved or has another score is drawn as its side."""


class Box(NamedTuple):
    """A polygon in source px; `name` is its tooltip, `kind` that of its finding, where there is one.

    The number is its index, by which messages call it; written at those with a finding, and by the page at others too.
    """

    polygon: npt.NDArray[np.float64]
    style: Style
    number: int
    name: str
    side: str
    kind: str = ""


def comparison_boxes(
    sides: Sequence[Detections | None], findings: Sequence[BoxFinding], names: tuple[str, str]
) -> list[Box]:
    """Return the boxes of the sides that have any, those that differ last, so on top."""
    found: dict[tuple[str, int], BoxFinding] = {}
    for finding in findings:
        for side, index in (("reference", finding.reference), ("candidate", finding.candidate)):
            if index is not None:
                found[side, index] = finding
    boxes = []
    for side, detections, name in zip(STYLES, sides, names, strict=False):
        for index, polygon in enumerate(() if detections is None else detections.polygons):
            of_box = found.get((side, index))
            box = Box(polygon, STYLES[side], index, f"box {index} of {name}", side)
            boxes.append((of_box is not None, _finding_box(box, of_box)))
    return [box for _, box in sorted(boxes, key=lambda each: each[0])]


def _finding_box(box: Box, finding: BoxFinding | None) -> Box:
    if finding is None:
        return box
    kind = "borderline" if finding.is_borderline else finding.kind
    style = STYLES.get(kind, STYLES[box.side]._replace(width=3))
    return box._replace(style=style, name=f"{box.name}: {kind}", kind=kind)


def drawing(
    boxes: Sequence[Box], size: tuple[int, int], background: str | None, title: str, shown: int, veil: float = 0.0
) -> bytes:
    """Return an SVG file.

    Args:
        boxes: what is drawn, in this order.
        size: width and height of the source image in px, which are the coordinates.
        background: the image as a data URI or as a file beside this one, or None.
        title: what it shows.
        shown: its longest side on a screen in px, to which the size of letters fits.
        veil: opacity of the white between image and boxes.
    """
    scale = max(size) / shown
    text = TEMPLATES.get_template("boxes.svg.jinja").render(
        width=size[0],
        height=size[1],
        shown_width=round(size[0] / scale),
        shown_height=round(size[1] / scale),
        font=round(13 * scale, 2),
        title=title,
        background=background,
        veil=veil,
        boxes=list(_placed_labels(boxes, 13 * scale)),
    )
    return text.encode()


def _placed_labels(boxes: Sequence[Box], font: float) -> Iterator[dict[str, Any]]:
    for box in boxes:
        points = box.polygon[np.isfinite(box.polygon).all(axis=1)]
        if not len(points):
            continue
        # The reference's index stands above the first corner, the candidate's below the last: they do not collide.
        is_below = box.side == "candidate"
        x, y = points[-1] if is_below else points[0]
        yield {
            "points": " ".join(f"{px:.1f},{py:.1f}" for px, py in points),
            "style": box.style,
            "number": box.number,
            "name": box.name,
            "side": box.side,
            "kind": box.kind,
            "x": f"{x:.1f}",
            "y": f"{y if is_below else max(y, 1.3 * font):.1f}",  # none above the picture's edge
            "dy": 1.0 if is_below else -0.25,
        }
