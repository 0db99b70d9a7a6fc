"""Experiments with a program that computes in float16: its map with float32 in the place of that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from pytest_ocrparity.contract import ComputesInHalf, HalfProgram, HasTrainedNetwork, TrainedNetwork, offered
from pytest_ocrparity.diagnose.laboratory import Laboratory, are_equal_maps, describe_difference
from pytest_ocrparity.diagnose.network.compared_weights import SHOWN, StoredWeights
from pytest_ocrparity.diagnose.network.folding import EQUAL, kernel_forms, kernel_layers, unfolded
from pytest_ocrparity.diagnose.network.grids import NEAREST
from pytest_ocrparity.diagnose.network.weights import paired_weights
from pytest_ocrparity.diagnosis import Diagnosis, Fix
from pytest_ocrparity.stages import PROBABILITY_MAP
from pytest_ocrparity.trace import Array
from pytest_ocrparity.wording import listed

LEAST: Final = 1.2e-7
"""Two steps of the finest numbers of float16: converters raise what is smaller to 1e-7, and rounding makes it 0."""
CAUSE: Final = "precision.fp16"


def by_half(lab: Laboratory, candidate_map: Array | None) -> Diagnosis | None:
    """Run a program that computes in float16 in float32, and the trained network with the weights that it stores."""
    program = _half_program(lab)
    if program is None or candidate_map is None:
        return None
    reference, candidate = lab.names
    own = lab.run_network(lambda given: program.run(given), lab.tensor)
    if own is None or not are_equal_maps(lab, own, candidate_map):
        lab.tried.append(f"{CAUSE}: {candidate}'s program, run by its engine alone, makes another map")
        return None
    single = _single(lab, program)
    if single is None:
        return None
    rounded: TrainedNetwork | None = None
    if not lab.is_same_map(single):
        rounded = _with_rounded_weights(lab)
        made = None if rounded is None else lab.run_network(rounded.run, lab.tensor)
        if made is None or not are_equal_maps(lab, made, single):
            why = _unrounded_text(lab) if rounded is None else "its map differs"
            lab.tried.append(f"{CAUSE}: with float32 in the place of float16 {candidate} still differs: {why}")
            return None

    def explains(other: Laboratory, there: Array | None) -> bool:
        alone = other.run_network(lambda given: program.run(given), other.tensor)
        if there is None or alone is None or not are_equal_maps(other, alone, there):
            return False
        wide = _single(other, program)
        trained = None if rounded is None else other.run_network(rounded.run, other.tensor)
        if wide is None or trained is None:
            return rounded is None and other.is_same_map(wide)
        return are_equal_maps(other, trained, wide)

    lab.patched = replace(lab.patched, explains=explains)
    count = program.operators
    what = f"{count} operator{'s' * (count != 1)}"
    before = f"before, its map differed ({lab.describe_map_difference(candidate_map)})"
    proof = [f"with float32 in the place of float16, {candidate}'s engine returns "]
    if rounded is None:
        proof[0] += f"{reference}'s map ({lab.describe_map_difference(single)}); {before}"
    else:
        assert made is not None
        proof[0] += f"the map of {reference}'s network with {candidate}'s weights ({describe_difference(made, single)})"
        proof[0] += f"; {before}"
        folded = "" if _are_paired(lab) else "with batch norms folded in and "
        proof.append(
            f"these weights are the checkpoint's, {folded}rounded to half precision: {_amounts(lab, single, own)}"
        )
    summary = f"{candidate} computes {what} in half precision (fp16)"
    text = "if fp16 is meant, compare with --ocr-tolerance=fp16, and judge accuracy on labels; if not, deploy the file "
    fix = Fix(
        f"{text}from before it was converted to float16, or convert it with the operators that lose most left out"
    )
    return lab.proven_cause(PROBABILITY_MAP, CAUSE, summary, proof, fix)


def _half_program(lab: Laboratory) -> HalfProgram | None:
    """Return the candidate's program as one that computes in float16, read once; None where it is none."""
    if "half" not in lab.memo:
        lab.budget.check()
        lab.memo["half"] = lab.ask(lab.candidate, ComputesInHalf, lambda side: side.half_program(), CAUSE)
    found: HalfProgram | None = lab.memo["half"]
    return found


def _single(lab: Laboratory, program: HalfProgram) -> Array | None:
    return lab.run_network(lambda given: program.run(given, in_half=False), lab.tensor)


