"""A map that one change makes is called so; where several do, all are said, and of two causes none is stated."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from diagnosing import found_by, judged, on, only, seen
from toy import Toy

from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.diagnose.cache import DiagnosisCache
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.network.map_change import Family, MapChange, map_change_cause
from pytest_ocrparity.diagnosis import UNKNOWN, Diagnosis
from pytest_ocrparity.tolerance import BUILT_IN

Array = npt.NDArray[np.float32]
LEVELS = np.linspace(0, 255, 96).astype(np.uint8)
RAMP = np.repeat(LEVELS[None, :, None], 64, 0).repeat(3, 2)
"""All rows are alike: mirrored left to right is turned by 180 degrees."""
LOWER = np.repeat(np.linspace(0, 255, 64).astype(np.uint8)[:, None, None], 96, 1).repeat(3, 2)
PAGE = np.where(np.arange(96)[None, :, None] < 48, RAMP, LOWER)
PAGE = np.ascontiguousarray(PAGE)


class Even(Toy):
    """Its map of a page that is mirrored left to right is 1 minus the map: levels lie evenly around one half."""

    def infer(self, tensor: Array) -> Array:
        made = super().infer(tensor)
        return np.asarray((made + 1 - made[..., ::-1]) / 2, np.float32)


class Mirrors(Toy):
    def infer(self, tensor: Array) -> Array:
        return np.ascontiguousarray(super().infer(tensor)[..., ::-1])


class EvenMirrored(Even):
    def infer(self, tensor: Array) -> Array:
        return np.ascontiguousarray(super().infer(tensor)[..., ::-1])


class EvenScaled(Even):
    def infer(self, tensor: Array) -> Array:
        return np.asarray(super().infer(tensor) * np.float32(0.8))


def cause(right: Toy, wrong: Toy, page: Any, *, has_source: bool = True) -> Any:
    candidate = seen(wrong, page)
    return only(seen(right, page), candidate if has_source else replace(candidate, source=None))


@pytest.mark.parametrize("has_source", [True, False])
class TestRivals:
    def test_a_map_that_two_causes_make_is_unknown(self, has_source: bool) -> None:
        found = cause(Even(gain=1.0), EvenMirrored(name="port", gain=1.0), RAMP, has_source=has_source)
        assert judged(found) == ("probability_map", UNKNOWN)
        assert found.rivals == ("network.pointwise", "layout.map")
        assert "port's map is train's x -1 + 1; or port's map is train's, mirrored left to right" in found.summary
        assert found.summary.endswith("This image does not tell which it is")
        assert not any("network.pointwise" in text or "layout.map" in text for text in (*found.tried, *found.ruled_out))

    def test_the_same_network_with_one_of_them_is_named(self, has_source: bool) -> None:
        found = cause(Even(gain=1.0), EvenScaled(name="port", gain=1.0), RAMP, has_source=has_source)
        assert judged(found) == ("probability_map", "network.pointwise")

    def test_two_places_of_one_cause_are_both_said(self, has_source: bool) -> None:
        found = cause(Toy(gain=2.0), Mirrors(name="port", gain=2.0), RAMP, has_source=has_source)
        assert judged(found) == ("probability_map", "layout.map")
        assert found.summary == "port's map is train's, mirrored left to right, or turned by 180 degrees"

    def test_where_one_of_them_fits_it_alone_is_said(self, has_source: bool) -> None:
        found = cause(Toy(gain=2.0), Mirrors(name="port", gain=2.0), PAGE, has_source=has_source)
        assert found.summary == "port's map is train's, mirrored left to right"


def test_one_of_two_places_is_proved_again_on_another_page() -> None:
    cache, train, port = DiagnosisCache(60), Toy(gain=2.0), Mirrors(name="port", gain=2.0)
    found_by(cache, on(train, RAMP), on(port, RAMP))
    (found,) = found_by(cache, on(train, PAGE, "page 1"), on(port, PAGE, "page 1"))
    assert found.cause == "layout.map"
    assert found.evidence[0].startswith("found on page 0; here as well")


@pytest.mark.parametrize(
    ("kind", "numbers", "is_again"),
    [
        ("scaled", (2.0, 0.0), True),
        ("scaled", (2.019, 0.0009), True),
        ("scaled", (2.03, 0.0), False),
        ("scaled", (2.0, 0.0012), False),
        ("moved", (2.0, 0.0), False),
    ],
)
def test_a_change_is_that_of_another_image_within_a_hundredth(
    kind: str, numbers: tuple[float, ...], is_again: bool
) -> None:
    found = MapChange(kind, numbers, "text", "fix")
    assert found.is_again(MapChange("scaled", (2.0, 0.0), "other text", "other fix", left=0.5)) == is_again


def explained(*changes: MapChange) -> tuple[Diagnosis | None, Laboratory]:
    """Return the diagnosis of two maps that these changes make of each other, and the laboratory after it."""
    lab = Laboratory(Comparisons(on(Toy()), on(Toy(name="port")), BUILT_IN), 60)
    family = Family("network.any", lambda right, own, limit: changes, "{text}", "{left} is left", "none does")
    maps = lab.reference.probability_map, lab.candidate.probability_map
    assert maps[0] is not None and maps[1] is not None
    return map_change_cause(lab, family, maps[0], maps[1]), lab


def test_of_several_changes_the_one_that_leaves_most_is_told() -> None:
    scaled, moved = MapChange("scaled", (2.0,), "x 2", "halve", 0.25), MapChange("moved", (1.0,), "+ 1", "take 1", 0.5)
    found, _ = explained(scaled, moved)
    assert found is not None and found.fix is not None
    assert (found.summary, found.evidence, found.fix.text) == ("x 2, or + 1", ("5.0e-01 is left",), "halve; or take 1")
    found, _ = explained(MapChange("scaled", (2.0,), "x 2", "halve"))
    assert found is not None and found.evidence == ("0.0e+00 is left",)
    found, lab = explained()
    assert (found, lab.tried) == (None, ["network.any: none does"])


def test_without_maps_of_another_image_a_change_explains_nothing_there() -> None:
    _, lab = explained(MapChange("scaled", (2.0,), "x 2", "halve"))
    explains, made = lab.patched.explains, lab.candidate.probability_map
    assert explains is not None and explains(lab, made)
    assert not explains(lab, None)
    blind = replace(lab.reference, probability_map=None)
    other = Laboratory(Comparisons(blind, lab.candidate, BUILT_IN), 60)
    assert not explains(other, made)
