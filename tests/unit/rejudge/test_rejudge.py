"""Judging recorded results again: never another answer than comparing again, and "undecided" where it can't know."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from labelled import accuracy_record, image_counts
from msgspec import structs
from records import results
from toy import BLANK, PAGE, FusedToy, Toy
from toy_reader import LINE, NEARLY, NOTHING, Reader

from pytest_ocrparity import Detections, Recognition, Trace
from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.compare.run_verdict import verdict_on_run_limits
from pytest_ocrparity.comparison import UNDECIDED, Comparison
from pytest_ocrparity.contract import pipeline_of
from pytest_ocrparity.rejudge import limits_to_rejudge_by, rejudge_comparisons
from pytest_ocrparity.report.accuracy_record import rejudge_accuracy
from pytest_ocrparity.report.document import RecordedComparison, read_report_document
from pytest_ocrparity.report.document_text import as_text
from pytest_ocrparity.tolerance import BUILT_IN, Tolerance, parse_tolerance

WORDS = (
    "exact",
    "fp32",
    "fp16",
    "int8",
    "preprocessing.atol=0.1",
    "preprocessing.atol=auto",
    "preprocessing.atol=0",
    "probability_maps.atol=off",
    "probability_maps.atol=auto",
    "probability_maps.atol=0.01",
    "probability_maps.atol=1e-5",
    "probability_maps.max_share=0.2",
    "probability_maps.mean_atol=1e-3",
    "probability_maps.mean_atol=off",
    "probability_maps.max_crossings=3",
    "detections.min_iou=0.99",
    "detections.min_iou=0.3",
    "detections.min_iou=auto",
    "detections.max_shift=0",
    "detections.max_shift=0.5",
    "detections.max_shift=5",
    "detections.max_shift=off",
    "detections.max_score_difference=0.001",
    "detections.max_score_difference=0.01",
    "detections.max_score_difference=0.5",
    "detections.max_score_difference=auto",
    "detections.max_unmatched=0.4",
    "detections.max_unmatched=1",
    "detections.max_borderline=0",
    "detections.allow_empty=true",
)
RECORDED = (
    *("fp32", "exact", "fp16", "preprocessing.atol=0.1", "probability_maps.atol=off", "probability_maps.atol=0.01"),
    *("probability_maps.max_share=0.2", "detections.max_shift=off", "detections.max_unmatched=0.4"),
    *("detections.max_score_difference=0.001", "detections.allow_empty=true", "probability_maps.atol=0.1"),
)
CANDIDATES: dict[str, dict[str, Any]] = {
    "same": {},
    "offset": {"offset": 2e-3},
    "small offset": {"offset": 5e-5},
    "noise": {"noise": 1e-3},
    "more noise": {"noise": 0.2},
    "mean": {"mean": 0.6},
    "padded": {"pad": 4},
    "a little padded": {"pad": 2},
    "box_thresh": {"box_thresh": 0.97},
    "scale": {"scale": 2},
    "polygons": {"box_type": "poly"},
    "no scores": {"has_scores": False},
}


def pairs() -> Iterator[tuple[str, Trace, Trace]]:
    for name, fields in CANDIDATES.items():
        for page in (PAGE, BLANK) if name in ("same", "offset", "noise", "scale") else (PAGE,):
            yield name, Toy().trace(page), Toy(name="inference", **fields).trace(page)
    train, inference = Toy().trace(PAGE), Toy(name="inference").trace(PAGE)
    assert inference.detections is not None
    boxes = inference.detections.polygons
    scores = inference.detections.scores
    assert scores is not None
    for moved in (1.5, 3.0, 30.0):
        polygons = (boxes[0] + moved, *boxes[1:])
        yield f"moved {moved}", train, replace(inference, detections=Detections(polygons, scores))
    yield "missing", train, replace(inference, detections=Detections(boxes[1:], scores[1:]))
    yield "scores", train, replace(inference, detections=Detections(boxes, scores * 0.9))
    broken = np.array(boxes[0])
    broken[0] = np.nan
    yield "not finite", train, replace(inference, detections=Detections((broken, *boxes[1:]), scores))
    yield "nothing found", train, replace(inference, detections=Detections(()))
    yield "no thresh", replace(train, parameters={}), replace(inference, parameters={})
    yield "plain", replace(train, probability_map=None), replace(inference, probability_map=None)
    on_edge = float(scores[1]) - 1e-5
    yield "borderline", Toy(box_thresh=on_edge).trace(PAGE), Toy(name="i", box_thresh=on_edge, offset=-5e-5).trace(PAGE)
    yield "permuted", train, replace(inference, detections=Detections(boxes, scores[::-1].copy()))
    yield "scores of another map", train, of_a_darker_word(inference)
    yield "fused", FusedToy(fused_noise=3e-3).trace(PAGE), Toy(name="inference", noise=3e-3).trace(PAGE)


def of_a_darker_word(inference: Trace) -> Trace:
    """Return the boxes of a map with one weaker word, of which one score misses by a little what it must be."""
    side, probability_map = pipeline_of(inference), np.array(inference.probability_map)
    probability_map[0, 0, 36:52, 8:60] -= 0.05
    assert side is not None and inference.shape is not None
    found = side.postprocess(probability_map, inference.shape)
    assert found.scores is not None
    scores = np.array(found.scores)
    scores[0] += 1e-4
    return replace(inference, probability_map=probability_map, detections=Detections(found.polygons, scores))


TRACES = {f"{name} {index}": (one, two) for index, (name, one, two) in enumerate(pairs())}


def record(comparison: Comparison) -> RecordedComparison:
    """Return a comparison as a document has it that was written and read."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "results.json"
        path.write_text(as_text(results([RecordedComparison.of(comparison)])))
        return read_report_document(path).comparisons[0]


