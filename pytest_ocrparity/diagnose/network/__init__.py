"""Examines the network: experiments with the export's engine, outputs, weights and graph."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeAlias

import numpy as np

from pytest_ocrparity.contract import HasOtherOutputs, RunsOtherwise, SaysMode, offered, pipeline_of
from pytest_ocrparity.diagnose.budget import BudgetSpentError
from pytest_ocrparity.diagnose.chance import with_share_of_chance
from pytest_ocrparity.diagnose.laboratory import Laboratory, are_equal_maps, describe_difference, returns_map
from pytest_ocrparity.diagnose.network import input_size as sizes
from pytest_ocrparity.diagnose.network import weights
from pytest_ocrparity.diagnose.network.architecture import by_architecture
from pytest_ocrparity.diagnose.network.compared_weights import describe_stored_weights
from pytest_ocrparity.diagnose.network.half import by_half
from pytest_ocrparity.diagnose.network.line_maps import PLACES, line_map_head_cause
from pytest_ocrparity.diagnose.network.map_change import map_change_cause
from pytest_ocrparity.diagnose.network.neighbours import ORIGIN
from pytest_ocrparity.diagnose.network.pointwise import POINTWISE
from pytest_ocrparity.diagnose.network.rounding import by_rounding
from pytest_ocrparity.diagnose.network.softmax import by_softmax
from pytest_ocrparity.diagnose.network.tiles import line_parts_cause, page_tiles_cause
from pytest_ocrparity.diagnose.repeatability import examine_repeatability_of_maps, not_repeatable
from pytest_ocrparity.diagnosis import UNKNOWN, Alternative, Change, Diagnosis, Fix
from pytest_ocrparity.stages import PROBABILITY_MAP, RECOGNITION, TENSOR
from pytest_ocrparity.trace import Array

Run: TypeAlias = Callable[[Array], Array]


def examine_network(lab: Laboratory) -> list[Diagnosis]:
    """Return the causes why the two networks return different maps of one tensor."""
    tensor, reference, candidate = lab.reference.tensor, lab.reference, lab.candidate
    own = candidate.probability_map
    if reference.probability_map is None or (own is None and (tensor is None or not lab.can_run)):
        return []  # no map to examine
    if not np.all(np.isfinite(reference.probability_map)):
        return [weights.unknown_of_reference(lab, reference.probability_map)]
    is_run = lab.can_run and tensor is not None
    candidate_map = map_of_candidate(lab) if is_run else own
    if lab.is_same_map(candidate_map) or not lab.is_judgeable_map(candidate_map):
        return []
    if not is_run or (candidate_map is None and candidate.error is None):
        return [] if own is None else _examine_recorded_map(lab)
    found = examine_repeatability_of_maps(lab)
    if found and not lab.noise:  # a map that its own side does not return again shows nothing of the export
        return [*found[:-1], _with_stored_weights(lab, found[-1])]
    try:
        rest = _examine_maps(lab, candidate_map)
    except BudgetSpentError:
        if not found:
            raise
        lab.not_tried.append(f"the rest: {lab.budget.spent()}")
        rest = [lab.unknown_cause(PROBABILITY_MAP, "budget spent")]
    return [*found, *(_within_noise(lab, each) for each in rest)]


def _with_stored_weights(lab: Laboratory, diagnosis: Diagnosis) -> Diagnosis:
    """Return a diagnosis with which stored weights are not the checkpoint's, which is known without a map."""
    with suppress(BudgetSpentError):
        found = weights.paired_weights(lab)
        if found is not None and found.pairs is not None and found.differing:
            return replace(diagnosis, noticed=(*diagnosis.noticed, *describe_stored_weights(found)))
    return diagnosis


def _within_noise(lab: Laboratory, diagnosis: Diagnosis) -> Diagnosis:
    """Return a cause with how far maps may lie apart by chance, where that was allowed for."""
    if not lab.noise:
        return diagnosis
    allowed = f"maps that lie no more than {lab.noise:.3g} apart, as by chance, were taken to be the same"
    if diagnosis.cause == UNKNOWN:
        return replace(diagnosis, noticed=(*diagnosis.noticed, allowed))
    return replace(diagnosis, evidence=(*diagnosis.evidence, allowed))


