"""Say what the reader of a failure does next: which values to change where, and which command compares again."""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from pytest_ocrparity.comparison import Comparison, ParameterDifference
from pytest_ocrparity.context import current_context
from pytest_ocrparity.diagnosis import AGREES
from pytest_ocrparity.stages import DETECTION, STAGES
from pytest_ocrparity.tolerance import AUTOMATIC_SCORE, MAP_MOST, PRESETS, TENSOR_LEAST


def next_step_suspects(first: Comparison) -> list[ParameterDifference]:
    """Return the parameters that ran with different values: of the first differing stage, else of earlier ones.

    What only one side declares is not known to differ.
    """
    both = [each for each in first.parameters if each.reference is not None and each.candidate is not None]
    own = [each for each in both if each.stage == first.stage]
    earlier = STAGES[: STAGES.index(first.stage)] if first.stage in STAGES else ()
    return own or [each for each in both if each.stage in earlier]


def next_step_rerun(image: str) -> str:
    """Return how to run the comparison again."""
    command = current_context().rerun(image)
    return f"then: {command}" if command else "then compare again"


_SET_IN = {
    **dict.fromkeys(("limit_side_len", "limit_type", "thresh", "box_thresh", "unclip_ratio"), "options"),
    "max_side_limit": "predict_options",
}
"""The setting by which paddleocr 3.x gets a parameter. Others are in inference.yml, whose limits it ignores."""


def _parameter_places(differing: Sequence[ParameterDifference], table: str) -> str:
    """Return the parameters with where they are set for paddleocr; of a user's own engine, their names alone."""
    names = [each.name for each in differing]
    if not table:
        return ", ".join(names)
    places: dict[str, list[str]] = {}
    for name in sorted(names, key=lambda name: name not in _SET_IN):
        place = f"{table}.{_SET_IN[name]}" if name in _SET_IN else "inference.yml"
        places.setdefault(place, []).append(name)
    return ", ".join(f"{', '.join(found)} in {place}" for place, found in places.items())


_PLAIN = ("reference", "candidate")
"""What sides are called that are plain polygons or texts, and no traces."""
_NEXT = {
    "empty": "let both traces hold their probability_map, by which a page without text is compared",
    "not_recorded": "let both traces hold their {stage}",
    "not_judged": "set a limit for the maps",
    "empty_text": "let both traces hold their probability_map, by which a line without text is compared",
    "dictionary": "give both sides the dictionary with which the network was trained, whatever this line shows of it",
    "no_scores": "return scores, or leave max_score_difference at auto",
}


def next_step(
    judged: Comparison, first: Comparison, ruled_out: Collection[str] = (), *, is_product_alone: bool = False
) -> str:
    """Return what a reader of the failure does next.

    Args:
        judged: the comparison whose assertion failed.
        first: the one in which the first difference is.
        ruled_out: what experiments showed not to explain it alone, which is then not advised.
        is_product_alone: a side holds boxes, or a text, and nothing of what leads to them.
    """
    if judged.reference == "baseline (inference)":
        return "if the change is meant: pytest --ocr-golden --ocr-golden-mode=all makes it the new baseline"
    again = next_step_rerun(judged.image)
    failing = [difference for difference in first.differences if difference.fails]
    if is_product_alone and judged.is_missing:
        assertion = "assert_same_detections" if judged.task == DETECTION.name else "assert_same_text"
        return f"for a side that returns no more, let the test assert {assertion} alone, {again}"
    if failing and failing[0].kind in _NEXT:
        return f"{_NEXT[failing[0].kind].format(stage=failing[0].stage)}, {again}"
    were_tried = any(f": {word} {judged.reference}'s " in text for text in ruled_out for word in ("with", "given"))
    # What recognisers ran with are mostly sizes, which follow from the picture and are no settings.
    if first.task == DETECTION.name and not were_tried and (found := next_step_suspects(first)):
        places = _parameter_places(found, judged.table)
        return f"give {judged.candidate} the values of {judged.reference}: {places}, {again}"
    acquitted = ("network.weights: all", AGREES)
    may_be_another = not any(text.startswith(acquitted) for text in ruled_out)
    if is_product_alone and judged.candidate not in _PLAIN and judged.kind == first.kind:
        parts = f"let {judged.candidate} return its tensor and map as well"
        parts += ", or be made of functions (FunctionPipeline)" if judged.task == DETECTION.name else ""
        return f"to have the cause named, {parts}, {again}"
    if first.stage == "probability_map" and judged.table and may_be_another:
        return f"make sure that the export was made from this checkpoint, {again}"
    return f"find what differs at {first.stage}, {again}"


