"""A network that sees its tensor in parts is called so, with their size; one that is changed as well is not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from diagnosing import judged, on, only
from recognisers import Port, causes
from toy import Toy, page
from toy_reader import Reader, line

from pytest_ocrparity.diagnose.network.tiles import _likely_squares, _likely_widths
from pytest_ocrparity.diagnosis import UNKNOWN, Diagnosis

FLAT: dict[str, Any] = {"gain": 10.0}


class Tiles(Toy):
    """Each square is brightened by its own mean, as where a network sees no more of a page."""

    side = 64

    def infer(self, tensor: Any) -> Any:
        whole = np.zeros((1, 1, *tensor.shape[2:]), np.float32)
        for y in range(0, tensor.shape[2], self.side):
            for x in range(0, tensor.shape[3], self.side):
                part = tensor[..., y : y + self.side, x : x + self.side]
                whole[..., y : y + self.side, x : x + self.side] = Whole.infer(self, part)  # type: ignore[arg-type]
        return whole


class Whole(Toy):
    """A network that sees the whole page: each value depends on the mean of all."""

    def infer(self, tensor: Any) -> Any:
        return np.asarray(Toy.infer(self, tensor) * np.float32(0.8 + 0.2 * np.tanh(tensor.mean())), np.float32)


class OtherTiles(Tiles):
    """Overlapping squares, which no squares side by side make."""

    def infer(self, tensor: Any) -> Any:
        first = super().infer(tensor)
        second = Tiles.infer(self, np.roll(tensor, 16, axis=3))
        return np.maximum(first, np.roll(second, -16, axis=3))


LARGE = page(160, 256, ((8, 8, 60, 30), (100, 20, 160, 50), (20, 90, 120, 130), (150, 100, 240, 150)))


@pytest.mark.parametrize("has_source", [True, False])
class TestSquares:
    def test_squares_are_named_with_their_side(self, has_source: bool) -> None:
        candidate = on(Tiles(name="port", gain=1.0), LARGE)
        found = only(on(Whole(gain=1.0), LARGE), candidate if has_source else replace(candidate, source=None))
        assert judged(found) == ("probability_map", "network.tiles")
        assert "squares of 64 px" in found.summary

    def test_squares_that_overlap_are_unknown(self, has_source: bool) -> None:
        candidate = on(OtherTiles(name="port", gain=1.0), LARGE)
        found = only(on(Whole(gain=1.0), LARGE), candidate if has_source else replace(candidate, source=None))
        assert judged(found) == ("probability_map", UNKNOWN)


class TestSidesOfSquares:
    def test_that_at_whose_edges_the_difference_jumps_is_among_the_three(self) -> None:
        y, x = np.indices((256, 320)) // 96
        found = _likely_squares(np.zeros((1, 1, 256, 320)), np.cos(5.0 * y + 3 * x)[None, None])
        assert 96 in found and len(found) <= 3

    def test_maps_that_are_equal_or_of_other_shapes_have_none(self) -> None:
        empty = np.zeros((1, 1, 128, 128))
        assert _likely_squares(empty, empty) == _likely_squares(empty, empty[..., 1:]) == []
        assert _likely_squares(empty[0], empty[0]) == []


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


class Louder(Port):
    """A network that makes something else of each timestep by itself."""

    def infer(self, tensor: Any) -> Any:
        made = super().infer(tensor).astype(np.float64)
        random = np.random.default_rng(0).uniform(0.2, 1, made.shape)
        return np.asarray(made * random / (made * random).sum(axis=2, keepdims=True), np.float32)


def of_map(found: list[Diagnosis]) -> Diagnosis:
    return next(each for each in found if each.stage == "probability_map")


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
        found = of_map(causes(Reader(**FLAT), Louder(**FLAT), LONG))
        assert found.cause == UNKNOWN and not any(each.startswith("network.tiles") for each in found.tried)
        assert "network.tiles: no width of parts shows in the difference of the two maps" in found.not_tried


class TestWidths:
    def test_the_smallest_at_whose_edges_the_difference_jumps_comes_first(self) -> None:
        steps = np.arange(8)[:, None] // 4 * np.ones((1, 8, 6))
        assert _likely_widths(np.zeros((1, 8, 6)), steps, 64) == [32]

    def test_maps_that_are_equal_or_without_timesteps_have_none(self) -> None:
        empty = np.zeros((1, 0, 6), np.float32)
        assert _likely_widths(empty, empty, 64) == []
        assert _likely_widths(np.zeros((1, 8, 6)), np.zeros((1, 8, 6)), 64) == []
