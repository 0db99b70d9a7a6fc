"""Whether an attribute explains a map: the trained network that has it in that layer returns the export's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.compare.sensitivity import map_sensitivity, sensitivity_limit
from pytest_ocrparity.contract import NetworkGraph, SetsAttributes, TrainedNetwork, offered, pipeline_of
from pytest_ocrparity.contract.network_graph import RunsOperators
from pytest_ocrparity.diagnose.budget import BudgetSpentError
from pytest_ocrparity.diagnose.laboratory import Laboratory, are_equal_maps, describe_difference, returns_map
from pytest_ocrparity.diagnose.layers.attributes import AttributeDifference
from pytest_ocrparity.diagnose.layers.search import Search
from pytest_ocrparity.diagnose.network import KNOWN, map_of_candidate
from pytest_ocrparity.diagnose.network.input_size import graph_fix
from pytest_ocrparity.diagnose.network.weights import paired_network
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.stages import PROBABILITY_MAP, RECOGNITION

Array: TypeAlias = "npt.NDArray[Any]"
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


def network_with_attribute(lab: Laboratory, search: Search, name: str, difference: AttributeDifference) -> Tried:
    """Return what runs the trained network with the export's attributes, if it returns the export's map of the part.

    An operator without weights is run in its place as the export has it; else the layer `name` is given its attributes.
    """
    if not difference.values or search.is_of_whole_page:  # whose runs are spent
        return Tried()
    try:
        run = _network(lab, search, name, difference)
        is_same = None if run is None else _returns_map_of_part(lab, search, run)
        return Tried(run if is_same else None, is_tried=is_same is not None)
    except BudgetSpentError:
        lab.not_tried.append(f"{_title(lab)}: {lab.budget.spent()}")
        return Tried()


def _title(lab: Laboratory) -> str:
    """Return how notes call the experiment."""
    return f"{lab.names.reference}'s network with attributes of the export"


def _network(lab: Laboratory, search: Search, name: str, difference: AttributeDifference) -> Run | None:
    """Return what runs the trained network otherwise: with the operator where it can be run alone, else the layer."""
    place, reference = search.places[0], search.reference
    own, right = search.candidate.nodes[place.own], reference.nodes[place.right]
    graph = offered(reference.graph, RunsOperators)
    if graph is not None and place.between == (place.right,) and len(right.inputs) == 1:
        shape, given = reference.arrays[place.right].shape, reference.arrays[right.inputs[0]]
        array = lab.attempt(lambda: graph.operator_output(own.operator, own.attributes, given, shape))
        if array is not None and array.shape == shape:
            return WithOperator(reference.graph, place.right, graph, own.operator, own.attributes)
    trained = offered(paired_network(lab), SetsAttributes)
    other: TrainedNetwork | None = None
    if trained is not None:
        other = lab.attempt(lambda: trained.with_attributes(name, difference.values))
    return None if other is None else other.run


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
    limit = sensitivity_limit(map_sensitivity(lab.reference))
    return made.shape == own.shape and float(np.max(np.abs(made - own), initial=0.0)) <= limit


def graph_cause(lab: Laboratory, run: Run) -> Diagnosis | str:
    """Return the exported graph as the cause where the network with its attributes returns all of the export's map.

    Where it does not, return what it does instead.
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
    network = f"{lab.names.reference}'s network with the export's there returns"
    if not are_equal_maps(lab, made, own):
        return f"{network} another map of the whole page than {candidate} ({describe_difference(made, own)})"
    cause = "network.graph"
    proof = f"{network} {candidate}'s map of the whole page, too ({describe_difference(made, own)})"
    found = lab.proven_cause(
        PROBABILITY_MAP, cause, f"the exported graph of {candidate} computes something else", [proof], graph_fix(lab)
    )
    patched = replace(lab.patched, explains=returns_map(run, runs=runs_of(run)), infer=source.infer)
    if lab.comparisons.task == RECOGNITION:
        lab.history.setdefault(KNOWN, []).append((lab.candidate.label, found, patched))
    lab.adopt_patch(PROBABILITY_MAP, cause, patched)
    return found
