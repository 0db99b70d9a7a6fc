"""Why the tensors differ: experiments stage by stage, each on top of what the earlier ones put right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pytest_ocrparity.diagnose.laboratory import BEFORE_NETWORK, Laboratory
from pytest_ocrparity.diagnose.parameter_experiments import by_parameters, groups, with_all
from pytest_ocrparity.diagnose.patched_candidate import Remedy
from pytest_ocrparity.diagnose.preprocessing import decoding, normalizing, resizing
from pytest_ocrparity.diagnosis import UNKNOWN, Diagnosis
from pytest_ocrparity.stages import DECODE, PREPROCESSING, RESIZE, TENSOR
from pytest_ocrparity.trace import Trace

EXPERIMENTS = {DECODE: decoding.experiments, RESIZE: resizing.experiments, TENSOR: normalizing.experiments}


def is_preprocessing_same(lab: Laboratory) -> bool:
    """Tell whether there is nothing to examine: the tensors agree, or a side did not record its own."""
    first = lab.judged(PREPROCESSING, lab.candidate)
    is_same = lab.is_same(PREPROCESSING, lab.candidate)
    # Where one of them records no tensor, the assertion that asked for it says so.
    return is_same or first.stage is None or first.is_missing or lab.reference.tensor is None


def examine_preprocessing(lab: Laboratory, found: list[Diagnosis]) -> None:
    """Add the causes for which the two sides feed their networks different tensors, one by one as they are found."""
    first = lab.judged(PREPROCESSING, lab.candidate).stage or TENSOR
    is_run = lab.can_run and lab.preprocessed() is not None
    if not is_run:
        lab.not_tried.append(_why_not_again(lab))
        lab.use_recorded()
    if lab.preprocessed() is None:
        found.append(lab.unknown(first))
        return
    start = len(found)
    for stage in BEFORE_NETWORK:
        if not lab.is_same_stage(stage, lab.preprocessed()):
            found += _examine(lab, stage)
            if found[-1].cause == UNKNOWN and lab.before is lab.reference:
                _withdraw_sizes(lab, found)
                return
        if stage == DECODE and (diagnosis := _channel_order(lab)) is not None:
            found.append(diagnosis)
    if len(found) == start:
        found.append(lab.unknown(first))


def _withdraw_sizes(lab: Laboratory, found: list[Diagnosis]) -> None:
    """Take back what was said of a resize of which only the size was seen: without the tensor it is not shown."""
    trace = lab.preprocessed(Remedy(lab.own))
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
            found[index] = lab.unknown(RESIZE, "the resized images have different sizes")


def _why_not_again(lab: Laboratory) -> str:
    told = "experiments that run the preprocessing of"
    if lab.can_run and lab.image is None:
        return f"{told} {lab.names[1]}: {lab.candidate.label} is no file, or no longer the one that the traces are of"
    return f"{told} {lab.names[1]}: it can't be run again on this image"


def _channel_order(lab: Laboratory) -> Diagnosis | None:
    """Name a channel order that differs where it reaches the tensor: the reference's brings the tensor nearer."""
    trace, reference = lab.preprocessed(), lab.reference
    if trace is None or trace.decode is None or reference.decode is None:
        return None
    if trace.decode.channel_order == reference.decode.channel_order:
        return None

    def puts_right(remedy: Remedy) -> str | None:
        made = lab.preprocessed(remedy)
        if made is None or made.decode is None or made.decode.channel_order != reference.decode.channel_order:  # type: ignore[union-attr]
            return None
        before, after = _distance(reference, trace), _distance(reference, made)
        return "" if after < before else None

    found = by_parameters(lab, DECODE, puts_right)
    return found[0] if found else None


def _distance(reference: Trace, trace: Trace) -> float:
    """Return the mean distance of two tensors, infinite where they can't be compared; of other sizes, by channel."""
    one, two = reference.tensor, trace.tensor
    if one is None or two is None or one.ndim != 4 or two.ndim != 4 or one.shape[1] != two.shape[1]:
        return float("inf")
    if one.shape != two.shape:
        return float(np.mean(np.abs(one.mean(axis=(0, 2, 3)) - two.mean(axis=(0, 2, 3)))))
    return float(np.mean(np.abs(one - two)))


def _examine(lab: Laboratory, stage: str) -> list[Diagnosis]:
    """Return the causes of one stage; parameters first, then what else could be, on either."""

    def puts_right(remedy: Remedy) -> str | None:
        trace = lab.preprocessed(remedy)
        if trace is None or not lab.is_same_stage(stage, trace):
            return None
        if stage == RESIZE and (trace.resize is None or lab.before.resize is None):
            return "in size: its pixels are not recorded"
        return lab.tensor_amount(trace) if stage == TENSOR else ""

    found = by_parameters(lab, stage, puts_right)
    if found:
        return found
    start = lab.remedy
    for experiment in EXPERIMENTS[stage]:
        for base, own in ((start, []), (with_all(lab, stage, start), groups(lab, stage))):
            if base is None:
                continue
            made = experiment(lab, base)
            if made is None:
                continue
            diagnosis, put_right = made
            # With parameters that had to change as well, each of them is found again on top of what is put right.
            lab.remedy = start
            lab.adopt(stage, diagnosis.cause, replace(put_right, pipeline=start.pipeline))
            parameters = by_parameters(lab, stage, puts_right) if own else []
            lab.forget()
            return [*parameters, diagnosis]
    lab.remedy = start
    return [lab.unknown(stage)]
