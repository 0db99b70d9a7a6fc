"""What is said of a side that keeps something from one image to the next."""

from __future__ import annotations

from typing import Final

from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnosis import Diagnosis

STATE: Final = "engine.state"
_SUMMARY: Final = "what {candidate} returns for an image depends on what ran before"
_FIX: Final = (
    "find what {candidate} keeps from one image to the next (a buffer that only grows, a size or ratio of an earlier "
    "image, results that are not cleared), and make it anew for each image"
)


def kept_state_diagnosis(lab: Laboratory, stage: str, proof: str, summary: str = _SUMMARY) -> Diagnosis:
    """Return the diagnosis of a candidate whose result was shown to depend on what ran before."""
    candidate = lab.names.candidate
    return lab.proven_cause(
        stage, STATE, summary.format(candidate=candidate), [proof], _FIX.format(candidate=candidate)
    )
