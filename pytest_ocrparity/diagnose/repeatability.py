"""Checks that each side is deterministic before the export is examined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple

import numpy as np

from pytest_ocrparity.contract import UsesRandomOperators, pipeline_of
from pytest_ocrparity.diagnose.budget import BudgetSpentError
from pytest_ocrparity.diagnose.chance import MOST_MAPS, RACES, Chance, Drawn, with_share_of_chance
from pytest_ocrparity.diagnose.laboratory import Laboratory, are_equal_maps
from pytest_ocrparity.diagnosis import UNKNOWN, Diagnosis
from pytest_ocrparity.errors import NotEnoughMemory
from pytest_ocrparity.stages import PROBABILITY_MAP, RESIZE, TENSOR
from pytest_ocrparity.trace import Array, Trace

MOST_TENSORS: Final = 12
"""How many tensors are made of one image at most, where those that were made do not explain the difference."""

_SUMMARY: Final = "{} returns something else for the same input each time"
_FIX_OF_OPERATORS: Final = "take {} out of Eval.dataset.transforms of the training YAML file, and evaluate again"


def is_of_chance(diagnosis: Diagnosis) -> bool:
    """Return whether a cause is that a side does not return the same again."""
    return diagnosis.cause.endswith(".not_repeatable")


def examine_repeatability_of_tensors(lab: Laboratory) -> list[Diagnosis]:
    """Return a diagnosis for each side that makes two tensors of one image; if the reference stopped, its diagnosis.

    Where chance does not explain how far the two sides' tensors lie apart, another one says so.
    """
    if lab.reference.error is not None:
        return [_diagnose_stopped_reference(lab)]
    traces = lab.reference, lab.candidate
    made = [_repeat_preprocessing(lab, trace) for trace in traces]
    found = [each.diagnosis for each in made if each is not None]
    sides = [
        None if trace.tensor is None else _drawn(each, trace.tensor, partial(_tensor_again, lab, trace))
        for each, trace in zip(made, traces, strict=True)
    ]
    chance = _drawn_chance(lab, sides, MOST_TENSORS) if found else None
    found = [with_share_of_chance(each, chance, *lab.names) for each in found]
    if chance is None or chance.explains_all:
        return found
    lab.not_tried.append("experiments with the preprocessing, which need the same tensor each time")
    return [*found, _unexplained_rest(lab, TENSOR, "tensors")]


def examine_repeatability_of_maps(lab: Laboratory) -> list[Diagnosis]:
    """Return a diagnosis for each side whose network makes two maps of one tensor; runs networks.

    Where chance does not explain how far the two sides' maps of one tensor lie apart, another one says so. Where it
    explains next to nothing of that, `Laboratory.noise` is set instead, and experiments are to be made within it.
    """
    traces = lab.reference, lab.candidate
    made = [_repeat_network(lab, trace) for trace in traces]
    found = [each.diagnosis for each in made if each is not None]
    if any(diagnosis.cause == UNKNOWN for diagnosis in found):
        return found
    if not found:
        return []
    try:
        sides = [_drawn_maps(lab, each, trace) for each, trace in zip(made, traces, strict=True)]
    except BudgetSpentError:
        sides = [None, None]
    chance = _drawn_chance(lab, sides, MOST_MAPS, lab.map_limit)
    found = [with_share_of_chance(each, chance, *lab.names) for each in found]
    if chance is None or chance.explains_all:
        return found
    if chance.leaves_rest_to_examine:
        lab.noise = chance.noise
        return found
    why = (
        f"lie too far apart, by up to {chance.noise:.3g}" if chance.noise else "hold NaN or infinity in changing places"
    )
    lab.not_tried.append(f"experiments with the network: its maps {why}")
    return [*found, _unexplained_rest(lab, PROBABILITY_MAP, "maps")]


class _Repeated(NamedTuple):
    """What was found of a side that does not return the same again, and what it returned."""

    diagnosis: Diagnosis
    arrays: tuple[Array, ...] = ()


def _drawn(made: _Repeated | None, recorded: Array, again: Callable[[], Array | None]) -> Drawn | None:
    """Return what a side returned; None where that is of several shapes, which nothing is compared with."""
    arrays = [recorded, *(made.arrays if made is not None else ())]
    if any(each.shape != recorded.shape for each in arrays):
        return None
    return Drawn.of(arrays, None if made is None else again)


def _drawn_maps(lab: Laboratory, made: _Repeated | None, trace: Trace) -> Drawn | None:
    """Return what a side's network made of the reference's tensor; None where that is not known."""
    again = partial(_map_again, lab, trace)
    if lab.reference.tensor is None:
        return None
    is_same = trace.tensor is not None and np.array_equal(trace.tensor, lab.tensor)
    if is_same and trace.probability_map is not None:
        return _drawn(made, trace.probability_map, again)
    first = again()
    return None if first is None else Drawn.of([first], None if made is None else again)


def _drawn_chance(lab: Laboratory, sides: Sequence[Drawn | None], most: int, limit: float = 0.0) -> Chance | None:
    """Return what both sides were drawn from, drawn again where that may explain more; None where it can't be known."""
    reference, candidate = sides
    if reference is None or candidate is None:
        return None
    chance = Chance(reference, candidate, limit)
    try:
        chance.draw(most, lab.budget.check)
    except BudgetSpentError:
        return chance if chance.explains_all else None
    return chance


def _unexplained_rest(lab: Laboratory, stage: str, what: str) -> Diagnosis:
    return lab.unknown_cause(stage, f"the two sides' {what} lie further apart than chance explains")


