"""Whether the candidate scales a line before it resizes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from pytest_ocrparity.contract import TakesParameters, WordsFixes, offered
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.parameter_experiments import OWN_CAUSES
from pytest_ocrparity.diagnose.recognition.line_sizes import line_sizes_text
from pytest_ocrparity.diagnosis import UNKNOWN, Diagnosis, Fix
from pytest_ocrparity.stages import RESIZE
from pytest_ocrparity.trace import Trace

SCALED: Final = {"page_size": OWN_CAUSES["page_size"], "least_size": OWN_CAUSES["least_size"]}
"""The parameters of a line that is scaled before its resize, with their causes."""


def scaled_line_cause(lab: Laboratory, trace: Trace) -> Diagnosis | None:
    """Return that the candidate scales a line before it resizes it, where it says so and makes another line without.

    Then `lab.patched` makes it without.
    """
    right, own = (each.parameters.get(RESIZE, {}) for each in (lab.reference, trace))
    name = next((each for each in SCALED if own.get(each) is not None and right.get(each) is None), None)
    if name is None or offered(lab.own, TakesParameters) is None:
        return None
    patched = lab.attempt(lambda: lab.patched.varied({RESIZE: {name: None}}), SCALED[name])
    made = None if patched is None else lab.run_preprocessing(patched)
    if patched is None or made is None or made.tensor is None or trace.tensor is None:
        return None
    if np.array_equal(made.tensor, trace.tensor):
        return None
    candidate = lab.names.candidate
    scale = " x ".join(f"{each:.3g}" for each in own[name][::-1])
    proof = f"scaled by {scale} before its resize, {candidate}'s line has other pixels than without: "
    proof += f"{line_sizes_text(lab, made)}; before, {line_sizes_text(lab, trace)}"
    fix = lab.ask(lab.candidate, WordsFixes, lambda side: side.parameter_fix(RESIZE, {name: None}))
    lab.reset_notes()
    lab.patched = patched
    summary = f"{candidate} scales the line by {scale} before it resizes it, and {lab.names.reference} does not"
    said = fix or Fix(f"let {candidate} resize the line as it is in the file")
    return lab.proven_cause(RESIZE, SCALED[name], summary, [proof], said)


def with_scaled_line(scaled: Diagnosis, rest: Sequence[Diagnosis]) -> list[Diagnosis]:
    """Return the cause before those of what differs without it; where some of that is unknown, it is a hint there."""
    if all(each.cause != UNKNOWN for each in rest):
        return [scaled, *rest]
    hint = f"not proved: {scaled.summary}; {scaled.evidence[0]}; what differs then is not explained"
    return [replace(each, evidence=(*each.evidence, hint)) if each.cause == UNKNOWN else each for each in rest]
