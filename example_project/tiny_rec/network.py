"""The network of `configs/tiny_rec.yml`: seven strided convolutions, a BiLSTM along the line, and the head of CTC.

CRNN (Shi et al., "An End-to-End Trainable Neural Network for Image-based Sequence Recognition", TPAMI 2017) reads a
line as a sequence of columns; CTC (Graves et al., ICML 2006) gives each column a character or the blank.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import paddle
from paddle import nn
from paddle.nn import functional


def build(architecture: Mapping[str, Any]) -> nn.Layer:
    """Return the network that the `Architecture` section of the yml describes, with random weights.

    `out_channels` under `Head` is the number of classes: PaddleOCR's tools count them in the dictionary.
    """
    return TinyRec(
        channels=architecture["Backbone"]["channels"],
        width=architecture["Neck"]["hidden_size"],
        classes=architecture["Head"]["out_channels"],
    )


def conv(inputs: int, outputs: int, stride: int | tuple[int, int] = 1) -> nn.Sequential:
    """Return a 3x3 convolution with batch normalisation and ReLU."""
    return nn.Sequential(
        nn.Conv2D(inputs, outputs, 3, stride=stride, padding=1, bias_attr=False), nn.BatchNorm2D(outputs), nn.ReLU()
    )


class TinyRec(nn.Layer):
    """(N, 3, 32, W) in, (N, W / 4, classes) out: probabilities, or logits while training, as PaddleOCR's CTCHead."""

    def __init__(self, channels: Sequence[int], width: int, classes: int) -> None:
        super().__init__()
        first, second, third, fourth = channels
        self.backbone = nn.Sequential(
            conv(3, first, stride=2),
            conv(first, first),
            conv(first, second, stride=2),
            conv(second, second),
            # Height halves on, width does not: a narrow letter such as I needs timesteps of its own.
            conv(second, third, stride=(2, 1)),
            conv(third, third),
            conv(third, fourth, stride=(2, 1)),
        )
        self.squeeze = nn.Sequential(
            nn.Conv2D(fourth, width, (2, 1), bias_attr=False), nn.BatchNorm2D(width), nn.ReLU()
        )
        self.context = nn.LSTM(width, width // 2, direction="bidirect")
        self.classify = nn.Linear(width, classes)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Return a row of classes for each timestep, which is four columns of the tensor."""
        columns = self.squeeze(self.backbone(x)).squeeze(2).transpose([0, 2, 1])
        logits = self.classify(self.context(columns)[0])
        return logits if self.training else functional.softmax(logits, axis=2)
