"""A text recogniser in forty lines of numpy: the grey level of a cell is its letter. One place at a time can be broken.

It implements the whole contract of a `Recogniser` on a network that is really run, so that the core is tested fast and
without paddle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from pytest_ocrparity.artifacts.dictionary import dictionary_digest
from pytest_ocrparity.trace import Decoded, Image, Recognition, Trace

CELL = 8
"""Columns that a letter takes, and as many of background after it; a timestep sees as many."""
LEVELS: Mapping[str, int] = {"a": 10, "b": 60, "c": 175, "d": 215, " ": 250}
GREY = 128


def line(text: str, height: int = 16, shade: int = 0, cells: int = 1) -> npt.NDArray[np.uint8]:
    """Return a picture of a line; `shade` is added to its last letter's grey level, `cells` is a letter's width."""
    pitch = (cells + 1) * CELL
    image = np.full((height, pitch * max(1, len(text)), 3), GREY, np.uint8)
    for index, letter in enumerate(text):
        start = pitch * index
        image[:, start : start + cells * CELL] = LEVELS[letter] + (shade if index == len(text) - 1 else 0)
    image[..., 0] += 2  # blue differs from red, so that a swapped channel order shows
    return image


LINE = line("abba cd")
NOTHING = line("")
NEARLY = line("abb", shade=-25)
"""Its last letter lies nearly halfway between b and a: with a `shift` of -0.006 it is read as an a."""


@dataclass
class Reader:
    """One side. Each field is one thing that can be wrong."""

    name: str = "train"
    letters: str = "abcd "
    height: int = 16
    base_width: int = 64
    squeezes: bool = False
    img_mode: str = "BGR"
    gain: float = 40.0
    noise: float = 0.0
    shift: float = 0.0
    keeps_repeats: bool = False
    reverses: bool = False
    has_score: bool = True
    scale_score: float = 1.0
    states_digest: bool = False
    task: str = "recognition"
    runs: int = 0

    def preprocess(self, image: Image) -> Trace:
        """Decode, resize to the height, normalise, pad on the right with 0 to the base width."""
        name = "line.png" if isinstance(image, np.ndarray) else str(image)
        source: npt.NDArray[np.uint8] = image if isinstance(image, np.ndarray) else np.load(image)
        pixels = source[..., ::-1] if self.img_mode == "RGB" else source
        factor = max(1, self.height // source.shape[0])
        resized = pixels.repeat(factor, 0).repeat(factor, 1)
        if self.squeezes and resized.shape[1] > self.base_width:
            resized = resized[:, np.arange(self.base_width) * resized.shape[1] // self.base_width]
        content, width = resized.shape[1], max(self.base_width, resized.shape[1])
        tensor = np.zeros((1, 3, resized.shape[0], width), np.float32)
        normalised = (resized.astype(np.float32) / np.float32(255) - np.float32(0.5)) / np.float32(0.5)
        tensor[0, :, :, :content] = normalised.transpose(2, 0, 1)
        widths = {"height": resized.shape[0], "content_width": content, "width": width}
        parameters = {key: self.parameters[key] for key in ("decode", "resize", "tensor")}
        return Trace(
            pipeline=self.name,
            image=name,
            decode=Decoded.of(pixels, self.img_mode),
            resize=resized,
            tensor=tensor,
            parameters={**parameters, "resize": {**parameters["resize"], **widths}},
            source=self,
        )

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return (1, T, C) probabilities: the nearer a cell's grey is to a letter's, the more probable the letter."""
        self.runs += 1
        steps = tensor.shape[3] // CELL
        cells = tensor[..., : steps * CELL].mean((1, 2)).reshape(steps, CELL).mean(1) + self.shift
        levels = np.array([GREY, *(LEVELS[letter] for letter in LEVELS)]) / 127.5 - 1
        result = softmax(-self.gain * (cells[:, None] - levels[None]) ** 2, axis=1)
        if self.noise:
            noise = np.random.default_rng(1).uniform(-self.noise, self.noise, result.shape)
            result = result + noise - noise.mean(1, keepdims=True)  # a timestep's probabilities are 1 together
        return np.asarray(result[None], np.float32)

    def read_map(self, probability_map: npt.NDArray[np.float32]) -> Recognition:
        """Decode greedily: the best class of each timestep, repeats and the blank dropped."""
        best, scores = probability_map[0].argmax(1), probability_map[0].max(1)
        is_new = np.ones(len(best), bool)
        is_new[1:] = (best[1:] != best[:-1]) | self.keeps_repeats
        kept = is_new & (best > 0)
        text = "".join(self.letters[index - 1] for index in best[kept])
        score = float(scores[kept].mean() * self.scale_score) if kept.any() else 0.0
        return Recognition(text[::-1] if self.reverses else text, score if self.has_score else None)

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        """Say what ran."""
        digest = {"dictionary": dictionary_digest(self.letters)} if self.states_digest else {}
        rule = "squeezed" if self.squeezes else "as wide as the line"
        return {
            "decode": {"img_mode": self.img_mode},
            "resize": {"width_rule": rule, "base_width": self.base_width},
            "tensor": {"mean": [0.5] * 3, "std": [0.5] * 3},
            "probability_map": {"engine": "numpy"},
            "text": {"characters": len(self.letters), **digest},
        }

    def trace(self, image: Image) -> Trace:
        """Run all stages."""
        trace = self.preprocess(image)
        assert trace.tensor is not None
        probability_map = self.infer(trace.tensor)
        parameters = {**self.parameters, "resize": trace.parameters["resize"]}
        return replace(
            trace,
            probability_map=probability_map,
            recognition=self.read_map(probability_map),
            parameters=parameters,
        )


class Lister(Reader):
    """A reader that says what its classes stand for."""

    @property
    def characters(self) -> str:
        return self.letters
