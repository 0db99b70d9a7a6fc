"""`diagnose`: finds the stages and the causes of a difference by experiment.

Each part of the candidate runs alone on what the reference recorded: its preprocessing on the image, its network on the
reference's tensor, its post-process on the reference's map. A part whose result differs is at fault, whatever the other
parts do. So several faults are found separately. At each part at fault, experiments put possible causes right. A cause
is named if the result is then the reference's; otherwise it is reported as unknown. Experiments that need no network
run come first.
"""

from __future__ import annotations

from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.comparison import NOT_JUDGEABLE, Comparison
from pytest_ocrparity.context import current_context
from pytest_ocrparity.diagnose.budget import BudgetSpentError
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.layers import refine_by_layer
from pytest_ocrparity.diagnose.network import examine_network
from pytest_ocrparity.diagnose.parameter_experiments import examine_leaked_parameters
from pytest_ocrparity.diagnose.postprocessing import examine_postprocessing
from pytest_ocrparity.diagnose.preprocessing import examine_preprocessing, is_preprocessing_same
from pytest_ocrparity.diagnose.preprocessing.rectifying import judge_in_rectified_frame
from pytest_ocrparity.diagnose.recognition.line_preprocessing import examine_line_preprocessing
from pytest_ocrparity.diagnose.recognition.reading import examine_reading
from pytest_ocrparity.diagnose.repeatability import examine_memory_refusal, examine_repeatability_of_tensors
from pytest_ocrparity.diagnose.state import examine_state
from pytest_ocrparity.diagnosis import AGREES, UNKNOWN, Diagnosis
from pytest_ocrparity.stages import DETECTIONS, PROBABILITY_MAP, RECOGNITION, STAGES, TEXT, first_stage
from pytest_ocrparity.tolerance import BUILT_IN, Tolerance
from pytest_ocrparity.trace import Trace

SECONDS = 60.0
"""How much processor time a diagnosis may take unless the settings say otherwise."""


def diagnose(
    *, reference: Trace, candidate: Trace, tolerance: Tolerance | None = None, seconds: float = SECONDS
) -> tuple[Diagnosis, ...]:
    """Return the causes of a difference between two traces of one image, in the order of the data flow.

    Experiments run parts of the pipelines again, with at most 20 network runs; where they explain nothing, 16 more look
    for a result that depends on what ran before. A baseline may be the reference; experiments that need its network are
    then listed as not tried. The result is empty where no limit is exceeded, and where the only failure is that the
    maps are not judgeable or that neither side has a box.

    Args:
        reference: the trace that is right by definition.
        candidate: the trace under test.
        tolerance: the limits; None means those of the running test.
        seconds: how much processor time experiments may take.

    Raises:
        DifferenceError: both sides are the same object.
    """
    comparisons = Comparisons(reference, candidate, tolerance or current_context().tolerance())
    if all(comparison.is_match for comparison in comparisons.all()):
        return ()
    return tuple(examine(Laboratory(comparisons, seconds)))


def first_stage_to_diagnose(comparisons: tuple[Comparison, ...]) -> str:
    """Return the first stage at which comparisons fail, without those whose stage was not recorded."""
    failing = {c.stage for c in comparisons if c.stage and not c.is_match and not c.is_missing}
    return first_stage(failing) or comparisons[-1].kind


def examine(lab: Laboratory) -> list[Diagnosis]:
    """Return the causes of a laboratory's comparisons, of which at least one fails."""
    stage = first_stage_to_diagnose(lab.comparisons.all())
    if (unknown := examine_memory_refusal(lab, stage)) is not None:
        return [unknown]
    return refine_by_layer(lab, examine_state(lab, _examine_parts(lab, stage), stage))


def _examine_parts(lab: Laboratory, stage: str) -> list[Diagnosis]:
    """Return the causes of what differs, each found in the part that is at fault."""
    found: list[Diagnosis] = []
    examined, is_of_lines = stage, lab.comparisons.task == RECOGNITION
    try:
        if lab.reference.error is not None or not is_preprocessing_same(lab):
            found += examine_repeatability_of_tensors(lab)
            if found:
                return found
            found = (
                examine_leaked_parameters(lab, examine_line_preprocessing(lab))
                if is_of_lines
                else _examine_page(lab, found)
            )
            lab.is_picture_explained = all(diagnosis.cause != UNKNOWN for diagnosis in found)
        examined = TEXT if is_of_lines else DETECTIONS
        found += examine_reading(lab) if is_of_lines else examine_postprocessing(lab)
        examined = PROBABILITY_MAP
        found += examine_network(lab)
    except BudgetSpentError:
        lab.not_tried.append(f"the rest: {lab.budget.spent()}")
        found.append(lab.unknown_cause(examined, "budget spent"))
    found.sort(key=lambda diagnosis: STAGES.index(diagnosis.stage))
    return found or _nothing_found(lab, stage)


def _examine_page(lab: Laboratory, found: list[Diagnosis]) -> list[Diagnosis]:
    """Add to `found` why the tensors of a page differ, as it is found, and return all of it."""
    examine_preprocessing(lab, found)
    return judge_in_rectified_frame(lab, examine_leaked_parameters(lab, found))


def _nothing_found(lab: Laboratory, stage: str) -> list[Diagnosis]:
    comparisons = lab.comparisons.all()
    if all(c.is_match or c.status == NOT_JUDGEABLE for c in comparisons):
        return []
    if all(c.is_match or c.compared_nothing for c in comparisons):
        return []  # a side lacks what was to be compared, or neither has a box or a text: nothing differs
    if not lab.can_run and not lab.acquitted:
        name = lab.names.candidate
        lab.not_tried.append(f"any experiment: {name} gives no source, so that no part of it can be run again")
        return [lab.unknown_cause(stage, "no experiment was made")]
    if all(lab.compare_with_reference(kind, lab.candidate, BUILT_IN).is_match for kind in lab.comparisons.task.kinds):
        return [
            lab.unknown_cause(stage, "both sides agree within the built-in limits, and those that judged are stricter")
        ]
    if lab.acquitted:
        lab.noticed.append(lab.acquitted)
    return [lab.unknown_cause(stage, AGREES)]
