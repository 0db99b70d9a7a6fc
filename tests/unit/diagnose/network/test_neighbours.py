"""A map whose values come from other places of the right one is called so; another map is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from diagnosing import judged, on, only
from scipy import ndimage
from toy import Toy, page

from pytest_ocrparity.diagnose.network.neighbours import origins_of

LIMIT = 1e-4
MAP = ndimage.gaussian_filter(np.random.default_rng(0).uniform(0, 1, (64, 96)), 1)[None, None].astype(np.float32)
MAP = (MAP - MAP.min()) / np.ptp(MAP)
Change = Callable[[Any], Any]

NAMED: dict[str, tuple[Change, str]] = {
    "four rows lower": (lambda x: np.roll(x, 4, axis=2), "moved by x +0, y +4"),
    "two columns to the left": (lambda x: np.roll(x, -2, axis=3), "moved by x -2, y +0"),
    "blurred": (lambda x: ndimage.uniform_filter(x, (1, 1, 3, 3)), "smoothed"),
    "transposed": (lambda x: x.transpose(0, 1, 3, 2), "rows and columns exchanged"),
    "mirrored": (lambda x: x[..., ::-1], "mirrored left to right"),
    "every other value": (lambda x: x[:, :, ::2, ::2], "the nearest value"),
    "means of 2x2": (lambda x: x.reshape(1, 1, 32, 2, 48, 2).mean(axis=(3, 5)), "scaled to 48x32"),
}


@pytest.mark.parametrize(("change", "words"), NAMED.values(), ids=NAMED.keys())
def test_each_origin_is_found(change: Change, words: str) -> None:
    noise = np.random.default_rng(1).uniform(-1e-6, 1e-6, MAP.shape)
    found = origins_of(MAP, np.asarray(change(MAP + noise), np.float32), LIMIT)
    assert found
    assert all(words in each.text for each in found), "of 2x2, the mean is linear interpolation"


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x**2,
        lambda x: ndimage.median_filter(x, (1, 1, 3, 3)),
        lambda x: np.where(np.arange(96) < 48, x, np.roll(x, 2, axis=3)),
        lambda x: np.roll(x, 2, axis=3) + np.random.default_rng(2).uniform(-1e-2, 1e-2, x.shape),
        lambda x: np.roll(x, 9, axis=3),
        lambda x: 0.8 * x,
        lambda x: 0.8 * np.roll(x, 2, axis=3),
        lambda x: x[:, :, 1:-1, 1:-1] ** 2,
        lambda x: np.random.default_rng(3).uniform(0, 1, x.shape),
        lambda x: x,
        lambda x: np.full_like(x, np.nan),
    ],
)
def test_what_is_another_map_is_none(change: Change) -> None:
    assert origins_of(MAP, np.asarray(change(MAP), np.float32), LIMIT) == []


class Lower(Toy):
    def infer(self, tensor: Any) -> Any:
        return np.roll(super().infer(tensor), 3, axis=2)


LARGE = page(160, 256, ((8, 8, 60, 30), (100, 20, 160, 50), (20, 90, 120, 130), (150, 100, 240, 150)))
NOISY = LARGE + np.random.default_rng(4).integers(0, 20, LARGE.shape, np.uint8)
"""No two places are alike, so that each value can come from one place alone."""


@pytest.mark.parametrize("has_source", [True, False])
class TestDiagnosis:
    def test_a_moved_map_is_named(self, has_source: bool) -> None:
        candidate = on(Lower(name="port", gain=1.0), NOISY)
        found = only(on(Toy(gain=1.0), NOISY), candidate if has_source else replace(candidate, source=None))
        assert judged(found) == ("probability_map", "layout.map")
