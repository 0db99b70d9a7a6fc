"""What tests of a diagnosis have in common: pages, sides with one thing wrong, and what was found."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from toy import PAGE, Toy, page

from pytest_ocrparity import Detections, Trace
from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.diagnose import diagnose
from pytest_ocrparity.diagnose.cache import DiagnosisCache
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.errors import StageError
from pytest_ocrparity.files import image_file_bytes
from pytest_ocrparity.stages import PROBABILITY_MAP
from pytest_ocrparity.tolerance import BUILT_IN
from pytest_ocrparity.trace import Image

Array: TypeAlias = "npt.NDArray[Any]"
GREY = np.repeat(PAGE[..., 1:2], 3, axis=2)
WORDS = ((8, 8, 30, 18), (60, 30, 84, 42), (110, 60, 140, 74), (20, 76, 44, 88))
SPREAD = page(96, 160, WORDS)
"""Words further from each other than they are wide and high, so that a fit of their coordinates is possible."""
RAMP = PAGE + (np.arange(96, dtype=np.uint8) // 4)[None, :, None]
"""Enough levels in each channel for a fit of the tensors."""
OTHER_PAGE = page(96, 128, ((10, 10, 60, 30), (12, 50, 110, 70)))
"""Of another size than PAGE, so that a side can do something else on it."""
PAGES = tuple(page(boxes=((8, 8 + y, 60, 20 + y),)) for y in (0, 10, 20, 30))
SHADED = PAGE + np.arange(24, dtype=np.uint8).repeat(4)[None, :, None]


class Varied(Toy):
    """Can be run with other parameters."""

    def varied(self, changes: Mapping[str, Mapping[str, Any]]) -> Toy:
        values = {name: value for table in changes.values() for name, value in table.items()}
        return replace(self, **{name: v[0] if isinstance(v, list) else v for name, v in values.items()})


class Refuses(Toy):
    def varied(self, changes: Mapping[str, Mapping[str, Any]]) -> Toy:
        raise ValueError("these are compiled in")


class Squares(Toy):
    """Returns another map, for a reason that no experiment knows."""

    def infer(self, tensor: Array) -> Array:
        return np.asarray(super().infer(tensor) ** 2)


def seen(side: Toy, image: Image = PAGE) -> Trace:
    """Return a trace that knows which image it is of, as those of real pipelines do."""
    return replace(side.trace(image), image_sha256=hashlib.sha256(image_file_bytes(image)[1]).hexdigest())


def only(reference: Trace, candidate: Trace) -> Diagnosis:
    (diagnosis,) = diagnose(reference=reference, candidate=candidate)
    return diagnosis


def judged(diagnosis: Diagnosis) -> tuple[str, str]:
    return diagnosis.stage, diagnosis.cause


def says(texts: tuple[str, ...], *starts: str) -> bool:
    return all(any(text.startswith(start) for text in texts) for start in starts)


def moved(detections: Detections | None, change: Callable[[int, Array], Array]) -> Detections:
    assert detections is not None
    return Detections(tuple(change(i, p) for i, p in enumerate(detections.polygons)), detections.scores)


def digest(pixels: Array) -> str:
    return hashlib.sha256(image_file_bytes(pixels)[1]).hexdigest()


def on(side: Toy, pixels: Array = PAGE, name: str = "page 0") -> Trace:
    """Return a trace of an array, with the digest by which a diagnosis knows it again."""
    return replace(side.trace(pixels), image=name, image_sha256=digest(pixels))


def cause_of(reference: Trace, candidate: Trace, **keywords: Any) -> Diagnosis:
    (found,) = diagnose(reference=reference, candidate=candidate, **keywords)
    return found


def stopped(trace: Trace) -> Trace:
    error = StageError(PROBABILITY_MAP, "the engine stopped")
    return replace(trace, probability_map=None, detections=None, error=error)


def on_spread(side: Toy, image: Array = SPREAD, name: str = "page 0") -> Trace:
    return on(side, image, name)


def found_by(cache: DiagnosisCache, reference: Trace, candidate: Trace) -> tuple[Diagnosis, ...]:
    comparisons = Comparisons(reference, candidate, BUILT_IN)
    assert not all(each.is_match for each in comparisons.all())
    return cache.diagnose(comparisons)


def all_judged(found: Sequence[Diagnosis]) -> list[tuple[str, str]]:
    return [judged(each) for each in found]


def boxes(trace: Trace) -> list[Array]:
    assert trace.detections is not None
    return list(trace.detections.polygons)


def each_moved(detections: Detections, change: Any) -> Detections:
    return moved(detections, lambda _, polygon: change(polygon))
