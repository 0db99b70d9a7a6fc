"""Coordinates that were distorted after the post-process, and boxes that are no such copy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from diagnosing import SPREAD, Array, boxes, judged, moved, only, says, seen
from toy import Toy, page

from pytest_ocrparity import DifferenceError, assert_same_detections
from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.postprocessing import examine_postprocessing
from pytest_ocrparity.diagnosis import UNKNOWN
from pytest_ocrparity.tolerance import BUILT_IN
from pytest_ocrparity.trace import Detections, Shape, Trace


class TestCoordinates:
    def test_recorded_boxes_show_their_cause_without_a_pipeline_to_run(self) -> None:
        reference = seen(Toy(), SPREAD)
        shifted = moved(reference.detections, lambda _, polygon: polygon + np.array([12, 20]))
        diagnosis = only(reference, replace(reference, pipeline="port", source=None, detections=shifted))
        assert judged(diagnosis) == ("detections", "rescale.offset")
        assert diagnosis.summary == "boxes of port are shifted by x +12.0, y +20.0 px"

    @pytest.mark.parametrize(("distance", "cause"), [(4, UNKNOWN), (6, "rescale.offset")])
    def test_boxes_alone_do_not_tell_a_shift_from_a_map_that_lies_beside(self, distance: int, cause: str) -> None:
        reference = seen(Toy(), SPREAD)
        shifted = moved(reference.detections, lambda _, polygon: polygon + np.array([0, distance]))
        alone = Trace(pipeline="port", image=reference.image, image_sha256=reference.image_sha256, detections=shifted)
        diagnosis = only(reference, alone)
        assert judged(diagnosis) == ("detections", cause)
        said = any("A map that is moved so far does the same" in text for text in diagnosis.evidence)
        assert said is (cause == UNKNOWN)

    def test_where_the_map_is_recorded_and_right_a_small_shift_is_one(self) -> None:
        reference = seen(Toy(), SPREAD)
        shifted = moved(reference.detections, lambda _, polygon: polygon + np.array([0, 4]))
        diagnosis = only(reference, replace(reference, pipeline="port", source=None, detections=shifted))
        assert judged(diagnosis) == ("detections", "rescale.offset")

    @pytest.mark.parametrize("is_explained", [True, False])
    def test_boxes_of_a_picture_that_is_not_explained_are_not_called_shifted(self, is_explained: bool) -> None:
        reference = seen(Toy(), SPREAD)
        shifted = moved(reference.detections, lambda _, polygon: polygon + np.array([12, 20]))
        candidate = replace(reference, pipeline="port", source=None, detections=shifted)
        lab = Laboratory(Comparisons(reference, candidate, BUILT_IN), 60)
        lab.is_picture_explained = is_explained
        (diagnosis,) = examine_postprocessing(lab)
        assert diagnosis.cause == ("rescale.offset" if is_explained else UNKNOWN)
        assert says(diagnosis.evidence, "boxes of port are shifted by x +12.0, y +20.0 px? the page may lie so") is (
            not is_explained
        )

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param(lambda i, p: np.vstack([p, p[:1] + 9]) if i == 0 else p + 9, id="another_number_of_points"),
            pytest.param(lambda i, p: p * np.nan if i == 0 else p, id="not_finite"),
            pytest.param(lambda i, p: p + 12 if i == 1 else p, id="one_box_moved"),
            pytest.param(lambda i, p: (160, 96) - p, id="mirrored"),
        ],
    )
    def test_boxes_that_are_no_scaled_copy_stay_unknown(self, change: Callable[[int, Array], Array]) -> None:
        class Moves(Toy):
            def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
                return moved(super().postprocess(probability_map, shape), change)

        diagnosis = only(seen(Toy(), SPREAD), seen(Moves(name="port"), SPREAD))
        assert judged(diagnosis) == ("detections", UNKNOWN)
        assert says(diagnosis.tried, "rescale: no int16 wrap, frame, order of x and y, offset or ratio")
        assert diagnosis.ruled_out == ()


class TestWhatNumbersMayBe:
    def test_boxes_that_are_shifted_and_cut_are_not_called_scaled(self) -> None:
        made = boxes(
            Toy().trace(page(96, 160, ((8, 8, 30, 18), (60, 30, 84, 42), (120, 60, 158, 74), (20, 76, 44, 88))))
        )
        with pytest.raises(DifferenceError) as error:
            assert_same_detections(made, [np.clip(box + np.array([3, 0]), 0, (159, 95)) for box in made], max_shift=1)
        assert [each.cause for each in error.value.diagnoses] == [UNKNOWN]
