"""Whether an attribute explains a map: the trained network that has it in that layer returns the export's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple, TypeAlias

from pytest_ocrparity.contract import NetworkGraph, SetsAttributes, TrainedNetwork, offered, pipeline_of
from pytest_ocrparity.contract.network_graph import Node, RunsOperators
from pytest_ocrparity.diagnose.budget import BudgetSpentError
from pytest_ocrparity.diagnose.laboratory import Laboratory, are_equal_maps, describe_difference, returns_map
from pytest_ocrparity.diagnose.layers.attributes import AttributeDifference
from pytest_ocrparity.diagnose.layers.search import Search
from pytest_ocrparity.diagnose.network import KNOWN, map_of_candidate
from pytest_ocrparity.diagnose.network.input_size import graph_fix
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.stages import PROBABILITY_MAP, RECOGNITION
from pytest_ocrparity.trace import Array

Run: TypeAlias = Callable[[Array], Array]

SHARE: Final = 0.25
"""What a run on a part of the page counts of a network run in the budget."""
WHOLE_RUNS: Final = 3
"""Network runs on the whole page, beyond those of a search, that show at most whether an attribute explains all of the
map: one of the export, and those of the network with the attribute."""


class Tried(NamedTuple):
    """What runs the trained network with the export's attributes, if it returns the export's map, and if it was run."""

    run: Run | None = None
    is_tried: bool = False


def network_with_attributes(
    lab: Laboratory,
    search: Search,
    differences: Sequence[tuple[Node, AttributeDifference]],
    trained: TrainedNetwork | None,
) -> Tried:
    """Return what runs a network with the export's attributes, if it returns the export's map of the part.

    `differences` are those of each place that was found, with the operator of the network. Of one place alone, an
    operator without weights is run there as the export has it; else layers are given their attributes.
    """
    if search.is_of_whole_page or not all(difference.values for _, difference in differences):  # its runs are spent
        return Tried()
    try:
        run = _with_operator(lab, search, differences) or _with_layers(lab, differences, trained)
        is_same = None if run is None else _returns_map_of_part(lab, search, run)
        return Tried(run if is_same else None, is_tried=is_same is not None)
    except BudgetSpentError:
        lab.not_tried.append(f"{_title(lab)}: {lab.budget.spent()}")
        return Tried()


def _title(lab: Laboratory) -> str:
    """Return how notes call the experiment."""
    return f"{lab.names.reference}'s network with attributes of the export"


def _with_operator(
    lab: Laboratory, search: Search, differences: Sequence[tuple[Node, AttributeDifference]]
) -> Run | None:
    """Return what runs the network with another operator in the only place, where that can be run alone."""
    place, reference = search.places[0], search.reference
    own, right = search.candidate.nodes[place.own], reference.nodes[place.right]
    graph = offered(reference.graph, RunsOperators)
    if graph is None or len(differences) > 1 or place.between != (place.right,) or len(right.inputs) != 1:
        return None
    shape, given = reference.arrays[place.right].shape, reference.arrays[right.inputs[0]]
    array = lab.attempt(lambda: graph.operator_output(own.operator, own.attributes, given, shape))
    if array is None or array.shape != shape:
        return None
    return WithOperator(reference.graph, place.right, graph, own.operator, own.attributes)


def _with_layers(
    lab: Laboratory, differences: Sequence[tuple[Node, AttributeDifference]], trained: TrainedNetwork | None
) -> Run | None:
    """Return what runs the network with other attributes of its layers; None where one of them has none such."""
    network = trained
    for node, difference in differences:
        setting = offered(network, SetsAttributes)
        if setting is None:
            return None
        name, values = node.layer or "", difference.values
        network = lab.attempt(lambda setting=setting, name=name, values=values: setting.with_attributes(name, values))  # type: ignore[misc]
    return None if network is None else network.run


@dataclass(frozen=True)
class WithOperator:
    """Runs a network with another operator in a place: once up to there, and once from there; it keeps no arrays."""

    network: NetworkGraph
    place: int
    graph: RunsOperators
    operator: str
    attributes: Mapping[str, Any]

    def __call__(self, tensor: Array) -> Array:
        """Return its output."""
        given, right = self.network.run(tensor, [self.network.nodes[self.place].inputs[0], self.place])
        array = self.graph.operator_output(self.operator, self.attributes, given, right.shape)
        assert array is not None
        return self.network.run(tensor, [self.network.output], {self.place: array})[0]


def runs_of(run: Run) -> int:
    """Return how many network runs one call is."""
    return 2 if isinstance(run, WithOperator) else 1


def _returns_map_of_part(lab: Laboratory, search: Search, run: Run) -> bool | None:
    """Return whether a network returns the export's map of the part; None where it returns none."""
    tensor, own = search.reference.arrays[0], search.candidate.arrays[search.candidate.graph.output]
    with lab.budget.network_run(tensor.size, SHARE * runs_of(run)):
        made = lab.attempt(lambda: run(tensor), _title(lab))
    if made is None:
        return None
    return are_equal_maps(lab, made, own)


def graph_cause(lab: Laboratory, run: Run, attributes: str) -> Diagnosis | str:
    """Return the exported graph as the cause where the network with its attributes returns all of the export's map.

    Where it does not, return what it does instead. `attributes` is what messages call these.
    """
    lab.budget.more += WHOLE_RUNS
    source, candidate = pipeline_of(lab.reference), lab.names.candidate
    try:
        own = map_of_candidate(lab)
        made = None if own is None else lab.run_network(run, lab.tensor, runs=runs_of(run))
    except BudgetSpentError:
        return f"the whole page was not run so: {lab.budget.spent()}"
    if source is None or own is None or made is None:
        return "of the whole page, no map was made so"
    network = f"{lab.names.reference}'s network with the export's {attributes} returns"
    whole = "the whole line" if lab.comparisons.task == RECOGNITION else "the whole page"
    if not are_equal_maps(lab, made, own):
        return f"{network} another map of {whole} than {candidate} ({describe_difference(made, own)})"
    cause = "network.graph"
    proof = f"{network} {candidate}'s map of {whole}, too ({describe_difference(made, own)})"
    found = lab.proven_cause(
        PROBABILITY_MAP, cause, f"the exported graph of {candidate} computes something else", [proof], graph_fix(lab)
    )
    patched = replace(lab.patched, explains=returns_map(run, runs=runs_of(run)), infer=source.infer)
    if lab.comparisons.task == RECOGNITION:
        lab.history.setdefault(KNOWN, []).append((lab.candidate.label, found, patched))
    lab.adopt_patch(PROBABILITY_MAP, cause, patched)
    return found