def _examine_maps(lab: Laboratory, candidate_map: Array | None) -> list[Diagnosis]:
    """Return why two networks that repeat themselves, but for `Laboratory.noise`, return different maps."""
    is_of_lines, reference = lab.comparisons.task == RECOGNITION, lab.reference
    if is_of_lines and (known := _known_cause(lab, candidate_map)) is not None:
        return [known]
    experiments = (
        *([_train_mode_as_said, by_softmax] if is_of_lines else []),
        _other_engine,
        _other_output,
        weights.by_finiteness,
        by_rounding,
        by_half,
        weights.by_weights,
        _other_network,
        weights.by_weights_after_lookalikes,
        _more_channels,
        _change_of_the_map,
        by_architecture,
        sizes.by_graph,
    )
    for experiment in experiments if candidate_map is not None else (_other_engine, sizes.by_fixed_size):
        start = lab.patched
        diagnosis = experiment(lab, candidate_map)
        if diagnosis is not None:
            patched, lab.patched = lab.patched, start
            if diagnosis.cause == UNKNOWN:
                return [diagnosis]
            # The map is explained, so later stages are examined with the reference's network.
            infer = patched.infer or (None if (source := pipeline_of(reference)) is None else source.infer)
            if is_of_lines:
                lab.history.setdefault(KNOWN, []).append((lab.candidate.label, diagnosis, patched))
            lab.adopt_patch(PROBABILITY_MAP, diagnosis.cause, replace(patched, infer=infer))
            return [diagnosis]
        lab.patched = start
    if is_of_lines:
        lab.history.setdefault(UNEXPLAINED, []).append(lab.candidate.label)
    return _unexplained_map(lab)


KNOWN: Final = "causes of maps"
UNEXPLAINED: Final = "unexplained maps"
MOST_UNEXPLAINED: Final = 3
"""Of how many lines of a run all experiments with a network are made that explain nothing."""


def _known_cause(lab: Laboratory, candidate_map: Array | None) -> Diagnosis | None:
    """Return a cause that was found on another line, if its experiment, made again on this one, explains its map."""
    for label, diagnosis, patched in lab.history.get(KNOWN, ()):
        if patched.explains is not None:
            is_explained = patched.explains(lab, candidate_map)
        else:
            is_explained = patched.infer is not None and lab.is_same_map(lab.run_network(patched.infer, lab.tensor))
        if is_explained:
            proof = f"found on {label}; here as well the map differs, and the same experiment explains it"
            lab.reset_notes()
            again: Diagnosis = replace(diagnosis, evidence=(proof,))
            return again
    lines = lab.history.get(UNEXPLAINED, ())
    if len(lines) < MOST_UNEXPLAINED:
        return None
    lab.not_tried.append(f"experiments with the network on this line; those on {', '.join(lines)} explained nothing")
    return lab.unknown_cause(PROBABILITY_MAP, "the same tensor gives another map, as on other lines of this run")


def _examine_recorded_map(lab: Laboratory) -> list[Diagnosis]:
    """Examine the map of a candidate that can't be run again, by running the reference's network on its tensor."""
    candidate, source = lab.candidate, pipeline_of(lab.reference)
    reference_name, candidate_name = lab.names
    lab.not_tried.append(f"experiments with the network of {candidate_name}, which can't be run again")
    if candidate.tensor is None or lab.reference.tensor is None:
        lab.not_tried.append("the network by itself: a side records no tensor, which may be what differs")
        return [lab.unknown_cause(PROBABILITY_MAP, "the maps differ, and whether their tensors do is not known")]
    own = candidate.probability_map
    if source is not None and own is not None:
        made = lab.run_network(lambda given: source.infer(given), candidate.tensor)
        if made is not None and are_equal_maps(lab, made, own):
            text = f"{reference_name}'s network returns {candidate_name}'s map of {candidate_name}'s own tensor"
            lab.acquitted = f"{text} ({describe_difference(made, own)}): the networks agree"
            return []
        if made is not None and (found := _changed_map(lab, made, own, candidate.tensor)) is not None:
            return [found]
        if made is not None:
            text = f"of {candidate_name}'s own tensor, {reference_name}'s network makes another map"
            text += f" ({describe_difference(made, own)}), and no experiment explained it"
            return [lab.unknown_cause(PROBABILITY_MAP, text)]
    if lab.is_same_stage(TENSOR, candidate):
        right = lab.reference.probability_map
        if right is not None and own is not None and (found := _changed_map(lab, right, own, None)) is not None:
            return [found]
        return _unexplained_map(lab)
    lab.not_tried.append("the network by itself: the tensors differ, and neither network can be run on the other's")
    return []


