"""Somebody who listens to assertions, as the plugin does."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from pytest_ocrparity import Comparison, DifferenceError, Tolerance, Trace
from pytest_ocrparity.context import current_context, running
from pytest_ocrparity.diagnose.cache import DiagnosisCache

LISTENING = ExitStack()


class Heard:
    """Somebody who listens, as the plugin does."""

    def __init__(self) -> None:
        self.judged: list[Comparison] = []
        self.failures: list[str] = []
        self.errors: list[DifferenceError] = []
        self.diagnoser = DiagnosisCache(60)

    def on_comparison(self, judged: Comparison, reference: Trace, candidate: Trace, tolerance: Tolerance) -> None:
        self.judged.append(judged)

    def on_accuracy(self, judged: Any, images: Any, sides: Any, left_out: Any) -> None:
        pass

    def on_failure(self, judged: Comparison, comparisons: Any, diagnoses: Any, message: str, sides: Any) -> None:
        self.failures.append(message)

    def on_error(self, error: DifferenceError) -> None:
        self.errors.append(error)


def listen(heard: Heard | None = None) -> Heard:
    """Listen for the rest of a test."""
    heard = heard or Heard()
    LISTENING.enter_context(running(replace(current_context(), listener=heard)))
    return heard
