"""Pages: texts by box, left out or in another order, and what limits permit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_ocrparity import DifferenceError, Recognition, Trace, assert_same_page
from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.compare.whole_page import PageComparisons, detector_part
from pytest_ocrparity.comparison import BoxFinding, Comparison
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


def test_a_page_without_a_box_whose_maps_differ_is_no_page_of_which_nothing_was_compared() -> None:
    maps = np.zeros((1, 1, 8, 8), np.float32), np.full((1, 1, 8, 8), 0.2, np.float32)
    shape = (8.0, 8.0, 1.0, 1.0)
    blank = [
        Trace(pipeline=name, image="p.png", detections=Detections(()), texts=(), probability_map=each, shape=shape)
        for name, each in zip(("train", "mine"), maps, strict=True)
    ]
    made = compared(blank[1], blank[0])
    assert (made.status, made.has_no_text) == ("different", False)
    with pytest.raises(DifferenceError) as caught:
        assert_same_page(blank[0], blank[1])
    assert "let both sides return their probability_map" not in str(caught.value)
    assert caught.value.diagnoses


def test_a_page_of_boxes_without_a_text_says_so() -> None:
    with pytest.raises(DifferenceError, match="neither side reads anything in any box") as caught:
        assert_same_page(page("", ""), page("", "", name="page"))
    assert "set text.allow_empty = true" in str(caught.value)
    assert caught.value.diagnoses == ()


class TestCounts:
    def test_each_number_is_its_own(self) -> None:
        reference = page("ONE", "TWO", None, "FOUR", "FIVE!", ("SIX", 0.9))
        candidate = page(
            "ONE", "TO", "THREE", None, ("FIVE!", 0.1), "MORE", "YET", boxes=(0, 1, 2, 3, 4, 7, 8), name="x"
        )
        made = compared(candidate, reference)
        assert kinds(made) == ["same", "text", "added", "left out", "score", "missing", "extra", "extra"]
        assert made.counts == {
            **{"reference": 6, "candidate": 7, "lines": 8, "same": 1, "different": 4, "borderline": 0, "missing": 1},
            **{"extra": 2, "left_out": 1, "moved": 0, "edits": 1 + 5 + 4, "characters": 3 + 3 + 4 + 5 + 3},
        }
        assert [(each.reference, each.candidate) for each in made.lines[-3:]] == [
            ("SIX", None),
            (None, "MORE"),
            (None, "YET"),
        ]
        assert [each.edits for each in made.lines] == [0, 1, 5, 4, 0, 0, 0, 0]

    def test_a_box_that_nobody_read_has_no_text(self) -> None:
        made = compared(page("ONE", None, boxes=(0, 5), name="x"), page("ONE", None))
        assert kinds(made) == ["same", "missing", "extra"]
        assert [(each.reference, each.candidate) for each in made.lines[1:]] == [(None, None), (None, None)]

    def test_shares_are_of_all_lines(self) -> None:
        made = compared(page("ONE", "TO", "THREE", "FOR", name="x"), page("ONE", "TWO", "THREE", "FOUR"))
        changed, borderline = (made.measure(name) for name in ("text.max_changed", "text.max_borderline"))
        assert changed is not None and borderline is not None
        assert (changed.value, borderline.value, changed.limit, borderline.limit) == (0.5, 0.0, 0.0, 0.02)

    def test_of_no_line_no_share_is_asked(self) -> None:
        empty = {name: Trace(pipeline=name, image="page.png", detections=Detections(()), texts=()) for name in "ab"}
        assert [each.value for each in compared(empty["b"], empty["a"]).measures] == [0.0, 0.0]


def test_a_page_of_which_one_side_reads_nothing_is_not_blank() -> None:
    nothing = page("", "", "")
    for one, two in ((nothing, page(name="x")), (page(), page("", "", "", name="x"))):
        made = compared(two, one)
        assert (made.status, made.differences, kinds(made)) == ("different", (), ["text"] * 3)
    (blank,) = compared(page("", "", "", name="x"), nothing).differences
    assert (blank.kind, blank.reference, blank.candidate) == ("empty_page", True, True)


@pytest.mark.parametrize(("score", "kind"), [(0.5, "same"), (0.49, "score"), (None, "same")])
def test_a_score_may_be_off_by_its_limit(score: float | None, kind: str) -> None:
    made = compared(page(("ONE", score), name="x"), page(("ONE", 0.75)), text={"max_score_difference": 0.25})
    assert kinds(made) == [kind]


@pytest.mark.parametrize(("edits", "status"), [("ABCD", "same"), ("ABCx", "same"), ("ABxx", "different")])
def test_a_text_may_be_off_by_its_share(edits: str, status: str) -> None:
    assert compared(page(edits, name="x"), page("ABCD"), text={"max_cer": 0.25}).status == status
    off = compared(page(edits, name="x"), page("ABCD"), text={"max_cer": "off"})
    assert off.status == ("same" if edits == "ABCD" else "different")
    left_out = compared(page(None, name="x"), page("ABCD"), text={"max_cer": 9.0})
    assert left_out.status == "different"  # as no share of its characters is read


class TestBoxes:
    """What the detector's comparison says of the boxes."""

    @pytest.mark.parametrize(
        ("limit", "counts", "are_same"),
        [
            (0.0, {"borderline": 0, "boxes": 10}, True),
            (0.0, {"borderline": 1, "boxes": 10}, False),
            (0.0, {}, True),
            (0.02, {"borderline": 1, "boxes": 10}, True),  # a page of a few boxes has no smaller share
            (0.02, {"borderline": 2, "boxes": 10}, False),
            (0.2, {"borderline": 2, "boxes": 10}, True),
            (0.2, {"borderline": 3, "boxes": 10}, False),
        ],
    )
    def test_a_share_may_be_borderline(self, limit: float, counts: dict[str, int], are_same: bool) -> None:
        tolerance = BUILT_IN.override({"detections": {"max_borderline": limit}}, "test")
        made = PageComparisons(page(), page(name="x"), tolerance)
        boxes = made.boxes.of("detections")
        made.boxes.know(replace(boxes, status="same", counts=counts))
        assert made.are_boxes_same == are_same
        made.boxes.know(replace(boxes, status="different", counts=counts))
        assert not made.are_boxes_same

    @pytest.mark.parametrize(
        ("boxes", "status"),
        [
            *(("not judgeable", "not judgeable"), ("different", "different"), ("same", "same")),
            *(("empty", "empty"), ("empty, as allowed", "empty, as allowed")),
        ],
    )
    def test_their_status_is_the_pages_where_all_is_read_alike(
        self, boxes: str, status: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = BoxFinding("missing", (0, 0), reference=0)

        class Told(Comparisons):
            def of(self, kind: str) -> Comparison:
                return replace(super().of(kind), status=boxes, boxes=(found,))

        monkeypatch.setattr("pytest_ocrparity.compare.whole_page.Comparisons", Told)
        made = compared(page(name="x"))
        is_match = boxes not in ("not judgeable", "different")
        assert (made.status, made.stage) == (status, None if is_match else "detections")
        assert made.boxes == (() if is_match else (found,))
        other = compared(page("TOTAL", "x", "PAID", name="x"))
        assert (other.status, other.stage) == ("different", "text" if is_match else "detections")

    def test_those_that_differ_are_among_the_findings_and_scores_within_their_limit_are_not(self) -> None:
        one, two = page(), page("TOTAL", "98.50", name="x")
        assert one.detections is not None and two.detections is not None
        left, right = (
            replace(each, detections=Detections(each.detections.polygons, np.full(len(each.detections), score)))
            for each, score in ((one, 0.9), (two, 0.8))
            if each.detections is not None
        )
        made = PageComparisons(left, right, BUILT_IN).page
        assert [each.kind for each in made.boxes] == ["missing"]
        assert compared(page(name="x")).boxes == ()


@pytest.mark.parametrize(
    ("order", "moved"),
    [
        ((0, 1, 2, 3), []),
        ((1, 0, 2, 3), [0]),
        ((3, 0, 1, 2), [3]),
        ((3, 2, 1, 0), [0, 1, 2]),
        ((1, 2, 3, 0), [0]),
        ((2, 3, 0, 1), [0, 1]),
    ],
)
def test_the_fewest_texts_that_moved_are_named_from_the_first(order: tuple[int, ...], moved: list[int]) -> None:
    texts = ("A", "B", "C", "D")
    made = compared(page(*texts, name="x", order=order), page(*texts))
    assert made.counts["moved"] == len(moved)
    if moved:
        (found,) = made.differences
        assert (found.kind, found.stage, found.reference) == ("order", "page", len(moved))
        assert found.candidate[0][0] == 60.0 and (found.candidate[0][1] - 10) / 40 in moved


def test_limits_are_those_of_boxes_texts_and_the_maps_that_explain_texts() -> None:
    names = {name.partition(".")[0] for name in compared(page(name="x")).limits}
    assert names == {"detections", "probability_maps", "text"}


@pytest.mark.parametrize(
    ("stage", "is_kept"), [("tensor", True), ("detections", True), ("text", False), ("page", False)]
)
def test_what_stopped_a_page_behind_its_detector_did_not_stop_that(stage: str, is_kept: bool) -> None:
    stopped = replace(page(), error=StageError(stage, "lost"))
    part = detector_part(stopped)
    assert (part.error is not None) == is_kept
    assert (part.texts, part.detections) == (None, stopped.detections)


def test_a_lone_line_of_a_lone_character_that_is_read_otherwise_is_all_of_it() -> None:
    made = compared(page("B", name="x"), page("A"), text={"max_cer": 0.75})
    changed = made.measure("text.max_changed")
    assert changed is not None and (made.status, changed.value) == ("different", 1.0)
