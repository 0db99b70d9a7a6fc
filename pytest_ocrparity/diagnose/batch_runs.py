"""Compares a side with itself: an image in a batch with the same image alone; and finds why they differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.backends.batches import trace_batch
from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.compare.sensitivity import map_sensitivity, sensitivity_limit
from pytest_ocrparity.comparison import Comparison
from pytest_ocrparity.contract import Pipeline, trace_anew
from pytest_ocrparity.diagnose import first_stage_to_diagnose
from pytest_ocrparity.diagnose.batch_padding import batch_padding_columns, by_batch_padding
from pytest_ocrparity.diagnose.chance import MOST_MAPS, RACES, Chance, Drawn, with_share_of_chance
from pytest_ocrparity.diagnosis import UNKNOWN, Diagnosis, Fix
from pytest_ocrparity.stages import PROBABILITY_MAP, STAGES, TEXT
from pytest_ocrparity.tolerance import AUTO, OFF, Tolerance
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
        """Return the comparisons of an image in the batch with itself alone, as far as both were recorded.

        Of a line that was filled up to the widest of its batch, the texts alone: its map has other timesteps.
        """
        alone, together = self.alone[index], self.together[index]
        if batch_padding_columns(self.side, alone, together):
            # No map can be compared that would say more of two empty texts, or by how much scores may differ.
            text: dict[str, Any] = {"allow_empty": True}
            text |= {"max_score_difference": OFF} if tolerance["text.max_score_difference"].value == AUTO else {}
            tolerance = tolerance.override({"text": text}, "a batch's padding")
            return (Comparisons(alone, together, tolerance).of(TEXT),)
        return tuple(each for each in Comparisons(alone, together, tolerance).all() if not each.is_missing)

    def lacks_boxes(self, index: int) -> bool:
        """Return whether an image has boxes alone, if only none of them, and the batch returns none at all."""
        return self.alone[index].detections is not None and self.together[index].detections is None

    def diagnose(self, index: int, tolerance: Tolerance) -> list[Diagnosis]:
        """Return why an image differs in the batch, by running it alone and in batches again."""
        stage = first_stage_to_diagnose(self.comparisons(index, tolerance))
        return self._by_chance(index, tolerance, stage) or [self._not_kept_apart(index, tolerance, stage)]

    def _by_chance(self, index: int, tolerance: Tolerance, stage: str) -> list[Diagnosis]:
        """Return what is found where the image alone, or in this batch, does not come again; else nothing."""
        before, together = self.alone[index], self.together[index]
        runs = partial(self._alone_again, index), partial(self._in_batch_again, index)
        traces = [(first, run()) for first, run in zip((before, together), runs, strict=True)]
        changes = [differing(*pair, tolerance) or [] for pair in traces]
        if not any(changes):
            return []
        text = f"{before.pipeline} does not return the same twice for the same batch"
        if changes[0]:
            text = f"alone, {before.pipeline} does not return the same twice either"
        changing = first_stage_to_diagnose((*changes[0], *changes[1]))
        if changing != PROBABILITY_MAP or STAGES.index(stage) < STAGES.index(PROBABILITY_MAP):
            return [Diagnosis(stage=stage, cause=UNKNOWN, summary=f"{text}, so the batch need not be the cause")]
        maps = [each.probability_map for pair in traces for each in pair if each.probability_map is not None]
        chance = None
        if len(maps) == 4 and len({each.shape for each in maps}) == 1:
            draws = [partial(_map_of, run) if change else None for run, change in zip(runs, changes, strict=True)]
            limit = sensitivity_limit(map_sensitivity(before))
            chance = Chance(Drawn.of(maps[:2], draws[0]), Drawn.of(maps[2:], draws[1]), limit)
            chance.draw(MOST_MAPS)
        found = Diagnosis(stage=changing, cause="engine.not_repeatable", summary=text, fix=Fix(RACES))
        found = with_share_of_chance(found, chance, f"{before.pipeline} alone", together.pipeline)
        if chance is None or chance.explains_all:
            return [found]
        rest = "its maps alone and in the batch lie further apart than chance explains"
        not_tried = ("experiments with the batch, which need maps that come again",)
        return [found, Diagnosis(stage=changing, cause=UNKNOWN, summary=rest, not_tried=not_tried)]

    def _alone_again(self, index: int) -> Trace:
        before = self.alone[index]
        again = trace_anew(self.side, self.images[index])
        return replace(again, pipeline=f"{before.pipeline} again", image=before.image)

    def _in_batch_again(self, index: int) -> Trace:
        repeated = _as_of(self.alone, trace_batch(self.side, self.images))[index]
        return replace(repeated, pipeline=f"{self.alone[index].pipeline} again")

    def _not_kept_apart(self, index: int, tolerance: Tolerance, stage: str) -> Diagnosis:
        """Return why an image differs in the batch each time."""
        before = self.alone[index]
        if (padded := by_batch_padding(self.side, before, self.together[index])) is not None:
            return padded
        count = len(self.images)
        proof = f"alone and in this batch, {before.pipeline} returns the same again, and the two differ"
        if (mixed := self._mixed_up(index)) is not None:
            text, fix = mixed
            return Diagnosis(stage=stage, cause="engine.batch", summary=text, evidence=(proof,), fix=Fix(fix))
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

    def _mixed_up(self, index: int) -> tuple[str, str] | None:
        """Return what is wrong, and its fix, where an image got another one's result; None where it did not.

        Only where each result went to one image is it their order. Of images that are alike alone any may be meant.
        """
        alone, together = [[self._first_like(trace) for trace in traces] for traces in (self.alone, self.together)]
        other = together[index]
        if other is None or other == alone[index]:
            return None
        text = f"in a batch, {self.alone[index].label} gets the result of {self.alone[other].label}"
        if None not in together and Counter(together) == Counter(alone):
            order = "results are in another order than images"
            return f"{text}: {order}", "return the results of a batch in the order of its images"
        count = together.count(other)
        if count > alone.count(other):
            text = f"in a batch of {len(together)}, {count} images get the result of {self.alone[other].label}"
            return f"{text}: one result is returned for several", "copy each image's result before the next one is made"
        return text, "return to each image of a batch its own result"

    def _first_like(self, trace: Trace) -> int | None:
        """Return the first image whose result alone a trace holds; None where it holds none."""
        return next((place for place, other in enumerate(self.alone) if _holds_result_of(trace, other)), None)


def _map_of(run: Callable[[], Trace]) -> npt.NDArray[np.float32] | None:
    return run().probability_map


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
