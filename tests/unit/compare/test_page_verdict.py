"""What judges a page: its lines, how many may be read otherwise, and its boxes."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_ocrparity.compare.page_verdict import (
    are_boxes_accepted,
    blank_page,
    changed_lines,
    judged_line,
    line_counts,
    page_measures,
    page_status,
)
from pytest_ocrparity.comparison import Difference, LineFinding, Measure
from pytest_ocrparity.tolerance import BUILT_IN, Limit


def limits(**given: Any) -> dict[str, Limit]:
    return dict(BUILT_IN.override(given, "test").limits)


def line(reference: str | None = "A", candidate: str | None = "A", kind: str = "same", **more: Any) -> LineFinding:
    return LineFinding(kind, (1.0, 2.0), reference, candidate, 0, 0, **more)


@pytest.mark.parametrize(
    ("given", "most", "kind"),
    [
        ({"edits": 1}, "auto", "text"),
        ({"reference_score": 0.9, "candidate_score": 0.6}, "auto", "score"),
        ({"reference_score": 0.9, "candidate_score": 0.8}, "auto", "same"),
        ({"reference_score": 0.9, "candidate_score": 0.8}, 0.05, "score"),
        ({"reference_score": 0.9, "candidate_score": 0.1}, "off", "same"),
        ({"reference_score": 0.9}, 0.0, "same"),
    ],
)
def test_texts_and_scores_say_what_a_line_is(given: dict[str, Any], most: object, kind: str) -> None:
    assert judged_line(line(**given), limits(text={"max_score_difference": most})).kind == kind


@pytest.mark.parametrize(
    ("reference", "candidate", "kind"), [("A", None, "left out"), (None, None, "same"), (None, "A", "added")]
)
def test_a_line_that_a_side_does_not_read_stays_what_it_is(reference: Any, candidate: Any, kind: str) -> None:
    assert judged_line(line(reference, candidate, kind, edits=1), limits()).kind == kind


def test_a_share_of_characters_may_differ() -> None:
    lines = [line("ABCD", "ABCE", "text", edits=1), line(kind="left out"), line(kind="missing"), line()]
    assert [each.kind for each in changed_lines(lines, limits())] == ["text", "left out"]
    assert [each.kind for each in changed_lines(lines, limits(text={"max_cer": 0.25}))] == ["left out"]
    assert [each.kind for each in changed_lines(lines, limits(text={"max_cer": 0.2}))] == ["text", "left out"]
    explained = line("ABCD", "ABCE", "text", edits=1, is_borderline=True)
    assert changed_lines([explained], limits()) == []


def test_lines_are_counted_by_what_they_are() -> None:
    lines = [
        line("ABCD", "ABCE", "text", edits=1),
        line("AB", "AC", "text", edits=1, is_borderline=True),
        line(kind="extra"),
    ]
    found = line_counts(lines, limits())
    assert (found["lines"], found["same"], found["different"], found["borderline"]) == (3, 0, 1, 1)
    assert (found["extra"], found["edits"], found["characters"]) == (1, 1, 7)


def test_one_borderline_line_is_no_share_unless_none_may_be() -> None:
    def share(count: int, **given: Any) -> float:
        counts = {"lines": 4, "different": 1, "borderline": count}
        changed, borderline = page_measures(counts, limits(**given), defers=False)
        assert (changed.value, borderline.decides) == (0.25, True)
        return borderline.value

    assert (share(1), share(2)) == (0.0, 0.5)
    assert share(1, text={"max_borderline": 0.0}) == 0.25
    assert not page_measures({"lines": 0, "different": 0, "borderline": 0}, limits(), defers=True)[1].decides


def test_a_page_of_which_nothing_is_read_differs_unless_it_may_be_empty() -> None:
    assert [each.kind for each in blank_page([line("", "")], limits())] == ["empty_page"]
    assert blank_page([line("", "")], limits(text={"allow_empty": True})) == []
    assert blank_page([line("", "A")], limits()) == []
    assert blank_page([], limits()) == []


def test_a_box_of_a_page_may_be_borderline() -> None:
    assert are_boxes_accepted("same", {"boxes": 3, "borderline": 1}, limits())
    assert not are_boxes_accepted("same", {"boxes": 3, "borderline": 2}, limits())
    assert not are_boxes_accepted("same", {"boxes": 3, "borderline": 1}, limits(detections={"max_borderline": 0.0}))
    assert not are_boxes_accepted("different", {}, limits())


@pytest.mark.parametrize(
    ("boxes", "is_same", "status"),
    [
        ("same", True, "same"),
        ("empty", True, "empty"),
        ("same", False, "different"),
        ("different", False, "different"),
        ("not judgeable", False, "not judgeable"),
        ("undecided", False, "undecided"),
    ],
)
def test_boxes_decide_where_nothing_else_differs(boxes: str, is_same: bool, status: str) -> None:
    assert page_status((), (), boxes, are_boxes_same=is_same) == status
    order = [Difference("page", "order", 2)]
    assert page_status(order, (), boxes, are_boxes_same=is_same) == "different"
    assert page_status((), [Measure("text.max_changed", 0.5, 0.1)], boxes, are_boxes_same=is_same) == "different"


@pytest.mark.parametrize(
    ("limit", "borderline", "share"), [(0.02, 0, 0.0), (0.02, 1, 0.0), (0.02, 2, 0.2), (0.0, 1, 0.1), (0.0, 0, 0.0)]
)
def test_a_lone_borderline_line_has_no_share_unless_none_may_be(limit: float, borderline: int, share: float) -> None:
    counts = {"lines": 10, "different": 0, "borderline": borderline}
    _, found = page_measures(counts, limits(text={"max_borderline": limit}), defers=False)
    assert (found.name, found.value, found.limit) == ("text.max_borderline", share, limit)
