"""Which layers of an export of reduced precision lose most, and what keeping them in fp32 brings, by running it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from pytest_ocrparity.diagnose.laboratory import Laboratory, are_equal_maps
from pytest_ocrparity.diagnose.network import map_of_candidate
from pytest_ocrparity.diagnose.network.compared_weights import StoredWeights
from pytest_ocrparity.diagnose.network.rounding import is_as_written, match_weights, quantised_program, unmatched_text
from pytest_ocrparity.diagnose.network.weights import paired_network, paired_weights
from pytest_ocrparity.trace import Array


@dataclass(frozen=True, slots=True)
class RankedLayer:
    """A layer that an export holds in reduced precision.

    Attributes:
        layer: its dotted name in the trained network.
        operator: what the export's program calls its operator; "" where an export stores weights alone.
        alone: how far the map is off, in the mean, where this layer alone is not in fp32: where several layers each
            ruin a map, it stays ruined with one of them in fp32.
        left: how far it is off with this layer and all those that lose more in fp32, and the others not.
    """

    layer: str
    operator: str
    alone: float
    left: float


@dataclass(frozen=True)
class Reduced:
    """An export of reduced precision that can be run with some layers in fp32.

    Attributes:
        layers: the dotted names of its layers, by what its program calls their operators.
        run: returns the map of a tensor with some of them, by the latter, in fp32.
        takers: by what a quantised program calls an operator, what it calls those that take what it makes; None where
            the export is no such program.
    """

    layers: Mapping[str, str]
    run: Callable[[Array, Collection[str]], Array]
    takers: Mapping[str, tuple[str, ...]] | None


def reduced_export(lab: Laboratory) -> Reduced | None:
    """Return the candidate as an export of reduced precision; None, and a note, where it is not known as one.

    Raises BudgetSpentError.
    """
    program = quantised_program(lab)
    if program is not None:
        found = lab.attempt(lambda: match_weights(program, paired_network(lab)), "the quantised weights")
        if found is None:
            lab.not_tried.append(unmatched_text(program, paired_network(lab)))
            return None
        own = map_of_candidate(lab)
        if own is None or not (lab.is_same_map(own) or is_as_written(lab, program, own)):
            text = (
                f"{lab.names.candidate}'s program, run as it is written, makes another map than {lab.names.candidate}"
            )
            lab.not_tried.append(f"{text}: `layers` without --rank says more")
            return None
        kernels = found.kernels
        takers = {each.name: each.takers for each in program.operators if each.takers is not None}
        if not takers:  # its operators are left out by the names of their layers
            names = {layer: name for name, layer in found.layers.items()}
            return Reduced(
                {layer: layer for layer in names},
                lambda tensor, kept: program.run(tensor, kept={names[each]: kernels[names[each]] for each in kept}),
                None,
            )
        return Reduced(
            found.layers,
            lambda tensor, kept: program.run(tensor, kept={name: kernels[name] for name in kept}),
            takers,
        )
    stored = paired_weights(lab)
    if stored is None or stored.pairs is None or not stored.differing:
        same = stored is not None and stored.pairs is not None
        lab.not_tried.append("all weights are the checkpoint's" if same else "the export's weights are not known")
        return None
    if others := len(stored.differing) - len(stored.rounded[1]):
        text = f"{others} of {len(stored.differing)} weights that are not the checkpoint's are not merely rounded"
        lab.not_tried.append(f"{text}: `layers` without --rank says more")
        return None
    own = map_of_candidate(lab)
    made = lab.run_network(lambda given: _run_with(stored, given, ()), lab.tensor)
    if made is None or own is None or not are_equal_maps(lab, made, own):
        text = f"{lab.names.reference}'s network with {lab.names.candidate}'s weights does not return its map"
        lab.not_tried.append(f"{text}, so that something else differs, too: `layers` without --rank says more")
        return None
    layers = {stored.key(name).rpartition(".")[0] for name in stored.differing}
    return Reduced({each: each for each in sorted(layers)}, partial(_run_with, stored), None)


def _run_with(stored: StoredWeights, tensor: Array, kept: Collection[str]) -> Array:
    pairs = stored.pairs or {}
    arrays = {
        pairs[name]: array for name, array in stored.exported.items() if stored.key(name).rpartition(".")[0] not in kept
    }
    return stored.network.with_arrays(arrays).run(tensor)


def rank_layers(lab: Laboratory, reduced: Reduced, tensor: Array, right: Array) -> tuple[float, Sequence[RankedLayer]]:
    """Return how far the export's map is off as it is, in the mean, and its layers, that which loses most first.

    Raises BudgetSpentError, and what a run raises.
    """

    def off(kept: Collection[str]) -> float:
        with lab.budget.network_run(tensor.size):
            return float(np.mean(np.abs(reduced.run(tensor, kept) - right)))

    lab.budget.more += 2 * len(reduced.layers) + 1
    every = list(reduced.layers)
    alone = sorted(((off([each for each in every if each != name]), name) for name in every), reverse=True)
    names = [name for _, name in alone]
    rows = [
        RankedLayer(reduced.layers[name], "" if reduced.takers is None else name, lost, off(names[: index + 1]))
        for index, (lost, name) in enumerate(alone)
    ]
    return off([]), rows
