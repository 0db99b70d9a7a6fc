"""Grids of reduced precision: which one arrays lie on, and what lies near one and is on none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from diagnosing import Array

from pytest_ocrparity.diagnose.network.grids import grid_of, lies_on_steps

RNG = np.random.default_rng(0)
KERNEL = (RNG.normal(size=(8, 6, 3, 3)) * np.exp(RNG.normal(size=(8, 1, 1, 1)))).astype(np.float32)
BIAS = RNG.normal(size=8).astype(np.float32)


def half(array: Array) -> Array:
    return array.astype(np.float16).astype(np.float32)


def cut_to_half(array: Array) -> Array:
    bits = np.ascontiguousarray(array).view(np.uint32) & 0xFFFFE000
    return np.asarray(bits.view(np.float32))


def bfloat16(array: Array, *, is_cut: bool = False) -> Array:
    bits = array.view(np.uint32).astype(np.uint64)
    bits += 0 if is_cut else 0x7FFF + ((bits >> 16) & 1)
    return np.asarray((bits & 0xFFFF0000).astype(np.uint32).view(np.float32))


def symmetric(array: Array, axes: tuple[int, ...] | None = None, steps: float = 127) -> Array:
    step = np.abs(array).max(axis=axes, keepdims=True) / steps
    return np.asarray(np.round(array / step) * step, np.float32)


def with_zero_point(array: Array) -> Array:
    step = (array.max() - array.min()) / 255
    zero = np.round(-array.min() / step)
    return np.asarray((np.clip(np.round(array / step) + zero, 0, 255) - zero) * step, np.float32)


def trained_further(array: Array) -> Array:
    return np.asarray(array + 0.05 * RNG.normal(size=array.shape), np.float32)


@pytest.mark.parametrize(
    ("rounds", "cause", "text"),
    [
        (half, "precision.fp16", "half precision (fp16)"),
        (cut_to_half, "precision.fp16", "half precision (fp16)"),
        (bfloat16, "precision.bf16", "bfloat16"),
        (lambda array: bfloat16(array, is_cut=True), "precision.bf16", "bfloat16"),
        (symmetric, "precision.int8", "8 bits per tensor, symmetric"),
        (lambda array: symmetric(array, steps=127.5), "precision.int8", "8 bits per tensor, symmetric"),
        (lambda array: symmetric(array, (1, 2, 3)), "precision.int8", "8 bits per channel, symmetric"),
        (
            lambda array: symmetric(array, (0, 2, 3)),
            "precision.int8",
            "8 bits per channel of the second axis, symmetric",
        ),
        (with_zero_point, "precision.int8", "8 bits per tensor, with a zero point"),
    ],
)
def test_an_array_is_on_the_grid_to_which_it_was_rounded(
    rounds: Callable[[Array], Array], cause: str, text: str
) -> None:
    found = grid_of([(rounds(KERNEL), KERNEL)])
    assert found == (cause, text)


@pytest.mark.parametrize(
    "changes",
    [
        lambda array: array + RNG.uniform(-0.5, 0.5, array.shape) * np.abs(array).max() / 127,
        lambda array: symmetric(array, steps=63),
        lambda array: symmetric(array, steps=63.5),
        lambda array: symmetric(array, steps=7),
        lambda array: symmetric(trained_further(array)),
        lambda array: half(trained_further(array)),
        lambda array: cut_to_half(trained_further(array)),
        lambda array: bfloat16(trained_further(array)),
        lambda array: symmetric(array)[::-1],
        lambda array: np.zeros_like(array),
        lambda array: np.nextafter(array, np.float32(np.inf)),
    ],
    ids=[
        "noise of half a step",
        "7 bits",
        "7 bits of 63.5 steps",
        "4 bits",
        "trained further, then 8 bits",
        "other weights in fp16",
        "other weights, cut to fp16",
        "other weights in bf16",
        "channels in reverse",
        "zeros",
        "next float",
    ],
)
def test_what_lies_near_a_grid_is_on_none(changes: Callable[[Array], Array]) -> None:
    assert grid_of([(np.asarray(changes(KERNEL), np.float32), KERNEL)]) is None


def test_vectors_are_on_a_grid_too() -> None:
    found = grid_of([(symmetric(KERNEL), KERNEL), (symmetric(BIAS), BIAS)])
    assert found == ("precision.int8", "8 bits per tensor, symmetric")
    noise = np.asarray(BIAS + np.abs(BIAS).max() / 300, np.float32)
    assert grid_of([(symmetric(KERNEL), KERNEL), (noise, BIAS)]) is None


def test_a_single_value_that_rounding_left_where_it_was_shows_no_grid() -> None:
    one = BIAS[:1]
    assert grid_of([(np.nextafter(one, np.float32(9)), one)]) is None
    found = grid_of([(np.nextafter(one, np.float32(9)), one), (symmetric(KERNEL), KERNEL)])
    assert found == ("precision.int8", "8 bits per tensor, symmetric")


def test_of_several_grids_the_coarsest_is_the_cause() -> None:
    found = grid_of([(symmetric(KERNEL), KERNEL), (half(BIAS), BIAS)])
    assert found == ("precision.int8", "half precision (fp16) and 8 bits per tensor, symmetric")
    assert grid_of([(half(KERNEL), KERNEL), (trained_further(BIAS), BIAS)]) is None


def test_nothing_that_differs_is_on_no_grid() -> None:
    assert grid_of([]) is None


def test_the_outermost_value_may_be_cut_off() -> None:
    trained = np.array([-1.0, 0.3, 1.0], np.float32)
    assert lies_on_steps(np.array([-1.0, 0.25, 0.75], np.float32), trained, 0.25)
    assert not lies_on_steps(np.array([-1.0, 0.25, 0.5], np.float32), trained, 0.25)
    assert not lies_on_steps(np.array([-1.0, 0.5, 1.0], np.float32), trained, 0.25)
