"""Why a run as a whole fails, from the records of its tests."""

from __future__ import annotations

import dataclasses
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelled import accuracy_record, image_counts
from msgspec.structs import replace
from properties import quickly
from records import comparison, tally

from pytest_ocrparity.compare.run_verdict import (
    verdict_on_accuracy,
    verdict_on_batch_sizes,
    verdict_on_batches,
    verdict_on_run,
)
from pytest_ocrparity.comparison import Difference, Measure
from pytest_ocrparity.report.document import Batched, Compared, Evaluated, Golden, Record, RecordedComparison, Used
from pytest_ocrparity.report.table import Tally
from pytest_ocrparity.tolerance import Limit


def test_a_run_that_used_nothing_of_ours_has_no_fault() -> None:
    assert verdict_on_run(Tally({}), allow_empty=False, is_recording=False) == []
    assert verdict_on_run(Tally({"a": []}), allow_empty=False, is_recording=False) == []


def test_one_that_used_a_fixture_and_compared_nothing_has() -> None:
    (fault,) = verdict_on_run(tally(Used(fixture="ocr_image")), allow_empty=False, is_recording=False)
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
    faults = verdict_on_run(Tally({**right, "test_b": [record("b", 4, 30)]}), allow_empty=False, is_recording=False)
    (fault,) = faults
    assert fault.text.startswith("over the run 13.3% (4 of 30) of the boxes have no partner, limit 0.06 (")
    assert fault.text.endswith("; b against train, most in b.png")
    assert verdict_on_run(Tally({**right, "test_b": [record("b", 1, 30)]}), allow_empty=False, is_recording=False) == []


@pytest.mark.parametrize(("different", "is_broken"), [(4, True), (3, False)])
def test_an_image_of_which_the_count_is_not_known_adds_none(different: int, is_broken: bool) -> None:
    """`judge` leaves the count out where it can't tell: 3 or 4 of 60 boxes are known to differ, of which 6 % may."""
    known, unknown = record("b", different, 30), record("b", 20, 30)
    assert isinstance(unknown, Compared)
    counts = {name: count for name, count in unknown.comparison.counts.items() if name != "different"}
    unknown = replace(unknown, comparison=replace(unknown.comparison, status="undecided", counts=counts))
    faults = verdict_on_run(Tally({"a": [known], "b": [unknown]}), allow_empty=False, is_recording=False)
    assert bool(faults) is is_broken


def batched(image: str, size: int = 2, **more: object) -> Batched:
    return Batched(side="inference", image=image, asked=2, size=size, **more)  # type: ignore[arg-type]


class TestBatches:
    def test_images_that_are_the_same_in_a_batch_are_no_fault(self) -> None:
        assert verdict_on_batches([]) == []
        assert verdict_on_batches([batched("a"), batched("b"), batched("c", 1)]) == []

    def test_one_that_differs_is_named_with_its_amount_and_cause(self) -> None:
        wrong = batched("b", is_same=False, text="differs by 0.3", cause="engine.batch, it mixes images; fix: do not")
        (fault,) = verdict_on_batches([batched("a"), wrong])
        assert fault.name == "batch"
        assert fault.text == (
            "inference in batches of 2 differs from inference alone, on 1 of 2 images: b: differs by 0.3; "
            "cause: engine.batch, it mixes images; fix: do not"
        )

    def test_those_with_a_cause_come_first_and_not_all_are_listed(self) -> None:
        wrong = [batched(f"{i}", is_same=False, text=f"differs by {i}") for i in range(4)]
        (fault,) = verdict_on_batches([*wrong, batched("z", is_same=False, text="differs", cause="engine.batch")])
        assert "on 5 of 5 images: z: differs; cause: engine.batch; 0: differs by 0; 1: differs by 1; and 2 more" in (
            fault.text
        )

    def test_of_three_none_is_left_to_be_counted(self) -> None:
        wrong = [batched(f"{i}", is_same=False, text=f"differs by {i}") for i in range(3)]
        (fault,) = verdict_on_batches(wrong)
        assert fault.text.endswith("2: differs by 2")

    def test_images_that_one_thing_stops_share_a_sentence(self) -> None:
        (fault,) = verdict_on_batches(
            [batched(name, is_same=False, text="a batch of 2 stops: no memory") for name in "ab"]
        )
        assert fault.text.endswith("a, b: a batch of 2 stops: no memory")

    def test_a_run_in_which_none_ran_has_a_fault(self) -> None:
        (fault,) = verdict_on_batches([batched("a", 1), batched("b", 1)])
        assert fault.text == (
            "inference was asked for batches of 2, and none ran, of 2 images: no two of them have tensors of one size; "
            "add an image of the same size, or ask for no batches"
        )
        (fault,) = verdict_on_batches([batched("a", 0, text="it has no infer")])
        assert "none ran, of 1 image: it has no infer" in fault.text

    def test_each_side_is_judged_by_itself(self) -> None:
        other = Batched(side="onnx", image="a", asked=2, size=1)
        (fault,) = verdict_on_batches([batched("a"), batched("b"), other])
        assert fault.text.startswith("onnx was asked for batches of 2, and none ran")


