"""What a text recogniser may offer, see `contract`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from pytest_ocrparity.trace import Image, Recognition, Trace

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class ReadsMaps(Protocol):
    """A recogniser that can decode any map into a text, such as the other side's."""

    def read_map(self, probability_map: npt.NDArray[np.float32]) -> Recognition:
        """Return the text of a (1, T, C) map, as this side decodes its own."""
        ...


class HasCharacters(Protocol):
    """A recogniser that says what its classes stand for."""

    @property
    def characters(self) -> Sequence[str]:
        """The characters of the network's classes from class 1 on; class 0 is the blank."""
        ...


class NamesDictionary(Protocol):
    """A recogniser that knows where a user puts its dictionary."""

    @property
    def dictionary_place(self) -> str:
        """What holds it, as fixes call it, such as an option with its value."""
        ...


class ReordersTexts(Protocol):
    """A recogniser whose code can put the characters of a text into another order, whether it does so here or not."""

    def text_orders(self) -> Mapping[str, Callable[[str], str]]:
        """Return what does so, by name."""
        ...


class ResizesLines(Protocol):
    """A reference that can resize a line by other rules and to other sizes, by its own code."""

    def line_as_wide(self, image: Image, shape: tuple[int, int]) -> Trace:
        """Run the stages up to the tensor on a line that keeps its ratio, filled up to (height, width) in pixels."""
        ...

    def line_stretched(self, image: Image, size: tuple[int, int]) -> Trace:
        """Run the stages up to the tensor on a line that is stretched to (height, width) in pixels, not filled up."""
        ...


class Recogniser(ReadsMaps, Protocol):
    """A text recogniser with its pre- and post-processing: what `Pipeline` is for a detector.

    Only `trace` and `task` are needed to compare. In the stage "resize" its parameters name `height`, `content_width`
    (the columns that hold the picture) and `width` (those of the tensor), in pixels of the network's input.
    """

    name: str
    task: str
    """"recognition"."""

    def trace(self, image: Image) -> Trace:
        """Run all stages; a stage that raises ends the trace there, with `Trace.error` set."""
        ...

    def preprocess(self, image: Image) -> Trace:
        """Run the stages up to the tensor: decode, resize, tensor and their parameters."""
        ...

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the (1, T, C) probabilities that are decoded, for a (1, 3, h, w) tensor."""
        ...

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        """The parameters that take effect whatever the image."""
        ...
