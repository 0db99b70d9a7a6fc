"""Runs an operator that has no weights by itself, as paddle does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.trace import Array

ACTIVATIONS: Final = ("relu", "relu6", "leaky_relu", "swish", "silu", "hardswish", "hardsigmoid", "sigmoid", "tanh")
"""Operators whose functions of `paddle.nn.functional` have their name."""
INTERPOLATIONS: Final = {"nearest_interp": "nearest", "bilinear_interp": "bilinear", "bicubic_interp": "bicubic"}
"""By operator, the mode of `paddle.nn.functional.interpolate`."""


def operator_output(
    operator: str, attributes: Mapping[str, Any], array: Array, shape: Sequence[int]
) -> npt.NDArray[np.float32] | None:
    """Return what an activation or an interpolation makes of an array; None of other operators.

    Args:
        operator: its name in a program.
        attributes: by their names in a program; what is absent is as paddle's functions have it.
        array: what it is given.
        shape: that of what it makes.
    """
    kind = operator.removesuffix("_v2")
    if kind not in ACTIVATIONS and kind not in INTERPOLATIONS:
        return None
    with isolated():
        import paddle
        from paddle.nn import functional

        given = paddle.to_tensor(np.ascontiguousarray(array))
        if kind in ACTIVATIONS:
            slope = {"negative_slope": attributes["negative_slope"]} if "negative_slope" in attributes else {}
            made = getattr(functional, kind)(given, **slope)
        else:
            made = functional.interpolate(
                given,
                size=list(shape[2:]),
                mode=INTERPOLATIONS[kind],
                align_corners=bool(attributes.get("align_corners", False)),
                align_mode=int(attributes.get("align_mode", 0)) if kind == "bilinear_interp" else 0,
            )
        return np.asarray(made.numpy(), np.float32)
