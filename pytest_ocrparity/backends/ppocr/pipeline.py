"""The trained detector, run by PaddleOCR's own training-side code as `tools/infer_det.py` runs it.

Nothing of the processing is done here. `load_ppocr_pipeline` loads what the YAML file is of: detector or recogniser.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.artifacts.configs import STAGE_OF, read_config
from pytest_ocrparity.artifacts.families import DETECTORS, family_of_training
from pytest_ocrparity.artifacts.model_files import TrainingFiles
from pytest_ocrparity.backends.effective_parameters import effective_training_detections
from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.memory_guard import MemoryGuard, Watched
from pytest_ocrparity.backends.ppocr.network import Network, build_network
from pytest_ocrparity.backends.ppocr.operators import (
    BITMAP_READERS,
    Parts,
    build_ppocr_operators,
    build_ppocr_post_process,
    with_operators_resizing_to,
)
from pytest_ocrparity.backends.ppocr.trained_recogniser import TrainedRecogniser
from pytest_ocrparity.backends.ppocr.trained_side import TrainedSide
from pytest_ocrparity.backends.replacing import replaced
from pytest_ocrparity.backends.resampling import resampling_to_page
from pytest_ocrparity.backends.staged import StagedPipeline
from pytest_ocrparity.stages import RESIZE
from pytest_ocrparity.trace import Detections, Image, Shape, Trace, trace_copy

MOST_SIZES = 8
"""For how many sizes operators are kept; an experiment goes back and forth between a few."""


class TrainingPipeline(TrainedSide, StagedPipeline):
    """A trained DB detector."""

    family = DETECTORS

    def __init__(
        self, parts: Parts, files: TrainingFiles, memory: MemoryGuard, *, name: str, fingerprint: Mapping[str, str]
    ) -> None:
        """Take what `load` built, and what it built it from."""
        super().__init__(parts, files, memory, name=name, fingerprint=fingerprint)
        self._at_size: dict[tuple[int, int], TrainingPipeline] = {}

    @classmethod
    def _build(cls, files: TrainingFiles, folder: Path | None, device: str) -> Parts:
        network = build_network(files.yml["Architecture"], files, folder=folder, device=device, kind=Network)
        return build_ppocr_operators(files.yml, network, files.config)

    def _parts_under(self, yml: Mapping[str, Any]) -> Parts:
        return build_ppocr_operators(yml, self.network, self.files.config)

    def _record_resize(self, trace: Trace, state: Mapping[str, Any], watched: Watched) -> Trace:
        height, width, ratio_h, ratio_w = map(float, state["shape"])
        return replace(trace, resize=trace_copy(state["image"]), shape=(height, width, ratio_h, ratio_w))

    def postprocess_with(self, values: Mapping[str, Any]) -> Callable[[npt.NDArray[np.float32], Shape], Detections]:
        """Return `postprocess` with other values in the YAML file's PostProcess, for an experiment.

        See `contract.PostprocessesWith` for values that no YAML file sets.
        """
        own = {name: value for name, value in values.items() if name != "map_size"}
        with isolated():
            parts = replace(self._parts, post_process=build_ppocr_post_process(self.files.yml["PostProcess"], own))
        other = TrainingPipeline(parts, self.files, self._memory, name=self.name, fingerprint=self.fingerprint)
        return other.postprocess if "map_size" not in values else resampling_to_page(other.postprocess)

    def preprocess_at(self, image: Image, size: tuple[int, int]) -> Trace:
        """Run the Eval operators with another target size (h, w) in network-input px, for an experiment.

        DetResizeForTest is built again with that `image_shape`; everything else is as in `preprocess`.
        """
        return self._resizing_to(size).preprocess(image)

    def resized_to(self, pixels: npt.NDArray[np.uint8], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
        """Run DetResizeForTest alone on (H, W, 3) pixels, with another target size (h, w), for an experiment."""
        with isolated():
            state: Any = {"image": pixels}
            for operator, run in self._resizing_to(size)._parts.operators:
                if STAGE_OF.get(operator) == RESIZE:
                    state = run(state)
        return np.array(state["image"])

    def _resizing_to(self, size: tuple[int, int]) -> TrainingPipeline:
        """Return this side with one size for every image; the last few are kept."""
        if size not in self._at_size:
            kept = list(self._at_size.items())[1 - MOST_SIZES :]
            self._at_size = {**dict(kept), size: self._rebuilt(with_operators_resizing_to(self.files.yml, size))}
        return self._at_size[size]

    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        """Return the boxes that the YAML file's post-process finds in a (1, C, h, w) map, in source-image pixels.

        Their scores are those that `DBPostProcess` computes and throws away.
        """
        post_process = self._parts.post_process
        scores: list[float] = []

        def tap(method: Callable[..., Any]) -> Callable[..., Any]:
            def run(*args: Any, **kwargs: Any) -> Any:
                boxes, found = method(*args, **kwargs)
                scores.extend(found)
                return boxes, found

            return run

        taps = {name: tap(getattr(post_process, name)) for name in BITMAP_READERS}
        with isolated(), replaced(post_process, **taps):
            points = post_process({"maps": np.asarray(probability_map)}, np.array([shape]))[0]["points"]
        polygons = tuple(np.asarray(polygon, dtype=np.float64) for polygon in points)
        return Detections(polygons, np.array(scores) if len(scores) == len(polygons) else None)

    @property
    def _product_parameters(self) -> Mapping[str, Any]:
        return effective_training_detections(self._parts.post_process)


load_training = TrainingPipeline.load
"""Load a trained detector."""


def load_ppocr_pipeline(*, config: Path, **settings: Any) -> TrainedSide:
    """Load the train side of a YAML file, whatever it is of; see `TrainedSide.load`.

    Raises:
        ModelError: as there.
    """
    yml = read_config(config)
    kind: type[TrainedSide] = TrainingPipeline
    if family_of_training(yml) is TrainedRecogniser.family:
        kind = TrainedRecogniser
    return kind.load(config=config, yml=yml, **settings)
