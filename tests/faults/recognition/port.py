"""A recogniser as a user's server has one: an own preprocessing and an own CTC decoder around the export's engine.

Nothing of PaddleOCR runs in it but the network. Each hook is one thing that a port can do otherwise; a case changes
one, or two. As it stands it reads every line as both sides do, bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pytest_ocrparity import Decoded, Recognition, Trace
from pytest_ocrparity.trace import Image

Array: TypeAlias = "npt.NDArray[Any]"
Infer: TypeAlias = "Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]"
HEIGHT, WIDTH = 32, 160
"""The example's image_shape."""
LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-./: "
"""The characters of its classes, from class 1 on."""


def load_bgr(image: Image, flags: int | None = None) -> Array:
    """Decode a line as cv2 does by itself; an array is taken as it is."""
    import cv2

    if isinstance(image, np.ndarray):
        return image
    data = np.frombuffer(Path(image).read_bytes(), np.uint8)
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR if flags is None else flags))


def as_wide(height: int, width: int) -> tuple[int, int]:
    """Return the columns of a line's picture and of its tensor: the line keeps its ratio, up to 3200 px."""
    total = min(int(HEIGHT * max(width / height, WIDTH / HEIGHT)), 3200)
    return min(math.ceil(HEIGHT * width / height), total), total


def bilinear(pixels: Array, height: int, width: int) -> Array:
    """Resize a picture as both sides do."""
    import cv2

    return np.asarray(cv2.resize(pixels, (width, height)))


def halves(pixels: Array) -> Array:
    """Normalise pixels to -1 to 1."""
    return (pixels.astype(np.float32) / np.float32(255) - np.float32(0.5)) / np.float32(0.5)


def zeros(values: Array, total: int) -> Array:
    """Fill a normalised picture (h, w, 3) up on the right."""
    return np.pad(values, ((0, 0), (0, total - values.shape[1]), (0, 0)))


def same(value: Any) -> Any:
    """Leave everything as it is."""
    return value


def plainly(infer: Infer, tensor: Array) -> Array:
    """Run the network on a tensor."""
    return infer(np.ascontiguousarray(tensor, np.float32))


@dataclass(frozen=True, kw_only=True)
class CTC:
    """A greedy CTC decoder.

    Attributes:
        letters: the characters, without the blank.
        blank: the class of the blank; -1 is the last one, None is none.
        repeats: "dropped"; or "kept"; "first kept": as if an index of 0 were nothing before it; "dropped late", after
            the blanks, so that doubled letters are lost.
        score: "first" of each run, as PaddleOCR; "product" of them; "least"; "best" of each run; "all" timesteps.
        least: characters are dropped whose probability is below.
    """

    letters: Sequence[str] = LETTERS
    blank: int | None = 0
    repeats: str = "dropped"
    score: str = "first"
    least: float = 0.0

    def __call__(self, values: Array) -> tuple[str, float]:
        """Return the text of a (T, C) map, and its score."""
        best, scores = values.argmax(1), values.max(1)
        blank = values.shape[1] if self.blank is None else self.blank % values.shape[1]
        is_new = np.ones(len(best), bool)
        is_new[1:] = best[1:] != best[:-1]
        kept = {
            "dropped": (best != blank) & is_new,
            "kept": best != blank,
            "first kept": (best != blank) & (is_new | (np.arange(len(best)) == _second(best, blank))),
            "dropped late": (best != blank) & is_new,
        }[self.repeats]
        steps = [step for step in np.flatnonzero(kept) if scores[step] >= self.least]
        if self.repeats == "dropped late":
            steps = [step for index, step in enumerate(steps) if not index or best[step] != best[steps[index - 1]]]
        text = "".join(self.letter(int(best[step]), blank) for step in steps)
        return text, self.score_of(best, scores, steps)

    def letter(self, index: int, blank: int) -> str:
        place = index - (index > blank)
        return self.letters[place] if place < len(self.letters) else ""

    def score_of(self, best: Array, scores: Array, steps: Sequence[int]) -> float:
        if self.score == "all":
            return float(scores.mean())
        if not len(steps):
            return 0.0
        firsts = scores[list(steps)]
        if self.score == "best":
            ends = [next((t for t in range(step, len(best)) if best[t] != best[step]), len(best)) for step in steps]
            firsts = np.array([scores[step:end].max() for step, end in zip(steps, ends, strict=True)])
        known = {"product": firsts.prod(), "least": firsts.min()}
        return float(known.get(self.score, firsts.mean()))


