"""The maps of recognisers: whether their timesteps pair, which of them have another best class, and where they lie.

A map is (1, T, C): T timesteps along the line, C classes, of which the first is the blank.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.comparison import Difference
from pytest_ocrparity.stages import PROBABILITY_MAP, RESIZE
from pytest_ocrparity.trace import Trace

ROW_SUM: Final = 1e-3
"""How far the probabilities of a timestep may be from 1 together: float32 sums of 18,385 classes were within 1e-5."""

_Map = npt.NDArray[Any]


def timestep_form_difference(reference: _Map, candidate: _Map) -> Difference | None:
    """Return why two recognisers' maps do not pair, or None where they do."""
    shapes = reference.shape, candidate.shape
    if any(len(shape) != 3 or shape[0] != 1 for shape in shapes):
        return Difference(PROBABILITY_MAP, "line_shape", *shapes)
    if not reference.size or not candidate.size:
        return Difference(PROBABILITY_MAP, "no_values", *shapes)
    if shapes[0][2] != shapes[1][2]:
        return Difference(PROBABILITY_MAP, "classes", shapes[0][2], shapes[1][2])
    if shapes[0][1] != shapes[1][1]:
        return Difference(PROBABILITY_MAP, "timesteps", shapes[0][1], shapes[1][1])
    return None


def timestep_sum_difference(reference: _Map, candidate: _Map) -> Difference | None:
    """Return that the values of a side's timesteps are no probabilities, or None; it fails where only one side's are.

    Values that are no probabilities on both sides are what the reference's network returns.
    """
    offs = tuple(
        float(np.max(np.abs(each.sum(-1, dtype=np.float64) - 1.0), initial=0.0)) for each in (reference, candidate)
    )
    are_probabilities = [off <= ROW_SUM for off in offs]
    if all(are_probabilities):
        return None
    return Difference(PROBABILITY_MAP, "row_sums", offs[0], offs[1], fails=any(are_probabilities))


def changed_timesteps(reference: _Map, candidate: _Map) -> npt.NDArray[np.intp]:
    """Return the timesteps of two maps of one shape whose best class differs."""
    return np.flatnonzero(reference[0].argmax(1) != candidate[0].argmax(1))


def timestep_margins(reference: _Map, candidate: _Map) -> npt.NDArray[np.floating[Any]]:
    """Return by how much the reference prefers its class to the candidate's, at each timestep that changed."""
    steps = changed_timesteps(reference, candidate)
    values, own, other = reference[0, steps], reference[0, steps].argmax(1), candidate[0, steps].argmax(1)
    rows = np.arange(len(steps))
    found: npt.NDArray[np.floating[Any]] = values[rows, own] - values[rows, other]
    return found


def timestep_column_place(trace: Trace, column: float, row: float = 0.0) -> tuple[float, float] | None:
    """Convert a column and a row of a recogniser's tensor into x, y of the source image; None where it is not known.

    A column in the padding lies beyond the right edge of the image.
    """
    said = trace.parameters.get(RESIZE, {})
    content: Any = said.get("content_width")
    height: Any = said.get("height")
    if trace.decode is None or not is_size(content) or not is_size(height):
        return None
    return float(column * trace.decode.shape[1] / content), float(row * trace.decode.shape[0] / height)


def timestep_place(trace: Trace, step: int) -> tuple[float, float] | None:
    """Return the middle of what a timestep mostly sees, in x, y of the source image; None where it is not known."""
    width: Any = trace.parameters.get(RESIZE, {}).get("width")
    height: Any = trace.parameters.get(RESIZE, {}).get("height")
    if trace.probability_map is None or not is_size(width) or not is_size(height):
        return None
    return timestep_column_place(trace, (step + 0.5) * width / trace.probability_map.shape[1], height / 2)


def is_size(value: Any) -> bool:
    """Return whether a parameter that a side names, which may be anything, is a size in pixels."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e9
