"""What was said of each fault of a page, as a row, and the table of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Final

from page_faults.cases import CASES, PageCase
from pytest_ocrparity import DifferenceError
from pytest_ocrparity.diagnosis import UNKNOWN

ALL: Final = os.environ.get("OCRPARITY_ALL_PAGES") == "1"
"""Whether every case runs, and not only the fixed list."""
LEAST: Final = 0.95
"""The share of faults whose cause is to be named."""


def row_of(case: PageCase, error: DifferenceError | None) -> dict[str, Any]:
    """Write down what a failure says of a case: whether it was caught, and its model, stage and cause named first."""
    found = () if error is None else error.diagnoses
    named = [each for each in found if each.cause != UNKNOWN]
    true = {(case.model, code) for code in case.causes} | set(case.also)
    first = found[0] if found else None
    is_at = first is not None and first.model == case.model and first.stage in case.stage.split("/")
    said = {(each.model, each.cause) for each in named}
    return {
        "name": case.name,
        "page": case.page,
        "caught": error is not None,
        "model": [each.model for each in found],
        "stage": [each.stage for each in found],
        "cause": [each.cause for each in found],
        "place_right": is_at,
        "cause_right": is_at and first is not None and first.cause in case.causes and set(case.also) <= said,
        "wrong": sorted(f"{model}: {cause}" for model, cause in said - true),
    }


def refused_row(case: PageCase, text: str) -> dict[str, Any]:
    """Write down what is said where the deployment does not load."""
    is_said = bool(case.refused) and case.refused in text
    found = {"caught": True, "model": [case.model], "stage": ["load"], "cause": ["refused"]}
    right = {"place_right": is_said, "cause_right": is_said, "wrong": [] if is_said else [text]}
    return {"name": case.name, "page": case.page, **found, **right}


def missed(rows: Sequence[dict[str, Any]], clean: Sequence[bool]) -> list[str]:
    """Return which targets are missed, each as a sentence; of the fixed list every row asserts its own."""
    if {row["name"] for row in rows} != {case.name for case in CASES}:
        return []
    whole = len(rows)
    counts = {key: sum(bool(row[key]) for row in rows) for key in ("caught", "place_right", "cause_right", "wrong")}
    found = [f"{counts['caught']} of {whole} faults of pages caught, all are to be"] * (counts["caught"] < whole)
    found += [f"{counts['place_right']} of {whole} at the right model and stage"] * (counts["place_right"] < whole)
    found += [f"{counts['cause_right']} of {whole} causes named"] * (counts["cause_right"] < LEAST * whole)
    found += [f"{counts['wrong']} wrong claims about pages, none is to be"] * bool(counts["wrong"])
    return found + [f"{clean.count(False)} false alarms on {len(clean)} right pages"] * (False in clean)


def told(rows: Sequence[dict[str, Any]], clean: Sequence[bool]) -> list[str]:
    """Return the sums of a run as lines."""
    whole = len(rows)
    words = {"caught": "caught", "place_right": "model and stage right", "cause_right": "cause right"}
    sums = [f"{sum(bool(row[key]) for row in rows)} of {whole} {text}" for key, text in words.items()]
    wrong = sum(bool(row["wrong"]) for row in rows)
    return [", ".join(sums), f"{wrong} wrong claims; {len(clean)} right pages, {clean.count(False)} false alarms"]


def markdown(rows: Sequence[dict[str, Any]], clean: Sequence[bool], commit: str) -> str:
    """Return the documentation's table of the whole suite."""
    lines = [
        "# Faults of pages",
        "",
        "`make pages` writes this table. Each row is a right deployment of the example's two models behind",
        f"`PaddleOCR()` that was spoiled in one place, or two, on a page that shows it. Commit {commit}.",
        "",
        *(f"- {line}" for line in told(rows, clean)),
        "",
        "| fault | page | first said: model, stage | causes |",
        "|---|---|---|---|",
    ]
    place = {case.name: number for number, case in enumerate(CASES)}  # workers end in any order
    for row in sorted(rows, key=lambda row: place[row["name"]]):
        first = f"{row['model'][0]}, {row['stage'][0]}" if row["model"] else "nothing"
        mark = "" if row["cause_right"] and not row["wrong"] else " **(wrong)**"
        lines.append(
            f"| {row['name']} | {row['page']} | {first} | {', '.join(f'`{each}`' for each in row['cause'])}{mark} |"
        )
    return "\n".join(lines) + "\n"
