"""Loads an export by one of a checkout's `tools/infer` scripts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pytest_ocrparity.artifacts.model_files import find_export_files
from pytest_ocrparity.backends.checkout.detector import ScriptDetector
from pytest_ocrparity.backends.checkout.recogniser import ScriptRecogniser
from pytest_ocrparity.backends.checkout.script import Script
from pytest_ocrparity.backends.checkout.side import ScriptSide, Setup

SIDES: Final[Mapping[str, type[ScriptSide]]] = {"predict_det": ScriptDetector, "predict_rec": ScriptRecogniser}


def load_script_side(
    api: str,
    *,
    model_dir: Path,
    paddleocr_root: Path,
    options: Mapping[str, Any] | None = None,
    memory_limit: int | None = None,
    name: str = "inference",
) -> ScriptSide:
    """Load an export by `predict_det.py` or `predict_rec.py`.

    Args:
        api: which of them, without the suffix.
        model_dir: the export's folder.
        paddleocr_root: the checkout that holds it.
        options: its flags, by name.
        memory_limit: bytes that an image may take; None means what is available.
        name: how messages call this side.

    Raises:
        ModelError: a file, a flag or something to import is missing or wrong, the script refuses the export, or another
            checkout runs in this process.
    """
    export = find_export_files(model_dir)
    setup = Setup(
        script=Script(api, paddleocr_root), export=export, options=dict(options or {}), name=name,
        memory_limit=memory_limit,
    )  # fmt: skip
    return SIDES[api](setup)
