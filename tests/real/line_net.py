"""A recogniser whose texts are known without training: each character is a grey of its own, and grey 128 is nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import paddle
from paddle import nn

from real.lines import GAIN, HEIGHT, STEP, WEIGHTS, levels


class LineNet(nn.Layer):
    """The grey of each eight columns, smoothed along the line, against the grey of each character."""

    def __init__(self, classes: int) -> None:
        """Take the number of classes, the blank included."""
        super().__init__()
        cell = (HEIGHT, STEP)
        self.grey = nn.Conv2D(3, 1, cell, stride=cell, bias_attr=False)
        weights = paddle.to_tensor(WEIGHTS, "float32").reshape([1, 3, 1, 1]) / (HEIGHT * STEP)
        self.grey.weight.set_value(weights.expand([1, 3, *cell]))
        self.smooth = nn.Conv2D(1, 1, (1, 3), padding=(0, 1), bias_attr=False)
        self.smooth.weight.set_value(paddle.to_tensor([[[[0.02, 0.96, 0.02]]]], "float32"))
        self.head = nn.Linear(2, classes)  # of the grey and its square: the distance to each level, but for a constant
        known = paddle.to_tensor(levels(classes), "float32")
        self.head.weight.set_value(paddle.stack([2 * GAIN * known, paddle.full([classes], -GAIN)]))
        self.head.bias.set_value(-GAIN * known * known)

    def forward(self, x: Any) -> Any:
        """Return (N, T, classes) probabilities in evaluation, and logits while training, as PaddleOCR's CTCHead."""
        grey = self.smooth(self.grey(x)).mean(axis=2).transpose([0, 2, 1])
        found = self.head(paddle.concat([grey, grey * grey], axis=2))
        return found if self.training else nn.functional.softmax(found, axis=2)


def build(architecture: Mapping[str, Any]) -> LineNet:
    """Build it with the classes that the dictionary asks for: what the setting `network` names."""
    return LineNet(architecture["Head"]["out_channels"])


def build_twelve(architecture: Mapping[str, Any]) -> LineNet:
    """Build it with a number of classes of its own."""
    return LineNet(12)


class Several(nn.Layer):
    """One whose features come before its probabilities, or which has names for them."""

    def __init__(self, classes: int, *, named: bool) -> None:
        """Hold the network."""
        super().__init__()
        self.inner, self.named = LineNet(classes), named

    def forward(self, x: Any) -> Any:
        """Return a list, or what PaddleOCR's BaseModel returns with `return_all_feats`."""
        found = self.inner(x)
        return {"head_out": {"ctc": found, "ctc_neck": x}} if self.named else [x, found]


def build_list(architecture: Mapping[str, Any]) -> Several:
    """Build one that returns its features first."""
    return Several(architecture["Head"]["out_channels"], named=False)


def build_named(architecture: Mapping[str, Any]) -> Several:
    """Build one whose outputs have names."""
    return Several(architecture["Head"]["out_channels"], named=True)


class Pair(nn.Layer):
    """What a Distillation yml trains."""

    def __init__(self, models: Mapping[str, Any]) -> None:
        """Hold one network per name."""
        super().__init__()
        for name, model in models.items():
            self.add_sublayer(name, Several(model["Head"]["out_channels_list"]["CTCLabelDecode"], named=True))

    def forward(self, x: Any) -> dict[str, Any]:
        """Run them all."""
        return {name: layer(x) for name, layer in self.named_children()}


def build_pair(architecture: Mapping[str, Any]) -> Pair:
    """Build one network per name in Architecture.Models."""
    return Pair(architecture["Models"])
