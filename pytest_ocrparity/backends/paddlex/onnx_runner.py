"""PaddleX's runner of ONNX Runtime: whether it runs on what was asked for, and which size its graph takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_ocrparity.backends.onnx import runtime


def check_providers(runner: Any) -> None:
    """Refuse a runner of ONNX Runtime that fell back to another provider; others have none.

    Raises:
        ModelError: it did.
    """
    made, config = getattr(runner, "session", None), getattr(runner, "_config", None)
    if made is None or not isinstance(config, Mapping):
        return
    wanted = config.get("providers") or ([runtime.CUDA] if config.get("device_type") == "gpu" else [])
    runtime.check_providers(made, wanted)


def fixed_size(runner: Any) -> tuple[int, int] | None:
    """Return the height and width in pixels that the runner's graph takes alone; None for any, or another engine."""
    made = getattr(runner, "session", None)
    return None if made is None else runtime.runtime_fixed_size(made)
