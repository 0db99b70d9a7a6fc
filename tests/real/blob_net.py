"""A network whose maps are known without training: dark is text. Has branches to fuse, like PaddleOCR's LCNetV3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import paddle
from paddle import nn


class TwoBranches(nn.Layer):
    """Two convolutions side by side that `rep()` turns into one, as PaddleOCR's LearnableRepLayer does."""

    def __init__(self) -> None:
        """Split one blur over two branches."""
        super().__init__()
        self.is_repped = False
        self.wide = nn.Conv2D(3, 4, 5, padding=2)
        self.narrow = nn.Conv2D(3, 4, 1)
        self.wide.weight.set_value(paddle.full([4, 3, 5, 5], -1.0 / 75))
        self.narrow.weight.set_value(paddle.full([4, 3, 1, 1], -1.0 / 9))

    def forward(self, x: Any) -> Any:
        """Add the branches, or run the one they became."""
        return self.fused(x) if self.is_repped else self.wide(x) + self.narrow(x)

    def rep(self) -> None:
        """Make one convolution of the two."""
        self.fused = nn.Conv2D(3, 4, 5, padding=2)
        self.fused.weight.set_value(self.wide.weight + nn.functional.pad(self.narrow.weight, [2, 2, 2, 2]))
        self.fused.bias.set_value(self.wide.bias + self.narrow.bias)
        self.is_repped = True


class BlobNet(nn.Layer):
    """Darkness of a pixel and its neighbours, made steep."""

    def __init__(self, *, branches: bool = True) -> None:
        """Take the branches or the plain convolution."""
        super().__init__()
        self.stem = TwoBranches() if branches else nn.Conv2D(3, 4, 5, padding=2)
        self.head = nn.Conv2D(4, 1, 1)
        self.head.weight.set_value(paddle.full([1, 4, 1, 1], 1.5))

    def forward(self, x: Any) -> dict[str, Any]:
        """Return the map under the name that PaddleOCR's DBHead uses."""
        return {"maps": nn.functional.sigmoid(self.head(self.stem(x)))}


def build(architecture: Mapping[str, Any]) -> BlobNet:
    """Build it: what the setting `network` names."""
    return BlobNet(branches=architecture["Backbone"].get("branches", True))


def build_plain(architecture: Mapping[str, Any]) -> BlobNet:
    """Build it without branches."""
    return BlobNet(branches=False)


def build_nothing(architecture: Mapping[str, Any]) -> str:
    """Return what is no network."""
    return "no layer"


class Pair(nn.Layer):
    """What a Distillation yml trains."""

    def __init__(self, names: list[str]) -> None:
        """Hold one network per name."""
        super().__init__()
        for name in names:
            self.add_sublayer(name, BlobNet())

    def forward(self, x: Any) -> dict[str, Any]:
        """Run them all."""
        return {name: layer(x) for name, layer in self.named_children()}


def build_pair(architecture: Mapping[str, Any]) -> Pair:
    """Build one network per name in Architecture.Models."""
    return Pair(list(architecture["Models"]))
