"""The one table of tasks: which stages data flows through, and which comparisons are made of them, in order."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

DECODE: Final = "decode"
RESIZE: Final = "resize"
TENSOR: Final = "tensor"
PROBABILITY_MAP: Final = "probability_map"
DETECTIONS: Final = "detections"
"""A stage, and the comparison that is made of it."""

PREPROCESSING: Final = "preprocessing"
PROBABILITY_MAPS: Final = "probability_maps"


class Task(NamedTuple):
    """What models of one sort do.

    Attributes:
        name: how the settings call it.
        comparisons: by kind of comparison, the stages that it is made of; a limit's name begins with the kind.
    """

    name: str
    comparisons: Mapping[str, tuple[str, ...]]


DETECTION: Final = Task(
    "detection",
    {
        PREPROCESSING: (DECODE, RESIZE, TENSOR),
        PROBABILITY_MAPS: (PROBABILITY_MAP,),
        DETECTIONS: (DETECTIONS,),
    },
)
TASKS: Final = (DETECTION,)

STAGES_OF: Final = {kind: stages for task in TASKS for kind, stages in task.comparisons.items()}
KINDS: Final = tuple(STAGES_OF)
STAGES: Final = tuple(dict.fromkeys(stage for stages in STAGES_OF.values() for stage in stages))


def first_stage(names: Collection[str]) -> str | None:
    """Return the earliest of the named stages, or None."""
    return next((stage for stage in STAGES if stage in names), None)
