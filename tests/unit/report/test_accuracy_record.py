"""Which images lose, and how much."""

from __future__ import annotations

from dataclasses import replace

from labelled import accuracy_record, image_counts

from pytest_ocrparity.report.accuracy_record import loss

SAME, LOSES, GAINS = image_counts("same", 3, 2, 2), image_counts("loses", 3, 3, 1), image_counts("gains", 3, 1, 2)


def test_a_box_that_is_lost_is_a_loss_and_so_is_one_that_is_wrong() -> None:
    more = replace(SAME, image="wrong", candidate=replace(SAME.candidate, found=5))
    assert [loss(each) for each in (SAME, LOSES, GAINS, more)] == [0, 2, -1, 3]


def test_images_that_differ_are_those_that_lose_most_first() -> None:
    twin = replace(LOSES, image="also")
    record = accuracy_record([GAINS, SAME, LOSES, twin])
    assert [each.image for each in record.changed] == ["also", "loses", "gains"]
    assert record.sides == ("train", "inference")
    assert accuracy_record([SAME]).changed == []
