"""Two or three values of the post-process at once, where no single rule makes the candidate's boxes.

What makes the scores is found first, by the scores alone: they do not depend on how boxes grow, move or are dropped.
Then the ratio by which they grow, of which each found box tells, whichever were dropped. One rule of the table may
follow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np

from pytest_ocrparity.diagnose.postprocessing.equality import SCORE, Page, are_equal, indices_of_equal_boxes
from pytest_ocrparity.diagnose.postprocessing.rule_table import UNCLIP
from pytest_ocrparity.diagnose.postprocessing.rules import (
    Bench,
    Choice,
    Rule,
    Searched,
    Span,
    roundest_rule_value,
    rule_values_between_levels,
)
from pytest_ocrparity.stages import DETECTIONS
from pytest_ocrparity.trace import Detections

Fit: TypeAlias = "tuple[Rule, Span]"
FitAll: TypeAlias = "Callable[[Bench, Rule, list[Page]], Fit | None]"

LEAST: Final = 1e-6
"""A threshold of scores under which no box is dropped."""
OF_SCORES: Final = ("use_dilation", "kernel", "score_mode", "score")
"""The parameters on which scores depend, beside the threshold of the map."""


ALL_CHANGED: Final = ("thresh", "rectangles", "box_type", "map_size")
"""The other parameters with which all scores change."""


class Start(NamedTuple):
    """Values that are fixed before the next is looked for."""

    fits: tuple[Fit, ...]
    values: dict[str, Any]


def combinations_of_values(
    bench: Bench, rules: Sequence[Rule], pages: list[Page], fit_all: FitAll
) -> list[tuple[Fit, ...]]:
    """Return the shortest combinations of rules that make the candidate's boxes of all pages, of two rules or more."""
    if any(page.found.scores is None or page.right.scores is None for page in pages):
        return []  # without scores too much fits
    found: list[tuple[Fit, ...]] = []
    for start in _starts(bench, rules, pages):
        fixed = bench.with_fixed(start.values)
        bases = _based_on(fixed, pages)
        if bases is None:
            continue
        if all(are_equal(page.right, page.found, page) for page in bases):
            found.append(start.fits)
            continue
        # What makes the scores is fixed: what would make others is not tried again.
        used = {*OF_SCORES, *ALL_CHANGED, *(rule.name for rule, _ in start.fits if rule.name)}
        ends = (fit_all(fixed, rule, bases) for rule in rules if rule.name not in used and start.fits)
        found += [(*start.fits, end) for end in ends if end is not None and not _changes_nothing(fixed, end)]
    # Of two ways to the same values, the later one looked at all boxes.
    several = {frozenset((rule.text, str(span.value)) for rule, span in fits): fits for fits in found if len(fits) > 1}
    shortest = min(map(len, several), default=0)
    return [fits for fits in several.values() if len(fits) == shortest]


def _changes_nothing(bench: Bench, fit: Fit) -> bool:
    """Return whether the reference's own value is among those that fit."""
    rule, span = fit
    own = bench.lab.reference.parameters.get(DETECTIONS, {}).get(rule.name)
    return isinstance(own, int | float) and not isinstance(own, bool) and span.low <= own <= span.high


def _based_on(bench: Bench, pages: list[Page]) -> list[Page] | None:
    """Return the pages with what the post-process of a bench makes of their maps as what is right."""
    bases = []
    for page in pages:
        made = bench.make({}, page)
        if made is None:
            return None
        bases.append(replace(page, right=made))
    return bases


def _starts(bench: Bench, rules: Sequence[Rule], pages: list[Page]) -> Iterator[Start]:
    """Yield what may come first: values that make the scores, the ratio by which boxes grow, or both."""
    for start in _of_scores(bench, rules, pages):
        yield start
        yield from _without_growth(bench, start, rules, pages)
        growing = next((rule for rule in rules if rule.name == "unclip_ratio" and isinstance(rule, Searched)), None)
        if growing is None:
            continue
        span = _growth(bench.with_fixed({**start.values, "box_thresh": LEAST}), growing, pages)
        if span is not None and not _changes_nothing(bench, (growing, span)):
            yield Start((*start.fits, (growing, span)), {**start.values, growing.name: span.value})


