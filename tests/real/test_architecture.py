"""An export of another architecture has that as its cause; one that is another form of the network has not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from faults.deployment import EXAMPLE, Deployment, save

from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.ppocr.network import Network
from pytest_ocrparity.contract import Node
from pytest_ocrparity.diagnose.network.architecture import compare_structures
from pytest_ocrparity.diagnosis import UNKNOWN
from real.test_layers import exported

Change = Callable[[Any], Any]
PAGE = "images/curved.png"


def built(name: str = "tiny_db", **backbone: Any) -> Any:
    """Return a network of the example's, with other settings of its backbone."""
    architecture = yaml.safe_load((EXAMPLE / "configs" / f"{name}.yml").read_text())["Architecture"]
    architecture["Backbone"] |= backbone
    with isolated():
        from example_project.tiny_db.network import build

        network = build(architecture)
        network.eval()
    return network


def nodes_of(layer: Any) -> Sequence[Node]:
    return Network(layer, "cpu").network_graph().nodes


def branches(*, is_fused: bool) -> Sequence[Node]:
    architecture = yaml.safe_load((EXAMPLE / "configs" / "tiny_db.yml").read_text())["Architecture"]
    with isolated():
        from layers.branches_net import build
        from layers.structure import fuse

        network = build(architecture)
        network.eval()
        return nodes_of(fuse(network) if is_fused else network)


def changed(change: Change) -> Sequence[Node]:
    with isolated():
        network = built()
        change(network)
        network.eval()
    return nodes_of(network)


def without_a_block(network: Any) -> None:
    with isolated():
        from paddle import nn

    network.stages[1][1] = nn.Identity()


def with_a_larger_kernel(network: Any) -> None:
    kind: Any = type(network.lateral[0])
    network.stages[1][1][0] = kind(40, 40, 5, padding=2, bias_attr=False)


Nodes = Callable[[], Sequence[Node]]
OTHERS: Mapping[str, tuple[Nodes, Nodes]] = {
    "depthwise stages": (lambda: nodes_of(built("tiny_mobile")), lambda: nodes_of(built())),
    "another backbone and neck": (lambda: branches(is_fused=False), lambda: nodes_of(built())),
    "the same, fused": (lambda: branches(is_fused=True), lambda: nodes_of(built())),
}
FORMS: Mapping[str, tuple[Nodes, Nodes]] = {
    "an old program": (lambda: exported("pdmodel").nodes, lambda: nodes_of(built())),
    "an ONNX file": (lambda: exported("onnx").nodes, lambda: nodes_of(built())),
    "pruned": (lambda: nodes_of(built(channels=[14, 20, 33, 47])), lambda: nodes_of(built())),
    "one block less": (lambda: changed(without_a_block), lambda: nodes_of(built())),
    "a larger kernel": (lambda: changed(with_a_larger_kernel), lambda: nodes_of(built())),
    "fused branches": (lambda: branches(is_fused=True), lambda: branches(is_fused=False)),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_network_that_is_built_otherwise_is_another(name: str) -> None:
    one, two = (make() for make in OTHERS[name])
    assert compare_structures(one, two).is_other
    assert compare_structures(two, one).is_other


@pytest.mark.parametrize("name", FORMS)
def test_another_form_of_a_network_is_none(name: str) -> None:
    one, two = (make() for make in FORMS[name])
    assert not compare_structures(one, two).is_other
    assert not compare_structures(two, one).is_other


@pytest.mark.parametrize("name", ["an old program", "an ONNX file", "pruned"])
def test_files_and_channels_make_no_difference_to_how_a_network_is_built(name: str) -> None:
    if "ONNX" in name:
        pytest.importorskip("onnx")
    own, right = (make() for make in FORMS[name])
    assert compare_structures(own, right).shares()[0] == 0


def test_a_pruned_network_has_no_cause_and_is_said_to_be_built_alike(tmp_path: Path) -> None:
    deployment = Deployment.copy(tmp_path)
    save(built(channels=[14, 20, 33, 47]), tmp_path / "inference")
    error = deployment.failure(PAGE)
    assert error is not None
    (diagnosis,) = error.diagnoses
    assert diagnosis.cause == UNKNOWN
    assert any(
        each.endswith("it is built as train's, with other numbers of channels, as after pruning")
        for each in diagnosis.evidence
    )
