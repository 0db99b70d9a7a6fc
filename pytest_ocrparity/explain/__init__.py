"""Turn comparisons into the text of a failure. The first line stands alone; a cause is never guessed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pytest_ocrparity.comparison import NOT_JUDGEABLE, BoxFinding, Comparison, Difference, Measure
from pytest_ocrparity.diagnosis import UNKNOWN, Diagnosis
from pytest_ocrparity.explain.next_step import next_step, next_step_rerun, next_step_suspects, next_step_tolerance
from pytest_ocrparity.explain.page_texts import page_headline
from pytest_ocrparity.explain.texts import rows_of_texts, texts_of
from pytest_ocrparity.report.dictionary_lines import dictionaries_text
from pytest_ocrparity.stages import PAGE, PRODUCTS, RECOGNITION, STAGES, TEXT
from pytest_ocrparity.wording import amount, number_of_boxes, quoted, value_text

MOST_BOXES = 6
BOXES_OF_KNOWN = 3
MOST_PARAMETERS = 6
COLUMN = 12

_PLAIN_DIFFERENCE = {
    "score_order": "{candidate}'s scores are in another order than the boxes ({d.candidate} are on the wrong box)",
    "not_judged": "nothing was judged: every limit of probability_maps is off",
    "dtype": "{d.stage} is {d.reference} in {reference}, {d.candidate} in {candidate}",
    "channel_order": "decoded as {d.reference} in {reference}, {d.candidate} in {candidate}",
    "channels": "channels of the map: {d.reference} in {reference}, {d.candidate} in {candidate}, 1 is right",
    "not_finite": "the map holds NaN or infinity in {d.reference} pixels of {reference}, {d.candidate} of {candidate}",
    "pixels": "pixels differ already after {d.stage}",
    "classes": "classes of the map: {d.reference} in {reference}, {d.candidate} in {candidate}",
    "timesteps": "not comparable: the map has {d.reference} timesteps in {reference}, {d.candidate} in {candidate}",
    "not_finite_values": (
        "the map holds NaN or infinity in {d.reference} values of {reference}, {d.candidate} of {candidate}"
    ),
    "empty_page": "neither side reads anything in any box: nothing shows that this model reads",
}
"""By kind, the words of a difference `d` whose values are written as they are."""
_DIFFERENCE: dict[str, Callable[[Difference, str, str], str]] = {
    "stopped": lambda d, reference, candidate: (
        f"{reference if d.reference else candidate} stopped at {d.stage}: {_first_line(d.reference or d.candidate)}"
    ),
    "not_recorded": lambda d, reference, candidate: (
        f"nothing was compared at {d.stage}: {_who_lacks(d, reference, candidate)}"
    ),
    "no_scores": lambda d, reference, candidate: (
        f"max_score_difference can't be judged: {_who_lacks(d, reference, candidate)}"
    ),
    "no_values": lambda d, reference, candidate: (
        f"{d.stage} is empty: {_shape_text(d.reference)} in {reference}, {_shape_text(d.candidate)} in {candidate}"
    ),
    "source_size": lambda d, reference, candidate: (
        f"the image is {_size_text(d.reference)} px for {reference}, {_size_text(d.candidate)} px for {candidate}, "
        "which scales the boxes"
    ),
    "size": lambda d, reference, candidate: (
        f"resized to {_size_text(d.reference)} in {reference}, {_size_text(d.candidate)} in {candidate}"
    ),
    "shape": lambda d, reference, candidate: (
        f"{d.stage} has shape {_shape_text(d.reference)} in {reference}, {_shape_text(d.candidate)} in {candidate}"
        + (", where 1x1xHxW is right" if d.reference == d.candidate else "")
    ),
    "empty": lambda d, reference, candidate: (
        "no box on either side, and "
        + ("the maps differ" if d.reference else "no maps were compared")
        + ": nothing shows that this model detects"
    ),
    "line_size": lambda d, reference, candidate: (
        f"{_line(*d.reference)} in {reference}, {_line(*d.candidate)} in {candidate}"
    ),
    "line_shape": lambda d, reference, candidate: (
        f"{d.stage} has shape {_shape_text(d.reference)} in {reference}, {_shape_text(d.candidate)} in {candidate}, "
        "where 1xTxC is right, of T timesteps and C classes"
    ),
    "row_sums": lambda d, reference, candidate: (
        f"values of a timestep are no probabilities: their sum is off 1 by up to {amount(d.reference)} in {reference}, "
        f"{amount(d.candidate)} in {candidate}"
    ),
    "empty_text": lambda d, reference, candidate: (
        "neither side reads anything, and "
        + ("the maps differ" if d.reference else "no maps were compared")
        + ": nothing shows that this model reads"
    ),
    "dictionary": dictionaries_text,
}


def _difference_text(difference: Difference, reference: str, candidate: str) -> str:
    if plain := _PLAIN_DIFFERENCE.get(difference.kind):
        return plain.format(d=difference, reference=reference, candidate=candidate)
    return _DIFFERENCE[difference.kind](difference, reference, candidate)


def _line(height: float, content: float, width: float) -> str:
    return f"{content:g} px of picture in a tensor of {width:g}x{height:g}"


_NO_DIFFERENCE = {"stopped", "not_judged", "no_scores", "dictionary"}
"""Reasons why nothing was judged, or no line shows it: as where nothing was compared, no first difference is named."""


def _who_lacks(difference: Difference, reference: str, candidate: str) -> str:
    lacking = [name for name, has in ((reference, difference.reference), (candidate, difference.candidate)) if not has]
    return "neither side has any" if len(lacking) == 2 else f"{lacking[0]} has none"


def _first_line(text: str, most: int = 400) -> str:
    """Return a text's first line; one that only announces, with the line that names the error, else with the last."""
    line, *more = text.strip().splitlines() or [""]
    if line.endswith(":") and more:  # paddle's "In user code:", whose last line is the operator
        line += " " + next((each for each in more if "Error: " in each), more[-1]).strip()
    return line if len(line) <= most else f"{line[:most]}..."


