"""What a test holds as `ocr_golden`: the baseline of an image, recorded first where this run is to record it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytest_ocrparity.errors import OcrParityError
from pytest_ocrparity.explain import amount
from pytest_ocrparity.golden import GoldenStore
from pytest_ocrparity.pipelines import Image
from pytest_ocrparity.trace import Trace

__all__ = ["Baseline"]


class Baseline:
    """The baselines of a run as one test sees them."""

    def __init__(self, store: GoldenStore, reference: Callable[[], Any], note: Callable[..., None]) -> None:
        """Keep the store, a function that loads the reference model, and where to note what happened."""
        self.store, self._reference, self._note = store, reference, note

    def trace(self, image: Image) -> Trace:
        """Return the baseline of an image (a path, or an (H, W, 3) uint8 BGR array), as it lies on disk.

        Raises:
            ImageError: the image is missing or does not decode.
            GoldenMissing, GoldenStale, GoldenCorrupt, GoldenError: there is no baseline that can be used; the text
                names the command that makes one.
        """
        __tracebackhide__ = True
        try:
            records = self.store.needs_recording(image)
            if records:
                model = self._reference()
                trace = self.store.record(image, model.trace(image), getattr(model, "fingerprint", None))
            else:
                trace = self.store.load(image)
        except OcrParityError as error:  # its sentence says all; the way through our code does not help
            raise error.with_traceback(None) from None
        self._note(
            "golden",
            image=trace.label,
            path=str(self.store.path(image)),
            reference=self.store.reference,
            recorded=records,
            drift=_drift(self.store.drift.get(trace.image)) if records else "",
        )
        return trace


def _drift(drift: dict[str, Any] | None) -> str:
    """Write what re-recording changed, or nothing where there was no older baseline."""
    if drift is None:
        return ""
    before, after, difference = drift["boxes_before"], drift["boxes_after"], drift["map_difference"]
    boxes = f"{before} boxes before and after" if before == after else f"{before} boxes before, {after} after"
    return f"{boxes}, map {'of another shape' if difference is None else f'moved by up to {amount(difference)}'}"
