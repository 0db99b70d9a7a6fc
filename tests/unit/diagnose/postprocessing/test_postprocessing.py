"""A cause in the boxes is stated where it explains what the candidate itself returned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from diagnosing import SPREAD, Varied, all_judged, judged, moved, on_spread, only, says, seen
from toy import Toy

from pytest_ocrparity import Detections, DifferenceError, Trace, assert_same_detections
from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.diagnose import diagnose
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.postprocessing import examine_postprocessing
from pytest_ocrparity.diagnosis import UNKNOWN
from pytest_ocrparity.tolerance import BUILT_IN
from pytest_ocrparity.trace import Image, Shape


class TestBoxes:
    class Traces(Toy):
        """Has no post-process of its own to run."""

        def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
            raise NotImplementedError

        def trace(self, image: Image) -> Trace:
            values = {name: getattr(self, name) for name in ("name", "gain", "offset", "pad")}
            return replace(Toy(**values).trace(image), source=self)

    def test_right_boxes_of_a_side_that_only_traces_are_no_fault(self) -> None:
        reference = seen(Toy())
        candidate = replace(seen(self.Traces(name="port", offset=-0.05)), detections=reference.detections)
        assert judged(only(reference, candidate)) == ("probability_map", UNKNOWN)

    def test_other_boxes_of_another_map_are_blamed_on_the_map(self) -> None:
        assert judged(only(seen(Toy()), seen(self.Traces(name="port", offset=-0.05, pad=9)))) == (
            "probability_map",
            UNKNOWN,
        )

    def test_other_boxes_of_the_same_map_are_a_fault_of_their_own(self) -> None:
        diagnosis = only(seen(Toy()), seen(self.Traces(name="port", pad=9)))
        assert judged(diagnosis) == ("detections", UNKNOWN)
        assert says(diagnosis.not_tried, "train's map through the post-process of port, which can't be run by itself")

    def test_boxes_that_were_moved_within_the_limits_after_the_post_process_are_no_fault(self) -> None:
        reference, candidate = seen(Toy()), seen(Toy(name="port"))
        shifted = moved(candidate.detections, lambda _, polygon: polygon + 0.25)
        lab = Laboratory(Comparisons(reference, replace(candidate, detections=shifted), BUILT_IN), 60)
        assert examine_postprocessing(lab) == []
        assert (lab.ruled_out, lab.not_tried) == ([], [])

    @pytest.mark.parametrize(("by", "stages"), [(0.25, ["probability_map"]), (9.0, ["probability_map", "detections"])])
    def test_beside_another_map_they_are_one_where_they_leave_the_limits(self, by: float, stages: list[str]) -> None:
        class Half(Toy):
            def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
                made = super().infer(tensor) ** 2
                made[..., made.shape[-1] // 2 :] = 0
                return np.asarray(made)

        reference, candidate = seen(Toy()), seen(Half(name="port"))
        shifted = moved(candidate.detections, lambda _, polygon: polygon + by)
        found = diagnose(reference=reference, candidate=replace(candidate, detections=shifted))
        assert [each.stage for each in found] == stages

    def test_boxes_that_were_moved_further_are_one(self) -> None:
        reference, candidate = seen(Toy(), SPREAD), seen(Toy(name="port"), SPREAD)
        shifted = moved(candidate.detections, lambda _, polygon: polygon + 9)
        assert judged(only(reference, replace(candidate, detections=shifted))) == ("detections", "rescale.offset")

    def test_a_fault_of_parameters_and_one_of_coordinates_are_told_apart(self) -> None:
        class Shifts(Varied):
            def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
                return moved(
                    super().postprocess(probability_map, shape), lambda _, polygon: polygon + np.array([12, 20])
                )

        reference = seen(Toy(gain=1.0), SPREAD)
        candidate = seen(Shifts(name="port", gain=1.0, box_thresh=0.72), SPREAD)
        assert reference.detections is not None and candidate.detections is not None
        assert len(candidate.detections) < len(reference.detections)
        found = diagnose(reference=reference, candidate=candidate)
        assert [judged(each) for each in found] == [
            ("detections", "postprocess.box_thresh"),
            ("detections", "rescale.offset"),
        ]
        assert found[1].summary == "boxes of port are shifted by x +12.0, y +20.0 px"


class TestAClaimExplainsTheCandidatesOwnResult:
    """A3, A14: experiments on the reference's map are not enough."""

    class Pads(Toy):
        """Pads its page below to a square, and maps its boxes back by that square, which is right."""

        def trace(self, image: Image) -> Trace:
            return replace(super().trace(image), parameters={})

        def preprocess(self, image: Image) -> Trace:
            assert isinstance(image, np.ndarray)
            square = np.full((image.shape[1], image.shape[1], 3), 114, np.uint8)
            square[: image.shape[0]] = image
            trace = super().preprocess(square)
            return replace(trace, resize=None, decode=None, shape=(96.0, 160.0, 1.0, 1.0))

        def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
            return super().postprocess(probability_map, (shape[1], shape[1], 1.0, 1.0))

    def test_boxes_that_are_right_in_their_own_geometry_are_not_said_to_be_scaled(self) -> None:
        found = diagnose(reference=on_spread(Toy()), candidate=on_spread(self.Pads(name="port")))
        assert all_judged(found) == [("resize", "resize.padding")]
        assert not any(each.cause.startswith("rescale.") for each in found)

    def test_the_first_stage_that_differs_heads_the_message(self) -> None:
        class PadsAndDrops(self.Pads):  # type: ignore[name-defined,misc]
            def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
                made = super().postprocess(probability_map, shape)
                return Detections(made.polygons[1:], made.scores[1:])

        with pytest.raises(DifferenceError) as error:
            assert_same_detections(on_spread(Toy()), on_spread(PadsAndDrops(name="port")))
        assert str(error.value).startswith("page 0: resize: port pads the tensor")

    class Wrapped(Varied):
        """Its boxes are changed after the post-process, so that this explains nothing of them."""

        def trace(self, image: Image) -> Trace:
            made = super().trace(image)
            assert made.detections is not None
            return replace(made, detections=Detections(made.detections.polygons[1:], made.detections.scores[1:]))  # type: ignore[index]

    def test_a_whole_that_is_not_its_parts_is_told(self) -> None:
        (found,) = diagnose(reference=on_spread(Toy()), candidate=on_spread(self.Wrapped(name="port")))
        assert (found.stage, found.cause) == ("detections", "pipeline.boxes")
        told = (
            "own post-process makes 4 boxes of its own map, and they are train's; its trace holds 3 boxes that differ"
        )
        assert told in found.evidence[0]

    def test_boxes_that_depend_on_what_ran_before_are_not_blamed_on_what_follows(self) -> None:
        """Its first run forgets a box, and no later one does."""

        class Warms(Varied):
            def trace(self, image: Image) -> Trace:
                made = super().trace(image)
                assert made.detections is not None
                kept = 1 if self.runs == 1 else 0
                return replace(made, detections=Detections(made.detections.polygons[kept:], None))

        (found,) = diagnose(reference=on_spread(Toy()), candidate=on_spread(Warms(name="port", has_scores=False)))
        assert (found.stage, found.cause) == ("detections", UNKNOWN)

    def test_parts_that_are_wrong_themselves_are_not_called_right(self) -> None:
        candidate = on_spread(self.Wrapped(name="port", offset=-0.2))
        assert all(each.cause == UNKNOWN for each in diagnose(reference=on_spread(Toy()), candidate=candidate))

    class Ignores(Varied):
        """Says that it can be varied, and keeps its own threshold."""

        def varied(self, changes: Mapping[str, Mapping[str, Any]]) -> Toy:
            return replace(self)

    def test_a_parameter_that_is_ignored_was_not_tried(self) -> None:
        (found,) = diagnose(
            reference=on_spread(Toy(gain=1.0)),
            candidate=on_spread(self.Ignores(name="port", gain=1.0, box_thresh=0.72)),
        )
        assert (found.cause, found.ruled_out) == (UNKNOWN, ())
        told = "postprocess.box_thresh: given train's box_thresh, port's varied() keeps its own"
        assert told in found.not_tried

    class Forgets(Varied):
        def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
            made = super().postprocess(probability_map, shape)
            assert made.scores is not None
            return Detections(made.polygons[1:], made.scores[1:])

    def test_one_of_two_faults_is_not_ruled_out(self) -> None:
        (found,) = diagnose(
            reference=on_spread(Toy(gain=1.0)),
            candidate=on_spread(self.Forgets(name="port", gain=1.0, box_thresh=0.72)),
        )
        assert (found.cause, found.ruled_out) == (UNKNOWN, ())
        assert any(text.startswith("postprocess.box_thresh: with train's box_thresh") for text in found.tried)

    def test_a_parameter_that_changes_nothing_here_was_tried(self) -> None:
        """It is not ruled out: a side may say that it runs with another value, and run on with its own."""
        (found,) = diagnose(reference=on_spread(Toy()), candidate=on_spread(self.Forgets(name="port", thresh=0.31)))
        assert found.cause == UNKNOWN
        told = "postprocess.thresh: with train's thresh, port's set of boxes does not change"
        assert (found.ruled_out, told in found.tried) == ((), True)

    def test_what_a_side_does_not_declare_is_not_different(self) -> None:
        class SaysLittle(self.Forgets):  # type: ignore[name-defined,misc]
            def trace(self, image: Image) -> Trace:
                made: Trace = super().trace(image)
                return replace(made, parameters={"detections": {"thresh": self.thresh}})

        (found,) = diagnose(reference=on_spread(Toy()), candidate=on_spread(SaysLittle(name="port")))
        assert not any("box_type" in text for text in (*found.tried, *found.ruled_out, *found.not_tried))


@pytest.mark.parametrize(("share", "causes"), [(1, ["postprocess.box_thresh"]), (SPREAD.size, [])])
def test_a_threshold_beside_a_reference_whose_map_is_not_finite_in_one_place_is_named(
    share: int, causes: list[str]
) -> None:
    class Overflows(Varied):
        def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
            made = super().infer(tensor)
            made.flat[:share] = np.nan
            return made

    sides = Overflows(gain=1.0), Overflows(name="port", gain=1.0, box_thresh=0.72)
    found = diagnose(reference=on_spread(sides[0]), candidate=on_spread(sides[1]))
    assert [each.cause for each in found if each.stage == "detections"] == causes
