"""A text detector with what the example's lacks: branches that an export fuses, gates, and sums of far layers.

Its weights are random, its batch norms hold the statistics of the page that they are compared on, and no affine is 1
and 0: so each layer matters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import paddle
from paddle import nn
from paddle.nn import functional


class ConvBN(nn.Layer):
    """A convolution without a bias, and its batch norm."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1) -> None:
        """Pad so that a stride of 1 keeps the size."""
        super().__init__()
        self.conv = nn.Conv2D(
            inputs, outputs, kernel, stride=stride, padding=kernel // 2, groups=groups, bias_attr=False
        )
        self.bn = nn.BatchNorm2D(outputs)

    def forward(self, x: Any) -> Any:
        """Normalise what the convolution returns."""
        return self.bn(self.conv(x))

    def folded(self) -> tuple[Any, Any]:
        """Return the weight and the bias of the one convolution that does the same."""
        share = self.bn.weight / (self.bn._variance + self.bn._epsilon).sqrt()
        return self.conv.weight * share.reshape([-1, 1, 1, 1]), self.bn.bias - self.bn._mean * share


class Branches(nn.Layer):
    """Two convolutions of one size and a 1x1 one, added up; `rep()` makes one convolution of them."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1) -> None:
        """Take what all branches share."""
        super().__init__()
        self.is_repped = False
        self.arguments = {"stride": stride, "padding": kernel // 2, "groups": groups}
        self.wide = nn.LayerList([ConvBN(inputs, outputs, kernel, stride=stride, groups=groups) for _ in range(2)])
        self.narrow = ConvBN(inputs, outputs, 1, stride=stride, groups=groups)
        self.act = nn.Hardswish()

    def forward(self, x: Any) -> Any:
        """Add the branches, or run the one that they became."""
        if self.is_repped:
            return self.act(self.fused(x))
        return self.act(self.narrow(x) + self.wide[0](x) + self.wide[1](x))

    def rep(self) -> None:
        """Make one convolution of the branches."""
        (weight, bias), *others = (branch.folded() for branch in (*self.wide, self.narrow))
        for other, other_bias in others:
            edge = (weight.shape[-1] - other.shape[-1]) // 2
            weight, bias = weight + functional.pad(other, [edge] * 4), bias + other_bias
        outputs, inputs, kernel, _ = weight.shape
        self.fused = nn.Conv2D(inputs * self.arguments["groups"], outputs, kernel, **self.arguments)
        self.fused.weight.set_value(weight)
        self.fused.bias.set_value(bias)
        self.is_repped = True


class Gate(nn.Layer):
    """Weighs channels by what is in all of the image."""

    def __init__(self, channels: int) -> None:
        """Look through a quarter of the channels."""
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2D(1)
        self.down = nn.Conv2D(channels, channels // 4, 1)
        self.up = nn.Conv2D(channels // 4, channels, 1)

    def forward(self, x: Any) -> Any:
        """Multiply by a weight per channel."""
        return x * functional.hardsigmoid(self.up(functional.relu(self.down(self.pool(x)))))


class Block(nn.Layer):
    """A depthwise and a pointwise convolution, of branches both, around a gate."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int, stride: int) -> None:
        """Change the size by the stride."""
        super().__init__()
        self.depthwise = Branches(inputs, inputs, kernel, stride=stride, groups=inputs)
        self.gate = Gate(inputs)
        self.pointwise = Branches(inputs, outputs, 1)

    def forward(self, x: Any) -> Any:
        """Run one after another."""
        return self.pointwise(self.gate(self.depthwise(x)))


class BranchesNet(nn.Layer):
    """(N, 3, H, W) in, `{"maps": (N, 1, H, W)}` out; H and W are multiples of 32."""

    def __init__(self) -> None:
        """Build three levels and what joins them."""
        super().__init__()
        self.stem = ConvBN(3, 8, 3, stride=2)
        self.first = Block(8, 16, kernel=3, stride=2)
        self.second = nn.LayerList([Block(16, 24, kernel=3, stride=2), Block(24, 24, kernel=5, stride=1)])
        self.third = Block(24, 32, kernel=5, stride=2)
        self.lateral = nn.LayerList([nn.Conv2D(channels, 16, 1) for channels in (16, 24, 32)])
        self.smooth = ConvBN(48, 12, 3)
        self.up = nn.Conv2DTranspose(12, 8, 2, stride=2)
        self.norm = nn.BatchNorm2D(8)
        self.act = nn.ReLU()
        self.head = nn.Conv2DTranspose(8, 1, 2, stride=2)

    def forward(self, x: Any) -> Any:
        """Return the map under the name that PaddleOCR's post-process reads."""
        quarter = self.first(functional.relu(self.stem(x)))
        eighth = self.second[0](quarter)
        eighth = eighth + self.second[1](eighth)
        sixteenth = self.lateral[2](self.third(eighth))
        eighth = self.lateral[1](eighth) + functional.interpolate(sixteenth, scale_factor=2, mode="nearest")
        quarter = self.lateral[0](quarter) + functional.interpolate(
            eighth, scale_factor=2, mode="bilinear", align_corners=False
        )
        levels = [
            quarter,
            functional.interpolate(eighth, scale_factor=2, mode="nearest"),
            functional.interpolate(sixteenth, scale_factor=4, mode="bilinear", align_corners=True),
        ]
        x = functional.relu(self.smooth(paddle.concat(levels, axis=1)))
        return {"maps": functional.sigmoid(self.head(self.act(self.norm(self.up(x)))))}


def build(architecture: Mapping[str, Any]) -> BranchesNet:
    """Build it: what the setting `network` names."""
    return BranchesNet()
