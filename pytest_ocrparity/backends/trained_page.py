"""The trained page: the trained detector and recogniser, with what the deployment does between them.

PaddleOCR's training side has no page. So lines are cut out and set in order by paddlex's own operators, and are as wide
as a deployment makes them; nothing of it is done here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.backends.paddlex.page_rules import paddlex_cuts, paddlex_order
from pytest_ocrparity.backends.page_side import PageSide, ReadPage
from pytest_ocrparity.backends.ppocr.pipeline import TrainingPipeline
from pytest_ocrparity.backends.ppocr.trained_recogniser import TrainedRecogniser
from pytest_ocrparity.contract.page_readers import LineOfPage
from pytest_ocrparity.errors import StageError
from pytest_ocrparity.stages import CROP, DETECTIONS, PAGE
from pytest_ocrparity.trace import Detections, Image, Recognition, Trace, trace_copy


class TrainedPage(PageSide):
    """A trained detector and a trained recogniser, which reads lines as wide as they are.

    Attributes:
        detector: finds the boxes.
        recogniser: reads a line.
    """

    def __init__(self, detector: TrainingPipeline, recogniser: TrainedRecogniser, *, name: str = "train") -> None:
        """Take both models; `name` is how messages call them together."""
        super().__init__(name, detector, recogniser.as_deployed())

    def _read(self, image: Image, name: str, digest: str) -> ReadPage:
        """Run the detector on a page and the recogniser on each line."""
        return ReadPage(image, *self._with_texts(replace(self.detector.trace(image), source=self)))

    def _with_texts(self, trace: Trace) -> tuple[Trace, Sequence[LineOfPage]]:
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