def line(image: str, status: str = "left to the run", **changed: int) -> RecordedComparison:
    counts = {"lines": 1, "different": 0, "borderline": 0, "edits": 0, "characters": 10, **changed}
    limits = {
        "text.max_changed": Limit(0.1, "int8 preset", is_preset=True),
        "text.per_run": Limit(True, "int8 preset", is_preset=True),
    }
    measures = (
        Measure("text.max_cer", counts["edits"] / 10, 0.02, "int8 preset", decides=False),
        Measure("text.max_changed", counts["different"], 0.1, "int8 preset", decides=False),
        Measure("text.max_borderline", counts["borderline"], 0.02, "int8 preset", decides=False),
    )
    made = {"image": image, "status": status, "counts": counts, "limits": limits, "measures": measures}
    return comparison("text", task="recognition", **made)


def faults_of(*lines: RecordedComparison, allow_empty: bool = False) -> list[str]:
    return [fault.text for fault in verdict_on_run(tally(*lines), allow_empty=allow_empty, is_recording=False)]


class TestLines:
    def test_the_share_of_lines_that_are_read_otherwise(self) -> None:
        right = [line(f"{number}.png", "same") for number in range(9)]
        assert faults_of(*right, line("x.png", different=1, edits=1)) == []
        (text,) = faults_of(*right[1:], line("x.png", different=1, edits=1), line("y.png", different=1, edits=0))
        assert text.startswith("over the run 20.0% (2 of 10) of the lines are read otherwise, limit 0.1 (")

    def test_the_character_error_rate_of_all_lines_together(self) -> None:
        right = [line(f"{number}.png", "same") for number in range(9)]
        (text,) = faults_of(*right, line("x.png", different=1, edits=3))
        assert text.startswith("over the run 3.0% (3 of 100) of the characters are edits, limit 0.02 (text.max_cer")

    def test_where_it_judges_each_line_it_does_not_judge_the_run(self) -> None:
        lines = [line("x.png", edits=9)]
        off = replace(lines[0], limits={**lines[0].limits, "text.per_run": Limit(False, "file")})
        assert faults_of(off) == [] and len(faults_of(*lines)) == 1
        other = line("x.png", edits=9, different=1)  # and hides no other limit of the run
        other = replace(other, limits={**other.limits, "text.per_run": Limit(False, "file")})
        (text,) = faults_of(other)
        assert "of the lines are read otherwise" in text

    def test_one_line_may_be_borderline_and_of_many_a_share(self) -> None:
        assert faults_of(line("x.png", "same", borderline=1), line("y.png", "same")) == []
        two = [line(f"{name}.png", "same", borderline=1) for name in "xy"]
        (text,) = faults_of(*two)
        assert "100.0% (2 of 2) of the lines are borderline, limit 0.02" in text
        assert faults_of(*two, *(line(f"{number}.png", "same") for number in range(98))) == []

    def test_a_limit_of_0_permits_none(self) -> None:
        made = line("x.png", "same", borderline=1)
        none = Measure("text.max_borderline", 1, 0.0, "exact preset", decides=False)
        assert len(faults_of(replace(made, measures=(*made.measures[:2], none)))) == 1

    def test_a_recogniser_that_reads_nothing_beside_a_detector_that_finds_boxes(self) -> None:
        boxes = comparison(counts={"boxes": 3, "reference": 3, "different": 0, "borderline": 0})
        (text,) = faults_of(boxes, line("x.png", "empty"))
        assert text.startswith("no image of this run has a text that is read (1 compared)")
        assert faults_of(boxes, line("x.png", "empty"), line("y.png", "same")) == []
        assert faults_of(boxes, line("x.png", "empty"), allow_empty=True) == []
        (text,) = faults_of(comparison(status="empty", counts={"boxes": 0}), line("y.png", "same"))
        assert text.startswith("no image of this run has a box (1 compared)")

    @pytest.mark.parametrize(
        ("statuses", "is_fault"),
        [
            (("empty", "empty", "empty, as allowed"), True),  # allowed of one image, which excuses no other
            (("empty, as allowed",), False),
            (("empty", "empty, as allowed", "same"), False),
        ],
    )
    @pytest.mark.parametrize(
        ("kind", "found"), [("detections", "a box"), ("text", "a text that is read"), ("page", "a line")]
    )
    def test_what_is_allowed_of_one_image_excuses_no_other(
        self, kind: str, found: str, statuses: tuple[str, ...], is_fault: bool
    ) -> None:
        made = [comparison(kind, status=status, counts={"reference": 0}) for status in statuses]
        expected = f"no image of this run has {found} ({len(made)} compared): nothing shows that the model "
        assert [text.startswith(expected) for text in faults_of(*made)] == [True] * is_fault
        assert faults_of(*made, allow_empty=True) == []

    @pytest.mark.parametrize("task", ["detection", "recognition"])
    def test_a_cause_of_the_other_task_is_none_of_theirs(self, task: str) -> None:
        causes = {(task, "train", "inference"): "; cause on x.png: y"}
        for name, one in (("recognition", line("x.png", different=1)), ("detection", record("inference", 4, 30))):
            (fault,) = verdict_on_run(tally(one), allow_empty=False, is_recording=False, causes=causes)
            assert fault.text.endswith("; cause on x.png: y") == (name == task)


