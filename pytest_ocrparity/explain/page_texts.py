"""How messages show what two sides read on a page: how many texts are the same, and those that are not, by place."""

from __future__ import annotations

from typing import Final

from pytest_ocrparity.comparison import Comparison, LineFinding
from pytest_ocrparity.edits import first_edit
from pytest_ocrparity.explain.texts import note_of_look
from pytest_ocrparity.wording import amount, counted, number_of_boxes, quoted

MOST_LINES: Final = 6
_BOX_KINDS: Final = ("moved", "split", "merged", "invalid", "score")


def page_count_text(comparison: Comparison) -> str:
    """Return how many texts of a page are the same, and what else differs, in one clause."""
    counts = comparison.counts
    whole = counts.get("lines", 0)
    text = f"{counts.get('same', 0)} of {whole} text{'s are' if whole != 1 else ' is'} the same"
    if not whole:
        text = "no text on either side"
    moved = [each for each in comparison.boxes if each.kind in _BOX_KINDS and not each.is_borderline]
    text += f", {number_of_boxes(len(moved))} differ{'s' * (len(moved) == 1)}" if moved else ""
    if any(each.kind == "order" for each in comparison.differences):
        text += f", {counts['moved']} stand{'s' * (counts['moved'] == 1)} in another order"
    return text


def page_headline(comparison: Comparison) -> str:
    """Return what differs on a page in one line, where both sides have read it."""
    first = next((each for each in comparison.lines if each.differs), None)
    where = "" if first is None else f", first {_line_text(first, comparison)}"
    return f"{page_count_text(comparison)}{where}"


def rows_of_lines(comparison: Comparison) -> list[tuple[str, str]]:
    """Return a row for each line that differs, up to a few."""
    differing = [each for each in comparison.lines if each.differs]
    rows = [(each.kind, _line_text(each, comparison)) for each in differing[:MOST_LINES]]
    if len(differing) > MOST_LINES:
        rows.append(("", f"and {len(differing) - MOST_LINES} more"))
    for each in comparison.differences:
        if each.kind == "order":
            place = each.candidate[0]
            rows.append(("order", f"{each.reference} of the texts, first that at x={place[0]:.0f} y={place[1]:.0f}"))
    borderline = sum(each.is_borderline for each in comparison.lines)
    if borderline:
        text = f"{counted(borderline, 'line')}, explained by boxes or maps that differ within their limits"
        rows.append(("borderline", text))
    return rows


def _line_text(line: LineFinding, comparison: Comparison) -> str:
    at = f"at x={line.at[0]:.0f} y={line.at[1]:.0f}"
    one, two = comparison.reference, comparison.candidate
    if line.reference is None or line.candidate is None:
        said = line.candidate if line.reference is None else line.reference
        side, other = (two, one) if line.reference is None else (one, two)
        text = "without a text" if said is None else quoted(said)
        why = "finds no box there" if line.kind in ("missing", "extra") else "returns no text there"
        return f"{text} in {side} {at}, and {other} {why}"
    if line.kind == "score":
        scores = f"{amount(line.reference_score or 0.0)} in {one}, {amount(line.candidate_score or 0.0)} in {two}"
        return f"{quoted(line.reference)} has the score {scores} {at}"
    place = first_edit(line.reference, line.candidate) or 0
    note = note_of_look(line.reference, line.candidate)
    return f"{quoted(line.reference, place)} in {one}, {quoted(line.candidate, place)} in {two} {at}{note}"
