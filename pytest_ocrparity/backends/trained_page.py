"""The trained page: the trained detector and recogniser, with what the deployment does between them.

PaddleOCR's training side has no page. So lines are cut out and set in order by paddlex's own operators, and are as wide
as a deployment makes them; nothing of it is done here.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.backends.paddlex.page_rules import paddlex_cuts, paddlex_order
from pytest_ocrparity.backends.ppocr.pipeline import TrainingPipeline
from pytest_ocrparity.backends.ppocr.trained_recogniser import TrainedRecogniser
from pytest_ocrparity.backends.staged import MOST_TRACES
from pytest_ocrparity.contract.page_readers import LineOfPage
from pytest_ocrparity.errors import StageError
from pytest_ocrparity.files import image_file_bytes
from pytest_ocrparity.stages import CROP, DETECTIONS, PAGE
from pytest_ocrparity.trace import Detections, Image, Recognition, Trace, trace_copy


class TrainedPage:
    """A trained detector and a trained recogniser, which reads lines as wide as they are.

    Attributes:
        detector: finds the boxes.
        recogniser: reads a line.
    """

    def __init__(self, detector: TrainingPipeline, recogniser: TrainedRecogniser, *, name: str = "train") -> None:
        """Take both models; `name` is how messages call them together."""
        self.name = name
        self.detector, self.recogniser = detector, recogniser.as_deployed()
        self._pages: OrderedDict[str, tuple[Trace, Sequence[LineOfPage]]] = OrderedDict()

    @property
    def fingerprint(self) -> Mapping[str, str]:
        """The digests of both models' files."""
        sides = {"detection": self.detector, "recognition": self.recogniser}
        return {f"{name} {file}": each for name, side in sides.items() for file, each in side.fingerprint.items()}

    @property
    def identity(self) -> Mapping[str, Any]:
        """Identifies this side; two live sides of the same identity are one, see `contract.HasIdentity`."""
        return {
            **self.detector.identity,
            "code": f"{type(self).__module__}.{type(self).__qualname__}",
            "files": self.fingerprint,
        }

    def trace(self, image: Image) -> Trace:
        """Run the detector on a page and the recogniser on each line; return the boxes in reading order, and the texts.

        Raises:
            ImageError: the image is missing or does not decode.
        """
        name, data = image_file_bytes(image)
        key = f"{hashlib.sha256(data).hexdigest()} {name}"
        if key not in self._pages:
            made, lines = self._read(replace(self.detector.trace(image), source=self))
            if made.error is not None:
                return made
            while len(self._pages) >= MOST_TRACES:
                self._pages.popitem(last=False)
            self._pages[key] = made, lines
        self._pages.move_to_end(key)
        return self._pages[key][0]

    def lines(self, trace: Trace) -> Sequence[LineOfPage]:
        """Return what became of each box of a trace, in their order.

        Raises:
            StageError: it is none of the last few of this side.
        """
        found = self._pages.get(f"{trace.image_sha256} {trace.image}")
        if found is None:
            raise StageError(PAGE, f"{self.name} has run other images since it ran {trace.label}")
        return found[1]

    def _read(self, trace: Trace) -> tuple[Trace, Sequence[LineOfPage]]:
        """Return the trace of a page with what is read in it; boxes of which nothing is left are no lines."""
        if trace.error is not None or trace.detections is None:
            return trace, ()
        found = trace.detections
        try:
            order = paddlex_order(found.polygons)
            cuts = paddlex_cuts(_bgr_pixels(trace), [found.polygons[place] for place in order])
        except Exception as error:
            return replace(trace, detections=None, error=StageError(CROP, self.detector.describe_error(error))), ()
        left = [(place, cut) for place, cut in zip(order, cuts, strict=True) if cut.size]
        lines, texts = [], list[Recognition]()
        for _, cut in left:
            line = self.recogniser.trace(np.ascontiguousarray(cut))
            if line.recognition is None:
                stopped = line.error or StageError(PAGE, f"{self.recogniser.name} read nothing, and raised nothing")
                return replace(trace, detections=None, error=stopped), ()
            lines.append(LineOfPage(trace_copy(cut), trace_copy(cut), line.recognition))
            texts.append(line.recognition)
        places = np.array([place for place, _ in left], dtype=int)
        scores = None if found.scores is None else found.scores[places]
        boxes = Detections(tuple(found.polygons[place] for place in places), scores)
        made = replace(trace, detections=boxes, texts=tuple(texts))
        made.memo[DETECTIONS] = found
        return made, lines


def _bgr_pixels(trace: Trace) -> npt.NDArray[np.uint8]:
    """Return the decoded page as paddleocr's pipeline has it, from which lines are cut."""
    assert trace.decode is not None and trace.decode.pixels is not None, "its detector is live"
    pixels = trace.decode.in_order("BGR").pixels
    assert pixels is not None
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
