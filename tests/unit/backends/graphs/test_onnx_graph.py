"""What the operators of an ONNX file are called where they do not compute in float32."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_ocrparity.backends.graphs.onnx_graph import OnnxGraph

onnx = pytest.importorskip("onnx")

FLOAT, HALF, INTEGER = 1, 10, 7


def operators(graph: Any, file: Path) -> list[str]:
    """Write a file, and return what its operators are called."""
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)]), str(file))
    return [each.operator for each in OnnxGraph(file).nodes]


@pytest.mark.parametrize(
    ("way", "expected"), [(HALF, ["data", "conv2d in float16"]), (FLOAT, ["data", "cast", "conv2d", "cast"])]
)
def test_a_cast_behind_an_operator_of_half_precision_is_called_by_that(
    tmp_path: Path, way: int, expected: list[str]
) -> None:
    node, value = onnx.helper.make_node, onnx.helper.make_tensor_value_info
    kernel = np.ones((4, 3, 1, 1), np.float16 if way == HALF else np.float32)
    graph = onnx.helper.make_graph(
        [
            node("Cast", ["x"], ["a"], to=way),
            node("Conv", ["a", "w"], ["b"], kernel_shape=[1, 1]),
            node("Cast", ["b"], ["y"], to=FLOAT),
        ],
        "net",
        [value("x", FLOAT, [1, 3, 8, 8])],
        [value("y", FLOAT, [1, 4, 8, 8])],
        [onnx.numpy_helper.from_array(kernel, "w")],
    )
    onnx.save(
        onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)]), str(tmp_path / "net.onnx")
    )
    assert [each.operator for each in OnnxGraph(tmp_path / "net.onnx").nodes] == expected


def test_a_cast_of_integers_is_a_cast(tmp_path: Path) -> None:
    node, value = onnx.helper.make_node, onnx.helper.make_tensor_value_info
    nodes = [node("Cast", ["x"], ["a"], to=INTEGER), node("Cast", ["a"], ["y"], to=FLOAT)]
    graph = onnx.helper.make_graph(nodes, "net", [value("x", FLOAT, [1])], [value("y", FLOAT, [1])])
    onnx.save(
        onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)]), str(tmp_path / "net.onnx")
    )
    assert [each.operator for each in OnnxGraph(tmp_path / "net.onnx").nodes] == ["data", "cast"]
