"""The detector of a checkout's `tools/infer/predict_det.py`, run one page at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.backends.checkout.flags import FLAG_OF
from pytest_ocrparity.backends.checkout.script import Page, in_place_of_network
from pytest_ocrparity.backends.checkout.side import ScriptSide
from pytest_ocrparity.backends.effective_parameters import (
    effective_training_detections,
    effective_training_operator,
)
from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.replacing import replaced
from pytest_ocrparity.backends.staged import StagedPipeline
from pytest_ocrparity.errors import StageError
from pytest_ocrparity.stages import DECODE, DETECTIONS, RESIZE, TENSOR
from pytest_ocrparity.trace import Detections, Image, Shape, Trace, trace_copy

STAGE_OF = {"DetResizeForTest": RESIZE, "NormalizeImage": TENSOR}
"""The operators of the script that end a stage."""


class ScriptDetector(ScriptSide, StagedPipeline):
    """`TextDetector` with a DB model.

    Its `predict` runs as it is. What it does to boxes after its post-process is a later step.
    """

    flags = FLAG_OF

    def _run(self, image: Any) -> Any:
        return self._made.predict(image)[0]

    def _given(self, tensor: npt.NDArray[np.float32]) -> Mapping[str, Any]:
        return {"preprocess_op": [lambda _: (tensor[0], np.array([32.0, 32.0, 1.0, 1.0]))]}

    def _map_of(self, output: Any) -> npt.NDArray[np.float32]:
        return np.asarray(output["maps"])

    def preprocess(self, image: Image) -> Trace:
        """Run the script's operators up to the tensor.

        Raises:
            ImageError: the image is missing or does not decode.
        """
        trace, pixels = self._read(image)
        if pixels is None:
            return trace
        made, states = self._made, list[dict[str, Any]]()
        net, instead = in_place_of_network(made)
        operators = [self._recording(each, states) for each in made.preprocess_op]
        stopped: StageError | None = None
        try:
            with isolated(), self._memory.watching(None), replaced(made, preprocess_op=operators, **instead):
                made.predict(pixels)
        except (Exception, SystemExit) as error:
            stopped = self.stage_error(TENSOR if states else RESIZE, error)
        for state in states:
            height, width, ratio_h, ratio_w = map(float, state["shape"])
            trace = replace(trace, resize=state["image"], shape=(height, width, ratio_h, ratio_w))
        return replace(trace, tensor=net.given, error=stopped)

    def _recording(self, operator: Any, states: list[dict[str, Any]]) -> Callable[[Any], Any]:
        """Return an operator that notes what the resize makes, and asks for memory before it is normalised."""
        stage = STAGE_OF.get(type(operator).__name__)

        def run(state: Any) -> Any:
            if stage == TENSOR:
                self._memory.admit_tensor(state["image"].shape, TENSOR)
            state = operator(state)
            if stage == RESIZE and state["image"] is not None:
                states.append({"image": trace_copy(state["image"]), "shape": state["shape"]})
            return state

        return run

    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        """Return the boxes that the script's DBPostProcess finds in a (1, C, h, w) map, in source pixels.

        It hands on no scores.
        """
        with isolated():
            made = self._made.postprocess_op({"maps": np.asarray(probability_map)}, np.array([shape]))
        return _detections(made[0]["points"])

    def _run_stages(self, image: Image) -> Trace:
        """Run the stages, and what the script does to the boxes after its post-process: that is what a user gets."""
        trace = super()._run_stages(image)
        if trace.detections is None or trace.shape is None:
            return trace
        made, shape, boxes = self._made, trace.shape, list(trace.detections.polygons)
        tensor, found = trace.tensor, [{"points": [np.array(box) for box in boxes]}]
        assert tensor is not None
        _, instead = in_place_of_network(made, trace.probability_map)
        instead["preprocess_op"] = [lambda _: (tensor[0], np.array(shape))]
        try:
            with isolated(), replaced(made, postprocess_op=lambda *_: found, **instead):
                returned = made.predict(Page(*shape[:2]))[0]
        except Exception as error:
            return replace(trace, detections=None, error=self.stage_error(DETECTIONS, error))
        return replace(trace, detections=_detections(returned))

    @property
    def later_steps(self) -> str:
        """What works on the boxes after `postprocess` has returned them, in words."""
        if self._arguments.det_box_type == "poly":
            return (
                "predict_det.py's filter_tag_det_res_only_clip moves points onto the page's last pixels and repeats "
                "the last point of a polygon until all have as many"
            )
        return (
            "predict_det.py's filter_tag_det_res moves points onto the page's last pixels and drops boxes with a side "
            "of 3 px or less"
        )

    @property
    def _preprocessing_parameters(self) -> dict[str, Mapping[str, Any]]:
        found: dict[str, Mapping[str, Any]] = {DECODE: {"img_mode": "BGR", "ignore_orientation": False}}
        for operator in self._made.preprocess_op:
            name = type(operator).__name__
            if name in STAGE_OF:
                order = "hwc" if getattr(getattr(operator, "mean", None), "shape", ()) == (1, 1, 3) else "chw"
                found[STAGE_OF[name]] = effective_training_operator(name, operator, {"order": order}) or {}
        return found

    @property
    def _product_parameters(self) -> Mapping[str, Any]:
        return effective_training_detections(self._made.postprocess_op)


def _detections(points: Any) -> Detections:
    return Detections(tuple(np.asarray(polygon, np.float64) for polygon in points), None)
