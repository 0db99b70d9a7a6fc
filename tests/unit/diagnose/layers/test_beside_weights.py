"""With which weights of an export layers are searched in the trained network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from diagnosing import Array, on
from networks import CONSTANT, WEIGHTS, Trained, export_with

from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.layers.beside_weights import cause_of_weights_in_part, with_weights_of_export
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.stages import PROBABILITY_MAP
from pytest_ocrparity.tolerance import BUILT_IN

HALF = np.asarray(WEIGHTS["conv2d_1.w_0"].astype(np.float16), np.float32)
BIAS = np.array([0.5], np.float32)


def laboratory(**changed: Any) -> Laboratory:
    export = on(export_with(**changed))
    return Laboratory(Comparisons(on(Trained()), export, BUILT_IN), 60)


def told(cause: str) -> Diagnosis:
    return Diagnosis(stage=PROBABILITY_MAP, cause=cause, summary="the map differs")


@pytest.mark.parametrize(
    ("cause", "weights", "bias"),
    [("unknown", "port's weights", BIAS), ("network.weights", "the rounded weights", WEIGHTS["conv2d_1.b_0"])],
    ids=["all that differ, of an unknown cause", "the rounded ones, where others are wrong"],
)
def test_what_layers_are_searched_with(cause: str, weights: str, bias: Array) -> None:
    compared = with_weights_of_export(laboratory(head_w=HALF, head_b=BIAS), told(cause))
    assert compared is not None
    assert compared.weights == weights
    arrays = compared.trained.arrays()
    np.testing.assert_array_equal(arrays["conv2d_1.w_0"], HALF)
    np.testing.assert_array_equal(arrays["conv2d_1.b_0"], bias)


@pytest.mark.parametrize(
    ("cause", "changed"),
    [("unknown", {}), ("network.weights", {"head_w": CONSTANT}), ("network.graph", {"head_b": BIAS})],
    ids=["none differs", "none is rounded", "another cause"],
)
def test_there_is_nothing_to_search_beside(cause: str, changed: dict[str, Any]) -> None:
    assert with_weights_of_export(laboratory(**changed), told(cause)) is None


def test_weights_are_a_cause_where_they_move_the_map() -> None:
    lab = laboratory(head_b=BIAS)
    compared = with_weights_of_export(lab, told("unknown"))
    assert compared is not None
    found = cause_of_weights_in_part(lab, compared)
    assert found is not None
    assert (found.cause, found.summary) == ("network.weights", "1 of port's 3 weights are not the checkpoint's")
    assert found.evidence[-1].startswith("these weights alone move train's map by up to ")
    assert [patch.cause for patch in lab.patched.patches] == ["network.weights"]
    lab.noise = 1.0
    assert cause_of_weights_in_part(lab, compared) is None
