"""Networks that a seed drew, with a fault that it drew: no other layer than that of the fault is called proved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import pytest
from toy_graphs import TENSOR, Function, ToyGraph, relu, scales, squashed

from pytest_ocrparity.contract.network_graph import Node
from pytest_ocrparity.diagnose.layers.layer_texts import layer_of_search
from pytest_ocrparity.diagnose.layers.search import NOT_SHOWN, Search, search_layers

Rows: TypeAlias = list[tuple[Node, Function]]

KINDS = ("scaled", "shifted", "a little", "pruned", "activation", "another array", "not there", "one too many")
SEEDS = range(30)
"""Further on, 33 takes away one of two equal activations in a row, and which one cannot be told."""
UNARY: dict[str, Function] = {"relu": relu, "sigmoid": squashed, "relu6": lambda array: np.clip(array, 0, 1.5)}
JOINS: dict[str, Function] = {"add": np.add, "concat": lambda *arrays: np.concatenate(arrays, axis=1)}


def convolution(rng: np.random.Generator, inputs: int, outputs: int) -> Function:
    weights = rng.normal(size=(outputs, inputs)) * 1.3 / np.sqrt(inputs)
    return lambda array: np.einsum("oi,nihw->nohw", weights, array)


def pooled(array: np.ndarray) -> np.ndarray:
    return np.broadcast_to(array.mean(axis=(2, 3), keepdims=True), array.shape)


def drawn_rows(rng: np.random.Generator) -> Rows:
    """Return 8 to 23 operators, of which each takes one of the last, and a join another one as well."""
    rows: Rows = []
    channels = [3]
    for place in range(1, int(rng.integers(7, 22))):
        one = int(rng.integers(max(0, place - 4), place)) if rng.random() < 0.35 else place - 1
        kind = str(
            rng.choice(
                ["conv2d", "batch_norm", "pool2d", *UNARY, *JOINS], p=[0.3, 0.15, 0.05, 0.15, 0.05, 0.05, 0.15, 0.1]
            )
        )
        others = [
            each for each in range(1, place) if each != one and (kind == "concat" or channels[each] == channels[one])
        ]
        if kind in JOINS and others and channels[one] < 6:
            other = int(rng.choice(others))
            rows.append((Node(kind, (one, other)), JOINS[kind]))
            channels.append(channels[one] + (channels[other] if kind == "concat" else 0))
            continue
        outputs = int(rng.integers(3, 6))
        functions = {**UNARY, "batch_norm": scales(*rng.uniform(0.3, 1.4, 2)), "pool2d": pooled}
        function = functions.get(kind) or convolution(rng, channels[one], outputs)
        rows.append((Node(kind if kind in functions else "conv2d", (one,)), function))
        channels.append(channels[one] if kind in functions else outputs)
    last = len(rows)
    rows += [(Node("conv2d", (last,)), convolution(rng, channels[last], 1)), (Node("sigmoid", (last + 1,)), squashed)]
    return pruned(rows)


def pruned(rows: Rows) -> Rows:
    """Leave out what leads nowhere, as an export does, and name each by its place."""
    needed = {len(rows)}
    for place in range(len(rows), 0, -1):
        needed |= set(rows[place - 1][0].inputs if place in needed else ())
    places = {each: place for place, each in enumerate(sorted(needed | {0}))}
    kept = [(place, *rows[each - 1]) for each, place in places.items() if each]
    return [
        (Node(node.operator, tuple(places[each] for each in node.inputs), f"layer{place}"), function)
        for place, node, function in kept
    ]


def without_first_channel(array: np.ndarray) -> np.ndarray:
    return array * (np.arange(array.shape[1]) > 0).reshape(1, -1, 1, 1)


CHANGES: dict[str, Function] = {
    "scaled": lambda array: array * 1.3,
    "shifted": lambda array: array + 0.2,
    "a little": lambda array: array * 1.001,
    "pruned": without_first_channel,
    "activation": np.tanh,
}


class Fault(NamedTuple):
    """An export, and the layers of which it may be said that they are wrong."""

    rows: Rows
    layers: frozenset[str]


def with_fault(rng: np.random.Generator, rows: Rows, kind: str) -> Fault | None:
    """Return the network with a fault of this kind in a place that is drawn; None where it has no such place."""
    arrays = ToyGraph(rows).run(TENSOR, range(len(rows) + 1))
    joins = [place for place, (node, _) in enumerate(rows, 1) if len(node.inputs) == 2]
    removable = [place for place, (node, _) in enumerate(rows[:-1], 1) if node.operator in ("batch_norm", *UNARY)]
    places = {"another array": joins, "not there": removable}.get(kind, [*range(1, len(rows) + 1)])
    if not places:
        return None
    place = int(rng.choice(places))
    node, function = rows[place - 1]
    changed = [*rows]
    if kind in CHANGES:
        changed[place - 1] = (node, lambda *given: CHANGES[kind](function(*given)))
    elif kind == "another array":
        one, other = node.inputs
        others = [
            each for each in range(1, place) if each not in node.inputs and arrays[each].shape == arrays[other].shape
        ]
        if not others:
            return None
        changed[place - 1] = (Node(node.operator, (one, int(rng.choice(others)))), function)
    elif kind == "one too many":
        more: dict[str, Function] = {"scale": CHANGES["scaled"], **UNARY}
        after = {other.operator for other, _ in rows if place in other.inputs}  # twice in a row, either is the one
        operator = str(rng.choice([*(name for name in more if name not in {*after, node.operator})]))
        moved = [tuple(each + (each >= place) for each in other.inputs) for other, _ in rows[place:]]
        changed[place:] = [
            (Node(operator, (place,)), more[operator]),
            *((Node(other.operator, given), run) for (other, run), given in zip(rows[place:], moved, strict=True)),
        ]
    else:
        (before,) = node.inputs
        changed = [
            (Node(each.operator, tuple(before if one == place else one for one in each.inputs)), run)
            for each, run in rows
        ]
    return Fault(pruned(changed), frozenset({f"layer{place}"}))


def searched(kind: str, seed: int) -> tuple[Search, frozenset[str]] | None:
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    rows = drawn_rows(rng)
    fault = with_fault(rng, rows, kind)
    if fault is None:
        return None
    export = ToyGraph([(Node(node.operator, node.inputs), function) for node, function in fault.rows])
    return search_layers(ToyGraph(rows), export, TENSOR, 1e-4), fault.layers


def outcomes(kind: str, seeds: Sequence[int]) -> list[str]:
    """Return what was said of each fault that has an effect; an array that is not taken may as well be not there."""
    found = []
    for seed in seeds:
        drawn = searched(kind, seed)
        if drawn is None or drawn[0].why == NOT_SHOWN:
            continue
        search, layers = drawn
        said = layer_of_search(search) if search.is_proved else None
        names = {said.name, *said.same_as} if said is not None else set()
        found.append(
            "none" if said is None else "right" if names == layers else "wide" if names & layers else f"{seed}: {names}"
        )
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_no_other_layer_is_called_proved(kind: str) -> None:
    found = outcomes(kind, SEEDS)
    assert set(found) <= {"right", "wide", "none"}
    if kind in CHANGES:
        assert found.count("right") >= 0.9 * len(found)
    assert found.count("right") + found.count("wide") >= 0.7 * len(found) > 0
