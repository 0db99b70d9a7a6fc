"""Rules by which a post-process may differ, each with the values of it that make the candidate's boxes exactly.

A rule varies the reference's own post-process, or filters its boxes. Some rules are no cause: they are rivals, which
must fail before a cause is stated.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np

from pytest_ocrparity.contract import PostprocessesWith
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.postprocessing.equality import Page, are_equal, area, indices_of_equal_boxes
from pytest_ocrparity.geometry import match_polygons
from pytest_ocrparity.trace import Array, Detections, Shape

Make: TypeAlias = "Callable[[Array, Shape], Detections]"


class Span(NamedTuple):
    """The values of a rule between `low` and `high` fit; `value` is one of them, with as few digits as possible.

    Of a rule with few values, `others` fit as well as `value` does.
    """

    low: float
    high: float
    value: Any
    others: tuple[Any, ...] = ()

    @classmethod
    def of_choices(cls, values: Sequence[Any]) -> Span | None:
        """Return values of which each fits, and of which one is not known to be the one; None where there are none."""
        return cls(-math.inf, math.inf, values[0], tuple(values[1:])) if values else None

    @property
    def values(self) -> tuple[Any, ...]:
        """The value, and of a rule with few values the others that fit."""
        return self.value, *self.others

    @property
    def is_choice(self) -> bool:
        """Whether its value is one of few, and not one of an interval."""
        return self.low == -math.inf and self.high == math.inf

    def meets(self, other: Span) -> Span | None:
        """Return the values that both hold, or None."""
        if self.is_choice and other.is_choice:
            return Span.of_choices([value for value in self.values if value in other.values])
        low, high = max(self.low, other.low), min(self.high, other.high)
        if low > high:
            return None
        value = self.value if low <= _rule_number(self.value) <= high else other.value
        return Span(low, high, value if low <= _rule_number(value) <= high else roundest_rule_value(low, high))


def _rule_number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def roundest_rule_value(low: float, high: float) -> float:
    """Return a number between two others with as few decimals as possible, nearest to their middle."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return low if math.isfinite(low) else high
    for digits in range(8):
        for step in (1.0, 0.5):
            unit = step / 10**digits
            first = math.ceil(low / unit - 1e-9)
            nearest = max(first, round((low + high) / 2 / unit))
            for count in (nearest, first):
                value = float(round(count * unit, digits + 1))
                if low <= value <= high:
                    return value
    return (low + high) / 2


SAME_BOXES: Final = "makes the same boxes"
"""What is said of the values between which this page does not tell."""

FINE: Final = 4096
"""Parts of a map pixel to which a post-process rounds, where the page is said to be so many times as large as the map:
a power of two, so that halves stay what they are."""
COARSE: Final = 16
"""The same for a post-process whose coordinates are int16."""


@dataclass
class Bench:
    """Runs the reference's post-process with other values, within the budget.

    Attributes:
        lab: the diagnosis.
        source: what builds the post-process.
        name: what messages call it.
        fixed: values that hold in every run, unless the run's own say otherwise.
        parts: see `FINE`.
        refused: the parameters that this release does not take, or not with each of the values that were run.
    """

    lab: Laboratory
    source: PostprocessesWith
    name: str
    fixed: Mapping[str, Any] = field(default_factory=dict)
    parts: int = FINE
    built: dict[str, Make | None] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    fine: dict[Page, Detections | None] = field(default_factory=dict)

    def with_fixed(self, values: Mapping[str, Any]) -> Bench:
        """Return one in which these values hold as well."""
        return replace(self, fixed={**self.fixed, **values}, built={}, fine={})

    def unscaled(self, page: Page) -> Detections | None:
        """Return the boxes of a page's map in px of the map, hardly rounded."""
        if page not in self.fine:
            height, width = page.probability_map.shape[-2:]
            shape = (float(height * self.parts), float(width * self.parts), float(self.parts), float(self.parts))
            made = self.make({}, replace(page, shape=shape))
            if made is not None:
                made = Detections(tuple(polygon / self.parts for polygon in made.polygons), made.scores)
            self.fine[page] = made
        return self.fine[page]

    def make(self, values: Mapping[str, Any], page: Page) -> Detections | None:
        """Return the boxes of a page's map under these values; None where this release refuses them."""
        self.lab.budget.check()
        all_values = {**self.fixed, **values}
        key = repr(sorted(all_values.items()))
        if key not in self.built:
            self.built[key] = self.lab.attempt(lambda: self.source.postprocess_with(all_values))
        run = self.built[key]
        if run is None:
            self.refused.update(values)
        return None if run is None else self.lab.attempt(lambda: run(page.probability_map, page.shape))


