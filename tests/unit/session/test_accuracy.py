"""What a run shows of accuracy: which records count, and which cause a drop is said to have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from labelled import accuracy_record, image_counts, write_pages
from msgspec import structs
from records import comparison

from pytest_ocrparity.comparison import RECORDED
from pytest_ocrparity.diagnosis import UNKNOWN, Diagnosis
from pytest_ocrparity.report.document import Caught, Compared, Counted, Evaluated, Failed, LabelFault, Record, Used
from pytest_ocrparity.report.table import Tally
from pytest_ocrparity.session.accuracy import AccuracyOfRun, asserted_accuracy
from pytest_ocrparity.session.fixtures import OWN_IMAGE
from pytest_ocrparity.session.label_book import LEFT_OUT, NO_LABEL, NO_RESULT, OTHER_TASK, LabelBook
from pytest_ocrparity.session.worst import Worst
from pytest_ocrparity.settings import load_settings
from pytest_ocrparity.stages import DETECTION, TaskSides
from pytest_ocrparity.tolerance import OFF, Limit

Judge: TypeAlias = "Callable[..., AccuracyOfRun]"
BUILT_IN, OTHER = Limit(0.01, "fp32 preset, built-in", is_preset=True), Limit(0.2, "marker")


def counted(image: str, candidate: int = 4, *, limit: Limit = BUILT_IN, side: str = "inference") -> list[Record]:
    """Return what a test leaves that compared an image of four boxes."""
    counts = image_counts(image, 4, 4, candidate)
    sides = {"reference": "train", "candidate": side}
    return [
        Compared(comparison=comparison(image=image, **sides)),
        Counted(task="detection", image=image, limit=limit, counts=counts, **sides),
    ]


def uncounted(image: str, why: str = NO_LABEL, label: str = "") -> list[Record]:
    compared, _ = counted(image)
    sides: dict[str, Any] = {"reference": "train", "candidate": "inference"}
    return [compared, Counted(task="detection", image=image, limit=BUILT_IN, why=why, label=label, **sides)]


def failed(image: str, cause: str) -> Record:
    diagnosis = Diagnosis(stage="detections", cause=cause, summary="why")
    return Failed(
        image=image,
        reference="train",
        candidate="inference",
        kind="detections",
        message="",
        diagnoses=(diagnosis,),
        others=(),
    )


@pytest.fixture
def judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Judge:
    """Return a function that judges what tests left in a project of three labelled pages."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Label.txt").write_text(write_pages(tmp_path, [1, 1, 1]))
    (tmp_path / "ocrparity.toml").write_text('labels = "Label.txt"')
    settings = load_settings(tmp_path / "ocrparity.toml", {}, tmp_path)

    def judge(
        *tests: list[Record], is_whole: bool = True, worst: dict[TaskSides, Worst] | None = None
    ) -> AccuracyOfRun:
        tally = Tally({str(index): test for index, test in enumerate(tests)})
        book = LabelBook(lambda: DETECTION)
        return AccuracyOfRun.of(book.naming_images(settings), tally, book, worst or {}, is_whole=is_whole)

    return judge


def test_each_image_counts_once_and_of_different_counts_the_worst(judged: Judge) -> None:
    for tests in ([counted("a", 1), counted("b"), counted("a", 3)], [counted("a", 3), counted("a", 1), counted("b")]):
        (record,) = judged(*tests).records
        assert [(each.image, each.candidate.matched) for each in record.counts] == [("a", 1), ("b", 4)]
        assert (record.not_counted, record.otherwise) == ({"not_compared": 1}, 1)
    (record,) = judged(counted("a", 1), counted("a", 1)).records
    assert (len(record.counts), record.otherwise) == (1, 0)


def test_an_image_that_tests_name_otherwise_counts_once(judged: Judge) -> None:
    def named(image: str, label: str) -> list[Record]:
        compared, found = counted(image)
        return [compared, structs.replace(found, label=label)]

    (record,) = judged(named("a", "/x/a"), named("./a", "/x/a"), named("b", "/x/b")).records
    assert ([each.image for each in record.counts], record.otherwise) == (["a", "b"], 0)
    assert record.not_counted == {"not_compared": 1, "repeated": 1}
    (record,) = judged(named("a", "/x/a"), named("b", "/x/b")).records
    assert record.not_counted == {"not_compared": 1}


def test_the_order_of_tests_decides_nothing(judged: Judge) -> None:
    tests = [counted(str(index), index % 5) for index in range(9)]
    assert judged(*tests).records == judged(*tests[::-1]).records


