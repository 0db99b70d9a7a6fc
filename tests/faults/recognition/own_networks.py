"""Networks of a user's own, with the example's weights. A case copies this file into its project."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paddle import nn
from paddle.nn import functional
from tiny_rec.network import TinyRec  # type: ignore[import-not-found]


class Sharper(TinyRec):  # type: ignore[misc]
    """An older network, whose probabilities were steeper."""

    def forward(self, x: Any) -> Any:
        cubes = TinyRec.forward(self, x) ** 3
        return cubes / cubes.sum(axis=2, keepdim=True)


class TwoOutputs(TinyRec):  # type: ignore[misc]
    """Returns what another head says before what CTC's says."""

    def forward(self, x: Any) -> Any:
        found = TinyRec.forward(self, x)
        roots = found**0.25
        return [roots / roots.sum(axis=2, keepdim=True), found]


class Logits(TinyRec):  # type: ignore[misc]
    """Without the softmax."""

    def forward(self, x: Any) -> Any:
        columns = self.squeeze(self.backbone(x)).squeeze(2).transpose([0, 2, 1])
        return self.classify(self.context(columns)[0])


class Twice(TinyRec):  # type: ignore[misc]
    """With a second softmax after the first."""

    def forward(self, x: Any) -> Any:
        return functional.softmax(TinyRec.forward(self, x), axis=2)


class Logarithms(Logits):
    """With a log-softmax, as the loss of other CTC code takes it."""

    def forward(self, x: Any) -> Any:
        return functional.log_softmax(Logits.forward(self, x), axis=2)


class Branching(TinyRec):  # type: ignore[misc]
    """Smooths long lines first: a Python branch on the input's size."""

    def forward(self, x: Any) -> Any:
        if self.is_long(x):
            x = functional.avg_pool2d(x, (1, 3), stride=1, padding=(0, 1))
        return TinyRec.forward(self, x)

    def is_long(self, x: Any) -> bool:
        return bool(x.shape[3] > 300)


class Short(Branching):
    """What a trace with a short line takes down."""

    def is_long(self, x: Any) -> bool:
        return False


class Frozen(TinyRec):  # type: ignore[misc]
    """Takes the line apart and puts it together again, with a width that a trace freezes."""

    def forward(self, x: Any) -> Any:
        height, width = int(x.shape[2]), int(x.shape[3])
        return TinyRec.forward(self, x.reshape([1, 3, height * width]).reshape([1, 3, height, width]))


class Resizing(TinyRec):  # type: ignore[misc]
    """Resizes a line before anything else, corner on corner, as the spatial transformer of SVTR does."""

    def forward(self, x: Any) -> Any:
        larger = functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
        return TinyRec.forward(self, functional.avg_pool2d(larger, 2))


class TwoBranches(nn.Layer):  # type: ignore[misc]
    """Two convolutions side by side that `rep()` turns into one, as PaddleOCR's LearnableRepLayer does."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.is_repped = False
        self.wide = nn.Conv2D(3, channels, 3, stride=2, padding=1, bias_attr=False)
        self.narrow = nn.Conv2D(3, channels, 1, stride=2, bias_attr=False)

    def forward(self, x: Any) -> Any:
        return self.fused(x) if self.is_repped else self.wide(x) + self.narrow(x)

    def rep(self) -> None:
        self.fused = nn.Conv2D(3, self.wide.weight.shape[0], 3, stride=2, padding=1, bias_attr=False)
        self.fused.weight.set_value(self.wide.weight + functional.pad(self.narrow.weight, [1, 1, 1, 1]))
        self.is_repped = True


class Branched(TinyRec):  # type: ignore[misc]
    """Has branches to fuse."""

    def __init__(self, channels: Any, width: int, classes: int) -> None:
        super().__init__(channels, width, classes)
        self.backbone[0][0] = TwoBranches(channels[0])


class Pair(nn.Layer):  # type: ignore[misc]
    """What a Distillation yml trains."""

    def __init__(self, models: Mapping[str, Any]) -> None:
        super().__init__()
        for name, model in models.items():
            self.add_sublayer(name, made(TinyRec, model))

    def forward(self, x: Any) -> Any:
        return {name: layer(x) for name, layer in self.named_children()}


def made(kind: Any, architecture: Mapping[str, Any]) -> Any:
    return kind(
        channels=architecture["Backbone"]["channels"],
        width=architecture["Neck"]["hidden_size"],
        classes=architecture["Head"]["out_channels"],
    )


def sharper(architecture: Mapping[str, Any]) -> Any:
    return made(Sharper, architecture)


def two_outputs(architecture: Mapping[str, Any]) -> Any:
    return made(TwoOutputs, architecture)


def logits(architecture: Mapping[str, Any]) -> Any:
    return made(Logits, architecture)


def twice(architecture: Mapping[str, Any]) -> Any:
    return made(Twice, architecture)


def logarithms(architecture: Mapping[str, Any]) -> Any:
    return made(Logarithms, architecture)


def branching(architecture: Mapping[str, Any]) -> Any:
    return made(Branching, architecture)


def short(architecture: Mapping[str, Any]) -> Any:
    return made(Short, architecture)


def frozen(architecture: Mapping[str, Any]) -> Any:
    return made(Frozen, architecture)


def resizing(architecture: Mapping[str, Any]) -> Any:
    return made(Resizing, architecture)


def branched(architecture: Mapping[str, Any]) -> Any:
    return made(Branched, architecture)


def pair(architecture: Mapping[str, Any]) -> Any:
    return Pair(architecture["Models"])
