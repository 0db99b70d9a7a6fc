"""How PaddleOCR 3.x cuts lines out of a page, and in which order it reads them: paddlex's own operators, run alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.paddlex.returned import polygon_places
from pytest_ocrparity.contract.page_readers import CUT


def paddlex_cuts(picture: npt.NDArray[np.uint8], polygons: Sequence[npt.ArrayLike]) -> list[npt.NDArray[np.uint8]]:
    """Return what paddlex cuts out of a BGR picture for each polygon; nothing where a box leaves nothing."""
    with isolated():
        from paddlex.inference.pipelines.components import CropByPolys

        boxes = [np.asarray(polygon) for polygon in polygons]
        return [np.asarray(cut) for cut in CropByPolys(det_box_type="quad")(picture, boxes)]


def paddlex_order(polygons: Sequence[npt.ArrayLike]) -> list[int]:
    """Return the places of polygons in the order in which paddlex reads them."""
    if not len(polygons):
        return []
    with isolated():
        from paddlex.inference.pipelines.components import SortQuadBoxes

        order = polygon_places(polygons, SortQuadBoxes()([np.asarray(polygon) for polygon in polygons]))
    assert None not in order, "it returns the boxes that it is given"
    return [place for place in order if place is not None]


def paddlex_step(step: str) -> Any:
    """Return what paddlex puts in the place of a pipeline's step: `contract.page_readers.CUT` or `ORDER`."""
    with isolated():
        from paddlex.inference.pipelines.components import CropByPolys, SortQuadBoxes

        return CropByPolys(det_box_type="quad") if step == CUT else SortQuadBoxes()
