"""The third table's rows: of a deployment on a page, in three forms, what was said against what may be said."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from faults.port_kinds import KINDS, NAMES, Kind
from faults.rows import cells, false_ruled_out, first_stage
from pytest_ocrparity import Detections, DifferenceError, Trace
from pytest_ocrparity.diagnosis import CAUSES, UNKNOWN

FORMS = ("with source", "all arrays", "boxes only")
"""What a deployment hands over: a `Pipeline` whose parts can be run again; its tensor, map and boxes; its boxes."""
TARGETS: Mapping[str, float] = {"with source": 0.9, "all arrays": 0.8, "boxes only": 0.0}
"""What share of the counted pairs is to be named. All are to be caught, and nothing wrong is to be claimed."""


def in_form(trace: Trace, form: str) -> Trace:
    """Return what a deployment of this form hands over."""
    if form == "with source":
        return trace
    arrays = replace(trace, decode=None, resize=None, shape=None, source=None)
    return arrays if form == "all arrays" else replace(arrays, tensor=None, probability_map=None)


# Whether a fault shows: by limits of its own, coarser than those of the gate, so that all that shows is to be caught.

VALUE, PROBABILITY, PIXELS, AREA = 1e-4, 1e-3, 3.0, 0.5
SCORE = {True: 0.01, False: 0.2}
"""The largest difference of scores, where a map tells which they must be, and where there is none."""


def first_shown(right: Trace, wrong: Trace) -> str | None:
    """Return the first stage at which two traces of one form differ by more than right deployments do."""
    before, after = (None if each.decode is None else each.decode.pixels for each in (right, wrong))
    differ = {
        "decode": _differ(before, after, 0),
        "resize": _differ(right.resize, wrong.resize, 0),
        "tensor": _differ(right.tensor, wrong.tensor, VALUE),
        "probability_map": _differ(right.probability_map, wrong.probability_map, PROBABILITY),
        "detections": boxes_differ(right.detections, wrong.detections, SCORE[right.probability_map is not None]),
    }
    return next((stage for stage, is_shown in differ.items() if is_shown), None)


def _differ(right: Any, wrong: Any, limit: float) -> bool:
    if right is None or wrong is None:
        return right is not wrong
    return right.shape != wrong.shape or not bool(np.abs(right - wrong).max() <= limit)  # NaN differs


def boxes_differ(right: Detections | None, wrong: Detections | None, score: float) -> bool:
    """Return whether boxes differ in number, by more than 3 px, in area by half, or in score."""
    if right is None or wrong is None or len(right) != len(wrong):
        return True
    taken: set[int] = set()
    for index, box in enumerate(right.polygons):
        free = [i for i in range(len(wrong)) if i not in taken]
        nearest = min(free, key=lambda i: float(np.abs(box.mean(axis=0) - wrong.polygons[i].mean(axis=0)).sum()))
        taken.add(nearest)
        if _corners_differ(box, wrong.polygons[nearest]):
            return True
        if right.scores is None or wrong.scores is None:
            continue
        if not abs(right.scores[index] - wrong.scores[nearest]) <= score:
            return True
    return False


def _corners_differ(box: Any, other: Any) -> bool:
    if box.shape != other.shape:
        return True
    apart = np.linalg.norm(box[:, None] - other[None], axis=2)  # whichever corner comes first
    return bool(
        max(apart.min(axis=0).max(), apart.min(axis=1).max()) > PIXELS or abs(_area(other) / _area(box) - 1) > AREA
    )


def _area(box: Any) -> float:
    x, y = box[:, 0], box[:, 1]
    return abs(float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum())) / 2


# What was said.


def groups(error: DifferenceError | None) -> list[frozenset[str]]:
    """Return the causes that a failure states, each with its rivals: all of those between which it does not decide.

    One that is unknown and has a single rival leaves open whether it is that, and so holds "unknown" as well.
    """
    found = error.diagnoses if error is not None else ()
    stated = [{diagnosis.cause} if diagnosis.cause != UNKNOWN else {*diagnosis.rivals} for diagnosis in found]
    is_open = [diagnosis.cause == UNKNOWN and len(group) == 1 for diagnosis, group in zip(found, stated, strict=True)]
    return [frozenset({*group, *[UNKNOWN] * one}) for group, one in zip(stated, is_open, strict=True) if group]


def judged(
    kind: Kind, stated: Sequence[Collection[str]], rivals: Mapping[str, Collection[str]] | None = None
) -> dict[str, Any]:
    """Return which of a kind's concepts are named, and which groups of causes are wrong.

    A concept is named by a group that holds a code of it and, beside it, only such as are true as well; or by the exact
    set of its rivals, which are all that makes the same arrays on this page. One that holds "unknown", as what has no
    code may be the cause as well, names nothing. A group is wrong when it holds no code that is true.
    """
    true = {code for concept in (*kind.names, *kind.also) for code in NAMES[concept]}
    exact = [{*group} for group in stated if {*group} <= true]
    whole = {concept: {*codes} for concept, codes in (rivals or {}).items()}
    named = [
        concept
        for concept in kind.names
        if any(group & {*codes_of(kind, concept)} for group in exact)
        or any({*group} == whole[concept] for group in stated if concept in whole)
    ]
    return {
        "named": named == [*kind.names],
        "half": bool(named) and named != [*kind.names],
        "wrong": [" or ".join(sorted(group)) for group in stated if not {*group} & true],
    }


def codes_of(kind: Kind, concept: str) -> tuple[str, ...]:
    """Return the codes by which a concept is named; where it is the only one, what is true as well names it too."""
    others = kind.also if len(kind.names) == 1 else ()
    return tuple(code for each in (concept, *others) for code in NAMES[each])


def row_of(
    kind: Kind,
    page: str,
    form: str,
    shown: Sequence[str | None],
    error: DifferenceError | None,
    rivals: Mapping[str, Collection[str]] | None = None,
) -> dict[str, Any]:
    """Write down what a failure says of a kind on a page in a form.

    `shown` are the first stages at which its fault shows: in this form, and of all that the deployment has. These are
    right, and so are those at which what is true is stated. `rivals` are, by concept, the codes of what makes the same
    arrays.
    """
    found = error.diagnoses if error is not None else ()
    at_fault = [NAMES[concept][0] for concept in kind.names if len(NAMES[concept]) == 1]
    true = (code for concept in (*kind.names, *kind.also) for code in NAMES[concept])
    return {
        "name": kind.name,
        "family": kind.family,
        "page": page,
        "form": form,
        "counted": shown[0] is not None,
        "caught": error is not None,
        "said": [f"{diagnosis.stage}: {diagnosis.cause}" for diagnosis in found],
        "stage_right": first_stage(error) in {*shown, *map(CAUSES.get, true)} - {None},
        **judged(kind, groups(error), rivals),
        "unknown": error is not None and not groups(error),
        "false_ruled_out": false_ruled_out(found, at_fault),
        "first_lines": str(error).splitlines()[:3] if error is not None else [],
    }


# All rows.


def added_up(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Add the rows up by form. What does not show is not counted; a wrong claim is, wherever it is made."""
    found = {}
    for form in FORMS:
        of_form = [row for row in rows if row["form"] == form]
        counted = [row for row in of_form if row["counted"]]
        found[form] = {
            "kinds": len({row["name"] for row in counted}),
            "pairs": len(counted),
            "caught": sum(row["caught"] for row in counted),
            "stage_right": sum(row["stage_right"] for row in counted),
            "named": sum(row["named"] for row in counted),
            "half": sum(row["half"] for row in counted),
            "unknown": sum(row["unknown"] for row in counted),
            "wrong_claims": sum(bool(row["wrong"]) for row in of_form),
            "false_ruled_out": sum(bool(row["false_ruled_out"]) for row in of_form),
        }
    return found


