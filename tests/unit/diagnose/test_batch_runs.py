"""An image in a batch against itself alone, and why they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from diagnosing import PAGES
from recognisers import Port
from toy import Toy
from toy_reader import line

from pytest_ocrparity import Trace
from pytest_ocrparity.contract import trace_anew
from pytest_ocrparity.diagnose.batch_runs import BatchRun
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.tolerance import BUILT_IN
from pytest_ocrparity.trace import Image

Array = npt.NDArray[np.float32]
IMAGES = PAGES[:3]


def batch_of(side: Any, images: Sequence[Image] = IMAGES) -> BatchRun:
    return BatchRun.of(side, images, [trace_anew(side, image) for image in images])


def statuses(run: BatchRun, index: int = 0) -> list[str]:
    return [each.status for each in run.comparisons(index, BUILT_IN)]


def found(side: Any, index: int = 0, images: Sequence[Image] = IMAGES) -> Diagnosis:
    run = batch_of(side, images)
    assert "different" in statuses(run, index)
    return run.diagnose(index, BUILT_IN)


def test_a_side_that_keeps_images_apart_is_the_same_in_a_batch() -> None:
    run = batch_of(Toy(name="port"))
    assert [statuses(run, index) for index in range(3)] == [["same"] * 3] * 3
    (first, *_) = run.comparisons(0, BUILT_IN)
    assert (first.reference, first.candidate) == ("port", "port in a batch of 3")


def test_an_image_that_depends_on_the_others_of_its_batch_is_named_so() -> None:
    class Leaks(Toy):
        def infer(self, tensor: Array) -> Array:
            return np.asarray(super().infer(tensor) * np.float32(0.5) + super().infer(tensor[-1:]) * np.float32(0.5))

    diagnosis = found(Leaks(name="port"))
    assert (diagnosis.cause, diagnosis.stage) == ("engine.batch", "probability_map")
    assert diagnosis.summary == "what port returns for an image depends on the other images of its batch"
    assert diagnosis.evidence[0].endswith("3 copies of it in a batch come out as it does alone")
    assert diagnosis.fix is not None and "layers that normalise over the batch" in diagnosis.fix.text


def test_an_engine_that_computes_otherwise_in_any_batch_is_not_said_to_mix_images() -> None:
    class Halves(Toy):
        def infer(self, tensor: Array) -> Array:
            return np.asarray(super().infer(tensor) * np.float32(1 if len(tensor) == 1 else 0.9))

    diagnosis = found(Halves(name="port"))
    assert diagnosis.cause == "engine.batch"
    assert diagnosis.summary == "port computes otherwise in a batch of 3, even of copies of one image"


@pytest.mark.parametrize("is_by_map", [True, False])
def test_results_in_another_order_are_named_by_whose_they_are(is_by_map: bool) -> None:
    class Turns(Toy):
        def infer(self, tensor: Array) -> Array:
            return super().infer(tensor)[::-1] if is_by_map else super().infer(tensor)

    class Reverses(Toy):
        def trace_batch(self, images: Sequence[Image]) -> list[Trace]:
            return [self.trace(image) for image in images][::-1]

    diagnosis = found(Turns(name="port") if is_by_map else Reverses(name="port"))
    assert diagnosis.cause == "engine.batch"
    assert "page.png gets the result of page.png" in diagnosis.summary
    assert (
        diagnosis.fix is not None and diagnosis.fix.text == "return the results of a batch in the order of its images"
    )


def test_a_side_that_never_repeats_itself_is_not_blamed_on_the_batch() -> None:
    class Random(Toy):
        def infer(self, tensor: Array) -> Array:
            self.runs += 1
            return np.asarray(super().infer(tensor) - np.float32(0.01 * self.runs))

    diagnosis = found(Random(name="port"))
    assert diagnosis.cause == "unknown"
    assert diagnosis.summary.startswith("alone, port does not return the same twice either")


def test_one_that_is_random_in_batches_alone_is_not_repeatable() -> None:
    class Races(Toy):
        def infer(self, tensor: Array) -> Array:
            self.runs += len(tensor) > 1
            return np.asarray(super().infer(tensor) - np.float32(0.02 * self.runs * (len(tensor) > 1)))

    diagnosis = found(Races(name="port"))
    assert diagnosis.cause == "engine.not_repeatable"
    assert diagnosis.summary == "port does not return the same twice for the same batch"


def test_what_a_batch_does_not_record_is_not_compared_and_the_rest_is() -> None:
    class BoxesOnly(Toy):
        def trace_batch(self, images: Sequence[Image]) -> list[Trace]:
            traces = [self.trace(image) for image in images]
            return [Trace(pipeline=self.name, image=each.image, detections=each.detections) for each in traces]

    assert statuses(batch_of(BoxesOnly(name="port"))) == ["same"]


def test_the_kept_traces_of_a_side_are_not_asked() -> None:
    class Keeps(Toy):
        def trace(self, image: Image) -> Trace:
            raise AssertionError("this may be what was kept")

        def trace_anew(self, image: Image) -> Trace:
            return super().trace(image)

    assert statuses(batch_of(Keeps(name="port"))) == ["same"] * 3


class SeesPadding(Port):
    """A network that sees what fills a line up, as attention does."""

    factor = np.float32(1)

    def infer(self, tensor: Array) -> Array:
        rows = [super(SeesPadding, self).infer(row[None]) for row in tensor]
        shares = [float((row != 0).mean()) for row in tensor]
        made = np.concatenate(
            [row * share + (1 - share) / row.shape[2] for row, share in zip(rows, shares, strict=True)]
        )
        return np.asarray(made * (self.factor if len(tensor) > 1 else 1), np.float32)

    def trace_batch(self, images: Sequence[Image]) -> list[Trace]:
        """Fill lines up to the widest, as paddlex does."""
        traces = [self.preprocess(image) for image in images]
        tensors = [trace.tensor for trace in traces if trace.tensor is not None]
        width = max(tensor.shape[3] for tensor in tensors)
        batch = np.concatenate([np.pad(t, ((0, 0), (0, 0), (0, 0), (0, width - t.shape[3]))) for t in tensors])
        maps = self.infer(batch)
        rows = [slice(index, index + 1) for index in range(len(traces))]
        return [
            replace(trace, tensor=batch[row], probability_map=maps[row], recognition=self.read_map(maps[row]))
            for trace, row in zip(traces, rows, strict=True)
        ]


LINES = (line("ab"), line("abba cd", cells=2))


def test_a_line_that_is_filled_up_to_the_widest_is_named_so() -> None:
    diagnosis = found(SeesPadding(), images=LINES)
    assert (diagnosis.cause, diagnosis.stage) == ("resize.batch_padding", "resize")
    assert diagnosis.evidence[1].startswith(
        "its tensor of 64 columns, filled up with 0 to 168 and run alone, gives the "
    )
    assert diagnosis.fix is not None and "batch_size=1" in diagnosis.fix.text
    run = batch_of(SeesPadding(), LINES)
    assert [each.is_match for each in run.comparisons(1, BUILT_IN)] == [True] * 3, "the widest is not filled up"


def test_filling_up_is_not_blamed_where_it_does_not_give_the_batchs_map() -> None:
    class Mixes(SeesPadding):
        factor = np.float32(0.9)

    diagnosis = found(Mixes(), images=LINES)
    assert diagnosis.cause == "engine.batch"