@dataclass(frozen=True, kw_only=True)
class Rule(ABC):
    """One way to post-process otherwise.

    Attributes:
        cause: the code that it proves, or "" for a rival that is no cause.
        text: what it does, with {value}.
        name: the parameter's, where it is one of the reference's.
        way_out: what a user's own code has to do, where the reference's value does not say it.
    """

    cause: str
    text: str
    name: str = ""
    way_out: str = ""

    @abstractmethod
    def make(self, bench: Bench, page: Page, value: Any) -> Detections | None:
        """Return the boxes of a page's map under this rule with a value."""

    @abstractmethod
    def fit(self, bench: Bench, page: Page) -> Span | None:
        """Return the values that make the page's boxes; None where none does."""

    def fits(self, bench: Bench, page: Page, value: Any) -> bool:
        """Return whether one value makes the page's boxes exactly."""
        made = self.make(bench, page, value)
        return made is not None and are_equal(made, page.found, page)

    def joint(self, one: Span, other: Span) -> Span | None:
        """Return the values that fit two pages, or None."""
        return one.meets(other)

    def words(self, span: Span) -> str:
        """Return the rule with its value, and the values that fit as well."""
        return self.value_words(span) + self.interval(span)

    def value_words(self, span: Span) -> str:
        """Return the rule with its value; with all that fit, where it has few."""
        return self.text.format(value=" or ".join(_rule_value_text(value) for value in span.values))

    def interval(self, span: Span) -> str:
        """Return in words the values that fit, or "" where there is but one."""
        if span.low == span.high or span.is_choice:
            return ""
        low, high = (None if not math.isfinite(each) else f"{each:.5g}" for each in (span.low, span.high))
        if low is None or high is None:
            return f" (any value {'from ' + low + ' on' if low else 'up to ' + str(high)} {SAME_BOXES})"
        return f" (any value from {low} to {high} {SAME_BOXES})" if low != high else ""


