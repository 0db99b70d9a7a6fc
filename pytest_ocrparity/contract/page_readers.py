"""What a side may offer that reads whole pages, see `contract`: a detector, and a recogniser of what it cuts out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from pytest_ocrparity.trace import Image, Recognition, Trace

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from pytest_ocrparity.diagnosis import Fix

CUT: Final = "cut"
TURN: Final = "turn"
BATCH: Final = "batch"
SCORES: Final = "scores"
ORDER: Final = "order"
"""The steps of a page that belong to no model: what is cut out for a box; whether it is turned; with which others it is
read; which scores suffice; and the order of the boxes."""


@dataclass(frozen=True, eq=False)
class LineOfPage:
    """What became of one box of a page.

    Attributes:
        cut: (h, w, 3) uint8 in BGR order, what was cut out for it.
        given: what the recogniser was given: the same, or turned.
        read: what the recogniser returned, whether it was left out later; None where that is not known.
    """

    cut: npt.NDArray[np.uint8]
    given: npt.NDArray[np.uint8]
    read: Recognition | None


class HasModels(Protocol):
    """Reads pages with two models that can be run alone."""

    @property
    def detector(self) -> Any:
        """The `Pipeline` that finds the boxes, in the frame of `Trace.detections`."""
        ...

    @property
    def recogniser(self) -> Any:
        """The `Recogniser` that reads one picture of a line."""
        ...


class ShowsLines(Protocol):
    """Reads pages, and kept what it cut out of the last ones."""

    def lines(self, trace: Trace) -> Sequence[LineOfPage]:
        """Return what became of each box of a trace of its own, in their order."""
        ...


class ChangesSteps(Protocol):
    """A candidate whose pages can be run again with one step as PaddleOCR has it by itself."""

    def with_step(self, trace: Trace, step: str) -> Trace:
        """Run the image of a trace of its own again, with a step changed.

        Args:
            trace: the page.
            step: `CUT`, and `ORDER`: as paddlex does it. `TURN`: not at all. `BATCH`: line by line. `SCORES`: no text
                is left out.
        """
        ...

    def step_fix(self, step: str) -> Fix:
        """Return how a user has a step that way."""
        ...

    @property
    def steps(self) -> Mapping[str, Any]:
        """By name, the parameters of these steps that take effect."""
        ...


class PageReader(Protocol):
    """Reads pages: what `Pipeline` is for a detector. Only this is needed to compare."""

    name: str

    def trace(self, image: Image) -> Trace:
        """Return a trace with `detections` in reading order and `texts`; what stops it is `Trace.error`."""
        ...
