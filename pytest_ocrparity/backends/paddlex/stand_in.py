"""A recogniser in the place of the deployment's own: the smallest export that paddlex loads, made on the spot.

`PaddleOCR` has no text detection without a recogniser, and downloads one. What a recogniser reads moves no box.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

from pytest_ocrparity.artifacts.families import RECOGNISERS

MODEL_NAME: Final = RECOGNISERS.model_name
"""A name under which paddlex loads a recogniser; it looks at nothing else of the model."""

_LETTERS: Final = ("a", "b")


def write_stand_in(folder: Path) -> None:
    """Write an export that makes (N, width, classes) of (N, 3, height, width) crops: their mean colour by columns."""
    import paddle

    class Columns(paddle.nn.Layer):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.classes = paddle.nn.Linear(3, len(_LETTERS) + 2)  # a blank, the letters and a space

        def forward(self, crops: Any) -> Any:
            return paddle.nn.functional.softmax(self.classes(crops.mean(axis=2).transpose([0, 2, 1])), axis=2)

    network = Columns()
    network.eval()
    spec = [paddle.static.InputSpec([None, 3, -1, -1], "float32")]
    paddle.jit.save(paddle.jit.to_static(network, input_spec=spec), str(folder / "inference"))
    config = {
        "Global": {"model_name": MODEL_NAME},
        "PreProcess": {
            "transform_ops": [
                {"DecodeImage": {"img_mode": "BGR", "channel_first": False}},
                {"RecResizeImg": {"image_shape": [3, 48, 320]}},
            ]
        },
        "PostProcess": {"name": "CTCLabelDecode", "character_dict": list(_LETTERS)},
    }
    (folder / "inference.yml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