def _second(best: Array, blank: int) -> int:
    """Return the second timestep of the last run of a character, or -1."""
    runs = [step for step in range(1, len(best)) if best[step] == best[step - 1] != blank]
    return runs[-1] if runs else -1


@dataclass(kw_only=True, eq=False)
class LinePort:
    """One port. It implements `contract.Recogniser` and `ReadsMaps`, as far as most users do: no `varied`.

    Attributes:
        engine: the deployed side, of which the network alone is run.
        load: the line as `decode` records it, in BGR unless `order` says otherwise.
        prepare: what happens to it before it is resized.
        height: of the network's input.
        size: the columns of the picture and of the tensor, for a line's height and width.
        shrink: resizes the picture.
        after_resize: what happens to the resized picture, which `resize` records.
        normalise, pad: make the tensor's values.
        finish: what happens to the (1, 3, h, w) tensor, which `tensor` records.
        run: runs the network.
        after: what happens to its map.
        decode: makes a text and a score of it.
        spell: what happens to the text.
        rate: what happens to the score.
        recorded: the stages that its traces hold.
        has_source: whether parts of it can be run again.
    """

    engine: Any
    load: Callable[[Image], Array] = load_bgr
    order: str = "BGR"
    prepare: Callable[[Array], Array] = same
    height: int = HEIGHT
    size: Callable[[int, int], tuple[int, int]] = as_wide
    shrink: Callable[[Array, int, int], Array] = bilinear
    after_resize: Callable[[Array], Array] = same
    normalise: Callable[[Array], Array] = halves
    pad: Callable[[Array, int], Array] = zeros
    finish: Callable[[Array], Array] = same
    run: Callable[[Infer, Array], Array] = plainly
    after: Callable[[Array], Array] = same
    decode: Callable[[Array], tuple[str, float]] = field(default_factory=CTC)
    spell: Callable[[str], str] = same
    rate: Callable[[float], float] = same
    recorded: tuple[str, ...] = ("decode", "resize", "tensor", "probability_map")
    has_source: bool = True
    name: str = "port"
    task: str = "recognition"

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        """Say nothing that a user's server would not say."""
        return {"resize": {"height": self.height}}

    def preprocess(self, image: Image) -> Trace:
        """Run what leads to the tensor."""
        pixels = self.load(image)
        prepared = self.prepare(pixels)
        content, total = self.size(*prepared.shape[:2])
        picture = self.after_resize(self.shrink(prepared, self.height, content))
        values = self.pad(self.normalise(picture), total)
        tensor = self.finish(np.asarray(values, np.float32).transpose(2, 0, 1)[None])
        widths = {"height": self.height, "content_width": picture.shape[1], "width": values.shape[1]}
        return Trace(
            pipeline=self.name,
            image=str(image) if not isinstance(image, np.ndarray) else "array",
            decode=Decoded.of(pixels, self.order) if "decode" in self.recorded else None,
            resize=picture if "resize" in self.recorded else None,
            tensor=np.asarray(tensor, np.float32),
            parameters={"resize": widths},
            source=self if self.has_source else None,
        )

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Run the network."""
        return np.asarray(self.after(self.run(self.engine.infer, tensor)), np.float32)

    def read_map(self, probability_map: npt.NDArray[np.float32]) -> Recognition:
        """Return the text of a map."""
        text, score = self.decode(probability_map[0])
        return Recognition(self.spell(text), self.rate(score))

    def trace(self, image: Image) -> Trace:
        """Run all stages."""
        trace = self.preprocess(image)
        assert trace.tensor is not None
        values = self.infer(trace.tensor)
        return replace(
            trace,
            tensor=trace.tensor if "tensor" in self.recorded else None,
            parameters=trace.parameters if "tensor" in self.recorded else {},
            probability_map=values if "probability_map" in self.recorded else None,
            recognition=self.read_map(values),
        )
