"""`DiagnosisCache`: looks for a cause once per run, and proves it again on each further image."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Final

import numpy as np

from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.compare.whole_page import PageComparisons
from pytest_ocrparity.comparison import Comparison
from pytest_ocrparity.contract import HasSettingsTable, offered
from pytest_ocrparity.diagnose import examine, first_stage_to_diagnose
from pytest_ocrparity.diagnose.budget import BudgetSpentError
from pytest_ocrparity.diagnose.kept_state import STATE
from pytest_ocrparity.diagnose.laboratory import BEFORE_NETWORK, Laboratory
from pytest_ocrparity.diagnose.layers import FEATURE_MAPS
from pytest_ocrparity.diagnose.network import map_of_candidate
from pytest_ocrparity.diagnose.page_causes import examine_page, unknown_cause_of_page
from pytest_ocrparity.diagnose.parameter_experiments import LEAK, examine_leaked_parameters
from pytest_ocrparity.diagnose.patched_candidate import Patch, PatchedCandidate
from pytest_ocrparity.diagnose.postprocessing import puts_own_boxes_right
from pytest_ocrparity.diagnose.repeatability import (
    examine_memory_refusal,
    examine_repeatability_of_maps,
    examine_repeatability_of_tensors,
    is_of_chance,
)
from pytest_ocrparity.diagnose.state import state_cause
from pytest_ocrparity.diagnosis import UNKNOWN, Diagnosis, FeatureMaps
from pytest_ocrparity.stages import DETECTIONS, PREPROCESSING, PROBABILITY_MAP, RECOGNITION, STAGES, TENSOR
from pytest_ocrparity.trace import Array, Trace

MOST_DIAGNOSES = 3
"""Most full diagnoses of one signature; on further images only the causes found so far are checked."""

OF_SIDES: Final = "memo of sides"
KEPT_IN_MEMO: Final = ("exported", "types", "stored", "nearest", "plain run", "quantised", "half")
"""What of a laboratory's memo is of two sides, whatever the line."""

OF_IMAGE: Final = frozenset(
    {
        *("decode.scaled", "decode.cropped", "resize.padding", "resize.limits", "resize.rounding"),
        *("resize.image_shape", "normalize.precision", "layout.map", "network.pointwise"),
        *("pipeline.boxes", UNKNOWN),
    }
)
"""Causes whose summary may hold numbers of one image, such as its size, or where its page lies in the picture. Where a
parameter is the cause, and in all other summaries, they are numbers of the sides."""


@dataclass(frozen=True)
class Known:
    """The causes found on one image, and the patched candidate in which they are put right."""

    image: str
    diagnoses: tuple[Diagnosis, ...]
    patched: PatchedCandidate
    sides: tuple[object, object]
    """The two pipelines, kept alive so that no later one has their identity."""


