"""What an assertion knows of the run around it. A module of its own, as every pytest run loads it."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_ocrparity.diagnose.memory import Memory
    from pytest_ocrparity.verdict import Comparison

__all__ = ["diagnosis_memory", "is_in_a_run", "verdict_sink"]

verdict_sink: ContextVar[Callable[[Comparison], None] | None] = ContextVar("ocrparity_sink", default=None)
"""Where comparisons go that were judged: the plugin listens around each test; nobody does elsewhere."""

diagnosis_memory: ContextVar[Callable[[], Memory] | None] = ContextVar("ocrparity_diagnoses", default=None)
"""What the run has diagnosed so far, made on first use; elsewhere each failure is diagnosed by itself."""


def is_in_a_run() -> bool:
    """Tell whether somebody listens who will judge the limits that hold for a whole run."""
    return verdict_sink.get() is not None
