"""Which images lose, and how much."""

from __future__ import annotations

from dataclasses import replace

from labelled import accuracy_record, image_counts
from msgspec import structs

from pytest_ocrparity.evaluate.counts import ImageCounts
from pytest_ocrparity.report.accuracy_record import StoredCounts, judge_accuracy, light_counts
from pytest_ocrparity.tolerance import BUILT_IN

SAME, LOSES, GAINS = image_counts("same", 3, 2, 2), image_counts("loses", 3, 3, 1), image_counts("gains", 3, 1, 2)


def test_a_box_that_is_lost_is_a_loss_and_so_is_one_that_is_wrong() -> None:
    more = replace(SAME, image="wrong", candidate=replace(SAME.candidate, found=5))
    assert [each.loss for each in (SAME, LOSES, GAINS, more)] == [0, 2, -1, 3]


def test_images_that_differ_are_those_that_lose_most_first() -> None:
    twin = replace(LOSES, image="also")
    record = accuracy_record([GAINS, SAME, LOSES, twin])
    assert [each.image for each in record.changed] == ["also", "loses", "gains"]
    assert record.sides == ("train", "inference")
    assert accuracy_record([SAME]).changed == []


def test_changes_are_taken_from_where_they_are_only_when_asked_for() -> None:
    asked: list[int] = []

    def whole(place: int) -> ImageCounts:
        asked.append(place)
        return counts[place]

    counts = [GAINS, SAME, LOSES]
    stored = StoredCounts([light_counts(each) for each in counts], whole)
    record = structs.replace(accuracy_record(counts), counts=stored)
    assert [len(each.changes) for each in record.changed] == [0, 0]
    assert [each.image for each in record.light] == ["gains", "same", "loses"]
    assert (record.changed_places, asked) == ([2, 0], [])
    assert (stored[2], stored[-1], asked) == (LOSES, LOSES, [2, 2])
    assert stored[1] is SAME and asked == [2, 2]  # nothing is kept elsewhere of what did not change
    assert stored == counts and list(stored[:2]) == [GAINS, SAME] and len(stored) == 3
    assert stored != counts[:2] and stored != [SAME, SAME, LOSES]
    assert light_counts(LOSES) == replace(LOSES, changes=()) and light_counts(SAME) is SAME


def test_a_limit_that_the_user_set_is_known_whatever_the_file_is_called() -> None:
    by_name = BUILT_IN.override({"accuracy": {"max_drop": 0.01}}, "/srv/presets/fp16 preset/pyproject.toml")
    assert judge_accuracy([LOSES], "detection", by_name["accuracy.max_drop"]).is_set
    by_preset = BUILT_IN.override("fp16", "pyproject.toml")
    assert not judge_accuracy([LOSES], "detection", by_preset["accuracy.max_drop"]).is_set
