"""RapidOCR's detector on a user's ONNX file as a side. Nothing of the processing is done here."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.backends.effective_parameters import effective_rapidocr_parameters
from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.memory_guard import Watched
from pytest_ocrparity.backends.rapidocr.engine import DETECTOR, Run
from pytest_ocrparity.backends.rapidocr.rapid_side import RapidSide
from pytest_ocrparity.backends.replacing import Stopped, replaced
from pytest_ocrparity.backends.staged import StagedPipeline
from pytest_ocrparity.errors import StageError
from pytest_ocrparity.stages import DECODE, DETECTIONS, PROBABILITY_MAP, RESIZE, TENSOR
from pytest_ocrparity.trace import Detections, Image, Shape, Trace, trace_copy

if TYPE_CHECKING:
    from typing_extensions import Self

MOST_PAGES: Final = 8
"""Of how many pages the size before RapidOCR's own changes is kept, by the shape row after them."""


class RapidDetector(RapidSide, StagedPipeline):
    """RapidOCR with its detector on a user's file; what it does to a page before and to boxes after is its own.

    It hands on no scores: in its result they are in another order than the boxes.
    """

    part = DETECTOR

    def __init__(self, model_file: Path, options: Mapping[str, Any] | None = None, **given: Any) -> None:
        """Load RapidOCR on an `.onnx` file, see `RapidSide`."""
        super().__init__(model_file, options, **given)
        self._pages: OrderedDict[Shape, tuple[int, int]] = OrderedDict()

    def varied(self, changes: Mapping[str, Mapping[str, Any]]) -> Self:
        """Return this side with other params, see `RapidSide.varied`."""
        other = super().varied(changes)
        other._pages = OrderedDict()
        return other

    def _recorded(self) -> AbstractContextManager[Run]:
        return recorded_page(self._engine)

    def _with_resized(self, trace: Trace, run: Run, watched: Watched) -> Trace:
        if run.resized is None:
            return trace
        (height, width), (h, w) = run.page.shape[:2], run.resized.shape[:2]
        shape = float(height), float(width), h / height, w / width
        self._pages[shape] = run.decoded.shape[:2]
        while len(self._pages) > MOST_PAGES:
            self._pages.popitem(last=False)
        parameters = self._preprocessing_parameters(run)
        return replace(trace, resize=trace_copy(run.resized), shape=shape, parameters=parameters)

    def trace_batch(self, images: Sequence[Image]) -> list[Trace]:
        """Refuse to run pages at once, as RapidOCR takes one after the other.

        Raises:
            StageError: always.
        """
        text = f"RapidOCR hands its detector one page after the other, not {len(images)} at once: set no batch"
        raise StageError(PROBABILITY_MAP, text)

    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        """Return the boxes that RapidOCR makes of a (1, C, h, w) map, in px of the page.

        Its code runs to its end, on a blank page. Of a shape row that is no page's before its detector, such as the
        other side's, the detector's part of it.
        """
        output, tensor = np.array(probability_map, np.float32), np.zeros((1, 3, 32, 32), np.float32)
        size = self._pages.get(shape)
        page = np.zeros((*(size or (int(shape[0]), int(shape[1]))), 3), np.uint8)
        run = self._engine.text_det if size is None else self._engine
        with isolated(), recorded_page(self._engine, session=lambda _: output, tensor=tensor):
            found = run(page).boxes
        return Detections(tuple(np.asarray(box, np.float64) for box in (() if found is None else found)), None)

    @property
    def _product_parameters(self) -> Mapping[str, Any]:
        return effective_rapidocr_parameters(self._model)[DETECTIONS]

    def _preprocessing_parameters(self, run: Run | None = None) -> dict[str, dict[str, Any]]:
        found = effective_rapidocr_parameters(self._model)
        padding = None if run is None else run.steps.get("padding_1", {}).get("top")
        if padding:
            found[RESIZE]["vertical_padding"] = int(padding)
        found[RESIZE] |= self._scaled_before(run)
        return {stage: found[stage] for stage in (DECODE, RESIZE, TENSOR)}


@contextmanager
def recorded_page(engine: Any, *, session: Callable[[Any], Any] | None = None, tensor: Any = None) -> Iterator[Run]:
    """Run the block with what records a run, which ends before the network.

    Args:
        engine: a `RapidOCR`.
        session: runs in the place of the network, to the end of the run.
        tensor: what is handed to it in the place of the preprocessed page.
    """
    run, detector = Run(), engine.text_det
    load, prepare, made = engine.load_img, engine.detect_and_crop, detector.get_preprocess

    def loading(image: Any) -> Any:
        run.decoded = load(image)
        return run.decoded

    def detecting(page: Any, steps: Any) -> Any:
        run.steps = steps  # it writes into it
        return prepare(page, steps)

    def preprocessing() -> Callable[[Any], Any]:
        operator = made()
        resize = operator.resize

        def resizing(page: Any) -> Any:
            run.page, run.resized = page, resize(page)
            return run.resized

        operator.resize = resizing
        return operator if tensor is None else lambda _: tensor

    def stopping(given: Any) -> Any:
        run.tensor = given
        raise Stopped

    network = stopping if session is None else session
    with (
        replaced(engine, load_img=loading, detect_and_crop=detecting),
        replaced(detector, get_preprocess=preprocessing, session=network),
    ):
        yield run
