"""The causes that a diagnosis can name, each with the stage at which it shows first; docs/causes.md tells the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pytest_ocrparity.diagnosis import UNKNOWN

__all__ = ["CAUSES"]

CAUSES: Final[Mapping[str, str]] = {
    "decode.channel_order": "decode",
    "decode.orientation": "decode",
    "decode.alpha": "decode",
    "decode.bit_depth": "decode",
    "decode.pixels": "decode",
    "decode.file_type": "decode",
    "resize.limits": "resize",
    "resize.image_shape": "resize",
    "resize.resize_long": "resize",
    "resize.input_shape": "resize",
    "resize.max_side_limit": "resize",
    "resize.rounding": "resize",
    "normalize.mean_std": "tensor",
    "normalize.mean_std_order": "tensor",
    "normalize.scale": "tensor",
    "normalize.order": "tensor",
    "normalize.twice": "tensor",
    "layout.axes": "tensor",
    "network.weights": "probability_map",
    "network.weights.not_loaded": "probability_map",
    "network.weights.other_checkpoint": "probability_map",
    "network.weights.partly_loaded": "probability_map",
    "network.sub_model": "probability_map",
    "network.train_mode": "probability_map",
    "network.graph": "probability_map",
    "network.outputs": "probability_map",
    "network.own_code": "probability_map",
    "network.fusion": "probability_map",
    "network.stale_program": "probability_map",
    "network.not_finite": "probability_map",
    "network.traced_shape": "probability_map",
    "network.fixed_shape": "probability_map",
    "engine.onednn": "probability_map",
    "engine.optimization": "probability_map",
    "engine.not_repeatable": "probability_map",
    "precision.fp16": "probability_map",
    "precision.int8": "probability_map",
    "postprocess.thresh": "detections",
    "postprocess.box_thresh": "detections",
    "postprocess.unclip_ratio": "detections",
    "postprocess.max_candidates": "detections",
    "postprocess.use_dilation": "detections",
    "postprocess.score_mode": "detections",
    "postprocess.box_type": "detections",
    "postprocess.filter": "detections",
    "postprocess.score_order": "detections",
    "rescale.int16": "detections",
    "rescale.frame": "detections",
    "rescale.offset": "detections",
    "rescale.ratio": "detections",
    "rescale.axes": "detections",
    "rescale.shape_row": "resize",
    "preprocessing.not_repeatable": "tensor",
    "reference.not_repeatable": "tensor",
    "reference.global_leak": "resize",
    UNKNOWN: "any",
}
