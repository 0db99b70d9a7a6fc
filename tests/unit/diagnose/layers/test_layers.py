"""Whether a part of the page, or all of it, is searched."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from diagnosing import on
from layered import LayeredExport, LayeredTrained
from toy import page

from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.diagnose.budget import BudgetSpentError
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.layers import refine_by_layer, search_page
from pytest_ocrparity.diagnose.layers.search import NOT_SHOWN
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.stages import PROBABILITY_MAP
from pytest_ocrparity.tolerance import BUILT_IN

WHOLE = "pytest_ocrparity.diagnose.layers.search_whole_page"


@dataclass
class OneSizeExport(LayeredExport):
    """Takes one size alone, at which it is right, and returns another map of a page."""

    def input_size(self) -> tuple[int, int]:
        return 64, 96


@pytest.mark.parametrize("side", [LayeredExport, OneSizeExport])
def test_an_export_of_one_size_does_not_run_on_the_whole_page(
    side: type[LayeredExport], monkeypatch: pytest.MonkeyPatch
) -> None:
    searched: list[object] = []
    monkeypatch.setattr(WHOLE, lambda *given: searched.append(given))
    large = page(320, 320, ((20, 20, 110, 50),))
    trace = on(side(), large, "page")
    assert trace.probability_map is not None
    other = replace(trace, probability_map=1 - trace.probability_map, source=trace.source)
    lab = Laboratory(Comparisons(on(LayeredTrained(), large, "page"), other, BUILT_IN), 60.0)
    search = search_page(lab)
    assert search is not None
    assert search.why.endswith(f" px {NOT_SHOWN}, and the whole page could not be searched")
    assert len(searched) == (side is LayeredExport)
    assert lab.not_tried == [f"layers: {search.why}"]


def test_a_budget_that_ends_before_the_weights_are_read_takes_no_cause_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Near miss: a network that can't be read leaves the cause as it is, and no note."""
    lab = Laboratory(Comparisons(on(LayeredTrained()), on(LayeredExport()), BUILT_IN), 60.0)
    found = Diagnosis(stage=PROBABILITY_MAP, cause="network.weights", summary="the map differs")

    def ends(lab: Laboratory) -> None:
        raise BudgetSpentError

    monkeypatch.setattr("pytest_ocrparity.diagnose.layers.paired_network", ends)
    (told,) = refine_by_layer(lab, [found])
    assert replace(told, not_tried=()) == found
    assert told.not_tried[0].startswith("layers: used 0 of 20 network runs")
    monkeypatch.setattr("pytest_ocrparity.diagnose.layers.paired_network", lambda lab: None)
    assert refine_by_layer(lab, [found]) == [found]
