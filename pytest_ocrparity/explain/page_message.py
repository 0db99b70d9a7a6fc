"""The message of a page that differs: how many texts are the same, and whose fault the first one is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pytest_ocrparity.comparison import Comparison
from pytest_ocrparity.diagnosis import UNKNOWN, Diagnosis
from pytest_ocrparity.explain import COLUMN, headline, known_rows, unknown_rows
from pytest_ocrparity.explain.next_step import next_step_rerun
from pytest_ocrparity.explain.page_texts import page_count_text, rows_of_lines

_WITHOUT_TEXT: Final = {
    "empty": "let both sides return their probability_map, by which a page without text is compared, or leave it out",
    "empty_page": "leave such a page out, or set text.allow_empty = true where it is right",
}
"""By the difference of a page of which neither side finds or reads anything, what to do."""


def explain_page(page: Comparison, diagnoses: Sequence[Diagnosis]) -> str:
    """Return the message of a page whose assertion failed: the first fault with its model, then what was read where.

    Args:
        page: the comparison that failed.
        diagnoses: what experiments showed, in the order of the data flow.
    """
    known = [each for each in diagnoses if each.cause != UNKNOWN]
    unknown = [each for each in diagnoses if each.cause == UNKNOWN]
    is_read = not page.has_no_text and (bool(page.lines) or not any(each.fails for each in page.differences))
    text = page_count_text(page) if is_read else headline(page)
    first = diagnoses[0] if diagnoses else None
    if first is not None and first.cause != UNKNOWN:
        text += f"; first fault: {first.model}, {first.stage}: {first.summary}"
    elif is_read:
        text = headline(page)
    rows = []
    for each in known:
        of_cause = known_rows(each, heads=each is first)
        rows += [(name, _with_model(row, each) if name in ("cause", "and") else row) for name, row in of_cause]
    for each in unknown:
        rows += unknown_rows(each)
    rows += rows_of_lines(page)
    again = next_step_rerun(page.image)
    if page.has_no_text:
        rows.append(("next", f"{_WITHOUT_TEXT[page.differences[0].kind]}, {again}"))
    elif known:
        rows.append(("next", f"apply the fix{'es' if known[1:] else ''}, {again}"))
    else:
        rows.append(("next", f"compare each model alone (assert_same_detections, assert_same_text), {again}"))
    return "\n".join([f"{page.image}: {text}", *(f"  {name:<{COLUMN}}{row}" for name, row in rows)])


def _with_model(text: str, diagnosis: Diagnosis) -> str:
    """Return the row of a cause with the model whose fault it is."""
    code, comma, rest = text.partition(",")
    return f"{code} ({diagnosis.model}){comma}{rest}"