@dataclass
class DiagnosisCache:
    """The diagnoses of one run.

    Attributes:
        seconds: processor time that one diagnosis may use; 0 means that none is made.
        announce: called with the image of each diagnosis that begins.
        ran_before: returns the files of the images that a candidate ran before this one, in their order.
        known: by signature, the causes found so far.
        by_image: by sides and content of two traces, their diagnoses.
        kept: the pipelines whose `id` is part of a key, kept alive.
        histories: by sides, see `Laboratory.history`.
        strict: do not hide what a diagnosis raises or warns of; set by tests.
    """

    seconds: float
    announce: Callable[[str], None] = lambda image: None
    ran_before: Callable[[Trace], Sequence[str]] = lambda candidate: ()
    known: dict[str, list[Known]] = field(default_factory=dict)
    by_image: dict[str, tuple[Diagnosis, ...]] = field(default_factory=dict)
    kept: dict[int, object] = field(default_factory=dict)
    histories: dict[str, dict[str, Any]] = field(default_factory=dict)
    strict: ClassVar[bool] = False

    def diagnose(self, comparisons: Comparisons) -> tuple[Diagnosis, ...]:
        """Return the causes of failed comparisons of one image; known causes are checked first."""
        if self.seconds <= 0:
            return ()
        reference, candidate, found = comparisons.reference, comparisons.candidate, comparisons.all()
        stage = first_stage_to_diagnose(found)
        sides = [self._side_key(trace) for trace in (reference, candidate)]
        key = json.dumps(
            [sides, [_trace_digest(trace) for trace in (reference, candidate)], str(comparisons.tolerance)]
        )
        if key not in self.by_image:
            history = self.histories.setdefault(json.dumps(sides), {})
            lab = Laboratory(comparisons, self.seconds, history=history, earlier=self.ran_before(candidate))
            self.by_image[key] = self._guarded(
                lambda: self._confirm_or_examine(lab, _failure_signature(sides, stage, found), found),
                lambda text: lab.unknown_cause(stage, text),
            )
        return _in_table_of(candidate, self.by_image[key])

    def diagnose_page(self, made: PageComparisons) -> tuple[Diagnosis, ...]:
        """Return the causes of two pages that differ; those of a model alone are looked for as `diagnose` does."""
        if self.seconds <= 0:
            return ()
        found = self._guarded(lambda: examine_page(made, self.diagnose), lambda text: unknown_cause_of_page(made, text))
        return _in_table_of(made.candidate, found)

    def feature_maps(self, diagnoses: Sequence[Diagnosis], image: str) -> FeatureMaps | None:
        """Return what a search compared at the layer of a diagnosis, where that was found on this image, or a line."""
        known = [each for history in self.histories.values() for each in history.get(FEATURE_MAPS, ())]
        here = [each for each in known if each.image == image or each.image.startswith(f"{image}, ")]
        # In the order of the diagnoses, as a page describes the first that has a layer.
        return next((each for found in diagnoses for each in here if each.layer is found.layer), None)

    def _guarded(
        self, examine_all: Callable[[], Sequence[Diagnosis]], unknown: Callable[[str], Diagnosis]
    ) -> tuple[Diagnosis, ...]:
        """Return what experiments find; where they raise, the unknown cause that says so."""
        try:
            with warnings.catch_warnings():
                if not self.strict:  # a user's `filterwarnings = error` is not meant for experiments
                    warnings.simplefilter("ignore")
                return tuple(examine_all())
        except (Exception, SystemExit) as error:  # a fault here or in a pipeline must not hide the difference
            if self.strict:
                raise
            return (unknown(f"the diagnosis stopped: {type(error).__name__}: {error}"),)

    def _side_key(self, trace: Trace) -> str:
        """Return a text that identifies a side in this run; a trace without a source is a side of its own."""
        if trace.source is None:
            is_baseline = trace.recorded_from is None and trace.pipeline.startswith("baseline")
            return trace.pipeline if is_baseline else f"{trace.pipeline}, this trace: {_trace_digest(trace)}"
        self.kept[id(trace.source)] = trace.source
        return f"{trace.pipeline} {id(trace.source)}"

    def _confirm_or_examine(
        self, lab: Laboratory, signature: str, comparisons: tuple[Comparison, ...]
    ) -> tuple[Diagnosis, ...]:
        stage = first_stage_to_diagnose(comparisons)
        if (unknown := examine_memory_refusal(lab, stage)) is not None:
            return (unknown,)
        entries = self.known.setdefault(signature, [])
        if lab.comparisons.task == RECOGNITION:
            return self._examine_line(lab, entries)
        for entry in entries:
            again = replace(lab, ruled_out=[], tried=[], not_tried=[], noticed=[], memo={})  # the budget is shared
            if (confirmed := _confirmed_causes(entry, again)) is not None:
                return confirmed
        if len(entries) >= MOST_DIAGNOSES:
            images = ", ".join(entry.image for entry in entries)
            lab.not_tried.append(f"experiments on this image; what was found on {images} was not confirmed on it")
            summary = f"budget spent: this run has made {MOST_DIAGNOSES} diagnoses of such a failure"
            return (lab.unknown_cause(stage, summary),)
        return self._examine(lab, entries)

    def _examine_line(self, lab: Laboratory, entries: list[Known]) -> tuple[Diagnosis, ...]:
        """Make the experiments anew: those with a line take milliseconds, and `examine_network` knows its causes."""
        lab.memo |= lab.history.get(OF_SIDES, {})
        found = self._examine(lab, entries)
        lab.history[OF_SIDES] = {name: lab.memo[name] for name in KEPT_IN_MEMO if name in lab.memo}
        return found

    def _examine(self, lab: Laboratory, entries: list[Known]) -> tuple[Diagnosis, ...]:
        """Make all experiments; announce and keep the first few of a signature."""
        is_kept = len(entries) < MOST_DIAGNOSES
        if is_kept:
            self.announce(lab.candidate.label)
        found = tuple(examine(lab))
        if is_kept:
            entries.append(Known(lab.candidate.label, found, lab.patched, (lab.reference.source, lab.candidate.source)))
        return found


def _in_table_of(candidate: Trace, found: Sequence[Diagnosis]) -> tuple[Diagnosis, ...]:
    """Return causes with the settings in their fixes named as the candidate's table has them."""
    side = offered(candidate.source, HasSettingsTable)
    table = "inference" if side is None else side.table
    return tuple(diagnosis.in_table(table) for diagnosis in found)


