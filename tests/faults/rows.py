"""A case's row: what was said of it, against what may be said. Both tables are added up from these."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pytest_ocrparity import DifferenceError
from pytest_ocrparity.diagnosis import UNKNOWN, Diagnosis

ALL = os.environ.get("OCRPARITY_ALL_FAULTS") == "1"
"""Whether every case is run, or the short lists that CI has time for."""


def row_of(
    name: str,
    error: DifferenceError | None,
    stages: Sequence[str],
    allowed: Sequence[str],
    injected: Collection[str],
    *,
    saying: Mapping[str, str] | None = None,
    never: Sequence[str] = (),
) -> dict[str, Any]:
    """Write down what a failure says.

    Args:
        name: the case's.
        error: what the gate raised, None where it passed.
        stages: those that may be named first.
        allowed: the causes that may be stated; the first one must, unless it is "unknown".
        injected: the causes that are truly at fault, none of which may be ruled out.
        saying: by cause, a regular expression of what is to be said with it.
        never: regular expressions of sentences that are false.
    """
    found = error.diagnoses if error is not None else ()
    causes = [diagnosis.cause for diagnosis in found]
    wrong = [cause for cause in causes if cause not in (*allowed, UNKNOWN)]
    wrong += [each.cause for each in found if not re.search((saying or {}).get(each.cause, ""), words(each))]
    wrong += [pattern for pattern in never if re.search(pattern, str(error))]
    return {
        "name": name,
        "caught": error is not None,
        "stage": [diagnosis.stage for diagnosis in found],
        "cause": causes,
        "expected_stage": list(stages),
        "expected_cause": list(allowed),
        "stage_right": first_stage(error) in stages,
        "cause_right": error is not None and not wrong and allowed[0] in (UNKNOWN, *causes),
        "unknown": error is not None and {*causes} <= {UNKNOWN},
        "wrong": wrong,
        "false_ruled_out": false_ruled_out(found, injected),
        "mended": None,
    }


def words(diagnosis: Diagnosis) -> str:
    """Return what a diagnosis states: its summary and its fix."""
    return f"{diagnosis.summary} {diagnosis.fix.text if diagnosis.fix is not None else ''}"


def first_stage(error: DifferenceError | None) -> str | None:
    """Return the stage that a failure names first; where nothing is diagnosed, that of the first comparison."""
    if error is None:
        return None
    if error.diagnoses:
        return error.diagnoses[0].stage
    kinds = {"preprocessing": "tensor", "probability_maps": "probability_map"}
    return next((kinds.get(judged.kind, judged.kind) for judged in error.comparisons if not judged.is_match), None)


IN_WORDS = {
    "mean, std and scale": ("normalize",),
    "channel order": ("decode.channel_order",),
    "layout": ("layout.axes",),
    "coordinates": ("rescale",),
    "weights": ("network.weights",),
}
"""What else than codes "ruled out" calls the causes."""


def false_ruled_out(found: Sequence[Diagnosis], injected: Collection[str]) -> list[str]:
    """Return what is said to be ruled out although it, or a cause of its family, is truly at fault."""
    false = []
    for text in (text for diagnosis in found for text in diagnosis.ruled_out):
        named = text.partition(":")[0].strip()
        codes = IN_WORDS.get(named, tuple(map(str.strip, named.split(","))))
        if any(cause == code or cause.startswith(f"{code}.") for cause in injected for code in codes):
            false.append(text)
    return false


def badly_worded(found: Sequence[Diagnosis]) -> list[str]:
    """Return the fixes that have a hole where a value should be."""
    texts = [diagnosis.fix.text for diagnosis in found if diagnosis.fix is not None]
    return [text for text in texts if not text.strip() or "  " in text]


def added_up(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Add a table's rows up. A claim is wrong when it names a cause that is not at fault, or says what is false."""
    mended = [row["mended"] for row in rows if row["mended"] is not None]
    return {
        "cases": len(rows),
        "caught": sum(row["caught"] for row in rows),
        "stage_right": sum(row["stage_right"] for row in rows),
        "cause_right": sum(row["cause_right"] for row in rows),
        "unknown": sum(row["unknown"] for row in rows),
        "wrong_claims": sum(bool(row["wrong"]) for row in rows),
        "false_ruled_out": sum(bool(row["false_ruled_out"]) for row in rows),
        "fixes": len(mended),
        "fixes_that_mend": sum(mended),
        "rows": sorted(rows, key=lambda row: str(row["name"])),
    }


def line(row: dict[str, Any]) -> str:
    """Return what was said of a case, and what is wrong with that."""
    said = ", ".join(f"{stage}: {cause}" for stage, cause in zip(row["stage"], row["cause"], strict=True))
    marks = [] if row["stage_right"] else [f"EXPECTED at {'/'.join(row['expected_stage'])}"]
    marks += [] if row["cause_right"] else [f"EXPECTED {', '.join(row['expected_cause'])}"]
    marks += [f"FALSE ruled out {', '.join(row['false_ruled_out'])}"] if row["false_ruled_out"] else []
    marks += ["NOT MENDED"] if row["mended"] is False else []
    return "   ".join([f"{row['name']:<48} {said or ('caught' if row['caught'] else 'not caught')}", *marks])


def counts(found: dict[str, Any]) -> str:
    return "  ".join(f"{key.replace('_', ' ')} {value}" for key, value in found.items() if isinstance(value, int))


COUNTED = ("cases", "caught", "stage_right", "cause_right", "unknown", "wrong_claims", "false_ruled_out")


OF_RECOGNISERS = ("faults_of_recognisers", "near_misses_of_recognisers")
"""The tables of recognisers."""


def figures(table: Mapping[str, Any]) -> list[str]:
    """Return a table's figures in the order in which the documentation quotes them."""
    return [*(str(table[name]) for name in COUNTED), f"{table['fixes_that_mend']} of {table['fixes']}"]


def markdown(found: Mapping[str, Any], commit: str) -> str:
    """Return docs/explanation/faults.md: the figures of the tables, and each case with what was said of it."""
    tables = [name for name in ("faults", "near_misses", *OF_RECOGNISERS) if name in found]
    heads = ["table", "cases", "caught", "right stage", "right cause", "unknown", "wrong claims", 'false "ruled out"']
    lines = ["# Faults and near misses", "", f"What `make faults` printed, made on commit {commit}.", ""]
    lines += [cells([*heads, "fixes that mend"]), cells(["---"] * 9)]
    lines += [cells([name.replace("_", " "), *figures(found[name])]) for name in tables]
    lines += ["", f"{found['clean_runs']} right deployments beside them: {found['false_alarms']} false alarms."]
    if "clean_runs_of_recognisers" in found:
        runs, alarms = found["clean_runs_of_recognisers"], found["false_alarms_of_recognisers"]
        lines += ["", f"{runs} of recognisers: {alarms} false alarms."]
    for name in tables:
        lines += ["", f"## {name.replace('_', ' ').capitalize()}", "", cells(["case", "said"]), cells(["---", "---"])]
        for row in found[name]["rows"]:
            said = ", ".join(f"{stage}: {cause}" for stage, cause in zip(row["stage"], row["cause"], strict=True))
            lines.append(cells([str(row["name"]), said or ("not judgeable" if row["caught"] else "NOT CAUGHT")]))
    return "\n".join(lines) + "\n"


def cells(texts: Sequence[str]) -> str:
    """Return a row of a table in Markdown."""
    return f"| {' | '.join(text.replace('|', chr(92) + '|') for text in texts)} |"
