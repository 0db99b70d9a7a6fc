"""Sides whose networks can be read layer by layer, in numpy: a trained one, and exports with one thing wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from diagnosing import Array
from networks import KEYS, WEIGHTS, Exported, Network, Trained
from paths import TESTS
from toy import page
from toy_graphs import Function, ToyGraph, squashed

from pytest_ocrparity.contract.network_graph import Node

STEM, HEAD, BIAS = KEYS


@dataclass(frozen=True)
class LayeredNetwork(Network):
    """`networks.Network` with its layers; `shift` is what a layer makes besides what its weights say."""

    shift: Mapping[str, float] = field(default_factory=dict)

    def network_graph(self) -> ToyGraph:
        stem, head, bias = (self.weights[name] for name in KEYS)
        rows = [
            (Node("conv2d", (0,), "stem"), self._conv(stem, "stem")),
            (Node("conv2d", (1,), "head"), self._conv(head, "head")),
            (Node("subtract", (2,), "head"), lambda array: array - bias[0]),
            (Node("scale", (3,), ""), lambda array: array * self.gain),
            (Node("sigmoid", (4,), ""), squashed),
        ]
        return ToyGraph(rows)

    def _conv(self, kernel: Array, layer: str) -> Function:
        more = self.shift.get(layer, 0.0)
        return lambda array: np.einsum("oc,nchw->nohw", kernel[:, :, 0, 0], array) + more

    def run(self, tensor: Array) -> Array:
        graph = self.network_graph()
        return graph.run(tensor, [graph.output])[0]


@dataclass
class LayeredTrained(Trained):
    network: Network = field(default_factory=LayeredNetwork)


@dataclass
class LayeredExport(Exported):
    name: str = "inference"
    network_run: Network = field(default_factory=LayeredNetwork)

    def network_graph(self) -> ToyGraph:
        assert isinstance(self.network_run, LayeredNetwork)
        return self.network_run.network_graph()


def layered_export(*, bias: float = 0.0, mean: float = 0.5, **shift: float) -> LayeredExport:
    """Return an export with another bias of its head, another mean, or layers that make something else besides."""
    weights = {**WEIGHTS, BIAS: np.asarray(WEIGHTS[BIAS] + bias, np.float32)}
    return LayeredExport(mean=mean, network_run=replace(LayeredNetwork(weights), shift=shift))


WORDS = ((20, 20, 110, 50), (160, 24, 270, 52), (30, 110, 200, 150))
CONFTEST = f"""
import sys
import pytest

sys.path[:0] = [{str(TESTS)!r}, {str(TESTS.parent)!r}]
from layered import LayeredTrained, layered_export


@pytest.fixture(scope="session")
def ocr_train_model():
    return LayeredTrained()


@pytest.fixture(scope="session")
def ocr_inference_model():
    return layered_export(FAULT)
"""
TEST = """
from pytest_ocrparity import assert_same_preprocessing, assert_same_probability_maps


def test_export_matches_training(ocr_train_model, ocr_inference_model, ocr_image):
    sides = ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image)
    assert_same_preprocessing(*sides)
    assert_same_probability_maps(*sides)
"""


def write_layered_project(folder: Path, fault: str, count: int = 1) -> None:
    """Write a project of these sides and of some pages, with the arguments of `layered_export`."""
    (folder / "images").mkdir(parents=True)
    (folder / "pyproject.toml").write_text('[tool.ocrparity]\nimages = ["images/*.npy"]\n')
    (folder / "conftest.py").write_text(CONFTEST.replace("FAULT", fault))
    (folder / "test_layers.py").write_text(TEST)
    for index in range(count):
        np.save(folder / "images" / f"{index}.npy", page(200, 300, WORDS[: len(WORDS) - index]))
