"""`Laboratory`: runs parts of the two sides for experiments, judges the results, and keeps the notes of one diagnosis.

It knows no causes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.compare.sensitivity import map_sensitivity, sensitivity_limit
from pytest_ocrparity.comparison import NOT_JUDGEABLE, Comparison
from pytest_ocrparity.contract import Pipeline, ResizesTo, contract_members, offered, pipeline_of
from pytest_ocrparity.diagnose.budget import Budget, BudgetSpentError
from pytest_ocrparity.diagnose.page_frame import Frame
from pytest_ocrparity.diagnose.patched_candidate import Patch, PatchedCandidate, Recorded
from pytest_ocrparity.diagnosis import UNKNOWN, Alternative, Diagnosis, Fix
from pytest_ocrparity.errors import ImageError
from pytest_ocrparity.files import image_file_bytes
from pytest_ocrparity.stages import DECODE, DETECTIONS, PREPROCESSING, PROBABILITY_MAPS, RESIZE, STAGES_OF
from pytest_ocrparity.tolerance import BUILT_IN, Tolerance
from pytest_ocrparity.trace import Array, Detections, Image, Trace

Answer = TypeVar("Answer")
Offer = TypeVar("Offer")

BEFORE_NETWORK = STAGES_OF[PREPROCESSING]
"""The stages before the network, in order."""


class Names(NamedTuple):
    """The names of the two sides in messages."""

    reference: str
    candidate: str


@dataclass
class Laboratory:
    """Holds the state of one diagnosis.

    Attributes:
        comparisons: the comparisons of the two traces, under the tolerance that judged them.
        seconds: processor time that experiments may take.
        own: the candidate's own pipeline, or its recorded trace where it can't be run again.
        patched: `own` with what was put right so far.
        can_run: whether the candidate gives a source, so that it can be run again.
        before: the reference's trace that the candidate's preprocessing is compared with; its own, or one at another
            size.
        to_page: where the page lies in the candidate's picture, once that is known.
        is_picture_explained: whether every difference of the candidate's picture that was recorded has a cause; else
            its map may be of a part of the page, or of a page that lies otherwise in it.
        ruled_out, tried, not_tried: notes for the next unknown cause, see `Diagnosis`.
        has_equal_weights: whether the export's weights were found to be the reference's.
        is_in_program: whether the export's program was found to return the candidate's map without its engine.
        last_error: the error of the last part that raised.
        noticed: facts that explain nothing by themselves and help a reader.
        acquitted: the evidence that the networks agree, where the candidate's can't be run again.
        noise: how far two maps of one tensor lie apart by chance, where a side does not return the same again.
        memo: results that several experiments need and that are slow to get, such as the export's weights.
        history: what earlier images of this run left of each rule, for these two sides.
        earlier: the files of the images that the candidate ran in this run before this one, in their order.
    """

    comparisons: Comparisons
    seconds: float
    ruled_out: list[str] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)
    not_tried: list[str] = field(default_factory=list)
    has_equal_weights: bool = False
    is_in_program: bool = False
    last_error: str = ""
    noticed: list[str] = field(default_factory=list)
    acquitted: str = ""
    noise: float = 0.0
    memo: dict[str, Any] = field(default_factory=dict)
    history: dict[str, Any] = field(default_factory=dict)
    earlier: Sequence[str] = ()
    budget: Budget = None  # type: ignore[assignment]  # made below, or another laboratory's

    def __post_init__(self) -> None:
        self.budget = self.budget or Budget(self.seconds)
        self.reference, self.candidate = self.comparisons.reference, self.comparisons.candidate
        self.tolerance = self.comparisons.tolerance
        source = pipeline_of(self.candidate)
        self.can_run = source is not None
        self.own: Pipeline = Recorded(self.candidate.pipeline, self.candidate) if source is None else source
        self.patched = PatchedCandidate(self.own)
        self.before = self.reference
        self.to_page: Frame | None = None
        self.is_picture_explained = True

    @property
    def names(self) -> Names:
        """The names of the two sides in messages."""
        return Names(self.reference.pipeline, self.candidate.pipeline)

    @property
    def tensor(self) -> Array:
        """The reference's tensor; every experiment with a network has one."""
        assert self.reference.tensor is not None
        return self.reference.tensor

    @cached_property
    def image(self) -> Image | None:
        """The image that both sides saw: its unchanged file, or decoded pixels with the traces' digest, or None."""
        digest = self.reference.image_sha256 or self.candidate.image_sha256
        path = Path(self.candidate.image)
        if path.is_file():
            is_same = digest is None or hashlib.sha256(path.read_bytes()).hexdigest() == digest
            return self.candidate.image if is_same else None
        for trace in (self.reference, self.candidate):
            if trace.decode is not None and trace.decode.pixels is not None and digest is not None:
                pixels = bgr(trace)
                try:
                    if hashlib.sha256(image_file_bytes(pixels)[1]).hexdigest() == digest:
                        return pixels
                except ImageError:  # a side that holds other than 8 bits
                    continue
        return None

    def run_network(self, run: Callable[[Array], Array], tensor: Array, *, runs: float = 1) -> Array | None:
        """Run a network; return None where it raises. Raises BudgetSpentError.

        `run` counts as so many `runs`.
        """
        with self.budget.network_run(tensor.size, runs):
            return self.attempt(lambda: run(tensor))

    def attempt(self, run: Callable[[], Answer], what: str = "") -> Answer | None:
        """Run a part of a side; return None where it raises, as a user's pipeline may implement `trace` only.

        The error is kept as `last_error`. If `what` is given, the error is noted as not tried under that name. Only
        this method catches what a side raises. Raises BudgetSpentError.
        """
        try:
            return run()
        except BudgetSpentError:
            raise
        except Exception as error:
            self.last_error = f"{type(error).__name__}: {' '.join(str(error).split())[-200:]}"
            self.not_tried += [f"{what}: {self.last_error}"] * bool(what)
            return None

    def ask(self, side: Trace, offer: type[Offer], call: Callable[[Offer], Answer], what: str = "") -> Answer | None:
        """Call an offer of a side; return None where the side lacks it or raises.

        What it raises is noted under `what`, by default the names of the offer's members.
        """
        found = offered(side.source, offer)
        if found is None:
            return None
        return self.attempt(lambda: call(found), what or f"{' and '.join(contract_members(offer))} of {side.pipeline}")

    def alternatives(self, give: Callable[[], Iterator[Alternative]] | None) -> Iterator[Alternative]:
        """Yield what a side offers to run in the place of its network, until it raises."""
        offers = iter(()) if give is None else self.attempt(give, "some networks")
        while offers is not None and (other := self.attempt(lambda: next(offers, None), "some networks")) is not None:
            yield other

    def use_recorded(self) -> None:
        """Use the candidate's recorded trace as its preprocessing, as that can't be run again."""
        self.own = Recorded(self.candidate.pipeline, self.candidate, pipeline_of(self.candidate))
        self.patched = PatchedCandidate(self.own)

    def run_preprocessing(self, patched: PatchedCandidate | None = None) -> Trace | None:
        """Run the patched candidate's preprocessing on the image; return None where it can't be run."""
        self.budget.check()
        patched, image = patched or self.patched, self.image
        if isinstance(self.own, Recorded):
            image = self.candidate.image  # what is recorded is of this image, wherever its file is now
        if image is None or (isinstance(self.own, Recorded) and self.candidate.tensor is None):
            return None
        given = image
        return self.attempt(lambda: patched.preprocess(given, self.reference))

    def run_postprocess(self, patched: PatchedCandidate | None = None, trace: Trace | None = None) -> Detections | None:
        """Run the patched candidate's post-process on a trace's map, by default the reference's; None if it can't.

        It is given that trace's shape row, so a candidate's map is read in the candidate's geometry.
        """
        self.budget.check()
        trace = trace or self.reference
        probability_map, shape = trace.probability_map, trace.shape
        if probability_map is None or shape is None:
            return None
        return self.attempt(lambda: (patched or self.patched).postprocess(probability_map, shape))

    def reference_at_size(self, size: tuple[int, int]) -> Trace | None:
        """Run the reference's own preprocessing with another target size (h, w); return None where it can't."""
        self.budget.check()
        source, image = offered(self.reference.source, ResizesTo), self.image
        if source is None or image is None:
            return None
        key = f"at {size}"
        if key not in self.memo:  # operators may take no fixed size
            self.memo[key] = self.attempt(lambda: source.preprocess_at(image, size))
        made: Trace | None = self.memo[key]
        return None if made is None or made.error is not None else made

    def is_same(self, kind: str, candidate: Trace, reference: Trace | None = None) -> bool:
        """Return whether a trace of an experiment keeps the limits that judged the two sides, or the built-in ones.

        Limits that permit nothing would fail a right export too, as rounding remains.
        """
        return any(
            self.compare_with_reference(kind, candidate, limits, reference).is_match
            for limits in (self.tolerance, BUILT_IN)
        )

    def compare_with_reference(
        self, kind: str, candidate: Trace, tolerance: Tolerance | None = None, reference: Trace | None = None
    ) -> Comparison:
        """Compare a trace of an experiment with a reference, by default the diagnosis's own."""
        candidate = replace(candidate, image=self.candidate.image, image_sha256=self.candidate.image_sha256)
        reference, tolerance = reference or self.reference, tolerance or self.tolerance
        made = Comparisons(reference, candidate, tolerance, defers=self.comparisons.defers)
        if kind == DETECTIONS and reference.probability_map is not None and candidate.probability_map is not None:
            # Experiments on boxes share the comparison of their maps, where all that it rests on is the same.
            sides = reference, candidate
            arrays = [array for side in sides for array in (side.probability_map, side.tensor, side.fused_map)]
            rest = [(side.map_error, side.map_sensitivity, side.shape, id(side.source)) for side in sides]
            thresh = reference.parameters.get(DETECTIONS, {}).get("thresh")
            key = str((str(tolerance), thresh, rest, reference.is_recording_of(candidate), *map(_buffer_key, arrays)))
            if key not in self.memo:
                self.memo[key] = made.of(PROBABILITY_MAPS), arrays  # kept, so that no other array takes their address
            made.know(self.memo[key][0])
        return made.of(kind)

    def with_map(self, probability_map: Array) -> Trace:
        """Return the candidate's trace as if it had made this map from the reference's tensor."""
        return replace(
            self.candidate,
            tensor=self.reference.tensor,
            shape=self.reference.shape,
            probability_map=probability_map,
            error=None,
            map_error=0.0,
        )

    def with_boxes(self, detections: Detections) -> Trace:
        """Return the candidate's trace as if it had found these boxes in the reference's map."""
        assert self.reference.probability_map is not None
        return replace(self.with_map(self.reference.probability_map), detections=detections)

    def is_same_map(self, probability_map: Array | None) -> bool:
        """Return whether a map made from the reference's tensor is the reference's."""
        if probability_map is None:
            return False
        right = self.reference.probability_map
        is_by_chance = self.noise > 0 and right is not None and are_equal_maps(self, probability_map, right)
        return is_by_chance or self.is_same(PROBABILITY_MAPS, self.with_map(probability_map))

    @property
    def map_limit(self) -> float:
        """How far two maps of one tensor may lie apart that are the same: by rounding, or by chance."""
        return max(sensitivity_limit(map_sensitivity(self.reference)), self.noise)

    @cached_property
    def maps_agree(self) -> bool:
        """Whether the candidate's own map is the reference's; False where it has none."""
        return self.is_same_map(self.candidate.probability_map)

    def is_judgeable_map(self, probability_map: Array | None) -> bool:
        """Return whether a map that differs from the reference's does so by more than rounding can explain."""
        if probability_map is None:
            return True
        statuses = [
            self.compare_with_reference(PROBABILITY_MAPS, self.with_map(probability_map), limits).status
            for limits in (self.tolerance, BUILT_IN)
        ]
        return NOT_JUDGEABLE not in statuses

    def is_same_boxes(self, detections: Detections | None) -> bool:
        """Return whether boxes found in the reference's map are the reference's; without a map, the boxes alone."""
        if detections is None:
            return False
        if self.reference.probability_map is None or self.reference.shape is None:
            return self.is_same(DETECTIONS, replace(self.candidate, detections=detections, source=None))
        return self.is_same(DETECTIONS, self.with_boxes(detections))

    def is_same_stage(self, stage: str, trace: Trace | None) -> bool:
        """Return whether a preprocessing stage came out as in the reference.

        A decoded image that a side did not record counts as the same. Where a resized image was not recorded, the
        sizes decide. Pixels are compared in one channel order, as a wrong order shows in the tensor.
        """
        if trace is None or (trace.error is not None and trace.error.stage == stage):
            return False
        reference = self.before
        if stage == DECODE:
            return reference.decode is None or trace.decode is None or reference.decode.has_image_of(trace.decode)
        if stage == RESIZE:
            rows = [each.shape and tuple(map(int, each.shape[:2])) for each in (reference, trace)]
            if all(rows) and rows[0] != rows[1]:
                return False
            if reference.resize is not None and trace.resize is not None:
                return self._are_same_pixels(reference, trace)
            # Axes in another order are examined at the next stage.
            return (
                reference.tensor is None
                or trace.tensor is None
                or sorted(reference.tensor.shape) == sorted(trace.tensor.shape)
            )
        # The tensor alone: the earlier stages were judged before.
        same = replace(trace, decode=reference.decode, resize=reference.resize, shape=reference.shape)
        return self.is_same(PREPROCESSING, same, reference)

    def _are_same_pixels(self, reference: Trace, trace: Trace) -> bool:
        """Compare the resized images, each in the channel order of its decoded one."""
        assert reference.resize is not None and trace.resize is not None
        orders = {each.decode.channel_order if each.decode is not None else None for each in (reference, trace)}
        turned = trace.resize[..., ::-1]
        if None in orders:  # a side does not say in which order its pixels are
            return np.array_equal(reference.resize, trace.resize) or np.array_equal(reference.resize, turned)
        return np.array_equal(reference.resize, turned if orders == {"BGR", "RGB"} else trace.resize)

    def describe_tensor_difference(self, trace: Trace) -> str:
        """Return the largest tensor difference of an experiment in words, with its limit."""
        measure = self.compare_with_reference(PREPROCESSING, trace, BUILT_IN, self.before).measure("preprocessing.atol")
        return "" if measure is None else f"largest difference {measure.value:.1e}, limit {measure.limit:.1e}"

    def describe_map_difference(self, probability_map: Array) -> str:
        """Return the largest map difference of an experiment in words, with its limit."""
        compared = self.compare_with_reference(PROBABILITY_MAPS, self.with_map(probability_map), BUILT_IN)
        measure = compared.measure("probability_maps.atol")
        if measure is None:
            return "not comparable"
        limit = "" if measure.limit is None else f", limit {measure.limit:.1e}"
        fused = "" if compared.measure("fusion") is None else ", against its fused copy"
        return f"largest difference {measure.value:.1e}{limit}{fused}"

    def proven_cause(self, stage: str, cause: str, summary: str, evidence: list[str], fix: Fix | str) -> Diagnosis:
        """Return the diagnosis of a cause that an experiment has shown."""
        fix = Fix(fix) if isinstance(fix, str) else fix
        return Diagnosis(stage=stage, cause=cause, summary=summary, evidence=tuple(evidence), fix=fix)

    def unknown_cause(self, stage: str, summary: str = "") -> Diagnosis:
        """Return the diagnosis of a stage whose cause no experiment showed, with all notes, which it clears."""
        said = Diagnosis(
            stage=stage,
            cause=UNKNOWN,
            summary=summary or "no experiment removed the difference",
            evidence=tuple(dict.fromkeys(self.noticed)),
            ruled_out=tuple(dict.fromkeys(self.ruled_out)),
            tried=tuple(dict.fromkeys(self.tried)),
            not_tried=tuple(dict.fromkeys(self.not_tried)),
        )
        self.reset_notes()
        self.noticed = []
        return said

    def adopt_patch(self, stage: str, cause: str, patched: PatchedCandidate) -> None:
        """Keep a patched candidate that puts one more cause right, and reset the notes."""
        patch = Patch(stage, cause, fields=patched.changed_since(self.patched))
        self.patched = replace(patched, patches=(*self.patched.patches, patch))
        self.reset_notes()

    def reset_notes(self) -> None:
        """Clear what was ruled out, tried and not tried on the way to a cause that was found; `noticed` stays."""
        self.ruled_out, self.tried, self.not_tried = [], [], []


