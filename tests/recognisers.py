"""What tests of a recogniser's diagnosis have in common: ports with one thing wrong in the decoder or the resize."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from toy_reader import LINE, Reader

from pytest_ocrparity import Recognition, Trace
from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.diagnose import diagnose
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.errors import StageError
from pytest_ocrparity.tolerance import BUILT_IN
from pytest_ocrparity.trace import Image

Array = npt.NDArray[Any]


@dataclass
class Port(Reader):
    """A reader whose decoder was written anew. Each field is one thing that it may do otherwise."""

    name: str = "inference"
    blank: int | None = 0
    drops_blanks_first: bool = False
    score: Callable[[Array, Array], float] | None = None
    """Makes the score of the largest probabilities and the timesteps that are kept."""
    after: Callable[[str], str] = str
    """What becomes of a text before `read_map` returns it."""
    returned: Callable[[str], str] = str
    """What becomes of a text after that."""

    def read_map(self, probability_map: Array) -> Recognition:
        """Decode as its fields say."""
        best, scores = probability_map[0].argmax(1), probability_map[0].max(1)
        steps = [step for step, each in enumerate(best) if each != self.blank]
        if self.drops_blanks_first:
            kept = [s for index, s in enumerate(steps) if not index or best[s] != best[steps[index - 1]]]
        else:
            kept = [s for s in steps if self.keeps_repeats or not s or best[s] != best[s - 1]]
        shift = 1 if self.blank == 0 else 0
        text = "".join(self.letters[best[step] - shift] for step in kept)
        text = text[::-1] if self.reverses else text
        formula = self.score or (lambda values, places: float(values[places].mean()))
        return Recognition(self.after(text), formula(scores, np.array(kept, int)) * self.scale_score if kept else 0.0)

    def trace(self, image: Image) -> Trace:
        """Run all stages; one that raises ends the trace there."""
        trace = self.preprocess(image)
        assert trace.tensor is not None
        parameters = {**self.parameters, "resize": trace.parameters["resize"]}
        trace = replace(trace, probability_map=self.infer(trace.tensor), parameters=parameters)
        assert trace.probability_map is not None
        try:
            found = self.read_map(trace.probability_map)
        except Exception as error:
            return replace(trace, error=StageError("text", f"{type(error).__name__}: {error}"))
        return replace(trace, recognition=Recognition(self.returned(found.text), found.score))


@dataclass
class Listed(Port):
    """Says what its classes stand for."""

    @property
    def characters(self) -> tuple[str, ...]:
        """Its letters."""
        return tuple(self.letters)


@dataclass
class Resizes(Port):
    """Resizes as PaddleOCR's operators do, by a rule of its own, and can be asked for other sizes."""

    rule: str = "as wide as the line"
    rounding: Callable[[float], int] = math.ceil
    multiple: int = 1
    most: int | None = None
    fill: Any = 0.0
    change: Callable[[Array], Array] = np.asarray
    """What becomes of the normalised picture."""
    picked: Callable[[Array], Array] = np.asarray
    """What becomes of the resized pixels."""
    says_size: bool = True

    def preprocess(self, image: Image) -> Trace:
        """Resize by the nearest pixel, normalise, fill up on the right."""
        source = np.asarray(image if isinstance(image, np.ndarray) else np.load(image))
        return self._made(source, image, *self.size(source.shape))

    def size(self, shape: Any) -> tuple[int, int]:
        """Return the columns of the picture and of the tensor."""
        own = self.height * (shape[1] / shape[0])
        if self.rule == "squeezed":
            return min(self.base_width, self.rounding(own)), self.base_width
        if self.rule == "stretched":
            return self.base_width, self.base_width
        width = (
            max(self.base_width, int(own)) if self.rounding is math.ceil else max(self.base_width, self.rounding(own))
        )
        if self.most is not None and width > self.most:
            return self.most, self.most
        return min(width, self.rounding(own)), -(-width // self.multiple) * self.multiple

    def _made(self, source: Array, image: Image, content: int, width: int) -> Trace:
        rows = np.arange(self.height) * source.shape[0] // self.height
        columns = np.arange(content) * source.shape[1] // content
        pixels = source[..., ::-1] if self.img_mode == "RGB" else source
        picture = self.picked(np.ascontiguousarray(pixels[rows][:, columns]))
        values = (picture.astype(np.float32) / np.float32(255) - np.float32(0.5)) / np.float32(0.5)
        tensor = np.zeros((1, 3, self.height, width), np.float32)
        normalised = self.change(values.transpose(2, 0, 1)[None]).astype(np.float32)
        tensor[..., content:] = normalised[..., -1:] if isinstance(self.fill, str) else self.fill
        tensor[..., :content] = normalised
        plain = super().preprocess(source)
        sizes = {"height": self.height, "content_width": content, "width": width} if self.says_size else {}
        parameters = {**plain.parameters, "resize": sizes}
        name = "line.png" if isinstance(image, np.ndarray) else str(image)
        return replace(plain, image=name, resize=picture, tensor=tensor, parameters=parameters)

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        """Say what ran, but for the rule of the resize."""
        return {**super().parameters, "resize": {}, "tensor": {}}

    def line_as_wide(self, image: Image, shape: tuple[int, int]) -> Trace:
        """Return what it would make of a line without squeezing it."""
        return replace(self, rule="as wide as the line", height=shape[0], base_width=shape[1]).preprocess(image)

    def line_stretched(self, image: Image, size: tuple[int, int]) -> Trace:
        """Return what it would make of a line at one size."""
        return replace(self, rule="stretched", height=size[0], base_width=size[1]).preprocess(image)


def lab_of(reference: Reader, candidate: Reader, image: Any = LINE) -> Laboratory:
    return Laboratory(Comparisons(traced(reference, image), traced(candidate, image), BUILT_IN), 60)


def traced(side: Reader, image: Any = LINE) -> Trace:
    """Return a trace that knows which image it is of, as those of real sides do."""
    import hashlib

    from pytest_ocrparity.files import image_file_bytes

    return replace(side.trace(image), image_sha256=hashlib.sha256(image_file_bytes(image)[1]).hexdigest())


def causes(reference: Reader, candidate: Reader, image: Any = LINE) -> list[Diagnosis]:
    return list(diagnose(reference=traced(reference, image), candidate=traced(candidate, image), tolerance=BUILT_IN))


def named(found: list[Diagnosis]) -> list[tuple[str, str]]:
    return [(each.stage, each.cause) for each in found]
