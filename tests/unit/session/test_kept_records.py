"""Records that are kept packed are the same records, and take little room."""

from __future__ import annotations

import sys

import pytest
from records import comparison

from pytest_ocrparity.report.document import Compared, Record, pack_document_part
from pytest_ocrparity.session.kept_records import KeptRecords
from unit.report.test_document import LEFT


def test_what_is_kept_is_what_was_left() -> None:
    kept = KeptRecords()
    kept.add("t.py::a", LEFT)
    kept.add("t.py::b", LEFT[:1])
    kept.add("t.py::a", LEFT[1:3])  # a test that ran twice
    assert list(kept) == ["t.py::a", "t.py::b"] and len(kept) == 2
    assert repr(list(kept["t.py::a"])) == repr([*LEFT, *LEFT[1:3]])  # NaN equals nothing
    assert repr(kept["t.py::a"][-2:]) == repr([*LEFT[1:3]])
    assert repr(kept["t.py::b"][0]) == repr(LEFT[0])
    with pytest.raises(KeyError):
        kept["t.py::c"]


def test_an_empty_store_is_false() -> None:
    kept = KeptRecords()
    assert not kept
    kept.add("t.py::a", LEFT[:1])
    assert kept


@pytest.mark.parametrize("first", [(), LEFT[:1]])
def test_records_that_are_alike_take_a_fifth_of_their_text(first: tuple[Record, ...]) -> None:
    kept, texts = KeptRecords(), 0
    if first:
        kept.add("t.py::test_that_only_skipped", first)
    for number in range(50):
        left = [Compared(comparison=comparison("detections", image=f"page_{number}.png"))]
        kept.add(f"t.py::test[{number}]", left)
        texts += len(pack_document_part(left))
    room = sum(sys.getsizeof(packed) for test in kept for packed in kept._by_test[test]._packed)
    assert room < texts / 5
