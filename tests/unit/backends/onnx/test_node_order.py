"""The order of the operators of an ONNX file."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_ocrparity.backends.onnx.node_order import put_nodes_in_order

onnx = pytest.importorskip("onnx")
ROWS = {"a": "x", "b": "a", "c": "x", "d": "b c", "e": "d a", "f": "c"}
"""By what an operator makes, what it takes."""


def ordered(names: str, rows: dict[str, str] = ROWS) -> str:
    nodes = [onnx.helper.make_node("Sum", rows[name].split(), [name]) for name in names]
    graph: Any = onnx.helper.make_graph(nodes, "net", [], [])
    put_nodes_in_order(graph)
    assert [node.input for node in graph.node] == [rows[node.output[0]].split() for node in graph.node]
    return "".join(node.output[0] for node in graph.node)


@pytest.mark.parametrize(
    ("given", "order"),
    [("abcdef", "abcdef"), ("cabfde", "cabfde"), ("bdefac", "abcdef"), ("fedcba", "cfabde"), ("edcbaf", "cabdef")],
)
def test_what_is_taken_comes_first_and_the_rest_stays(given: str, order: str) -> None:
    assert ordered(given) == order


def test_operators_that_stand_in_order_are_not_copied() -> None:
    nodes = [onnx.helper.make_node("Relu", ["x"], ["a"]), onnx.helper.make_node("Relu", ["a"], ["b"])]
    for first, is_kept in ((nodes, True), (nodes[::-1], False)):
        graph: Any = onnx.helper.make_graph(first, "net", [], [])
        held = list(graph.node)
        put_nodes_in_order(graph)
        assert all(own is other for own, other in zip(held, graph.node, strict=True)) == is_kept


def test_a_graph_that_goes_in_circles_stays_as_it_is() -> None:
    assert ordered("ba", {"a": "b", "b": "a"}) == "ba"
    assert ordered("bac", {"a": "x", "b": "c", "c": "b"}) == "bac"


def test_a_graph_as_deep_as_it_is_long() -> None:
    nodes = [onnx.helper.make_node("Relu", [f"n{place}"], [f"n{place + 1}"]) for place in range(3000)]
    graph: Any = onnx.helper.make_graph(nodes[::-1], "net", [], [])
    put_nodes_in_order(graph)
    assert [node.input[0] for node in graph.node] == [f"n{place}" for place in range(3000)]


def test_a_branch_takes_what_is_around_it() -> None:
    branch = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["a"], ["inner"])], "branch", [], [])
    nodes = [
        onnx.helper.make_node("If", ["x"], ["b"], then_branch=branch, else_branch=branch),
        onnx.helper.make_node("Relu", ["x"], ["a"]),
    ]
    graph: Any = onnx.helper.make_graph(nodes, "net", [], [])
    put_nodes_in_order(graph)
    assert [node.output[0] for node in graph.node] == ["a", "b"]
