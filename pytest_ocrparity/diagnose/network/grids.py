"""The grids to which reduced precision rounds weights: fp16, bf16, and 8 bits by how their step is chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Final, NamedTuple

import numpy as np

from pytest_ocrparity.trace import Array


class Grid(NamedTuple):
    """The cause that weights on a grid have, and how the grid is said."""

    cause: str
    text: str


def grid_of(pairs: Sequence[tuple[Array, Array]]) -> Grid | None:
    """Return the grid to which arrays were rounded; None unless each is on one, and that is no chance.

    Args:
        pairs: of each array that differs, what an export stores and what was trained, of one shape.
    """
    found = [[name for name, rounds in GRIDS.items() if rounds(*pair)] for pair in pairs]
    if not pairs or not all(found):
        return None
    common = [name for name in GRIDS if all(name in each for each in found)]
    # Where no grid is that of all arrays, as of int8 kernels beside fp16 statistics, the coarsest is the cause.
    names = common[:1] or [name for name in GRIDS if any(each[0] == name for each in found)]
    cause = max((CAUSES_OF[name] for name in names), key=COARSENESS.index)
    is_chance = cause == COARSENESS[-1] and not any(_moves(*pair) for pair in pairs)
    return None if is_chance else Grid(cause, " and ".join(names))


def _moves(exported: Array, trained: Array) -> bool:
    least = np.max(np.abs(trained), initial=0.0) / LEAST
    return int(np.count_nonzero(np.abs(exported - trained) > least)) >= MOVED


def _to_half(exported: Array, trained: Array) -> bool:
    """Return whether an array is the trained one rounded to float16, or cut to it, as paddle 3.0 does on CPU."""
    with np.errstate(over="ignore"):
        nearest = trained.astype(np.float16)
    is_beyond = np.abs(nearest) > np.abs(trained)
    cut = np.where(is_beyond, np.nextafter(nearest, np.float16(0)), nearest)
    return any(np.array_equal(exported, each.astype(trained.dtype)) for each in (nearest, cut))


def _to_bfloat16(exported: Array, trained: Array) -> bool:
    """Return whether an array is the trained one rounded to its upper 16 bits, or cut to them."""
    if trained.dtype != np.float32:
        return False
    bits = np.ascontiguousarray(trained).view(np.uint32).astype(np.uint64)
    nearest = bits + 0x7FFF + ((bits >> 16) & 1)
    return any(
        np.array_equal(exported, (each & 0xFFFF0000).astype(np.uint32).view(np.float32)) for each in (nearest, bits)
    )


NEAREST: Final = 0.502
"""How far, in steps, a value may lie from the one that it was rounded from: half a step, and how float32 rounds."""
WHOLE: Final = 1e-3
"""How far a value may lie from whole steps: rounding to float32 leaves 1e-5."""
MOVED: Final = 4
LEAST: Final = 12800
"""Of one array so many values must have been moved by 1 / LEAST of the largest: what was not moved is on any grid."""


def lies_on_steps(exported: Array, trained: Array, step: Array | float) -> bool:
    """Return whether an array is the trained one rounded to whole steps; the outermost may be cut off by a step."""
    step = np.maximum(step, 1e-30)
    steps, off = exported / step, np.abs(exported - trained) / step
    if np.max(np.abs(steps - np.round(steps)), initial=0.0) > WHOLE:
        return False
    is_outermost = (exported == exported.max(initial=0.0)) | (exported == exported.min(initial=0.0))
    return bool(np.all((off <= NEAREST) | (is_outermost & (off <= 2 * NEAREST))))


def _to_eight_bits(axis: int | None, choices: Sequence[float | None]) -> Callable[[Array, Array], bool]:
    """Return a check for 8 bits with one step per array, or per channel along an axis.

    `choices` are how many steps the largest value may have; None is for a zero point, where 255 are the whole range.
    """

    def rounds(exported: Array, trained: Array) -> bool:
        if axis is not None and trained.ndim < 2:
            return False
        axes = None if axis is None else tuple(each for each in range(trained.ndim) if each != axis)
        high, low = (of(trained, axis=axes, keepdims=True, initial=0.0) for of in (np.max, np.min))
        largest = np.maximum(high, -low)
        steps = ((high - low) / 255 if most is None else largest / most for most in choices)
        return any(lies_on_steps(exported, trained, step) for step in steps)

    return rounds


PLACES: Final = {"per tensor": None, "per channel": 0, "per channel of the second axis": 1}
STEPS: Final[Mapping[str, Sequence[float | None]]] = {"symmetric": (127, 127.5, 128), "with a zero point": (None,)}
GRIDS: Final[Mapping[str, Callable[[Array, Array], bool]]] = {
    "half precision (fp16)": _to_half,
    "bfloat16": _to_bfloat16,
    **{
        f"8 bits {place}, {kind}": _to_eight_bits(axis, STEPS[kind])
        for (place, axis), kind in product(PLACES.items(), STEPS)
    },
}
"""By its name, whether an array is the trained one on a grid; of several that fit, the first is meant."""
COARSENESS: Final = ("precision.fp16", "precision.bf16", "precision.int8")
CAUSES_OF: Final = dict(zip(GRIDS, (*COARSENESS[:2], *[COARSENESS[2]] * (len(GRIDS) - 2)), strict=True))