def _without_growth(bench: Bench, start: Start, rules: Sequence[Rule], pages: list[Page]) -> Iterator[Start]:
    """Yield a start with each way in which boxes do not grow, under which each found box is one that is made."""
    for rule in (each for each in rules if each.name == UNCLIP and isinstance(each, Choice)):
        for value in rule.values:
            made = [bench.make({**start.values, "box_thresh": LEAST, UNCLIP: value}, page) for page in pages]
            if all(
                boxes is not None and indices_of_equal_boxes(page.found, boxes, page) is not None
                for boxes, page in zip(made, pages, strict=True)
            ):
                fit = rule, Span(-np.inf, np.inf, value)
                yield Start((*start.fits, fit), {**start.values, UNCLIP: value})


def _of_scores(bench: Bench, rules: Sequence[Rule], pages: list[Page]) -> Iterator[Start]:
    if _are_scores_in(bench, {}, pages):
        yield Start((), {})
        return  # what changes no score is found after it
    for rule in rules:
        if isinstance(rule, Choice) and rule.name in OF_SCORES:
            for value in rule.values:
                if _are_scores_in(bench, {rule.name: value}, pages):
                    yield Start(((rule, Span(-np.inf, np.inf, value)),), {rule.name: value})
        elif rule.name == "thresh" and isinstance(rule, Searched):
            value = _thresh(bench, rule, pages)
            if value is not None:
                span = _levels(pages, value)
                yield Start(((rule, span),), {"thresh": span.value})


def _levels(pages: Sequence[Page], value: float) -> Span:
    """Return the thresholds around one that cut the maps of all pages as it does."""
    spans = [rule_values_between_levels(page, value) for page in pages]
    low, high = max(span.low for span in spans), min(span.high for span in spans)
    return Span(low, high, roundest_rule_value(low, high))


def _are_scores_in(bench: Bench, values: dict[str, Any], pages: Sequence[Page]) -> bool:
    """Return whether each found score is one that the post-process makes under these values."""
    low = bench.with_fixed({**values, "box_thresh": LEAST})
    return all((made := low.make({}, page)) is not None and has_scores(made, page.found) for page in pages)


def has_scores(made: Detections, found: Detections) -> bool:
    """Return whether each found score is one of those that were made."""
    if not len(found):
        return True
    if made.scores is None or found.scores is None or not len(made):
        return False
    apart = np.abs(found.scores[:, None] - made.scores[None]).min(axis=1)
    return bool(apart.max() <= SCORE)


def _thresh(bench: Bench, rule: Searched, pages: list[Page]) -> float | None:
    """Return a threshold of the map that makes the found scores: the higher it is, the higher they are."""
    page, low, high = next(page for page in pages if page.shows), rule.low, rule.high
    for value in rule.known:
        if _are_scores_in(bench, {"thresh": value}, pages):
            return float(value)
    for _ in range(20):
        middle = round((low + high) / 2, 6)
        if _are_scores_in(bench, {"thresh": middle}, [page]):
            span = rule_values_between_levels(page, middle)  # of which another page may permit a part
            likely = (middle, span.value, *np.linspace(span.low, span.high, 9).tolist())
            return next((value for value in likely if _are_scores_in(bench, {"thresh": value}, pages)), None)
        made = bench.with_fixed({"thresh": middle, "box_thresh": LEAST}).make({}, page)
        if made is None or made.scores is None or page.found.scores is None:
            return None
        best = np.sort(made.scores)[::-1][: len(page.found)]  # wherever its boxes lie, and whichever are dropped
        lead = np.mean(page.found.scores) - (np.mean(best) if len(best) else 1.0)
        low, high = (middle, high) if lead > 0 else (low, middle)
    return None


def _growth(bench: Bench, rule: Searched, pages: list[Page]) -> Span | None:
    """Return the ratios under which each found box is one that is made, whichever are dropped."""
    part, span = replace(rule, is_part=True), None
    for page in pages:
        own = part.fit(bench, page) if len(page.found) else None
        if len(page.found) and own is None:
            return None
        span = own if span is None else span if own is None else span.meets(own)
        if span is None and len(page.found):
            return None
    return span
