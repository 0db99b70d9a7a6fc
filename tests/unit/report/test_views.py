"""What a view counts: causes of all differences, and errors of those that fail a test."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace
from records import comparison, results, view_of

from pytest_ocrparity.comparison import Difference, Measure
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.report.github import github_error_commands
from pytest_ocrparity.report.views import View


def test_what_a_test_marked_xfail_shows_is_no_error() -> None:
    whole = view_of(3)
    found = [
        replace(each, outcome="skipped" if index else "failed") for index, each in enumerate(whole.results.comparisons)
    ]
    view = View.of(results(found))
    assert len(view.causes) == 3
    assert len(github_error_commands(view, Path())) == len(view.errors) == 1


@pytest.mark.parametrize(("kind", "count"), [("empty", 2), ("not_recorded", 2), ("value", 1)])
def test_what_compared_nothing_is_not_told_with_what_differs(kind: str, count: int) -> None:
    """Else the message of a blank page stands for all pages whose boxes moved."""
    nothing = Difference("detections", kind, False, False)
    unknown = Diagnosis(stage="detections", cause="unknown", summary="not known")
    failed = {"status": "different", "outcome": "failed"}
    found = [
        comparison(image=image, stage="detections", diagnoses=(unknown,), differences=differences, **failed)
        for image, differences in (("blank.png", (nothing,)), ("a.png", ()), ("b.png", ()))
    ]
    causes = View.of(results(found)).causes
    assert len(causes) == count
    assert len(causes[0].images) == 4 - count


def measured(value: float, limit: float | None, name: str = "probability_maps.atol") -> View:
    return View.of(results([comparison("probability_maps", measures=(Measure(name, value, limit),))]))


@pytest.mark.parametrize(
    ("value", "limit", "used"),
    [(0.5, 2.0, 0.25), (4.0, 2.0, 2.0), (0.0, 0.0, 0.0), (1.0, 0.0, float("inf")), (float("nan"), 2.0, float("inf"))],
)
def test_an_amount_is_told_in_terms_of_its_limit(value: float, limit: float, used: float) -> None:
    assert measured(value, limit).images[0].used == used


def test_what_nothing_judges_uses_no_limit() -> None:
    assert measured(1.0, None).images[0].used is None
    assert measured(1.0, 2.0, "map_px").images[0].used is None


def test_a_fragment_of_a_stage_is_short_for_the_first_pair_alone() -> None:
    found = [comparison(candidate=name, image=image) for image in ("a.png", "b.png") for name in ("one", "two")]
    view = View.of(results([*found, comparison(candidate="two", image="c.png")]))
    anchors = {
        (group.image, pair.candidate): group.stage_anchor(pair, "tensor", view.sides)
        for group in view.images
        for pair in group.pairs
    }
    assert anchors["a.png", "one"] == "a.png/tensor"
    assert anchors["b.png", "two"] == "b.png/tensor/two/train"
    assert anchors["c.png", "two"] == "c.png/tensor"  # its own first
