"""An image in a batch against itself alone, and why they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from diagnosing import PAGES
from toy import BLANK, Toy

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
    (diagnosis,) = diagnoses(side, index, images)
    return diagnosis


def diagnoses(side: Any, index: int = 0, images: Sequence[Image] = IMAGES) -> list[Diagnosis]:
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


@dataclass
class Noisy(Toy):
    """Adds another number in each run, of up to `alone` or `batched`, and `shift` in batches."""

    alone: float = 0.0
    batched: float = 0.0
    shift: float = 0.0

    def infer(self, tensor: Array) -> Array:
        made = super().infer(tensor)
        noise = (self.alone if len(tensor) == 1 else self.batched) * (self.runs * 0.618 % 1)
        return np.asarray(made + np.float32(noise + self.shift * (len(tensor) > 1)))


@pytest.mark.parametrize("noise", [{"batched": 0.05}, {"alone": 0.05}, {"alone": 0.05, "batched": 0.05}], ids=str)
def test_one_that_is_random_alone_or_in_batches_is_not_repeatable(noise: dict[str, Any]) -> None:
    diagnosis = found(replace(Noisy(name="port"), **noise))
    assert (diagnosis.cause, diagnosis.stage) == ("engine.not_repeatable", "probability_map")
    is_alone = "alone" in noise
    assert diagnosis.summary == (
        "alone, port does not return the same twice either"
        if is_alone
        else "port does not return the same twice for the same batch"
    )
    (beside,) = diagnosis.noticed
    assert beside.endswith("which explains the difference, and would hide another fault that changes values by less")
    assert diagnosis.fix is not None and "races" in diagnosis.fix.text


@pytest.mark.parametrize("noise", [{"batched": 0.05}, {"alone": 0.05}, {"alone": 0.05, "batched": 0.05}], ids=str)
def test_a_batch_that_differs_by_more_than_chance_explains_is_unknown_beside_it(noise: dict[str, Any]) -> None:
    """Near miss of the one before: what the batch adds is no longer within the noise."""
    random, rest = diagnoses(replace(Noisy(name="port", shift=0.4), **noise))
    assert random.cause == "engine.not_repeatable"
    assert random.summary.endswith(", which explains only a part of the difference")
    assert "in one place those of port in a batch of 3 lie 0" in random.evidence[0]
    assert random.evidence[0].endswith(" or more from those of port alone: chance explains only a part")
    assert (rest.cause, rest.stage) == ("unknown", "probability_map")
    assert rest.summary == "its maps alone and in the batch lie further apart than chance explains"


def test_noise_that_the_limits_permit_leaves_the_batch_to_be_examined() -> None:
    diagnosis = found(Noisy(name="port", batched=1e-5, shift=0.4))
    assert diagnosis.cause == "engine.batch"


def test_a_batch_whose_maps_are_not_of_one_size_is_random_in_an_unknown_part() -> None:
    class Grows(Noisy):
        def infer(self, tensor: Array) -> Array:
            made = super().infer(tensor)
            return made if len(tensor) == 1 else np.pad(made, ((0, 0), (0, 0), (0, 1), (0, 0)), mode="edge")

    run = batch_of(Grows(name="port", batched=0.05))
    assert statuses(run) == ["same", "not comparable", "same"]
    (diagnosis,) = run.diagnose(0, BUILT_IN)
    assert diagnosis.cause == "engine.not_repeatable"
    assert diagnosis.evidence == ("how much of the difference chance explains is not known",)


@pytest.mark.parametrize("stage", ["tensor", "detections"])
def test_what_changes_before_or_after_the_network_is_not_the_engines(stage: str) -> None:
    class Changes(Toy):
        def preprocess(self, image: Image) -> Trace:
            trace = super().preprocess(image)
            assert trace.tensor is not None
            self.runs += 1
            return replace(trace, tensor=trace.tensor + np.float32(0.1 * self.runs * (stage == "tensor")))

        def postprocess(self, probability_map: Array, shape: Any) -> Any:
            return replace(self, pad=self.runs).of_pad(probability_map, shape)

        def of_pad(self, probability_map: Array, shape: Any) -> Any:
            return Toy(pad=self.pad if stage == "detections" else 1).postprocess(probability_map, shape)

    diagnosis = found(Changes(name="port"))
    assert (diagnosis.cause, diagnosis.stage) == ("unknown", stage)
    assert diagnosis.summary == "alone, port does not return the same twice either, so the batch need not be the cause"


def test_noise_of_a_network_does_not_explain_another_tensor() -> None:
    class Shifts(Noisy):
        def trace_batch(self, images: Sequence[Image]) -> list[Trace]:
            other = replace(self, mean=0.4, batched=self.alone)
            return [replace(other.trace(image), pipeline=self.name) for image in images]

    (diagnosis,) = diagnoses(Shifts(name="port", alone=0.05))
    assert (diagnosis.cause, diagnosis.stage) == ("unknown", "tensor")


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


def test_one_buffer_that_all_results_share_is_not_called_another_order() -> None:
    class Reuses(Toy):
        def infer(self, tensor: Array) -> Array:
            made = super().infer(tensor)
            return np.broadcast_to(made[-1:], made.shape)

    diagnosis = found(Reuses(name="port"))
    assert diagnosis.cause == "engine.batch"
    assert "in a batch of 3, 3 images get the result of page.png: one result is returned for several" in (
        diagnosis.summary
    )
    assert diagnosis.fix is not None and "copy each image's result" in diagnosis.fix.text


def test_another_order_of_pages_of_which_two_are_alike_is_called_so() -> None:
    class Reverses(Toy):
        def trace_batch(self, images: Sequence[Image]) -> list[Trace]:
            return [self.trace(image) for image in images][::-1]

    diagnosis = found(Reverses(name="port"), images=[PAGES[0], PAGES[1], PAGES[1]])
    assert diagnosis.summary.endswith("results are in another order than images")


def test_one_image_that_gets_the_result_of_another_one_is_all_that_is_said_where_the_rest_is_not_known() -> None:
    class Takes(Toy):
        def infer(self, tensor: Array) -> Array:
            made = super().infer(tensor)
            return made if len(made) == 1 else np.stack([made[1], made[1] * np.float32(0.5), made[2]])

    diagnosis = found(Takes(name="port"))
    assert diagnosis.summary == "in a batch, page.png gets the result of page.png"


def test_a_batch_without_boxes_lacks_them() -> None:
    class MapsOnly(Toy):
        def trace_batch(self, images: Sequence[Image]) -> list[Trace]:
            return [replace(self.trace(image), detections=None) for image in images]

    assert batch_of(MapsOnly(name="port")).lacks_boxes(0)
    assert not batch_of(Toy(name="port")).lacks_boxes(0)
    assert not batch_of(Toy(name="port"), [BLANK, PAGES[0]]).lacks_boxes(0), "no box is a result"
