"""Sides that do not repeat themselves are noticed before the export is examined."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from diagnosing import cause_of, on, on_spread
from toy import Toy

from pytest_ocrparity import Detections, Trace
from pytest_ocrparity.diagnose import diagnose
from pytest_ocrparity.errors import StageError
from pytest_ocrparity.stages import RESIZE, TENSOR
from pytest_ocrparity.trace import Image, Shape


class TestRepeatability:
    @pytest.mark.parametrize(
        ("without", "cause", "told"),
        [
            (Toy(), "reference.not_repeatable", "train stopped at RandomCrop, a random operator"),
            (None, "unknown", "train stopped, so there is nothing to compare with"),
        ],
    )
    def test_a_reference_that_stopped_is_blamed_on_chance_where_it_runs_without(
        self, without: Toy | None, cause: str, told: str
    ) -> None:
        class StopsAlways(Toy):
            def preprocess(self, image: Image) -> Trace:
                return replace(super().preprocess(image), tensor=None, error=StageError(TENSOR, "out of range"))

        class Random(Toy):
            def random_operators(self) -> tuple[str, ...]:
                return ("RandomCrop",)

            def without_random(self) -> Toy:
                return without or StopsAlways()

        error = StageError(TENSOR, "out of range")
        reference = replace(on(Random()), tensor=None, probability_map=None, detections=None, error=error)
        found = cause_of(reference, on(Toy(name="port")))
        assert (found.cause, found.stage) == (cause, TENSOR)
        assert found.summary.startswith(told)

    def test_a_trace_that_its_own_side_does_not_return_is_noticed(self) -> None:
        candidate = on(Toy(name="port"))
        assert candidate.tensor is not None
        candidate = replace(candidate, tensor=candidate.tensor * np.float32(0.9))
        found, *_ = diagnose(reference=on(Toy()), candidate=candidate)
        assert found.cause == "unknown"
        assert "port's trace holds another tensor than its preprocess() returns" in found.evidence

    @pytest.mark.parametrize(
        ("operators", "fix"),
        [((), "find what is random in the preprocessing of port"), (("RandomCrop",), "take RandomCrop out of")],
    )
    def test_another_size_each_time_is_a_matter_of_the_resize(self, operators: tuple[str, ...], fix: str) -> None:
        class Crops(Toy):
            def random_operators(self) -> tuple[str, ...]:
                return operators

            def without_random(self) -> Toy:
                return self

            def preprocess(self, image: Image) -> Trace:
                self.runs += 1
                return super().preprocess(np.asarray(image)[: 64 - self.runs])

        candidate = on(Crops(name="port"))
        found = cause_of(on(Toy()), candidate)
        assert (found.cause, found.stage) == ("preprocessing.not_repeatable", RESIZE)
        assert "differ in shape, (1, 3, " in found.evidence[0]
        assert found.fix is not None and found.fix.text.startswith(fix)


class TestVariedIsControlled:
    """Nothing is concluded from `varied()` where its own parameters do not give the same side again."""

    def test_a_tensor_with_nan_agrees_with_itself(self) -> None:
        class Divides(Toy):
            def preprocess(self, image: Image) -> Trace:
                trace = super().preprocess(image)
                assert trace.tensor is not None
                tensor = trace.tensor.copy()
                tensor[0, 0, 0, 0] = np.nan
                return replace(trace, tensor=tensor)

        found = diagnose(reference=on_spread(Toy()), candidate=on_spread(Divides(name="port")))
        assert not any(each.cause.endswith("not_repeatable") for each in found)


class TestState:
    """What a candidate keeps from one image to the next is shown by running it again."""

    class Grows(Toy):
        """Its tensor is as large as the largest so far."""

        def preprocess(self, image: Image) -> Trace:
            trace = super().preprocess(image)
            assert trace.tensor is not None
            size = self.__dict__.setdefault("size", (70, 100))
            size = tuple(max(pair) for pair in zip(size, trace.tensor.shape[2:], strict=True))
            self.__dict__["size"] = size
            whole = np.full((1, 3, *size), 0.25, np.float32)
            whole[..., : trace.tensor.shape[2], : trace.tensor.shape[3]] = trace.tensor
            whole[0, 0, -1, -1] = 1  # what was there before
            return replace(trace, tensor=whole)

    class Same(Grows):
        """Its tensor always has that size, whatever it saw."""

        def preprocess(self, image: Image) -> Trace:
            self.__dict__["size"] = (70, 400)
            return super().preprocess(image)

    class Adds(Toy):
        """Its boxes are added to those of the images before."""

        def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
            made = super().postprocess(probability_map, shape)
            kept = self.__dict__.setdefault("kept", [])
            kept += [polygon + 8.0 for polygon in made.polygons]
            return Detections(tuple(kept), None)

    def test_a_buffer_that_grows_is_named(self) -> None:
        found = diagnose(reference=on(Toy()), candidate=on(self.Grows(name="port")))
        assert [(each.stage, each.cause) for each in found] == [(RESIZE, "engine.state")]
        assert "of 100x70 and then of 288x192" in found[0].evidence[0]

    def test_a_buffer_of_one_size_keeps_nothing(self) -> None:
        found = diagnose(reference=on(Toy()), candidate=on(self.Same(name="port")))
        assert "engine.state" not in {each.cause for each in found}

    def test_boxes_of_the_images_before_are_named(self) -> None:
        found = diagnose(reference=on(Toy()), candidate=on(self.Adds(name="port")))
        assert [(each.stage, each.cause) for each in found] == [("detections", "engine.state")]

    def test_without_its_source_nothing_is_said_of_it(self) -> None:
        found = diagnose(reference=on(Toy()), candidate=replace(on(self.Grows(name="port")), source=None))
        assert "engine.state" not in {each.cause for each in found}
