"""A line's map that is another one moved, of another head, or of parts; and maps that are nearly so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from recognisers import Port, causes, named
from toy_reader import NOTHING, Reader, line

from pytest_ocrparity.diagnose.network.line_maps import places_of
from pytest_ocrparity.diagnose.network.tiles import _likely_widths
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

    def test_maps_without_timesteps_have_neither_places_nor_parts(self) -> None:
        empty = np.zeros((1, 0, 6), np.float32)
        assert places_of(empty, empty, 1e-4) == []
        assert _likely_widths(empty, empty, 64) == []
        assert _likely_widths(np.zeros((1, 8, 6)), np.zeros((1, 8, 6)), 64) == []
        steps = np.arange(8)[:, None] // 4 * np.ones((1, 8, 6))
        assert _likely_widths(np.zeros((1, 8, 6)), steps, 64) == [32]


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


@dataclass
class Sees(Port):
    """A network that sees the whole line at each timestep, run on parts of some columns; 0 is all of them."""

    columns: int = 0
    is_filled_up: bool = False
    noise_of_parts: float = 0.0

    def infer(self, tensor: Any) -> Any:
        side, width = self.columns or tensor.shape[3], tensor.shape[3]
        parts = [tensor[..., start : start + side] for start in range(0, width, side)]
        if self.is_filled_up:
            parts = [np.pad(each, ((0, 0), (0, 0), (0, 0), (0, side - each.shape[3]))) for each in parts]
        made = [self._seen(part) + self.noise_of_parts * index for index, part in enumerate(parts)]
        return np.concatenate(made, axis=1)[:, : width // 8]

    def _seen(self, part: Any) -> Any:
        made = super().infer(part)
        # The nearer a timestep is to either end, the more it lacks of what is behind.
        decay = 0.5 ** np.abs(np.subtract.outer(np.arange(made.shape[1]), np.arange(made.shape[1])))
        around = np.einsum("st,ntc->nsc", decay, made)
        return np.asarray(around / around.sum(axis=2, keepdims=True), np.float32)


LONG = line("abba cd dab cc ba add bad cab", shade=-18)


class TestParts:
    @pytest.mark.parametrize("is_filled_up", [False, True])
    @pytest.mark.parametrize("columns", [64, 80, 160])
    def test_a_line_in_parts(self, columns: int, is_filled_up: bool) -> None:
        found = of_map(
            causes(Sees(name="train", **FLAT), Sees(columns=columns, is_filled_up=is_filled_up, **FLAT), LONG)
        )
        assert found.cause == "network.tiles"
        assert found.summary == f"inference's network sees a line in parts of {columns} columns, each by itself"
        assert found.evidence[0].startswith(
            f"train's network, run on {columns} columns of the tensor at a time, makes "
        )

    def test_parts_that_are_changed_as_well_stay_unknown(self) -> None:
        side = Sees(columns=80, noise_of_parts=0.01, **FLAT)
        found = of_map(causes(Sees(name="train", **FLAT), side, LONG))
        assert found.cause == UNKNOWN
        told = "network.tiles: the reference's network on parts of the line does not make this map"
        assert told in found.tried

    def test_where_no_width_shows_no_part_was_run(self) -> None:
        found = of_map(found_of(with_more(1, 3)))
        assert found.cause == UNKNOWN and not any(each.startswith("network.tiles") for each in found.tried)
        assert "network.tiles: no width of parts shows in the difference of the two maps" in found.not_tried