def test_each_pair_of_sides_and_each_limit_is_judged_by_itself(judged: Judge) -> None:
    found = judged(counted("a"), counted("b", limit=OTHER), counted("a", side="int8")).records
    assert [(each.candidate, each.limit.value, [one.image for one in each.counts]) for each in found] == [
        ("inference", 0.01, ["a"]),
        ("inference", 0.2, ["b"]),
        ("int8", 0.01, ["a"]),
    ]


def test_a_stricter_limit_is_judged_beside_that_of_another_test_of_the_same_image(judged: Judge) -> None:
    strict = Limit(0.001, "marker")
    for tests in ([("a", strict), ("a", OTHER)], [("a", OTHER), ("a", strict)]):
        found = judged(*(counted(image, 3, limit=limit) for image, limit in tests)).records
        assert sorted((each.limit.value, len(each.counts)) for each in found) == [(0.001, 1), (0.2, 1)]
        assert found[0].not_counted == {"not_compared": 2}
    (once,) = judged(counted("a", limit=strict), counted("a", limit=strict)).records
    assert len(once.counts) == 1


def test_images_under_one_value_are_one_sample_whoever_set_it(judged: Judge) -> None:
    file, marker = Limit(0.01, "ocrparity.toml"), Limit(0.01, "marker")
    tests = [counted(f"{index:02}", limit=(file, marker, BUILT_IN)[index % 3]) for index in range(40)]
    for order in (tests, tests[::-1]):
        (record,) = judged(*order).records
        assert (record.result.units, record.result.is_set, record.limit) == (40, True, file)
    (record,) = judged(*(counted(str(index)) for index in range(40))).records
    assert (record.result.is_set, record.limit) == (False, BUILT_IN)
    assert len(judged(*tests, counted("x", limit=OTHER)).records) == 2


def test_what_does_not_count_is_counted(judged: Judge) -> None:
    tests = [counted("a"), uncounted("b"), uncounted("c", NO_RESULT), uncounted("d", LEFT_OUT, "d")]
    (record,) = judged(*tests).records
    assert record.not_counted == {"no_label": 1, "no_result": 1, "not_compared": 1}
    assert record.named == {
        "no_label": ("b",),
        "no_result": ("c",),
        "not_compared": ("images/00.npy", "images/01.npy", "images/02.npy"),
    }
    (record,) = judged(*tests, counted("c")).records
    assert record.not_counted == {"no_label": 1, "not_compared": 1}


def test_traces_may_be_called_as_what_is_none(judged: Judge) -> None:
    named = {"reference": "reference", "candidate": "candidate"}
    _, found = counted("a", 1)
    left: list[Record] = [Compared(comparison=comparison(image="a", **named)), structs.replace(found, **named)]
    (record,) = judged(left).records
    assert record.sides == ("reference", "candidate") and record.result.candidate.recall == 0.25


def test_boxes_of_labels_that_are_left_out_are_told(judged: Judge, tmp_path: Path) -> None:
    assert judged(counted("a")).notes == []
    crossed = '[{"transcription": "a", "points": [[0, 0], [9, 9], [9, 0], [0, 9]]}]'
    text = (tmp_path / "Label.txt").read_text().splitlines(keepends=True)
    text[1] = f"images/01.npy\t{crossed}\n"
    (tmp_path / "Label.txt").write_text("".join(text))
    (note,) = judged(counted("a")).notes
    assert note.startswith("labels: 1 box with points that cross, or without area, left out as by PaddleOCR, ")
    assert note.endswith("the first in Label.txt:2: order the points around each box")


def test_a_test_that_expects_a_difference_counts_for_nobody(judged: Judge) -> None:
    expected: list[Record] = [*counted("a", 0), Caught(messages=(), is_expected=True)]
    assert judged(expected).records == []
    unexpected: list[Record] = [*counted("a", 0), Caught(messages=(), is_expected=False)]
    assert len(judged(unexpected).records) == 1


def test_a_recording_and_plain_boxes_are_no_comparison(judged: Judge) -> None:
    recorded = Compared(comparison=comparison(status=RECORDED))
    plain = Compared(comparison=comparison(reference="reference", candidate="candidate"))
    assert judged([recorded]) == AccuracyOfRun()
    image = Used(fixture=OWN_IMAGE)
    assert judged([image, plain], counted("a")).nothing == []
    assert judged([plain], [plain], [plain]) == AccuracyOfRun()  # of tests that are about no image
    found = judged([image, plain], [image, plain], [image, plain])
    assert found.nothing == [
        "labels are set, and no image was counted: tests compare boxes by themselves, which name no image: give "
        "assert_same_detections the traces that they are of"
    ]
    for part in (judged([image, plain], [image, plain]), judged(*[[image, plain]] * 3, is_whole=False)):
        assert (part.nothing, part.notes) == ([], found.nothing)


