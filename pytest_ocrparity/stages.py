"""The one table of tasks: which stages data flows through, and which comparisons are made of them, in order."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple, TypeAlias

DECODE: Final = "decode"
RESIZE: Final = "resize"
TENSOR: Final = "tensor"
PROBABILITY_MAP: Final = "probability_map"
DETECTIONS: Final = "detections"
TEXT: Final = "text"
"""A stage, and the comparison that is made of it."""

PREPROCESSING: Final = "preprocessing"
PROBABILITY_MAPS: Final = "probability_maps"

CROP: Final = "crop"
"""A stage of a page: what is cut out of it for each box, and turned before it is read."""
PAGE: Final = "page"
"""The last stage of a page, which sets the texts in their order and drops some, and the comparison of its texts."""


LAYER_STAGES: Final = ("layer_input", "layer_output")
"""What a report calls the pictures of what goes into the layer where networks begin to differ, and what comes out."""


TaskSides: TypeAlias = tuple[str, str, str]
"""What is compared: task, reference and candidate."""


class Task(NamedTuple):
    """What models of one sort do.

    Attributes:
        name: how the settings call it.
        comparisons: by kind of comparison, the stages that it is made of; a limit's name begins with the kind.
    """

    name: str
    comparisons: Mapping[str, tuple[str, ...]]

    def __hash__(self) -> int:
        """Return what is equal for equal tasks, whose comparisons are a mapping."""
        return hash(self.name)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of comparison, in the order of the data flow; the last is of what the models return."""
        return tuple(self.comparisons)


DETECTION: Final = Task(
    "detection",
    {
        PREPROCESSING: (DECODE, RESIZE, TENSOR),
        PROBABILITY_MAPS: (PROBABILITY_MAP,),
        DETECTIONS: (DETECTIONS,),
    },
)
RECOGNITION: Final = Task(
    "recognition",
    {
        PREPROCESSING: (DECODE, RESIZE, TENSOR),
        PROBABILITY_MAPS: (PROBABILITY_MAP,),
        TEXT: (TEXT,),
    },
)
MODEL_TASKS: Final = (DETECTION, RECOGNITION)
"""The tasks of one model alone."""
PAGES: Final = Task("page", {PAGE: (CROP, PAGE)})
"""What a detector and a recogniser do together: each of them has its own comparisons."""
TASKS: Final = (*MODEL_TASKS, PAGES)

STAGES_OF: Final = {kind: stages for task in TASKS for kind, stages in task.comparisons.items()}
KINDS: Final = tuple(STAGES_OF)
"""Every kind of comparison, of whatever task; those of one model are `Task.kinds`."""
PRODUCTS: Final = {DETECTIONS: DETECTION, TEXT: RECOGNITION, PAGE: PAGES}
"""By the last stage and comparison, what models return, the task that it is of."""
STAGES: Final = tuple(dict.fromkeys(stage for stages in STAGES_OF.values() for stage in stages))


def first_stage(names: Collection[str]) -> str | None:
    """Return the earliest of the named stages, or None."""
    return next((stage for stage in STAGES if stage in names), None)


def task_of(kind: str) -> Task | None:
    """Return the task that alone has a kind of comparison; None for one that several have."""
    return PRODUCTS.get(kind)


def task_named(name: object) -> Task | None:
    """Return the task of this name, or None."""
    return next((task for task in TASKS if task.name == name), None)