def compared(sides: tuple[Trace, Trace], word: str) -> tuple[Comparison, ...]:
    return in_a_run(*sides, BUILT_IN.override(parse_tolerance(word), "command line"))


def in_a_run(reference: Trace, candidate: Trace, tolerance: Tolerance = BUILT_IN) -> tuple[Comparison, ...]:
    """Compare as where results are recorded: limits that hold for a run are left to it."""
    return Comparisons(reference, candidate, tolerance, defers=True).all()


def judged_again(
    sides: tuple[Trace, Trace], recorded: str, words: Sequence[str]
) -> Iterator[tuple[str, list[RecordedComparison], Tolerance]]:
    """Yield what was recorded under one tolerance as others judge it, and those as a run would have them."""
    fresh, before = [record(each) for each in compared(sides, recorded)], parse_tolerance(recorded)
    for wanted in words:
        limits = BUILT_IN.override(before, "command line").override(parse_tolerance(wanted), "--tolerance")
        again = rejudge_comparisons(fresh, limits_to_rejudge_by([parse_tolerance(wanted)]))
        yield f"recorded under {recorded}, judged under {wanted}", again, limits


@pytest.mark.parametrize("recorded", RECORDED)
@pytest.mark.parametrize("name", TRACES)
def test_it_answers_as_comparing_again_does_or_not_at_all(name: str, recorded: str) -> None:
    sides = TRACES[name]
    for said, again, limits in judged_again(sides, recorded, WORDS):
        rights = in_a_run(*sides, limits)
        for found, right in zip(again, rights, strict=True):
            if found.status != UNDECIDED:
                assert found.status == right.status, f"{found.kind} {said}"
                assert found.counts.get("different", 0) in (0, right.counts.get("different", 0)), said
        broken = {fault.name for fault in verdict_on_run_limits(again)}  # also of what is undecided, without its counts
        if UNDECIDED not in {found.status for found in again}:
            assert broken == {fault.name for fault in verdict_on_run_limits(rights)}, said


def test_what_was_recorded_and_not_compared_stays_so() -> None:
    train, inference = Toy().trace(PAGE), Toy(name="inference").trace(PAGE)
    own = replace(train, recorded_from=inference.source)
    found = [record(each) for each in in_a_run(own, inference)]
    assert [each.status for each in rejudge_comparisons(found, limits_to_rejudge_by([parse_tolerance("exact")]))] == [
        "recorded"
    ] * 3


def test_boxes_without_their_maps_are_undecided_where_the_maps_limits_change() -> None:
    boxes = record(compared(TRACES["missing 19"], "fp32")[2])
    (again,) = rejudge_comparisons([boxes], limits_to_rejudge_by([parse_tolerance("probability_maps.atol=0.1")]))
    assert again.status == UNDECIDED
    (same,) = rejudge_comparisons([boxes], limits_to_rejudge_by([parse_tolerance("preprocessing.atol=0.1")]))
    assert same.status == "different"