def test_a_pair_of_sides_compared_in_part_is_no_fault_beside_one_that_counts(judged: Judge) -> None:
    part: list[list[Record]] = [
        [Compared(comparison=comparison("preprocessing", image=f"images/0{index}.npy", candidate="int8"))]
        for index in range(3)
    ]
    assert len(judged(*part).nothing) == 1
    found = judged(*part, counted("images/00.npy"))
    assert (found.nothing, len(found.notes), len(found.records)) == ([], 1, 1)


def test_what_a_process_alone_saw_of_the_labels_fails_the_run(judged: Judge) -> None:
    faults: list[Record] = [LabelFault(task="detection", text=text) for text in ("Label.txt:2: x", "Label.txt:1: x")]
    found = judged(counted("a"), faults)
    assert (found.records, found.nothing) == ([], ["labels: Label.txt:1: x"])


def test_labels_of_the_other_task_are_told(judged: Judge) -> None:
    (text,) = judged(*(uncounted(f"images/0{index}.npy", OTHER_TASK) for index in range(3))).nothing
    assert text.endswith("labels are of texts, as the first of them shows, and tests compared boxes")
    (text,) = judged(*(uncounted(f"images/0{index}.npy", LEFT_OUT) for index in range(3))).nothing
    assert "the labels of all that were compared are left out" in text


def test_a_whole_run_that_counts_nothing_fails_and_a_part_of_one_says_so(judged: Judge) -> None:
    every = [uncounted(f"images/0{index}.npy") for index in range(3)]
    found = judged(*every)
    assert found.notes == []
    assert found.nothing[0].startswith(
        "labels are set, and no image of inference against train was counted: 3 images without a label (images/00.npy"
    )
    for part in (judged(*every[:2]), judged(*every, is_whole=False)):
        assert part.nothing == []
        assert part.notes[0].startswith("labels are set, and no image of inference against train was counted")
    assert judged(counted("a"), *every).nothing == []


def test_a_run_without_boxes_is_not_sent_to_the_labels(judged: Judge) -> None:
    def said(*kinds: str) -> str:
        images = [f"images/0{index}.npy" for index in range(3)]
        tests: list[list[Record]] = [
            [Compared(comparison=comparison(kind, image=image, reference="train", candidate="inference"))]
            for image in images
            for kind in kinds
        ]
        (text,) = judged(*tests).nothing
        return text.partition(" was counted: ")[2]

    assert said("preprocessing", "probability_maps") == "no test compared boxes: use assert_same_detections"
    assert said("preprocessing", "detections").startswith("a side returned no boxes (images/00.npy, ")
    assert judged(counted("a"), [Compared(comparison=comparison("preprocessing"))]).nothing == []


def test_the_cause_is_that_of_the_image_that_lost_most_of_those_with_one(judged: Judge) -> None:
    tests = [counted("a", 0), counted("b", 1), counted("c", 3), counted("d")]
    causes = [failed("a", UNKNOWN), failed("b", "resize.limits"), failed("c", "decode.scaled")]
    more = "; a lost more, and its cause is not known"
    assert judged(*tests, causes).records[0].cause == (
        f"b, which lost most of those with a cause: resize.limits, why{more}"
    )
    # Of an image that lost nothing, a cause explains no drop; nor does what no experiment knows.
    (record,) = judged(*tests, [failed("d", "resize.limits"), failed("a", UNKNOWN)]).records
    assert record.cause == "the cause is not known: experiments on a do not show it"
    (record,) = judged(*tests, [failed("d", "resize.limits")]).records
    assert record.cause == "the cause is not known: no experiment ran on an image that lost something"


def test_all_causes_of_the_image_are_named_and_none_where_part_of_it_is_unknown(judged: Judge) -> None:
    tests = [counted("a", 0), counted("b", 1)]
    head = "which lost most of those with a cause"
    found = judged(*tests, [failed("a", "resize.limits"), failed("a", "decode.scaled")], [failed("a", "resize.limits")])
    assert found.records[0].cause == f"a, {head}: resize.limits, why; decode.scaled, why"
    causes = [failed("a", "resize.limits"), failed("a", UNKNOWN), failed("b", "decode.scaled")]
    more = "; a lost more, and its cause is not known"
    assert judged(*tests, causes).records[0].cause == f"b, {head}: decode.scaled, why{more}"


