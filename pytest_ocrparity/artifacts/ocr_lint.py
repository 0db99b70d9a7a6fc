"""Findings about the options of `paddleocr.PaddleOCR`, from the files alone: what its pipeline does by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from pytest_ocrparity.artifacts.ocr_options import (
    DETECTOR,
    FORMER,
    LIMITS,
    ORIENTATION,
    PREFIX,
    THRESHOLDS,
    base_ocr_options,
    models_of_ocr_options,
    ocr_options_block,
)
from pytest_ocrparity.errors import ModelError

GENERAL: Final = {"limit_side_len": 960, "limit_type": "max", "thresh": 0.3, "box_thresh": 0.6, "unclip_ratio": 2.0}
SEAL: Final = {"limit_side_len": 736, "limit_type": "min", "thresh": 0.2, "box_thresh": 0.6, "unclip_ratio": 0.5}
"""What the pipeline's own code takes where its configuration has nothing, by its `text_type`."""

Values = Mapping[str, Any]


def ocr_lint_findings(name: str, said: Mapping[str, Values], options: Values, predict_options: Values) -> Iterator[str]:
    """Yield what is suspicious in the options of a `PaddleOCR` and in its detector's inference.yml, a sentence each.

    Args:
        name: how messages call the inference.yml.
        said: its operators and PostProcess, by name.
        options: of the class.
        predict_options: of its `predict`.
    """
    try:
        config = base_ocr_options(options)
    except ModelError:  # loading the model says what is wrong with the file
        return
    if config is None:  # what the pipeline has of its own is not known
        return
    is_seal = config.get("text_type") == "seal"
    own, block = SEAL if is_seal else GENERAL, ocr_options_block(config, *DETECTOR)
    given = {
        **_detector_options("inference.options", options),
        **_detector_options("inference.predict_options", predict_options),
    }
    runs = {**own, **{key: block[key] for key in own if key in block}}
    runs |= {key: each.value for key, each in given.items()}
    yield from _half_an_override(given, runs)
    written = {**said.get("DetResizeForTest", {}), **said.get("PostProcess", {})}
    for key in (*LIMITS, *THRESHOLDS):
        if key in written and key not in given and written[key] != runs[key]:
            yield (
                f"{name}: paddleocr.PaddleOCR ignores {key}: {written[key]} there, and takes {runs[key]} of its own: "
                f"pass {PREFIX}{key} in inference.options"
            )
    for key in THRESHOLDS:
        if key in given and given[key].value == 0:
            setting, argument, _ = given[key]
            yield f"{setting}: paddleocr takes {argument} = 0 for not given: pass a small number such as 1e-9"
    if said.get("PostProcess", {}).get("box_type") == "poly" and not is_seal:
        yield (
            f"{name}: box_type: poly stops paddleocr.PaddleOCR with a ValueError where an image's polygons differ in "
            "their number of points; paddleocr.TextDetection takes them"
        )
    if on := [each for each in models_of_ocr_options(config, options, predict_options) if each.place]:
        what = " and ".join("turned" if model.switch == ORIENTATION else "unwarped" for model in on)
        switches = ", ".join(f"{model.switch}=False" for model in on)
        yield (
            f"inference.options: paddleocr.PaddleOCR has images {what} before detection, and its boxes are not mapped "
            f"back: pass {switches} unless you want that"
        )


class Given(NamedTuple):
    """A parameter of the detector that the user sets: where, by which argument, and to what."""

    setting: str
    argument: str
    value: Any


def _detector_options(setting: str, options: Values) -> dict[str, Given]:
    """Return the detector's parameters that options set, by name."""
    return {
        today.removeprefix(PREFIX): Given(setting, name, value)
        for name, value in options.items()
        if value is not None and (today := FORMER.get(name, name)).removeprefix(PREFIX) in GENERAL
    }


def _half_an_override(given: Mapping[str, Given], runs: Values) -> Iterator[str]:
    """Yield a finding where one limit is given, and the pipeline's own other one means something else beside it."""
    half = [key for key in LIMITS if key in given]
    if len(half) == 1:
        (other,) = (key for key in LIMITS if key not in half)
        setting, argument, value = given[half[0]]
        yield (
            f"{setting}: {argument} = {value!r} alone leaves {other} = {runs[other]!r}, which paddleocr.PaddleOCR has "
            f"of its own: pass {PREFIX}{other} as well"
        )
