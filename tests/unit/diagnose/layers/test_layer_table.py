"""The table of layers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from toy_graphs import FOLDED, TENSOR, export, network

from pytest_ocrparity.diagnose.layers.layer_table import AFTER, BEFORE, HEAD, layer_rows, steps_around
from pytest_ocrparity.diagnose.layers.search import search_layers


def words(**given: object) -> dict[str, str]:
    """Return the word of each layer's last operator."""
    found = search_layers(network(), export(**given), TENSOR, 1e-5)  # type: ignore[arg-type]
    rows = list(layer_rows(found))
    assert all(len(row) == len(HEAD) for row in rows)
    return {row[0]: row[3] for row in rows}


def moved(array: np.ndarray) -> np.ndarray:
    return array * 1.3 + 0.2


def test_a_right_export_is_the_same_in_each_row() -> None:
    assert set(words().values()) == {"same"}


def test_a_fault_is_where_it_begins_and_what_follows_differs() -> None:
    found = words(faults={6: moved})
    assert (found["left"], found["neck"], found["head.conv"]) == ("same", "begins to differ", "differs")


def test_what_an_export_folds_is_not_found() -> None:
    found = words(rows=FOLDED)
    assert (found["stem.conv"], found["stem.norm"], found["head"]) == ("not found", "same", "same")


def test_what_is_not_known_of_a_whole_page_is_left_empty() -> None:
    found = search_layers(network(), export(faults={6: moved}), TENSOR, 1e-5)
    assert all(row[-1] for row in layer_rows(found))
    rows = list(layer_rows(replace(found, reference=replace(found.reference, movements=()))))
    assert {row[-1] for row in rows} == {""}


@pytest.mark.parametrize(("place", "first", "count"), [(1, "stem.conv", 6), (6, "stem.act", 7), (9, "neck", 4)])
def test_the_steps_around_a_fault(place: int, first: str, count: int) -> None:
    found = search_layers(network(), export(faults={place: moved}), TENSOR, 1e-5)
    steps = steps_around(found)
    assert (steps[0].layer, len(steps)) == (first, count)
    assert count <= BEFORE + 1 + AFTER
    begins = [step.status for step in steps].index("begins to differ")
    assert {step.status for step in steps[:begins]} <= {"same"}
    assert all((step.difference or 0) < 1e-5 for step in steps[:begins])
    assert (steps[begins].difference or 0) > 0.1
    assert steps[begins].largest > 0
