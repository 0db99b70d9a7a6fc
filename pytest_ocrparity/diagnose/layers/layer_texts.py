"""What a search of layers found, as a `Layer` and in words."""

from __future__ import annotations

from collections import Counter
from typing import Final

from pytest_ocrparity.contract.network_graph import Node
from pytest_ocrparity.diagnose.laboratory import Names
from pytest_ocrparity.diagnose.layers.search import Place, Search
from pytest_ocrparity.diagnose.network.structure import kind_of
from pytest_ocrparity.diagnosis import Layer

TENSOR: Final = "data"
"""What a graph calls the tensor itself."""


def layer_of_search(search: Search) -> Layer:
    """Return the first layer that a search found; it found at least one."""
    place = search.places[0]
    guilty, others = guilty_node(search, place)
    more = f"{_way_text(search, place)} behind it in the export, none there in training"
    return Layer(
        name=guilty.layer or "",
        operator=guilty.operator,
        is_proved=search.is_proved,
        same_as=others,
        is_lacking=place.is_lacking,
        amounts={
            "output_difference": place.makes or place.off,
            "output_largest": place.size,
            "map_difference": search.off,
            "map_difference_after": search.left,
        },
        attribute=more if place.is_one_too_many else "",
    )


def describe_layer(layer: Layer) -> str:
    """Return how messages call a layer: an operator in no layer of its own is the network's."""
    if layer.operator == TENSOR:
        return f"the tensor itself: {layer.attribute}"
    how = "not in the export" if layer.is_lacking else layer.attribute
    return f"{_names(layer)}: {how}" if how else _names(layer)


def _names(layer: Layer) -> str:
    """Return a layer with those that can't be told apart from it."""
    name = f"{layer.name or 'the network itself'} ({layer.operator})"
    if layer.is_lacking:
        return ", ".join((name, *layer.same_as))
    return f"{name}, or {', '.join(layer.same_as)}, which the export holds as one with it" if layer.same_as else name


def search_evidence(search: Search, layer: Layer, names: Names) -> list[str]:
    """Return the proof of a layer, or what is seen of one that is not proved."""
    reference, candidate = names
    place = search.places[0]
    where = _names(layer) if layer.is_lacking else describe_layer(layer)
    off = f"{place.makes or place.off:.2g} of {place.size:.2g}"
    count = _count_text(search, place)
    if not layer.is_proved:
        return [f"not proved, as {search.why}: the first layer that differs is {where}{count}, by {off}"]
    own = "way without" if place.is_lacking else "operator for"
    text = f"given {reference}'s own arrays, {candidate}'s {own} {where}{count} is off by {off}"
    further = further_places(search)
    also = f" and in {', '.join(further)}" if further else ""
    if place.is_one_too_many:
        text = f"behind {node_text(guilty_node(search, place)[0])}, {candidate} has {_way_text(search, place)}, and"
        text += f" {reference} has none: that changes the array by {off}"
    rounded = f" and at {search.others} place{'s' * (search.others > 1)} further on" if search.others else ""
    text += f"; with {reference}'s array there{also}{rounded}, the rest of {candidate} returns {reference}'s map "
    proof = f"{text}(off by {search.left:.1g}; before, by {search.off:.2g})"
    return [proof, *(f"{candidate}'s operator there {wiring}" for wiring in _wiring(search, place, reference))]


def guilty_node(search: Search, place: Place) -> tuple[Node, tuple[str, ...]]:
    """Return the operator of the reference that one of the export's stands for, and the other layers in it."""
    if place.is_one_too_many:
        return search.reference.nodes[place.right], ()
    nodes = [search.reference.nodes[each] for each in place.between if not (place.is_lacking and each == place.right)]
    candidate = search.candidate.nodes
    own = kind_of(candidate[place.own].operator)
    is_alone = set(candidate[place.own].inputs) <= place.frontier.keys()
    guilty = next((node for node in nodes if kind_of(node.operator) == own), nodes[0])
    if place.is_lacking:
        guilty = nodes[0]
    elif not is_alone:
        made_of = search.candidate.sources(place.own, place.frontier)[0]
        known = {kind_of(candidate[each].operator) for each in made_of}
        guilty = next((node for node in nodes if kind_of(node.operator) not in known), nodes[0])
    others = dict.fromkeys(node.layer or "" for node in nodes)
    return guilty, tuple(name for name in others if name and name != guilty.layer)


def _way_text(search: Search, place: Place) -> str:
    """Return the operators of the export that lead to a place from what both hold alike."""
    within = search.candidate.sources(place.own, place.frontier)[0]
    return " and ".join(search.candidate.nodes[each].operator for each in sorted(within))


def _wiring(search: Search, place: Place, name: str) -> list[str]:
    """Return which other array an operator takes than the reference's of its kind does, or in which order."""
    nodes = search.reference.nodes
    own, right = search.candidate.nodes[place.own], nodes[place.right]
    if (
        kind_of(own.operator) != kind_of(right.operator)
        or len(right.inputs) < 2
        or not set(own.inputs) <= place.frontier.keys()
    ):
        return []
    taken, meant = Counter(place.frontier[each] for each in own.inputs), Counter(right.inputs)
    if taken == meant:
        is_turned = [place.frontier[each] for each in own.inputs] != list(right.inputs)
        return [f"takes the arrays in another order than {name}'s"] if is_turned else []
    wrong, missed = ([node_text(nodes[each]) for each in (one - other).elements()]
                     for one, other in ((taken, meant), (meant, taken)))  # fmt: skip
    instead = f"takes the array of {', '.join(wrong)}" if wrong else "takes none"
    return [f"{instead} where {name}'s takes that of {', '.join(missed)}"] if missed else []


def node_text(node: Node) -> str:
    """Return an operator with the layer that it belongs to."""
    return "the tensor" if node.operator == TENSOR else f"{node.layer or 'the network itself'} ({node.operator})"


def further_places(search: Search) -> list[str]:
    """Return the places after the first that differ by themselves, of other layers than that, in words."""
    first = guilty_node(search, search.places[0])[0]
    found = [(each, guilty_node(search, each)[0]) for each in search.places[1:]]
    return [
        f"{_way_text(search, place)} behind {node_text(node)}" if place.is_one_too_many else node_text(node)
        for place, node in found
        if place.is_one_too_many or node.layer != first.layer
    ]


def _count_text(search: Search, place: Place) -> str:
    """Return which of several operators of one kind of a layer it is, as a layer's own code may call one often."""
    guilty = guilty_node(search, place)[0]
    alike = [node for node in search.reference.nodes if (node.layer, node.operator) == (guilty.layer, guilty.operator)]
    if len(alike) < 2:
        return ""
    number = next(index for index, node in enumerate(alike, 1) if node is guilty)
    return f", number {number} of {len(alike)} there"
