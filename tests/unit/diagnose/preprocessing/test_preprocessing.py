"""The preprocessing stage by stage, also where a side cannot be run again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from diagnosing import Array, cause_of, judged, on, only, says, seen
from toy import PAGE, Toy

from pytest_ocrparity.diagnose import diagnose
from pytest_ocrparity.diagnosis import UNKNOWN
from pytest_ocrparity.stages import RESIZE, TENSOR
from pytest_ocrparity.trace import Image, Trace


class TestPreprocessing:
    def test_a_trace_that_its_own_side_does_not_make_again_stays_unknown(self) -> None:
        candidate = seen(Toy(name="port"))
        assert candidate.tensor is not None
        diagnosis = only(seen(Toy()), replace(candidate, tensor=candidate.tensor + np.float32(0.5)))
        assert judged(diagnosis) == ("tensor", UNKNOWN)
        assert "port's trace holds another tensor than its preprocess() returns" in diagnosis.evidence

    def test_a_side_without_a_source_cannot_be_run_again(self) -> None:
        diagnosis = diagnose(reference=seen(Toy()), candidate=replace(seen(Toy(name="port", mean=0.4)), source=None))[0]
        assert judged(diagnosis) == ("tensor", UNKNOWN)
        told = "experiments that run the preprocessing of port: it can't be run again on this image"
        assert diagnosis.not_tried == (told, "port with other mean: this pipeline has no varied()")
        assert says(diagnosis.tried, "layout.axes: ")

    def test_an_image_that_is_gone_cannot_be_run_again(self) -> None:
        diagnosis = diagnose(reference=Toy().trace(PAGE), candidate=Toy(name="port", mean=0.4).trace(PAGE))[0]
        assert judged(diagnosis) == ("tensor", UNKNOWN)
        assert says(diagnosis.not_tried, "experiments that run the preprocessing of port: page.png is no file")


class WithoutResize(Toy):
    """Records no resized image, as a fused preprocessing has none."""

    def preprocess(self, image: Image) -> Trace:
        return replace(super().preprocess(image), resize=None)


class TestResizedImagesThatWereNotRecorded:
    def test_axes_in_another_order_are_a_matter_of_the_tensor(self) -> None:
        class Port(WithoutResize):
            def preprocess(self, image: Image) -> Trace:
                trace = super().preprocess(image)
                assert trace.tensor is not None
                return replace(trace, tensor=trace.tensor.transpose(0, 2, 3, 1))

            def infer(self, tensor: Array) -> Array:
                return super().infer(tensor.transpose(0, 3, 1, 2) if tensor.shape[-1] == 3 else tensor)

        found = cause_of(on(Toy()), on(Port(name="port")))
        assert (found.cause, found.stage) == ("layout.axes", TENSOR)

    def test_a_tensor_of_another_size_is_a_matter_of_the_resize(self) -> None:
        class Port(WithoutResize):
            def preprocess(self, image: Image) -> Trace:
                trace = super().preprocess(image)
                assert trace.tensor is not None
                return replace(trace, tensor=trace.tensor[:, :, :32])

        found, *_ = diagnose(reference=on(Toy()), candidate=on(Port(name="port")))
        assert (found.cause, found.stage) == ("unknown", RESIZE)