def examine_memory_refusal(lab: Laboratory, stage: str) -> Diagnosis | None:
    """Return the diagnosis of a side that did not run as memory was missing; then no experiment runs."""
    for trace in (lab.reference, lab.candidate):
        if isinstance(trace.error, NotEnoughMemory):
            return lab.unknown_cause(
                stage, f"{trace.pipeline} did not run, and no experiment was made, as too little memory was left"
            )
    return None


def _diagnose_stopped_reference(lab: Laboratory) -> Diagnosis:
    """Return why the reference stopped: its random operators, if it runs without them; else unknown."""
    assert lab.reference.error is not None
    image, stage, reference = lab.image, lab.reference.error.stage, lab.names.reference
    names = _random_operators(lab, lab.reference)
    if names and image is not None:
        trace = lab.ask(lab.reference, UsesRandomOperators, lambda side: side.without_random().preprocess(image))
        if trace is not None and trace.tensor is not None:
            proof = f"{reference} stopped ({lab.reference.error}), and without {names} its operators run"
            summary = f"{reference} stopped at {names}, a random operator that evaluation must not have"
            fix = _FIX_OF_OPERATORS.format(names)
            return lab.proven_cause(stage, "reference.not_repeatable", summary, [proof], fix)
    return lab.unknown_cause(stage, f"{reference} stopped, so there is nothing to compare with")


def _repeat_preprocessing(lab: Laboratory, trace: Trace) -> _Repeated | None:
    """Preprocess the image twice; return a diagnosis where the two tensors differ."""
    first, second = _tensor_again(lab, trace), _tensor_again(lab, trace)
    if first is None or second is None:
        return None
    if np.array_equal(first, second, equal_nan=True):
        if trace.tensor is not None and not np.array_equal(first, trace.tensor, equal_nan=True):
            lab.noticed.append(f"{trace.pipeline}'s trace holds another tensor than its preprocess() returns")
        return None
    proof = [f"the same image twice through {trace.pipeline} gives tensors that differ {_apart(first, second)}"]
    names = _random_operators(lab, trace)
    fix = f"find what is random in the preprocessing of {trace.pipeline}, and take it out"
    if names:
        proof.append(f"its transforms hold random operators: {names}")
        fix = _FIX_OF_OPERATORS.format(names)
    cause = "reference.not_repeatable" if trace is lab.reference else "preprocessing.not_repeatable"
    stage = TENSOR if first.shape == second.shape else RESIZE
    summary = _SUMMARY.format(trace.pipeline)
    return _Repeated(lab.proven_cause(stage, cause, summary, proof, fix), (first, second))


def _tensor_again(lab: Laboratory, trace: Trace) -> Array | None:
    source, image = pipeline_of(trace), lab.image
    made = None if source is None or image is None else lab.attempt(lambda: source.preprocess(image))
    return None if made is None else made.tensor


def _map_again(lab: Laboratory, trace: Trace) -> Array | None:
    source = pipeline_of(trace)
    return None if source is None else lab.run_network(lambda given: source.infer(given), lab.tensor)


def _random_operators(lab: Laboratory, trace: Trace) -> str:
    """Return the names of a side's random operators; nothing where it has none."""
    return ", ".join(lab.ask(trace, UsesRandomOperators, lambda side: side.random_operators()) or ())


def _apart(first: Array, second: Array) -> str:
    """Return in words how two results of one side differ."""
    if first.shape != second.shape:
        return f"in shape, {first.shape} and {second.shape}"
    with np.errstate(invalid="ignore"):  # infinity minus infinity
        return f"by up to {float(np.nanmax(np.abs(first - second), initial=0.0)):.3g}"


def _repeat_network(lab: Laboratory, trace: Trace) -> _Repeated | None:
    """Run the network on the recorded tensor; if its map is not the recorded one, run it once more."""
    source, tensor = pipeline_of(trace), trace.tensor
    if source is None or tensor is None or trace.probability_map is None:
        return None
    first = lab.run_network(lambda given: source.infer(given), tensor)
    if first is None or first.shape != trace.probability_map.shape:
        return None
    if are_equal_maps(lab, first, trace.probability_map):
        name = "reference" if trace is lab.reference else "engine"
        lab.ruled_out.append(f"{name}.not_repeatable: {trace.pipeline}'s network returns the same map again")
        return None
    second = lab.run_network(lambda given: source.infer(given), tensor)
    if second is None or are_equal_maps(lab, first, second):
        text = f"{trace.pipeline}'s trace holds another map than its infer() returns of the trace's tensor"
        if trace is lab.reference:
            lab.noticed.append(text)
            return None
        # Its infer() does not return the recorded map, so no experiment with it can explain that map.
        text += ": something changes it between, is random now and then, or depends on what ran before"
        return _Repeated(lab.unknown_cause(PROBABILITY_MAP, text))
    proof = f"the same tensor twice through {trace.pipeline}'s network gives maps that differ {_apart(first, second)}"
    return _Repeated(not_repeatable(lab, trace, [proof]), (first, second))


def not_repeatable(lab: Laboratory, trace: Trace, proof: list[str]) -> Diagnosis:
    """Return the diagnosis of a side whose network returns another map of the same tensor."""
    cause = "reference.not_repeatable" if trace is lab.reference else "engine.not_repeatable"
    return lab.proven_cause(PROBABILITY_MAP, cause, _SUMMARY.format(trace.pipeline), proof, RACES)
