"""Rules by which a line becomes as high and as wide as the network takes it, and which of them a side follows."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from pytest_ocrparity.compare.timesteps import is_size

Size: TypeAlias = "tuple[int, int]"
"""Height and width in pixels."""
Made: TypeAlias = "tuple[int, int, int]"
"""The tensor's height, the columns that hold the picture, and the tensor's width."""

SQUEEZED: Final = "squeezed"
AS_WIDE: Final = "as wide as the line"
STRETCHED: Final = "stretched"
KINDS: Final = (SQUEEZED, AS_WIDE, STRETCHED)
"""How a width is found, in the words of the parameters; see `says`."""

PADDLEOCR: Final = "PaddleOCR's"
ROUNDINGS: Final = (PADDLEOCR, "up", "down", "to the nearest")
"""How a line's own width is rounded. PaddleOCR rounds up, but cuts a line that is wider than the base."""
MULTIPLES: Final = (1, 4, 8, 16, 32, 64)

PROBES: Final = (
    *((48, 40), (32, 100), (48, 320), (37, 411), (20, 500), (64, 67), (31, 977), (53, 301), (47, 139)),
    *((16, 1400), (21, 640), (29, 203)),
)
"""Sizes of lines at which the rules disagree, from narrow to wide, few of which are as high as a network takes them."""


class LineRule(NamedTuple):
    """One rule.

    Attributes:
        kind: one of `KINDS`.
        height: of the tensor.
        base: the width up to which a line is filled up, squeezed or stretched; 0 where a line has its own alone.
        rounding: of a line's own width.
        multiple: of which the tensor's width is one.
        most: the width into which any wider line is squeezed, or None.
    """

    kind: str
    height: int
    base: int
    rounding: str = PADDLEOCR
    multiple: int = 1
    most: int | None = None

    def size(self, line: Size) -> Made:
        """Return what becomes of a line."""
        own = self.height * (line[1] / line[0])
        width = self._width(own)
        if self.most is not None and width > self.most:
            return self.height, self.most, self.most
        content = width if self.kind == STRETCHED else min(width, max(1, self._rounded(own)))
        return self.height, content, -(-width // self.multiple) * self.multiple

    def _width(self, own: float) -> int:
        if self.kind != AS_WIDE:
            return self.base
        if self.rounding != PADDLEOCR:
            return max(self.base, self._rounded(own), 1)
        return max(self.base, int(own), 1)

    def _rounded(self, own: float) -> int:
        if self.rounding == "down":
            return int(own)
        return round(own) if self.rounding == "to the nearest" else math.ceil(own)

    def says(self) -> str:
        """Return the rule as messages name it."""
        size = f"{self.base} px"
        if self.kind == STRETCHED:
            return f"stretches every line to {size}"
        if self.kind == SQUEEZED:
            return f"makes every line {size} wide, and squeezes a longer one into that"
        least = f", and {size} at least" if self.base else ""
        return f"lets a line be as wide as it is{least}"


def line_rule_size(parameters: Mapping[str, Any]) -> Made | None:
    """Return what a side says became of a line; None where it does not."""
    found: list[Any] = [parameters.get(name) for name in ("height", "content_width", "width")]
    return (int(found[0]), int(found[1]), int(found[2])) if all(map(is_size, found)) else None


def fitting_line_rules(sizes: Mapping[Size, Made]) -> list[LineRule]:
    """Return the rules that predict what becomes of each line; the first that fits of each kind is the simplest."""
    heights = {made[0] for made in sizes.values()}
    if len(heights) != 1 or not sizes:
        return []
    widths = sorted({made[2] for made in sizes.values()})
    caps = (None, widths[-1]) if len(widths) > 1 else (None,)
    rules = (
        LineRule(kind, min(heights), base, rounding, multiple, most)
        for most, multiple, rounding, kind in itertools.product(caps, MULTIPLES, ROUNDINGS, KINDS)
        for base in ([0, widths[0]] if kind == AS_WIDE else widths[-1:])
    )
    return [rule for rule in rules if all(rule.size(line) == made for line, made in sizes.items())]


def line_rule_of_parameters(parameters: Mapping[str, Any]) -> LineRule | None:
    """Return the rule that a side states; None where it states none."""
    shape: Any = parameters.get("input_shape") or parameters.get("image_shape")
    kind: Any = parameters.get("rule")
    is_stated = kind in KINDS and isinstance(shape, Sequence) and len(shape) == 3 and all(map(is_size, shape))
    if not is_stated:
        return None
    most: Any = parameters.get("max_width")
    return LineRule(kind, int(shape[1]), int(shape[2]), most=int(most) if is_size(most) else None)


class Departure(NamedTuple):
    """One way in which the candidate's rule is not the reference's: its cause, and the fields that differ."""

    cause: str
    fields: tuple[str, ...]


def line_rule_departures(right: LineRule, own: LineRule, line: Size, *, is_given: bool) -> list[Departure]:
    """Return how the candidate's rule differs from the reference's, as far as this line is another for it.

    With all of them put right the line is the reference's; those that can be left out are left out.

    Args:
        right: the reference's.
        own: the candidate's.
        line: the line's size.
        is_given: whether the candidate was given an `input_shape`.
    """
    stretches = right.kind != own.kind and STRETCHED in (right.kind, own.kind)
    if stretches:
        cause = "resize.input_shape" if own.kind == STRETCHED and is_given else "resize.stretch"
        possible = [Departure(cause, ("kind", "base"))]
    else:
        possible = [Departure("resize.width", ("kind",)), Departure("resize.width", ("base",))]
    possible.append(Departure("resize.height", ("height",)))
    possible.append(Departure("resize.rounding", ("rounding",)))
    possible.append(Departure("resize.padding", ("multiple",)))
    possible.append(Departure("resize.max_width", ("most",)))
    needed = [each for each in possible if any(getattr(right, name) != getattr(own, name) for name in each.fields)]
    for each in list(needed):
        fewer = [other for other in needed if other is not each]
        if put_right(right, own, fewer).size(line) == right.size(line):
            needed = fewer
    return needed


def put_right(right: LineRule, own: LineRule, chosen: Sequence[Departure]) -> LineRule:
    """Return a rule with some fields of another."""
    return own._replace(**{name: getattr(right, name) for each in chosen for name in each.fields})
