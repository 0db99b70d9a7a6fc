"""A layer in words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from toy_graphs import FOLDED, ROWS, TENSOR, Function, ToyGraph, export, network

from pytest_ocrparity.contract.network_graph import Node
from pytest_ocrparity.diagnose.laboratory import Names
from pytest_ocrparity.diagnose.layers.layer_texts import (
    describe_layer,
    further_places,
    layer_of_search,
    search_evidence,
)
from pytest_ocrparity.diagnose.layers.search import Search, search_layers

NAMES = Names("train", "inference")


def found(faults: dict[int, Function], rows: object = ROWS) -> Search:
    return search_layers(network(), export(faults, rows), TENSOR, 1e-5)  # type: ignore[arg-type]


def moved(array: np.ndarray) -> np.ndarray:
    return array * 1.3 + 0.2


def test_a_layer_that_is_proved() -> None:
    layer = layer_of_search(found({7: moved}))
    assert (layer.name, layer.operator, layer.same_as, layer.is_proved) == ("head.conv", "conv2d", (), True)
    assert layer.amounts["map_difference_after"] < 1e-6 < layer.amounts["map_difference"]
    assert describe_layer(layer) == "head.conv (conv2d)"
    (proof,) = search_evidence(found({7: moved}), layer, NAMES)
    assert proof.startswith("given train's own arrays, inference's operator for head.conv (conv2d) is off by ")
    assert "the rest of inference returns train's map" in proof


def test_what_an_export_holds_as_one_is_said() -> None:
    layer = layer_of_search(found({1: moved}, FOLDED))
    assert (layer.name, layer.same_as) == ("stem.conv", ("stem.norm",))
    assert describe_layer(layer) == "stem.conv (conv2d), or stem.norm, which the export holds as one with it"


def test_a_hint_is_said_to_be_none() -> None:
    search = found(dict.fromkeys(range(1, 9), moved))
    layer = layer_of_search(search)
    assert not layer.is_proved
    (text,) = search_evidence(search, layer, NAMES)
    assert text.startswith("not proved, as ")


def test_further_layers_are_listed() -> None:
    search = found({4: moved, 7: moved})
    (proof,) = search_evidence(search, layer_of_search(search), NAMES)
    assert "with train's array there and in head.conv (conv2d), the rest" in proof


def test_another_array_that_an_operator_takes_is_said() -> None:
    rows = [*ROWS]
    rows[5] = (Node("add", (5, 5), "neck"), np.add)
    search = found({}, rows)
    proof, wiring = search_evidence(search, layer_of_search(search), NAMES)
    assert proof.startswith("given train's own arrays, inference's operator for neck (add) is off by ")
    assert (
        wiring
        == "inference's operator there takes the array of right (conv2d) where train's takes that of left (conv2d)"
    )


def test_another_order_is_said() -> None:
    rows: list[tuple[Node, Function]] = [*ROWS[:5], (Node("subtract", (4, 5), "neck"), np.subtract), *ROWS[6:]]
    turned = [*rows]
    turned[5] = (Node("subtract", (5, 4), "neck"), np.subtract)
    search = search_layers(ToyGraph(rows), export(rows=turned), TENSOR, 1e-5)
    _, wiring = search_evidence(search, layer_of_search(search), NAMES)
    assert wiring == "inference's operator there takes the arrays in another order than train's"


def test_an_operator_that_is_not_there_is_named_and_not_what_follows() -> None:
    rows: list[tuple[Node, Function]] = [*ROWS[:4], (Node("slice", (4,), "head"), ROWS[7][1])]
    without = [*rows[:2], (Node("conv2d", (2,)), ROWS[3][1]), (Node("slice", (3,)), ROWS[7][1])]
    search = search_layers(ToyGraph(rows), ToyGraph(without), TENSOR, 1e-5)
    layer = layer_of_search(search)
    assert (layer.name, layer.operator, layer.same_as, layer.is_proved) == ("stem.act", "relu", (), True)
    (proof,) = search_evidence(search, layer, NAMES)
    assert proof.startswith("given train's own arrays, inference's way without stem.act (relu) is off by ")
    assert (layer.is_lacking, layer.attribute) == (True, "")
    assert describe_layer(layer) == "stem.act (relu): not in the export"
    several = replace(layer, same_as=("stem.norm", "stem.conv"))
    assert describe_layer(several) == "stem.act (relu), stem.norm, stem.conv: not in the export"
    other = [*without[:2], (Node("conv2d", (2,)), ROWS[4][1]), without[3]]  # near miss: it is another one as well
    search = search_layers(ToyGraph(rows), ToyGraph(other), TENSOR, 1e-5)
    other_layer = layer_of_search(search)
    assert (other_layer.same_as, other_layer.is_lacking) == (("stem.act",), False)
    assert "not in the export" not in describe_layer(other_layer)


def test_operators_too_many_at_two_places_are_both_named() -> None:
    """Neither is what follows it, which is right once the operator is not there."""
    rows = [*ROWS[:3], (Node("scale", (3,)), moved)]
    rows += [(Node(node.operator, tuple(each + 1 for each in node.inputs)), made) for node, made in ROWS[3:]]
    rows.append((Node("scale", (len(rows),)), moved))
    search = found({}, rows)
    assert search.is_proved, search.why
    assert [place.is_one_too_many for place in search.places] == [True, True]
    assert layer_of_search(search).attribute == "scale behind it in the export, none there in training"
    (last,) = further_places(search)
    assert last.startswith("scale behind ")
    (proof,) = search_evidence(search, layer_of_search(search), NAMES)
    assert f"; with train's array there and in {last}, the rest of inference returns train's map" in proof


def test_an_operator_too_many_stands_behind_the_layer_that_it_follows() -> None:
    rows = [*ROWS[:3], (Node("scale", (3,)), moved)]
    rows += [(Node(node.operator, tuple(each + 1 for each in node.inputs)), made) for node, made in ROWS[3:]]
    search = found({}, rows)
    layer = layer_of_search(search)
    text = "stem.act (relu): scale behind it in the export, none there in training"
    assert (layer.name, layer.operator, describe_layer(layer)) == ("stem.act", "relu", text)
    (proof,) = search_evidence(search, layer, NAMES)
    start = "behind stem.act (relu), inference has scale, and train has none: that changes the array by "
    assert proof.startswith(start)
    assert "; with train's array there, the rest of inference returns train's map" in proof


def test_one_before_all_layers_stands_behind_the_tensor() -> None:
    rows = [(Node("scale", (0,)), moved)]
    rows += [(Node(node.operator, tuple(each + 1 for each in node.inputs)), made) for node, made in ROWS]
    layer = layer_of_search(found({}, rows))
    assert describe_layer(layer) == "the tensor itself: scale behind it in the export, none there in training"
