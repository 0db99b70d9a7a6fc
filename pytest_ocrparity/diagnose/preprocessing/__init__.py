"""Examines the preprocessing stage by stage, each with the earlier stages put right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from pytest_ocrparity.diagnose.laboratory import BEFORE_NETWORK, Laboratory
from pytest_ocrparity.diagnose.parameter_experiments import by_parameters, with_reference_parameters
from pytest_ocrparity.diagnose.patched_candidate import PatchedCandidate
from pytest_ocrparity.diagnose.preprocessing import normalizing, resizing
from pytest_ocrparity.diagnose.preprocessing.decoding import by_decoder, by_reference_pixels, by_reversed_channels
from pytest_ocrparity.diagnose.preprocessing.padded_tensor import by_padded_tensor
from pytest_ocrparity.diagnose.preprocessing.pictures import by_decoded_picture, by_pictures
from pytest_ocrparity.diagnosis import UNKNOWN, Diagnosis
from pytest_ocrparity.stages import DECODE, PREPROCESSING, RESIZE, TENSOR
from pytest_ocrparity.trace import Trace

EXPERIMENTS: Mapping[str, tuple[Callable[[Laboratory, PatchedCandidate], Any], ...]] = {
    DECODE: (by_decoder, by_reversed_channels, by_decoded_picture, by_reference_pixels),
    RESIZE: resizing.experiments,
    TENSOR: (*normalizing.experiments, by_pictures, by_padded_tensor),
}


def is_preprocessing_same(lab: Laboratory) -> bool:
    """Return whether there is nothing to examine: the tensors agree, or a side did not record one."""
    first = lab.compare_with_reference(PREPROCESSING, lab.candidate)
    is_same = lab.is_same(PREPROCESSING, lab.candidate)
    # The assertion itself reports a tensor that was not recorded.
    return is_same or first.stage is None or first.is_missing or lab.reference.tensor is None


def examine_preprocessing(lab: Laboratory, found: list[Diagnosis]) -> None:
    """Add to `found` each cause for which the two tensors differ, as it is found."""
    first = lab.compare_with_reference(PREPROCESSING, lab.candidate).stage or TENSOR
    is_run = lab.can_run and lab.run_preprocessing() is not None
    if not is_run:
        lab.not_tried.append(why_no_preprocessing_again(lab))
        lab.use_recorded()
    if lab.run_preprocessing() is None:
        found.append(lab.unknown_cause(first))
        return
    start = len(found)
    for stage in BEFORE_NETWORK:
        if not lab.is_same_stage(stage, lab.run_preprocessing()):
            found += examine_preprocessing_stage(lab, stage)
            if found[-1].cause == UNKNOWN and lab.before is lab.reference:
                _withdraw_sizes(lab, found)
                return
        if stage == DECODE and (diagnosis := by_channel_order(lab)) is not None:
            found.append(diagnosis)
    if len(found) == start:
        found.append(lab.unknown_cause(first))


def _withdraw_sizes(lab: Laboratory, found: list[Diagnosis]) -> None:
    """Turn a resize cause that only sizes showed into an unknown one where the tensors still differ."""
    trace = lab.run_preprocessing(PatchedCandidate(lab.own))
    if (
        lab.before is not lab.reference
        or trace is None
        or (trace.resize is not None and lab.reference.resize is not None)
        or found[-1].stage != TENSOR
    ):
        return
    for index, diagnosis in enumerate(found[:-1]):
        if diagnosis.stage == RESIZE:
            lab.noticed.append(f"the sizes agree once {diagnosis.cause} is put right: {diagnosis.summary}")
            lab.not_tried.append("the resized pixels, which this side does not record, and the tensors differ still")
            found[index] = lab.unknown_cause(RESIZE, "the resized images have different sizes")


def why_no_preprocessing_again(lab: Laboratory) -> str:
    """Return in words that the candidate's preprocessing can't be run again, and why."""
    text = f"experiments that run the preprocessing of {lab.names.candidate}"
    if lab.can_run and lab.image is None:
        return f"{text}: {lab.candidate.label} is no file, or no longer the one that the traces are of"
    return f"{text}: it can't be run again on this image"


def by_channel_order(lab: Laboratory) -> Diagnosis | None:
    """Return a channel order as the cause if, with the reference's, the tensor is nearer to the reference's."""
    trace, reference = lab.run_preprocessing(), lab.reference
    if trace is None or trace.decode is None or reference.decode is None:
        return None
    if trace.decode.channel_order == reference.decode.channel_order:
        return None

    def fixes_stage(patched: PatchedCandidate) -> str | None:
        made = lab.run_preprocessing(patched)
        if made is None or made.decode is None or made.decode.channel_order != reference.decode.channel_order:  # type: ignore[union-attr]
            return None
        before, after = _tensor_distance(reference, trace), _tensor_distance(reference, made)
        return "" if after < before else None

    found = by_parameters(lab, DECODE, fixes_stage)
    return found[0] if found else None


def _tensor_distance(reference: Trace, trace: Trace) -> float:
    """Return the mean distance of two tensors; of channel means where sizes differ; infinity where axes differ."""
    first, second = reference.tensor, trace.tensor
    if first is None or second is None or first.ndim != 4 or second.ndim != 4 or first.shape[1] != second.shape[1]:
        return float("inf")
    if first.shape != second.shape:
        return float(np.mean(np.abs(first.mean(axis=(0, 2, 3)) - second.mean(axis=(0, 2, 3)))))
    return float(np.mean(np.abs(first - second)))


def examine_preprocessing_stage(lab: Laboratory, stage: str) -> list[Diagnosis]:
    """Return the causes of one stage: of parameters, else of other experiments, also with all parameters put right."""

    def fixes_stage(patched: PatchedCandidate) -> str | None:
        trace = lab.run_preprocessing(patched)
        if trace is None or not lab.is_same_stage(stage, trace):
            return None
        if stage == RESIZE and (trace.resize is None or lab.before.resize is None):
            return "in size: its pixels are not recorded"
        return lab.describe_tensor_difference(trace) if stage == TENSOR else ""

    found = by_parameters(lab, stage, fixes_stage)
    if found:
        return found
    start = lab.patched
    with_parameters = with_reference_parameters(lab, stage, start)
    for experiment in EXPERIMENTS[stage]:
        for base in (start, with_parameters):
            made = None if base is None else experiment(lab, base)
            if made is None:
                continue
            stated, patched = made
            also = stated if isinstance(stated, tuple) else (stated,)
            # Where parameters had to change too, they are searched again with this cause put right.
            lab.patched = start
            lab.adopt_patch(stage, also[0].cause, replace(patched, pipeline=start.pipeline))
            parameters = by_parameters(lab, stage, fixes_stage) if base is not start else []
            lab.reset_notes()
            return [*parameters, *also]
    lab.patched = start
    return [lab.unknown_cause(stage)]
