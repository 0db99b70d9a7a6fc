"""What is left of a difference in the frame of a document preprocessor, which turns or unwarps the image first."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from pytest_ocrparity.contract import Rectifies, pipeline_of
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.stages import DETECTION
from pytest_ocrparity.wording import number_of_boxes

CAUSE: Final = "pipeline.doc_preprocessor"


def judge_in_rectified_frame(lab: Laboratory, found: list[Diagnosis]) -> list[Diagnosis]:
    """Return the causes; where a document preprocessor is one, with what the reference makes of its picture.

    The candidate's boxes lie in that picture, so that the rest of its detection can be judged there alone.
    """
    return [_with_evidence(lab, each) if each.cause == CAUSE else each for each in found]


def _with_evidence(lab: Laboratory, diagnosis: Diagnosis) -> Diagnosis:
    source, image = pipeline_of(lab.reference), lab.image
    if source is None or image is None:
        return diagnosis
    picture = lab.ask(lab.candidate, Rectifies, lambda side: side.rectified(image))
    if picture is None:
        return diagnosis
    with lab.budget.network_run(picture.size):
        made = lab.attempt(lambda: source.trace(picture))
    if made is None or made.detections is None or lab.candidate.detections is None:
        return diagnosis
    reference, candidate = lab.names
    # The picture is no decoded file: the candidate recorded that before its preprocessor.
    own = replace(
        made, pipeline=reference, image=lab.reference.image, image_sha256=lab.reference.image_sha256, decode=None
    )
    count = len(made.detections)
    boxes = number_of_boxes(count) if count else "no box"
    if all(lab.compare_with_reference(kind, lab.candidate, reference=own).is_match for kind in DETECTION.kinds):
        row = f"given the picture that the document preprocessor made, {reference} "
        row += f"{f'finds the same {boxes}' if count else f'finds {boxes} either'}: in that frame nothing differs"
    else:
        row = f"given the picture that the document preprocessor made, {reference} finds {boxes}, and {candidate}'s "
        row += f"{number_of_boxes(len(lab.candidate.detections))} differ still"
    return replace(diagnosis, evidence=(*diagnosis.evidence, row))