def bgr(trace: Trace) -> Array:
    """Return a trace's decoded pixels as (H, W, 3) BGR."""
    assert trace.decode is not None and trace.decode.pixels is not None
    pixels = trace.decode.pixels
    return np.ascontiguousarray(pixels[..., ::-1] if trace.decode.channel_order == "RGB" else pixels)


def are_equal_maps(lab: Laboratory, made: Array, other: Array) -> bool:
    """Return whether two maps of one tensor agree within the automatic limit of the reference's, or by chance."""
    if made.shape != other.shape:
        return False
    finite = np.isfinite(made)
    if not np.array_equal(finite, np.isfinite(other)):
        return False
    return bool(np.max(np.abs(made[finite] - other[finite]), initial=0.0) <= lab.map_limit)


def describe_difference(made: Array, other: Array) -> str:
    """Return the largest difference of two maps in words."""
    if made.shape != other.shape:
        return f"of shapes {made.shape} and {other.shape}"
    with np.errstate(invalid="ignore"):  # infinity minus infinity
        difference = np.abs(made - other)
    return f"largest difference {float(np.nanmax(difference, initial=0.0)):.1e}"


def returns_map(run: Callable[[Array], Array], *, runs: int = 1) -> Callable[[Laboratory, Array | None], bool]:
    """Return a check for another image: whether `run`, which counts as so many runs, returns its map there too."""

    def explains(lab: Laboratory, candidate_map: Array | None) -> bool:
        made = lab.run_network(run, lab.tensor, runs=runs) if candidate_map is not None else None
        return made is not None and candidate_map is not None and are_equal_maps(lab, made, candidate_map)

    return explains


def _buffer_key(array: Array | None) -> tuple[Any, ...]:
    """Return what identifies an array among all live ones: address, shape, strides and dtype."""
    return () if array is None else (array.__array_interface__["data"][0], array.shape, array.strides, str(array.dtype))
