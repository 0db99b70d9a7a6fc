"""What the classes of the recogniser mean. Counted as PaddleOCR counts them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1]
"""The project, from which the paths of its ymls start."""


def dictionary(config: Mapping[str, Any]) -> list[str]:
    """Return the characters of the file that the yml names, one a line."""
    text: str = (FOLDER / config["Global"]["character_dict_path"]).read_text(encoding="utf-8")
    return text.removesuffix("\n").split("\n")


def classes(config: Mapping[str, Any]) -> list[str]:
    """Return the meaning of each class: the blank of CTC, the dictionary, and the space where the yml asks for it."""
    space = [" "] if config["Global"]["use_space_char"] else []
    return ["", *dictionary(config), *space]


def architecture(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the yml's `Architecture` with the number of classes, as PaddleOCR's tools complete it."""
    given: dict[str, Any] = config["Architecture"]
    return {**given, "Head": {**given["Head"], "out_channels": len(classes(config))}}
