"""What a damaged `.onnx` file says, whichever reader meets it."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx_files import write_blob

from pytest_ocrparity.backends.graphs.onnx_graph import OnnxGraph
from pytest_ocrparity.backends.onnx.half_file import HalfFile
from pytest_ocrparity.backends.onnx.onnx_reading import reading_onnx
from pytest_ocrparity.backends.onnx.quantised_file import QuantisedFile
from pytest_ocrparity.backends.onnx.runtime import runtime_arrays
from pytest_ocrparity.errors import ModelError


def half_file(file: Path) -> HalfFile:
    return HalfFile(file, [("CPUExecutionProvider", {})])


READERS = [OnnxGraph, QuantisedFile, half_file, runtime_arrays]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("is_cut", [True, False])
def test_a_file_that_was_cut_is_named(read: type[OnnxGraph], is_cut: bool, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    file = write_blob(tmp_path / "inference.onnx")
    if not is_cut:
        assert read(file)
        return
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ModelError, match=r"inference\.onnx: not read: it is no whole ONNX file: DecodeError: "):
        read(file)


@pytest.mark.parametrize(
    ("read", "what"),
    [(OnnxGraph, "graph"), (QuantisedFile, "rounding"), (half_file, "float16 operators"), (runtime_arrays, "weights")],
)
def test_without_the_package_onnx_nothing_is_read(
    read: type[OnnxGraph], what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_ocrparity.backends.onnx.onnx_reading.find_spec", lambda name: None)
    with pytest.raises(ModelError) as raised:
        read(Path("project/net.onnx"))
    assert str(raised.value) == f"not read: the {what} of net.onnx, as the package onnx is not installed"


def test_operators_in_float16_are_counted_in_whatever_order_they_are_written(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    kinds = [("in", "Cast", "a"), ("a", "Relu", "b"), ("b", "Sigmoid", "c"), ("c", "Cast", "out")]
    nodes = [
        helper.make_node(operator, [given], [made], **({"to": 10 if made == "a" else 1} if operator == "Cast" else {}))
        for given, operator, made in kinds
    ]
    ends = [helper.make_tensor_value_info(name, 1, [1, 3, None, None]) for name in ("in", "out")]
    counts = []
    for order in (nodes, nodes[::-1]):
        file = tmp_path / "net.onnx"
        onnx.save(helper.make_model(helper.make_graph(order, "net", ends[:1], ends[1:])), str(file))
        counts.append(half_file(file).operators)
    assert counts == [2, 2]


def test_a_graph_without_an_output_is_refused(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load(str(write_blob(tmp_path / "inference.onnx")))
    del model.graph.output[:]
    onnx.save(model, str(tmp_path / "inference.onnx"))
    with pytest.raises(ModelError, match="it is no whole ONNX file: IndexError"):
        OnnxGraph(tmp_path / "inference.onnx")


def test_steps_of_other_channels_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    import numpy as np
    from hostile.onnx_models import quantised_kernel

    file = tmp_path / "inference.onnx"
    file.write_bytes(quantised_kernel(np.ones((3, 2), np.int8), channels=3))
    assert runtime_arrays(file)["kernel"].shape == (3, 2)
    file.write_bytes(quantised_kernel(np.ones((1, 2), np.int8), channels=3))
    with pytest.raises(ModelError, match=r"steps of shape \(1, 2\) and sizes of steps of shape \(3, 1\)"):
        runtime_arrays(file)


@pytest.mark.parametrize("error", [ImportError("onnx"), MemoryError(), ModelError("said already")])
def test_what_is_no_fault_of_the_file_is_not_said_of_it(error: Exception) -> None:
    with pytest.raises((ModelError, MemoryError)) as raised, reading_onnx(Path("inference.onnx"), "graph"):
        raise error
    assert "ONNX file" not in str(raised.value)
