"""The HTML page of a run: one file, readable offline and without scripts."""

from __future__ import annotations

import base64
import hashlib
import io
import math
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from markupsafe import Markup
from PIL import Image

from pytest_ocrparity.comparison import MATCHES
from pytest_ocrparity.diagnosis import LayerStep
from pytest_ocrparity.evaluate.counts import ImageCounts
from pytest_ocrparity.evaluate.verdict import FAILED, UNDECIDED
from pytest_ocrparity.report.accuracy_lines import (
    accuracy_figure_rows,
    accuracy_not_counted_text,
    accuracy_titles,
    label_change_text,
    outside_boxes_text,
)
from pytest_ocrparity.report.accuracy_record import AccuracyRecord
from pytest_ocrparity.report.aligned import (
    aligned_character,
    aligned_places,
    aligned_texts,
    code_point,
    direction,
    readable,
)
from pytest_ocrparity.report.document import THUMBNAIL, Picture, RecordedComparison, non_finite_in_document
from pytest_ocrparity.report.pictures.arrays import COLOURS, WITHIN
from pytest_ocrparity.report.pictures.boxes import STYLES
from pytest_ocrparity.report.table import table_amounts
from pytest_ocrparity.report.templates import TEMPLATES
from pytest_ocrparity.report.views import RANKS, View
from pytest_ocrparity.stages import LAYER_STAGES, STAGES, STAGES_OF
from pytest_ocrparity.wording import amount, image_label, number_of_edits, toml_text, value_text

MOST_INLINE: Final = 9_000_000
"""Characters of pictures inside of the page, which opens in 2 s with them; further thumbnails stay files beside it."""

MOST_CHANGED: Final = 200
"""How many images the table of those that lost or gained has where that is no fault; `results.json` has all."""

MOST_CHANGES: Final = 20_000
"""How many boxes or lines the table of a verdict has that may be a fault, by the images that lose most."""

POWERS: Final = 8
"""How many powers of ten the bars of layers show, up to 1."""

_TYPES: Final = {"jpg": "image/jpeg", "png": "image/png", "svg": "image/svg+xml"}
_SVG_SIZE: Final = re.compile(rb'<svg [^>]*?width="(\d+)" height="(\d+)"')


class Shown(NamedTuple):
    """A thumbnail as the page shows it: its source, its size in px, and the markup of one that stands in the page."""

    source: str
    width: int
    height: int
    markup: Markup = Markup("")


class _Thumbnails:
    """The thumbnails of a page, in it while there is room, else as files beside it."""

    def __init__(self, folder: Path, kept: set[int]) -> None:
        """Read them from a folder; the hashes of the names of those that stay files are added to `kept`."""
        self._folder, self._kept, self._room = folder, kept, MOST_INLINE

    def shown(self, picture: Picture) -> Shown:
        """Return a thumbnail. One of boxes stands in the page as markup, by which the viewer finds each box."""
        name = picture.thumb
        content = (self._folder / name).read_bytes()
        width, height = _size_of(name, content)
        is_markup = picture.stage == "detections" and name.endswith(".svg")
        text = content.decode() if is_markup else base64.b64encode(content).decode()
        if len(text) > self._room:
            self._kept.add(hash(name))
            return Shown(name, width, height)
        self._room -= len(text)
        if is_markup:
            label = Markup('<svg role="img" aria-label="{}" ').format(picture.caption)
            return Shown("", width, height, Markup(text.replace("<svg ", label, 1)))  # escaped where it was drawn
        return Shown(f"data:{_TYPES[name.rpartition('.')[2]]};base64,{text}", width, height)


def _size_of(name: str, content: bytes) -> tuple[int, int]:
    """Return the size of a picture in px, so that the page keeps its place free."""
    if name.endswith(".svg"):
        found = _SVG_SIZE.search(content)
        return (int(found[1]), int(found[2])) if found else (1, 1)
    with Image.open(io.BytesIO(content)) as image:
        return image.size


