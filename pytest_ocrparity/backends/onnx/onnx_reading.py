"""Reading an `.onnx` file with the package onnx: where that is missing or the file is damaged, one sentence says so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.onnx.node_order import put_nodes_in_order
from pytest_ocrparity.errors import ModelError


@contextmanager
def reading_onnx(file: Path, what: str) -> Iterator[None]:
    """Read a file in this block, see `isolated`; `what` is read of it, such as "weights".

    Raises:
        ModelError: the package onnx is not installed, the file is no ONNX file, or what it holds does not fit together.
    """
    if find_spec("onnx") is None:
        raise ModelError(f"not read: the {what} of {file.name}, as the package onnx is not installed")
    with isolated():
        try:
            yield
        except (ImportError, MemoryError, ModelError):
            raise
        except Exception as error:  # of protobuf, onnx and numpy, and of what the file says of itself
            text = " ".join(f"{type(error).__name__}: {error}".split())
            raise ModelError(f"{file}: not read: it is no whole ONNX file: {text[:300]}") from error


def load_onnx(file: Path) -> Any:
    """Return a file's model, with its operators in an order in which they can be computed."""
    import onnx

    model = onnx.load(str(file))
    put_nodes_in_order(model.graph)
    return model


def session_of(model: Any, providers: Sequence[Any] = ("CPUExecutionProvider",), *, is_optimized: bool = False) -> Any:
    """Return a session of a model in memory, without ONNX Runtime's own changes of it unless they are asked for."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    if not is_optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=list(providers))