def _failure_signature(sides: Sequence[str], stage: str, comparisons: Sequence[Comparison]) -> str:
    earlier = STAGES[: STAGES.index(stage) + 1]
    differing = [
        (p.stage, p.name, p.reference, p.candidate) for c in comparisons for p in c.parameters if p.stage in earlier
    ]
    return json.dumps([sides, stage, differing], default=str)


def _trace_digest(trace: Trace) -> str:
    """Return a digest of all that experiments see of a trace, as two traces with the same names may differ."""
    said = trace.image, trace.image_sha256, trace.shape, str(trace.error), trace.parameters, trace.recognition
    digest, found = hashlib.sha256(repr(said).encode()), trace.detections
    arrays = [trace.resize, trace.tensor, trace.probability_map, *((*found.polygons, found.scores) if found else ())]
    for array in arrays:
        digest.update(b"none" if array is None else repr((array.shape, str(array.dtype))).encode())
        digest.update(b"" if array is None else np.ascontiguousarray(array).data)
    digest.update(b"none" if trace.decode is None else repr((trace.decode.sha256, trace.decode)).encode())
    return digest.hexdigest()


def _confirmed_causes(known: Known, lab: Laboratory) -> tuple[Diagnosis, ...] | None:
    """Return the causes found on another image that show on this one too; None where they do not explain it.

    With all of them put right, each stage must come out as the reference's, unless its cause was unknown. A cause is
    stated only if its stage differs without its patch. Takes at most two network runs, and more where a side was found
    not to be repeatable, which is found anew.
    """
    named = [each for each in known.diagnoses if each.cause != UNKNOWN]
    unknown = {each.stage for each in known.diagnoses if each.cause == UNKNOWN}
    if not named:
        return None
    try:
        by_chance = [each.cause for each in named if is_of_chance(each)]
        again: list[Diagnosis] = []
        if by_chance:
            again = examine_repeatability_of_tensors(lab) or examine_repeatability_of_maps(lab)
            if [each.cause for each in again] == [each.cause for each in known.diagnoses]:
                return tuple(again)
            if not lab.noise or [each.cause for each in again] != by_chance:
                return None
        if any(each.cause == STATE for each in named):
            state = state_cause(lab, first_stage_to_diagnose(lab.comparisons.all()))
            return None if state is None else (state,)
        lab.patched = known.patched
        if known.patched.before is not None and not _compares_in_its_way(lab, known.patched.before):
            return None
        if known.patched.applies is not None and not known.patched.applies(lab.reference, lab.candidate):
            return None
        stages = _stages_that_agree(lab, unknown)
        if stages is None:
            return None
        others = [each for each in known.diagnoses if not is_of_chance(each)]
        shown = [each for each in others if each.cause == UNKNOWN or _has_effect(lab, each)]
    except BudgetSpentError:
        return None
    if not any(each.cause != UNKNOWN for each in shown):
        return None
    stated = [*again, *(_restated_diagnosis(lab, each, known.image, stages) for each in shown)]
    return tuple(examine_leaked_parameters(lab, stated)) if any(each.cause == LEAK for each in named) else tuple(stated)


def _compares_in_its_way(lab: Laboratory, make: Callable[[Laboratory], Trace | None]) -> bool:
    """Set `lab.before` to what the reference makes in the candidate's way; return whether it can."""
    made = make(lab)
    if made is None:
        return False
    lab.before = made
    return True


def _stages_that_agree(lab: Laboratory, unknown: set[str]) -> str | None:
    """Return in words the stages that agree once the causes are put right; None where one should and does not.

    A stage whose cause was unknown on the other image must differ here too.
    """
    reference, right = lab.reference, []
    is_stopped = lab.candidate.error is not None and lab.candidate.error.stage in BEFORE_NETWORK
    if reference.tensor is not None and (lab.candidate.tensor is not None or is_stopped):
        is_same = lab.is_same_stage(TENSOR, lab.run_preprocessing())
        if is_same == bool(unknown & set(BEFORE_NETWORK)):
            return None
        right += ["tensor"] if is_same else []
    if _has_maps(lab):
        is_same = _is_same_network(lab)
        if is_same == (PROBABILITY_MAP in unknown):
            return None
        right += ["map"] if is_same else []
    if reference.detections is not None and lab.candidate.detections is not None:
        if (is_same := _are_same_boxes(lab)) == (DETECTIONS in unknown):
            return None
        right += ["boxes"] if is_same else []
    return " and ".join(right) or None


def _has_maps(lab: Laboratory) -> bool:
    """Return whether there is a map of both sides, or of the reference where the candidate stopped."""
    own = lab.candidate.probability_map is not None or lab.candidate.error is not None
    return lab.reference.probability_map is not None and own


