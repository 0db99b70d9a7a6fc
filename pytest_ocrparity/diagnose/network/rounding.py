"""Experiments with a quantised program: whose weights its steps stand for, and what it rounds between its layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from pytest_ocrparity.contract import IsQuantised, QuantisedProgram, RoundedOperator, TrainedNetwork
from pytest_ocrparity.diagnose.laboratory import Laboratory, are_equal_maps, describe_difference
from pytest_ocrparity.diagnose.network.compared_weights import SHOWN
from pytest_ocrparity.diagnose.network.folding import EQUAL, Kernel, KernelLayer, kernel_forms, kernel_layers, unfolded
from pytest_ocrparity.diagnose.network.grids import NEAREST, lies_on_steps
from pytest_ocrparity.diagnose.network.weights import paired_network
from pytest_ocrparity.diagnosis import Diagnosis, Fix
from pytest_ocrparity.stages import PROBABILITY_MAP
from pytest_ocrparity.trace import Array
from pytest_ocrparity.wording import listed

NEAR: Final = 0.25
"""How far an engine's own map may lie from that of the program as it is written, of the difference to be explained.

In the mean; kernels of integers may round otherwise at the edge of a step. Those of ONNX Runtime 1.32 did not, on a
processor with VNNI.
"""
MOST_OF: Final = 0.5
"""Of the difference so much has to be left with rounded kernels alone, in the mean, so that they are the cause."""
ACTIVATIONS: Final = "precision.activations"


@dataclass(frozen=True)
class QuantisedNetwork:
    """A quantised program with the trained network whose weights it rounds.

    Attributes:
        program: the program.
        layers: for each of its operators with a rounded kernel, the layer of the network.
        kernels: for each of these operators, kernel and bias before they were rounded.
        network: the trained network with the rounded ones.
    """

    program: QuantisedProgram
    layers: Mapping[str, str]
    kernels: Mapping[str, Kernel]
    network: TrainedNetwork


def quantised_program(lab: Laboratory) -> QuantisedProgram | None:
    """Return the candidate's program as a quantised one, read once; None where it is none or can't be read."""
    if "quantised" not in lab.memo:
        lab.budget.check()
        lab.memo["quantised"] = lab.ask(lab.candidate, IsQuantised, lambda side: side.quantised_program(), "precision")
    found: QuantisedProgram | None = lab.memo["quantised"]
    return found


def by_rounding(lab: Laboratory, candidate_map: Array | None) -> Diagnosis | None:
    """Take the rounding out of a quantised program, and run the trained network with its weights."""
    program = quantised_program(lab)
    if program is None or candidate_map is None:
        return None
    exact = _unrounded_map(lab, program, candidate_map)
    if exact is None:
        lab.tried.append(f"precision: {lab.names.candidate}'s program, run as it is written, makes another map")
        return None
    if lab.is_same_map(exact):
        return _of_activations(lab, program, exact, candidate_map) if program.rounded else None
    if others := {each.grid for each in program.operators if not each.grid.startswith("8 bits")}:
        lab.not_tried.append(f"precision.int8: {lab.names.candidate} stores kernels in {' and '.join(sorted(others))}")
        return None
    found = lab.attempt(lambda: match_weights(program, paired_network(lab)), "precision of weights")
    if found is None:
        lab.tried.append(f"precision.int8: {unmatched_text(program, paired_network(lab))}")
        return None
    made = lab.run_network(found.network.run, lab.tensor)
    if made is None or not are_equal_maps(lab, made, exact):
        lab.tried.append("precision.int8: the trained network with the quantised weights makes another map")
        return None
    return _of_weights(lab, found, made, exact, candidate_map)


def _of_activations(lab: Laboratory, program: QuantisedProgram, exact: Array, own: Array) -> Diagnosis:
    reference, candidate = lab.names

    def explains(other: Laboratory, made: Array | None) -> bool:
        return made is not None and other.is_same_map(_unrounded_map(other, program, made))

    lab.patched = replace(lab.patched, explains=explains)
    arrays = _arrays_text(program)
    proof = f"without the rounding of {arrays} between its layers, {candidate}'s program returns "
    proof += f"{reference}'s map ({lab.describe_map_difference(exact)}); before, its map differed "
    proof += f"({lab.describe_map_difference(own)})"
    summary = f"{candidate} rounds {arrays} between its layers"
    fix = quantisation_fix(program, is_of_weights=False)
    return lab.proven_cause(PROBABILITY_MAP, ACTIVATIONS, summary, [proof], fix)


def _of_weights(lab: Laboratory, found: QuantisedNetwork, made: Array, exact: Array, own: Array) -> Diagnosis:
    """Return what loses most as the cause: the rounded kernels alone, or what is rounded between layers beside them."""
    reference, candidate = lab.names
    program, count = found.program, len(found.layers)
    grids = " and ".join(dict.fromkeys(each.grid for each in program.operators))
    alone, whole = _off(lab, exact), _off(lab, own)
    is_of_weights = not program.rounded or alone >= MOST_OF * whole

    def explains(other: Laboratory, there: Array | None) -> bool:
        unrounded = None if there is None else _unrounded_map(other, program, there)
        trained = None if unrounded is None else other.run_network(found.network.run, other.tensor)
        if there is None or unrounded is None or trained is None or not are_equal_maps(other, trained, unrounded):
            return False
        return is_of_weights == (not program.rounded or _off(other, unrounded) >= MOST_OF * _off(other, there))

    lab.patched = replace(lab.patched, explains=explains)
    proof = [
        f"the kernels of {count} operators are {reference}'s, rounded to the steps that {candidate} states: {grids}",
        f"{reference}'s network with them returns the map of {candidate}'s program without rounding between its layers "
        f"({describe_difference(made, exact)})",
    ]
    if program.rounded:
        proof.append(
            f"the map is off by {alone:.1e} in the mean with rounded kernels alone, and by {whole:.1e} with "
            f"{_arrays_text(program)} between the layers rounded as well"
        )
    kernels = f"the kernels of {count} operators in {grids}"
    also = f", and rounds {_arrays_text(program)} between them" if program.rounded else ""
    summary, cause = f"{candidate} stores {kernels}{also}", "precision.int8"
    if not is_of_weights:
        share = f"the lesser part of the difference is that it stores {kernels}"
        summary, cause = f"{candidate} rounds {_arrays_text(program)} between its layers; {share}", ACTIVATIONS
    fix = quantisation_fix(program, is_of_weights=is_of_weights)
    return lab.proven_cause(PROBABILITY_MAP, cause, summary, proof, fix)


def _off(lab: Laboratory, made: Array) -> float:
    """Return how far a map lies from the reference's, in the mean."""
    right = lab.reference.probability_map
    assert right is not None
    return float(np.mean(np.abs(made - right)))