def is_whole(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether these are the rows of all kinds on all pages, of which alone the targets are demanded."""
    return {(row["name"], row["page"]) for row in rows} == {(kind.name, page) for kind in KINDS for page in kind.pages}


def missed(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return which targets these figures miss, each as a sentence."""
    sentences = []
    for form, figures in found.items():
        pairs = figures["pairs"]
        if figures["caught"] < pairs:
            sentences.append(f"{form}: {figures['caught']} of {pairs} caught, all are to be")
        if figures["wrong_claims"]:
            sentences.append(f"{form}: {figures['wrong_claims']} wrong claims, none is to be")
        if figures["named"] < TARGETS[form] * pairs:
            sentences.append(f"{form}: {figures['named']} of {pairs} named, {TARGETS[form]:.0%} are to be")
    return sentences


COLUMNS = ("kinds", "pairs", "caught", "stage_right", "named", "half", "unknown", "wrong_claims", "false_ruled_out")


def in_order(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return rows in the order of kinds, pages and forms, wherever they ran."""
    names = [kind.name for kind in KINDS]
    return sorted(rows, key=lambda row: (names.index(row["name"]), row["page"], FORMS.index(row["form"])))


def line(row: Mapping[str, Any]) -> str:
    """Return what was said of a deployment, and what is wrong with that."""
    said = ", ".join(row["said"]) or ("caught" if row["caught"] else "not caught")
    marks = [] if row["named"] else ["half named"] if row["half"] else ["not named"]
    marks = marks if row["counted"] else ["does not show"]
    marks += [f"WRONG {', '.join(row['wrong'])}"] if row["wrong"] else []
    marks += [f"FALSE ruled out {', '.join(row['false_ruled_out'])}"] if row["false_ruled_out"] else []
    marks += ["NOT CAUGHT"] if row["counted"] and not row["caught"] else []
    marks += ["STAGE not right"] if row["counted"] and row["caught"] and not row["stage_right"] else []
    return "   ".join([f"{row['name']} [{row['page']}], {row['form']}".ljust(72) + f" {said}", *marks])


def told(found: Mapping[str, Any]) -> list[str]:
    """Return the table as it is printed: a line for each row, and the figures of each form."""
    lines = [line(row) for row in found["rows"]]
    for form, figures in found["forms"].items():
        lines.append("   ".join([f"{form:<12}", *(f"{name.replace('_', ' ')} {figures[name]}" for name in COLUMNS)]))
    return lines


def markdown(found: Mapping[str, Any], commit: str) -> str:
    """Return docs/explanation/ports.md: the figures of each form, and each kind with how many name it."""
    heads = ["ports", *(name.replace("_", " ") for name in COLUMNS)]
    lines = ["# Hand-written ports", "", f"`make faults` on {commit}.", "", cells(heads), cells(["---"] * len(heads))]
    lines += [cells([form, *(str(figures[name]) for name in COLUMNS)]) for form, figures in found["forms"].items()]
    lines += ["", cells(["kind", *FORMS]), cells(["---"] * (1 + len(FORMS)))]
    for name in dict.fromkeys(row["name"] for row in found["rows"]):
        shares = [
            _share([row for row in found["rows"] if (row["name"], row["form"]) == (name, form)]) for form in FORMS
        ]
        lines.append(cells([name, *shares]))
    return "\n".join([*lines, ""])


def _share(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return on how many of the pages on which it shows a kind was named, and what was said there."""
    counted = [row for row in rows if row["counted"]]
    said = ", ".join(dict.fromkeys(cause for row in counted for cause in row["said"]))
    return f"{sum(row['named'] for row in counted)} of {len(counted)}: {said}" if counted else "does not show"
