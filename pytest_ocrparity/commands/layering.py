"""`python -m pytest_ocrparity layers`: compare an export with its trained network layer by layer, on one image."""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from pytest_ocrparity.commands.layer_ranking import ranking_rows
from pytest_ocrparity.commands.settings_of_project import SETTINGS_HELP, settings_of_project
from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.contract import Pipeline
from pytest_ocrparity.diagnose.budget import BudgetSpentError
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.layers import search_page
from pytest_ocrparity.diagnose.layers.layer_table import HEAD, layer_rows
from pytest_ocrparity.diagnose.layers.layer_texts import layer_of_search, search_evidence
from pytest_ocrparity.diagnose.layers.search import NOT_SHOWN, Search
from pytest_ocrparity.errors import ModelError, SettingsError
from pytest_ocrparity.session.models import inference_model, train_model
from pytest_ocrparity.settings import Settings
from pytest_ocrparity.tolerance import BUILT_IN
from pytest_ocrparity.trace import Trace

DESCRIPTION = """Run an image through the trained network and an export. For each operator, print how far the two lie
apart, and how far the trained network's own array moves when its tensor is only rounded; below, the first layer that
differs, with its proof. With --rank, print for each layer that the export holds in reduced precision what it alone
loses, the worst first, and what is left with all down to it in fp32. Exits 0 if the maps are the same, 1 if they
differ, or 2 for wrong files or settings, or where the networks cannot be compared by layers."""

Table: TypeAlias = "list[tuple[str, ...]]"

SECONDS = 600.0
"""Processor time that the command takes at most."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("image", type=Path, help="the image that both networks run on")
    parser.add_argument("--settings", type=Path, metavar="FILE", help=SETTINGS_HELP)
    parser.add_argument("--candidate", metavar="NAME", help="which of several candidates; default: the first")
    parser.add_argument(
        "--rank",
        action="store_true",
        help="rank the layers of an export of reduced precision by what each loses",
    )
    parser.add_argument(
        "--recognition", action="store_true", help="compare the recogniser of a project of both, on an image of a line"
    )


def run(given: argparse.Namespace) -> tuple[list[str], int]:
    """Return the table, and the exit status."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lab = _laboratory(given)
        table, rest, is_same = _ranking(lab) if given.rank else _search(lab)
    return [*_aligned(table), "", *rest], 0 if is_same else 1


def _laboratory(given: argparse.Namespace) -> Laboratory:
    """Load both sides, and run the image.

    Raises:
        OcrParityError: something does not load or run.
    """
    settings = settings_of_project(given.settings, {})
    if given.recognition:
        if settings.recognition is None:
            raise SettingsError(f"{settings.file} has no table recognition")
        settings = settings.recognition
    train, candidate = _sides(settings, given.candidate)
    comparisons = Comparisons(_trace(train, given.image), _trace(candidate, given.image), BUILT_IN)
    return Laboratory(comparisons, SECONDS)


def _ranking(lab: Laboratory) -> tuple[Table, list[str], bool]:
    """Return the layers that lose most first, what is said of them, and whether the maps are the same."""
    return (*ranking_rows(lab), lab.maps_agree)


def _search(lab: Laboratory) -> tuple[Table, list[str], bool]:
    """Return how far each operator is off, where that begins, and whether the maps are the same.

    Raises:
        ModelError: the networks can't be compared.
    """
    try:
        search = search_page(lab)
    except BudgetSpentError:
        raise ModelError(lab.budget.spent()) from None
    if search is None:
        reasons = "; ".join(lab.not_tried) or f"{lab.names.candidate} offers no graph of its network"
        raise ModelError(f"the networks can't be compared by layers: {reasons}")
    rows = list(layer_rows(search))
    return [HEAD, *rows], list(_found(search, rows, lab)), search.why == NOT_SHOWN


def _trace(side: Pipeline, image: Path) -> Trace:
    trace = side.trace(image)
    if trace.error is not None:
        raise ModelError(f"{side.name}: {trace.error}")
    return trace


def _sides(settings: Settings, name: str | None) -> tuple[Pipeline, Pipeline]:
    """Load the train side, and a candidate by its name or the first.

    Raises:
        OcrParityError: one is not there, or does not load.
    """
    if name is not None and name not in settings.candidates:
        others = f"; it sets {', '.join(settings.candidates)}" if settings.candidates else ""
        raise SettingsError(f"{settings.file} sets no candidate {name!r}{others}")
    return train_model(settings), inference_model(settings, name)


def _found(search: Search, rows: Table, lab: Laboratory) -> Iterator[str]:
    if search.places:
        yield from search_evidence(search, layer_of_search(search), lab.names)
    elif search.why == NOT_SHOWN:
        same = f"the maps lie {search.off:.1e} apart"
        differing = [row[:2] for row in rows if "differs" in row]
        if not differing:
            yield f"no layer differs: {same}"
            return
        (first, one), (last, other) = differing[0], differing[-1]
        yield f"{same}: what differs on the way, from {first} ({one}) to {last} ({other}), cancels out"
    else:
        yield f"no layer is named: {search.why}"
        yield from (f"not tried: {note}" for note in lab.not_tried if search.why not in note)


def _aligned(rows: Table) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
