"""Why the same tensor gives another map: experiments with the export's weights, its engine and its graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.contract import HasOtherOutputs, RunsOtherwise, offered, pipeline_of
from pytest_ocrparity.diagnose.laboratory import Laboratory, are_equal_maps, map_difference, returns_map
from pytest_ocrparity.diagnose.network import input_size as sizes
from pytest_ocrparity.diagnose.network import weights
from pytest_ocrparity.diagnose.repeatability import examine_maps
from pytest_ocrparity.diagnosis import Change, Diagnosis, Fix
from pytest_ocrparity.stages import PROBABILITY_MAP, TENSOR

Array: TypeAlias = "npt.NDArray[Any]"
Run: TypeAlias = Callable[[Array], Array]


def examine_network(lab: Laboratory) -> list[Diagnosis]:
    """Return the causes for which the two networks return different maps for one tensor."""
    tensor, reference, candidate = lab.reference.tensor, lab.reference, lab.candidate
    own = candidate.probability_map
    if reference.probability_map is None or (own is None and (tensor is None or not lab.can_run)):
        return []  # nothing of a network is known
    is_run = lab.can_run and tensor is not None
    theirs = _map_of(lab) if is_run else own
    if lab.is_same_map(theirs) or not lab.is_judgeable_map(theirs):
        return []
    if not is_run or (theirs is None and candidate.error is None):
        return [] if own is None else _without_running(lab)
    if found := examine_maps(lab):
        return found  # a side that does not agree with itself: nothing is blamed on an export
    experiments = (
        _other_engine,
        _other_output,
        weights.by_finiteness,
        weights.by_weights,
        _other_network,
        weights.by_any_weights,
        sizes.by_graph,
    )
    for experiment in experiments if theirs is not None else (_other_engine, sizes.by_fixed_size):
        start = lab.remedy
        found_one = experiment(lab, theirs)
        if found_one is not None:
            put_right, lab.remedy = lab.remedy, start
            # The map is explained: what follows is examined with the reference's.
            infer = put_right.infer or (None if (source := pipeline_of(reference)) is None else source.infer)
            lab.adopt(PROBABILITY_MAP, found_one.cause, replace(put_right, infer=infer))
            return [found_one]
        lab.remedy = start
    return _given_up(lab)


def _without_running(lab: Laboratory) -> list[Diagnosis]:
    """Examine the map of a candidate that can't be run again: the reference's network runs on its tensor."""
    candidate, source = lab.candidate, pipeline_of(lab.reference)
    lab.not_tried.append(f"experiments with the network of {lab.names[1]}, which can't be run again")
    if candidate.tensor is None or lab.reference.tensor is None:
        lab.not_tried.append("the network by itself: a side records no tensor, which may be what differs")
        return [lab.unknown(PROBABILITY_MAP, "the maps differ, and whether their tensors do is not known")]
    own = candidate.probability_map
    if source is not None and own is not None:
        made = lab.infer(lambda given: source.infer(given), candidate.tensor)
        if made is not None and are_equal_maps(lab, made, own):
            told = f"{lab.names[0]}'s network returns {lab.names[1]}'s map of {lab.names[1]}'s own tensor"
            lab.acquitted = f"{told} ({map_difference(made, own)}): the networks agree"
            return []
        if made is not None:
            told = f"of {lab.names[1]}'s own tensor, {lab.names[0]}'s network makes another map"
            return [
                lab.unknown(PROBABILITY_MAP, f"{told} ({map_difference(made, own)}), and no experiment explained it")
            ]
    if lab.is_same_stage(TENSOR, candidate):
        return _given_up(lab)
    lab.not_tried.append("the network by itself: the tensors differ, and neither network can be run on the other's")
    return []


def _given_up(lab: Laboratory) -> list[Diagnosis]:
    if lab.candidate.error is not None:
        lab.not_tried.append(f"weights and other networks: {lab.names[1]} returned no map to compare with")
    if lab.reference.source is None:
        lab.not_tried.append(f"weights, sub-models and training mode: they need the train model, not a {lab.names[0]}")
    stopped = lab.candidate.error is not None and lab.candidate.probability_map is None
    told = "its network stopped" if stopped else "the same tensor gives another map"
    return [lab.unknown(PROBABILITY_MAP, f"{told}, and no experiment explained it")]


def _map_of(lab: Laboratory) -> Array | None:
    """Return the map that the candidate's network makes of the reference's tensor, its own where it was given that."""
    tensor, trace = lab.tensor, lab.candidate
    own = trace.probability_map
    if own is not None and trace.tensor is not None:
        # Tensors that agree within their limit are the same question, and maps that agree are an answer to it.
        is_same = lab.is_same_stage(TENSOR, trace) and lab.is_same_map(own)
        if is_same or np.array_equal(trace.tensor, tensor):
            return own
    return lab.infer(lambda given: lab.own.infer(given), tensor)


def _other_engine(lab: Laboratory, theirs: Array | None) -> Diagnosis | None:
    """Run the candidate's program in other ways; the one that returns the reference's map is the cause."""
    side = offered(lab.candidate.source, RunsOtherwise)
    for other in lab.alternatives(None if side is None else side.other_engines):
        made = lab.infer(other.run, lab.tensor)
        if not lab.is_same_map(made):
            told = f"it stops as well ({lab.last_error})" if made is None else "the map still differs"
            is_unchanged = made is not None and theirs is not None and np.array_equal(made, theirs)
            if is_unchanged:
                lab.ruled_out.append(f"{other.cause}: with {other.label} the map is what it was without, bit for bit")
            else:
                lab.tried.append(f"{other.cause}: with {other.label} {told}")
            if other.cause == "engine.optimization" and made is not None and theirs is not None:
                lab.is_in_program = are_equal_maps(lab, made, theirs)
                lab.memo["plain run"] = other.run
            continue
        assert made is not None
        one, two = lab.names
        before = "it stopped" if theirs is None else f"its map differed ({lab.map_amount(theirs)})"
        proof = f"with {other.label}, {two}'s map is {one}'s ({lab.map_amount(made)}); before, {before}"
        lab.remedy = replace(lab.remedy, infer=other.run)
        return lab.claim(
            PROBABILITY_MAP,
            other.cause,
            _ENGINE_SAYS[other.cause].format(two=two, label=other.label),
            [proof],
            other.fix or _ENGINE_FIX[other.cause],
        )
    return None


_ENGINE_SAYS = {
    "network.own_code": "{two} changes what its engine is given or returns",
    "network.stale_program": "the folder of {two} holds two programs, and paddle runs the stale one",
    "engine.onednn": "oneDNN computes something else than {two}'s program says",
    "engine.optimization": "the engine's optimisation passes change what {two}'s program computes",
}
_ENGINE_FIX = {
    "network.own_code": Fix("take out what the pipeline's infer() does before or after its engine runs"),
    "network.stale_program": Fix(
        "delete inference.json from the export folder: paddle prefers it to the right inference.pdmodel",
        (Change("delete", key="inference.json"),),
    ),
    "engine.onednn": Fix(
        "in the deployment, pass enable_mkldnn=False to paddleocr.TextDetection; for this test, add the same to "
        "inference.options",
        (Change("inference.options", {"enable_mkldnn": False}),),
    ),
    "engine.optimization": Fix(
        "deploy with another release of the engine, or find which of its passes does it, and switch that off"
    ),
}


def _other_output(lab: Laboratory, theirs: Array | None) -> Diagnosis | None:
    """Look for the reference's map among the outputs that paddlex does not take."""
    side = offered(lab.candidate.source, HasOtherOutputs)
    if side is None or lab.candidate.parameters.get(PROBABILITY_MAP, {}).get("outputs") in (None, 1):
        return None
    for index in range(1, lab.candidate.parameters[PROBABILITY_MAP]["outputs"]):
        run = partial(_output, side.other_outputs, index)
        made = lab.infer(run, lab.tensor)
        if made is not None and lab.is_same_map(made):
            one, two = lab.names
            lab.remedy = replace(lab.remedy, infer=run)
            proof = f"output {index} of {two} (from 0) is {one}'s map ({lab.map_amount(made)}); paddlex takes output 0"
            summary = f"{two} has several outputs, and its first is not the probability map"
            told = "export the map alone, or as the first output (outputs of a dict are sorted by their names)"
            return lab.claim(PROBABILITY_MAP, "network.outputs", summary, [proof], Fix(told, (Change("export"),)))
    lab.tried.append("network.outputs: no other output is the map")
    return None