LOSES = [image_counts(f"{index:02}.png", 4, 4, 2) for index in range(40)]
UNDECIDED = [image_counts("a.png", 4, 4, 3), image_counts("b.png", 4, 4, 4)]


def test_a_drop_that_is_shown_is_a_fault_with_its_images_and_cause() -> None:
    (fault,) = verdict_on_accuracy(
        [accuracy_record(LOSES, cause="00.png, which lost most of those with a cause: x.y, z")]
    )
    assert fault.name == "accuracy.max_drop"
    assert fault.text.startswith("accuracy of inference against train failed: hmean 100.00 % to 66.67 % on 40 images")
    assert "limit 0.01 (accuracy.max_drop, fp32 preset, built-in); most lost on 00.png, 01.png, 02.png; " in fault.text
    assert fault.text.endswith("; 00.png, which lost most of those with a cause: x.y, z")


def test_one_that_is_undecided_is_a_fault_where_the_user_set_the_limit() -> None:
    assert verdict_on_accuracy([accuracy_record(UNDECIDED)]) == []
    texts = [each.text for each in verdict_on_accuracy([accuracy_record(LOSES), accuracy_record(LOSES, 0.02)])]
    assert [text.partition(" failed")[0].rpartition(" ")[2] for text in texts] == ["0.01", "0.02"]
    (fault,) = verdict_on_accuracy([accuracy_record(UNDECIDED, origin="marker")])
    assert "undecided" in fault.text