def test_a_borderline_box_stays_so_without_its_maps_until_their_limits_change() -> None:
    fresh = [record(each) for each in compared(TRACES["borderline 25"], "fp32")]
    for word, alone, with_maps in (
        ("detections.max_shift=9", "same", "same"),
        ("probability_maps.atol=0", UNDECIDED, "different"),
    ):
        wanted = limits_to_rejudge_by([parse_tolerance(word)])
        for recorded, status in ((fresh[2:], alone), (fresh, with_maps)):
            again = rejudge_comparisons(recorded, wanted)[-1]
            assert (again.status, again.counts["borderline"]) == (status, int(status != "different"))


def test_pages_without_boxes_and_their_maps_are_undecided_where_limits_change() -> None:
    blank = record(compared(TRACES["same 1"], "fp32")[2])
    assert blank.status == "empty"
    for word, status in (
        ("detections.max_shift=9", "empty"),
        ("probability_maps.atol=0", UNDECIDED),
        ("detections.allow_empty=true", "empty, as allowed"),
    ):
        (again,) = rejudge_comparisons([blank], limits_to_rejudge_by([parse_tolerance(word)]))
        assert again.status == status


class TestSeveralTestsOfOneImage:
    """Two tests compare a blank page of one image and sides: under fp32 its maps differ, under 0.01 they agree."""

    def of_test(self, test: str, limits: str, offset: float = 2e-3) -> list[RecordedComparison]:
        sides = Toy().trace(BLANK), Toy(name="inference", offset=offset).trace(BLANK)
        return [structs.replace(record(each), test=test) for each in compared(sides, limits)]

    @pytest.mark.parametrize("order", [("strict", "loose"), ("loose", "strict")])
    def test_boxes_are_judged_by_the_maps_of_their_own_test(self, order: tuple[str, str]) -> None:
        limits = {"strict": "fp32", "loose": "probability_maps.atol=0.01"}
        found = [each for test in order for each in self.of_test(test, limits[test])]
        statuses = {each.test: each.status for each in found if each.kind == "detections"}
        assert statuses == {"strict": "different", "loose": "empty"}
        again = rejudge_comparisons(found, limits_to_rejudge_by([parse_tolerance("detections.max_shift=9")]))
        assert {each.test: each.status for each in again if each.kind == "detections"} == statuses

    @pytest.mark.parametrize("order", [("near", "far"), ("far", "near")])
    def test_other_maps_of_another_test_do_not_count(self, order: tuple[str, str]) -> None:
        offsets = {"near": 2e-3, "far": 0.2}
        found = [each for test in order for each in self.of_test(test, "fp32", offsets[test])]
        again = rejudge_comparisons(found, limits_to_rejudge_by([parse_tolerance("probability_maps.atol=0.01")]))
        statuses = {each.test: each.status for each in again if each.kind == "detections"}
        assert statuses == {"near": "empty", "far": "different"}

    def test_a_test_of_its_own_for_the_maps_is_used_as_in_the_gate(self) -> None:
        _, maps, boxes = self.of_test("maps", "fp32")
        again = rejudge_comparisons(
            [maps, structs.replace(boxes, test="boxes")],
            limits_to_rejudge_by([parse_tolerance("probability_maps.atol=0.01")]),
        )
        assert [each.status for each in again] == ["same", "empty"]

    def test_other_tests_that_judged_the_maps_alike_are_one(self) -> None:
        maps = [self.of_test(test, "fp32")[1] for test in ("a", "b", "c")]
        boxes = self.of_test("boxes", "fp32")[2]
        again = rejudge_comparisons(
            [*maps, boxes], limits_to_rejudge_by([parse_tolerance("probability_maps.atol=0.01")])
        )
        assert [each.status for each in again] == ["same", "same", "same", "empty"]

    def test_where_other_tests_judged_the_maps_in_two_ways_boxes_are_undecided(self) -> None:
        maps = [self.of_test(limits, limits)[1] for limits in ("fp32", "probability_maps.atol=0.01")]
        boxes = self.of_test("boxes", "fp32")[2]
        again = rejudge_comparisons(
            [*maps, boxes], limits_to_rejudge_by([parse_tolerance("probability_maps.atol=0.01")])
        )
        assert [each.status for each in again] == ["same", "same", UNDECIDED]


