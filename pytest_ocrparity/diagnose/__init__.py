"""Why two sides differ: experiments that name the guilty stage and the cause, or say that it is not known.

Each part of the candidate runs by itself on what the reference recorded: its preprocessing on the image, its network
on the reference's tensor, its post-process on the reference's map. Of the 2x2x2 ways to put two pipelines together
these are the three that differ from the reference's own in one part. So a part that differs here is guilty whatever
the others do, and several faults are told apart. Then what could be wrong there is put right, one thing at a time.
"""

from __future__ import annotations

from pytest_ocrparity.compare import compare
from pytest_ocrparity.diagnose.boxes import examine_boxes
from pytest_ocrparity.diagnose.laboratory import BudgetSpentError, Laboratory
from pytest_ocrparity.diagnose.leaks import examine_leaks
from pytest_ocrparity.diagnose.networks import examine_network
from pytest_ocrparity.diagnose.preprocessing import examine_preprocessing
from pytest_ocrparity.diagnose.repeatability import examine_repeatability, refused
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.tolerance import BUILT_IN, Tolerance, current_tolerance
from pytest_ocrparity.trace import DETECTIONS, PROBABILITY_MAP, Trace, first_stage
from pytest_ocrparity.verdict import Comparison

__all__ = ["SECONDS", "diagnose", "examine"]

SECONDS = 60.0
"""How long a diagnosis may take unless the settings say otherwise."""


def diagnose(
    *, reference: Trace, candidate: Trace, tolerance: Tolerance | None = None, seconds: float = SECONDS
) -> tuple[Diagnosis, ...]:
    """Return the causes of a difference between two traces of one image, in the order of the data flow.

    Runs parts of the pipelines again, at most 20 networks; a baseline in the place of the reference does, but then what
    needs the reference's network is named as not tried. Nothing where no limit is exceeded.

    Args:
        reference: the trace that is right by definition.
        candidate: the trace under test.
        tolerance: what judges; None means that of the running test.
        seconds: how long experiments may take.

    Raises:
        DifferenceError: both sides are the same object.
    """
    tolerance = tolerance or current_tolerance.get()()
    failing = [c for c in compare(reference=reference, candidate=candidate, tolerance=tolerance) if not c.is_match]
    if not failing:
        return ()
    lab = Laboratory(reference, candidate, tolerance, seconds)
    return tuple(examine(lab, first_stage({c.stage for c in failing if c.stage and not c.is_missing}) or DETECTIONS))


def examine(lab: Laboratory, stage: str) -> list[Diagnosis]:
    """Return the causes that a laboratory finds; `stage` is the first that differs."""
    if (unknown := refused(lab, stage)) is not None:
        return [unknown]
    found: list[Diagnosis] = []
    examined = stage
    try:
        found += examine_repeatability(lab)
        if found:
            return found
        for diagnosis in examine_preprocessing(lab):
            found.append(diagnosis)  # one by one: what is known stays when the budget ends
        examined = PROBABILITY_MAP
        found += examine_network(lab)
        examined = DETECTIONS
        found += examine_boxes(lab)
        found = examine_leaks(lab, found)
    except BudgetSpentError:
        lab.not_tried.append(f"the rest: {lab.spent()}")
        return [*found, lab.unknown(examined, "budget spent")]
    if lab.remedy is None and not found:
        lab.not_tried.append(f"any experiment: {lab.names[1]} gives no source, so that no part of it can be run again")
        return [lab.unknown(stage, "no experiment was made")]
    if not found and all(each.is_match for each in _under_built_in_limits(lab)):
        return [lab.unknown(stage, "both sides agree within the built-in limits, and those that judged are stricter")]
    return found or [lab.unknown(stage, "every part that could be run by itself agrees with the reference")]


def _under_built_in_limits(lab: Laboratory) -> tuple[Comparison, ...]:
    return compare(reference=lab.reference, candidate=lab.candidate, tolerance=BUILT_IN)
