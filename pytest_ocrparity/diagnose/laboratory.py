"""Where experiments are made: the two traces, the candidate's remedy so far, the budget, and what was tried.

Knows how to run a part of a side and how to judge the result, and nothing of causes.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.compare import compare_one
from pytest_ocrparity.diagnose.remedy import Remedy
from pytest_ocrparity.diagnosis import UNKNOWN, Diagnosis, Fix
from pytest_ocrparity.errors import ImageError
from pytest_ocrparity.pipelines import Image
from pytest_ocrparity.pipelines.staged import image_bytes
from pytest_ocrparity.tolerance import BUILT_IN, Tolerance
from pytest_ocrparity.trace import DECODE, RESIZE, TENSOR, Detections, Trace
from pytest_ocrparity.verdict import Comparison

__all__ = ["MOST_RUNS", "BudgetSpentError", "Laboratory"]

Array: TypeAlias = "npt.NDArray[Any]"

MOST_RUNS = 20
"""Network runs of one diagnosis; a mobile detector takes 1.3 to 3.3 s per megapixel on one core."""


class BudgetSpentError(Exception):
    """The diagnosis has used its time or its network runs."""


@dataclass
class Laboratory:
    """One diagnosis.

    Attributes:
        reference, candidate: the traces that differ.
        tolerance: what judged them.
        seconds: how long experiments may take.
        remedy: the candidate with what was mended so far; None where it cannot be run.
        ruled_out, not_tried: what an unknown cause will say.
        runs: network runs so far.
        has_equal_weights: whether the export's weights were found to be the reference's.
        is_in_program: whether the export's program, run without its engine, was found to return its map.
        last_error: what the last network that stopped said.
        noticed: facts that explain nothing by themselves, and that a reader should know.
        memo: what several experiments need and is dear to read, such as the export's weights.
        pace: seconds per value of the tensor, of the last network run.
    """

    reference: Trace
    candidate: Trace
    tolerance: Tolerance
    seconds: float
    remedy: Remedy | None = None
    ruled_out: list[str] = field(default_factory=list)
    not_tried: list[str] = field(default_factory=list)
    runs: int = 0
    has_equal_weights: bool = False
    is_in_program: bool = False
    last_error: str = ""
    noticed: list[str] = field(default_factory=list)
    memo: dict[str, Any] = field(default_factory=dict)
    pace: float = 0.0
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        if self.candidate.source is not None:
            self.remedy = Remedy(self.candidate.source)

    @property
    def names(self) -> tuple[str, str]:
        """How messages call the two sides."""
        return self.reference.pipeline, self.candidate.pipeline

    @property
    def tensor(self) -> Array:
        """The reference's tensor, which is there in every experiment with a network."""
        assert self.reference.tensor is not None
        return self.reference.tensor

    @cached_property
    def image(self) -> Image | None:
        """What both sides saw: the file while it is as it was, else the array of which the traces keep the digest."""
        digest = self.reference.image_sha256 or self.candidate.image_sha256
        path = Path(self.candidate.image)
        if path.is_file():
            is_same = digest is None or hashlib.sha256(path.read_bytes()).hexdigest() == digest
            return self.candidate.image if is_same else None
        for trace in (self.reference, self.candidate):
            if trace.decode is not None and trace.decode.pixels is not None and digest is not None:
                pixels = bgr(trace)
                try:
                    if hashlib.sha256(image_bytes(pixels)[1]).hexdigest() == digest:
                        return pixels
                except ImageError:  # a side that holds other than 8 bits
                    continue
        return None

    def check_budget(self, values: int = 0) -> None:
        """Raise BudgetSpentError where the time, or a network run on so many values, is not left."""
        left = self.seconds - (time.monotonic() - self.started)
        if left <= values * self.pace or (values and self.runs >= MOST_RUNS):
            raise BudgetSpentError

    def infer(self, run: Callable[[Array], Array], tensor: Array) -> Array | None:
        """Run a network, or return None where it raises. Raises BudgetSpentError."""
        self.check_budget(tensor.size)
        self.runs += 1
        begun = time.monotonic()
        try:
            return run(tensor)
        except Exception as error:  # an engine's own: it returned no map, which is what the experiment asked
            self.last_error = f"{type(error).__name__}: {' '.join(str(error).split())[-200:]}"
            return None
        finally:
            self.pace = (time.monotonic() - begun) / tensor.size

    def spent(self) -> str:
        """Return what of the budget was used."""
        used = time.monotonic() - self.started
        return f"used {self.runs} of {MOST_RUNS} network runs and {used:.0f} of {self.seconds:g} s"

    def preprocessed(self, remedy: Remedy | None = None) -> Trace | None:
        """Run the mended candidate's preprocessing on the image, or return None where it cannot be run."""
        self.check_budget()
        remedy, image = remedy or self.remedy, self.image
        if remedy is None or image is None:
            return None
        try:
            return remedy.preprocess(image, self.reference)
        except Exception:  # a pipeline of the user's may only trace
            return None

    def postprocessed(self, remedy: Remedy | None = None) -> Detections | None:
        """Run the mended candidate's post-process on the reference's map, or return None where it cannot be run."""
        self.check_budget()
        remedy = remedy or self.remedy
        if remedy is None or self.reference.probability_map is None or self.reference.shape is None:
            return None
        try:
            return remedy.postprocess(self.reference.probability_map, self.reference.shape)
        except Exception:  # a pipeline of the user's may only trace
            return None

    def is_same(self, kind: str, candidate: Trace) -> bool:
        """Tell whether a trace of an experiment keeps the limits: those that judged, or the built-in ones.

        The built-in ones matter where those that judged permit nothing, as rounding remains even in a right export.
        """
        return any(self.judged(kind, candidate, limits).is_match for limits in (self.tolerance, BUILT_IN))

    def judged(self, kind: str, candidate: Trace, tolerance: Tolerance | None = None) -> Comparison:
        """Compare a trace of an experiment with the reference."""
        candidate = replace(candidate, image=self.candidate.image, image_sha256=self.candidate.image_sha256)
        return compare_one(kind, self.reference, candidate, tolerance or self.tolerance)

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
        """Tell whether a map made from the reference's tensor is the reference's."""
        return probability_map is not None and self.is_same("probability_maps", self.with_map(probability_map))

    def is_same_boxes(self, detections: Detections | None) -> bool:
        """Tell whether boxes found in the reference's map are the reference's."""
        return detections is not None and self.is_same("detections", self.with_boxes(detections))

    def is_same_stage(self, stage: str, trace: Trace | None) -> bool:
        """Tell whether a stage of the preprocessing came out as in the reference, or was not recorded by both."""
        if trace is None or (trace.error is not None and trace.error.stage == stage):
            return False
        ours, theirs = self.reference, trace
        if stage == DECODE:
            one, two = ours.decode, theirs.decode
            return one is None or two is None or one == two
        if stage == RESIZE:
            rows = [each.shape and tuple(map(int, each.shape[:2])) for each in (ours, theirs)]
            if all(rows) and rows[0] != rows[1]:
                return False
            if ours.resize is not None and theirs.resize is not None:
                return np.array_equal(ours.resize, theirs.resize)
            # Axes in another order are a matter of the next stage.
            return (
                ours.tensor is None or theirs.tensor is None or sorted(ours.tensor.shape) == sorted(theirs.tensor.shape)
            )
        # The tensor by itself: what came before was judged before.
        return self.is_same("preprocessing", replace(trace, decode=ours.decode, resize=ours.resize, shape=ours.shape))

    def tensor_amount(self, trace: Trace) -> str:
        """Return the largest tensor difference of an experiment in words, with its limit."""
        measure = self.judged("preprocessing", trace, BUILT_IN).measure("preprocessing.atol")
        return "" if measure is None else f"largest difference {measure.value:.1e}, limit {measure.limit:.1e}"

    def map_amount(self, probability_map: Array) -> str:
        """Return the largest map difference of an experiment in words, with its limit."""
        measure = self.judged("probability_maps", self.with_map(probability_map), BUILT_IN).measure(
            "probability_maps.atol"
        )
        if measure is None:
            return "not comparable"
        limit = "" if measure.limit is None else f", limit {measure.limit:.1e}"
        return f"largest difference {measure.value:.1e}{limit}"

    def ask(self, side: Trace, name: str, *arguments: Any, default: Any = None) -> Any:
        """Call what a side may have to offer beyond the `Pipeline` contract; noted and `default` where it raises."""
        offered = getattr(side.source, name, None)
        if offered is None:
            return default
        try:
            return offered(*arguments) if callable(offered) else offered
        except Exception as error:  # a pipeline of the user's
            self.not_tried.append(f"{name} of {side.pipeline}: {type(error).__name__}: {error}")
            return default

    def claim(self, stage: str, cause: str, summary: str, evidence: list[str], fix: Fix | str) -> Diagnosis:
        """Return a diagnosis that an experiment has shown."""
        fix = Fix(fix) if isinstance(fix, str) else fix
        return Diagnosis(stage=stage, cause=cause, summary=summary, evidence=tuple(evidence), fix=fix)

    def unknown(self, stage: str, summary: str = "") -> Diagnosis:
        """Return the diagnosis of a stage whose cause no experiment showed, and begin the next one's lists."""
        said = Diagnosis(
            stage=stage,
            cause=UNKNOWN,
            summary=summary or "no experiment removed the difference",
            evidence=tuple(dict.fromkeys(self.noticed)),
            ruled_out=tuple(dict.fromkeys(self.ruled_out)),
            not_tried=tuple(dict.fromkeys(self.not_tried)),
        )
        self.ruled_out, self.not_tried, self.noticed = [], [], []
        return said

    def forget(self) -> None:
        """Drop what was ruled out on the way to a cause that was found."""
        self.ruled_out, self.not_tried = [], []


def bgr(trace: Trace) -> Array:
    """Return a trace's decoded pixels as (H, W, 3) BGR."""
    assert trace.decode is not None and trace.decode.pixels is not None
    pixels = trace.decode.pixels
    return np.ascontiguousarray(pixels[..., ::-1] if trace.decode.channel_order == "RGB" else pixels)


PREPROCESSING = (DECODE, RESIZE, TENSOR)
"""The stages before the network, in order."""
