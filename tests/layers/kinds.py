"""The kinds of faults: where each can be, what it draws, and what it does to a network that is then exported.

A kind of a layer's parameters or settings changes the network; a kind of an operator changes the call (see `calls`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from layers.calls import ACTIVATIONS, Call, Change, Key

Rng = np.random.Generator
Arguments = dict[str, Any]

CONVOLUTIONS = ("conv2d", "conv2dtranspose")
NORMS = ("batchnorm2d", "batchnorm")
ACT = "act"
"""The operator of a `paddle.nn.BatchNorm` that activates what it returns."""
SWAPPED = {
    "relu": ("leaky_relu", "relu6", "hardswish", "swish"),
    "hardswish": ("relu", "relu6", "swish", "leaky_relu"),
    "hardsigmoid": ("sigmoid",),
}
ACTS = {"relu": ("relu6", "swish", "hardswish")}
"""Those that a `paddle.nn.BatchNorm` can run."""


@dataclass(frozen=True)
class Kind:
    """One kind of faults.

    Attributes:
        fits: whether a call can have it, given the layer (None for an operator).
        draw: what it draws for such a call, given the layer and the calls before it; None where there is nothing.
        is_before_fusion: whether it is a fault of the network as it is trained, which an export then fuses. All others
            are of what the fused network runs.
        change: changes the layer; returns what is put in the place of the call, or None.
    """

    fits: Callable[[Call, Any], bool]
    draw: Callable[[Rng, Call, Any, Sequence[Call]], Arguments | None]
    change: Callable[[Key, Any, Arguments], Change | None]
    is_before_fusion: bool = False


def _weight(layer: Any) -> str:
    return "scale" if "scale" in layer._parameters else "weight"


def _array(layer: Any, name: str) -> np.ndarray[Any, Any]:
    return np.asarray(getattr(layer, name).numpy()).copy()


def _is_convolution(call: Call, layer: Any) -> bool:
    return call.key.operator in CONVOLUTIONS


def _has_weight(call: Call, layer: Any) -> bool:
    return layer is not None and any(layer._parameters.get(name) is not None for name in ("weight", "scale"))


def _has_bias(call: Call, layer: Any) -> bool:
    return layer is not None and layer._parameters.get("bias") is not None


def _is_norm(call: Call, layer: Any) -> bool:
    return call.key.operator in NORMS


def _axis(call: Call) -> int:
    """Return the axis of a weight that counts the channels that come out."""
    return 1 if call.key.operator == "conv2dtranspose" else 0


def _size(rng: Rng, most: float) -> float:
    """Return how large a change is: as often small as large, down to a hundredth of the most."""
    return float(most * 10 ** rng.uniform(-2.0, 0.0))


def _factor(rng: Rng, most: float = 0.8) -> float:
    return round(1 + float(rng.choice([-1, 1])) * _size(rng, most), 5)


def _step(rng: Rng, most: float) -> float:
    return float(np.float32(rng.choice([-1, 1]) * _size(rng, most)))


def _draw_weight(rng: Rng, call: Call, layer: Any, before: Sequence[Call]) -> Arguments:
    return {"factor": _factor(rng)}


def _change_weight(key: Key, layer: Any, arguments: Arguments) -> None:
    name = _weight(layer)
    getattr(layer, name).set_value(_array(layer, name) * np.float32(arguments["factor"]))


def _draw_kernel(rng: Rng, call: Call, layer: Any, before: Sequence[Call]) -> Arguments:
    return {"channel": int(rng.integers(layer.weight.shape[_axis(call)])), "factor": _factor(rng)}


def _change_kernel(key: Key, layer: Any, arguments: Arguments) -> None:
    weight = _array(layer, "weight")
    kernel = np.moveaxis(weight, 1 if key.operator == "conv2dtranspose" else 0, 0)
    kernel[arguments["channel"]] *= np.float32(arguments["factor"])
    layer.weight.set_value(weight)


def _draw_number(rng: Rng, call: Call, layer: Any, before: Sequence[Call]) -> Arguments:
    weight = _array(layer, _weight(layer))
    spread = float(np.abs(weight).mean())
    return {"place": int(rng.integers(weight.size)), "step": _step(rng, 10.0 * spread)}


def _change_number(key: Key, layer: Any, arguments: Arguments) -> None:
    name = _weight(layer)
    weight = _array(layer, name)
    weight.reshape(-1)[arguments["place"]] += np.float32(arguments["step"])
    getattr(layer, name).set_value(weight)


def _draw_bias(rng: Rng, call: Call, layer: Any, before: Sequence[Call]) -> Arguments:
    bias = _array(layer, "bias")
    step = _step(rng, 2.0 * max(float(np.abs(bias).mean()), 0.05))
    place = int(rng.integers(bias.size)) if rng.random() < 0.5 else None
    return {"place": place, "step": step}


def _change_bias(key: Key, layer: Any, arguments: Arguments) -> None:
    bias = _array(layer, "bias")
    place = slice(None) if arguments["place"] is None else arguments["place"]
    bias[place] += np.float32(arguments["step"])
    layer.bias.set_value(bias)


def _draw_mean(rng: Rng, call: Call, layer: Any, before: Sequence[Call]) -> Arguments:
    spread = float(np.sqrt(_array(layer, "_variance")).mean())
    place = int(rng.integers(layer._mean.shape[0])) if rng.random() < 0.5 else None
    return {"place": place, "step": _step(rng, 2.0 * spread)}


def _change_mean(key: Key, layer: Any, arguments: Arguments) -> None:
    mean = _array(layer, "_mean")
    mean[slice(None) if arguments["place"] is None else arguments["place"]] += np.float32(arguments["step"])
    layer._mean.set_value(mean)


def _draw_variance(rng: Rng, call: Call, layer: Any, before: Sequence[Call]) -> Arguments:
    place = int(rng.integers(layer._variance.shape[0])) if rng.random() < 0.5 else None
    return {"place": place, "factor": _factor(rng)}


def _change_variance(key: Key, layer: Any, arguments: Arguments) -> None:
    variance = _array(layer, "_variance")
    variance[slice(None) if arguments["place"] is None else arguments["place"]] *= np.float32(arguments["factor"])
    layer._variance.set_value(variance)


def _draw_epsilon(rng: Rng, call: Call, layer: Any, before: Sequence[Call]) -> Arguments:
    return {"epsilon": float(rng.choice([1e-3, 1e-2, 1e-1]))}


def _change_epsilon(key: Key, layer: Any, arguments: Arguments) -> None:
    layer._epsilon = arguments["epsilon"]


def _draw_pruned(rng: Rng, call: Call, layer: Any, before: Sequence[Call]) -> Arguments:
    return {"channel": int(rng.integers(call.output.shape[1]))}


def _change_pruned(key: Key, layer: Any, arguments: Arguments) -> None:
    channel = arguments["channel"]
    weight = _array(layer, "weight")
    np.moveaxis(weight, 1 if key.operator == "conv2dtranspose" else 0, 0)[channel] = 0
    layer.weight.set_value(weight)
    if layer._parameters.get("bias") is not None:
        bias = _array(layer, "bias")
        bias[channel] = 0
        layer.bias.set_value(bias)


def _fits_activation(call: Call, layer: Any) -> bool:
    return call.key.operator in SWAPPED or (call.key.operator in NORMS and getattr(layer, "_act", None) in ACTS)


def _draw_activation(rng: Rng, call: Call, layer: Any, before: Sequence[Call]) -> Arguments:
    others = SWAPPED[call.key.operator] if layer is None else ACTS[layer._act]
    return {"to": str(rng.choice(others))}


def _change_activation(key: Key, layer: Any, arguments: Arguments) -> Change | None:
    if layer is not None:
        layer._act = arguments["to"]
        return None

    def other(call: Any, given: Any, named: Mapping[str, Any], outputs: Mapping[Key, Any]) -> Any:
        from paddle.nn import functional

        assert arguments["to"] in ACTIVATIONS
        return getattr(functional, arguments["to"])(given[0])

    return other


def _fits_interpolation(call: Call, layer: Any) -> bool:
    return call.key.operator == "interpolate"


INTERPOLATIONS: tuple[Arguments, ...] = (
    {"mode": "nearest", "align_corners": False},
    {"mode": "bilinear", "align_corners": False},
    {"mode": "bilinear", "align_corners": True},
    {"mode": "bilinear", "align_corners": False, "align_mode": 1},
    {"mode": "bicubic", "align_corners": False},
)


def _draw_interpolation(rng: Rng, call: Call, layer: Any, before: Sequence[Call]) -> Arguments:
    return dict(INTERPOLATIONS[int(rng.integers(len(INTERPOLATIONS)))])


def _change_interpolation(key: Key, layer: Any, arguments: Arguments) -> Change:
    def other(call: Any, given: Any, named: Mapping[str, Any], outputs: Mapping[Key, Any]) -> Any:
        from paddle.nn import functional

        assert len(given) <= 1, "the size and the scale are given by name"
        named = {name: value for name, value in named.items() if name not in ("mode", "align_corners", "align_mode")}
        return functional.interpolate(*given, **named, **arguments)

    return other


def _fits_dilation(call: Call, layer: Any) -> bool:
    return call.key.operator == "conv2d" and min(layer._kernel_size) > 1


def _draw_dilation(rng: Rng, call: Call, layer: Any, before: Sequence[Call]) -> Arguments:
    return {"dilation": 2}


def _set_padding(layer: Any, padding: Any) -> None:
    from paddle.nn.functional.conv import _update_padding_nd

    layer._padding = padding
    layer._updated_padding, layer._padding_algorithm = _update_padding_nd(padding, False, 2)


def _change_dilation(key: Key, layer: Any, arguments: Arguments) -> None:
    layer._dilation = [arguments["dilation"]] * 2
    _set_padding(layer, [arguments["dilation"] * (kernel // 2) for kernel in layer._kernel_size])


def _draw_padding(rng: Rng, call: Call, layer: Any, before: Sequence[Call]) -> Arguments:
    edge = layer._kernel_size[0] // 2
    ways = ["replicate", "reflect", "shifted"]
    if layer._stride[0] == 2:
        ways.append("SAME")
    way = str(rng.choice(ways))
    return {"padding": [edge + 1, edge - 1] * 2 if way == "shifted" else edge, "mode": way}


def _change_padding(key: Key, layer: Any, arguments: Arguments) -> None:
    way, edge = arguments["mode"], arguments["padding"]
    if way in ("replicate", "reflect"):
        layer._padding_mode, layer._reversed_padding_repeated_twice = way, [edge] * 4
        _set_padding(layer, 0)
    else:
        _set_padding(layer, "SAME" if way == "SAME" else edge)


def _fits_stride(call: Call, layer: Any) -> bool:
    return call.key.operator == "conv2d" and list(layer._stride) == [2, 2]


def _draw_stride(rng: Rng, call: Call, layer: Any, before: Sequence[Call]) -> Arguments:
    return {"stride": 1, "pool": str(rng.choice(["avg", "max"]))}


def _change_stride(key: Key, layer: Any, arguments: Arguments) -> Change:
    layer._stride = [arguments["stride"]] * 2

    def pooled(call: Any, given: Any, named: Mapping[str, Any], outputs: Mapping[Key, Any]) -> Any:
        from paddle.nn import functional

        pool = functional.avg_pool2d if arguments["pool"] == "avg" else functional.max_pool2d
        return pool(call(), 2, stride=2)

    return pooled


def _fits_swap(call: Call, layer: Any) -> bool:
    whole = [shape for shape in call.shapes if len(shape) == 4]
    if call.key.operator == "concat":
        return len(whole) > 1
    return call.key.operator == "add" and len(whole) == 2 and whole[0] == whole[1]


def _draw_swap(rng: Rng, call: Call, layer: Any, before: Sequence[Call]) -> Arguments | None:
    """Draw another order of a concatenation, or for one input another value of its shape."""
    if call.key.operator == "concat" and rng.random() < 0.5:
        order = [int(index) for index in rng.permutation(len(call.inputs))]
        return None if order == sorted(order) else {"order": order}
    index = int(rng.integers(len(call.inputs)))
    others = [
        each.key
        for each in before
        if tuple(each.output.shape) == call.shapes[index] and all(each.output is not value for value in call.inputs)
    ]
    if not others:
        return None
    return {"input": index, "from": list(others[int(rng.integers(len(others)))])}


def _change_swap(key: Key, layer: Any, arguments: Arguments) -> Change:
    def other(call: Any, given: Any, named: Mapping[str, Any], outputs: Mapping[Key, Any]) -> Any:
        import paddle

        if key.operator == "add":
            first, second = [*list(given), *named.values()]
            wrong = outputs[Key(*arguments["from"])]
            return paddle.add(wrong, second) if arguments["input"] == 0 else paddle.add(first, wrong)
        values, axis = list(given[0]), given[1:]
        if "order" in arguments:
            values = [values[index] for index in arguments["order"]]
        else:
            values[arguments["input"]] = outputs[Key(*arguments["from"])]
        return paddle.concat(values, *axis, **named)

    return other


KINDS: Mapping[str, Kind] = {
    "weight": Kind(_has_weight, _draw_weight, _change_weight, is_before_fusion=True),
    "kernel": Kind(_is_convolution, _draw_kernel, _change_kernel, is_before_fusion=True),
    "number": Kind(_has_weight, _draw_number, _change_number, is_before_fusion=True),
    "bias": Kind(_has_bias, _draw_bias, _change_bias, is_before_fusion=True),
    "mean": Kind(_is_norm, _draw_mean, _change_mean, is_before_fusion=True),
    "variance": Kind(_is_norm, _draw_variance, _change_variance, is_before_fusion=True),
    "epsilon": Kind(_is_norm, _draw_epsilon, _change_epsilon, is_before_fusion=True),
    "pruned": Kind(
        lambda call, layer: call.key.operator in (*CONVOLUTIONS, *NORMS), _draw_pruned, _change_pruned, True
    ),
    "activation": Kind(_fits_activation, _draw_activation, _change_activation),
    "interpolation": Kind(_fits_interpolation, _draw_interpolation, _change_interpolation),
    "dilation": Kind(_fits_dilation, _draw_dilation, _change_dilation),
    "padding": Kind(_fits_dilation, _draw_padding, _change_padding),
    "stride": Kind(_fits_stride, _draw_stride, _change_stride),
    "swapped": Kind(_fits_swap, _draw_swap, _change_swap),
}
"""By name, the kinds that a generator draws from. Padding fits where a kernel is wider than 1, as dilation does."""
