"""Values of a post-process that says nothing are found by the reference's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from diagnosing import WORDS, all_judged, each_moved, found_by, on_spread
from toy import Toy, page

from pytest_ocrparity import Detections, Trace
from pytest_ocrparity.diagnose import diagnose
from pytest_ocrparity.diagnose.cache import DiagnosisCache
from pytest_ocrparity.diagnosis import UNKNOWN
from pytest_ocrparity.trace import Image, Shape


class Builds(Toy):
    """A reference whose post-process can be built with other values."""

    def postprocess_with(self, values: Mapping[str, Any]) -> Any:
        known = {name: value for name, value in values.items() if name in ("thresh", "box_thresh")}
        if not known:
            raise ValueError("no such value")
        return replace(self, **known).postprocess


class TestValuesOfAPostProcessThatSaysNothing:
    class Silent(Toy):
        def trace(self, image: Image) -> Trace:
            return replace(super().trace(image), parameters={})

    def test_are_found_by_the_references_own_under_them(self) -> None:
        cache, train, port = DiagnosisCache(60), Builds(gain=1.0), self.Silent(name="port", gain=1.0, box_thresh=0.75)
        dim = page(96, 192, (*WORDS, (150, 60, 180, 74)))
        found = found_by(cache, on_spread(train), on_spread(port))
        assert all_judged(found) == [("detections", "postprocess.box_thresh")]
        assert "makes port's boxes: on port's map, on train's, and on a test map that is drawn" in found[0].evidence[0]
        again = found_by(cache, on_spread(train, dim, "page 1"), on_spread(port, dim, "page 1"))
        assert all_judged(again) == [("detections", "postprocess.box_thresh")]

    def test_one_that_no_value_explains_stays_unknown(self) -> None:
        class Forgets(self.Silent):  # type: ignore[name-defined,misc]
            def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
                made = super().postprocess(probability_map, shape)
                return Detections(made.polygons[1:], made.scores[1:])

        (found,) = diagnose(reference=on_spread(Builds()), candidate=on_spread(Forgets(name="port")))
        assert (found.cause, found.fix) == (UNKNOWN, None)

    def test_where_values_of_two_parameters_do_neither_is_named(self) -> None:
        class Both(Builds):
            def postprocess_with(self, values: Mapping[str, Any]) -> Any:
                return replace(self, pad=3).postprocess  # whatever is given

        (found,) = diagnose(reference=on_spread(Both()), candidate=on_spread(self.Silent(name="port", pad=3)))
        assert (found.cause, found.fix) == (UNKNOWN, None)
        assert sum(text.endswith("gives port's boxes") for text in found.tried) == 3

    def test_boxes_that_are_only_fewer_show_no_rule_where_it_cannot_be_run_again(self) -> None:
        train, port = Builds(gain=1.0), self.Silent(name="port", gain=1.0, box_thresh=0.75)
        found = diagnose(reference=on_spread(train), candidate=replace(on_spread(port), source=None))
        assert all_judged(found) == [("detections", UNKNOWN)]

    def test_boxes_that_its_own_map_does_not_give_are_not_explained(self) -> None:
        class Moves(self.Silent):  # type: ignore[name-defined,misc]
            def trace(self, image: Image) -> Trace:
                made: Trace = super().trace(image)
                assert made.detections is not None
                return replace(made, detections=each_moved(made.detections, lambda p: p + (p[0, 0] % 7)))

        found = diagnose(
            reference=on_spread(Builds(gain=1.0)), candidate=on_spread(Moves(name="port", gain=1.0, box_thresh=0.7))
        )
        assert all(each.cause == UNKNOWN for each in found)