LINE_WORDS = (
    *("exact", "fp32", "fp16", "int8", "preprocessing.atol=0.1", "probability_maps.atol=off"),
    *("probability_maps.atol=auto", "probability_maps.atol=0.3", "probability_maps.atol=0.01"),
    *("probability_maps.atol=1e-5", "probability_maps.mean_atol=1e-3", "probability_maps.max_crossings=1"),
    *("probability_maps.max_changed=0.01", "probability_maps.max_changed=0.5", "probability_maps.max_share=0.5"),
    *("text.max_cer=0.2", "text.max_cer=off", "text.max_changed=0.5", "text.max_borderline=0"),
    *("text.max_score_difference=0.2", "text.max_score_difference=1e-6", "text.max_score_difference=auto"),
    *("text.max_score_difference=off", "text.per_run=true", "text.allow_empty=true"),
)
LINES_RECORDED = (
    *("fp32", "exact", "fp16", "int8", "probability_maps.atol=0.3", "probability_maps.atol=off"),
    *("text.max_cer=0.2", "text.max_score_difference=0.2", "text.allow_empty=true"),
)
READERS: dict[str, dict[str, Any]] = {
    "same": {},
    "noise": {"noise": 4e-5},
    "more noise": {"noise": 5e-3},
    "dictionary": {"letters": "bacd "},
    "one letter": {"letters": "xbcd "},
    "squeezed": {"squeezes": True},
    "gain": {"gain": 30.0},
    "shift": {"shift": -0.006},
    "score": {"scale_score": 0.9},
    "no score": {"has_score": False},
}


def lines() -> Iterator[tuple[str, Trace, Trace]]:
    for name, fields in READERS.items():
        for picture in (LINE, NOTHING, NEARLY) if name in ("same", "noise", "gain", "shift") else (LINE,):
            yield name, Reader().trace(picture), Reader(name="inference", **fields).trace(picture)
    train, inference = Reader().trace(LINE), Reader(name="inference").trace(LINE)
    yield "plain", replace(train, probability_map=None), replace(inference, probability_map=None)
    yield "no text", train, replace(inference, recognition=None)
    yield "no number", train, replace(inference, recognition=Recognition("abba cd", float("nan")))


LINES = {f"{name} {index}": (one, two) for index, (name, one, two) in enumerate(lines())}


@pytest.mark.parametrize("recorded", LINES_RECORDED)
@pytest.mark.parametrize("name", LINES)
def test_lines_are_answered_as_comparing_again_does_or_not_at_all(name: str, recorded: str) -> None:
    sides = LINES[name]
    for said, again, limits in judged_again(sides, recorded, LINE_WORDS):
        for found, right in zip(again, in_a_run(*sides, limits), strict=True):
            if found.status != UNDECIDED:
                assert found.status == right.status, f"{found.kind} {said}"
                assert {key: found.counts.get(key) for key in right.counts} == right.counts, said


@pytest.mark.parametrize(("traces", "words"), [(TRACES, WORDS), (LINES, LINE_WORDS)], ids=["boxes", "lines"])
def test_it_answers_most(traces: Mapping[str, tuple[Trace, Trace]], words: Sequence[str]) -> None:
    decided = Counter(
        found.status != UNDECIDED
        for sides in traces.values()
        for _, again, _ in judged_again(sides, "fp32", words)
        for found in again
    )
    assert decided[True] > 3 * decided[False]


def test_texts_without_their_maps_are_undecided_where_the_maps_limits_change() -> None:
    text = record(compared(LINES["dictionary 7"], "fp32")[2])
    for word, status in (("probability_maps.atol=0.1", UNDECIDED), ("preprocessing.atol=0.1", "different")):
        (again,) = rejudge_comparisons([text], limits_to_rejudge_by([parse_tolerance(word)]))
        assert again.status == status


