"""`python -m pytest_ocrparity layers --rank`: which layers of an export of reduced precision lose most."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from pytest_ocrparity.contract import pipeline_of
from pytest_ocrparity.diagnose.budget import BudgetSpentError
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.layers.crops import crop_where_maps_differ
from pytest_ocrparity.diagnose.network.ranking import RankedLayer, rank_layers, reduced_export
from pytest_ocrparity.errors import ModelError
from pytest_ocrparity.stages import RECOGNITION

HEAD: Final = ("layer", "operator of the export", "it alone loses", "left, with all down to it in fp32")
SHARE: Final = 0.9
"""How much of what all layers in fp32 bring those have to bring that are advised."""


def ranking_rows(lab: Laboratory) -> tuple[list[tuple[str, ...]], list[str]]:
    """Return the table of an export's layers, and what is said below it.

    Raises:
        ModelError: the layers can't be ranked.
    """
    tensor, source = lab.reference.tensor, pipeline_of(lab.reference)
    try:
        reduced = reduced_export(lab)
        if reduced is None or tensor is None or source is None:
            raise ModelError(f"no layers to rank: {'; '.join(lab.not_tried)}")
        maps = lab.reference.probability_map, lab.candidate.probability_map
        part = crop_where_maps_differ(tensor, *maps, keeps_height=lab.comparisons.task == RECOGNITION)
        whole, rows = rank_layers(lab, reduced, part, source.infer(part))
    except BudgetSpentError:
        raise ModelError(lab.budget.spent()) from None
    table: list[tuple[str, ...]] = [HEAD, ("(none)", "", "", f"{whole:.2e}")]
    table += [(row.layer, row.operator, f"{row.alone:.2e}", f"{row.left:.2e}") for row in rows]
    said = list(_advice(whole, rows, part.shape, reduced.takers))
    return table, [said[0], "the maps agree: nothing is to be gained"] if lab.maps_agree else said


def _advice(
    whole: float, rows: Sequence[RankedLayer], shape: tuple[int, ...], takers: Mapping[str, tuple[str, ...]] | None
) -> Iterator[str]:
    yield f"mean difference of the map, of a part of {shape[3]}x{shape[2]} px where the maps differ most"
    least = min(row.left for row in rows)
    if least > whole / 2:
        yield "with all of these in fp32 more than half is left: look at what is rounded between the layers"
        return
    wanted = whole - SHARE * (whole - least)
    chosen = rows[: next(index for index, row in enumerate(rows, 1) if row.left <= wanted)]
    start = f"to take {SHARE:.0%} of what they all bring,"
    if takers is None:
        yield f"{start} leave in fp32 {[row.layer for row in chosen]}"
        return
    names = dict.fromkeys(name for row in chosen for name in (row.operator, *takers[row.operator]))
    yield f"{start} quantise again with nodes_to_exclude = {list(names)}"
    yield "what takes their results is among these, as ONNX Runtime rounds a kernel again between two rounded arrays"
