"""Findings about the options of `paddleocr.PaddleOCR`, from the files alone: what its pipeline does by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pytest_ocrparity.artifacts.ocr_options import (
    DETECTOR,
    LIMITS,
    ORIENTATION,
    PREFIX,
    THRESHOLDS,
    at,
    models_that_run,
    pipeline_config,
)
from pytest_ocrparity.errors import ModelError

DEFAULTS: Final = {
    "limit_side_len": 960,
    "limit_type": "max",
    "thresh": 0.3,
    "box_thresh": 0.6,
    "unclip_ratio": 2.0,
}
"""What the pipeline's own code takes where its configuration has nothing."""

Values = Mapping[str, Any]


def ocr_findings(name: str, said: Mapping[str, Values], options: Values, predict_options: Values) -> Iterator[str]:
    """Yield what strikes in the options of a `PaddleOCR` and in the inference.yml of its detector, a sentence each.

    Args:
        name: how messages call the inference.yml.
        said: its operators and PostProcess, by name.
        options: of the class.
        predict_options: of its `predict`.
    """
    try:
        config = pipeline_config(options)
    except ModelError:  # loading the model says what is wrong with the file
        return
    block = at(config or {}, *DETECTOR)
    given = {
        key: value
        for key in DEFAULTS
        for value in (options.get(f"{PREFIX}{key}"), predict_options.get(f"{PREFIX}{key}"))
        if value is not None
    }
    runs = {**DEFAULTS, **{key: block[key] for key in DEFAULTS if key in block}, **given}
    yield from _half_an_override(given, runs)
    written = {**said.get("DetResizeForTest", {}), **said.get("PostProcess", {})}
    for key in (*LIMITS, *THRESHOLDS):
        if key in written and key not in given and written[key] != runs[key]:
            yield (
                f"{name}: paddleocr.PaddleOCR ignores {key}: {written[key]} there, and takes {runs[key]} of its own: "
                f"pass {PREFIX}{key} in inference.options"
            )
    for key in THRESHOLDS:
        if given.get(key) == 0:
            yield (
                f"inference.options: paddleocr takes {PREFIX}{key} = 0 for not given: pass a small number such as 1e-9"
            )
    if said.get("PostProcess", {}).get("box_type") == "poly" and (config or {}).get("text_type", "general") != "seal":
        yield (
            f"{name}: box_type: poly stops paddleocr.PaddleOCR with a ValueError, as its pipeline sorts boxes of four "
            "points; paddleocr.TextDetection takes it"
        )
    on = [each for each in models_that_run(config or {}, options, predict_options) if each.place] if config else []
    if on:
        what = " and ".join("turned" if model.switch == ORIENTATION else "unwarped" for model in on)
        switches = ", ".join(f"{model.switch}=False" for model in on)
        yield (
            f"inference.options: paddleocr.PaddleOCR has images {what} before detection, and its boxes are not mapped "
            f"back: pass {switches} unless you want that"
        )


def _half_an_override(given: Values, runs: Values) -> Iterator[str]:
    """Yield a finding where one limit is given, and the pipeline's own other one means something else beside it."""
    half = [key for key in LIMITS if key in given]
    if len(half) == 1:
        (other,) = (key for key in LIMITS if key not in half)
        yield (
            f"inference.options: {PREFIX}{half[0]} = {given[half[0]]!r} alone leaves {other} = {runs[other]!r}, which "
            f"paddleocr.PaddleOCR has of its own: pass {PREFIX}{other} as well"
        )