@pytest.mark.parametrize(
    ("sides", "word"),
    [
        (LINES["dictionary 7"], "text.max_score_difference=0.2"),
        (TRACES["missing 19"], "detections.max_score_difference=0.3"),
    ],
    ids=["text", "boxes"],
)
def test_what_follows_maps_that_are_not_judgeable_is_undecided(sides: tuple[Trace, Trace], word: str) -> None:
    tensor, maps, product = (record(each) for each in compared(sides, "fp32"))
    wanted = limits_to_rejudge_by([parse_tolerance(word)])
    assert rejudge_comparisons([tensor, maps, product], wanted)[2].status == "different"
    steep = structs.replace(maps, status="not judgeable")
    assert rejudge_comparisons([tensor, steep, product], wanted)[2].status == UNDECIDED


def test_lines_without_text_and_their_maps_are_undecided_where_limits_change() -> None:
    tensor, maps, blank = (record(each) for each in compared(LINES["same 1"], "fp32"))
    assert blank.status == "empty"
    wanted = limits_to_rejudge_by([parse_tolerance("probability_maps.atol=0.5")])
    assert rejudge_comparisons([blank], wanted)[0].status == UNDECIDED
    assert rejudge_comparisons([tensor, maps, blank], wanted)[2].status == "empty"
    for status, judged in (("different", "different"), ("undecided", UNDECIDED)):
        other = structs.replace(blank, status="different")
        old = structs.replace(maps, status=status)
        loose = limits_to_rejudge_by([parse_tolerance("text.max_cer=0.5")])
        assert rejudge_comparisons([tensor, old, other], loose)[2].status == judged


def test_what_is_undecided_keeps_what_was_measured() -> None:
    boxes = record(compared(TRACES["missing 19"], "fp32")[2])
    (again,) = rejudge_comparisons([boxes], limits_to_rejudge_by([parse_tolerance("probability_maps.atol=0.1")]))
    assert again.status == UNDECIDED
    assert {each.name for each in again.measures} == {each.name for each in boxes.measures}
    maps = record(compared(TRACES["offset 2"], "probability_maps.atol=0.1")[1])  # whose own limit was never measured
    (again,) = rejudge_comparisons([maps], limits_to_rejudge_by([parse_tolerance("probability_maps.atol=auto")]))
    assert again.status == UNDECIDED
    assert {each.name for each in again.measures} == {each.name for each in maps.measures}
    (again,) = rejudge_comparisons([maps], limits_to_rejudge_by([parse_tolerance("probability_maps.atol=0.2")]))
    assert len(again.measures) == len({each.name for each in again.measures})


def test_rounding_that_could_not_be_measured_is_no_reason_to_be_undecided() -> None:
    sides = Toy().trace(PAGE), Toy(name="port", offset=2e-3).trace(PAGE)
    wanted = limits_to_rejudge_by([parse_tolerance("probability_maps.atol=1e-3")])
    maps = record(compared((replace(sides[0], source=None), sides[1]), "fp32")[1])
    assert [each.fails for each in maps.measures].count(True) == 1
    assert rejudge_comparisons([maps], wanted)[0].status == "different"


def test_a_box_that_moved_is_judged_by_what_its_score_differs_by() -> None:
    """Where a score is right for its map, only that judges; of another box nobody knows the right one."""
    train, other = Toy().trace(PAGE), of_a_darker_word(Toy(name="inference").trace(PAGE))
    assert other.detections is not None and other.detections.scores is not None
    boxes, scores = list(other.detections.polygons), other.detections.scores - np.array([1e-4, 0, 0])
    weaker = int(np.abs(scores - train.detections.scores).argmax())  # type: ignore[union-attr]
    boxes[weaker] = boxes[weaker] + np.array([3.0, 0.0])
    sides = train, replace(other, detections=Detections(tuple(boxes), scores))
    fresh = [record(each) for each in compared(sides, "probability_maps.atol=0.1")]
    (moved,) = fresh[2].boxes
    assert (moved.kind, moved.score_error) == ("moved", None) and moved.score_difference == pytest.approx(
        0.05, abs=1e-4
    )
    for word, status in (("detections.max_shift=5", "same"), ("detections.max_shift=1.5", "different")):
        assert rejudge_comparisons(fresh, limits_to_rejudge_by([parse_tolerance(word)]))[2].status == status
        limits = BUILT_IN.override(parse_tolerance("probability_maps.atol=0.1"), "command line")
        assert in_a_run(*sides, limits.override(parse_tolerance(word), "--tolerance"))[2].status == status


