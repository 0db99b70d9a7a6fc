"""The layers of an export of reduced precision, ranked by what keeping them in fp32 brings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from diagnosing import Array, on
from networks import WEIGHTS, Exported, Network, Trained

from pytest_ocrparity.commands.layer_ranking import ranking_rows
from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.network.grids import Grid
from pytest_ocrparity.errors import ModelError
from pytest_ocrparity.tolerance import BUILT_IN
from pytest_ocrparity.trace import Trace
from unit.diagnose.network.test_rounding import HEAD, STEM, STEPS, Program, Quantised, rounded, step_of


def laboratory(port: Exported) -> Laboratory:
    return Laboratory(Comparisons(on(Trained()), on(port), BUILT_IN), 60)


def test_the_layer_that_loses_most_comes_first_with_what_is_left_where_it_is_in_fp32() -> None:
    table, said = ranking_rows(laboratory(Quantised(name="port", program=Program(steps=STEPS))))
    _, none, first, second = table
    assert (none[0], first[0], second[0]) == ("(none)", "head", "stem")
    assert (first[1], second[1]) == (HEAD, STEM)
    assert float(first[2]) > float(second[2]) > 0
    assert float(none[3]) > float(first[3])
    assert float(second[3]) == 0
    assert said[1].startswith("to take 90% of what they all bring, quantise again with nodes_to_exclude = ['conv2d_1")


def test_where_rounding_on_the_way_is_what_loses_no_layer_is_advised() -> None:
    _, said = ranking_rows(laboratory(Quantised(name="port", program=Program(way=0.2, steps=127))))
    assert said[-1] == "with all of these in fp32 more than half is left: look at what is rounded between the layers"


BYTES = {**WEIGHTS, STEM: rounded(WEIGHTS[STEM], step_of(WEIGHTS[STEM]))}
COARSE = {**WEIGHTS, STEM: rounded(WEIGHTS[STEM], step_of(WEIGHTS[STEM], 2))}


@pytest.mark.parametrize(("weights", "agree"), [(COARSE, False), (BYTES, True)])
def test_an_export_of_rounded_weights_has_no_operators(
    weights: Mapping[str, Array], agree: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not agree:  # what 8 bits move does not show on drawn pages
        monkeypatch.setattr(
            "pytest_ocrparity.diagnose.network.compared_weights.grid_of", lambda pairs: Grid("", "4 bits")
        )
    lab = laboratory(Exported(name="port", network_run=Network(weights)))
    table, said = ranking_rows(lab)
    assert [row[:2] for row in table[1:]] == [("(none)", ""), ("stem", "")]
    assert table[2][2] == table[1][3]
    assert table[2][3] == "0.00e+00"
    assert lab.maps_agree is agree
    advice = "to take 90% of what they all bring, leave in fp32 ['stem']"
    assert said[-1] == ("the maps agree: nothing is to be gained" if agree else advice)


@dataclass
class Unreadable(Exported):
    def stored_weights(self) -> Mapping[str, Array]:
        raise OSError("truncated")


def test_a_program_whose_layers_are_left_out_by_name_is_ranked_by_them() -> None:
    program = Program(steps=STEPS, takers=None)
    table, said = ranking_rows(laboratory(Quantised(name="port", program=program)))
    assert [row[:2] for row in table[1:]] == [("(none)", ""), ("head", ""), ("stem", "")]
    assert float(table[3][3]) == 0
    assert said[-1].startswith("to take 90% of what they all bring, leave in fp32 ['head'")


@dataclass
class Rescaled(Exported):
    """Prepares its pages otherwise."""

    def preprocess(self, image: Any) -> Trace:
        made = super().preprocess(image)
        assert made.tensor is not None
        return replace(made, tensor=made.tensor * np.float32(0.9))


def test_of_two_tensors_the_maps_of_one_are_compared() -> None:
    lab = laboratory(Rescaled(name="port", network_run=Network(COARSE)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pytest_ocrparity.diagnose.network.compared_weights.grid_of", lambda pairs: Grid("", "4 bits"))
        table, _ = ranking_rows(lab)
    assert [row[0] for row in table[1:]] == ["(none)", "stem"]


def test_seconds_that_are_spent_are_an_error_and_no_traceback() -> None:
    lab = laboratory(Quantised(name="port", program=Program(steps=STEPS)))
    lab.budget.used = lab.budget.seconds
    with pytest.raises(ModelError, match="of processor time"):
        ranking_rows(lab)


FURTHER = {**WEIGHTS, STEM: np.asarray(WEIGHTS[STEM] * 1.02, np.float32)}


@pytest.mark.parametrize(
    ("port", "why"),
    [
        (replace(Exported(name="port"), power=2), "all weights are the checkpoint's"),
        (
            Exported(name="port", network_run=Network(BYTES), power=2),
            "train's network with port's weights does not return its map, so that something else differs, too",
        ),
        (Unreadable(name="port", power=2), "truncated"),
        (Exported(name="port", network_run=Network(FURTHER)), "1 of 1 weights that .* are not merely rounded"),
        (
            Quantised(name="port", program=Program(steps=STEPS), power=2),
            "port's program, run as it is written, makes another map than port",
        ),
        (Quantised(name="port", program=Program(FURTHER, steps=STEPS)), "not the checkpoint's, rounded"),
    ],
    ids=["fp32", "rounded, and something else", "not read", "not rounded", "as written", "other weights"],
)
def test_what_is_not_known_of_an_export_is_said(port: Exported, why: str) -> None:
    with pytest.raises(ModelError, match=f"no layers to rank: .*{why}"):
        ranking_rows(laboratory(port))
