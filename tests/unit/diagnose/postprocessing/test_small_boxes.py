"""A filter of small boxes: it is named where a drawn map confirms it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from diagnosing import Array, Varied, all_judged, judged, on_spread, only, says, seen
from toy import Toy, page

from pytest_ocrparity import Detections
from pytest_ocrparity.diagnose import diagnose
from pytest_ocrparity.diagnosis import UNKNOWN
from pytest_ocrparity.trace import Shape


class TestFiltering:
    THIN = page(96, 160, ((8, 8, 40, 10), (60, 30, 84, 42), (110, 60, 140, 74)))

    class Filters(Toy):
        def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
            made = super().postprocess(probability_map, shape)
            assert made.scores is not None
            kept = [i for i, polygon in enumerate(made.polygons) if self.is_kept(polygon, probability_map)]
            return Detections(tuple(made.polygons[i] for i in kept), made.scores[kept])

        def is_kept(self, polygon: Array, probability_map: Array) -> bool:
            return bool(np.ptp(polygon, axis=0).min() >= 4)

    class OnlyItsOwnSize(Filters):
        def is_kept(self, polygon: Array, probability_map: Array) -> bool:
            if probability_map.shape[-1] != 160:
                raise ValueError("a fixed size")
            return super().is_kept(polygon, probability_map)

    class DropsFirst(Filters):
        def is_kept(self, polygon: Array, probability_map: Array) -> bool:
            return bool(polygon[0, 1] > 8)

    class KeepsLarge(Filters):
        def is_kept(self, polygon: Array, probability_map: Array) -> bool:
            return bool(np.ptp(polygon, axis=0).min() > 10)

    class ByLength(Filters):
        """Drops by the long side, which on this page drops the same."""

        def is_kept(self, polygon: Array, probability_map: Array) -> bool:
            return bool(np.ptp(polygon, axis=0).max() != 32)

    def test_a_filter_of_another_size_is_named_with_it(self) -> None:
        diagnosis = only(seen(Toy(pad=0), self.THIN), seen(self.KeepsLarge(name="port", pad=0), self.THIN))
        assert judged(diagnosis) == ("detections", "postprocess.filter")
        assert says((diagnosis.summary,), "port drops boxes by their shorter side: those of up to ")

    def test_small_boxes_dropped_here_and_on_a_drawn_map_are_the_filter(self) -> None:
        diagnosis = only(seen(Toy(pad=0), self.THIN), seen(self.Filters(name="port", pad=0), self.THIN))
        assert judged(diagnosis) == ("detections", "postprocess.filter")

    @pytest.mark.parametrize("wrong", [OnlyItsOwnSize, DropsFirst, ByLength])
    def test_what_the_drawn_map_does_not_confirm_is_not_called_the_filter(self, wrong: type[Toy]) -> None:
        diagnosis = only(seen(Toy(pad=0), self.THIN), seen(wrong(name="port", pad=0), self.THIN))
        assert judged(diagnosis) == ("detections", UNKNOWN)
        assert says(diagnosis.tried, "rescale: ")


class TestTwoFaults:
    """E12: the second is looked for with the first undone."""

    class Filters(Varied):
        def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
            made = super().postprocess(probability_map, shape)
            assert made.scores is not None
            kept = [i for i, polygon in enumerate(made.polygons) if np.ptp(polygon, axis=0).min() > 13]
            return Detections(tuple(made.polygons[i] for i in kept), made.scores[kept])

    @pytest.mark.parametrize("box_thresh", [0.6, 0.705])
    def test_a_threshold_and_a_filter_are_told_apart(self, box_thresh: float) -> None:
        thin = page(96, 160, ((8, 8, 30, 12), (60, 30, 84, 46), (110, 60, 140, 76), (20, 70, 44, 90)))
        reference, candidate = (
            on_spread(Toy(gain=1.0), thin),
            on_spread(self.Filters(name="port", gain=1.0, box_thresh=box_thresh), thin),
        )
        found = diagnose(reference=reference, candidate=candidate)
        expected = [("detections", "postprocess.box_thresh")] if box_thresh != 0.6 else []
        assert all_judged(found) == [*expected, ("detections", "postprocess.filter")]
