"""What a file cannot tell apart: fused branches, and a convolution with the batch norm that was folded into it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layers.calls import Key
from layers.forms import HAS_ONNX
from layers.networks import Subject
from layers.structure import folded_pairs, fuse
from pytest_ocrparity.backends.isolation import isolated

Subjects = Callable[[str], Subject]
BLOCK = "first.depthwise"
BRANCHES = {
    BLOCK,
    f"{BLOCK}.fused",
    *(f"{BLOCK}.{branch}{layer}" for branch in ("wide.0", "wide.1", "narrow") for layer in ("", ".conv", ".bn")),
}


def test_fused_branches_are_one_and_what_follows_them_is_not(subjects: Subjects) -> None:
    structure = subjects("branches").structure("pir")
    assert {structure.one_with(name) for name in BRANCHES} == {frozenset(BRANCHES)}
    for name in (f"{BLOCK}.act", "first.gate.down", "stem.conv", "stem.bn", "norm", ""):
        assert structure.one_with(name) == {name}
    assert structure.is_within(f"{BLOCK}.wide", frozenset(BRANCHES))
    assert not structure.is_within("first", frozenset(BRANCHES))
    assert structure.contains("first", frozenset(BRANCHES)) and structure.contains("", frozenset(BRANCHES))
    assert not structure.contains("second", frozenset(BRANCHES))


@pytest.mark.parametrize(("to", "is_one"), [(f"{BLOCK}.narrow.bn", True), ("stem.bn", False)])
def test_what_moves_within_a_set_leaves_the_file_as_it_is(to: str, is_one: bool, subjects: Subjects) -> None:
    """A bias that one branch loses and another gets is in no fused program; in another layer it is."""
    subject = subjects("branches")
    with isolated():
        right, moved = fuse(subject.network()), subject.network()
        layers = dict(moved.named_sublayers())
        for name, step in ((f"{BLOCK}.wide.0.bn", -0.25), (to, 0.25)):
            layers[name].bias.set_value(layers[name].bias + step)
        fuse(moved)
        fused = [dict(network.named_sublayers()) for network in (right, moved)]
        held: list[dict[str, Any]] = [
            {name: layers[name].bias.numpy() for name in (f"{BLOCK}.fused", "stem.bn")} for layers in fused
        ]
    assert all(np.allclose(held[0][name], held[1][name], atol=1e-6) for name in held[0]) == is_one


def test_a_batch_norm_folds_into_the_convolution_whose_only_reader_it_is(subjects: Subjects) -> None:
    tiny = subjects("tiny")
    pairs = folded_pairs(tiny.structure("pir").exported)
    assert ("stem.0", "stem.1") in pairs and len(pairs) == 9
    assert ("probability.layers.1", "probability.layers.2") in pairs  # of a transposed convolution too
    folded, plain = tiny.structure("folded"), tiny.structure("onnx")
    assert folded.one_with("stem.1") == folded.one_with("stem.0") == {"stem.0", "stem.1"}
    assert plain.one_with("stem.1") == {"stem.1"}
    assert folded.one_with("lateral.0") == {"lateral.0"}


@pytest.mark.skipif(not HAS_ONNX, reason="paddle2onnx writes ONNX files")
@pytest.mark.parametrize(("form", "left"), [("onnx", 9), ("folded", 0)])
def test_a_file_has_as_many_batch_norms_as_the_structure_says(
    form: str, left: int, subjects: Subjects, tmp_path: Path
) -> None:
    import onnx

    subjects("tiny").export(None, form, tmp_path)
    nodes = [node.op_type for node in onnx.load(str(tmp_path / "inference.onnx")).graph.node]
    assert nodes.count("BatchNormalization") == left
    assert nodes.count("Conv") == 11 and nodes.count("Relu") == 9


def test_layers_that_run_several_operators_are_told_apart_by_the_operator(subjects: Subjects) -> None:
    structure = subjects("branches").structure("pir")
    assert structure.operators(Key("", "concat", 0)) == ("concat",)
    assert "interp" in (structure.operators(Key("", "interpolate", 1)) or ())
    assert structure.operators(Key("stem.bn", "batchnorm2d", 0)) is None
    assert "relu" in (structure.operators(Key("first.gate", "hardsigmoid", 0)) or ())


def test_what_runs_later_is_after_and_what_runs_before_is_not(subjects: Subjects) -> None:
    structure = subjects("branches").structure("pir")
    branch = Key(f"{BLOCK}.wide.0.conv", "conv2d")
    assert structure.is_after("head", branch)
    assert structure.is_after(f"{BLOCK}.act", branch)
    for name in ("stem.conv", f"{BLOCK}.wide.0.conv", f"{BLOCK}.fused", "", "no.such.layer"):
        assert not structure.is_after(name, branch)


def test_an_operator_of_a_layer_is_where_it_is_called_and_not_where_the_layer_begins(subjects: Subjects) -> None:
    structure = subjects("branches").structure("pir")
    for name in ("second.1.depthwise.fused", "lateral.0", "lateral.1"):
        assert not structure.is_after(name, Key("", "add", 2))
    assert structure.is_after("smooth.conv", Key("", "add", 2))
    assert structure.is_after("lateral.0", Key("", "add", 1))
    assert not structure.is_after("second.1.depthwise.fused", Key("", "add", 0))
    assert structure.is_after("first.depthwise", Key("", "relu", 0))
