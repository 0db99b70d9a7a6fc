"""Properties: what must hold for any input, shown on the same few inputs each time, and to fail what is broken.

A property is a function of what it judges, so that its negative twin is the same function given a broken one.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

import pytest
from hypothesis import HealthCheck, Phase, settings

phases: ContextVar[tuple[Phase, ...]] = ContextVar("phases", default=(Phase.generate, Phase.shrink))
examples: ContextVar[int] = ContextVar("examples", default=60)


def quickly(test: Callable[..., None]) -> Callable[[], None]:
    """Run a property on the same few inputs each time."""
    return settings(
        max_examples=examples.get(),
        derandomize=True,
        database=None,
        deadline=None,
        phases=phases.get(),
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )(test)


def violated(check: Callable[[], None]) -> None:
    """Assert that a property does not hold; how small an input shows it does not matter.

    It ends with the first input that shows it. Which these are changes with any module that is loaded, as Hypothesis
    takes constants from there, so there may be more of them than `quickly` tries.
    """
    tokens = phases.set((Phase.generate,)), examples.set(2000)
    try:
        with pytest.raises(AssertionError, match=r"."):
            check()
    finally:
        phases.reset(tokens[0])
        examples.reset(tokens[1])
