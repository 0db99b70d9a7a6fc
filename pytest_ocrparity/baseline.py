"""What a test holds as `ocr_golden`: the baseline of an image, recorded first where this run is to record it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pytest_ocrparity.compare import compare
from pytest_ocrparity.contract import Image
from pytest_ocrparity.errors import GoldenTaken, OcrParityError
from pytest_ocrparity.explain import amount
from pytest_ocrparity.golden.ownership import Reference
from pytest_ocrparity.golden.store import GoldenStore
from pytest_ocrparity.tolerance import BUILT_IN
from pytest_ocrparity.trace import Trace

__all__ = ["Baseline"]


class Baseline:
    """The baselines of a run as one test sees them."""

    def __init__(
        self, store: GoldenStore, reference: Callable[[], Any], note: Callable[..., None], fixture: str = ""
    ) -> None:
        """Keep the store, a function that loads the reference model, where to note what happened, and its fixture."""
        self.store, self._reference, self._note, self._fixture = store, reference, note, fixture

    def trace(self, image: Image) -> Trace:
        """Return the baseline of an image (a path, or an (H, W, 3) uint8 BGR array), as it lies on disk.

        Raises:
            ImageError: the image is missing or does not decode.
            GoldenMissing, GoldenStale, GoldenCorrupt, GoldenError: there is no baseline that can be used; the text
                names the command that makes one, or whose it is.
        """
        __tracebackhide__ = True
        try:
            path = str(self.store.path(image))
            self._note("asked", path=path)  # whatever comes of it
            records = self.store.needs_recording(image, self._fixture)
            trace = self._record(image) if records else self._load(image)
        except OcrParityError as error:  # its sentence says all; the way through our code does not help
            raise error.with_traceback(None) from None
        self._note(
            "golden",
            image=trace.label,
            path=path,
            reference=self.store.reference,
            recorded=records,
            drift=_drift(self.store.drift.get(trace.image)) if records else "",
        )
        return trace

    def _record(self, image: Image) -> Trace:
        model = self._reference()
        return self.store.record(image, model.trace(image), Reference.of(model, self._fixture))

    def _load(self, image: Image) -> Trace:
        """Return a baseline; one of another reference only where this one makes the same of the image.

        That is found out while recording: who only compares does without the reference model.
        """
        try:
            return self.store.load(image, self._fixture)
        except GoldenTaken:
            if self.store.mode is None or not self._makes_the_same(image):
                raise
        self.store.share(image, self._fixture)
        return self.store.load(image, self._fixture)

    def _makes_the_same(self, image: Image) -> bool:
        model, golden = self._reference(), self.store.open(image)
        is_same = Reference.of(model, self._fixture).is_of(golden.manifest)
        if is_same is not None:
            return is_same
        trace = model.trace(image)
        recorded = replace(golden.trace, image=trace.image)
        return all(each.is_match for each in compare(reference=recorded, candidate=trace, tolerance=BUILT_IN))


def _drift(drift: dict[str, Any] | None) -> str:
    """Write what re-recording changed, or nothing where there was no older baseline."""
    if drift is None:
        return ""
    before, after, difference = drift["boxes_before"], drift["boxes_after"], drift["map_difference"]
    boxes = f"{before} boxes before and after" if before == after else f"{before} boxes before, {after} after"
    return f"{boxes}, map {'of another shape' if difference is None else f'moved by up to {amount(difference)}'}"
