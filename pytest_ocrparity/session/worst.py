"""The worst image between two sides whose limits are judged over a whole run: diagnosed where the run breaks them.

Every process keeps the traces of its own. Where the run as a whole is beyond a limit, so is the share of at least one
process; that one diagnoses, as it alone can run its sides again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from pytest_ocrparity.diagnosis import UNKNOWN, Diagnosis
from pytest_ocrparity.stages import TaskSides

if TYPE_CHECKING:
    from pytest_ocrparity.comparison import Comparison
    from pytest_ocrparity.context import Diagnoser
    from pytest_ocrparity.tolerance import Tolerance
    from pytest_ocrparity.trace import Trace


OUTPUT: Final = "ocrparity_worst"
"""The key under which a worker hands its own to the controller."""


@dataclass(frozen=True, slots=True)
class Worst:
    """What was found on the worst image between two sides of a process."""

    sides: TaskSides
    image: str
    excess: float
    """How often the worst amount holds its limit."""
    causes: tuple[str, ...]
    """What experiments showed, in words, "unknown" for what they did not explain; none where none ran."""
    message: str
    kinds: tuple[str, ...] = ()
    """Of the comparisons that these causes explain."""

    @property
    def text(self) -> str:
        """Return the causes for the sentence of the verdict, or nothing."""
        known = [each for each in self.causes if each != UNKNOWN]
        parts = [*known, *(["the cause of the rest is not known"] if known else ["not known"])]
        return "; ".join(parts if UNKNOWN in self.causes else known)


@dataclass(frozen=True)
class _Kept:
    excess: float
    reference: Trace
    candidate: Trace
    tolerance: Tolerance


class WorstImages:
    """The worst images of one process."""

    def __init__(self) -> None:
        """Begin with none."""
        self._kept: dict[TaskSides, _Kept] = {}
        self._compared: list[Comparison] = []

    def hear(self, judged: Comparison, reference: Trace, candidate: Trace, tolerance: Tolerance) -> None:
        """Take a comparison with what a run judges of it; keep its traces if they are the worst so far."""
        from pytest_ocrparity.comparison import LEFT_TO_RUN

        if all(measure.decides for measure in judged.measures):
            return  # the run judges nothing of it
        self._compared.append(replace(judged, differences=(), boxes=(), parameters=()))
        beyond = [measure for measure in judged.measures if not measure.is_within]
        if judged.status != LEFT_TO_RUN or not beyond:  # a line that is read otherwise may keep all its limits
            return
        sides = judged.task, judged.reference, judged.candidate
        excess = max(m.value / m.limit if m.limit else float("inf") for m in beyond)
        if sides not in self._kept or excess > self._kept[sides].excess:
            self._kept[sides] = _Kept(excess, reference, candidate, tolerance)

    def diagnosed(
        self, is_over: Callable[[Sequence[Comparison]], Iterable[TaskSides]], diagnoser: Callable[[], Diagnoser]
    ) -> list[Worst]:
        """Return what is found on the worst image between each two sides whose share is over a limit.

        `is_over` returns those pairs, given what was compared; `diagnoser` is asked only where there is one.
        """
        if not self._kept:
            return []
        over = [sides for sides in is_over(self._compared) if sides in self._kept]
        return [_diagnosed_image(sides, self._kept[sides], diagnoser()) for sides in over]


def _diagnosed_image(sides: TaskSides, kept: _Kept, diagnoser: Diagnoser) -> Worst:
    from pytest_ocrparity.compare import Comparisons
    from pytest_ocrparity.explain import explain

    # Outside of tests the same limits are judged on this image alone.
    comparisons = Comparisons(kept.reference, kept.candidate, kept.tolerance)
    failing = [each for each in comparisons.all() if not each.is_match]
    if not failing:
        return Worst(sides, kept.candidate.label, kept.excess, (), "")
    diagnoses = diagnoser.diagnose(comparisons)
    causes = tuple(dict.fromkeys(map(diagnosis_text, diagnoses)))
    message = explain(comparisons.all(), failing[0], diagnoses)
    kinds = tuple(each.kind for each in failing)
    return Worst(sides, kept.candidate.label, kept.excess, causes, message, kinds)


def diagnosis_text(diagnosis: Diagnosis) -> str:
    """Return a cause in words; "unknown" where it is not known."""
    return UNKNOWN if diagnosis.cause == UNKNOWN else f"{diagnosis.cause}, {diagnosis.summary}"


def worst_of(found: Iterable[Worst]) -> dict[TaskSides, Worst]:
    """Return the worst by task and sides."""
    ranked = sorted(found, key=lambda each: each.excess)
    return {each.sides: each for each in ranked}
