"""A line's map that is another one moved, of another head, or of parts; and maps that are nearly so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from recognisers import Port, causes, named
from toy_reader import NOTHING, Reader, line

from pytest_ocrparity.diagnose.network.line_maps import places_of
from pytest_ocrparity.diagnosis import UNKNOWN, Diagnosis

SHADED = line("abba cd", shade=-18)
FLAT: dict[str, Any] = {"gain": 10.0}


class Changes(Port):
    """Changes what its network returns."""

    after_network: Callable[[Any], Any]

    def infer(self, tensor: Any) -> Any:
        return np.ascontiguousarray(self.after_network(super().infer(tensor)), np.float32)


def found_of(change: Callable[[Any], Any], image: Any = SHADED) -> list[Diagnosis]:
    side = Changes(**FLAT)
    side.after_network = change
    return causes(Reader(**FLAT), side, image)


def of_map(found: list[Diagnosis]) -> Diagnosis:
    return next(each for each in found if each.stage == "probability_map")


class TestPlaces:
    @pytest.mark.parametrize(
        ("change", "told"),
        [
            (lambda made: made.transpose(0, 2, 1), "with classes and timesteps exchanged"),
            (lambda made: made[:, ::-1], "with its timesteps in reverse"),
            (lambda made: np.roll(made, 2, 1), "rotated by 2 timesteps (np.roll)"),
            (lambda made: np.roll(made, -1, 2), "rotated by -1 class (np.roll)"),
        ],
    )
    def test_where_a_map_comes_from(self, change: Callable[[Any], Any], told: str) -> None:
        found = of_map(found_of(change))
        assert found.cause == "layout.map"
        assert found.summary == f"inference's map is train's, {told}"
        assert found.evidence[0].startswith(f"train's map, {told}, is inference's (largest difference ")

    @pytest.mark.parametrize(
        "change",
        [
            lambda made: np.roll(made, 1, 1) * 0.9 + 0.02,
            lambda made: made[:, np.random.default_rng(0).permutation(made.shape[1])],
            lambda made: np.where(np.arange(made.shape[1])[:, None] < 3, made[:, ::-1], made),
        ],
    )
    def test_what_is_nearly_so_stays_unknown(self, change: Callable[[Any], Any]) -> None:
        found = of_map(found_of(change))
        assert found.cause == UNKNOWN
        assert "layout.map: with its axes exchanged, reversed or rotated, no other map makes this one" in found.tried

    def test_a_map_that_is_not_finite_comes_from_nowhere(self) -> None:
        right = np.random.default_rng(0).random((1, 6, 4))
        assert [each.kind for each in places_of(right, right[:, ::-1], 1e-4)] == ["with its timesteps in reverse"]
        assert places_of(np.where(right > 0.9, np.nan, right), right[:, ::-1], 1e-4) == []

    def test_maps_without_timesteps_have_no_places(self) -> None:
        empty = np.zeros((1, 0, 6), np.float32)
        assert places_of(empty, empty, 1e-4) == []


def with_more(count: int, place: int, height: float = -1.0) -> Callable[[Any], Any]:
    """Return what adds classes to a map, as a head of more classes has them."""

    def change(made: Any) -> Any:
        logits = np.log(np.maximum(made.astype(np.float64), 1e-30))
        random = np.random.default_rng(2).normal(height, 0.5, (*made.shape[:2], count))
        larger = np.exp(np.insert(logits, [place] * count, random, axis=2))
        return larger / larger.sum(axis=2, keepdims=True)

    return change


class TestHead:
    @pytest.mark.parametrize(
        ("count", "place", "where"),
        [(1, 6, "1 last classes"), (3, 6, "3 last classes"), (1, 5, "1 classes before the last"), (2, 1, "after")],
    )
    def test_more_classes_than_the_reference(self, count: int, place: int, where: str) -> None:
        found = found_of(with_more(count, place))
        assert named(found) == [("probability_map", "network.head")]
        assert found[0].summary == f"inference's head has {6 + count} classes, and train's 6"
        assert where in found[0].evidence[0]
        assert found[0].fix is not None and found[0].fix.changes == ()

    def test_fewer_classes_than_the_reference(self) -> None:
        found = of_map(found_of(lambda made: made[..., :-1] / made[..., :-1].sum(axis=2, keepdims=True)))
        assert found.cause == "network.head"
        assert "without the 1 last classes, and added up to 1 again, train's map is inference's" in found.evidence[0]

    @pytest.mark.parametrize(
        "change",
        [
            lambda made: with_more(1, 6)(made**1.2 / (made**1.2).sum(axis=2, keepdims=True)),
            lambda made: with_more(1, 3)(made),
            lambda made: with_more(1, 6)(np.roll(made, 1, axis=2)),
        ],
    )
    def test_another_network_of_more_classes_is_unknown(self, change: Callable[[Any], Any]) -> None:
        assert of_map(found_of(change)).cause == UNKNOWN

    @pytest.mark.parametrize(
        ("change", "is_cut"),
        [
            (lambda made: np.concatenate([made, np.zeros((*made.shape[:2], 7))], axis=2), False),
            (lambda made: np.concatenate([made, np.zeros((*made.shape[:2], 7))], axis=2), True),
            (with_more(1, 6, height=-30.0), True),
        ],
    )
    def test_classes_that_are_nearly_empty_are_of_a_head_or_of_the_ports_code(
        self, change: Callable[[Any], Any], is_cut: bool
    ) -> None:
        if is_cut:  # the reference has these classes, and the port cuts them off after the softmax
            train, side = Changes(name="train", **FLAT), Port(**FLAT)
            train.after_network = change
            found = of_map(causes(train, side, SHADED))
        else:
            found = of_map(found_of(change))
        assert (found.cause, found.rivals) == (UNKNOWN, ("network.head", "layout.map"))
        assert found.summary.endswith("This image does not tell which it is")
        assert any("layout.map: " in each for each in found.tried)

    def test_more_classes_with_numbers_of_their_own_are_of_a_head_however_empty(self) -> None:
        assert named(found_of(with_more(1, 6, height=-30.0))) == [("probability_map", "network.head")]

    def test_certain_maps_of_two_networks_are_not_the_same_head(self) -> None:
        """Both are sure of the blank, and other networks would be too."""

        class Other(Port):
            def infer(self, tensor: Any) -> Any:
                made = Port(gain=300.0).infer(tensor)
                return np.concatenate([made, np.zeros_like(made[..., :1])], axis=2)

        assert of_map(causes(Reader(gain=400.0), Other(), NOTHING)).cause == UNKNOWN