def _change_of_the_map(lab: Laboratory, candidate_map: Array | None) -> Diagnosis | None:
    right = lab.reference.probability_map
    return None if right is None or candidate_map is None else _changed_map(lab, right, candidate_map, lab.tensor)


def _changed_map(lab: Laboratory, right: Array, own: Array, tensor: Array | None) -> Diagnosis | None:
    """Return what changes a map of the same tensor: each value, its place, the classes of a line, or tiles.

    All are tried. Where causes of two kinds make the map, none is stated: the two are returned as rivals.
    """
    source, start = pipeline_of(lab.reference), lab.patched
    experiments: list[Callable[[], Diagnosis | None]] = [lambda: map_change_cause(lab, POINTWISE, right, own)]
    is_of_lines = lab.comparisons.task == RECOGNITION
    experiments.append(lambda: map_change_cause(lab, PLACES if is_of_lines else ORIGIN, right, own))
    if source is not None and tensor is not None:
        in_parts = line_parts_cause if is_of_lines else page_tiles_cause
        experiments.append(lambda: in_parts(lab, source.infer, tensor, right, own))
    if is_of_lines:  # the last, as it takes the notes of the others where it says unknown
        experiments.append(lambda: line_map_head_cause(lab, right, own))
    found = []
    for experiment in experiments:
        lab.patched = start
        if (diagnosis := experiment()) is not None:
            found.append((diagnosis, lab.patched))
    lab.patched = start
    if len(found) == 1:
        diagnosis, lab.patched = found[0]
        return diagnosis
    if not found:
        return None
    lab.noticed += [proof for diagnosis, _ in found for proof in diagnosis.evidence]
    summary = "; or ".join(diagnosis.summary for diagnosis, _ in found) + ". This image does not tell which it is"
    return replace(lab.unknown_cause(PROBABILITY_MAP, summary), rivals=tuple(diagnosis.cause for diagnosis, _ in found))


def _unexplained_map(lab: Laboratory) -> list[Diagnosis]:
    reference, candidate = lab.names
    if lab.candidate.error is not None:
        lab.not_tried.append(f"weights and other networks: {candidate} returned no map to compare with")
    if lab.reference.source is None:
        lab.not_tried.append(f"weights, sub-models and training mode: they need the train model, not a {reference}")
    stopped = lab.candidate.error is not None and lab.candidate.probability_map is None
    text = "its network stopped" if stopped else "the same tensor gives another map"
    return [lab.unknown_cause(PROBABILITY_MAP, f"{text}, and no experiment explained it")]


def map_of_candidate(lab: Laboratory) -> Array | None:
    """Return the candidate's map of the reference's tensor: the recorded one if that is of it, else a new one."""
    tensor, trace = lab.tensor, lab.candidate
    own = trace.probability_map
    if own is not None and trace.tensor is not None:
        # Where tensors and maps agree within their limits, no run is needed.
        is_same = lab.is_same_stage(TENSOR, trace) and lab.maps_agree
        if is_same or np.array_equal(trace.tensor, tensor):
            return own
    return lab.run_network(lambda given: lab.own.infer(given), tensor)


