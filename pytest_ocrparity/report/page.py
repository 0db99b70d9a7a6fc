"""The HTML page of a run: one file, readable offline and without scripts."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pytest_ocrparity.report.pictures.arrays import COLOURS
from pytest_ocrparity.report.pictures.boxes import STYLES
from pytest_ocrparity.report.templates import TEMPLATES
from pytest_ocrparity.report.views import RANKS, causes, headroom, images, sides_of
from pytest_ocrparity.stages import STAGES
from pytest_ocrparity.wording import amount

MOST_INLINE: Final = 30_000_000
"""Characters of pictures inside of the page; further thumbnails stay files beside it."""

_TYPES: Final = {"jpg": "image/jpeg", "png": "image/png", "svg": "image/svg+xml"}


def page(results: Mapping[str, Any], folder: Path) -> tuple[str, set[str]]:
    """Return the page, and the thumbnails that did not fit into it, which it shows as files.

    Args:
        results: the document of the run.
        folder: where its pictures lie.
    """
    inlined: dict[str, str] = {}
    kept: set[str] = set()
    room = MOST_INLINE

    def source(name: str) -> str:
        """Return a thumbnail as a data URI while there is room, else its file's name."""
        nonlocal room
        if name not in inlined:
            content = base64.b64encode((folder / name).read_bytes()).decode()
            if len(content) > room:
                kept.add(name)
                return name
            room -= len(content)
            inlined[name] = f"data:{_TYPES[name.rpartition('.')[2]]};base64,{content}"
        return inlined[name]

    shown = images(results["comparisons"])
    pairs = [pair for group in shown for pair in group.pairs]
    text = TEMPLATES.get_template("page.html.jinja").render(
        results=results,
        run=results["run"],
        images=shown,
        sides=sides_of(results["comparisons"]),
        groups=causes(results["comparisons"]),
        headroom=headroom(results["comparisons"]),
        stages=[stage for stage in STAGES if any(pair.stage == stage for pair in pairs)],
        statuses=sorted({pair.status for pair in pairs}, key=RANKS.index),
        styles=STYLES,
        gradient=", ".join(f"rgb{colour}" for colour in COLOURS),
        amount=_amount,
        value=_value,
        source=source,
        by_stage=_by_stage,
    )
    return text, kept


def _amount(value: Any) -> str:
    """Write a recorded number, also one that JSON has no number for."""
    return amount(float(value))


def _value(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_value(item) for item in value)}]"
    return "none" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def _by_stage(pictures: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    order: Callable[[str], int] = STAGES.index
    stages = sorted({picture["stage"] for picture in pictures}, key=order)
    return {stage: [picture for picture in pictures if picture["stage"] == stage] for stage in stages}