def _size_text(size: Sequence[int]) -> str:
    return f"{size[1]:g}x{size[0]:g}"


def _shape_text(shape: Any) -> str:
    return shape if isinstance(shape, str) else "x".join(str(side) for side in shape)


def _place_text(place: tuple[float, float] | None) -> str:
    if place is None or any(math.isnan(value) for value in place):
        return ""
    return f" at x={place[0]:.0f} y={place[1]:.0f}"


def explain(comparisons: Sequence[Comparison], judged: Comparison, diagnoses: Sequence[Diagnosis] = ()) -> str:
    """Return the message of a failed assertion: the diagnosis first, then what was measured.

    Args:
        comparisons: all that was compared of this image, in the order of the data flow.
        judged: the one whose assertion failed.
        diagnoses: what experiments showed.
    """
    # A stage that a side did not record is no difference: the comparison that was made says more.
    seen = [c for c in comparisons if not c.is_match and not c.is_missing]
    first = seen[0] if seen else judged
    known = [diagnosis for diagnosis in diagnoses if diagnosis.cause != UNKNOWN]
    unknown = [diagnosis for diagnosis in diagnoses if diagnosis.cause == UNKNOWN]
    is_stopped = any(difference.kind == "stopped" for difference in first.differences)
    earlier = [each for each in unknown if known and _is_earlier([each], known[0])]
    rows = [row for each in earlier for row in unknown_rows(each)]
    rows += [row for each in known for row in known_rows(each, heads=each is known[0] and not earlier)]
    rows += [("seen", headline(first))] if known and not earlier else []
    rows += [row for each in unknown if each not in earlier for row in unknown_rows(each)]
    rows += _rounding_rows(comparisons)
    if not is_stopped:
        rows += _measured_rows(comparisons, first, judged, is_known=bool(known))
    ruled_out = [text for each in unknown for text in (*each.ruled_out, *each.tried, *each.not_tried, each.summary)]
    rows.append(("next", _next_line(judged, first, len(known), ruled_out, is_stopped, _has_product_alone(comparisons))))
    text = headline(first)
    if known and not earlier:
        text = f"{known[0].stage}: {known[0].summary}"
        text += f" (and {len(known) - 1} more cause{'s' * (len(known) > 2)})" if known[1:] else ""
    return "\n".join([f"{judged.image}: {text}", *(f"  {name:<{COLUMN}}{text}" for name, text in rows)])


