"""What a run has diagnosed so far: a cause is looked for once, and confirmed on every other image it shows on."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from pytest_ocrparity.diagnose import examine
from pytest_ocrparity.diagnose.laboratory import BudgetSpentError, Laboratory
from pytest_ocrparity.diagnose.remedy import Remedy
from pytest_ocrparity.diagnose.repeatability import examine_repeatability, refused
from pytest_ocrparity.diagnosis import UNKNOWN, Diagnosis
from pytest_ocrparity.tolerance import Tolerance
from pytest_ocrparity.trace import DETECTIONS, STAGES, TENSOR, Trace, first_stage
from pytest_ocrparity.verdict import Comparison

__all__ = ["Memory"]

MOST_DIAGNOSES = 3
"""Whole diagnoses of one signature; on further images nothing more is looked for than what was found."""


@dataclass(frozen=True)
class Known:
    """The causes found on one image, and the remedy that removed them."""

    image: str
    diagnoses: tuple[Diagnosis, ...]
    remedy: Remedy | None
    sides: tuple[object, object]
    """The two pipelines, kept so that no later one is taken for them."""


@dataclass
class Memory:
    """The diagnoses of one run; `seconds` is what one may take. Tests make it `strict`, to see our own faults."""

    seconds: float
    known: dict[str, list[Known]] = field(default_factory=dict)
    by_image: dict[str, tuple[Diagnosis, ...]] = field(default_factory=dict)
    strict: ClassVar[bool] = False

    def diagnose(
        self, reference: Trace, candidate: Trace, comparisons: Sequence[Comparison], tolerance: Tolerance
    ) -> tuple[Diagnosis, ...]:
        """Return the causes of failed comparisons of one image; experiments run only where none are known."""
        if self.seconds <= 0:
            return ()
        stage = (
            first_stage({c.stage for c in comparisons if c.stage and not c.is_match and not c.is_missing}) or DETECTIONS
        )
        signature = _signature(reference, candidate, stage, comparisons)
        key = f"{signature} {candidate.image} {candidate.image_sha256}"
        if key not in self.by_image:
            lab = Laboratory(reference, candidate, tolerance, self.seconds)
            try:
                with warnings.catch_warnings():
                    if not self.strict:  # a user's `filterwarnings = error` is not about our experiments
                        warnings.simplefilter("ignore")
                    self.by_image[key] = self._look(lab, signature, stage)
            except Exception as error:  # a fault of ours or of a pipeline must not hide the difference itself
                if self.strict:
                    raise
                self.by_image[key] = (lab.unknown(stage, f"the diagnosis stopped: {type(error).__name__}: {error}"),)
        table = getattr(candidate.source, "table", "inference")
        return tuple(diagnosis.in_table(table) for diagnosis in self.by_image[key])

    def _look(self, lab: Laboratory, signature: str, stage: str) -> tuple[Diagnosis, ...]:
        if (unknown := refused(lab, stage)) is not None:
            return (unknown,)
        entries = self.known.setdefault(signature, [])
        for entry in entries:
            again = replace(lab, ruled_out=[], not_tried=[], memo={}, runs=0)  # the clock goes on
            if _confirms(entry, again):
                return tuple(_confirmed(each, entry.image) for each in entry.diagnoses)
        if len(entries) >= MOST_DIAGNOSES:
            images = ", ".join(entry.image for entry in entries)
            lab.not_tried.append(f"experiments on this image; what was found on {images} was not confirmed on it")
            return (
                lab.unknown(stage, f"budget spent: this run has made {MOST_DIAGNOSES} diagnoses of such a failure"),
            )
        found = tuple(examine(lab, stage))
        entries.append(Known(lab.candidate.label, found, lab.remedy, (lab.reference.source, lab.candidate.source)))
        return found


def _signature(reference: Trace, candidate: Trace, stage: str, comparisons: Sequence[Comparison]) -> str:
    earlier = STAGES[: STAGES.index(stage) + 1]
    differing = [
        (p.stage, p.name, p.reference, p.candidate) for c in comparisons for p in c.parameters if p.stage in earlier
    ]
    sides = [(trace.pipeline, id(trace.source)) for trace in (reference, candidate)]
    return json.dumps([sides, stage, differing], default=str)


def _confirms(known: Known, lab: Laboratory) -> bool:
    """Tell whether the causes found on another image explain this one, with two network runs at most."""
    if any(each.cause == UNKNOWN for each in known.diagnoses):
        return False
    try:
        if any(each.cause.endswith("not_repeatable") for each in known.diagnoses):
            return [d.cause for d in examine_repeatability(lab)] == [d.cause for d in known.diagnoses]
        lab.remedy = known.remedy
        remedy = known.remedy
        applies = remedy is not None and (remedy.applies is None or remedy.applies(lab.reference, lab.candidate))
        return remedy is not None and applies and _same_all_through(lab, remedy)
    except BudgetSpentError:
        return False


def _same_all_through(lab: Laboratory, remedy: Remedy) -> bool:
    """Tell whether the remedy takes this image to the reference's tensor, map and boxes."""
    reference, candidate = lab.reference, lab.candidate
    if reference.tensor is not None and not lab.is_same_stage(TENSOR, lab.preprocessed()):
        return False
    if reference.tensor is not None and reference.probability_map is not None:
        is_own = candidate.tensor is not None and np.array_equal(candidate.tensor, reference.tensor)
        theirs = candidate.probability_map if is_own else None
        if remedy.explains is not None:
            if theirs is None and candidate.error is None:
                theirs = lab.infer(lambda tensor: remedy.pipeline.infer(tensor), reference.tensor)
            if not remedy.explains(lab, theirs):
                return False
        elif not lab.is_same_map(
            theirs if theirs is not None and remedy.infer is None else lab.infer(remedy.run, reference.tensor)
        ):
            return False
    return reference.detections is None or reference.probability_map is None or lab.is_same_boxes(lab.postprocessed())


def _confirmed(diagnosis: Diagnosis, image: str) -> Diagnosis:
    return replace(diagnosis, evidence=(f"found on {image}, and confirmed on this image by an experiment of its own",))