def _other_engine(lab: Laboratory, candidate_map: Array | None) -> Diagnosis | None:
    """Run the candidate's program in other ways; the way that returns the reference's map shows the cause."""
    side = offered(lab.candidate.source, RunsOtherwise)
    for other in lab.alternatives(None if side is None else side.other_engines):
        made = lab.run_network(other.run, lab.tensor)
        if not lab.is_same_map(made):
            result = f"it stops as well ({lab.last_error})" if made is None else "the map still differs"
            is_unchanged = made is not None and candidate_map is not None and np.array_equal(made, candidate_map)
            if is_unchanged:
                lab.ruled_out.append(f"{other.cause}: with {other.label} the map is what it was without, bit for bit")
            else:
                lab.tried.append(f"{other.cause}: with {other.label} {result}")
            is_plain = other.cause == "engine.optimization" and not other.keeps_passes
            if is_plain and made is not None and candidate_map is not None:
                lab.is_in_program = are_equal_maps(lab, made, candidate_map)
                lab.memo["plain run"] = other.run
            continue
        assert made is not None
        if (random := _by_chance(lab, other, candidate_map)) is not None:
            return random
        reference, candidate = lab.names
        proof = (
            f"with {other.label}, {candidate}'s map is {reference}'s ({lab.describe_map_difference(made)}); before, "
        )
        if candidate_map is None:
            proof += "it stopped"
        else:
            proof += f"its map differed ({lab.describe_map_difference(candidate_map)})"
        lab.patched = replace(lab.patched, infer=other.run)
        return lab.proven_cause(
            PROBABILITY_MAP,
            other.cause,
            _ENGINE_SAYS[other.cause].format(candidate=candidate, label=other.label, **_precision(lab)),
            [proof],
            other.fix or _ENGINE_FIX[other.cause],
        )
    return None


def _by_chance(lab: Laboratory, other: Alternative, candidate_map: Array | None) -> Diagnosis | None:
    """Return that a candidate is random where its own map, or the right one in another way, does not come again.

    One that stopped, a map of None, has to stop again.
    """
    own = lab.run_network(lab.own.infer, lab.tensor)
    if own is None and candidate_map is not None:
        then = f"run again as it is, it stopped ({lab.last_error})"
    elif own is not None and candidate_map is None:
        then = "run again as it is, it returned a map, where it had stopped before"
    elif own is not None and candidate_map is not None and not are_equal_maps(lab, own, candidate_map):
        then = f"run again as it is, it returned another map ({describe_difference(own, candidate_map)})"
    elif lab.is_same_map(again := lab.run_network(other.run, lab.tensor)):
        return None
    else:
        then = f"run so again, it stopped ({lab.last_error})" if again is None else "run so again, it returned another"
    reference, candidate = lab.names
    proof = f"with {other.label}, {candidate} returned {reference}'s map once; {then}"
    return with_share_of_chance(not_repeatable(lab, lab.candidate, [proof]), None, reference, candidate)


def _precision(lab: Laboratory) -> dict[str, Any]:
    return {"precision": lab.candidate.parameters.get(PROBABILITY_MAP, {}).get("precision") or "another precision"}


_ENGINE_SAYS = {
    "network.own_code": "{candidate} changes what its engine is given or returns",
    "network.stale_program": "the folder of {candidate} holds two programs, and paddle runs the stale one",
    "engine.onednn": "oneDNN computes something else than {candidate}'s program says",
    "engine.optimization": "the engine's optimisation passes change what {candidate}'s program computes",
    "engine.precision": "{candidate}'s engine computes in {precision}, where the trained model computes in float32",
}
_ENGINE_FIX = {
    "network.own_code": Fix("take out what the pipeline's infer() does before or after its engine runs"),
    "network.stale_program": Fix(
        "delete inference.json from the export folder: paddle prefers it to the right inference.pdmodel",
        (Change("delete", key="inference.json"),),
    ),
    "engine.onednn": Fix(
        "in the deployment, pass enable_mkldnn=False to paddleocr's class; for this test, add the same to "
        "inference.options",
        (Change("inference.options", {"enable_mkldnn": False}),),
    ),
    "engine.optimization": Fix(
        "deploy with another release of the engine, or find which of its passes does it, and switch that off"
    ),
}


def _other_output(lab: Laboratory, candidate_map: Array | None) -> Diagnosis | None:
    """Look for the reference's map among the outputs that paddlex does not take."""
    side = offered(lab.candidate.source, HasOtherOutputs)
    if side is None or lab.candidate.parameters.get(PROBABILITY_MAP, {}).get("outputs") in (None, 1):
        return None
    for index in range(1, lab.candidate.parameters[PROBABILITY_MAP]["outputs"]):
        run = partial(_run_output, side.other_outputs, index)
        made = lab.run_network(run, lab.tensor)
        if made is not None and lab.is_same_map(made):
            reference, candidate = lab.names
            lab.patched = replace(lab.patched, infer=run)
            proof = (
                f"output {index} of {candidate} (from 0) is {reference}'s map ({lab.describe_map_difference(made)}); "
            )
            proof += "paddlex takes output 0"
            summary = f"{candidate} has several outputs, and its first is not the probability map"
            fix = "export the map alone, or as the first output (outputs of a dict are sorted by their names)"
            return lab.proven_cause(PROBABILITY_MAP, "network.outputs", summary, [proof], Fix(fix, (Change("export"),)))
    lab.tried.append("network.outputs: no other output is the map")
    return None


