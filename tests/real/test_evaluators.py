"""The stored counts of PaddleOCR's evaluators are those of the checkout that OCRPARITY_PADDLEOCR_CHECKOUT names."""

from __future__ import annotations

import os
from pathlib import Path

import labelled_pages
import pytest

pytestmark = pytest.mark.skipif(
    "OCRPARITY_PADDLEOCR_CHECKOUT" not in os.environ, reason="OCRPARITY_PADDLEOCR_CHECKOUT names no full checkout"
)


def test_stored_counts_are_those_of_the_checkout() -> None:
    assert (
        labelled_pages.counted_by_paddleocr(Path(os.environ["OCRPARITY_PADDLEOCR_CHECKOUT"])) == labelled_pages.stored()
    )


def test_other_pages_have_other_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    one = labelled_pages.page(1)
    monkeypatch.setattr(labelled_pages, "page", lambda index: one)
    assert (
        labelled_pages.counted_by_paddleocr(Path(os.environ["OCRPARITY_PADDLEOCR_CHECKOUT"])) != labelled_pages.stored()
    )
