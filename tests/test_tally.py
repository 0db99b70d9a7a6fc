"""What a run adds up to, from plain records."""

from __future__ import annotations

from typing import Any

from pytest_ocrparity.tally import Tally


def test_a_run_that_used_nothing_of_ours_has_no_fault() -> None:
    assert Tally({}).faults(allow_empty=False, is_recording=False) == []
    assert Tally({"a": []}).faults(allow_empty=False, is_recording=False) == []
    assert Tally({}).table(per_image=True) == []


def test_one_that_used_a_fixture_and_compared_nothing_has() -> None:
    (fault,) = Tally({"a": [{"what": "used", "fixture": "ocr_image"}]}).faults(allow_empty=False, is_recording=False)
    assert fault.startswith("nothing was compared")


def record(candidate: str, different: int, boxes: int) -> dict[str, Any]:
    share = {"name": "detections.max_unmatched", "value": different / boxes, "limit": 0.06, "origin": "int8 preset"}
    return {
        "what": "compared",
        "kind": "detections",
        "image": f"{candidate}.png",
        "reference": "train",
        "candidate": candidate,
        "status": "left to the run",
        "counts": {"different": different, "borderline": 0, "boxes": boxes, "reference": boxes},
        "measures": [{**share, "decides": False, "smallest": False}],
    }


def test_each_candidate_is_judged_over_the_run_by_itself() -> None:
    right = {f"test_{name}": [record(name, 0, 30)] for name in ("a", "c")}
    faults = Tally({**right, "test_b": [record("b", 4, 30)]}).faults(allow_empty=False, is_recording=False)
    (fault,) = faults
    assert fault.startswith("over the run 13.3% (4 of 30) of the boxes have no partner, limit 0.06 (")
    assert fault.endswith("; b against train, most in b.png")
    assert Tally({**right, "test_b": [record("b", 1, 30)]}).faults(allow_empty=False, is_recording=False) == []