def _output(give: Callable[[Array], list[Array]], index: int, tensor: Array) -> Array:
    return give(tensor)[index - 1]


def _other_network(lab: Laboratory, theirs: Array | None) -> Diagnosis | None:
    """Run networks that may have been exported instead; the one that returns the candidate's map is the cause."""
    for other in lab.alternatives(lambda: weights.lookalikes_of(lab)):
        made = lab.infer(other.run, lab.tensor) if theirs is not None else None
        if made is None or theirs is None or not are_equal_maps(lab, made, theirs):
            lab.tried.append(f"{other.cause}: {other.label} gives another map")
            continue
        lab.remedy = replace(lab.remedy, explains=returns_map(other.run))
        one, two = lab.names
        network = f"{one}'s network {_AS[other.cause].format(label=other.label)}"
        proof = f"{network} returns {two}'s map ({map_difference(made, theirs)})"
        return lab.claim(
            PROBABILITY_MAP,
            other.cause,
            _NETWORK_SAYS[other.cause].format(two=two, label=other.label),
            [proof],
            weights.export_again(lab, other),
        )
    return None


_AS = {
    "network.weights.other_checkpoint": "with the weights of {label}",
    "network.sub_model": "{label}",
    "network.train_mode": "in {label}",
}
_NETWORK_SAYS = {
    "network.weights.other_checkpoint": "{two} was exported from {label}",
    "network.sub_model": "{two} is the sub-model {label}",
    "network.train_mode": "{two} was exported in training mode",
}