def _is_earlier(unknown: Sequence[Diagnosis], known: Diagnosis) -> bool:
    """Tell whether something unexplained differs before a cause that is known: then that does not head the message."""
    return any(STAGES.index(each.stage) < STAGES.index(known.stage) for each in unknown)


def _rounding_rows(comparisons: Sequence[Comparison]) -> list[tuple[str, str]]:
    """Return what "not judgeable" means, where a comparison is."""
    if all(comparison.status != NOT_JUDGEABLE for comparison in comparisons):
        return []
    return [
        (
            "which means",
            "this fails, and nothing is blamed: no limit tells a right export of this network from a wrong one",
        ),
        ("", "a larger limit does not help; networks that are untrained, saturated or damaged behave so"),
    ]


def known_rows(diagnosis: Diagnosis, *, heads: bool) -> list[tuple[str, str]]:
    """Return a cause with its fix and its proof; what is wrong stands in the message's first line where it heads it."""
    summary = "" if heads else f", {diagnosis.stage}: {diagnosis.summary}"
    rows = [("cause" if heads else "and", f"{diagnosis.cause}{summary}")]
    if diagnosis.fix is not None:
        rows.append(("fix", diagnosis.fix.text))
    rows += [("proof" if index == 0 else "", text) for index, text in enumerate(diagnosis.evidence)]
    return rows + [("noticed", text) for text in diagnosis.noticed]


def unknown_rows(diagnosis: Diagnosis) -> list[tuple[str, str]]:
    """Return what is known of a difference whose cause is not."""
    rows = [("cause", f"unknown at {diagnosis.stage}: {diagnosis.summary}")]
    rows += [("noticed", text) for text in (*diagnosis.evidence, *diagnosis.noticed)]
    rows += [("ruled out", text) for text in diagnosis.ruled_out]
    rows += [("tried", text) for text in diagnosis.tried]
    return rows + [("not tried", text) for text in diagnosis.not_tried]


def _measured_rows(
    comparisons: Sequence[Comparison], first: Comparison, judged: Comparison, *, is_known: bool
) -> list[tuple[str, str]]:
    """Return what was measured; where the cause is known, the worst boxes and what became of it downstream suffice.

    A tolerance that would let a known fault pass is not offered.
    """
    boxes = _box_rows(judged if judged.boxes else first, BOXES_OF_KNOWN if is_known else MOST_BOXES)
    if is_known:
        return [*boxes, *_later_rows(comparisons, first)]
    rows = [
        row for comparison in ((judged,) if first is judged else (first, judged)) for row in _limit_rows(comparison)
    ]
    rows += [*boxes, *rows_of_texts(judged if judged.texts else first)]
    rows += [*_parameter_rows(first), *_later_rows(comparisons, first)]
    if NOT_JUDGEABLE in (first.status, judged.status):  # no limit is right for it
        return rows
    return [*rows, *(("would pass", offered) for offered in [next_step_tolerance(judged)] if offered)]


def _has_product_alone(comparisons: Sequence[Comparison]) -> bool:
    """Tell whether a side holds what its model is for, and nothing of what leads to it."""
    return all(each.is_missing == (each.kind not in PRODUCTS) for each in comparisons)


def _next_line(
    judged: Comparison,
    first: Comparison,
    known: int,
    ruled_out: Sequence[str],
    is_stopped: bool,
    is_product_alone: bool,
) -> str:
    if NOT_JUDGEABLE in (judged.status, first.status) and not known:
        return f"check that this checkpoint evaluates well, {next_step_rerun(judged.image)}"
    if known:
        return f"apply the fix{'es' if known > 1 else ''}, {next_step_rerun(judged.image)}"
    return (
        f"fix the error above, {next_step_rerun(judged.image)}"
        if is_stopped
        else next_step(judged, first, ruled_out, is_product_alone=is_product_alone)
    )