def _run_output(give: Callable[[Array], list[Array]], index: int, tensor: Array) -> Array:
    return give(tensor)[index - 1]


def _more_channels(lab: Laboratory, candidate_map: Array | None) -> Diagnosis | None:
    """Look for the reference's map among the channels of one that has more."""
    right = lab.reference.probability_map
    if right is None or candidate_map is None or not 4 == candidate_map.ndim == right.ndim or right.shape[1] != 1:
        return None
    count = candidate_map.shape[1]
    channels = range(count if count > 1 else 0)
    channel = next((each for each in channels if lab.is_same_map(candidate_map[:, each : each + 1])), None)
    if channel is None:
        return None
    reference, candidate = lab.names
    whole = lab.own.infer
    lab.patched = replace(lab.patched, infer=lambda tensor: whole(tensor)[:, channel : channel + 1])
    difference = lab.describe_map_difference(candidate_map[:, channel : channel + 1])
    proof = f"channel {channel} of {candidate} (from 0) is {reference}'s map ({difference})"
    summary = f"{candidate}'s map has {count} channels, of which channel {channel} (from 0) is {reference}'s map"
    fix = Fix("export the probability map alone", (Change("export"),))
    return lab.proven_cause(PROBABILITY_MAP, "network.outputs", summary, [proof], fix)


def _train_mode_as_said(lab: Laboratory, candidate_map: Array | None) -> Diagnosis | None:
    """Run the reference's network in training mode where the candidate's program says that it was written so.

    In evaluation mode without its softmax, a network may return the same.
    """
    if not lab.ask(lab.candidate, SaysMode, lambda side: side.is_in_train_mode()):
        return None
    found = _other_network(lab, candidate_map, only=TRAIN_MODE)
    said = f"the batch norm in {lab.names.candidate}'s program is that of training mode"
    return None if found is None else replace(found, evidence=(*found.evidence, said))


TRAIN_MODE: Final = "network.train_mode"


def _other_network(lab: Laboratory, candidate_map: Array | None, only: str = "") -> Diagnosis | None:
    """Run networks that may have been exported instead; the one that returns the candidate's map shows the cause."""
    for other in lab.alternatives(lambda: weights.lookalike_networks(lab)):
        said = f"{other.cause}: {other.label} gives another map"
        if only not in ("", other.cause) or any(each.startswith(said) for each in lab.tried):
            continue
        made = lab.run_network(other.run, lab.tensor) if candidate_map is not None else None
        if made is None or candidate_map is None or not are_equal_maps(lab, made, candidate_map):
            lab.tried.append(said)
            if other.cause == "network.weights.other_checkpoint" and (held := weights.held_by_nearest(lab)):
                lab.tried[-1] += f"; {held}"
            continue
        lab.patched = replace(lab.patched, explains=returns_map(other.run))
        reference, candidate = lab.names
        network = f"{reference}'s network {_AS[other.cause].format(label=other.label)}"
        proof = f"{network} returns {candidate}'s map ({describe_difference(made, candidate_map)})"
        return lab.proven_cause(
            PROBABILITY_MAP,
            other.cause,
            _NETWORK_SAYS[other.cause].format(candidate=candidate, label=other.label),
            [proof],
            weights.export_fix(lab, other),
        )
    return None


_AS = {
    "network.weights.other_checkpoint": "with the weights of {label}",
    "network.sub_model": "{label}",
    TRAIN_MODE: "in {label}",
}
_NETWORK_SAYS = {
    "network.weights.other_checkpoint": "{candidate} was exported from {label}",
    "network.sub_model": "{candidate} is the sub-model {label}",
    TRAIN_MODE: "{candidate} was exported in training mode",
}