def test_amounts_stand_beside_what_judges_them_now_and_who_set_it() -> None:
    fresh = [record(each) for each in compared(TRACES["moved 1.5 16"], "fp32")]

    def judged(word: str) -> dict[str, tuple[float | None, str]]:
        again = rejudge_comparisons(fresh, limits_to_rejudge_by([parse_tolerance(word)]))[2]
        return {each.name: (each.limit, each.origin) for each in again.measures}

    before = {each.name: (each.limit, each.origin) for each in fresh[2].measures}
    shift = "detections.max_shift"
    rule = "fp32 preset, command line"
    assert before[shift] == (1.0, rule) and before["detections.min_iou"] == (None, "")
    assert judged(f"{shift}=5") == {**before, shift: (5.0, "--tolerance")}
    assert judged(f"{shift}=off") == {**before, shift: (None, ""), "detections.min_iou": (0.9, rule)}
    assert judged("detections.max_unmatched=0.9") == {**before, "detections.max_unmatched": (0.9, "--tolerance")}


def test_edits_that_the_maps_explain_are_not_counted() -> None:
    fresh = [record(each) for each in compared(LINES["shift 15"], "probability_maps.atol=0.3")]
    for word, edits, borderline in (("text.max_cer=0.2", 0, 1), ("probability_maps.atol=0", 1, 0)):
        (*_, text) = rejudge_comparisons(fresh, limits_to_rejudge_by([parse_tolerance(word)]))
        assert (text.counts["edits"], text.counts["borderline"]) == (edits, borderline)


@pytest.mark.parametrize("words", [("", "a"), ("ab", "")])
def test_a_line_of_which_one_side_reads_nothing_is_judged_by_its_text(words: tuple[str, str]) -> None:
    sides = [
        replace(side.trace(LINE), recognition=Recognition(word, 0.9), probability_map=None, source=None)
        for side, word in zip((Reader(), Reader(name="inference")), words, strict=True)
    ]
    (*_, text) = compared((sides[0], sides[1]), "fp32")
    wanted = limits_to_rejudge_by([parse_tolerance("text.max_cer=1")])
    (again,) = rejudge_comparisons([record(text)], wanted)
    assert (text.status, again.status) == ("different", "same")
    none = replace(sides[0], recognition=Recognition("", 0.9)), replace(sides[1], recognition=Recognition("", 0.9))
    (again,) = rejudge_comparisons([record(compared(none, "fp32")[2])], wanted)
    assert again.status == UNDECIDED  # only the maps could tell


def test_accuracy_is_judged_again_by_its_counts() -> None:
    record = accuracy_record([image_counts(f"{index}", 4, 4, 4) for index in range(40)])
    assert record.result.verdict == "no loss seen"

    def again(word: str) -> str:
        (found,) = rejudge_accuracy([record], limits_to_rejudge_by([parse_tolerance(word)]))
        assert found.counts == record.counts
        return found.result.verdict

    assert again("accuracy.max_drop=0.3") == "passed"
    assert again("accuracy.max_drop=off") == "not judged"
    assert again("int8") == "no loss seen"
    assert rejudge_accuracy([record], limits_to_rejudge_by([parse_tolerance("text.max_cer=1")])) == [record]


def test_what_a_run_judged_under_two_limits_is_one_sample_under_one() -> None:
    one, two = ([image_counts(f"{index:02}", 4, 4, 4) for index in range(start, start + 20)] for start in (0, 15))
    two[0] = image_counts("15", 4, 4, 3)
    asserted = accuracy_record(one, test="t.py::a")
    (run, other) = rejudge_accuracy(
        [accuracy_record(one), accuracy_record(two, 0.4), asserted],
        limits_to_rejudge_by([{"accuracy": {"max_drop": 0.5}}]),
    )
    assert [each.image for each in run.counts] == [f"{index:02}" for index in range(35)]
    assert [each.image for each in run.changed] == ["15"] and run.limit.value == other.limit.value == 0.5
    assert len(other.counts) == 20 and other.test == "t.py::a"
    assert len(rejudge_accuracy([accuracy_record(one), accuracy_record(two, 0.4)], {})) == 2


# What each kind of comparison is judged as again, of all traces under all words: an answer that was none before, or
# none that was one, changes a number here.

