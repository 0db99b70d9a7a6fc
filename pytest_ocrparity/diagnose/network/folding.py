"""Layers of a trained network with the batch norm that follows folded into them, as exports store them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple, TypeAlias

import numpy as np

from pytest_ocrparity.contract import TrainedNetwork
from pytest_ocrparity.trace import Array

Kernel: TypeAlias = "tuple[Array, Array | None]"
"""A kernel and its bias."""

EPSILON: Final = 1e-5
"""What batch norm adds to a variance, in paddle and in all networks of PaddleOCR."""
EQUAL: Final = 1e-4
"""How far a bias may lie from the trained one beside its rounding, of the largest: folding is a sum in float32."""


class KernelLayer(NamedTuple):
    """A layer of a trained network with a kernel: the names of its arrays, and of the batch norm that follows."""

    name: str
    kernel: str
    bias: str | None
    norm: Mapping[str, str]


def kernel_layers(network: TrainedNetwork, arrays: Mapping[str, Array]) -> Iterator[KernelLayer]:
    """Yield the layers with kernels in the order in which an evaluation uses them."""
    keys = network.keys()
    groups: dict[str, dict[str, str]] = {}
    for name in network.used or arrays:
        layer, _, part = keys[name].rpartition(".")
        groups.setdefault(layer, {})[part] = name
    rows = list(groups.items())
    for index, (layer, parts) in enumerate(rows):
        kernel = parts.get("weight")
        if kernel is None or arrays[kernel].ndim < 2:
            continue
        after = rows[index + 1][1] if index + 1 < len(rows) else {}
        yield KernelLayer(layer, kernel, parts.get("bias"), after if {"_mean", "_variance"} <= after.keys() else {})


def kernel_forms(layer: KernelLayer, arrays: Mapping[str, Array]) -> Iterator[Kernel]:
    """Yield a layer's kernel and bias as they are trained, and with the batch norm that follows folded in."""
    kernel, bias = arrays[layer.kernel], None if layer.bias is None else arrays[layer.bias]
    yield kernel, bias
    if not layer.norm:
        return
    mean, variance, scale, offset = (arrays[layer.norm[each]] for each in ("_mean", "_variance", "weight", "bias"))
    factor = scale / np.sqrt(variance + np.float32(EPSILON))
    shifted = offset + ((0 if bias is None else bias) - mean) * factor
    for axis in (0, 1):  # of a transposed convolution, the second axis is that of the outputs
        if kernel.shape[axis] == factor.size:
            shape = [-1 if each == axis else 1 for each in range(kernel.ndim)]
            yield kernel * factor.reshape(shape), shifted


def unfolded(layer: KernelLayer, made: Kernel, arrays: Mapping[str, Array], *, is_folded: bool) -> dict[str, Array]:
    """Return the arrays with which a layer, and its batch norm, computes what one with this kernel and bias does."""
    kernel, bias = made
    found: dict[str, Array] = {layer.kernel: kernel}
    if not is_folded:
        return found | ({layer.bias: bias} if layer.bias and bias is not None else {})
    assert bias is not None
    variance = arrays[layer.norm["_variance"]]
    found |= {
        layer.norm["_mean"]: np.zeros_like(variance),
        layer.norm["weight"]: np.sqrt(variance + np.float32(EPSILON)),
        layer.norm["bias"]: bias,
    }
    return found | ({layer.bias: np.zeros_like(bias)} if layer.bias else {})