def test_what_passes_loses_nothing_or_is_not_judged_is_none() -> None:
    same = [image_counts(f"{index}", 4, 4, 4) for index in range(40)]
    records = [accuracy_record(same, 0.2, "marker"), accuracy_record(same[:2]), accuracy_record(LOSES, "off")]
    assert [each.result.verdict for each in records] == ["passed", "no loss seen", "not judged"]
    assert verdict_on_accuracy(records) == []


def test_an_accuracy_that_a_test_asserted_is_a_comparison() -> None:
    left = Used(fixture="ocr_image"), Evaluated(accuracy=accuracy_record(LOSES))
    assert verdict_on_run(tally(*left), allow_empty=False, is_recording=False) == []


# What must hold of a run's faults whatever its records are.


@quickly
@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.integers(0, 3)), max_size=8), st.randoms())
def test_batches_are_judged_whatever_the_order_and_their_names(
    drawn: list[tuple[str, bool, int]], draw: Random
) -> None:
    made = [
        Batched(side=side, image=f"{place}", asked=2, size=size, is_same=same or size < 2, text="" if same else "off")
        for place, (side, same, size) in enumerate(drawn)
    ]
    faults = verdict_on_batches(made)
    wrong = {each.side for each in made if not each.is_same}
    idle = {each.side for each in made} - {each.side for each in made if each.size > 1}
    assert len(faults) == len(wrong | idle)
    other = [replace(each, image=f"x{each.image}") for each in made]
    draw.shuffle(other)
    assert len(verdict_on_batches(other)) == len(faults)
    alike = [Batched(side=side, image="more", asked=2, size=2) for side in {each.side for each in made} - idle]
    assert len(verdict_on_batches([*made, *alike])) == len(faults)


@quickly
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(5, 30)), min_size=1, max_size=6), st.randoms())
def test_a_limit_of_a_run_sums_over_its_images_whatever_their_order(drawn: list[tuple[int, int]], draw: Random) -> None:
    records = [record(f"{place}", different, boxes) for place, (different, boxes) in enumerate(drawn)]
    one_side = [
        replace(each, comparison=replace(each.comparison, candidate="port"))
        for each in records
        if isinstance(each, Compared)
    ]
    share = sum(different for different, _ in drawn) / sum(boxes for _, boxes in drawn)
    faults = verdict_on_run(tally(*one_side), allow_empty=False, is_recording=False)
    assert bool(faults) == (share > 0.06)
    draw.shuffle(one_side)
    again = verdict_on_run(tally(*one_side), allow_empty=False, is_recording=False)
    assert [each.text.partition(";")[0] for each in again] == [each.text.partition(";")[0] for each in faults]


def test_the_worst_images_come_first_and_those_without_any_are_not_named() -> None:
    made = [record("port", count, 10) for count in (1, 3, 0, 2, 5)]
    named = [
        Compared(comparison=replace(each.comparison, image=f"{place}.png"))
        for place, each in enumerate(made)
        if isinstance(each, Compared)
    ]
    (fault,) = verdict_on_run(tally(*named), allow_empty=False, is_recording=False)
    assert fault.text.endswith("port against train, most in 4.png, 1.png, 3.png")
    (fault,) = verdict_on_run(tally(named[1], named[2]), allow_empty=False, is_recording=False)
    assert fault.text.endswith("most in 1.png")


def golden(recorded: bool) -> Golden:
    return Golden(image="a.png", path="a.png.npz", reference="train", recorded=recorded, drift="")


