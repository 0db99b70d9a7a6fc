"""What a detector, and a pipeline around it, return, as detections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.trace import Detections


def returned_detections(result: Mapping[str, Any]) -> Detections:
    """Return the boxes and scores of a detector's result."""
    polygons = tuple(np.asarray(polygon, dtype=np.float64) for polygon in result["dt_polys"])
    return Detections(polygons, np.asarray(result["dt_scores"], dtype=np.float64))


def as_returned(found: Detections, returned: Sequence[npt.ArrayLike]) -> Detections:
    """Return the boxes that a pipeline returns, each with the score that its detector gave it.

    Where they are the detector's as a set, they are returned in its order. A box that the detector did not find has no
    score, and then none has.
    """
    places: dict[bytes, list[int]] = {}
    for index, polygon in enumerate(found.polygons):
        places.setdefault(polygon.tobytes(), []).append(index)
    polygons = [np.asarray(polygon, np.float64) for polygon in returned]
    known = [left.pop(0) if (left := places.get(polygon.tobytes())) else None for polygon in polygons]
    if None not in known and len(known) == len(found):
        return found
    scores = None
    if found.scores is not None and None not in known:
        scores = found.scores[np.array(known, dtype=int)]
    return Detections(tuple(polygons), scores)
