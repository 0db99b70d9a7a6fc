"""Rules by which a page's size becomes the network's, and which of them predict the sizes that a candidate has."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

Size: TypeAlias = "tuple[int, int]"
Rounding: TypeAlias = Callable[[float], int]


def _to_multiples(multiple: int, whole: Callable[[float], int]) -> Rounding:
    return lambda side: whole(int(side) / multiple) * multiple


PADDLEOCR: Final = "int, then round half to even"
ROUNDINGS: Final[Mapping[str, Rounding]] = {
    PADDLEOCR: lambda side: round(int(side) / 32) * 32,
    "floor to 32": lambda side: math.floor(side / 32) * 32,
    "ceil to 32": lambda side: math.ceil(round(side / 32, 6)) * 32,  # a ratio may miss a whole number by 1e-13
    "round half up": lambda side: math.floor(int(side) / 32 + 0.5) * 32,
    "round without int": lambda side: round(side / 32) * 32,
    "(n / 32 - 1) * 32": lambda side: (int(side / 32) - 1) * 32,
    "(n / 32 - 1) * 32, but for multiples of 32": lambda side: (
        int(side) if int(side) % 32 == 0 else (int(side) // 32 - 1) * 32
    ),
    **{
        f"{way} to {multiple}": _to_multiples(multiple, whole)
        for multiple in (8, 16, 64, 128)
        for way, whole in (("round", round), ("floor", math.floor), ("ceil", math.ceil))
    },
    "no rounding": int,
}
"""How a port may round a scaled side; the first is that of `DetResizeForTest.resize_image_type0` on both sides, the
one of PaddleOCR 1.x subtracts 1, and that of `resize_long` rounds up to 128."""

PROBES: Final = (
    *((70, 90), (100, 260), (333, 501), (480, 640), (517, 389), (600, 75), (720, 1280), (848, 848)),
    *((40, 60), (760, 1400), (760, 1700), (760, 4200)),
)
"""Sizes (h, w) at which roundings or limits disagree; 736/min makes none of them larger than 5888 px."""

DEFAULTS: Final = ((960, "max"), (736, "min"), (64, "min"), (640, "max"), (1280, "max"), (1536, "max"), (4000, "max"))
"""Default limits of releases and configurations of PaddleOCR."""
SIDES: Final = tuple(sorted({*range(32, 4097, 32), 500, 600, 720, 800, 900, 1000, 1080, 1200, 1333, 1500, 2000, 4000}))
KINDS: Final = ("min", "max", "resize_long")


def sides_of_rules(own: Any) -> Sequence[int]:
    """Return the lengths that limits may have: those that are usual, and the reference's own."""
    return sorted({*SIDES, int(own)}) if isinstance(own, int | float) else SIDES


class SizeRule(NamedTuple):
    """Limits with a rounding."""

    side: int
    kind: str
    rounding: str = PADDLEOCR

    def __str__(self) -> str:
        """Return the rule as messages name it."""
        rounding = "" if self.rounding == PADDLEOCR else f", {self.rounding}"
        return f"{self.side}/{self.kind}{rounding}"

    def size(self, page: Size) -> Size:
        """Return the (h, w) that it gives a page."""
        return size_by_rule(page, {"limit_side_len": self.side, "limit_type": self.kind}, ROUNDINGS[self.rounding])


def size_by_rule(page: Size, limits: Mapping[str, Any], rounding: Rounding) -> Size:
    """Return the (h, w) that PaddleOCR's limit rule gives a page, with a given rounding."""
    height, width = page
    limit, kind = float(limits["limit_side_len"]), limits["limit_type"]
    ratio = 1.0
    if kind == "max" and max(page) > limit:
        ratio = limit / max(page)
    elif kind == "min" and min(page) < limit:
        ratio = limit / min(page)
    elif kind == "resize_long":
        ratio = limit / max(page)
    return max(rounding(height * ratio), 32), max(rounding(width * ratio), 32)


def fitting_size_rules(sizes: Mapping[Size, Size | None], apart_from: tuple[Any, Any]) -> list[SizeRule]:
    """Return the rules that predict all sizes, but for the reference's own limits with PaddleOCR's rounding."""
    sides = sides_of_rules(apart_from[0])
    rules = (SizeRule(side, kind, name) for name in ROUNDINGS for kind in KINDS for side in sides)
    return [
        rule
        for rule in rules
        if (rule.rounding != PADDLEOCR or (rule.side, rule.kind) != apart_from)
        and all(rule.size(page) == size for page, size in sizes.items())
    ]


def simplest_size_rules(rules: Sequence[SizeRule]) -> list[SizeRule]:
    """Return the rules of the first rounding that fits: one that rounds otherwise needs a page that shows it."""
    names = [name for name in ROUNDINGS if any(rule.rounding == name for rule in rules)]
    return [rule for rule in rules if rule.rounding == names[0]] if names else []


def size_rules_text(rules: Sequence[SizeRule]) -> str:
    """Return a class of rules in words, such as "64 to 512/min, or 1280 to 4096/max (no scaling)"."""
    parts = []
    for name in dict.fromkeys(rule.rounding for rule in rules):
        for kind in KINDS:
            sides = [rule.side for rule in rules if (rule.kind, rule.rounding) == (kind, name)]
            if sides:
                span = str(sides[0]) if len(sides) == 1 else f"{sides[0]} to {sides[-1]}"
                parts.append(f"{span}/{kind}{'' if name == PADDLEOCR else f' ({name})'}")
    return ", or ".join(parts)
