"""Properties: what must hold for any input, shown on the same few inputs each time, and to fail what is broken.

A property is a function of what it judges, so that its negative twin is the same function given a broken one.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

import pytest
from hypothesis import HealthCheck, Phase, settings

phases: ContextVar[tuple[Phase, ...]] = ContextVar("phases", default=(Phase.generate, Phase.shrink))


def quickly(test: Callable[..., None]) -> Callable[[], None]:
    """Run a property on the same few inputs each time."""
    return settings(
        max_examples=60,
        derandomize=True,
        database=None,
        deadline=None,
        phases=phases.get(),
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )(test)


def violated(check: Callable[[], None]) -> None:
    """Assert that a property does not hold; how small an input shows it does not matter."""
    token = phases.set((Phase.generate,))
    with pytest.raises(AssertionError, match=r"."):
        check()
    phases.reset(token)
