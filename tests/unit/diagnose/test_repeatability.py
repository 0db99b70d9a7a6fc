"""Sides that do not repeat themselves are noticed before the export is examined."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from diagnosing import cause_of, on, on_spread
from toy import Toy

from pytest_ocrparity import Trace
from pytest_ocrparity.diagnose import diagnose
from pytest_ocrparity.errors import StageError
from pytest_ocrparity.stages import RESIZE, TENSOR
from pytest_ocrparity.trace import Image


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


class TestNetworks:
    """A network that answers otherwise each time is named by its side; one that only answered otherwise is not."""

    class Drops(Toy):
        def infer(self, tensor: Any) -> Any:
            made = super().infer(tensor)
            return made * np.float32(1 / (1 + 0.05 * self.runs))

    @pytest.mark.parametrize("is_reference", [True, False])
    def test_one_that_does_not_repeat(self, is_reference: bool) -> None:
        sides = (self.Drops(), Toy(name="port")) if is_reference else (Toy(), self.Drops(name="port"))
        found = cause_of(*map(on, sides))
        assert found.cause == ("reference.not_repeatable" if is_reference else "engine.not_repeatable")
        name = "train" if is_reference else "port"
        assert found.summary == f"{name} does not agree with itself"
        assert f"the same tensor twice through {name}'s network gives maps that differ by up to" in found.evidence[0]

    def test_a_map_that_the_candidates_network_does_not_return(self) -> None:
        candidate = on(Toy(name="port"))
        assert candidate.probability_map is not None
        changed = replace(candidate, probability_map=candidate.probability_map * np.float32(0.9))
        (found,) = diagnose(reference=on(Toy()), candidate=changed)
        assert found.cause == "unknown"
        assert found.summary.startswith(
            "port's trace holds another map than its infer() returns of the trace's tensor: "
        )

    def test_a_map_that_the_references_network_does_not_return_is_said(self) -> None:
        reference = on(Toy())
        assert reference.probability_map is not None
        changed = replace(reference, probability_map=reference.probability_map * np.float32(0.9))
        found, *_ = diagnose(reference=changed, candidate=on(Toy(name="port")))
        assert not found.cause.endswith("not_repeatable")
        assert "train's trace holds another map than its infer() returns of the trace's tensor" in found.evidence


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
