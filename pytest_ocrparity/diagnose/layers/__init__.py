"""Where in the network: refines what is known of a map that differs by the layer at which the export goes wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from pytest_ocrparity.backends.memory_guard import ONCE_BYTES, available_memory, readable_bytes
from pytest_ocrparity.contract import (
    HasInputSize,
    NetworkGraph,
    TrainedNetwork,
    pipeline_of,
)
from pytest_ocrparity.diagnose.budget import BudgetSpentError
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.layers.attributes import AttributeDifference, attribute_difference, structural_difference
from pytest_ocrparity.diagnose.layers.beside_weights import (
    WEIGHTS,
    Compared,
    cause_of_weights_in_part,
    with_weights_of_export,
)
from pytest_ocrparity.diagnose.layers.crops import SIDE, crop_where_maps_differ
from pytest_ocrparity.diagnose.layers.feature_maps import feature_maps
from pytest_ocrparity.diagnose.layers.layer_table import steps_around
from pytest_ocrparity.diagnose.layers.layer_texts import (
    describe_layer,
    further_places,
    guilty_node,
    layer_of_search,
    node_text,
    search_evidence,
)
from pytest_ocrparity.diagnose.layers.matching import distance, largest
from pytest_ocrparity.diagnose.layers.proved_attribute import SHARE, Tried, graph_cause, network_with_attributes
from pytest_ocrparity.diagnose.layers.sampled_search import search_whole_page
from pytest_ocrparity.diagnose.layers.search import NOT_SHOWN, Place, Runs, Search, search_layers
from pytest_ocrparity.diagnose.network.input_size import tensor_of_size
from pytest_ocrparity.diagnose.network.side_graphs import candidate_graph, trained_graph
from pytest_ocrparity.diagnose.network.structure import kind_of
from pytest_ocrparity.diagnose.network.weights import paired_network
from pytest_ocrparity.diagnose.repeatability import is_of_chance
from pytest_ocrparity.diagnosis import UNKNOWN, Diagnosis, Layer
from pytest_ocrparity.stages import PROBABILITY_MAP, RECOGNITION
from pytest_ocrparity.trace import Array

REFINED: Final = frozenset(
    {
        *("network.weights", "network.weights.partly_loaded", "network.graph", "network.traced_shape"),
        *("network.fusion", UNKNOWN),
    }
)
"""The causes that say of a network that it differs, and not where."""

MOST_ON_A_PART: Final = 10
"""Runs of a search, beside four that show that the graphs are the sides', one for memory and two for an attribute."""
SMALL: Final = 96
"""The side in px of the part that shows how much memory is taken."""
SETS: Final = 10
"""How many times all arrays of a network a search holds at most: 3.4 to 9.8 times, PP-OCRv5 mobile at 256x256."""
MORE_RUNS: Final = 4
"""Network runs beyond those of the other experiments: all of a part count 4.25 at most; the last begins below 4."""
RUNS_OF_WHOLE: Final = 4
"""Runs of a search on the whole page, where no part shows what differs."""
SHOWN: Final = 2
"""How many further layers a summary names."""
LAYERS: Final = "layers"
"""How notes call the search."""
FEATURE_MAPS: Final = "feature maps"
"""The key of `Laboratory.history` for the `FeatureMaps` of two sides."""


def refine_by_layer(lab: Laboratory, found: Sequence[Diagnosis]) -> list[Diagnosis]:
    """Return the diagnoses, with the layer at which the network begins to differ where that is found.

    A layer that is proved stands in the summary; another one is a hint among the evidence. An unknown cause
    becomes the graph's where an attribute of the layer explains the whole map; no other one is changed.
    """
    if any(map(is_of_chance, found)):
        why = f"{LAYERS}: a search needs the same arrays each time"
        return [replace(each, not_tried=(*each.not_tried, why)) if _is_of_a_network(each) else each for each in found]
    return [refined for each in found for refined in (_refined(lab, each) if _is_of_a_network(each) else [each])]


def _is_of_a_network(diagnosis: Diagnosis) -> bool:
    return diagnosis.stage == PROBABILITY_MAP and diagnosis.cause in REFINED