def test_a_test_that_expects_a_difference_has_no_cause_for_this_candidate(judged: Judge) -> None:
    for is_expected in (False, True):
        causes = [failed("a", "resize.limits"), Caught(messages=(), is_expected=is_expected)]
        assert ("resize.limits" in judged(counted("a", 0), causes).records[0].cause) is not is_expected


def test_only_a_verdict_that_may_be_a_fault_has_a_cause(judged: Judge) -> None:
    for limit, verdict in ((0.01, "undecided"), (0.9, "passed"), (OFF, "not judged")):
        tests = [counted(str(index), 3 + (index > 0), limit=Limit(limit, "marker")) for index in range(60)]
        (record,) = judged(*tests, [failed("0", "resize.limits")]).records
        assert (record.result.verdict, bool(record.cause)) == (verdict, verdict == "undecided")


def test_what_was_found_on_the_worst_image_of_a_run_is_a_cause_too(judged: Judge) -> None:
    sides = "detection", "train", "inference"
    worst = {sides: Worst(sides, "a", 2.0, ("postprocess.thresh, why",), "", ("detections",))}
    assert (
        judged(counted("a", 1), worst=worst).records[0].cause
        == "a, which lost most of those with a cause: postprocess.thresh, why"
    )
    assert judged(counted("a", 4), worst=worst).records[0].cause == ""
    maps = {sides: replace(worst[sides], kinds=("probability_maps",))}
    assert judged(counted("a", 1), worst=maps).records[0].cause.startswith("the cause is not known: no experiment")
    lines = "recognition", "train", "inference"
    of_lines = {lines: replace(worst[sides], sides=lines)}
    assert judged(counted("a", 1), worst=of_lines).records[0].cause.startswith("the cause is not known: no experiment")
    for causes in ((UNKNOWN,), ("postprocess.thresh, why", UNKNOWN)):
        worst = {sides: Worst(sides, "a", 2.0, causes, "", ("detections",))}
        (record,) = judged(counted("a", 1), worst=worst).records
        assert record.cause == "the cause is not known: experiments on a do not show it"


def test_where_nothing_is_lost_there_is_no_cause_to_be_known(judged: Judge) -> None:
    blind = [image_counts(str(index), 4, 0, 0) for index in range(3)]
    tests: list[list[Record]] = [
        [Counted(task="detection", reference="train", candidate="int8", image=each.image, limit=BUILT_IN, counts=each)]
        for each in blind
    ]
    (record,) = judged(*tests).records
    assert (record.result.verdict, record.cause) == ("undecided", "")


def test_changes_are_those_of_the_record_that_counts(judged: Judge) -> None:
    (record,) = judged(counted("b"), counted("a", 1), counted("a", 3)).records
    assert [[each.index for each in counts.changes] for counts in record.counts] == [[1, 2, 3], []]
    assert [counts.changes for counts in record.light] == [(), ()]
    strict = Limit(0.001, "marker")
    found = judged(counted("a", 1, limit=strict), counted("a", 3)).records
    assert [[each.index for each in record.counts[0].changes] for record in found] == [[1, 2, 3], [3]]


def test_a_cause_of_another_stage_is_none_of_lost_boxes(judged: Judge) -> None:
    found = failed("a", "decode.channel_order")
    assert isinstance(found, Failed)
    alone = structs.replace(found, kind="preprocessing")
    some = {"boxes": 4}  # none where a side has no boxes
    for status, counts, is_cause in (("same", some, False), ("different", {}, False), ("different", some, True)):
        both = structs.replace(alone, others=(comparison(image="a", status=status, counts=counts),))
        assert ("decode.channel_order" in judged(counted("a", 1), [both]).records[0].cause) == is_cause
    assert "decode.channel_order" not in judged(counted("a", 1), [alone]).records[0].cause


def test_what_tests_asserted_is_shown_but_for_those_that_expect_a_difference() -> None:
    record = accuracy_record([image_counts("a", 4, 4, 1)])
    left: list[Record] = [Evaluated(accuracy=record)]
    expected: list[Record] = [*left, Caught(messages=(), is_expected=True)]
    (found,) = asserted_accuracy(Tally({"one": left, "two": expected}))
    assert found == record and [len(each.changes) for each in found.counts] == [3]
    assert [each.changes for each in found.light] == [()]
    assert asserted_accuracy(Tally({"one": left}), {"one"}) == []  # which pytest expects to fail
