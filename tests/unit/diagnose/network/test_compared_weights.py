"""Stored arrays beside the trained ones: which are of another place, and which have nothing of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from diagnosing import Array
from networks import Network

from pytest_ocrparity.diagnose.network.compared_weights import StoredWeights, cause_of_differing_weights


@pytest.mark.parametrize(
    ("stored", "part", "elsewhere"),
    [
        (
            {"a.w": "c.w", "a.b": "c.b"},
            ("head", "other"),
            {"head.weight": "other.weight", "head.bias": "other.bias"},
        ),
        ({"a.w": "c.w", "c.w": "a.w"}, None, {"head.weight": "other.weight", "other.weight": "head.weight"}),
        ({"a.w": "c.w"}, None, {"head.weight": "other.weight"}),
        ({"a.w": "", "a.b": ""}, None, {}),
    ],
    ids=["another head", "exchanged", "one array", "of no place"],
)
def test_that_are_the_checkpoints_of_another_place_are_known_as_such(
    stored: Mapping[str, str], part: tuple[str, str] | None, elsewhere: Mapping[str, str]
) -> None:
    keys = {"a.w": "head.weight", "a.b": "head.bias", "c.w": "other.weight", "c.b": "other.bias"}
    arrays = {name: np.array([1, 2], np.float32) * place for place, name in enumerate(keys, 1)}

    class Heads(Network):
        def keys(self) -> Mapping[str, str]:
            return keys

    own = {name: arrays.get(stored.get(name, name), np.array([7, 9], np.float32)) for name in keys}
    found = StoredWeights(own, Heads(arrays), None, {name: name for name in keys})
    assert (found.other_part, found.elsewhere) == (part, elsewhere)
    cause, summary = cause_of_differing_weights(found, "port", lambda: None)
    assert cause == "network.weights"
    told = "2 of port's 4 weights are the checkpoint's of other, where the trained network uses those of head"
    assert (summary == told) is (part is not None)


KERNEL = np.random.default_rng(1).normal(size=(24, 3, 3, 3)).astype(np.float32)
ONE_CHANNEL = np.where((np.arange(24) == 3).reshape(-1, 1, 1, 1), 40 * KERNEL, KERNEL)
STEP = np.abs(ONE_CHANNEL).max() / 127


@pytest.mark.parametrize(
    ("stored", "cause"),
    [
        (np.round(ONE_CHANNEL / STEP) * STEP, "network.weights"),
        (np.random.default_rng(2).normal(size=KERNEL.shape), "network.weights.partly_loaded"),
        (1.1 * KERNEL[:, np.array([1, 2, 0])], "network.weights"),
        (KERNEL[:, ::-1] * np.array([4.4, 4.3, 4.5]).reshape(1, 3, 1, 1), "network.weights"),
        (-KERNEL.transpose(1, 0, 3, 2).reshape(KERNEL.shape), "network.weights"),
    ],
    ids=["one channel is 40 times as large", "fresh", "channels permuted", "RGB, scaled", "transposed, negative"],
)
def test_a_kernel_that_is_scaled_or_rearranged_has_something_of_the_trained_one(stored: Array, cause: str) -> None:
    class Two(Network):
        def keys(self) -> Mapping[str, str]:
            return {"a": "stem.weight", "b": "head.weight"}

    network = Two({"a": KERNEL, "b": KERNEL[:5]})
    own = {"a": np.ascontiguousarray(stored, np.float32), "b": KERNEL[:5]}
    assert (
        cause_of_differing_weights(StoredWeights(own, network, None, {"a": "a", "b": "b"}), "port", lambda: None)[0]
        == cause
    )