def _refined(lab: Laboratory, diagnosis: Diagnosis) -> list[Diagnosis]:
    if lab.comparisons.task != RECOGNITION:
        return _with_layer(lab, diagnosis)
    known: dict[str, tuple[str, Diagnosis]] = lab.history.setdefault(LAYERS, {})
    if diagnosis.cause not in known:
        (refined,) = _with_layer(lab, diagnosis)  # as of lines no layer is searched beside the weights
        known[diagnosis.cause] = known[refined.cause] = lab.candidate.label, refined
        return [refined]
    # Of a run's lines one is searched: the cause is proved on each.
    label, before = known[diagnosis.cause]
    if diagnosis.cause == UNKNOWN or before.layer is None or not before.layer.is_proved:
        return [diagnosis]
    evidence = (*diagnosis.evidence, f"the layer was found on {label}: {describe_layer(before.layer)}")
    return [replace(diagnosis, layer=before.layer, evidence=evidence)]


def _with_layer(lab: Laboratory, diagnosis: Diagnosis) -> list[Diagnosis]:
    try:
        trained = paired_network(lab)
    except BudgetSpentError:
        return [replace(diagnosis, not_tried=(*diagnosis.not_tried, f"{LAYERS}: {lab.budget.spent()}"))]
    if trained is None:
        return [diagnosis]
    refined = _searched(lab, diagnosis, Compared(trained))
    beside = with_weights_of_export(lab, refined)
    return [refined] if beside is None else _with_layer_beside_weights(lab, refined, beside, diagnosis.noticed)


def _searched(lab: Laboratory, diagnosis: Diagnosis, compared: Compared) -> Diagnosis:
    """Return a diagnosis with the layer at which a network and the export begin to differ, if that is found."""
    lab.reset_notes()
    lab.budget.more += MORE_RUNS
    search = None
    try:
        search = search_page(lab, compared.trained)
    except BudgetSpentError:
        lab.not_tried.append(f"{LAYERS}: {lab.budget.spent()}")
    notes = tuple(lab.not_tried)
    lab.reset_notes()
    if search is not None and search.places:
        diagnosis = _with_layer_of(lab, diagnosis, search, compared)
        notes += tuple(lab.not_tried)
        lab.reset_notes()
    return replace(diagnosis, not_tried=tuple(dict.fromkeys((*diagnosis.not_tried, *notes))))


def _with_layer_beside_weights(
    lab: Laboratory, found: Diagnosis, compared: Compared, noticed: tuple[str, ...]
) -> list[Diagnosis]:
    """Return a diagnosis with what its export computes otherwise beside its weights, as a cause of its own if it is.

    `noticed` is what was noticed before the first search, whose layer no longer counts.
    """
    beside = _searched(lab, replace(found, layer=None, evidence=(), noticed=noticed, not_tried=()), compared)
    if beside.layer is None or not beside.layer.is_proved:
        return [found]
    evidence = (*found.evidence, *beside.evidence)
    if found.cause == WEIGHTS:
        summary = f"{found.summary}; beside those that are rounded, first at {describe_layer(beside.layer)}"
        return [replace(found, layer=beside.layer, summary=summary, evidence=evidence, noticed=beside.noticed)]
    if beside.cause == UNKNOWN:
        is_known = found.layer is not None and found.layer.is_proved
        return [found if is_known else replace(beside, evidence=evidence, not_tried=found.not_tried)]
    try:
        weights = cause_of_weights_in_part(lab, compared)
    except BudgetSpentError:
        why = f"whether the weights alone move the map is not known: {lab.budget.spent()}"
        return [replace(beside, evidence=(*beside.evidence, why))]
    return [beside] if weights is None else [weights, beside]


