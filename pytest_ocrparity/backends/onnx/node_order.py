"""The order in which the operators of an ONNX file can be computed, which some converters do not write them in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def put_nodes_in_order(graph: Any) -> None:
    """Set those operators that make what another takes before it; an order that is right stays."""
    makers = {name: place for place, node in enumerate(graph.node) for name in node.output}
    needs = [sorted(makers[name] for name in {*taken_names(node)} if name in makers) for node in graph.node]
    order: dict[int, None] = {}
    begun: set[int] = set()
    for place in range(len(graph.node)):
        left = [place]
        while left:
            missing = [each for each in needs[left[-1]] if each not in order]
            if not missing:
                order.setdefault(left.pop())
            elif left[-1] in begun:  # a file that goes in circles is refused where it is run
                return
            else:
                begun.add(left[-1])
                left += reversed(missing)
    if list(order) == sorted(order):  # as in nearly all files, whose weights are not copied for nothing
        return
    copies = [_copy(graph.node[place]) for place in order]
    del graph.node[:]
    graph.node.extend(copies)


def taken_names(node: Any) -> Iterator[str]:
    """Yield the names that an operator takes, and those that its branches take of what is around them."""
    yield from node.input
    for attribute in node.attribute:
        for each in attribute.g.node:
            yield from taken_names(each)


def _copy(node: Any) -> Any:
    made = type(node)()
    made.CopyFrom(node)
    return made
