"""Taps what `PaddleOCR` does with its detector's boxes: cut lines out, turn them, read them, and leave some out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any, Final

import numpy as np

from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.paddlex.ocr_predictor import DETECTED, ListTap, OcrPredictor
from pytest_ocrparity.backends.paddlex.predictor import TextPredictor
from pytest_ocrparity.backends.paddlex.returned import (
    polygon_places,
    returned_detections,
    returned_recognition,
    with_returned_scores,
)
from pytest_ocrparity.backends.paddlex.taps import Call, Tap
from pytest_ocrparity.contract.page_readers import BATCH, CUT, LineOfPage
from pytest_ocrparity.errors import ModelError, StageError
from pytest_ocrparity.stages import PAGE
from pytest_ocrparity.trace import Detections, Recognition, trace_copy

READ: Final = "read"
"""The tap of the pipeline's recogniser."""


class PagePredictor(OcrPredictor):
    """A tapped `PaddleOCR` with both of its models.

    Attributes:
        reader: the recogniser inside of it, tapped as `TextRecognition` is.
    """

    def __init__(self, ocr: Any, predict_options: Mapping[str, Any]) -> None:
        """Tap a `PaddleOCR` in place.

        Raises:
            ModelError: see `OcrPredictor`; also of its recogniser, and of a pipeline that reads no lines, as of seals.
        """
        super().__init__(ocr, predict_options)
        if (kind := getattr(self.pipeline, "text_type", "general")) != "general":
            raise ModelError(f"page.options: a pipeline with text_type: {kind} reads no pages of lines")
        model = self.pipeline.text_rec_model
        self.recogniser: Any = model
        self.reader = TextPredictor(SimpleNamespace(paddlex_predictor=model, predict=self._read), {})
        self.pipeline._crop_by_polys = Tap(CUT, self.pipeline._crop_by_polys, self.taps)
        self.pipeline.text_rec_model = ListTap(READ, model, self.taps)

    def _read(self, lines: Any, batch_size: int = 1, **options: Any) -> list[Any]:
        """Read lines as `TextRecognition.predict` does; the pipeline keeps its own number of lines at once."""
        with self._lines_at_once(batch_size):
            return list(self.recogniser(lines, **options))

    @contextmanager
    def _lines_at_once(self, count: int) -> Any:
        sampler = self.recogniser.batch_sampler
        before = sampler.batch_size
        sampler.batch_size = count
        try:
            yield
        finally:
            sampler.batch_size = before

    def read_page(
        self, image: Any, replaced: Mapping[str, Callable[..., Any]], options: Mapping[str, Any], *, step: str = ""
    ) -> tuple[Any, Mapping[str, Call], Exception | None]:
        """Run the real `predict` on one page from end to end; return its result, the calls that it made, and its error.

        Args:
            image: a path or pixels, as `predict` takes them.
            replaced: by tap, what is called in its place.
            options: those of `predict`, on top of the configured ones.
            step: `BATCH` for one line at a time.
        """
        one_by_one: AbstractContextManager[Any] = self._lines_at_once(1) if step == BATCH else nullcontext()
        result, error = None, None
        with isolated(), one_by_one, self.taps.run(replaced=replaced) as calls:
            try:
                results = list(self._model.predict(image, **{**self._predict_options, **options}))
                if len(results) != 1:
                    raise StageError(PAGE, f"the file holds {len(results)} pages: give each as an image by itself")
                (result,) = results
            except Exception as raised:
                error = raised
        return result, calls, error

    def detected(self, calls: Mapping[str, Call]) -> Detections:
        """Return what the detector found in a run, in its own order."""
        return returned_detections(calls[DETECTED].result[0])

    def page_of(self, result: Any, calls: Mapping[str, Call]) -> tuple[Detections, list[Recognition | None]]:
        """Return the boxes of a result in reading order, and what it says of each: None where it left a text out."""
        boxes = list(result["dt_polys"])
        kept = polygon_places(boxes, result["rec_polys"])
        places = [place for place in kept if place is not None]
        order = list(range(len(boxes)))
        if places != sorted(places):  # its own code has put the texts into another order than the boxes
            order = [*places, *(place for place in order if place not in places)]
        said: dict[int | None, Recognition] = {}
        extra = []
        for place, polygon, text, score in zip(
            kept, result["rec_polys"], result["rec_texts"], result["rec_scores"], strict=True
        ):
            read = returned_recognition(text, score)
            if place is None:  # a box that is none of those that it says it found
                extra.append((polygon, read))
            else:
                said[place] = read
        polygons = [boxes[place] for place in order] + [polygon for polygon, _ in extra]
        found, _ = with_returned_scores(self.detected(calls), polygons)
        return found, [*(said.get(place) for place in order), *(read for _, read in extra)]

    def cut_lines(self, calls: Mapping[str, Call]) -> list[LineOfPage]:
        """Return what a run cut out that stopped later, in the pipeline's order."""
        cuts = [np.asarray(cut) for cut in calls[CUT].result] if CUT in calls else []
        return [LineOfPage(trace_copy(cut), trace_copy(cut), None) for cut in cuts if cut.size]

    def lines_of(self, result: Any, calls: Mapping[str, Call], found: Detections) -> list[LineOfPage]:
        """Return what became of the boxes of `page_of`."""
        if CUT not in calls:
            return []
        of, cuts = calls[CUT].args[1], calls[CUT].result
        angles = dict(enumerate(result.get("textline_orientation_angles") or ()))
        turned = polygon_places(result["dt_polys"], found.polygons)
        read = _Read(calls.get(READ))
        lines = []
        for place, own in zip(polygon_places(of, found.polygons), turned, strict=True):
            if place is None:
                return []
            cut = np.asarray(cuts[place])
            given = cut
            if own is not None and angles.get(own, -1) > 0:
                with isolated():
                    given = np.asarray(self.pipeline.rotate_image([cut], [angles[own]])[0])
            lines.append(LineOfPage(trace_copy(cut), trace_copy(given), read.of(given)))
        return lines


class _Read:
    """What the recogniser of a run was given, and returned."""

    def __init__(self, call: Call | None) -> None:
        given: Sequence[Any] = () if call is None else call.args[0]
        self._left = [] if call is None else list(zip(given, call.result, strict=False))

    def of(self, line: Any) -> Recognition | None:
        """Return what was read in a line; None where the recogniser was given none that looks like this."""
        for place, (given, result) in enumerate(self._left):
            if np.array_equal(given, line):
                del self._left[place]
                return returned_recognition(result["rec_text"], result["rec_score"])
        return None