def _with_layer_of(lab: Laboratory, diagnosis: Diagnosis, search: Search, compared: Compared) -> Diagnosis:
    """Return a diagnosis with the layer that a search found; what can't be tried is noted as such."""
    layer = layer_of_search(search)
    reference, candidate = lab.names
    evidence = search_evidence(search, layer, lab.names)
    if compared.weights:
        evidence.insert(0, f"compared with {reference}'s network with {compared.weights}, which is meant below")
    proofs, hints = (evidence, []) if layer.is_proved else ([], evidence)
    differences = [(guilty_node(search, each)[0], _attribute_difference(search, each)) for each in search.places]
    known = [(node, difference) for node, difference in differences if difference is not None]
    further = further_places(search)
    if layer.is_proved and known:
        texts = [
            difference.text if len(differences) == 1 else f"{node_text(node)} has {difference.text}"
            for node, difference in known
        ]
        run, is_tried = (
            network_with_attributes(lab, search, known, compared.trained) if len(known) == len(differences) else Tried()
        )
        if run is not None:
            layer = replace(layer, attribute=known[0][1].text)
            further = [f"{node_text(node)}: {difference.text}" for node, difference in known[1:]]
            same = f"{candidate}'s map of {_part_text(lab)}: {'; '.join(texts)}"
            proofs.append(f"{reference}'s network with the export's {_attributes(known)} returns {same}")
            if diagnosis.cause == UNKNOWN and not diagnosis.rivals:
                cause = graph_cause(lab, run, _attributes(known))
                if isinstance(cause, str):
                    hints.append(cause)
                else:
                    diagnosis, proofs = replace(cause, evidence=()), [*proofs, *cause.evidence]
        else:
            other = f"{reference}'s network with the export's {_attributes(known)} returns another map than {candidate}"
            result = other if is_tried else f"that was not tried in {reference}'s network"
            hints.append(f"in the graphs, {'; '.join(texts)}; {result}")
    # What only a report shows must not take a cause with it.
    if not search.is_of_whole_page and not compared.weights:  # which holds every few rows of an array
        layer = replace(layer, steps=lab.attempt(lambda: steps_around(search), "operators around the layer") or ())
    if layer.steps or (search.whole[1] and not search.places[0].is_lacking):  # else what it makes itself was not read
        drawn = lab.attempt(lambda: feature_maps(search, layer, lab.candidate.label), FEATURE_MAPS)
        lab.history.setdefault(FEATURE_MAPS, []).extend([] if drawn is None else [drawn])
    summary = (
        _summary(lab, diagnosis, search, layer, further, compared.weights) if layer.is_proved else diagnosis.summary
    )
    return replace(
        diagnosis,
        layer=layer,
        summary=summary,
        evidence=(*diagnosis.evidence, *proofs),
        noticed=(*diagnosis.noticed, *hints),
    )


def _attributes(known: Sequence[object]) -> str:
    return "attribute there" if len(known) == 1 else "attributes there"


def _part_text(lab: Laboratory) -> str:
    return "a part of the line" if lab.comparisons.task == RECOGNITION else "a part of the page"


