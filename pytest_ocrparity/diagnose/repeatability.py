"""Checks that each side is deterministic before the export is examined."""

from __future__ import annotations

import numpy as np

from pytest_ocrparity.contract import UsesRandomOperators, pipeline_of
from pytest_ocrparity.diagnose.laboratory import Laboratory, are_equal_maps
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.errors import NotEnoughMemory
from pytest_ocrparity.stages import PROBABILITY_MAP, RESIZE, TENSOR
from pytest_ocrparity.trace import Trace


def examine_repeatability_of_tensors(lab: Laboratory) -> list[Diagnosis]:
    """Return a diagnosis for each side that makes two tensors of one image; if the reference stopped, its diagnosis."""
    if lab.reference.error is not None:
        return [_diagnose_stopped_reference(lab)]
    return [d for trace in (lab.reference, lab.candidate) if (d := _repeat_preprocessing(lab, trace)) is not None]


def examine_repeatability_of_maps(lab: Laboratory) -> list[Diagnosis]:
    """Return a diagnosis for each side whose network makes two maps of one tensor; runs networks."""
    return [d for trace in (lab.reference, lab.candidate) if (d := _repeat_network(lab, trace)) is not None]


def examine_memory_refusal(lab: Laboratory, stage: str) -> Diagnosis | None:
    """Return the diagnosis of a side that did not run as memory was missing; then no experiment runs."""
    for trace in (lab.reference, lab.candidate):
        if isinstance(trace.error, NotEnoughMemory):
            return lab.unknown_cause(
                stage, f"{trace.pipeline} did not run, and no experiment was made, for want of memory"
            )
    return None


def _diagnose_stopped_reference(lab: Laboratory) -> Diagnosis:
    """Return why the reference stopped: its random operators, if it runs without them; else unknown."""
    assert lab.reference.error is not None
    image, stage, reference = lab.image, lab.reference.error.stage, lab.names.reference
    operators = _random_operators(lab, lab.reference)
    if operators and image is not None:
        trace = lab.ask(lab.reference, UsesRandomOperators, lambda side: side.without_random().preprocess(image))
        if trace is not None and trace.tensor is not None:
            names = ", ".join(operators)
            proof = f"{reference} stopped ({lab.reference.error}), and without {names} its operators run"
            summary = f"{reference} stopped at {names}, a random operator that evaluation must not have"
            fix = f"take {names} out of Eval.dataset.transforms of the training YAML file, and evaluate again"
            return lab.proven_cause(stage, "reference.not_repeatable", summary, [proof], fix)
    return lab.unknown_cause(stage, f"{reference} stopped, so there is nothing to compare with")


def _repeat_preprocessing(lab: Laboratory, trace: Trace) -> Diagnosis | None:
    """Preprocess the image twice; return a diagnosis where the two tensors differ."""
    first, second = _preprocess_again(lab, trace), _preprocess_again(lab, trace)
    if first is None or second is None or first.tensor is None or second.tensor is None:
        return None
    if np.array_equal(first.tensor, second.tensor, equal_nan=True):
        if trace.tensor is not None and not np.array_equal(first.tensor, trace.tensor, equal_nan=True):
            lab.noticed.append(f"{trace.pipeline}'s trace holds another tensor than its preprocess() returns")
        return None
    is_shape = first.tensor.shape != second.tensor.shape
    amount = f"in shape, {first.tensor.shape} and {second.tensor.shape}"
    if not is_shape:
        amount = f"by up to {float(np.max(np.abs(first.tensor - second.tensor))):.3g}"
    proof = [f"the same image twice through {trace.pipeline} gives tensors that differ {amount}"]
    operators = _random_operators(lab, trace)
    fix = f"find what is random in the preprocessing of {trace.pipeline}, and take it out"
    if operators:
        proof.append(f"its transforms hold random operators: {', '.join(operators)}")
        names = ", ".join(operators)
        fix = f"take {names} out of Eval.dataset.transforms of the training YAML file, and evaluate again"
    cause = "reference.not_repeatable" if trace is lab.reference else "preprocessing.not_repeatable"
    return lab.proven_cause(
        RESIZE if is_shape else TENSOR, cause, f"{trace.pipeline} does not agree with itself", proof, fix
    )


def _preprocess_again(lab: Laboratory, trace: Trace) -> Trace | None:
    source, image = pipeline_of(trace), lab.image
    return None if source is None or image is None else lab.attempt(lambda: source.preprocess(image))


def _random_operators(lab: Laboratory, trace: Trace) -> tuple[str, ...]:
    return lab.ask(trace, UsesRandomOperators, lambda side: side.random_operators()) or ()


def _repeat_network(lab: Laboratory, trace: Trace) -> Diagnosis | None:
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
        return lab.unknown_cause(
            PROBABILITY_MAP, f"{text}: something changes it between, or depends on what ran before"
        )
    amount = float(np.nanmax(np.abs(first - second), initial=0.0))
    proof = f"the same tensor twice through {trace.pipeline}'s network gives maps that differ by up to {amount:.3g}"
    fix = "look for dropout and other random layers (was eval() called before exporting?), then for races (cpu_threads)"
    cause = "reference.not_repeatable" if trace is lab.reference else "engine.not_repeatable"
    return lab.proven_cause(PROBABILITY_MAP, cause, f"{trace.pipeline} does not agree with itself", [proof], fix)
