"""The HTML page of a run: one file, readable offline and without scripts."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

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
from pytest_ocrparity.report.document import Picture, non_finite_in_document
from pytest_ocrparity.report.pictures.arrays import COLOURS
from pytest_ocrparity.report.pictures.boxes import STYLES
from pytest_ocrparity.report.templates import TEMPLATES
from pytest_ocrparity.report.views import RANKS, View
from pytest_ocrparity.stages import STAGES
from pytest_ocrparity.wording import amount, image_label, number_of_edits, value_text

MOST_INLINE: Final = 30_000_000
"""Characters of pictures inside of the page; further thumbnails stay files beside it."""

MOST_CHANGED: Final = 200
"""How many images the table of those that lost or gained has where that is no fault; `results.json` has all."""

MOST_CHANGES: Final = 20_000
"""How many boxes or lines the table of a verdict has that may be a fault, by the images that lose most."""

_TYPES: Final = {"jpg": "image/jpeg", "png": "image/png", "svg": "image/svg+xml"}


def report_page(view: View, folder: Path, kept: set[int]) -> Iterator[str]:
    """Yield the page, image by image.

    Args:
        view: the document of the run, in groups.
        folder: where its pictures lie.
        kept: takes the hashes of the names of thumbnails that do not fit into the page, which it shows as files.
    """
    room = MOST_INLINE

    def source(name: str) -> str:
        """Return a thumbnail as a data URI while there is room, else its file's name."""
        nonlocal room
        content = base64.b64encode((folder / name).read_bytes()).decode()
        if len(content) > room:
            kept.add(hash(name))
            return name
        room -= len(content)
        return f"data:{_TYPES[name.rpartition('.')[2]]};base64,{content}"

    pairs = [pair for group in view.images for pair in group.pairs]
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
        styles=STYLES,
        gradient=", ".join(f"rgb{colour}" for colour in COLOURS),
        amount=amount,
        value=lambda value: value_text(non_finite_in_document(value)),
        source=source,
        by_stage=_by_stage,
        aligned=aligned_texts,
        places=aligned_places,
        direction=direction,
        readable=readable,
        number_of_edits=number_of_edits,
        visible=aligned_character,
        code_point=code_point,
        whole=view.whole,
        plots=view.plots,
        numbers=view.numbers,
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


def _by_stage(pictures: Sequence[Picture]) -> dict[str, list[Picture]]:
    order: Callable[[str], int] = STAGES.index
    stages = sorted({picture.stage for picture in pictures}, key=order)
    return {stage: [picture for picture in pictures if picture.stage == stage] for stage in stages}
