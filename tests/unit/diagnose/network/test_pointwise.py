"""A map that is another one under one function of each value is called so; anything else is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from diagnosing import found_by, judged, on, only, seen
from scipy import ndimage
from scipy.special import expit, logit
from toy import Toy

from pytest_ocrparity.diagnose.cache import DiagnosisCache
from pytest_ocrparity.diagnose.network.pointwise import functions_between
from pytest_ocrparity.diagnosis import UNKNOWN

LIMIT = 1e-4
MAP = np.random.default_rng(0).uniform(0.001, 0.999, (1, 1, 40, 50)).astype(np.float32)
Change = Callable[[Any], Any]


def in_bfloat16(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Round to the nearest number of which the last 16 bits are 0."""
    return ((x.astype(np.float32).view(np.uint32) + 0x8000) & 0xFFFF0000).astype(np.uint32).view(np.float32)


FUNCTIONS: list[tuple[str, Change]] = [
    ("logits", logit),
    ("sigmoid", expit),
    ("affine", lambda x: 0.9 * x),
    ("affine", lambda x: 0.5 * x + 0.25),
    ("affine", lambda x: 1 - x),
    ("affine", lambda x: 255 * x),
    ("8 bits rounded 255.0", lambda x: np.round(x * 255) / 255),
    ("8 bits cut 255.0", lambda x: np.floor(x * 255) / 255),
    ("8 bits rounded 1.0", lambda x: np.round(x * 255)),
    ("float16", lambda x: x.astype(np.float16)),
    ("bfloat16", lambda x: in_bfloat16(x)),
    ("clipped", lambda x: np.clip(x, 0.1, 0.8)),
    ("binary", lambda x: (x > 0.3).astype(np.float32)),
]


@pytest.mark.parametrize(
    ("kind", "change"), FUNCTIONS, ids=[f"{kind} {index}" for index, (kind, _) in enumerate(FUNCTIONS)]
)
def test_each_function_is_told_from_the_others(kind: str, change: Change) -> None:
    noise = np.random.default_rng(1).uniform(-1e-6, 1e-6, MAP.shape)
    found = functions_between(MAP, np.asarray(change(MAP + noise), np.float32), LIMIT)
    assert [each.kind for each in found] == [kind]


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x**2,
        lambda x: ndimage.uniform_filter(x, (1, 1, 3, 3)),
        lambda x: np.roll(x, 2, axis=3),
        lambda x: np.where(np.arange(50) < 25, x, 0.9 * x),
        lambda x: 0.9 * x + np.random.default_rng(2).uniform(-1e-3, 1e-3, x.shape),
        lambda x: np.zeros_like(x),
        lambda x: x + 1e-5,
        lambda x: 0.9998 * x + np.random.default_rng(2).uniform(-9e-5, 9e-5, x.shape),
        lambda x: np.round((x + np.random.default_rng(2).uniform(-4e-3, 4e-3, x.shape)) * 255) / 255,
        lambda x: (x + np.random.default_rng(2).uniform(-1e-3, 1e-3, x.shape)).astype(np.float16),
        lambda x: in_bfloat16(x + np.random.default_rng(2).uniform(-4e-3, 4e-3, x.shape).astype(np.float32)),
        lambda x: np.where(x > 0.5, x.astype(np.float16), in_bfloat16(x)) * (1 + 2**-20),
        lambda x: np.where(x > 0.5, np.nan, x),
        lambda x: x[:, :, ::2],
        lambda x: (x + np.random.default_rng(2).uniform(-0.1, 0.1, x.shape) > 0.3).astype(np.float32),
    ],
)
def test_what_is_no_such_function_is_not_called_one(change: Change) -> None:
    assert functions_between(MAP, np.asarray(change(MAP), np.float32), LIMIT) == []


def test_blank_paper_shows_no_function() -> None:
    blank = MAP * np.float32(0.1)
    assert functions_between(blank, blank * np.float32(0.5), LIMIT) == []


RAMP = np.repeat(np.linspace(0, 255, 96).astype(np.uint8)[None, :, None], 64, 0).repeat(3, 2)
"""All levels, and so all probabilities."""
OTHER = np.ascontiguousarray(RAMP[:48, ::-1])
FLAT = np.where(RAMP > 120, np.uint8(200), np.uint8(40)).astype(np.uint8)
"""Two levels: whatever is done to them is a function of the value."""


class Scales(Toy):
    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return np.asarray(super().infer(tensor) * np.float32(0.8), np.float32)


class Halves(Toy):
    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return super().infer(tensor).astype(np.float16).astype(np.float32)


class ScalesTheLeft(Toy):
    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        made = super().infer(tensor)
        made[..., : made.shape[-1] // 2] *= np.float32(0.8)
        return made


class TestTheDiagnosis:
    @pytest.mark.parametrize("has_source", [True, False])
    def test_a_scaled_map_is_named_with_its_factor(self, has_source: bool) -> None:
        candidate = seen(Scales(name="port"), RAMP)
        found = only(seen(Toy(), RAMP), candidate if has_source else replace(candidate, source=None))
        assert judged(found) == ("probability_map", "network.pointwise")
        assert found.summary == "port's map is train's x 0.8"

    def test_a_map_in_half_precision_is_named(self) -> None:
        found = only(seen(Toy(), RAMP), seen(Halves(name="port"), RAMP))
        assert judged(found) == ("probability_map", "network.pointwise")
        assert found.summary == "port's map is train's rounded to float16"
        assert found.fix is not None and found.fix.text.startswith("hand port's map over in float32; or, if")

    def test_it_is_proved_again_on_another_page(self) -> None:
        cache, train, port = DiagnosisCache(60), Toy(), Scales(name="port")
        found_by(cache, on(train, RAMP), on(port, RAMP))
        (found,) = found_by(cache, on(train, OTHER, "page 1"), on(port, OTHER, "page 1"))
        assert found.cause == "network.pointwise"
        assert found.evidence[0].startswith("found on page 0; here as well")

    def test_of_two_levels_nothing_is_concluded(self) -> None:
        assert only(seen(Toy(), FLAT), seen(Scales(name="port"), FLAT)).cause == UNKNOWN

    def test_half_a_map_that_is_scaled_stays_unknown(self) -> None:
        assert only(seen(Toy(), RAMP), seen(ScalesTheLeft(name="port"), RAMP)).cause == UNKNOWN