def headline(comparison: Comparison) -> str:
    """Return what differs first in a comparison, in one line; nothing for one that matches."""
    if comparison.is_match:
        return ""
    reference, candidate = comparison.reference, comparison.candidate
    if comparison.kind == PAGE and comparison.lines and not comparison.compared_nothing:
        return page_headline(comparison)
    if comparison.status == NOT_JUDGEABLE:
        return f"{comparison.kind.replace('_', ' ')} are not judgeable: {_rounding_text(comparison)}"
    failing = [difference for difference in comparison.differences if difference.fails]
    lead = f"first difference at {comparison.stage}: " if comparison.stage else ""
    if failing:
        difference = min(failing, key=lambda d: (d.stage != comparison.stage,))
        text = _difference_text(difference, reference, candidate)
        return text if difference.compared_nothing or difference.kind in _NO_DIFFERENCE else lead + text
    worst = [measure for measure in comparison.measures if measure.fails]
    if comparison.kind == "detections":
        return f"{lead}{_count_text(comparison)} ({reference} against {candidate})"
    if comparison.kind == TEXT and worst[0].name != "text.max_score_difference":
        return f"{lead}{texts_of(comparison)}"
    return lead + _measure_text(worst[0], comparison)


def _rounding_text(comparison: Comparison) -> str:
    """Return how far rounding alone moves the reference's map."""
    moves, atol = comparison.measure("sensitivity"), comparison.measure("probability_maps.atol")
    if moves is None or atol is None:
        return "they follow maps that are not judgeable"
    reference, candidate = comparison.reference, comparison.candidate
    return (
        f"rounding of its tensor alone moves {reference}'s own map by {amount(moves.value)}, more than the limit of "
        f"{amount(atol.limit or 0.0)} allows; {candidate}'s map differs by {amount(atol.value)}{_place_text(atol.at)}"
    )


def _measure_text(measure: Measure, comparison: Comparison) -> str:
    reference, candidate = comparison.reference, comparison.candidate
    value, limit = amount(measure.value), f"limit {amount(measure.limit or 0.0)}"
    if measure.name == "text.max_score_difference":
        return f"the scores of {reference} and {candidate} differ by {value}, and the texts do not, {limit}"
    if comparison.task == RECOGNITION.name and measure.name in _OF_TIMESTEPS:
        return f"{value} {_OF_TIMESTEPS[measure.name]} in {candidate}, {limit}"
    if measure.name == "fusion":
        return f"{reference} differs from its own copy with fused branches by {value}, {limit}"
    if measure.name == "probability_maps.max_crossings":
        return f"{value} pixels lie on the other side of thresh in {candidate}, {limit}"
    if measure.name == "probability_maps.max_share":
        return f"{reference} and {candidate} differ in a share of {value} of the pixels, {limit}"
    mean = " on average" if measure.name == "probability_maps.mean_atol" else ""
    return f"{reference} and {candidate} differ by {value}{mean}{_place_text(measure.at)}, {limit}"


_OF_TIMESTEPS = {
    "probability_maps.max_crossings": "timesteps have another best class",
    "probability_maps.max_changed": "of the timesteps have another best class",
    "probability_maps.max_share": "of the values differ by more than atol",
}


def _limit_rows(comparison: Comparison) -> list[tuple[str, str]]:
    """Return a row for each amount beyond its limit, with who set the limit."""
    rows = []
    for measure in comparison.measures:
        if measure.name == "text.max_changed" and comparison.measures[0].limit is not None:
            continue  # a line that is read otherwise breaks max_cer, which says by how much
        if measure.limit is not None and not measure.is_within:
            units = _UNITS_OF_LINES if comparison.task == RECOGNITION.name else _UNITS
            unit = units.get(measure.name, "")
            unit = unit.replace("edits", "edit") if measure.value == 1 else unit
            text = f"{measure.name} {amount(measure.value)}{unit}{_place_text(measure.at)}"
            rows.append(("limit", f"{text}, limit {amount(measure.limit)} ({measure.origin})"))
    return rows


_UNITS = {
    "probability_maps.max_share": " of the pixels",
    "detections.max_shift": " map px after 1 px of rounding",
    "detections.max_unmatched": " of the boxes",
    "detections.max_borderline": " of the boxes",
}


_UNITS_OF_LINES = {
    "probability_maps.max_share": " of the values",
    "probability_maps.max_changed": " of the timesteps",
    "text.max_cer": " edits per character",
}