def _with_rounded_weights(lab: Laboratory) -> TrainedNetwork | None:
    """Return the trained network with the weights that a program stores, where those are its own, rounded.

    Batch norms may be folded in, before that.
    """
    found, side = paired_weights(lab), offered(lab.reference.source, HasTrainedNetwork)
    if found is None or side is None:
        return None
    if found.pairs is not None:
        arrays = {found.pairs[name]: np.asarray(array, np.float32) for name, array in found.exported.items()}
        return None if _unrounded(found) else found.network.with_arrays(arrays)
    networks = (each for each in (side.network, side.network.fused) if each is not None)
    made = (with_folded_half(each, found.exported, lab.budget.check) for each in networks)
    return next((each for each in made if each is not None), None)


def with_folded_half(
    network: TrainedNetwork, exported: Mapping[str, Array], check: Callable[[], None]
) -> TrainedNetwork | None:
    """Return a network with the arrays of an export, which are its own, some with a batch norm folded in, rounded.

    None where one of the network's is not found there, or no norm is folded in.

    Args:
        network: the trained network.
        exported: what an export stores of it, in any order and under any name.
        check: is called before each layer, and may raise.
    """
    arrays, left = network.arrays(), {name: np.asarray(array, np.float32) for name, array in exported.items()}
    changed: dict[str, Array] = {}
    known: set[str] = set()
    for layer in kernel_layers(network, arrays):
        check()
        for form in list(kernel_forms(layer, arrays))[1:]:
            own = [_half_of(left, array, slack) for array, slack in zip(form, (0.0, EQUAL), strict=True)]
            if None not in own:
                kernel, bias = (left.pop(name) for name in own if name is not None)
                changed |= unfolded(layer, (kernel, bias), arrays, is_folded=True)
                known |= {layer.kernel, layer.bias or layer.kernel, *layer.norm.values()}
                break
    if not changed:
        return None
    for name in network.used or arrays:
        if name in known:
            continue
        same = (each for each, array in left.items() if is_rounded_to_half(_like(array, arrays[name]), arrays[name]))
        if (found := next(same, None)) is None:
            return None
        changed[name] = _like(left.pop(found), arrays[name])
    return network.with_arrays(changed)


def _like(array: Array, other: Array) -> Array:
    """Return an array in the shape of another one of as many values."""
    return array.reshape(other.shape) if array.size == other.size else array


def _half_of(left: Mapping[str, Array], form: Array | None, slack: float) -> str | None:
    """Return which array is one that was folded, rounded to float16; folding may end in the number beside it.

    `slack` is how far it may lie off besides, of the largest value.
    """
    if form is None:
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        step = np.spacing(np.abs(form).astype(np.float16)).astype(np.float32)
    most = np.maximum(NEAREST * step, LEAST) + slack * float(np.max(np.abs(form), initial=0.0))
    same = (name for name, array in left.items() if array.shape == form.shape and np.all(np.abs(array - form) <= most))
    return next((name for name in same if is_rounded_to_half(left[name], left[name])), None)


def _are_paired(lab: Laboratory) -> bool:
    found = paired_weights(lab)
    return found is not None and found.pairs is not None


def _unrounded(found: StoredWeights) -> list[str]:
    """Return the keys of paired arrays that are not the trained ones, rounded."""
    pairs = found.pairs or {}
    names = (name for name in found.differing if name in pairs)
    return [found.key(n) for n in names if not is_rounded_to_half(found.exported[n], found.trained[pairs[n]])]


def _unrounded_text(lab: Laboratory) -> str:
    found = paired_weights(lab)
    if found is None or found.pairs is None:
        return "its weights are not known as the checkpoint's, rounded"
    strange = _unrounded(found)
    verb = "is" if len(strange) == 1 else "are"
    count = f"{len(strange)} of its {len(found.exported)} weights {verb}"
    return f"{count} not the checkpoint's, rounded: {listed(strange, SHOWN)}"


def is_rounded_to_half(exported: Array, trained: Array) -> bool:
    """Return whether an array is a trained one rounded to float16; the smallest values may be a little larger."""
    with np.errstate(over="ignore"):
        half = trained.astype(np.float16).astype(np.float32)
    if exported.shape != trained.shape:
        return False
    is_tiny = (np.abs(trained) < LEAST) & (np.abs(exported) <= LEAST)
    return bool(np.all((exported == half) | is_tiny))


def _amounts(lab: Laboratory, single: Array, own: Array) -> str:
    right = lab.reference.probability_map
    assert right is not None
    alone, whole = (float(np.max(np.abs(each - right))) for each in (single, own))
    return f"the map is off by {alone:.1e} with them alone, and by {whole:.1e} computed in float16"
