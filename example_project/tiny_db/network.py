"""The network of `configs/tiny_db.yml`: four strided stages, a feature pyramid, and the head of DB.

That of `configs/tiny_mobile.yml` has depthwise convolutions in its stages, as MobileNet has.

DB (Liao et al., "Real-time Scene Text Detection with Differentiable Binarization", AAAI 2020) predicts for each pixel
the probability of lying in a shrunk text region, and while training a threshold and the binary map that follows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import paddle
from paddle import nn
from paddle.nn import functional


def build(architecture: Mapping[str, Any]) -> nn.Layer:
    """Return the network that the `Architecture` section of the yml describes, with random weights."""
    return TinyDB(
        channels=architecture["Backbone"]["channels"],
        width=architecture["Neck"]["out_channels"],
        steepness=architecture["Head"]["k"],
        is_depthwise=architecture["Backbone"].get("depthwise", False),
    )


def conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Return a 3x3 convolution with batch normalisation and ReLU."""
    return nn.Sequential(
        nn.Conv2D(inputs, outputs, 3, stride=stride, padding=1, bias_attr=False), nn.BatchNorm2D(outputs), nn.ReLU()
    )


def separable(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Return a 5x5 convolution of single channels and a 1x1 convolution of all, each with batch norm and ReLU."""
    return nn.Sequential(
        nn.Conv2D(inputs, inputs, 5, stride=stride, padding=2, groups=inputs, bias_attr=False),
        nn.BatchNorm2D(inputs),
        nn.ReLU(),
        nn.Conv2D(inputs, outputs, 1, bias_attr=False),
        nn.BatchNorm2D(outputs),
        nn.ReLU(),
    )


class Head(nn.Layer):
    """One map at the input's resolution from features at a quarter of it."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        middle = inputs // 4
        self.layers = nn.Sequential(
            conv(inputs, middle),
            nn.Conv2DTranspose(middle, middle, 2, stride=2, bias_attr=False),
            nn.BatchNorm2D(middle),
            nn.ReLU(),
            nn.Conv2DTranspose(middle, 1, 2, stride=2),
        )

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Return values in 0 to 1."""
        return functional.sigmoid(self.layers(x))


class TinyDB(nn.Layer):
    """(N, 3, H, W) in, `{"maps": (N, 1, H, W)}` out; H and W are multiples of 32. Three maps while training."""

    def __init__(self, channels: Sequence[int], width: int, steepness: float, *, is_depthwise: bool = False) -> None:
        super().__init__()
        self.steepness = steepness
        block = separable if is_depthwise else conv
        self.stem = conv(3, channels[0], stride=2)
        self.stages = nn.LayerList(
            [
                nn.Sequential(block(inputs, outputs, stride=2), block(outputs, outputs))
                for inputs, outputs in pairwise(channels)
            ]
        )
        self.lateral = nn.LayerList([nn.Conv2D(outputs, width, 1, bias_attr=False) for outputs in channels[1:]])
        self.probability, self.threshold = Head(width * 3), Head(width * 3)

    def forward(self, x: paddle.Tensor) -> dict[str, paddle.Tensor]:
        """Return the maps under the name that PaddleOCR's post-process reads."""
        x = self.stem(x)
        levels = []
        # No `strict`: paddle.jit.to_static puts a zip of its own in place of Python's, which does not know it.
        for stage, lateral in zip(self.stages, self.lateral):  # noqa: B905
            x = stage(x)
            levels.append(lateral(x))
        quarter, eighth, sixteenth = levels
        eighth = eighth + functional.interpolate(sixteenth, scale_factor=2, mode="nearest")
        quarter = quarter + functional.interpolate(eighth, scale_factor=2, mode="nearest")
        pyramid = paddle.concat(
            [
                quarter,
                functional.interpolate(eighth, scale_factor=2, mode="nearest"),
                functional.interpolate(sixteenth, scale_factor=4, mode="nearest"),
            ],
            axis=1,
        )
        probability = self.probability(pyramid)
        if not self.training:
            return {"maps": probability}
        threshold = self.threshold(pyramid)
        binary = functional.sigmoid(self.steepness * (probability - threshold))
        return {"maps": paddle.concat([probability, threshold, binary], axis=1)}
