"""Measure two traces of one image against each other, stage by stage. Measures only: words are in `explain`."""

from __future__ import annotations

from pytest_ocrparity.compare.detections import compare_detections
from pytest_ocrparity.compare.preconditions import refuse_same_object, task_of_sides
from pytest_ocrparity.compare.preprocessing import compare_preprocessing
from pytest_ocrparity.compare.probability_maps import compare_probability_maps
from pytest_ocrparity.compare.text import compare_text
from pytest_ocrparity.comparison import Comparison
from pytest_ocrparity.context import current_context
from pytest_ocrparity.stages import DETECTIONS, PREPROCESSING, PROBABILITY_MAPS, TEXT, Task
from pytest_ocrparity.tolerance import Tolerance
from pytest_ocrparity.trace import Trace


class Comparisons:
    """The comparisons of two traces, each made once: when it is first asked for.

    Attributes:
        reference, candidate: the traces.
        tolerance: what judges.
        defers: whether somebody judges the limits of a whole run, so that one image alone does not decide by them.
    """

    def __init__(self, reference: Trace, candidate: Trace, tolerance: Tolerance, *, defers: bool = False) -> None:
        """Take two traces of one image; nothing is measured yet.

        Raises:
            DifferenceError: both sides are the same object, which would compare nothing.
        """
        refuse_same_object(reference, candidate)
        self.reference, self.candidate, self.defers = reference, candidate, defers
        self.tolerance = tolerance.for_task(self.task.name)
        self._made: dict[str, Comparison] = {}

    @property
    def task(self) -> Task:
        """What the models do."""
        return task_of_sides(self.reference, self.candidate)

    def of(self, kind: str) -> Comparison:
        """Return the comparison of one kind, and make no other than those it rests on."""
        if kind not in self._made:
            self._made[kind] = self._compare_kind(kind)
        return self._made[kind]

    def all(self) -> tuple[Comparison, ...]:
        """Return one per kind, in the order of the data flow; none decides over the others."""
        return tuple(self.of(kind) for kind in self.task.kinds)

    def know(self, made: Comparison) -> None:
        """Take a comparison that was made of these arrays before."""
        self._made[made.kind] = made

    def _compare_kind(self, kind: str) -> Comparison:
        sides = self.reference, self.candidate, self.tolerance
        if kind == PREPROCESSING:
            return compare_preprocessing(*sides)
        if kind == PROBABILITY_MAPS:
            return compare_probability_maps(*sides, defers=self.defers)
        if kind == TEXT:
            return compare_text(*sides, self.of(PROBABILITY_MAPS), defers=self.defers)
        assert kind == DETECTIONS
        return compare_detections(*sides, self.of(PROBABILITY_MAPS), defers=self.defers)


def compare(*, reference: Trace, candidate: Trace, tolerance: Tolerance | None = None) -> tuple[Comparison, ...]:
    """Compare two traces of one image under a tolerance, by default that of the running test; each image decides.

    Returns one Comparison per kind, in the order of the data flow; none decides over the others.

    Raises:
        DifferenceError: both sides are the same object, which would compare nothing.
    """
    return Comparisons(reference, candidate, tolerance or current_context().tolerance()).all()
