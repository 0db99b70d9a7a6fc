"""The message of a page: how many texts are the same, whose fault it is, and what was read where."""

from __future__ import annotations

from typing import Any

from pytest_ocrparity.comparison import Comparison, Difference, LineFinding
from pytest_ocrparity.diagnosis import Diagnosis, Fix
from pytest_ocrparity.explain import headline
from pytest_ocrparity.explain.page_message import explain_page

OTHER = LineFinding("text", (20.0, 30.0), "O1", "01", 0, 0, 1)
SAME = LineFinding("same", (20.0, 60.0), "A", "A", 1, 1)
DICTIONARY = Diagnosis(
    stage="text", cause="text.dictionary", summary="another", evidence=("shown",), fix=Fix("change it"),
    model="recognition",
)  # fmt: skip
ORDER = Diagnosis(stage="page", cause="pipeline.order", summary="its own", fix=Fix("leave it"), model="pipeline")
UNKNOWN = Diagnosis(stage="text", cause="unknown", summary="nothing helped", not_tried=("a part",), model="pipeline")


def page(*lines: LineFinding, **more: Any) -> Comparison:
    counts = {"lines": len(lines), "same": sum(each.kind == "same" for each in lines), "moved": 2}
    values: dict[str, Any] = {"kind": "page", "image": "page.png", "reference": "train", "candidate": "page"}
    return Comparison(**values, status="different", stage="text", counts=counts, lines=lines, **more)


def test_the_first_fault_heads_the_message() -> None:
    text = explain_page(page(OTHER, SAME), [DICTIONARY])
    assert text.splitlines() == [
        "page.png: 1 of 2 texts are the same; first fault: recognition, text: another",
        "  cause       text.dictionary (recognition)",
        "  fix         change it",
        "  proof       shown",
        "  text        'O1' in train, '01' in page at x=20 y=30",
        "  next        apply the fix, then compare again",
    ]


def test_a_second_fault_names_its_model_too() -> None:
    order = Difference("page", "order", 2, [[20.0, 60.0]])
    text = explain_page(page(OTHER, SAME, differences=(order,)), [DICTIONARY, ORDER])
    assert "1 of 2 texts are the same, 2 stand in another order; first fault: recognition" in text
    assert "  and         pipeline.order (pipeline), page: its own" in text
    assert "  order       2 of the texts, first that at x=20 y=60" in text
    assert "apply the fixes" in text


def test_an_unknown_cause_heads_nothing() -> None:
    first, *rest = explain_page(page(OTHER, SAME), [UNKNOWN]).splitlines()
    assert first == "page.png: 1 of 2 texts are the same, first 'O1' in train, '01' in page at x=20 y=30"
    assert "  cause       unknown at text: nothing helped" in rest
    assert "  not tried   a part" in rest


def test_lines_without_a_partner_and_without_a_text() -> None:
    lines = (
        LineFinding("missing", (1.0, 2.0), "A", None, 0),
        LineFinding("extra", (3.0, 4.0), None, "B", None, 0),
        LineFinding("left out", (5.0, 6.0), "C", None, 1, 1),
        LineFinding("score", (7.0, 8.0), "D", "D", 2, 2, 0, False, 0.9, 11.0),
        LineFinding("text", (9.0, 9.0), "E", "F", 3, 3, 1, True),
    )
    text = explain_page(page(*lines), [])
    assert "'A' in train at x=1 y=2, and page finds no box there" in text
    assert "'B' in page at x=3 y=4, and train finds no box there" in text
    assert "'C' in train at x=5 y=6, and page returns no text there" in text
    assert "'D' has the score 0.9 in train, 11 in page at x=7 y=8" in text
    assert "borderline  1 line, explained" in text
    assert "'E'" not in text


def test_many_lines_are_counted() -> None:
    assert "and 3 more" in explain_page(page(*[OTHER] * 9), [])


def test_the_headline_of_a_page_that_matches_is_empty() -> None:
    made = Comparison(kind="page", image="p", reference="a", candidate="b", status="same", lines=(SAME,))
    assert headline(made) == ""


def test_a_page_of_which_nothing_is_read_says_so() -> None:
    blank = LineFinding("same", (20.0, 60.0), "", "", 1, 1)
    made = page(blank, differences=(Difference("page", "empty_page", True, True),))
    assert explain_page(made, []).splitlines() == [
        "page.png: neither side reads anything in any box: nothing shows that this model reads",
        "  next        leave such a page out, or set text.allow_empty = true where it is right, then compare again",
    ]
    assert headline(made).startswith("neither side reads anything")
    order = Difference("page", "order", 2, [[20.0, 60.0]])
    assert "2 stand in another order" in explain_page(page(blank, differences=(order,)), [])


def test_texts_that_look_alike_are_told_apart() -> None:
    note = ", which look alike: they are equal in Unicode's NFC"
    assert note in explain_page(page(LineFinding("text", (1.0, 2.0), "Caf\u00e9", "Cafe\u0301", 0, 0, 2)), [])
    assert note not in explain_page(page(LineFinding("text", (1.0, 2.0), "Caf\u00e9", "Cafe", 0, 0, 1)), [])