ANSWERS = {
    "fp32": (
        "90 different, 780 same",
        "245 different, 13 left to the run, 60 not comparable, 549 same, 3 undecided",
        "362 different, 31 empty, 4 empty as allowed, 10 left to the run, 456 same, 7 undecided",
    ),
    "exact": (
        "86 different, 780 same, 4 undecided",
        "305 different, 13 left to the run, 60 not comparable, 482 same, 10 undecided",
        "509 different, 31 empty, 4 empty as allowed, 10 left to the run, 228 same, 88 undecided",
    ),
    "fp16": (
        "90 different, 780 same",
        "99 different, 184 left to the run, 60 not comparable, 504 same, 23 undecided",
        "96 different, 29 empty, 4 empty as allowed, 115 left to the run, 524 same, 102 undecided",
    ),
    "preprocessing.atol=0.1": (
        "86 different, 780 same, 4 undecided",
        "245 different, 13 left to the run, 60 not comparable, 549 same, 3 undecided",
        "362 different, 31 empty, 4 empty as allowed, 10 left to the run, 456 same, 7 undecided",
    ),
    "probability_maps.atol=off": (
        "90 different, 780 same",
        "599 different, 13 left to the run, 60 not comparable, 175 same, 23 undecided",
        "345 different, 15 empty, 4 empty as allowed, 10 left to the run, 433 same, 63 undecided",
    ),
    "probability_maps.atol=0.01": (
        "90 different, 780 same",
        "146 different, 13 left to the run, 60 not comparable, 634 same, 17 undecided",
        "314 different, 72 empty, 4 empty as allowed, 10 left to the run, 456 same, 14 undecided",
    ),
    "probability_maps.max_share=0.2": (
        "90 different, 780 same",
        "210 different, 13 left to the run, 60 not comparable, 569 same, 18 undecided",
        "360 different, 31 empty, 4 empty as allowed, 10 left to the run, 433 same, 32 undecided",
    ),
    "detections.max_shift=off": (
        "90 different, 780 same",
        "245 different, 13 left to the run, 60 not comparable, 549 same, 3 undecided",
        "343 different, 31 empty, 4 empty as allowed, 10 left to the run, 379 same, 103 undecided",
    ),
    "detections.max_unmatched=0.4": (
        "90 different, 780 same",
        "245 different, 13 left to the run, 60 not comparable, 549 same, 3 undecided",
        "262 different, 31 empty, 4 empty as allowed, 10 left to the run, 532 same, 31 undecided",
    ),
    "detections.max_score_difference=0.001": (
        "90 different, 780 same",
        "245 different, 13 left to the run, 60 not comparable, 549 same, 3 undecided",
        "433 different, 31 empty, 4 empty as allowed, 10 left to the run, 344 same, 48 undecided",
    ),
    "detections.allow_empty=true": (
        "90 different, 780 same",
        "245 different, 13 left to the run, 60 not comparable, 549 same, 3 undecided",
        "288 different, 5 empty, 104 empty as allowed, 10 left to the run, 456 same, 7 undecided",
    ),
    "probability_maps.atol=0.1": (
        "90 different, 780 same",
        "102 different, 13 left to the run, 60 not comparable, 674 same, 21 undecided",
        "310 different, 72 empty, 4 empty as allowed, 10 left to the run, 456 same, 18 undecided",
    ),
}
ANSWERS_OF_LINES = {
    "fp32": (
        "25 different, 500 same",
        "185 different, 2 left to the run, 25 not comparable, 310 same, 3 undecided",
        "198 different, 53 empty, 4 empty as allowed, 12 left to the run, 238 same, 20 undecided",
    ),
    "exact": (
        "25 different, 500 same",
        "232 different, 2 left to the run, 25 not comparable, 256 same, 10 undecided",
        "312 different, 36 empty, 4 empty as allowed, 12 left to the run, 136 same, 25 undecided",
    ),
    "fp16": (
        "25 different, 500 same",
        "58 different, 23 left to the run, 25 not comparable, 395 same, 24 undecided",
        "114 different, 80 empty, 4 empty as allowed, 81 left to the run, 221 same, 25 undecided",
    ),
    "int8": (
        "25 different, 500 same",
        "58 different, 23 left to the run, 25 not comparable, 395 same, 24 undecided",
        "97 different, 80 empty, 4 empty as allowed, 81 left to the run, 238 same, 25 undecided",
    ),
    "probability_maps.atol=0.3": (
        "25 different, 500 same",
        "65 different, 2 left to the run, 25 not comparable, 409 same, 24 undecided",
        "148 different, 80 empty, 4 empty as allowed, 11 left to the run, 252 same, 30 undecided",
    ),
    "probability_maps.atol=off": (
        "25 different, 500 same",
        "293 different, 2 left to the run, 25 not comparable, 181 same, 24 undecided",
        "210 different, 36 empty, 4 empty as allowed, 12 left to the run, 238 same, 25 undecided",
    ),
    "text.max_cer=0.2": (
        "25 different, 500 same",
        "185 different, 2 left to the run, 25 not comparable, 310 same, 3 undecided",
        "198 different, 53 empty, 4 empty as allowed, 12 left to the run, 238 same, 20 undecided",
    ),
    "text.max_score_difference=0.2": (
        "25 different, 500 same",
        "185 different, 2 left to the run, 25 not comparable, 310 same, 3 undecided",
        "200 different, 53 empty, 4 empty as allowed, 12 left to the run, 238 same, 18 undecided",
    ),
    "text.allow_empty=true": (
        "25 different, 500 same",
        "185 different, 2 left to the run, 25 not comparable, 310 same, 3 undecided",
        "161 different, 11 empty, 84 empty as allowed, 12 left to the run, 238 same, 19 undecided",
    ),
}