def test_a_run_that_records_has_to_record() -> None:
    def faults(*records: Record) -> list[tuple[str, str]]:
        found = verdict_on_run(tally(*records), allow_empty=False, is_recording=True)
        return [(fault.name, fault.text) for fault in found]

    ((name, text),) = faults(Used(fixture="ocr_image"))
    assert (name, text) == ("recorded", "nothing was recorded: no test asked ocr_golden for a baseline")
    ((name, text),) = faults(Used(fixture="ocr_golden"))
    assert (name, text) == ("recorded", "nothing was recorded: no test that took ocr_golden got as far as a baseline")
    assert faults(golden(recorded=True)) == []
    ((name, _),) = faults(golden(recorded=False))  # it was there already, and nothing was compared
    assert name == "compared"
    ((name, _),) = [
        tuple(each[:2]) for each in verdict_on_run(tally(golden(False)), allow_empty=False, is_recording=False)
    ]
    assert name == "compared"


@pytest.mark.parametrize(("largest", "is_said"), [(1, False), (2, True), (3, False)])
def test_batches_smaller_than_asked_are_said(largest: int, is_said: bool) -> None:
    records = [Batched(side="inference", image=name, asked=3, size=size) for name, size in (("a", 1), ("b", largest))]
    assert bool(verdict_on_batch_sizes(records)) == is_said


def test_a_run_that_records_and_used_several_fixtures() -> None:
    found = verdict_on_run(
        tally(Used(fixture="ocr_image"), Used(fixture="ocr_golden")), allow_empty=False, is_recording=True
    )
    assert [fault.text for fault in found] == [
        "nothing was recorded: no test that took ocr_golden got as far as a baseline"
    ]


def test_a_dictionary_that_differs_is_said_once_beside_other_differences() -> None:
    stated = {"characters": 5, "differing": 1, "line": 3}
    other = Difference("text", "dictionary", {**stated, "character": "c"}, {**stated, "character": "x"}, fails=False)
    pixels = Difference("resize", "pixels", fails=False)
    lines = [replace(line(f"{name}.png", "same"), differences=(pixels, other)) for name in "ab"]
    (text,) = faults_of(*lines)
    assert "the dictionaries differ in 1 of 5 characters" in text
    assert faults_of(*(replace(each, differences=(pixels,)) for each in lines)) == []
    assert faults_of(*(replace(each, status="different") for each in lines)) == []  # it failed already


def test_a_measure_that_decides_at_once_is_not_judged_over_the_run() -> None:
    made = record("port", 4, 30)
    assert isinstance(made, Compared)
    decided = [dataclasses.replace(each, decides=True) for each in made.comparison.measures]
    assert faults_of(replace(made.comparison, measures=tuple(decided))) == []
    off = [dataclasses.replace(each, limit=None) for each in made.comparison.measures]
    assert faults_of(replace(made.comparison, measures=tuple(off))) == []
    assert len(faults_of(made.comparison)) == 1


def test_a_lone_borderline_line_hides_no_other_limit() -> None:
    wrong = line("x.png", borderline=1, different=1, edits=1)
    measures = (wrong.measures[2], *wrong.measures[:2])
    texts = faults_of(replace(wrong, measures=measures))
    assert len(texts) == 2 and not any("borderline" in text for text in texts)


def test_a_mean_of_maps_is_that_of_the_images_and_said_as_a_number() -> None:
    def of(image: str, mean: float) -> RecordedComparison:
        measure = Measure("probability_maps.mean_atol", mean, 1e-4, "fp16 preset", decides=False)
        return comparison("probability_maps", image=image, measures=(measure,))

    (text,) = faults_of(of("a.png", 1e-4), of("b.png", 5e-4), of("c.png", 0.0), of("d.png", 0.0))
    assert text.startswith("over the run 1.5e-04 is the maps' mean difference, limit 0.0001 (probability_maps.mean")
    assert text.endswith("most in b.png, a.png")
    assert faults_of(of("a.png", 2e-4), of("b.png", 0.0)) == []


@pytest.mark.parametrize("count", [1, 2])
def test_of_one_image_or_more_smaller_batches_are_said(count: int) -> None:
    records = [Batched(side="inference", image=f"{place}", asked=3, size=2) for place in range(count)]
    (text,) = verdict_on_batch_sizes(records)
    assert "asked for batches of 3, and the largest that ran had 2 images" in text
