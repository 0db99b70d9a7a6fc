"""What a check lets through of what the fuzz draws, so that the real code behind the check can be given it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pytest_ocrparity.errors import ModelError

__all__ = ["accepted"]


def accepted(inputs: st.SearchStrategy[Any], check: Callable[[Any], object], count: int) -> list[Any]:
    """Return those of so many drawn inputs that a check does not refuse; always the same ones."""
    found = []

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(inputs)
    def collect(value: Any) -> None:
        with suppress(ModelError):
            check(value)
            found.append(value)

    collect()
    assert len(found) > count // 100
    return found