def report_page(view: View, folder: Path, kept: set[int]) -> Iterator[str]:
    """Yield the page, image by image.

    Args:
        view: the document of the run, in groups.
        folder: where its pictures lie.
        kept: takes the hashes of the names of thumbnails that do not fit into the page, which it shows as files.
    """
    pairs = [pair for group in view.images for pair in group.pairs]
    script, style = (
        Markup(TEMPLATES.get_template(name).render(colours=_colours())) for name in ("page.js", "page.css")
    )
    yield from TEMPLATES.get_template("page.html.jinja").generate(
        results=view.results,
        run=view.results.run,
        compared=view.compared,
        images=view.images,
        sides=view.sides,
        groups=view.causes,
        headroom=view.headroom,
        stages=[stage for stage in STAGES if any(pair.stage == stage for pair in pairs)],
        statuses=sorted({pair.status for pair in pairs}, key=RANKS.index),
        calm=MATCHES,
        causes=sorted({cause for pair in pairs for cause in pair.causes}),
        styles=STYLES,
        script=script,
        script_digest=_digest(script),
        style=style,
        style_digest=_digest(style),
        amount=amount,
        share=_share_text,
        sort_key=_sort_key,
        amounts=table_amounts,
        value=lambda value: value_text(non_finite_in_document(value)),
        toml=toml_text,
        shown=_Thumbnails(folder, kept).shown,
        thumbnail=_thumbnail,
        is_drawn=_is_drawn,
        by_stage=_by_stage,
        layer_pictures=_layer_pictures,
        layer_shares=_layer_shares,
        stages_of=STAGES_OF,
        aligned=aligned_texts,
        places=aligned_places,
        direction=direction,
        readable=readable,
        number_of_edits=number_of_edits,
        visible=aligned_character,
        code_point=code_point,
        whole=view.whole,
        plots=view.plots,
        anchors=view.anchors,
        figure_rows=accuracy_figure_rows,
        accuracy_titles=accuracy_titles(view.results.accuracy),
        not_counted=accuracy_not_counted_text,
        outside=outside_boxes_text,
        changed_images=_changed_images,
        change_text=label_change_text,
        image_label=image_label,
    )


def _changed_images(record: AccuracyRecord) -> Iterator[tuple[ImageCounts, int]]:
    """Yield the images that lost or gained, those that lose most first, each with how many are left out after it."""
    places = record.changed_places
    is_fault = record.result.verdict in (FAILED, UNDECIDED)
    room = MOST_CHANGES
    for number, place in enumerate(places, 1):
        counts = record.counts[place]
        room -= len(counts.changes)
        is_full = room <= 0 if is_fault else number == MOST_CHANGED
        yield counts, len(places) - number if is_full else 0
        if is_full:
            return


def _colours() -> dict[str, str]:
    """Return the gradients of the scales: of a map, and of a difference up to its limit and beyond."""
    low, middle, high = (f"rgb{colour}" for colour in COLOURS)
    part = WITHIN / 127.5
    calm = tuple(round(a + (b - a) * part) for a, b in zip(COLOURS[0], COLOURS[1], strict=True))
    return {"map": f"{low}, {middle}, {high}", "within": f"{low}, rgb{calm}", "beyond": f"{middle}, {high}"}


def _digest(text: str) -> str:
    """Return what the page's Content-Security-Policy calls its own script or style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _share_text(share: float | None) -> str:
    """Write an amount in terms of its limit."""
    if share is None:
        return ""
    return "beyond" if math.isinf(share) else f"{100 * share:.0f} %" if share < 10 else f"{share:,.0f} times"


def _sort_key(share: float | None) -> str:
    """Write an amount in terms of its limit as the page's script reads numbers."""
    return "-1" if share is None else "Infinity" if math.isinf(share) else f"{share:.6g}"


def _thumbnail(comparisons: Sequence[RecordedComparison]) -> Picture | None:
    """Return the thumbnail of the image that was compared, or None."""
    pictures = (picture for each in comparisons for picture in each.pictures)
    return next((picture for picture in pictures if picture.side == THUMBNAIL), None)


def _is_drawn(comparison: RecordedComparison) -> bool:
    return any(picture.side != THUMBNAIL for picture in comparison.pictures)


def _by_stage(comparison: RecordedComparison) -> dict[str, dict[str, Picture]]:
    """Return the pictures of a comparison by stage and side."""
    order: Callable[[str], int] = STAGES.index
    drawn = [picture for picture in comparison.pictures if picture.stage in STAGES and picture.side != THUMBNAIL]
    stages = sorted({picture.stage for picture in drawn}, key=order)
    return {stage: {picture.side: picture for picture in drawn if picture.stage == stage} for stage in stages}


def _layer_pictures(comparison: RecordedComparison) -> dict[str, dict[str, Picture]]:
    """Return the feature maps at the layer that a cause of a comparison names, by stage and side."""
    found: dict[str, dict[str, Picture]] = {}
    for picture in comparison.pictures:
        if picture.stage in LAYER_STAGES:
            found.setdefault(picture.stage, {})[picture.side] = picture
    return found


def _layer_shares(step: LayerStep) -> tuple[str, float]:
    """Return how far an operator is off, of its largest value: in words, and on a scale of powers of ten to 1."""
    if step.difference is None:
        return "", 0.0
    share = step.difference / (step.largest or 1.0)
    if not share < math.inf:
        return amount(math.inf), 1.0
    place = 1 + math.log10(share) / POWERS if share else 0.0
    return amount(share), min(1.0, max(0.0, place))
