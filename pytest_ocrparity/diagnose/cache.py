"""What a run has diagnosed so far: a cause is looked for once, and proved again on each further image."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.comparison import Comparison
from pytest_ocrparity.contract import HasSettingsTable, offered
from pytest_ocrparity.diagnose import examine, first_failing_stage
from pytest_ocrparity.diagnose.budget import BudgetSpentError
from pytest_ocrparity.diagnose.laboratory import BEFORE_NETWORK, Laboratory
from pytest_ocrparity.diagnose.parameter_experiments import LEAK, examine_leaks
from pytest_ocrparity.diagnose.patched_candidate import Patch, Remedy
from pytest_ocrparity.diagnose.postprocessing import puts_own_boxes_right
from pytest_ocrparity.diagnose.postprocessing.values import makes_right_boxes
from pytest_ocrparity.diagnose.repeatability import examine_maps, examine_tensors, refused
from pytest_ocrparity.diagnosis import UNKNOWN, Diagnosis
from pytest_ocrparity.stages import DETECTIONS, PROBABILITY_MAP, STAGES, TENSOR
from pytest_ocrparity.trace import Trace

MOST_DIAGNOSES = 3
"""Whole diagnoses of one signature; on further images nothing more is looked for than what was found."""


@dataclass(frozen=True)
class Known:
    """The causes found on one image, and the remedy that removed them."""

    image: str
    diagnoses: tuple[Diagnosis, ...]
    remedy: Remedy
    sides: tuple[object, object]
    """The two pipelines, kept so that no later one is taken for them."""


@dataclass
class DiagnosisCache:
    """The diagnoses of one run; `seconds` is what one may take. Tests make it `strict`, to see our own faults.

    `announce` is told the image of each diagnosis that begins.
    """

    seconds: float
    announce: Callable[[str], None] = lambda image: None
    known: dict[str, list[Known]] = field(default_factory=dict)
    by_image: dict[str, tuple[Diagnosis, ...]] = field(default_factory=dict)
    kept: dict[int, object] = field(default_factory=dict)
    """The pipelines whose identity is part of a key."""
    strict: ClassVar[bool] = False

    def diagnose(self, comparisons: Comparisons) -> tuple[Diagnosis, ...]:
        """Return the causes of failed comparisons of one image; experiments run only where none are known."""
        if self.seconds <= 0:
            return ()
        reference, candidate, found = comparisons.reference, comparisons.candidate, comparisons.all()
        stage = first_failing_stage(found)
        sides = [self._identity(trace) for trace in (reference, candidate)]
        key = json.dumps([sides, [_content(trace) for trace in (reference, candidate)], str(comparisons.tolerance)])
        if key not in self.by_image:
            lab = Laboratory(comparisons, self.seconds)
            self.announce(candidate.label)
            try:
                with warnings.catch_warnings():
                    if not self.strict:  # a user's `filterwarnings = error` is not about our experiments
                        warnings.simplefilter("ignore")
                    self.by_image[key] = self._look(lab, _signature(sides, stage, found), found)
            except (Exception, SystemExit) as error:  # a fault of ours or of a pipeline must not hide the difference
                if self.strict:
                    raise
                self.by_image[key] = (lab.unknown(stage, f"the diagnosis stopped: {type(error).__name__}: {error}"),)
        side = offered(candidate.source, HasSettingsTable)
        table = "inference" if side is None else side.table
        return tuple(diagnosis.in_table(table) for diagnosis in self.by_image[key])

    def _identity(self, trace: Trace) -> str:
        """Return what tells a side from every other of the run; one without a source is only itself."""
        if trace.source is None:
            is_baseline = trace.recorded_from is None and trace.pipeline.startswith("baseline")
            return trace.pipeline if is_baseline else f"{trace.pipeline}, this trace: {_content(trace)}"
        self.kept[id(trace.source)] = trace.source
        return f"{trace.pipeline} {id(trace.source)}"

    def _look(self, lab: Laboratory, signature: str, comparisons: tuple[Comparison, ...]) -> tuple[Diagnosis, ...]:
        stage = first_failing_stage(comparisons)
        if (unknown := refused(lab, stage)) is not None:
            return (unknown,)
        entries = self.known.setdefault(signature, [])
        for entry in entries:
            again = replace(lab, ruled_out=[], tried=[], not_tried=[], noticed=[], memo={})  # the budget goes on
            if (confirmed := _confirmed(entry, again)) is not None:
                return confirmed
        if len(entries) >= MOST_DIAGNOSES:
            images = ", ".join(entry.image for entry in entries)
            lab.not_tried.append(f"experiments on this image; what was found on {images} was not confirmed on it")
            return (
                lab.unknown(stage, f"budget spent: this run has made {MOST_DIAGNOSES} diagnoses of such a failure"),
            )
        found = tuple(examine(lab))
        entries.append(Known(lab.candidate.label, found, lab.remedy, (lab.reference.source, lab.candidate.source)))
        return found


def _signature(sides: Sequence[str], stage: str, comparisons: Sequence[Comparison]) -> str:
    earlier = STAGES[: STAGES.index(stage) + 1]
    differing = [
        (p.stage, p.name, p.reference, p.candidate) for c in comparisons for p in c.parameters if p.stage in earlier
    ]
    return json.dumps([sides, stage, differing], default=str)


def _content(trace: Trace) -> str:
    """Return a digest of all that a trace holds, as two traces may share every name and differ."""
    digest = hashlib.sha256(repr((trace.image, trace.image_sha256, trace.shape, str(trace.error))).encode())
    found = trace.detections
    arrays = [trace.resize, trace.tensor, trace.probability_map, *((*found.polygons, found.scores) if found else ())]
    for array in arrays:
        digest.update(b"none" if array is None else repr((array.shape, str(array.dtype))).encode())
        digest.update(b"" if array is None else np.ascontiguousarray(array).data)
    digest.update(b"none" if trace.decode is None else repr((trace.decode.sha256, trace.decode)).encode())
    return digest.hexdigest()


def _confirmed(known: Known, lab: Laboratory) -> tuple[Diagnosis, ...] | None:
    """Return the causes found on another image that show on this one as well, with two network runs at most.

    All of them together must take this image from end to end, where nothing was unknown; and each is stated only if
    its stage differs without it. None where they do not explain this image.
    """
    named = [each for each in known.diagnoses if each.cause != UNKNOWN]
    unknown = {each.stage for each in known.diagnoses if each.cause == UNKNOWN}
    if not named:
        return None
    try:
        if any(each.cause.endswith("not_repeatable") for each in named):
            again = examine_tensors(lab) or examine_maps(lab)
            return tuple(again) if [d.cause for d in again] == [d.cause for d in known.diagnoses] else None
        lab.remedy = known.remedy
        if known.remedy.own_size and not _compares_at_own_size(lab):
            return None
        if known.remedy.applies is not None and not known.remedy.applies(lab.reference, lab.candidate):
            return None
        stages = _stages_put_right(lab, unknown)
        if stages is None:
            return None
        shown = [each for each in known.diagnoses if each.cause == UNKNOWN or _has_effect(lab, each)]
    except BudgetSpentError:
        return None
    if not any(each.cause != UNKNOWN for each in shown):
        return None
    told = [_again(each, known.image, stages) for each in shown]
    return tuple(examine_leaks(lab, told)) if any(each.cause == LEAK for each in named) else tuple(told)


def _compares_at_own_size(lab: Laboratory) -> bool:
    """Compare the reference's preprocessing at this candidate's size, as on the image on which that was found."""
    tensor = lab.candidate.tensor
    at_size = None if tensor is None else lab.at_size((int(tensor.shape[2]), int(tensor.shape[3])))
    if at_size is None:
        return False
    lab.before = replace(at_size, image=lab.reference.image, image_sha256=lab.reference.image_sha256)
    return True


def _stages_put_right(lab: Laboratory, unknown: set[str]) -> str | None:
    """Return which stages come out as the reference's under the remedy; None where one does not that should.

    Those that were unknown on the other image must differ here as well, and nothing is asked of what follows in the
    preprocessing.
    """
    reference, right = lab.reference, []
    if reference.tensor is not None and lab.candidate.tensor is not None:
        is_same = lab.is_same_stage(TENSOR, lab.preprocessed())
        if is_same == bool(unknown & set(BEFORE_NETWORK)):
            return None
        right += ["tensor"] if is_same else []
    if reference.probability_map is not None and (lab.candidate.probability_map is not None or lab.candidate.error):
        is_same = _is_same_network(lab)
        if is_same == (PROBABILITY_MAP in unknown):
            return None
        right += ["map"] if is_same else []
    if reference.detections is not None and lab.candidate.detections is not None:
        if (is_same := _are_same_boxes(lab)) == (DETECTIONS in unknown):
            return None
        right += ["boxes"] if is_same else []
    return " and ".join(right) or None


def _is_same_network(lab: Laboratory) -> bool:
    """Tell whether the network's cause, if there is one, explains this image's map; else the networks must agree."""
    reference, candidate, remedy = lab.reference, lab.candidate, lab.remedy
    own, tensor = candidate.probability_map, reference.tensor
    if remedy.explains is None and remedy.infer is None and own is not None and lab.is_same_map(own):
        return True
    if tensor is None:
        return False
    is_own = own is not None and candidate.tensor is not None and np.array_equal(candidate.tensor, tensor)
    if remedy.explains is not None:
        made = own if is_own or candidate.error is not None else lab.infer(lab.own.infer, tensor)
        return remedy.explains(lab, made)
    return lab.is_same_map(lab.infer(remedy.run, tensor))


def _are_same_boxes(lab: Laboratory) -> bool:
    if lab.remedy.reference_values is not None:
        return makes_right_boxes(lab, lab.remedy.reference_values)
    if lab.reference.probability_map is None or lab.reference.shape is None:
        return _are_own_boxes_right(lab, lab.remedy)
    boxes = lab.postprocessed()
    if boxes is None:
        return _are_own_boxes_right(lab, lab.remedy)
    is_own = all(patch.stage != DETECTIONS for patch in lab.remedy.patches) or _are_own_boxes_right(lab, lab.remedy)
    return lab.is_same_boxes(boxes) and is_own


def _has_effect(lab: Laboratory, diagnosis: Diagnosis) -> bool:
    """Tell whether a stage differs on this image when its cause is the only one that is not put right."""
    patch = _patch_of(lab, diagnosis)
    if patch is None:
        return False
    if patch.stage == PROBABILITY_MAP:
        own = lab.candidate.probability_map
        return own is None or not lab.is_same_map(own)
    rest = lab.remedy.without(patch.cause, lab.own)
    if rest is None:
        return False
    if patch.stage in BEFORE_NETWORK:
        if patch.fields.get("own_size"):  # the reference is compared at the candidate's size, which then differs
            return lab.candidate.tensor is not None and lab.candidate.tensor.shape != lab.reference.tensor.shape  # type: ignore[union-attr]
        trace = lab.preprocessed(rest)
        return not all(lab.is_same_stage(stage, trace) for stage in BEFORE_NETWORK)
    boxes = lab.postprocessed(rest)
    if patch.fields.get("reference_values") and boxes is None:
        return not lab.is_same(DETECTIONS, lab.candidate)
    if boxes is None or lab.reference.probability_map is None:
        return not _are_own_boxes_right(lab, rest)
    return not lab.is_same_boxes(boxes) and not _are_own_boxes_right(lab, rest)


def _are_own_boxes_right(lab: Laboratory, remedy: Remedy) -> bool:
    return puts_own_boxes_right(lab, remedy, needs_fault=False)


def _patch_of(lab: Laboratory, diagnosis: Diagnosis) -> Patch | None:
    """Return the patch that put a cause right; a leak into the reference is a stage's parameters."""
    return next(
        (
            patch
            for patch in lab.remedy.patches
            if patch.cause == diagnosis.cause or (diagnosis.cause == LEAK and patch.stage == diagnosis.stage)
        ),
        None,
    )


def _again(diagnosis: Diagnosis, image: str, stages: str) -> Diagnosis:
    """Return a diagnosis as it is stated for another image than it was found on."""
    if diagnosis.cause == UNKNOWN:
        told = (f"the experiments that were made on {image}, which explained nothing there",)
        return replace(diagnosis, evidence=(), ruled_out=(), tried=(), not_tried=told)
    told = (f"found on {image}; here as well the stage differs unless it is put right, and then the {stages} agree",)
    return replace(diagnosis, evidence=told)
