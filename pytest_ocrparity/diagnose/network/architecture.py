"""The experiment with an export of another architecture: one whose operators and kernels are not the network's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np

from pytest_ocrparity.contract import HasTrainedNetwork, Node, TrainedNetwork, offered
from pytest_ocrparity.diagnose.laboratory import Laboratory, are_equal_maps, describe_difference, returns_map
from pytest_ocrparity.diagnose.network.side_graphs import candidate_graph, trained_graph
from pytest_ocrparity.diagnose.network.structure import kernels_of, kind_of, parts_of
from pytest_ocrparity.diagnose.network.weights import paired_weights, weights_export_command
from pytest_ocrparity.diagnosis import Change, Diagnosis, Fix
from pytest_ocrparity.stages import PROBABILITY_MAP
from pytest_ocrparity.trace import Array

OTHER_PARTS: Final = 1 / 3
"""Which share of each network's parts the other lacks at least, see `parts_of`.

Between PP-OCRv3 and v4 mobile, which share a neck and a head, 0.43 and 0.51; of a pruned network 0.
"""
OTHER_KERNELS: Final = 0.5
"""Which share of each network's kernels the other lacks at least, by their shapes.

Between PP-OCRv3 and v4 mobile 0.59 and 0.65; of a network whose branches are fused 0.
"""
FEWEST: Final = 16
"""How many values an array has at least that two networks do not hold alike by chance."""
SHOWN: Final = 4
"""How many operators and kernels of one side alone a message names."""
TITLE: Final = "network.architecture"


class Difference(NamedTuple):
    """What an export has and a network lacks, and the other way round.

    Attributes:
        nodes: the operators of the export and of the network.
        parts, kernels: what the export has alone, and what the network has.
    """

    nodes: tuple[Sequence[Node], Sequence[Node]]
    parts: tuple[Counter[str], Counter[str]]
    kernels: tuple[Counter[tuple[int, ...]], Counter[tuple[int, ...]]]

    def shares(self) -> tuple[float, float]:
        """Return the lesser share of the parts that one side has alone, and that of the kernels."""
        parts = [
            alone.total() / max(parts_of(own).total(), 1) for own, alone in zip(self.nodes, self.parts, strict=True)
        ]
        kernels = [
            alone.total() / max(kernels_of(own).total(), 1) for own, alone in zip(self.nodes, self.kernels, strict=True)
        ]
        return min(parts), min(kernels)

    @property
    def is_other(self) -> bool:
        """Whether the two are no forms of one network."""
        parts, kernels = self.shares()
        return parts >= OTHER_PARTS and kernels >= OTHER_KERNELS


def by_architecture(lab: Laboratory, candidate_map: Array | None) -> Diagnosis | None:
    """Compare how the export and the trained network are built, where it is not known which array is which."""
    found, side = paired_weights(lab), offered(lab.reference.source, HasTrainedNetwork)
    if candidate_map is None or side is None or found is None or found.pairs is not None:
        return None
    networks = [each for each in (side.network, side.network.fused) if each is not None]
    if any(_holds_values_of(each, found.exported) for each in networks):
        return None
    own = candidate_graph(lab)
    if own is None:
        return None
    if not kernels_of(own.nodes):  # as of a quantised file
        lab.not_tried.append(f"{TITLE}: {lab.names.candidate} stores no kernels in float32")
        return None
    graphs = [trained_graph(lab, each, TITLE) for each in networks]
    if None in graphs:
        return None
    differences = [compare_structures(own.nodes, graph.nodes) for graph in graphs if graph is not None]
    nearest = min(differences, key=lambda each: sum(each.shares()))
    facts = _facts(nearest, *lab.names)
    if not all(each.is_other for each in differences):
        lab.noticed.append(facts[0])
        return None

    def run(tensor: Array) -> Array:
        return own.run(tensor, [own.output])[0]

    made = lab.run_network(run, lab.tensor)
    if made is None or not are_equal_maps(lab, made, candidate_map):
        lab.tried.append(f"{TITLE}: {lab.names.candidate}'s program by itself does not return its map")
        return None
    lab.patched = replace(lab.patched, explains=returns_map(run))
    reference, candidate = lab.names
    proof = f"{candidate}'s program by itself returns {candidate}'s map ({describe_difference(made, candidate_map)})"
    again = weights_export_command(lab) or "export again the network that was trained"
    fix = f"if that network is meant, set train.config and train.checkpoint to its own; if not, {again}"
    summary = f"{candidate} holds a network of another architecture than {reference}'s"
    return lab.proven_cause(PROBABILITY_MAP, TITLE, summary, [*facts, proof], Fix(fix, (Change("export"),)))


def _holds_values_of(network: TrainedNetwork, exported: Mapping[str, Array]) -> bool:
    """Return whether some array of an export holds the values of one of a network's, in any order."""
    known = {_values_of(array) for array in network.arrays().values() if _is_telling(array)}
    return any(_values_of(array) in known for array in exported.values() if _is_telling(array))


def _values_of(array: Array) -> bytes:
    return bytes(np.sort(array, axis=None).data)


def _is_telling(array: Array) -> bool:
    return array.size >= FEWEST and bool(np.ptp(array))


def compare_structures(own: Sequence[Node], right: Sequence[Node]) -> Difference:
    """Return what an export has and a network lacks, and the other way round."""
    parts, kernels = (parts_of(own), parts_of(right)), (kernels_of(own), kernels_of(right))
    return Difference(
        (own, right), (parts[0] - parts[1], parts[1] - parts[0]), (kernels[0] - kernels[1], kernels[1] - kernels[0])
    )


def _facts(difference: Difference, reference: str, candidate: str) -> list[str]:
    """Return how much of the export the network lacks, and what each has alone."""
    own = difference.nodes[0]
    of_shape, of_part = difference.kernels[0].total(), difference.parts[0].total()
    text = f"{of_shape} of {candidate}'s {kernels_of(own).total()} kernels have a shape that {reference}'s lack"
    text += f"; {of_part} of its {parts_of(own).total()} operators with kernels or several inputs are made of "
    text += "other operators than there"
    # Where batch norms are folded, a bias may be stored as one more kernel.
    is_of_one_count = kernels_of(own).total() == kernels_of(difference.nodes[1]).total()
    if of_shape and not of_part and not difference.parts[1] and is_of_one_count:
        text += f": it is built as {reference}'s, with other numbers of channels, as after pruning"
    texts = [text]
    kinds = [Counter(kind_of(node.operator) for node in nodes[1:]) for nodes in difference.nodes]
    for name, more, kernels in (
        (candidate, kinds[0] - kinds[1], difference.kernels[0]),
        (reference, kinds[1] - kinds[0], difference.kernels[1]),
    ):
        operators = [f"{count} {kind}" for kind, count in more.most_common(SHOWN)]
        shapes = ["x".join(map(str, shape)) for shape, _ in kernels.most_common(SHOWN)]
        texts.append(f"{name} has more: {', '.join(operators) or 'no operator'}; kernels such as {', '.join(shapes)}")
    return texts
