"""Gives a layer of a network an attribute that an operator of an export has."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

MEMBERS: Final = {
    "epsilon": ("_epsilon",),
    "strides": ("_stride",),
    "paddings": ("_padding", "_updated_padding"),
    "dilations": ("_dilation",),
    "align_corners": ("align_corners",),
    "align_mode": ("align_mode",),
    "interp_method": ("mode",),
}
"""Where paddle's layers keep what their operators are given."""
ACTIVATIONS: Final = {
    "relu": "ReLU",
    "relu6": "ReLU6",
    "leaky_relu": "LeakyReLU",
    "swish": "Swish",
    "silu": "Silu",
    "hardswish": "Hardswish",
    "hardsigmoid": "Hardsigmoid",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "gelu": "GELU",
}
"""The layer of each activation's operator."""


def set_attributes(network: Any, name: str, values: Mapping[str, Any], known: Collection[str] = ()) -> bool:
    """Set attributes of a layer, in place; return whether it has them.

    Args:
        network: the `paddle.nn.Layer` that the layer lies in.
        name: its dotted name; of what lies in it, the only layer with these attributes is meant.
        known: the names that the layers had before branches were fused; a layer of another name runs in the place of
            those that it lies beside.
        values: by the names of a program; "operator" stands for an activation in the place of the layer.
    """
    layers = dict(network.named_sublayers(include_self=True))
    layer = layers.get(name)
    if layer is None:
        return False
    if "operator" in values:
        return _put_activation(network, layers, name, values)
    members = [member for each in values for member in MEMBERS.get(each, ("",))[:1]]
    below = layer.named_sublayers(prefix=name, include_self=True)
    found = {own: each for own, each in below if all(hasattr(each, member) for member in members)}
    fused = [each for own, each in found.items() if own and known and own not in known]
    having = fused or list(found.values())
    if len(having) != 1 or "" in members:
        return False
    for each, value in values.items():
        for member in MEMBERS[each]:
            if hasattr(having[0], member):
                setattr(having[0], member, list(value) if isinstance(value, list | tuple) else value)
    return True


def _put_activation(network: Any, layers: Mapping[str, Any], name: str, values: Mapping[str, Any]) -> bool:
    """Put an activation in the place of another one."""
    import paddle

    layer, kind = layers[name], ACTIVATIONS.get(values["operator"])
    if kind is None or not name or type(layer).__module__ != "paddle.nn.layer.activation":
        return False
    given = {"negative_slope": values["negative_slope"]} if "negative_slope" in values else {}
    parent, _, own = name.rpartition(".")
    layers[parent]._sub_layers[own] = getattr(paddle.nn, kind)(**given)
    return True
