"""Whether each side agrees with itself: nothing is blamed on an export before."""

from __future__ import annotations

import numpy as np

from pytest_ocrparity.contract import UsesRandomOperators, pipeline_of
from pytest_ocrparity.diagnose.laboratory import Laboratory, are_equal_maps
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.errors import NotEnoughMemory
from pytest_ocrparity.stages import PROBABILITY_MAP, RESIZE, TENSOR
from pytest_ocrparity.trace import Trace


def examine_tensors(lab: Laboratory) -> list[Diagnosis]:
    """Return a diagnosis for each side that gives another tensor of the same image; if the reference stopped, why."""
    if lab.reference.error is not None:
        return [_stopped(lab)]
    return [d for trace in (lab.reference, lab.candidate) if (d := _tensors(lab, trace)) is not None]


def examine_maps(lab: Laboratory) -> list[Diagnosis]:
    """Return a diagnosis for each side whose network gives another map of the same tensor; asked where maps differ."""
    return [d for trace in (lab.reference, lab.candidate) if (d := _maps(lab, trace)) is not None]


def refused(lab: Laboratory, stage: str) -> Diagnosis | None:
    """Return the diagnosis of a side that was refused for want of memory, which an experiment would take as well."""
    for trace in (lab.reference, lab.candidate):
        if isinstance(trace.error, NotEnoughMemory):
            return lab.unknown(stage, f"{trace.pipeline} did not run, and no experiment was made, for want of memory")
    return None


def _stopped(lab: Laboratory) -> Diagnosis:
    """Return why the reference itself stopped: a random operator, where it runs without."""
    assert lab.reference.error is not None
    image, stage, one = lab.image, lab.reference.error.stage, lab.names[0]
    operators = _random_operators(lab, lab.reference)
    if operators and image is not None:
        trace = lab.ask(lab.reference, UsesRandomOperators, lambda side: side.without_random().preprocess(image))
        if trace is not None and trace.tensor is not None:
            names = ", ".join(operators)
            proof = f"{one} stopped ({lab.reference.error}), and without {names} its operators run"
            summary = f"{one} stopped at {names}, a random operator that evaluation must not have"
            fix = f"take {names} out of Eval.dataset.transforms of the training yml, and evaluate again"
            return lab.claim(stage, "reference.not_repeatable", summary, [proof], fix)
    return lab.unknown(stage, f"{one} stopped, so there is nothing to compare with")


def _tensors(lab: Laboratory, trace: Trace) -> Diagnosis | None:
    """Preprocess the image twice: two runs that differ from each other are no fault of anything downstream."""
    one, two = _preprocessed(lab, trace), _preprocessed(lab, trace)
    if one is None or two is None or one.tensor is None or two.tensor is None:
        return None
    if np.array_equal(one.tensor, two.tensor, equal_nan=True):
        if trace.tensor is not None and not np.array_equal(one.tensor, trace.tensor, equal_nan=True):
            lab.noticed.append(f"{trace.pipeline}'s trace holds another tensor than its preprocess() returns")
        return None
    is_shape = one.tensor.shape != two.tensor.shape
    amount = f"in shape, {one.tensor.shape} and {two.tensor.shape}"
    if not is_shape:
        amount = f"by up to {float(np.max(np.abs(one.tensor - two.tensor))):.3g}"
    proof = [f"the same image twice through {trace.pipeline} gives tensors that differ {amount}"]
    operators = _random_operators(lab, trace)
    fix = f"find what is random in the preprocessing of {trace.pipeline}, and take it out"
    if operators:
        proof.append(f"its transforms hold random operators: {', '.join(operators)}")
        fix = f"take {', '.join(operators)} out of Eval.dataset.transforms of the training yml, and evaluate again"
    cause = "reference.not_repeatable" if trace is lab.reference else "preprocessing.not_repeatable"
    return lab.claim(RESIZE if is_shape else TENSOR, cause, f"{trace.pipeline} does not agree with itself", proof, fix)


def _preprocessed(lab: Laboratory, trace: Trace) -> Trace | None:
    source, image = pipeline_of(trace), lab.image
    return None if source is None or image is None else lab.attempt(lambda: source.preprocess(image))


def _random_operators(lab: Laboratory, trace: Trace) -> tuple[str, ...]:
    return lab.ask(trace, UsesRandomOperators, lambda side: side.random_operators()) or ()


def _maps(lab: Laboratory, trace: Trace) -> Diagnosis | None:
    """Run the network on the recorded tensor; where it returns another map than recorded, once more."""
    source, tensor = pipeline_of(trace), trace.tensor
    if source is None or tensor is None or trace.probability_map is None:
        return None
    first = lab.infer(lambda given: source.infer(given), tensor)
    if first is None or first.shape != trace.probability_map.shape:
        return None
    if are_equal_maps(lab, first, trace.probability_map):
        name = "reference" if trace is lab.reference else "engine"
        lab.ruled_out.append(f"{name}.not_repeatable: {trace.pipeline}'s network returns the same map again")
        return None
    second = lab.infer(lambda given: source.infer(given), tensor)
    if second is None or are_equal_maps(lab, first, second):
        told = f"{trace.pipeline}'s trace holds another map than its infer() returns of the trace's tensor"
        if trace is lab.reference:
            lab.noticed.append(told)
            return None
        # What its infer() does then explains nothing of what it returned.
        return lab.unknown(PROBABILITY_MAP, f"{told}: something changes it between, or depends on what ran before")
    amount = float(np.nanmax(np.abs(first - second), initial=0.0))
    proof = f"the same tensor twice through {trace.pipeline}'s network gives maps that differ by up to {amount:.3g}"
    fix = "look for dropout and other random layers (was eval() called before exporting?), then for races (cpu_threads)"
    cause = "reference.not_repeatable" if trace is lab.reference else "engine.not_repeatable"
    return lab.claim(PROBABILITY_MAP, cause, f"{trace.pipeline} does not agree with itself", [proof], fix)
