"""Traces images by both sides of the example project in a process of its own, and tells how far its memory grew.

Run as a program: `peak.py LIMIT IMAGE...`, where LIMIT is the setting `memory_limit` in bytes, or "none" for what is
available. Prints one line of JSON per image and side.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from pytest_ocrparity.backends.memory_guard import network_bytes
from pytest_ocrparity.session.models import inference_model, train_model
from pytest_ocrparity.settings import load_settings
from real.blob import operators_root

EXAMPLE = Path(__file__).parents[2] / "example_project"


def sides(limit: int | None, **options: Any) -> list[Any]:
    """Load the example's two sides, with `memory_limit` and predict options."""
    settings = load_settings(EXAMPLE / "pyproject.toml", {"ocr_paddleocr_root": str(operators_root())}, EXAMPLE)
    object.__setattr__(settings, "memory_limit", limit)
    if options:
        (only,) = settings.candidates.values()
        candidates = {only.name: only._replace(values={**only.values, "predict_options": options})}
        object.__setattr__(settings, "candidates", candidates)
    return [train_model(settings), inference_model(settings)]


def held(name: str) -> int:
    """Return the memory that this process holds, VmRSS, or has held at most, VmHWM, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024


def main(limit: str, images: list[str]) -> None:
    """Trace each image by each side; bytes are those that the peak rose by, above all that was held before."""
    loaded = sides(None if limit == "none" else int(limit))
    for side in loaded:
        side.trace(np.full((64, 64, 3), 200, dtype=np.uint8))
        side._memory.per_pixel  # noqa: B018 - a measurement of its own
    for image in images:
        for side in loaded:
            side._traces.clear()
            before = held("VmRSS")
            Path("/proc/self/clear_refs").write_text("5")  # forgets the peak
            trace = side.trace(image)
            size = None if trace.tensor is None else trace.tensor.shape[2:]
            told = {
                "side": side.name,
                "image": Path(image).name,
                "tensor": size,
                "stages": trace.stages,
                "error": trace.error and str(trace.error),
                "estimate": size and network_bytes(size[0], size[1], side._memory.per_pixel),
                "grown": held("VmHWM") - before,
            }
            print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