def _rule_value_text(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join("none" if each is None else _rule_value_text(each) for each in value)
    return f"{value:.5g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True, kw_only=True)
class Choice(Rule):
    """One of few values of a parameter."""

    values: tuple[Any, ...]

    def fit_all(self, bench: Bench, pages: Sequence[Page]) -> Span | None:
        """Return the values of which each makes the boxes of all pages; None where none does."""
        return Span.of_choices([each for each in self.values if all(self.fits(bench, page, each) for page in pages)])

    def make(self, bench: Bench, page: Page, value: Any) -> Detections | None:
        """Return the boxes of a page's map, see `Rule.make`."""
        return bench.make({self.name: value}, page)

    def fit(self, bench: Bench, page: Page) -> Span | None:
        """Return the values that make the page's boxes, see `Rule.fit`."""
        return self.fit_all(bench, [page])


@dataclass(frozen=True, kw_only=True)
class Changed(Choice):
    """A change of the reference's boxes, by one of few values."""

    change: Callable[[Detections, Any, Page], Detections | None]

    def make(self, bench: Bench, page: Page, value: Any) -> Detections | None:
        """Return the boxes of a page's map, see `Rule.make`."""
        return self.change(page.right, value, page)


@dataclass(frozen=True, kw_only=True)
class Placed(Changed):
    """A change of the reference's boxes in px of the map, before they are rounded to px of the page."""

    def make(self, bench: Bench, page: Page, value: Any) -> Detections | None:
        """Return the boxes of a page's map, see `Rule.make`."""
        made = bench.unscaled(page)
        return None if made is None else self.change(made, value, page)


@dataclass(frozen=True, kw_only=True)
class Read(Changed):
    """A change by values that are read from the candidate's boxes.

    Attributes:
        read: the values that a page's boxes tell; None for what this page does not tell.
    """

    read: Callable[[Page], tuple[float | None, ...] | None]

    def fit(self, bench: Bench, page: Page) -> Span | None:
        """Return the values that make the page's boxes, see `Rule.fit`."""
        value = self.read(page)
        return None if value is None or not self.fits(bench, page, value) else Span(-math.inf, math.inf, value)

    def joint(self, one: Span, other: Span) -> Span | None:
        """Return the values of two pages as those of one: where one tells nothing, the other's."""
        pairs = list(zip(one.value, other.value, strict=True))
        if any(None not in pair and not math.isclose(*pair, rel_tol=1e-5, abs_tol=1e-6) for pair in pairs):
            return None
        return one._replace(value=tuple(second if first is None else first for first, second in pairs))


def rule_values_between_levels(page: Page, low: float, high: float | None = None) -> Span:
    """Return the thresholds around two that cut a map as they do: between two of its values nothing changes."""
    present, high = np.unique(page.probability_map), low if high is None else high
    low = max([float(each) for each in present[present <= low][-1:]], default=low)
    high = min([float(each) for each in present[present > high][:1]], default=high)
    high = float(np.nextafter(high, low))
    return Span(low, high, roundest_rule_value(low, high))


@dataclass(frozen=True, kw_only=True)
class Searched(Rule):
    """A number that is searched by what it does: boxes grow or shrink, or become more or fewer.

    Attributes:
        low, high: where it is searched.
        known: values that are tried first.
        grows: whether a larger number makes larger, or more, boxes.
        counts: whether the number of boxes leads the search, and not their area.
        is_whole: whether it is a whole number.
        on_map: what a value does to the map, in the place of a parameter.
        is_part: the candidate's boxes need only be among those that are made.
    """

    low: float
    high: float
    known: tuple[float, ...] = ()
    grows: bool = True
    counts: bool = False
    is_whole: bool = False
    on_map: Callable[[Array, float], Array] | None = None
    is_part: bool = False

    def fits(self, bench: Bench, page: Page, value: Any) -> bool:
        """Return whether one value makes the page's boxes, see `Rule.fits`."""
        made = self.make(bench, page, value)
        return made is not None and self._explains(made, page)

    def _explains(self, made: Detections, page: Page) -> bool:
        return (
            indices_of_equal_boxes(page.found, made, page) is not None
            if self.is_part
            else are_equal(made, page.found, page)
        )

    def make(self, bench: Bench, page: Page, value: Any) -> Detections | None:
        """Return the boxes of a page's map, see `Rule.make`."""
        if self.on_map is None:
            return bench.make({self.name: value}, page)
        return bench.make({}, replace(page, probability_map=self.on_map(page.probability_map, value)))

    def fit(self, bench: Bench, page: Page) -> Span | None:
        """Return the values that make the page's boxes, see `Rule.fit`."""
        hit = self._first_fitting_value(bench, page)
        return None if hit is None else self.around(bench, page, hit)

    def around(self, bench: Bench, page: Page, hit: float) -> Span:
        """Return the values that make the page's boxes, around one of them."""
        ends = [self._outermost_fitting_value(bench, page, hit, bound) for bound in (self.low, self.high)]
        low, high = (float(each) for each in ends)
        if self.name == "thresh":  # between two values of the map nothing changes
            levels = rule_values_between_levels(page, low, high)
            return levels if self.fits(bench, page, levels.value) else levels._replace(value=hit)
        value = int(hit) if self.is_whole else roundest_rule_value(low, high)
        return Span(low, high, value if self.fits(bench, page, value) else hit)

    def _first_fitting_value(self, bench: Bench, page: Page) -> float | None:
        for value in self.known:
            if self.fits(bench, page, value):
                return value
        low, high = self.low, self.high
        for _ in range(24):
            middle = (low + high) // 2 if self.is_whole else (low + high) / 2
            made = self.make(bench, page, int(middle) if self.is_whole else middle)
            if made is None:
                return None
            if self._explains(made, page):
                return middle
            lead = self._search_direction(made, page.found)
            if lead == 0 or high - low <= (1 if self.is_whole else 1e-6):
                return None
            if (lead > 0) == self.grows:
                low = middle + 1 if self.is_whole else middle
            else:
                high = middle - 1 if self.is_whole else middle
            if low > high:
                return None
        return None

    def _search_direction(self, made: Detections, found: Detections) -> float:
        """Return whether boxes must grow, or become more (above 0), or the reverse."""
        if self.counts:
            return float(len(found) - len(made))
        pairs = match_polygons(found.polygons, made.polygons, min_iou=0.2).pairs
        if not pairs:
            return float(len(found) - len(made))
        return area([found.polygons[pair.reference] for pair in pairs]) - area(
            [made.polygons[pair.candidate] for pair in pairs]
        )

    def _outermost_fitting_value(self, bench: Bench, page: Page, good: float, bad: float) -> float:
        """Return the outermost value towards `bad` that still fits, to six digits."""
        if self.fits(bench, page, bad):
            return bad
        while abs(bad - good) > (1 if self.is_whole else max(1e-6, 2e-6 * abs(good))):
            middle = (good + bad) // 2 if self.is_whole else (good + bad) / 2
            if middle in (good, bad):
                break
            if self.fits(bench, page, int(middle) if self.is_whole else middle):
                good = middle
            else:
                bad = middle
        return good


Quantity: TypeAlias = "Callable[[Detections, Page], Array | None]"


@dataclass(frozen=True, kw_only=True)
class Cut(Rule):
    """Boxes are dropped by one of their quantities: those below a value, or those above.

    Attributes:
        quantity: of each box; None where the boxes do not have it.
        drops_below: else those above are dropped.
        base: values under which the boxes are made that are cut; none means the reference's own.
    """

    quantity: Quantity
    drops_below: bool = True
    base: Mapping[str, Any] = field(default_factory=dict)
    is_whole: bool = False

    def _uncut_boxes(self, bench: Bench, page: Page) -> Detections | None:
        return bench.make(self.base, page) if self.base else page.right

    def make(self, bench: Bench, page: Page, value: Any) -> Detections | None:
        """Return the boxes of a page's map, see `Rule.make`."""
        made = self._uncut_boxes(bench, page)
        amounts = None if made is None else self.quantity(made, page)
        if made is None or amounts is None:
            return None
        return subset(made, np.flatnonzero(amounts >= value if self.drops_below else amounts <= value))

    def fit(self, bench: Bench, page: Page) -> Span | None:
        """Return the values that make the page's boxes, see `Rule.fit`."""
        made = self._uncut_boxes(bench, page)
        amounts = None if made is None else self.quantity(made, page)
        if made is None or amounts is None:
            return None
        kept = indices_of_equal_boxes(page.found, made, page)
        if kept is None:
            return None
        is_kept = np.zeros(len(made), bool)
        is_kept[kept] = True
        if is_kept.all():
            edge = float(amounts.min(initial=0.0) if self.drops_below else amounts.max(initial=0.0))
            return Span(-math.inf, edge, edge) if self.drops_below else Span(edge, math.inf, edge)
        dropped, stays = amounts[~is_kept], amounts[is_kept]
        low, high = (dropped.max(), stays.min()) if self.drops_below else (stays.max(), dropped.min())
        if not low < high:
            return None
        if self.is_whole:
            return Span(float(low), float(high) - 1, int(low))
        # A value that is dropped does not fit, one that is kept does.
        low, high = (np.nextafter(low, high), high) if self.drops_below else (low, np.nextafter(high, low))
        return Span(float(low), float(high), roundest_rule_value(float(low), float(high)))


def subset(made: Detections, kept: Array) -> Detections:
    """Return the boxes of these indices, with their scores."""
    scores = None if made.scores is None else made.scores[kept]
    return Detections(tuple(made.polygons[int(index)] for index in kept), scores)