def _arrays_text(program: QuantisedProgram) -> str:
    return f"{program.rounded} array{'s' * (program.rounded != 1)}"


def quantisation_fix(program: QuantisedProgram, *, is_of_weights: bool) -> Fix:
    """Return how a program is quantised with less loss."""
    is_per_tensor = is_of_weights and all("per tensor" in each.grid for each in program.operators)
    steps = [f"with {program.per_channel}"] if is_per_tensor and program.per_channel else []
    if is_of_weights:
        command = "`python -m pytest_ocrparity layers IMAGE --rank`"
        steps.append(f"without the operators that {command} names ({program.leaves_out})")
    else:
        steps += program.other_steps
        steps.append(f"without the operators behind the largest values ({program.leaves_out})")
    text = f"quantise again with {program.quantiser}, {', or '.join(steps)}"
    return Fix(f"{text}; if the loss is meant, compare with --ocr-tolerance=int8, and judge accuracy on labels")


def match_weights(program: QuantisedProgram, network: TrainedNetwork | None) -> QuantisedNetwork | None:
    """Return a program with the network whose kernels, with or without their batch norm, its own are rounded from.

    None where that does not hold of each of its kernels.
    """
    if network is None or not program.operators:
        return None
    arrays = network.arrays()
    layers: dict[str, str] = {}
    kernels: dict[str, Kernel] = {}
    changed = dict(arrays)
    for operator, chosen in _matches(program, network, arrays):
        if chosen is None:
            return None
        layer, kept = chosen
        layers[operator.name] = layer.name
        # Another operator may add the bias.
        kernels[operator.name] = kept[0], None if operator.bias is None else kept[1]
        is_folded = kept[0] is not arrays[layer.kernel]
        changed |= unfolded(layer, (operator.kernel, operator.bias), arrays, is_folded=is_folded)
    return QuantisedNetwork(program, layers, kernels, network.with_arrays(changed))


def unmatched_text(program: QuantisedProgram, network: TrainedNetwork | None) -> str:
    """Return which kernels of a program are not those of a network, rounded."""
    matches = () if network is None else _matches(program, network, network.arrays())
    strange = [each.name for each, chosen in matches if chosen is None]
    which = f" ({len(strange)} of {len(program.operators)}: {listed(strange, SHOWN)})" if strange else ""
    return f"the quantised weights are not the checkpoint's, rounded{which}"


def _matches(
    program: QuantisedProgram, network: TrainedNetwork, arrays: Mapping[str, Array]
) -> Iterator[tuple[RoundedOperator, tuple[KernelLayer, Kernel] | None]]:
    """Yield each operator with the layer, and its kernel, that it is rounded from; None where there is none."""
    left = list(kernel_layers(network, arrays))
    for operator in program.operators:
        ways = ((each, kept) for each in left for kept in kernel_forms(each, arrays))
        chosen = next((way for way in ways if _is_rounded_from(operator, way[1])), None)
        if chosen is not None:
            left.remove(chosen[0])
        yield operator, chosen


def _is_rounded_from(operator: RoundedOperator, kept: Kernel) -> bool:
    kernel, bias = kept
    if operator.kernel.shape != kernel.shape or not lies_on_steps(operator.kernel, kernel, operator.step):
        return False
    if operator.bias is None or bias is None:
        return operator.bias is None or not np.any(operator.bias)
    if operator.bias.shape != bias.shape:
        return False
    off = np.abs(operator.bias - bias)
    return bool(np.all(off <= NEAREST * operator.bias_step + EQUAL * np.max(np.abs(bias), initial=1e-6)))


def _unrounded_map(lab: Laboratory, program: QuantisedProgram, own: Array) -> Array | None:
    """Return the map of a program that rounds nothing on the way; None where its own is not what it says when it does.

    An engine's own kernels may round a little otherwise.
    """
    if not is_as_written(lab, program, own):
        return None
    return lab.run_network(lambda given: program.run(given, rounds=False), lab.tensor)


def is_as_written(lab: Laboratory, program: QuantisedProgram, own: Array) -> bool:
    """Return whether a candidate's own map is that of its program, run as it is written."""
    right = lab.reference.probability_map
    written = lab.run_network(lambda given: program.run(given), lab.tensor)
    if written is None or right is None or not own.shape == written.shape == right.shape:
        return False
    return float(np.mean(np.abs(own - written))) <= NEAR * float(np.mean(np.abs(own - right)))