def _is_same_network(lab: Laboratory) -> bool:
    """Return whether the network's cause explains this image's map; without one, whether the networks agree."""
    tensor, patched = lab.reference.tensor, lab.patched
    if patched.explains is None and patched.infer is None and lab.maps_agree:
        return True
    if tensor is None:
        return False
    if patched.explains is not None:
        made = _map_of_network(lab)
        return lab.is_same_map(made) or patched.explains(lab, made)
    return lab.is_same_map(lab.run_network(patched.run, tensor))


def _map_of_network(lab: Laboratory) -> Array | None:
    """Return the map that the candidate's network makes of the reference's tensor, made once; None where it stops."""
    if "own map" not in lab.memo:
        lab.memo["own map"] = map_of_candidate(lab)
    made: Array | None = lab.memo["own map"]
    return made


def _are_same_boxes(lab: Laboratory) -> bool:
    if lab.patched.explains_boxes is not None:
        return lab.patched.explains_boxes(lab)
    if lab.reference.probability_map is None or lab.reference.shape is None:
        return _are_own_boxes_right(lab, lab.patched)
    boxes = lab.run_postprocess()
    if boxes is None:
        return _are_own_boxes_right(lab, lab.patched)
    is_patched = any(patch.stage == DETECTIONS for patch in lab.patched.patches)
    return lab.is_same_boxes(boxes) and (not is_patched or _are_own_boxes_right(lab, lab.patched))


def _has_effect(lab: Laboratory, diagnosis: Diagnosis) -> bool:
    """Return whether a stage differs on this image when all causes but this one are put right."""
    patch = _patch_of(lab, diagnosis)
    if patch is None:
        return False
    if patch.stage == PROBABILITY_MAP:  # its own map differs by what is wrong with its tensor as well
        return _has_maps(lab) and lab.reference.tensor is not None and not lab.is_same_map(_map_of_network(lab))
    rest = lab.patched.without(patch.cause, lab.own)
    if rest is None:
        return False
    if patch.stage in BEFORE_NETWORK:
        if (before := patch.fields.get("before")) is not None:
            return _makes_another_tensor(lab, before)
        trace = lab.run_preprocessing(rest)
        return not all(lab.is_same_stage(stage, trace) for stage in BEFORE_NETWORK)
    if patch.fields.get("detectors_own"):
        return not lab.is_same(DETECTIONS, lab.candidate)
    boxes = lab.run_postprocess(rest)
    if patch.fields.get("explains_boxes") and boxes is None:
        return not lab.is_same(DETECTIONS, lab.candidate)
    if boxes is None or lab.reference.probability_map is None:
        return not _are_own_boxes_right(lab, rest)
    return not lab.is_same_boxes(boxes) and not _are_own_boxes_right(lab, rest)


def _makes_another_tensor(lab: Laboratory, before: Callable[[Laboratory], Trace | None]) -> bool:
    """Return whether what the reference makes in the candidate's way is another tensor than its own."""
    reference, made = lab.reference, lab.before if before is lab.patched.before else before(lab)
    if made is None:
        return False
    # The tensor alone, and not as a trace of the reference, which is never compared with itself.
    alone = replace(made, decode=reference.decode, resize=reference.resize, shape=reference.shape, source=None)
    return not lab.is_same(PREPROCESSING, alone)


def _are_own_boxes_right(lab: Laboratory, patched: PatchedCandidate) -> bool:
    return puts_own_boxes_right(lab, patched, needs_fault=False)


def _patch_of(lab: Laboratory, diagnosis: Diagnosis) -> Patch | None:
    """Return the patch that put a cause right; a leak is put right by its stage's parameters."""
    return next(
        (
            patch
            for patch in lab.patched.patches
            if patch.cause == diagnosis.cause or (diagnosis.cause == LEAK and patch.stage == diagnosis.stage)
        ),
        None,
    )


def _restated_diagnosis(lab: Laboratory, diagnosis: Diagnosis, image: str, stages: str) -> Diagnosis:
    """Return a diagnosis as it is stated for an image other than the one that it was found on."""
    patch = _patch_of(lab, diagnosis)
    if diagnosis.cause in OF_IMAGE and not (patch is not None and patch.parameters):
        diagnosis = replace(diagnosis, summary=f"as on {image}, where {diagnosis.summary}")
    if diagnosis.cause == UNKNOWN:
        not_tried = f"the experiments that were made on {image}, which explained nothing there"
        return replace(diagnosis, evidence=(), noticed=(), ruled_out=(), tried=(), not_tried=(not_tried,))
    proof = f"found on {image}; here as well the stage differs unless it is put right, and then the {stages} agree"
    return replace(diagnosis, evidence=(proof,), noticed=())
