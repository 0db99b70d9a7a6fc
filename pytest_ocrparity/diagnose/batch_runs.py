"""Compares a side with itself: an image in a batch with the same image alone; and finds why they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pytest_ocrparity.backends.batches import trace_batch
from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.comparison import Comparison
from pytest_ocrparity.contract import Pipeline, trace_anew
from pytest_ocrparity.diagnose import first_failing_stage
from pytest_ocrparity.diagnose.recognition.lines import FIX_OF_BATCH
from pytest_ocrparity.diagnose.state import NEAR
from pytest_ocrparity.diagnosis import UNKNOWN, Diagnosis, Fix
from pytest_ocrparity.stages import RESIZE
from pytest_ocrparity.tolerance import Tolerance
from pytest_ocrparity.trace import Image, Trace


def differing(alone: Trace, other: Trace, tolerance: Tolerance) -> list[Comparison] | None:
    """Return the comparisons of two traces of one side that fail; None where they share nothing to compare."""
    comparisons = [each for each in Comparisons(alone, other, tolerance).all() if not each.is_missing]
    return [each for each in comparisons if not each.is_match] if comparisons else None


@dataclass(frozen=True)
class BatchRun:
    """Images that ran alone, and then as one batch.

    Attributes:
        side: what ran them.
        images: as they were given.
        alone: the trace of each by itself.
        together: the trace of each in the batch.
    """

    side: Pipeline
    images: Sequence[Image]
    alone: Sequence[Trace]
    together: Sequence[Trace]

    @classmethod
    def of(cls, side: Pipeline, images: Sequence[Image], alone: Sequence[Trace]) -> BatchRun:
        """Run images that ran alone as one batch. Raises what stops the side."""
        return cls(side, images, alone, _as_of(alone, trace_batch(side, images)))

    def comparisons(self, index: int, tolerance: Tolerance) -> tuple[Comparison, ...]:
        """Return the comparisons of an image in the batch with itself alone, as far as both were recorded."""
        made = Comparisons(self.alone[index], self.together[index], tolerance).all()
        return tuple(each for each in made if not each.is_missing)

    def diagnose(self, index: int, tolerance: Tolerance) -> Diagnosis:
        """Return why an image differs in the batch, by running it alone and in batches again."""
        before = self.alone[index]
        stage = first_failing_stage(self.comparisons(index, tolerance))
        again = replace(trace_anew(self.side, self.images[index]), pipeline=f"{before.pipeline} again")
        if differing(before, replace(again, image=before.image), tolerance):
            text = f"alone, {before.pipeline} does not return the same twice either, so the batch need not be the cause"
            return Diagnosis(stage=stage, cause=UNKNOWN, summary=text)
        repeated = _as_of(self.alone, trace_batch(self.side, self.images))[index]
        if differing(self.together[index], replace(repeated, pipeline=f"{before.pipeline} again"), tolerance):
            text = f"{before.pipeline} does not return the same twice for the same batch"
            return Diagnosis(stage=stage, cause="engine.not_repeatable", summary=text, fix=Fix(_RACES))
        count = len(self.images)
        proof = f"alone and in this batch, {before.pipeline} returns the same again, and the two differ"
        if (other := self._whose_result(index, tolerance)) is not None:
            name = self.alone[other].label
            text = f"in a batch, {before.label} gets the result of {name}: results are in another order than images"
            fix = "return the results of a batch in the order of its images"
            return Diagnosis(stage=stage, cause="engine.batch", summary=text, evidence=(proof,), fix=Fix(fix))
        if (filled := self._filled_up(index)) is not None:
            text = f"in a batch, {before.pipeline} fills a line up to the widest one, and the network sees that"
            cause = "resize.batch_padding"
            return Diagnosis(stage=RESIZE, cause=cause, summary=text, evidence=(proof, filled), fix=FIX_OF_BATCH)
        copies = _as_of([before] * count, trace_batch(self.side, [self.images[index]] * count))
        if any(differing(before, each, tolerance) for each in copies):
            text = f"{before.pipeline} computes otherwise in a batch of {count}, even of copies of one image"
            fix = "deploy without batches, or with a release of the engine, or of your code, in which this test passes"
        else:
            text = f"what {before.pipeline} returns for an image depends on the other images of its batch"
            proof += f"; {count} copies of it in a batch come out as it does alone"
            fix = (
                "keep the images of a batch apart: look for layers that normalise over the batch (was eval() called "
                "before exporting?), then for a size, ratio or buffer that all images share; until then deploy "
                "without batches"
            )
        return Diagnosis(stage=stage, cause="engine.batch", summary=text, evidence=(proof,), fix=Fix(fix))

    def _filled_up(self, index: int) -> str | None:
        """Return the proof that a line differs for being filled up: run alone and as wide it has the batch's map."""
        alone, got = self.alone[index].tensor, self.together[index].tensor
        map_ = self.together[index].probability_map
        if alone is None or got is None or map_ is None or alone.shape[:3] != got.shape[:3]:
            return None
        width = alone.shape[3]
        if got.shape[3] <= width or not np.array_equal(got[..., :width], alone) or got[..., width:].any():
            return None
        filled = np.zeros((*alone.shape[:3], got.shape[3]), alone.dtype)
        filled[..., :width] = alone
        made = self.side.infer(filled)
        if made.shape != map_.shape or not np.allclose(made, map_, rtol=0, atol=NEAR):
            return None
        return (
            f"its tensor of {width} columns, filled up with 0 to {got.shape[3]} and run alone, gives the map that it "
            f"has in the batch (largest difference {float(np.max(np.abs(made - map_), initial=0.0)):.1e})"
        )

    def _whose_result(self, index: int, tolerance: Tolerance) -> int | None:
        """Return the other image whose result alone is what an image got in the batch; None where there is none."""
        got = self.together[index]
        for place, other in enumerate(self.alone):
            if place == index or other.probability_map is None or got.probability_map is None:
                continue
            if _holds_result_of(got, other) and not _holds_result_of(self.alone[index], other):
                return place
        return None


_RACES = "look for dropout and other random layers (was eval() called before exporting?), then for races (cpu_threads)"


def _as_of(alone: Sequence[Trace], traces: Sequence[Trace]) -> list[Trace]:
    """Return the traces of a batch under a name of their own, as traces of the images that ran alone."""
    return [
        replace(
            trace,
            pipeline=f"{before.pipeline} in a batch of {len(traces)}",
            image=before.image,
            image_sha256=before.image_sha256,
        )
        for before, trace in zip(alone, traces, strict=True)
    ]


def _holds_result_of(trace: Trace, other: Trace) -> bool:
    """Return whether a trace holds another's map, but for rounding, and as many boxes."""
    map_, others = trace.probability_map, other.probability_map
    if map_ is None or others is None or map_.shape != others.shape or not np.allclose(map_, others, atol=1e-5):
        return False
    return len(trace.detections or ()) == len(other.detections or ())
