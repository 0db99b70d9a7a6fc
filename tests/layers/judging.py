"""What was said of a fault's layer against what the file can tell, and the tables of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from layers.faults import Fault
from layers.structure import Structure

OUTCOMES = ("right", "coarse", "hint", "none", "wrong")
"""Proved and within the finest set; proved and wider; within it and not proved; nothing of it; proved and false.

What is not proved and lies elsewhere is "none", and counted as a false hint.
"""
LEAST_RIGHT, LEAST_RIGHT_OF_SHORT_LIST = 0.95, 0.9
"""Of all faults; and of the short list's 14, of which 1 may go without a layer."""
SAID_BY = {
    "epsilon": ("epsilon",),
    "dilation": ("dilation",),
    "padding": ("pad",),
    "stride": ("stride", "pool"),
    "interpolation": ("align", "mode", "nearest", "linear", "cubic", "interp"),
    "activation": ("activation", "relu", "swish", "sigmoid"),
}
"""By kind, words of which the named attribute has one."""


def layers_of(diagnoses: Iterable[Any]) -> list[dict[str, Any]]:
    """Return the layers that diagnoses name, as plain values."""
    return [
        {
            "name": each.layer.name,
            "operator": str(each.layer.operator),
            "is_proved": bool(each.layer.is_proved),
            "same_as": list(each.layer.same_as),
            "attribute": None if each.layer.attribute is None else str(each.layer.attribute),
        }
        for each in diagnoses
        if getattr(each, "layer", None) is not None
    ]


def row_of(fault: Fault, structure: Structure, said: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Judge what was said of a fault."""
    right, operators = fault.right_names(structure), fault.right_operators(structure)
    outcome, false_hints, is_after = "none", 0, False
    found = []
    for layer in said:
        names = frozenset({layer["name"], *layer["same_as"]})
        verdict = _verdict(names, layer["operator"], right, operators, structure)
        found.append(verdict if layer["is_proved"] else {"within": "hint"}.get(verdict, "false hint"))
        is_after |= all(structure.is_after(name, fault.key) for name in names)
    for verdict, name in (("outside", "wrong"), ("within", "right"), ("contains", "coarse"), ("hint", "hint")):
        if verdict in found:
            outcome = name
            break
    false_hints = found.count("false hint")
    words = SAID_BY.get(fault.kind)
    attributes = " ".join(layer["attribute"] or "" for layer in said).lower()
    return {
        "name": fault.name,
        "network": fault.network,
        "form": fault.form,
        "kind": fault.kind,
        "moved": fault.moved,
        "right": sorted(right),
        "operators": None if operators is None else list(operators),
        "said": [dict(layer) for layer in said],
        "outcome": outcome,
        "false_hints": false_hints,
        "after": is_after,
        "attribute_right": None if words is None else any(word in attributes for word in words),
    }


def _verdict(
    names: frozenset[str],
    operator: str,
    right: frozenset[str],
    operators: tuple[str, ...] | None,
    structure: Structure,
) -> str:
    is_operator = operators is None or any(word in operator.lower().replace("_", "") for word in operators)
    if not is_operator:
        return "outside"
    if all(structure.is_within(name, right) for name in names):
        return "within"
    if any(structure.is_within(name, right) or structure.contains(name, right) for name in names):
        return "contains"
    return "outside"


def added_up(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Count the outcomes of rows."""
    counts: dict[str, Any] = {outcome: sum(row["outcome"] == outcome for row in rows) for outcome in OUTCOMES}
    attributes = [row["attribute_right"] for row in rows if row["attribute_right"] is not None]
    return {
        "faults": len(rows),
        **counts,
        "false_hints": sum(row["false_hints"] for row in rows),
        "after": sum(row["after"] for row in rows),
        "attributes": len(attributes),
        "attributes_right": sum(attributes),
        "caught": sum(row.get("caught", True) for row in rows),
    }


def missed(
    rows: Sequence[Mapping[str, Any]], clean: Sequence[Mapping[str, Any]], least: float = LEAST_RIGHT
) -> list[str]:
    """Return which targets are missed."""
    found, total = [], added_up(rows)
    if rows and total["right"] < least * len(rows):
        found.append(f"right {total['right']} of {len(rows)}, less than {least:.0%}")
    for name in ("wrong", "after"):
        if total[name]:
            found.append(f"{name} {total[name]}, more than 0")
    if total["caught"] < len(rows):
        found.append(f"the gate passed {len(rows) - total['caught']} faults")
    named = sum(bool(row["said"]) for row in clean)
    if named:
        found.append(f"a layer of {named} right exports was named")
    return found


COLUMNS = ("faults", "right", "coarse", "hint", "none", "wrong", "after", "false_hints")


def _grouped(rows: Sequence[Mapping[str, Any]], key: Callable[[Mapping[str, Any]], str]) -> list[tuple[str, Any]]:
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return [(name, added_up(group)) for name, group in groups.items()]


def told(rows: Sequence[Mapping[str, Any]], clean: Sequence[Mapping[str, Any]], draws: Mapping[str, int]) -> list[str]:
    """Return the lines of the tables."""
    lines = []
    for title, key in (
        ("network and form", lambda row: f"{row['network']}, {row['form']}"),
        ("kind", lambda row: str(row["kind"])),
    ):
        lines += [f"{title:22}" + "".join(f"{column:>12}" for column in COLUMNS)]
        for name, counts in [*_grouped(rows, key), ("all", added_up(rows))]:
            lines += [f"{name:22}" + "".join(f"{counts[column]:12}" for column in COLUMNS)]
        lines += [""]
    total = added_up(rows)
    named = sum(bool(row["said"]) for row in clean)
    pairs = {f"{row['network']}-{row['form']}" for row in rows}
    drawn = sum(count for pair, count in draws.items() if pair in pairs)
    lines += [
        f"attributes named: {total['attributes_right']} of {total['attributes']}",
        f"right exports with a layer named: {named} of {len(clean)}",
        f"drawn for the lists of these: {drawn}",
    ]
    return lines


def not_right(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a line for each fault that was not named right, with what was said instead."""
    return [
        f"{row['outcome']:7} {row['name']}: said {_short(row['said'])}, right {', '.join(row['right'])}"
        + "".join(f"; {text}" for text in row.get("why_not", ()))
        for row in rows
        if row["outcome"] != "right" or row["after"]
    ]


def _short(said: Sequence[Mapping[str, Any]]) -> str:
    return (
        ", ".join(
            f"{each['name'] or '(network)'} ({each['operator']}{'' if each['is_proved'] else ', hint'})"
            for each in said
        )
        or "nothing"
    )
