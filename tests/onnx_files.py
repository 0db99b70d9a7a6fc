"""Writes small `.onnx` files without the package onnx: a detector whose map is known, of free or of fixed size."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

FLOAT, FLOAT16, INTS = 1, 10, 7
"""Numbers of ONNX's types: of a tensor's elements, and of an attribute that is a list of integers."""


def _varint(value: int) -> bytes:
    found = b""
    while value > 127:
        found += bytes([value & 127 | 128])
        value >>= 7
    return found + bytes([value])


def _field(number: int, value: int | str | bytes) -> bytes:
    """Return one field of a protobuf message: an integer, or a text, bytes or message with its length."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _node(operator: str, inputs: Sequence[str], output: str, **attributes: Sequence[int]) -> bytes:
    found = b"".join(_field(1, name) for name in inputs) + _field(2, output) + _field(4, operator)
    for name, values in attributes.items():
        numbers = b"".join(_field(8, value) for value in values)
        found += _field(5, _field(1, name) + numbers + _field(20, INTS))
    return _field(1, found)


def _weights(name: str, values: npt.NDArray[np.float32]) -> bytes:
    sizes = b"".join(_field(1, size) for size in values.shape)
    data = struct.pack(f"<{values.size}f", *values.reshape(-1))
    return _field(5, sizes + _field(2, FLOAT) + _field(8, name) + _field(9, data))


def _value(number: int, name: str, sizes: Sequence[int | str], kind: int = FLOAT) -> bytes:
    shape = b"".join(_field(1, _field(2 if isinstance(size, str) else 1, size)) for size in sizes)
    return _field(number, _field(1, name) + _field(2, _field(1, _field(1, kind) + _field(2, shape))))


def write_blob(
    path: Path, *, size: tuple[int, int] | None = None, is_first: bool = True, steep: float = 1.5, kind: int = FLOAT
) -> Path:
    """Write the network of `real.blob_net` after its branches were fused: darkness of a pixel and its neighbours.

    Args:
        path: where.
        size: the (height, width) in pixels that its input is declared to have; None for any.
        is_first: whether the map is the first output; else the values before the last layer are.
        steep: the weight of its last layer, 1.5 in the network that it is an export of.
        kind: the type of its input; the graph is right with float32 alone.
    """
    wide = np.full((4, 3, 5, 5), -1.0 / 75, np.float32)
    wide[:, :, 2, 2] -= np.float32(1.0 / 9)
    height, width = size or ("height", "width")
    outputs = [_value(12, "maps", [1, 1, height, width]), _value(12, "before", [1, 4, height, width])]
    graph = [
        _node("Conv", ["x", "stem"], "before", pads=[2, 2, 2, 2]),
        _node("Conv", ["before", "head"], "sum"),
        _node("Sigmoid", ["sum"], "maps"),
        _field(2, "blob"),
        _weights("stem", wide),
        _weights("head", np.full((1, 4, 1, 1), steep, np.float32)),
        _value(11, "x", [1, 3, height, width], kind),
        *(outputs[:1] if is_first else outputs[::-1]),
    ]
    opset = _field(8, _field(1, "") + _field(2, 13))
    path.write_bytes(_field(1, 8) + _field(7, b"".join(graph)) + opset)
    return path
