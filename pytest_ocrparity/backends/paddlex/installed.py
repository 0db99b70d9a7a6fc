"""The installed post-process under the values of a baseline, for experiments where the train model is not there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.artifacts.evaluation import OTHERS
from pytest_ocrparity.artifacts.ocr_options import THRESHOLDS
from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.trace import Detections, Shape

NAMES: Final = (*THRESHOLDS, *OTHERS)


class InstalledPostprocess:
    """paddlex's DBPostProcess with the values that a baseline recorded; it offers `contract.PostprocessesWith`.

    It is not what made the baseline: whoever uses it shows first that it makes the baseline's boxes of its map.
    """

    def __init__(self, recorded: Mapping[str, Any]) -> None:
        """Take the parameters that a baseline recorded of its post-process."""
        self.recorded = {name: recorded[name] for name in NAMES if recorded.get(name) is not None}

    def postprocess_with(self, values: Mapping[str, Any]) -> Callable[[npt.NDArray[np.float32], Shape], Detections]:
        """Return a post-process of (1, C, h, w) maps with other values. Raises ValueError for one that it lacks."""
        unknown = {*values} - {*NAMES, "min_size"}
        if unknown or len(self.recorded) < len(NAMES):
            missing = sorted(unknown or {*NAMES} - {*self.recorded})
            raise ValueError(f"paddlex's DBPostProcess can't be built: {', '.join(missing)} unknown")
        with isolated():
            from paddlex.inference.models.text_detection.processors import DBPostProcess

            used = {**self.recorded, **values}
            made = DBPostProcess(**{name: used[name] for name in NAMES})
        made.min_size = values.get("min_size", made.min_size)

        def postprocess(probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
            with isolated():
                # Its __call__ takes a threshold of 0 for none; `process` is what it calls with what it took.
                boxes, scores = made.process(
                    np.asarray(probability_map)[0],
                    np.array(shape, np.float64),
                    used["thresh"],
                    used["box_thresh"],
                    used["unclip_ratio"],
                )
            return Detections(tuple(np.asarray(box, np.float64) for box in boxes), np.asarray(scores, np.float64))

        return postprocess
