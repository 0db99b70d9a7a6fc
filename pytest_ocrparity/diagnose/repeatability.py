"""Whether each side agrees with itself: nothing is blamed on an export before."""

from __future__ import annotations

import numpy as np

from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnosis import Diagnosis, Fix
from pytest_ocrparity.trace import PROBABILITY_MAP, Trace

__all__ = ["examine_repeatability"]


def examine_repeatability(lab: Laboratory) -> list[Diagnosis]:
    """Return a diagnosis for each side that gives another tensor, or another map, of the same image."""
    if lab.reference.error is not None:
        return [_stopped(lab)]
    found = []
    for trace, cause in ((lab.reference, "reference.not_repeatable"), (lab.candidate, "engine.not_repeatable")):
        again = _preprocessed(lab, trace)
        if again is not None and again.tensor is not None and trace.tensor is not None:
            stage = "tensor" if again.tensor.shape == trace.tensor.shape else "resize"
            if not np.array_equal(again.tensor, trace.tensor):
                found.append(_tensor(lab, trace, again, cause, stage))
                continue
        if not lab.is_same_map(lab.candidate.probability_map):
            found += _map(lab, trace, cause)
    return found


def _stopped(lab: Laboratory) -> Diagnosis:
    """Return why the reference itself stopped: a random operator, where it runs without."""
    assert lab.reference.error is not None
    source, image, stage = lab.reference.source, lab.image, lab.reference.error.stage
    one, two = lab.names
    operators: tuple[str, ...] = getattr(source, "random_operators", tuple)()
    if operators and image is not None:
        trace = source.without_random().preprocess(image)  # type: ignore[union-attr]
        again = Laboratory(trace, lab.candidate, lab.tolerance, lab.seconds)
        if trace.tensor is not None and again.is_same("preprocessing", lab.candidate):
            names = ", ".join(operators)
            proof = f"without {names}, {one}'s operators run and return {two}'s tensor ({again.tensor_amount(lab.candidate)})"
            summary = f"{one} stopped at {names}, a random operator that evaluation must not have"
            fix = Fix(f"take {names} out of Eval.dataset.transforms of the training yml, and evaluate again")
            return lab.claim(stage, "reference.not_repeatable", summary, [proof], fix)
    return lab.unknown(stage, f"{one} stopped, so there is nothing to compare with")


def _preprocessed(lab: Laboratory, trace: Trace) -> Trace | None:
    image = lab.image
    if trace.source is None or image is None:
        return None
    try:
        return trace.source.preprocess(image)
    except Exception:  # a pipeline of the user's may only trace
        return None


def _tensor(lab: Laboratory, trace: Trace, again: Trace, cause: str, stage: str) -> Diagnosis:
    assert again.tensor is not None
    assert trace.tensor is not None
    if again.tensor.shape == trace.tensor.shape:
        amount = f"by up to {float(np.max(np.abs(again.tensor - trace.tensor))):.3g}"
    else:
        amount = f"in shape, {trace.tensor.shape} and {again.tensor.shape}"
    proof = [f"the same image twice through {trace.pipeline} gives tensors that differ {amount}"]
    named = getattr(trace.source, "random_operators", None)
    operators: tuple[str, ...] = named() if named is not None else ()
    if operators:
        proof.append(f"its transforms hold random operators: {', '.join(operators)}")
        fix = Fix(f"take {', '.join(operators)} out of Eval.dataset.transforms of the training yml, and export again")
    else:
        fix = Fix(f"find what is random in the preprocessing of {trace.pipeline}, and take it out")
    return lab.claim(stage, cause, f"{trace.pipeline} does not agree with itself", proof, fix)


def _map(lab: Laboratory, trace: Trace, cause: str) -> list[Diagnosis]:
    if trace.source is None or trace.tensor is None or trace.probability_map is None:
        return []
    again = lab.infer(trace.source.infer, trace.tensor)
    if again is None or again.shape != trace.probability_map.shape or not np.all(np.isfinite(again)):
        return []
    amount = float(np.max(np.abs(again - trace.probability_map), initial=0.0))
    if not amount > max(1e-4, 4 * (lab.reference.measure_floor() or 0.0)):
        lab.ruled_out.append(f"repeatability: {trace.pipeline}'s network returns the same map again ({amount:.1e})")
        return []
    proof = f"the same tensor twice through {trace.pipeline}'s network gives maps that differ by up to {amount:.3g}"
    fix = "look for dropout and other random layers (was eval() called before exporting?), then for races: cpu_threads = 1"
    return [lab.claim(PROBABILITY_MAP, cause, f"{trace.pipeline} does not agree with itself", [proof], Fix(fix))]
