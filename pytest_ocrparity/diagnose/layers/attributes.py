"""How the attributes of an operator differ between the export and the trained network."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from pytest_ocrparity.contract.network_graph import Node
from pytest_ocrparity.diagnose.network.structure import kind_of

COMPARED: Final = (
    *("epsilon", "strides", "paddings", "dilations", "groups", "negative_slope"),
    *("interp_method", "align_corners", "align_mode", "exclusive", "ceil_mode"),
)
"""The attributes that change what an operator computes of the same weights, by paddle's names."""
OPERATOR: Final = "operator"
"""Stands among attributes for an operator in the place of another."""


class AttributeDifference(NamedTuple):
    """What an operator of the export has otherwise: its values by name, none where it is several, and both in words."""

    values: Mapping[str, Any]
    text: str


def structural_difference(meant: Sequence[Node], own: Sequence[Node]) -> AttributeDifference | None:
    """Return which operators of the export stand for which of the reference; None where they are of the same kinds."""
    right, made = ([kind_of(node.operator) for node in nodes] for nodes in (meant, own))
    if sorted(right) == sorted(made):
        return None
    return AttributeDifference({}, f"{' and '.join(made)} in the export, {' and '.join(right)} in training")


def attribute_difference(right: Node, own: Node) -> AttributeDifference | None:
    """Return how the export's operator differs from the reference's; None where nothing is known to differ."""
    if kind_of(right.operator) != kind_of(own.operator):
        values = {OPERATOR: own.operator, **{name: own.attributes[name] for name in COMPARED if name in own.attributes}}
        return AttributeDifference(values, f"{own.operator} in the export, {right.operator} in training")
    known = [name for name in COMPARED if name in right.attributes and name in own.attributes]
    differing = [name for name in known if not _are_same(right.attributes[name], own.attributes[name])]
    if not differing:
        return None
    texts = [f"{name} {_text(own.attributes[name])} in the export, {_text(right.attributes[name])} in training"
             for name in differing]  # fmt: skip
    return AttributeDifference({name: own.attributes[name] for name in differing}, "; ".join(texts))


def _are_same(one: Any, other: Any) -> bool:
    if isinstance(one, float) or isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-5)
    return list(one) == list(other) if isinstance(one, list | tuple) else bool(one == other)


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
