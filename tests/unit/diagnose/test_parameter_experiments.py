"""Parameters: what is shown by running with others, and what shows nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from diagnosing import SHADED, Refuses, Varied, cause_of, digest, judged, on, on_spread, seen
from toy import PAGE, Toy

from pytest_ocrparity import Detections, Trace
from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.diagnose import diagnose
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.parameter_experiments import examine_leaked_parameters
from pytest_ocrparity.diagnosis import UNKNOWN
from pytest_ocrparity.errors import StageError
from pytest_ocrparity.stages import DETECTIONS, TENSOR
from pytest_ocrparity.tolerance import BUILT_IN
from pytest_ocrparity.trace import Image, Shape


class TestLeaks:
    class Leaks(Toy):
        def leaked(self) -> Mapping[str, str]:
            return {"img_mode": "decode"}

    class LeaksForGood(Leaks):
        def without_leak(self) -> Toy:
            raise RuntimeError("can't be built")

    @pytest.mark.parametrize(
        ("side", "not_tried"),
        [(Leaks, []), (LeaksForGood, ["leaked and without_leak of train: RuntimeError: can't be built"])],
    )
    def test_a_leak_that_cannot_be_taken_out_is_not_blamed(self, side: type[Toy], not_tried: list[str]) -> None:
        lab = Laboratory(Comparisons(seen(side()), seen(Varied(name="port", img_mode="RGB")), BUILT_IN), 60)
        found = list(diagnose(reference=lab.reference, candidate=lab.candidate))
        assert [judged(each) for each in found] == [("decode", "decode.channel_order")]
        assert examine_leaked_parameters(lab, found) is found
        assert lab.not_tried == not_tried

    class Cleaned(Leaks):
        """Is built anew as a side that decodes in the other order, and may stop."""

        stops: str = ""

        def without_leak(self) -> Toy:
            return self.Clean(self.stops)

        class Clean(Toy):
            def __init__(self, stops: str) -> None:
                super().__init__(img_mode="RGB")
                self.stops = stops

            def preprocess(self, image: Image) -> Trace:
                if self.stops == "raises":
                    raise RuntimeError("not built")
                if self.stops == "stops":
                    return Trace(
                        pipeline=self.name, image="page.png", error=StageError("decode", "no such order"), source=self
                    )
                return super().preprocess(image)

    class Raises(Cleaned):
        stops = "raises"

    class Stops(Cleaned):
        stops = "stops"

    @pytest.mark.parametrize(
        ("side", "cause"),
        [
            (Cleaned, "reference.global_leak"),
            (Raises, "decode.channel_order"),
            (Stops, "decode.channel_order"),
        ],
    )
    def test_a_leak_is_blamed_where_the_stage_runs_without_it(self, side: type[Toy], cause: str) -> None:
        found = diagnose(reference=seen(side()), candidate=seen(Varied(name="port", img_mode="RGB")))
        assert [judged(each) for each in found] == [("decode", cause)]

    class LeaksMean(Toy):
        def leaked(self) -> Mapping[str, str]:
            return {"mean": "tensor"}

        def without_leak(self) -> Toy:
            return Toy()

    @pytest.mark.parametrize(("is_said", "cause"), [(True, "reference.global_leak"), (False, "normalize.mean_std")])
    def test_a_leak_is_not_blamed_for_numbers_that_the_candidate_does_not_say(self, is_said: bool, cause: str) -> None:
        class Port(Toy):
            @property
            def parameters(self) -> Mapping[str, Mapping[str, Any]]:
                return {**super().parameters, **({} if is_said else {"tensor": {}})}

        found = cause_of(on(self.LeaksMean(mean=0.4), SHADED), on(Port(name="port"), SHADED))
        assert judged(found) == ("tensor", cause)


class TestParameters:
    def test_one_that_can_be_varied_is_proved(self) -> None:
        found = cause_of(on(Toy()), on(Varied(name="port", box_thresh=1.01)))
        assert (found.cause, found.stage) == ("postprocess.box_thresh", DETECTIONS)

    @pytest.mark.parametrize(
        ("side", "told"),
        [
            (Toy(name="port", mean=0.4), "port with other mean: this pipeline has no varied()"),
            (Refuses(name="port", mean=0.4), "port with train's parameters: ValueError: these are compiled in"),
        ],
    )
    def test_a_candidate_that_takes_none_is_told_where_nothing_else_is_found(self, side: Toy, told: str) -> None:
        # PAGE has too few grey levels to work the numbers out from the tensors.
        found, *_ = diagnose(reference=on(Toy()), candidate=on(side))
        assert (found.cause, found.stage) == ("unknown", TENSOR)
        assert told in found.not_tried

    def test_a_refusal_does_not_hide_a_cause_that_other_experiments_find(self) -> None:
        found = cause_of(on(Toy(), SHADED), on(Refuses(name="port", mean=0.4), SHADED))
        assert (found.cause, found.not_tried) == ("normalize.mean_std", ())

    @pytest.mark.parametrize(("is_told", "cause"), [(True, "normalize.mean_std"), (False, "unknown")])
    def test_of_a_side_that_stopped_are_those_that_it_always_runs_with(self, is_told: bool, cause: str) -> None:
        class Port(Varied):
            def preprocess(self, image: Image) -> Trace:
                if self.mean == 0.5:
                    return super().preprocess(image)
                error = StageError(TENSOR, "no such mean")
                return replace(Toy.preprocess(Varied(), image), tensor=None, parameters={}, error=error)

            @property
            def parameters(self) -> Mapping[str, Mapping[str, Any]]:
                if self.mean != 0.5 and not is_told:
                    raise RuntimeError("nothing ran")
                return super().parameters

        port = Port(name="port", mean=0.4)
        candidate = replace(
            port.preprocess(PAGE), pipeline="port", image="page 0", image_sha256=digest(PAGE), source=port
        )
        found, *_ = diagnose(reference=on(Toy()), candidate=candidate)
        assert (found.cause, found.stage) == (cause, TENSOR)


class ForgetsABox(Varied):
    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        made = super().postprocess(probability_map, shape)
        assert made.scores is not None
        return Detections(made.polygons[1:], made.scores[1:])


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (Refuses(name="port", box_thresh=0.9999), "these are compiled in"),
        (ForgetsABox(name="port", box_thresh=0.9999), "postprocess.box_thresh: with train's box_thresh, port's set of"),
    ],
)
def test_boxes_that_parameters_do_not_put_right_stay_unknown(wrong: Toy, told: str) -> None:
    diagnosis = cause_of(on(Toy()), on(wrong))
    assert (diagnosis.stage, diagnosis.cause) == ("detections", "unknown")
    assert any(told in text for text in (*diagnosis.tried, *diagnosis.not_tried))
    assert diagnosis.ruled_out == ()


class TestVariedIsControlled:
    """Nothing is concluded from `varied()` where its own parameters do not give the same side again."""

    class Wrapper:
        """Adds one step, and hands `varied()` on to what it wraps, so that the step is gone there."""

        def __init__(self, inner: Toy) -> None:
            self.inner, self.name = inner, inner.name

        def __getattr__(self, name: str) -> Any:
            return getattr(self.inner, name)

        def preprocess(self, image: Image) -> Trace:
            return replace(self.inner.preprocess(image), source=self)

        def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
            made = self.inner.postprocess(probability_map, shape)
            assert made.scores is not None
            return Detections(made.polygons[1:], made.scores[1:])

        def trace(self, image: Image) -> Trace:
            trace = self.preprocess(image)
            assert trace.tensor is not None and trace.shape is not None
            made = self.inner.infer(trace.tensor)
            boxes = self.postprocess(made, trace.shape)
            return replace(trace, probability_map=made, detections=boxes, parameters=self.inner.parameters)

    def test_a_wrapper_whose_step_is_lost_on_the_way_proves_nothing(self) -> None:
        candidate = on_spread(self.Wrapper(Varied(name="port", thresh=0.31)))  # type: ignore[arg-type]
        (found,) = diagnose(reference=on_spread(Toy()), candidate=candidate)
        assert (found.cause, found.fix) == (UNKNOWN, None)
        told = (
            "port with other thresh: with its own parameters given again, varied() returns another side than this one"
        )
        assert told in found.not_tried

    class Changes(Toy):
        def varied(self, changes: Mapping[str, Mapping[str, Any]]) -> Toy:
            for table in changes.values():
                for name, value in table.items():
                    setattr(self, name, value[0] if isinstance(value, list) else value)
            return self

    def test_a_side_that_changes_itself_is_not_repaired_by_its_diagnosis(self) -> None:
        port = self.Changes(name="port", gain=1.0, box_thresh=0.72)
        candidate = on_spread(port)
        (found,) = diagnose(reference=on_spread(Toy(gain=1.0)), candidate=candidate)
        assert found.cause == UNKNOWN
        assert any("its varied() changes the side itself" in text for text in found.not_tried)
        assert port.box_thresh == 0.72

    def test_a_difference_that_does_not_show_in_its_own_result_is_not_stated(self) -> None:
        class Brightens(Varied):
            def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
                return np.asarray(super().infer(tensor) ** np.float32(0.5), np.float32)

        port = Brightens(name="port", gain=1.0, box_thresh=0.72)
        found = diagnose(reference=on_spread(Toy(gain=1.0)), candidate=on_spread(port))
        assert not any(each.cause == "postprocess.box_thresh" for each in found)
