"""Pages: texts by box, left out or in another order, and what limits permit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_ocrparity import DifferenceError, Recognition, Trace, assert_same_page
from pytest_ocrparity.compare.whole_page import PageComparisons
from pytest_ocrparity.comparison import Comparison
from pytest_ocrparity.errors import StageError
from pytest_ocrparity.tolerance import BUILT_IN
from pytest_ocrparity.trace import Detections

TEXTS = ("TOTAL", "98.50", "PAID")


def page(*texts: Any, name: str = "train", boxes: Any = None, order: Any = None, **more: Any) -> Trace:
    """Return a page whose boxes stand below each other; a text may be None, or a text with its score."""
    said = [each if isinstance(each, tuple) else (each, 0.9) for each in texts or TEXTS]
    rows = boxes or range(len(said))
    polygons = [np.array([[10.0, 40 * y], [110, 40 * y], [110, 40 * y + 20], [10, 40 * y + 20]]) for y in rows]
    places = order or range(len(said))
    reads = [None if said[place][0] is None else Recognition(*said[place]) for place in places]
    found = Detections(tuple(polygons[place] for place in places))
    return Trace(pipeline=name, image="page.png", detections=found, texts=tuple(reads), **more)


def compared(candidate: Trace, reference: Trace | None = None, **limits: Any) -> Comparison:
    return PageComparisons(reference or page(), candidate, BUILT_IN.override(limits, "test")).page


def kinds(made: Comparison) -> list[str]:
    return [each.kind for each in made.lines]


def test_equal_pages_are_the_same() -> None:
    made = compared(page(name="page"))
    assert (made.status, made.stage, made.counts["same"], kinds(made)) == ("same", None, 3, ["same"] * 3)
    assert (made.kind, made.task) == ("page", "page")


def test_another_text_is_found_at_its_box() -> None:
    made = compared(page("TOTAL", "98.5O", "PAID", name="page"))
    assert (made.status, made.stage, kinds(made)) == ("different", "text", ["same", "text", "same"])
    assert (made.lines[1].reference, made.lines[1].candidate, made.lines[1].edits) == ("98.50", "98.5O", 1)
    assert made.lines[1].at == (60.0, 50.0)


def test_a_text_that_is_left_out_is_no_missing_box() -> None:
    made = compared(page("TOTAL", None, "PAID", name="page"))
    assert (made.status, made.stage, kinds(made)[1]) == ("different", "page", "left out")
    assert compared(page("TOTAL", None, "PAID", name="page"), page("TOTAL", None, "PAID")).status == "same"


def test_a_box_without_partner_differs_as_a_box() -> None:
    made = compared(page("TOTAL", "98.50", "PAID", "MORE", name="page"))
    assert (made.status, made.stage, kinds(made)[-1]) == ("different", "detections", "extra")
    made = compared(page("TOTAL", "98.50", name="page"))
    assert (made.status, made.stage, kinds(made)[-1]) == ("different", "detections", "missing")


def test_texts_are_matched_by_box_and_not_by_order() -> None:
    made = compared(page(name="page", order=(0, 2, 1)))
    assert kinds(made) == ["same"] * 3
    assert (made.status, made.stage, made.counts["moved"]) == ("different", "page", 1)
    assert [each.kind for each in made.differences] == ["order"]


def test_of_two_orders_the_fewest_texts_have_moved() -> None:
    long = tuple(f"LINE {number}" for number in range(6))
    made = compared(page(*long, name="page", order=(5, 0, 1, 2, 3, 4)), page(*long))
    assert made.counts["moved"] == 1


@pytest.mark.parametrize(("score", "status"), [(0.75, "same"), (0.6, "different"), (11.0, "different")])
def test_scores_of_equal_texts_are_judged_widely(score: float, status: str) -> None:
    assert compared(page("TOTAL", ("98.50", score), "PAID", name="page")).status == status


def test_a_limit_of_scores_is_kept() -> None:
    made = compared(page("TOTAL", ("98.50", 0.85), "PAID", name="page"), text={"max_score_difference": 0.01})
    assert (made.status, kinds(made)[1]) == ("different", "score")
    candidate = page("TOTAL", ("98.50", 0.1), "PAID", name="page")
    assert compared(candidate, text={"max_score_difference": "off"}).status == "same"


def test_a_share_of_other_texts_may_be_permitted() -> None:
    other = page("TOTAL", "98.5O", "PAID", name="page")
    assert compared(other, text={"max_changed": 0.5}).status == "same"
    assert compared(other, text={"max_cer": 0.25}).status == "same"
    assert compared(other, text={"max_changed": 0.3}).status == "different"


def test_a_page_that_reads_nothing_shows_nothing() -> None:
    nothing = page("", "", "", name="page")
    assert compared(nothing, page("", "", "")).status == "different"
    assert compared(nothing, page("", "", ""), text={"allow_empty": True}).status == "same"


def test_pages_without_a_box_do_not_pass_unseen() -> None:
    empty = {name: Trace(pipeline=name, image="page.png", detections=Detections(()), texts=()) for name in "ab"}
    assert compared(empty["b"], empty["a"]).status == "different"  # no maps show that they agree
    assert compared(empty["b"], empty["a"], detections={"allow_empty": True}).status == "empty, as allowed"


def test_a_page_that_stopped_says_where() -> None:
    stopped = Trace(pipeline="page", image="page.png", error=StageError("text", "no memory"))
    made = compared(stopped)
    assert (made.status, made.stage) == ("different", "text")
    with pytest.raises(DifferenceError, match="page stopped at text: no memory"):
        assert_same_page(page(), stopped)


def test_what_is_no_page_is_refused() -> None:
    detector = Trace(pipeline="page", image="page.png", detections=page().detections)
    with pytest.raises(DifferenceError, match="page is a detector, and assert_same_page compares pages"):
        assert_same_page(page(), detector)
    with pytest.raises(TypeError, match=r"give what a page.s \.trace"):
        assert_same_page(page(), ["TOTAL"])  # type: ignore[arg-type]
    one = page()
    with pytest.raises(DifferenceError, match="the same object"):
        assert_same_page(one, one)


def test_without_sources_the_cause_is_unknown() -> None:
    with pytest.raises(DifferenceError) as caught:
        assert_same_page(page(), page("TOTAL", "98.5O", "PAID", name="page"))
    first, *rest = str(caught.value).splitlines()
    assert first == "page.png: 2 of 3 texts are the same, first '98.50' in train, '98.5O' in page at x=60 y=50"
    assert any("unknown at text" in line and "does not show what it cuts out" in line for line in rest)
    assert [each.cause for each in caught.value.diagnoses] == ["unknown"]


def test_a_trace_of_a_page_holds_a_text_for_each_box() -> None:
    boxes = page().detections
    with pytest.raises(ValueError, match="one for each box: 1 texts, 3 detections"):
        Trace(pipeline="page", image="page.png", detections=boxes, texts=(Recognition("TOTAL"),))
    with pytest.raises(TypeError, match="not 'TOTAL'"):
        Trace(pipeline="page", image="page.png", detections=boxes, texts=("TOTAL",) * 3)  # type: ignore[arg-type]


def test_a_trace_of_a_page_comes_back_from_its_file(tmp_path: Path) -> None:
    made = page("TOTAL", None, ("PAID", 0.5), name="page")
    made.to_json(tmp_path / "page.json")
    assert Trace.from_json(tmp_path / "page.json") == made
    page(name="page").to_json(tmp_path / "other.json")
    assert Trace.from_json(tmp_path / "other.json") != made


@pytest.mark.parametrize("defers", [None, True, False])
def test_how_many_lines_are_borderline_is_judged_here_unless_the_run_judges_it(defers: bool | None) -> None:
    given = {} if defers is None else {"defers": defers}
    measure = PageComparisons(page(), page(name="page"), BUILT_IN, **given).page.measure("text.max_borderline")
    assert measure is not None and measure.decides == (not defers)


def test_the_boxes_behind_one_that_is_missing_are_compared_as_well() -> None:
    made = compared(page("TOTAL", "98.50", "PAID", boxes=(0, 5, 2), name="page"))
    assert kinds(made) == ["same", "missing", "same", "extra"]


def test_a_page_without_a_box_says_that_nothing_was_compared() -> None:
    blank = [Trace(pipeline=name, image="p.png", detections=Detections(()), texts=()) for name in ("train", "mine")]
    with pytest.raises(DifferenceError) as caught:
        assert_same_page(blank[0], blank[1])
    assert str(caught.value).startswith("p.png: no box on either side, and no maps were compared: nothing shows ")
    assert "let both sides return their probability_map" in str(caught.value)
    assert caught.value.diagnoses == ()
    assert_same_page(blank[0], blank[1], tolerance={"detections": {"allow_empty": True}})


def test_a_page_of_boxes_without_a_text_says_so() -> None:
    with pytest.raises(DifferenceError, match="neither side reads anything in any box") as caught:
        assert_same_page(page("", ""), page("", "", name="page"))
    assert "set text.allow_empty = true" in str(caught.value)
    assert caught.value.diagnoses == ()
