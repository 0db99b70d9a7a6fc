"""Why the tensors differ: experiments stage by stage, each on top of what the earlier ones mended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pytest_ocrparity.diagnose import decoding, normalizing, resizing
from pytest_ocrparity.diagnose.laboratory import PREPROCESSING, Laboratory
from pytest_ocrparity.diagnose.parameters import by_parameters, groups, with_all
from pytest_ocrparity.diagnose.remedy import Remedy
from pytest_ocrparity.diagnosis import UNKNOWN, Diagnosis
from pytest_ocrparity.trace import DECODE, RESIZE, TENSOR

__all__ = ["examine_preprocessing"]

EXPERIMENTS = {DECODE: decoding.experiments, RESIZE: resizing.experiments, TENSOR: normalizing.experiments}


def examine_preprocessing(lab: Laboratory) -> Iterator[Diagnosis]:
    """Yield the causes for which the two sides feed their networks different tensors."""
    first = lab.judged("preprocessing", lab.candidate)
    is_same = lab.is_same("preprocessing", lab.candidate)
    if is_same or first.stage is None or first.is_missing or lab.reference.tensor is None:
        return  # where one of them records no tensor, the assertion that asked for it says so
    if lab.preprocessed() is None:
        lab.not_tried.append(_why_not_again(lab))
        yield lab.unknown(first.stage)
        return
    found: list[Diagnosis] = []
    for stage in PREPROCESSING:
        if not lab.is_same_stage(stage, lab.preprocessed()):
            found = _examine(lab, stage)
            yield from found
            if found[-1].cause == UNKNOWN:
                return
    if not found:
        yield lab.unknown(first.stage)


def _why_not_again(lab: Laboratory) -> str:
    told = "any experiment with the preprocessing"
    if lab.remedy is not None and lab.image is None:
        return f"{told}: {lab.candidate.label} is no file, or no longer the one that the traces are of"
    return f"{told}: {lab.names[1]} can't be run again on this image"


def _examine(lab: Laboratory, stage: str) -> list[Diagnosis]:
    """Return the causes of one stage; parameters first, then what else could be, on either."""

    def is_mended(remedy: Remedy) -> str | None:
        trace = lab.preprocessed(remedy)
        if trace is None or not lab.is_same_stage(stage, trace):
            return None
        return lab.tensor_amount(trace) if stage == TENSOR else ""

    found = by_parameters(lab, stage, is_mended)
    if found:
        return found
    start = lab.remedy
    assert start is not None  # the caller has run it
    for experiment in EXPERIMENTS[stage]:
        for base, own in ((start, []), (with_all(lab, stage, start), groups(lab, stage))):
            if base is None:
                continue
            made = experiment(lab, base)
            if made is None:
                continue
            diagnosis, mended = made
            lab.remedy = mended
            # With parameters that had to change as well, each of them is found again on top of what is mended.
            parameters = by_parameters(lab, stage, is_mended, replace(mended, pipeline=start.pipeline)) if own else []
            lab.forget()
            return [*parameters, diagnosis]
    lab.remedy = start
    return [lab.unknown(stage)]
