"""What paddlex's detectors and recognisers return, and a pipeline around them, as the fields of a trace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.trace import Detections, Recognition


def returned_recognition(text: Any, score: Any) -> Recognition:
    """Return what a recogniser returns of a line; with `return_word_box` its text stands first among its words."""
    return Recognition(text if isinstance(text, str) else str(text[0]), float(score))


def returned_detections(result: Mapping[str, Any]) -> Detections:
    """Return the boxes and scores of a detector's result."""
    polygons = tuple(np.asarray(polygon, dtype=np.float64) for polygon in result["dt_polys"])
    return Detections(polygons, np.asarray(result["dt_scores"], dtype=np.float64))


def as_returned(found: Detections, returned: Sequence[npt.ArrayLike]) -> Detections:
    """Return the boxes that a pipeline returns, each with the score that its detector gave it.

    Where they are the detector's as a set, they are returned in its order.
    """
    made, known = with_returned_scores(found, returned)
    return found if None not in known and len(known) == len(found) else made


def with_returned_scores(found: Detections, returned: Sequence[npt.ArrayLike]) -> tuple[Detections, list[int | None]]:
    """Return the boxes that a pipeline returns in its order, and the place of each among the detector's.

    A box that the detector did not find has no score, and then none has.
    """
    polygons = [np.asarray(polygon, np.float64) for polygon in returned]
    known = polygon_places(found.polygons, polygons)
    scores = None
    if found.scores is not None and None not in known:
        scores = found.scores[np.array(known, dtype=int)]
    return Detections(tuple(polygons), scores), known


def polygon_places(of: Sequence[npt.ArrayLike], polygons: Sequence[npt.ArrayLike]) -> list[int | None]:
    """Return for each polygon its place among others, each of which stands for one; None where it is not there."""
    places: dict[bytes, list[int]] = {}
    for index, polygon in enumerate(of):
        places.setdefault(np.asarray(polygon, np.float64).tobytes(), []).append(index)
    keys = [np.asarray(polygon, np.float64).tobytes() for polygon in polygons]
    return [left.pop(0) if (left := places.get(key)) else None for key in keys]
