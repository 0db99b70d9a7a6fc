"""Layers with the batch norm that follows folded in compute the same."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from diagnosing import Array

from pytest_ocrparity.diagnose.network.folding import EPSILON, kernel_forms, kernel_layers, unfolded

RNG = np.random.default_rng(0)
PARTS = ("_mean", "_variance", "weight", "bias")
GIVEN = RNG.normal(size=3).astype(np.float32)


def network(*, has_norm: bool = True, has_bias: bool = False, is_transposed: bool = False) -> tuple[Any, Any]:
    """Return a network of one layer with or without a norm, and another one behind it, with its arrays."""
    shape = (3, 4, 1, 1) if is_transposed else (4, 3, 1, 1)
    arrays = {"k": RNG.normal(size=shape).astype(np.float32)}
    keys = {"k": "conv.weight"}
    if has_bias:
        arrays["kb"], keys["kb"] = RNG.normal(size=4).astype(np.float32), "conv.bias"
    if has_norm:
        arrays |= {part: RNG.uniform(0.5, 2.0, 4).astype(np.float32) for part in PARTS}
        keys |= {part: f"norm.{part}" for part in PARTS}
    arrays["head"], keys["head"] = np.ones((1, 4, 1, 1), np.float32), "head.weight"
    return SimpleNamespace(keys=lambda: keys, used=()), arrays


def computed(arrays: Any, *, is_transposed: bool) -> Array:
    """Return what the layer and its norm make of a pixel."""
    kernel = arrays["k"][..., 0, 0].T if is_transposed else arrays["k"][..., 0, 0]
    made = kernel @ GIVEN + arrays.get("kb", 0)
    mean, variance, weight, bias = (arrays[part] for part in PARTS)
    return np.asarray((made - mean) / np.sqrt(variance + EPSILON) * weight + bias)


@pytest.mark.parametrize("has_bias", [True, False])
@pytest.mark.parametrize("is_transposed", [True, False])
def test_a_folded_layer_computes_what_it_does_with_its_norm(has_bias: bool, is_transposed: bool) -> None:
    source, arrays = network(has_bias=has_bias, is_transposed=is_transposed)
    first, _ = kernel_layers(source, arrays)
    (kernel, bias), folded = kernel_forms(first, arrays)
    assert kernel is arrays["k"] and (bias is not None) is has_bias
    assert folded[1] is not None
    right = computed(arrays, is_transposed=is_transposed)
    own = folded[0][..., 0, 0].T if is_transposed else folded[0][..., 0, 0]
    np.testing.assert_allclose(own @ GIVEN + folded[1], right, rtol=1e-5, atol=1e-5)
    again = {**arrays, **unfolded(first, folded, arrays, is_folded=True)}
    np.testing.assert_allclose(computed(again, is_transposed=is_transposed), right, rtol=1e-5, atol=1e-5)
    assert unfolded(first, (kernel, bias), arrays, is_folded=False).keys() == ({"k", "kb"} if has_bias else {"k"})


def test_a_layer_without_a_norm_behind_it_has_one_form() -> None:
    source, arrays = network(has_norm=False)
    layers = list(kernel_layers(source, arrays))
    assert [each.name for each in layers] == ["conv", "head"]
    assert [len(list(kernel_forms(each, arrays))) for each in layers] == [1, 1]
