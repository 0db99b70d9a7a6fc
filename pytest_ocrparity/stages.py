"""The stages of a pipeline and the comparisons that are made of them, in the order in which data flows."""

from __future__ import annotations

from collections.abc import Collection

DECODE = "decode"


RESIZE = "resize"


TENSOR = "tensor"


PROBABILITY_MAP = "probability_map"


DETECTIONS = "detections"


STAGES = (DECODE, RESIZE, TENSOR, PROBABILITY_MAP, DETECTIONS)
"""The stages in the order in which data flows through them."""


def first_stage(names: Collection[str]) -> str | None:
    """Return the earliest of the named stages, or None."""
    return next((stage for stage in STAGES if stage in names), None)


STAGES_OF = {
    "preprocessing": (DECODE, RESIZE, TENSOR),
    "probability_maps": (PROBABILITY_MAP,),
    "detections": (DETECTIONS,),
}
"""What each kind of comparison is about."""


KINDS = ("preprocessing", "probability_maps", "detections")
