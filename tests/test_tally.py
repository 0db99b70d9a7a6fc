"""What a run adds up to, from plain records."""

from __future__ import annotations

from pytest_ocrparity.tally import Tally


def test_a_run_that_used_nothing_of_ours_has_no_fault() -> None:
    assert Tally({}).faults(allow_empty=False, is_recording=False) == []
    assert Tally({"a": []}).faults(allow_empty=False, is_recording=False) == []
    assert Tally({}).table(per_image=True) == []


def test_one_that_used_a_fixture_and_compared_nothing_has() -> None:
    (fault,) = Tally({"a": [{"what": "used", "fixture": "ocr_image"}]}).faults(allow_empty=False, is_recording=False)
    assert fault.startswith("nothing was compared")
