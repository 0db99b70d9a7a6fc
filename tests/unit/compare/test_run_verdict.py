"""Why a run as a whole fails, from the records of its tests."""

from __future__ import annotations

from records import comparison, tally

from pytest_ocrparity.compare.run_verdict import run_faults
from pytest_ocrparity.comparison import Measure
from pytest_ocrparity.report.document import Compared, Record, Used
from pytest_ocrparity.report.table import Tally


def test_a_run_that_used_nothing_of_ours_has_no_fault() -> None:
    assert run_faults(Tally({}), allow_empty=False, is_recording=False) == []
    assert run_faults(Tally({"a": []}), allow_empty=False, is_recording=False) == []


def test_one_that_used_a_fixture_and_compared_nothing_has() -> None:
    (fault,) = run_faults(tally(Used(fixture="ocr_image")), allow_empty=False, is_recording=False)
    assert (fault.name, fault.text.partition(":")[0]) == ("compared", "nothing was compared")


def record(candidate: str, different: int, boxes: int) -> Record:
    found = comparison(
        image=f"{candidate}.png",
        candidate=candidate,
        status="left to the run",
        counts={"different": different, "borderline": 0, "boxes": boxes, "reference": boxes},
        measures=(Measure("detections.max_unmatched", different / boxes, 0.06, "int8 preset", decides=False),),
    )
    return Compared(comparison=found)


def test_each_candidate_is_judged_over_the_run_by_itself() -> None:
    right = {f"test_{name}": [record(name, 0, 30)] for name in ("a", "c")}
    faults = run_faults(Tally({**right, "test_b": [record("b", 4, 30)]}), allow_empty=False, is_recording=False)
    (fault,) = faults
    assert fault.text.startswith("over the run 13.3% (4 of 30) of the boxes have no partner, limit 0.06 (")
    assert fault.text.endswith("; b against train, most in b.png")
    assert run_faults(Tally({**right, "test_b": [record("b", 1, 30)]}), allow_empty=False, is_recording=False) == []
