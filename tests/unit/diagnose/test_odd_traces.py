"""No trace of a user's own engine ends a diagnosis, whatever stands in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pytest
from diagnosing import Array, Varied, on_spread
from recognisers import Resizes, traced
from toy import Toy

from pytest_ocrparity import Trace
from pytest_ocrparity.diagnose import diagnose
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.trace import Decoded, Detections, Recognition

ODD: Final = {
    "resize": {"rule": 3, "image_shape": "3,48,320", "limit_side_len": "960", "height": "x"},
    "tensor": {"mean": "a", "std": None, "scale": "1./255."},
    "detections": {"thresh": "x", "box_type": 5, "box_thresh": None, "unclip_ratio": "2"},
    "text": {"characters": "x", "dictionary": 4, "reorders": 3},
    "decode": {"img_mode": 7},
}
"""Parameters that are none of the types that PaddleOCR's have."""


pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # as a run makes its experiments


def spoilt(change: Callable[[Array], Array], *names: str) -> Callable[[Trace], Mapping[str, Any]]:
    """Return what changes some arrays of a trace."""
    return lambda trace: {name: change(getattr(trace, name)) for name in names}


def larger(trace: Trace) -> Array:
    """Return a tensor that differs, so that experiments with it begin."""
    assert trace.tensor is not None
    return trace.tensor * np.float32(1.1)


ARRAYS: Final = ("tensor", "probability_map")
CHANGES: Final[Mapping[str, Callable[[Trace], Mapping[str, Any]]]] = {
    **{
        f"{words} {name}": spoilt(change, name)
        for name in ARRAYS
        for words, change in {
            "an empty": lambda array: array[..., :0],
            "a smaller": lambda array: array[0] * np.float32(0.9),
            "a flat": lambda array: array.ravel(),
            "a NaN": lambda array: np.full_like(array, np.nan),
            "an infinite": lambda array: np.full_like(array, np.inf),
            "a uint8": lambda array: (array * 100).astype(np.uint8),
            "a doubled": lambda array: np.concatenate([array, array]),
        }.items()
    },
    "no tensor": lambda trace: {"tensor": None},
    "no map": lambda trace: {"probability_map": None},
    "one channel": lambda trace: {"tensor": larger(trace)[:, :1]},
    "a grey picture": lambda trace: {"tensor": larger(trace), "resize": np.zeros((4, 5), np.uint8)},
    "no picture": lambda trace: {"tensor": larger(trace)[0], "resize": None},
    "no decoded image": lambda trace: {"tensor": larger(trace), "decode": None},
    "a grey image": lambda trace: {"decode": Decoded.of(np.zeros((10, 12), np.uint8), "GRAY")},
    "an image of 16 bits": lambda trace: {"decode": Decoded.of(np.zeros((10, 12, 3), np.uint16), "BGR")},
    "an image with alpha": lambda trace: {"decode": Decoded.of(np.zeros((10, 12, 4), np.uint8), "BGR")},
    "no row": lambda trace: {"tensor": larger(trace), "shape": None},
    "a row of zeros": lambda trace: {"shape": (0.0, 0.0, 0.0, 0.0)},
    "a row of two": lambda trace: {"tensor": larger(trace)[..., 1:], "resize": None, "shape": (96.0, 160.0)},
    "odd parameters": lambda trace: {"tensor": larger(trace), "parameters": ODD},
    "no parameters": lambda trace: {"tensor": larger(trace), "parameters": {}},
}
BOXES: Final[Mapping[str, Array]] = {
    "no points": np.zeros((0, 2)),
    "one point": np.array([[3.0, 4]]),
    "NaN": np.full((4, 2), np.nan),
    "infinity": np.full((4, 2), np.inf),
    "a triangle": np.array([[0.0, 0], [9, 0], [0, 9]]),
    "a huge one": np.array([[0.0, 0], [1e9, 0], [1e9, 1e9], [0, 1e9]]),
    "no area": np.zeros((4, 2)),
}
SIDES: Final = ("reference", "candidate", "candidate without a source")


def examined(reference: Trace, candidate: Trace, side: str, values: Mapping[str, Any]) -> tuple[Diagnosis, ...]:
    """Diagnose two traces, one with other values."""
    if side == "reference":
        moved = spoilt(np.sqrt, "probability_map")(candidate)
        changed = replace(candidate, tensor=larger(candidate), **moved)
        return diagnose(reference=replace(reference, **values), candidate=changed)
    source = candidate.source if side == "candidate" else None
    return diagnose(reference=reference, candidate=replace(candidate, source=source, **values))


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("change", CHANGES)
def test_of_a_detector(side: str, change: str) -> None:
    reference, candidate = on_spread(Toy()), on_spread(Varied(name="port"))
    values = CHANGES[change](reference if side == "reference" else candidate)
    assert all(each.summary for each in examined(reference, candidate, side, values))


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("change", CHANGES)
def test_of_a_recogniser(side: str, change: str) -> None:
    reference, candidate = traced(Resizes(name="train")), traced(Resizes())
    values = CHANGES[change](reference if side == "reference" else candidate)
    assert all(each.summary for each in examined(reference, candidate, side, values))


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("box", BOXES)
def test_of_boxes(side: str, box: str) -> None:
    reference, candidate = on_spread(Toy()), on_spread(Varied(name="port"))
    found = (reference if side == "reference" else candidate).detections
    assert found is not None and found.scores is not None
    made = Detections((*found.polygons, BOXES[box]), np.append(found.scores, 0.9))
    assert all(each.summary for each in examined(reference, candidate, side, {"detections": made}))


@pytest.mark.parametrize("read", [Recognition("zz", 0.5), Recognition("", 0.0), Recognition("ab", float("nan")), None])
def test_of_a_text(read: Recognition | None) -> None:
    reference, candidate = traced(Resizes(name="train")), traced(Resizes())
    assert all(each.summary for each in examined(reference, candidate, "candidate", {"recognition": read}))