def _search_whole_page(
    lab: Laboratory, graphs: tuple[NetworkGraph, NetworkGraph], search: Search, limit: float
) -> Search | None:
    """Search the whole page, of which a part shows nothing; None where that can't be done. Raises BudgetSpentError."""
    right, tensor = search.reference, lab.tensor
    step = -(-max(tensor.shape[2:]) // SIDE)
    per_pixel = sum(array.nbytes for array in right.arrays) / right.arrays[0].size
    needed = per_pixel * tensor.size * (1 + SETS / step**2) + ONCE_BYTES  # as if a run let go of nothing
    if not _is_available(lab, needed, tensor):
        return None
    lab.budget.more += RUNS_OF_WHOLE
    shares = [limit / largest(array) for limit, array in zip(right.limits, right.arrays, strict=True)]
    return lab.attempt(
        lambda: search_whole_page(
            *graphs, tensor, step, shares, limit, Runs(lambda: lab.budget.network_run(tensor.size))
        ),
        LAYERS,
    )


def _summary(
    lab: Laboratory, diagnosis: Diagnosis, search: Search, layer: Layer, further: Sequence[str], weights: str
) -> str:
    """Return a summary with layers that are proved: that no experiment explained the map is no longer true then."""
    text, (reference, candidate) = diagnosis.summary, lab.names
    if lab.candidate.error is not None:
        height, width = search.reference.arrays[0].shape[2:]
        text = f"{candidate} stopped, and at {width}x{height} px, which it takes alone, it computes something else"
    elif diagnosis.cause == UNKNOWN:
        text = f"{candidate} computes something else than {reference}'s network" + (weights and f" with {weights}")
    also = f"; then at {', and at '.join(further[:SHOWN])}" if further else ""
    more = f", and at {len(further) - SHOWN} more" if len(further) > SHOWN else ""
    return f"{text}; first at {describe_layer(layer)}{also}{more}"


def search_page(lab: Laboratory, trained: TrainedNetwork | None = None) -> Search | None:
    """Return where the networks begin to differ on a part of the page; None where that can't be looked for.

    Why it can't be is noted as not tried. `trained` is by default the network that the export is most likely of. Raises
    BudgetSpentError.
    """
    trained, tensor, size = trained or paired_network(lab), lab.reference.tensor, _only_size(lab)
    if trained is None or tensor is None or (lab.candidate.error is not None and size is None):
        return None
    graphs = _graphs(lab, trained)
    if graphs is None:
        return None
    reference, candidate = graphs
    is_of_lines = lab.comparisons.task == RECOGNITION
    maps = lab.reference.probability_map, lab.candidate.probability_map
    part = (
        crop_where_maps_differ(tensor, *maps, keeps_height=is_of_lines)
        if size is None
        else tensor_of_size(tensor, size)  # the page itself where it is as large
    )
    if not _fits_in_memory(lab, reference, part):
        return None
    limit = lab.map_limit
    if not _are_the_sides(lab, trained, graphs, part, limit):
        return None
    runs = Runs(lambda: lab.budget.network_run(part.size, SHARE), MOST_ON_A_PART)
    search = lab.attempt(lambda: search_layers(reference, candidate, part, limit, runs), LAYERS)
    where = f"of a part of {part.shape[3]}x{part.shape[2]} px"
    if search is not None and search.why == NOT_SHOWN and part.shape != tensor.shape and not lab.maps_agree:
        whole = _search_whole_page(lab, graphs, search, limit) if size is None else None
        if whole is None:
            search = replace(search, why=f"{where} {NOT_SHOWN}, and the whole page could not be searched")
        else:
            search, where = whole, f"{where} and of every few rows of the page"
    if search is not None and not search.places:
        lab.not_tried.append(
            f"{LAYERS}: {where}: {search.why}" if search.why == NOT_SHOWN else f"{LAYERS}: {search.why}"
        )
    return search


def _only_size(lab: Laboratory) -> tuple[int, int] | None:
    """Return the height and width that an export takes alone; None where it takes any."""
    return lab.ask(lab.candidate, HasInputSize, lambda side: side.input_size())


def _fits_in_memory(lab: Laboratory, reference: NetworkGraph, part: Array) -> bool:
    """Return whether a search on a part of the page has the memory that it takes, by the arrays of a smaller part."""
    small = np.ascontiguousarray(part[:, :, :, :SMALL] if part.shape[2] < SMALL else part[:, :, :SMALL, :SMALL])
    with lab.budget.network_run(small.size, SHARE):
        arrays = lab.attempt(lambda: reference.run(small, range(len(reference.nodes))), LAYERS)
    if arrays is None:
        return False
    needed = SETS * sum(array.nbytes for array in arrays) * part.size / small.size + ONCE_BYTES
    return _is_available(lab, needed, part)


def _is_available(lab: Laboratory, needed: float, tensor: Array) -> bool:
    """Return whether there is so much memory; where not, that is noted."""
    left = available_memory()
    if needed > left:
        text = f"may take {readable_bytes(needed)} of memory, and {readable_bytes(left)} is available"
        lab.not_tried.append(f"{LAYERS}: memory: a tensor of {tensor.shape[3]}x{tensor.shape[2]} px {text}")
    return needed <= left


def _graphs(lab: Laboratory, trained: TrainedNetwork) -> tuple[NetworkGraph, NetworkGraph] | None:
    """Return the graphs of both sides; None, and a note, where one can't be read."""
    candidate = candidate_graph(lab)
    reference = None if candidate is None else trained_graph(lab, trained, f"{LAYERS} of {lab.names.reference}")
    return None if candidate is None or reference is None else (reference, candidate)


def _are_the_sides(
    lab: Laboratory, trained: TrainedNetwork, graphs: tuple[NetworkGraph, NetworkGraph], part: Array, limit: float
) -> bool:
    """Return whether both graphs return of a part of the page what the two sides themselves return of it."""
    own = pipeline_of(lab.candidate)
    assert own is not None
    for graph, run, name in zip(graphs, (trained.run, own.infer), lab.names, strict=True):
        with lab.budget.network_run(part.size, SHARE):
            made = lab.attempt(lambda graph=graph: graph.run(part, [graph.output])[0], f"{LAYERS} of {name}")  # type: ignore[misc]
        with lab.budget.network_run(part.size, SHARE):
            right = lab.attempt(lambda run=run: run(part), f"{LAYERS} of {name}")  # type: ignore[misc]
        if made is None or right is None:
            return False
        if made.shape != right.shape or distance(made, right) > limit:
            lab.not_tried.append(f"{LAYERS}: the graph that is read of {name} returns another map than {name}")
            return False
    return True


def _attribute_difference(search: Search, place: Place) -> AttributeDifference | None:
    """Return how the attributes of an operator that differs do, or which operators stand for it."""
    nodes, candidate = search.reference.nodes, search.candidate
    if place.is_lacking or place.is_one_too_many:
        return None
    within = sorted(candidate.sources(place.own, place.frontier)[0])
    between = [nodes[each] for each in place.between]
    structural = structural_difference(between, [candidate.nodes[each] for each in within]) if len(within) > 1 else None
    right, own = guilty_node(search, place)[0], candidate.nodes[place.own]
    if structural is not None or (len(between) > 1 and kind_of(right.operator) != kind_of(own.operator)):
        return structural
    return attribute_difference(right, own)