WIDEST: Final[Mapping[str, float]] = {
    # Everything that the loosest preset judges by a number: of mean_atol 2e-3, of min_iou 0.5, of max_unmatched 0.06.
    **{name: value for name, value in PRESETS["int8"].items() if isinstance(value, float)},
    # What it leaves to other limits ends where the rules of fp32 end (see `tolerance.LIMITS`).
    "preprocessing.atol": TENSOR_LEAST,
    "probability_maps.atol": MAP_MOST,
    "detections.max_score_difference": AUTOMATIC_SCORE,
}
"""How far each limit may be widened by advice; one that is not here is never offered."""


def next_step_tolerance(judged: Comparison) -> str | None:
    """Return the smallest tolerance under which the judged comparison passes; None where it would judge nothing.

    None also where no tolerance helps, as with a difference of shapes.
    """
    if any(difference.fails for difference in judged.differences):
        return None
    limits = dict(_box_limits(judged) if judged.kind == "detections" else _value_limits(judged))
    if not limits or not all(math.isfinite(value) for value in limits.values()):
        return None
    # An IoU passes when it is rounded down, all else when it is rounded up.
    written = {
        name: f"{math.floor(value * 1e4) / 1e4:g}" if name == "detections.min_iou" else _round_up(value)
        for name, value in limits.items()
    }
    if not all(_still_judges(name, float(value), judged) for name, value in written.items()):
        return None
    origins = {measure.name: measure.origin for measure in judged.measures}
    # What is said in the test itself is stronger than the command line, so it has to be changed there; and outside
    # pytest there is no command line.
    inside = "PYTEST_CURRENT_TEST" not in os.environ or any(
        origins.get(name, "").partition(":")[0].endswith(("marker", "keyword", "tolerance=")) for name in limits
    )
    return " ".join(f"{'' if inside else '--ocr-tolerance='}{name}={value}" for name, value in written.items())


def _still_judges(name: str, value: float, judged: Comparison) -> bool:
    """Tell whether a limit of this value is no looser than what the presets permit."""
    if name == "detections.min_iou":
        return value >= WIDEST[name]
    if name == "detections.max_shift":
        iou = judged.measure("detections.min_iou")
        return iou is not None and iou.value >= WIDEST["detections.min_iou"]
    return value <= WIDEST.get(name, -math.inf) and value < 1  # the share 1 is every box


def _value_limits(judged: Comparison) -> Iterable[tuple[str, float]]:
    """Yield the limits that the tensor or the map needs; a flat `atol` takes the place of its rule."""
    largest, stored = judged.measure("largest"), judged.measure("stored")
    for measure in judged.measures:
        if measure.fails and measure.name in ("preprocessing.atol", "probability_maps.atol", "fusion"):
            needed = largest.value if largest is not None else math.nan
            yield f"{judged.kind}.atol", needed - (stored.value if stored is not None else 0.0)
        elif measure.fails:
            yield measure.name, measure.value


def _box_limits(judged: Comparison) -> Iterable[tuple[str, float]]:
    """Yield the limits that the boxes need: those of the worst pair, or a share where boxes have no partner."""
    kinds = {finding.kind for finding in judged.boxes if not finding.is_borderline}
    if kinds <= {"moved", "score"}:
        for name in ("detections.max_shift", "detections.min_iou", "detections.max_score_difference"):
            measure = judged.measure(name)
            if measure is not None and not measure.is_within:
                yield name, measure.value
    for name in ("detections.max_unmatched", "detections.max_borderline"):
        share = judged.measure(name)
        if share is not None and share.fails and not (name.endswith("unmatched") and kinds <= {"moved", "score"}):
            yield name, share.value


def _round_up(value: float) -> str:
    """Round a finite number above 0 up to two digits, so that what is printed really would pass."""
    digits = 1 - math.floor(math.log10(value))
    return f"{math.ceil(value * 10**digits * (1 - 1e-12)) / 10**digits:.6g}"