def answers(all_sides: Iterable[tuple[Trace, Trace]], recorded: str, words: Sequence[str]) -> tuple[str, ...]:
    """Return by kind how often which status is the answer."""
    found: dict[str, Counter[str]] = {}
    for sides in all_sides:
        for _, again, _ in judged_again(sides, recorded, words):
            for each in again:
                found.setdefault(each.kind, Counter())[each.status.replace(",", "")] += 1
    return tuple(", ".join(f"{count} {status}" for status, count in sorted(each.items())) for each in found.values())


@pytest.mark.parametrize("recorded", RECORDED)
def test_how_often_it_answers_what(recorded: str) -> None:
    assert answers(TRACES.values(), recorded, WORDS) == ANSWERS[recorded]


@pytest.mark.parametrize("recorded", LINES_RECORDED)
def test_how_often_it_answers_what_of_lines(recorded: str) -> None:
    assert answers(LINES.values(), recorded, LINE_WORDS) == ANSWERS_OF_LINES[recorded]


@pytest.mark.parametrize("words", [("fp16", "detections.max_shift=9"), ("detections.max_shift=9", "fp16")])
def test_a_limit_by_name_stands_whichever_side_of_a_preset_it_is_said_on(words: tuple[str, str]) -> None:
    found = limits_to_rejudge_by([parse_tolerance(word) for word in words])
    assert (found["detections.max_shift"].value, found["detections.max_shift"].is_preset) == (9, False)
    assert found["probability_maps.atol"].is_preset


def test_a_limit_of_accuracy_that_a_user_set_outlives_a_preset() -> None:
    counts = [image_counts(f"{index:02}", 4, 4, 3) for index in range(20)]
    for records in (
        [accuracy_record(counts, 0.4, "marker")],
        [accuracy_record(counts), accuracy_record(counts, 0.4, "marker"), accuracy_record(counts, 0.3, "marker")],
    ):
        (found,) = rejudge_accuracy(records, limits_to_rejudge_by([parse_tolerance("fp16")]))
        assert (found.limit.value, found.limit.origin) == (0.4, "marker")
        (found,) = rejudge_accuracy(records, limits_to_rejudge_by([parse_tolerance("accuracy.max_drop=0.2")]))
        assert (found.limit.value, found.limit.origin) == (0.2, "--tolerance")
    (found,) = rejudge_accuracy([accuracy_record(counts)], limits_to_rejudge_by([parse_tolerance("fp16")]))
    assert found.limit.is_preset


def test_boxes_without_their_maps_are_undecided_where_one_of_several_limits_is_of_the_maps() -> None:
    boxes = record(compared(TRACES["missing 19"], "fp32")[2])
    words = [parse_tolerance(word) for word in ("probability_maps.atol=0.1", "detections.max_shift=9")]
    assert rejudge_comparisons([boxes], limits_to_rejudge_by(words))[0].status == UNDECIDED
    (again,) = rejudge_comparisons([boxes], limits_to_rejudge_by(words[1:]))
    assert again.status == "different"