def _count_text(comparison: Comparison) -> str:
    counts = comparison.counts
    boxes = number_of_boxes(counts.get("reference", 0))
    if comparison.is_match and not comparison.boxes:
        return f"{boxes}, and they agree" if counts.get("reference") else "no box on either side"
    kinds = [finding.kind for finding in comparison.boxes if not finding.is_borderline]
    found = [f"{kinds.count(kind)} {_KINDS[kind]}" for kind in _KINDS if kind in kinds]
    if counts.get("borderline"):
        found.append(f"{counts['borderline']} borderline")
    return f"{', '.join(found) or 'none differs'} of {boxes}"


_KINDS = {
    "missing": "missing",
    "extra": "extra",
    "split": "split",
    "merged": "merged",
    "moved": "moved",
    "invalid": "invalid",
    "score": "with another score",
}


def _box_rows(comparison: Comparison, most: int) -> list[tuple[str, str]]:
    """Return a row for each of the worst boxes: lone ones first, then by distance."""
    failing = [finding for finding in comparison.boxes if not finding.is_borderline]
    failing.sort(key=lambda finding: (finding.shift is not None, -(finding.shift or 0.0)))
    rows = [(finding.kind, _box_text(finding, comparison)) for finding in failing[:most]]
    if len(failing) > most:
        rows.append(("", f"and {len(failing) - most} more"))
    return rows


def _box_text(finding: BoxFinding, comparison: Comparison) -> str:
    if finding.reference is not None:
        text = f"box {finding.reference} of {comparison.reference}{_place_text(finding.at)}"
    else:
        text = f"box {finding.candidate} of {comparison.candidate}{_place_text(finding.at)}"
    if finding.kind in ("moved", "score"):
        text += f": moved by {amount(finding.shift or 0.0)} px, IoU {finding.iou:.2f}"
        if finding.score_error is not None:
            text += f", score is off by {amount(finding.score_error)} from what {comparison.reference} gives this box"
        elif finding.score_difference is not None:
            text += f", score differs by {amount(finding.score_difference)}"
    return text + (f" ({finding.defect})" if finding.defect else "")


def _parameter_rows(first: Comparison) -> list[tuple[str, str]]:
    """Return the parameters that ran with different values: of the first differing stage, else of earlier ones.

    They are facts, and no cause as long as no experiment with them removed the difference.
    """
    shown = next_step_suspects(first)
    rows = []
    for parameter in shown[:MOST_PARAMETERS]:
        name = f"{parameter.stage}.{parameter.name}"
        reference, candidate = (
            _first_line(value_text(value), 80) for value in (parameter.reference, parameter.candidate)
        )
        rows.append(("ran with", f"{name}: {reference} in {first.reference}, {candidate} in {first.candidate}"))
    if len(shown) > MOST_PARAMETERS:
        rows.append(("", f"and {len(shown) - MOST_PARAMETERS} more"))
    return rows or [("ran with", "no parameter that both sides record differs")]


def _later_rows(comparisons: Iterable[Comparison], first: Comparison) -> list[tuple[str, str]]:
    """Return one row for each later comparison: what became of the difference downstream."""
    rows = []
    later = False
    for comparison in comparisons:
        if later:
            rows.append(("then", f"{comparison.kind.replace('_', ' ')}: {_later_text(comparison)}"))
        later = later or comparison is first
    return rows


def _later_text(comparison: Comparison) -> str:
    failing = [difference for difference in comparison.differences if difference.fails]
    if failing:
        if comparison.status == "not comparable" and failing[0].kind != "timesteps":
            return "not comparable, their shapes differ"
        return _difference_text(failing[0], comparison.reference, comparison.candidate)
    if comparison.kind == "detections":
        worst = comparison.measure("detections.min_iou")
        return _count_text(comparison) + (f", worst IoU {worst.value:.2f}{_place_text(worst.at)}" if worst else "")
    if comparison.texts is not None:
        found = comparison.texts
        if not found.edits:
            return f"{comparison.status}, both read {quoted(found.reference)}"
        return f"{'borderline' if found.is_borderline else comparison.status}, {texts_of(comparison)}"
    largest = comparison.measure("largest")
    assert largest is not None  # without a failing difference, the values were measured
    return f"{comparison.status}, largest difference {amount(largest.value)}{_place_text(comparison.measures[0].at)}"
