"""The judge alone, on amounts: each limit holds on both of its sides, and what is not known decides nothing."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from pytest_ocrparity.compare.judge import (
    NOT_KNOWN,
    BoxLimits,
    Judged,
    MapAmounts,
    NotKnown,
    TensorAmounts,
    TextAmounts,
    finding_kind_of,
    is_within_rounding,
    judge_boxes,
    judge_by_least_limit,
    judge_channel_order,
    judge_empty_texts,
    judge_maps,
    judge_shares,
    judge_tensor,
    judge_text,
)
from pytest_ocrparity.comparison import BoxFinding, Difference, Measure
from pytest_ocrparity.tolerance import BUILT_IN, LIMITS, MAP_LEAST, MAP_MOST, Limit, Tolerance

FP32: Mapping[str, Limit] = BUILT_IN.limits


def limits(origin: str = "marker", **values: Any) -> Mapping[str, Limit]:
    """Return the built-in limits with some replaced, named as `maps_atol` for `probability_maps.atol`."""
    stages = {"maps": "probability_maps", "boxes": "detections", "text": "text", "tensor": "preprocessing"}
    found = dict(FP32)
    for key, value in values.items():
        stage, _, name = key.partition("_")
        full = f"{stages[stage]}.{name}"
        assert full in LIMITS
        found[full] = Limit(value, origin)
    return found


def named(judged: Judged) -> dict[str, Measure]:
    return {each.name.partition(".")[2] or each.name: each for each in judged.measures}


class TestTensor:
    @pytest.mark.parametrize(("largest", "status"), [(0.0, "same"), (2e-6, "same"), (2.1e-6, "undecided")])
    def test_where_the_rule_is_not_known_only_its_least_decides(self, largest: float, status: str) -> None:
        judged = judge_tensor(TensorAmounts(largest, (1, 2), lambda: NOT_KNOWN), FP32)
        assert judged.status == status
        assert judged.measures == (
            Measure("preprocessing.atol", largest, 2e-6, "fp32 preset, built-in", (1, 2)),
            Measure("largest", largest),
        )

    @pytest.mark.parametrize(("found", "status"), [(0.5, "same"), (0.51, "different"), (math.nan, "different")])
    def test_what_exceeds_its_own_limit_by_most_decides(self, found: float, status: str) -> None:
        judged = judge_tensor(TensorAmounts(0.7, (1, 2), lambda: (found, 0.5, (3, 4))), FP32)
        assert (judged.status, judged.measures[0].limit, judged.measures[0].at) == (status, 0.5, (3, 4))
        assert judged.measures[1] == Measure("largest", 0.7)

    @pytest.mark.parametrize(("largest", "status"), [(0.25, "same"), (0.26, "different"), (math.nan, "different")])
    def test_a_limit_that_was_set_asks_for_no_rule(self, largest: float, status: str) -> None:
        def never() -> NotKnown:
            raise AssertionError

        judged = judge_tensor(TensorAmounts(largest, None, never), limits(tensor_atol=0.25))
        assert (judged.status, judged.measures[0].limit, judged.measures[0].origin) == (status, 0.25, "marker")

    @pytest.mark.parametrize("fails", [True, False])
    def test_a_channel_order_fails_where_the_tensors_do_not_agree(self, fails: bool) -> None:
        order = Difference("decode", "channel_order", "BGR", "RGB", fails=fails)
        other = Difference("decode", "shape", fails=fails)
        assert judge_channel_order([order, other], Judged("same", ())) == [replace(order, fails=False), other]
        for judged in (None, Judged("different", ()), Judged("undecided", ())):
            assert judge_channel_order([order, other], judged) == [replace(order, fails=True), other]


def amounts(largest: float = 0.0, **others: Any) -> MapAmounts:
    given: dict[str, Any] = {
        **{"at": (1, 2), "mean": 0.0, "stored": 0.0, "crossings": None, "automatic": lambda: NOT_KNOWN},
        **{"share": lambda limit: NOT_KNOWN, "sensitivity": lambda: None},
    }
    return MapAmounts(largest, **{**given, **others})


class TestMaps:
    def test_what_is_measured_of_equal_maps(self) -> None:
        judged = judge_maps(amounts(), FP32, defers=True)
        assert judged.status == "same"
        assert [each.name for each in judged.measures] == [
            *("probability_maps.atol", "probability_maps.mean_atol", "probability_maps.max_share"),
            *("largest", "stored"),
        ]
        found = named(judged)
        assert (found["atol"].limit, found["mean_atol"].limit, found["max_share"]) == (
            *(1e-4, None),
            Measure("probability_maps.max_share", 0.0),
        )

    @pytest.mark.parametrize("stored", [0.0, 5e-5])
    @pytest.mark.parametrize(("beyond", "status"), [(-1e-6, "same"), (1e-6, "undecided")])
    def test_where_the_rule_is_not_known_only_its_least_decides(
        self, stored: float, beyond: float, status: str
    ) -> None:
        judged = judge_maps(amounts(1e-4 + stored + beyond, stored=stored), FP32, defers=True)
        assert judged.status == status
        assert ("atol" in named(judged)) == (status == "same")

    @pytest.mark.parametrize("stored", [0.0, 2e-3])
    @pytest.mark.parametrize(("beyond", "status"), [(-1e-6, "undecided"), (1e-6, "different")])
    def test_what_no_rule_ever_permits_differs(self, stored: float, beyond: float, status: str) -> None:
        largest = 2 * (0.01 + stored) + beyond
        assert judge_maps(amounts(largest, stored=stored), FP32, defers=True).status == status
        some = limits(maps_max_share=0.1)  # a share may lie as far off as it likes
        assert judge_maps(amounts(largest, stored=stored), some, defers=True).status == "undecided"

    def test_the_least_limit_and_a_set_one_are_widened_by_what_storing_changed(self) -> None:
        least = judge_by_least_limit(3e-4, 2e-4, FP32["probability_maps.atol"], (1, 2))
        assert least.limit == pytest.approx(3e-4)
        assert (least.value, least.at) == (3e-4, (1, 2))
        assert least.origin == "fp32 preset, built-in: the rule's least + 2.0e-04 as stored"
        judged = judge_maps(amounts(0.012, stored=0.002), limits(maps_atol=0.01), defers=True)
        assert judged.status == "same"
        assert named(judged)["atol"].limit == pytest.approx(0.012)
        assert named(judged)["atol"].origin == "marker + 2.0e-03 as stored"
        assert judge_maps(amounts(0.0121, stored=0.002), limits(maps_atol=0.01), defers=True).status == "different"

    @pytest.mark.parametrize(("share", "status"), [(0.1, "same"), (0.11, "different"), (math.nan, "different")])
    def test_a_share_of_pixels_may_exceed_the_limit(self, share: float, status: str) -> None:
        asked: list[float | None] = []

        def share_beyond(limit: float | None) -> float:
            asked.append(limit)
            return share

        given = limits(maps_atol=0.01, maps_max_share=0.1)
        judged = judge_maps(amounts(0.5, share=share_beyond), given, defers=True)
        assert judged.status == status
        assert asked == [0.01]
        assert (named(judged)["atol"].limit, named(judged)["max_share"].limit) == (None, 0.1)

    def test_no_share_is_measured_where_the_largest_keeps_the_limit(self) -> None:
        given = limits(maps_atol=0.5, maps_max_share=0.1)
        judged = judge_maps(amounts(0.5), given, defers=True)  # whose share is not known
        assert (judged.status, named(judged)["max_share"].value) == ("same", 0.0)
        assert judge_maps(amounts(0.51), given, defers=True).status == "undecided"

    def test_a_share_that_is_not_known_is_asked_for_where_nothing_permits_one(self) -> None:
        judged = judge_maps(amounts(0.51), limits(maps_atol=0.5), defers=True)
        assert judged.status == "different"
        assert "max_share" not in named(judged)

    def test_a_share_under_no_limit_is_no_number(self) -> None:
        given = limits(maps_atol="off", maps_max_share=0.1)
        judged = judge_maps(amounts(0.0), given, defers=True)
        assert judged.status == "different" and math.isnan(named(judged)["max_share"].value)

    @pytest.mark.parametrize("mean", [0.25, 0.26])
    @pytest.mark.parametrize("per_run", [True, False])
    @pytest.mark.parametrize("defers", [True, False])
    def test_a_mean_is_judged_here_or_over_the_run(self, mean: float, per_run: bool, defers: bool) -> None:
        given = limits(maps_atol="off", maps_mean_atol=0.25, maps_per_run=per_run)
        judged = judge_maps(amounts(1.0, mean=mean), given, defers=defers)
        beyond = "left to the run" if per_run and defers else "different"
        assert judged.status == ("same" if mean <= 0.25 else beyond)
        assert named(judged)["mean_atol"].decides == (not (per_run and defers))

    @pytest.mark.parametrize(("crossings", "status"), [(3, "same"), (4, "different"), (None, "different")])
    def test_crossings(self, crossings: int | None, status: str) -> None:
        judged = judge_maps(amounts(crossings=crossings), limits(maps_max_crossings=3.0), defers=True)
        assert judged.status == status
        assert named(judged)["max_crossings"].limit == 3

    def test_crossings_that_nothing_judges_are_reported_where_they_are_known(self) -> None:
        found = named(judge_maps(amounts(crossings=7), FP32, defers=True))["max_crossings"]
        assert (found.value, found.limit, found.origin) == (7, None, "")
        assert "max_crossings" not in named(judge_maps(amounts(), FP32, defers=True))

    @pytest.mark.parametrize(("changed", "status"), [(5, "same"), (6, "different")])
    def test_the_share_of_timesteps_with_another_best_class(self, changed: int, status: str) -> None:
        given = limits(maps_max_changed=0.1)
        judged = judge_maps(amounts(crossings=changed, timesteps=50), given, defers=True)
        assert (judged.status, named(judged)["max_changed"].value) == (status, changed / 50)
        assert "max_changed" not in named(judge_maps(amounts(timesteps=50), given, defers=True))
        over_run = {**given, "probability_maps.per_run": Limit(True, "marker")}
        left = judge_maps(amounts(crossings=changed, timesteps=50), over_run, defers=True)
        assert left.status == ("same" if status == "same" else "left to the run")

    def test_a_limit_that_one_amount_keeps_hides_no_other(self) -> None:
        given = limits(maps_atol=0.5, maps_mean_atol=0.25, maps_per_run=True)
        assert judge_maps(amounts(0.1, mean=0.3), given, defers=True).status == "left to the run"

    def test_maps_under_no_limit_at_all_differ(self) -> None:
        assert judge_maps(amounts(), limits(maps_atol="off"), defers=True).status == "different"

    def automatic(self, limit: float, extra: Measure | None = None) -> Any:
        return lambda: (Measure("probability_maps.atol", 0.02, limit, "rule"), extra)

    @pytest.mark.parametrize(
        ("moves", "status"),
        [(None, "different"), (NOT_KNOWN, "undecided"), (0.008, "not judgeable"), (0.007, "different")],
    )
    def test_what_rounding_alone_may_exceed_is_not_judgeable(self, moves: Any, status: str) -> None:
        judged = judge_maps(amounts(0.02, automatic=self.automatic(0.01), sensitivity=lambda: moves), FP32, defers=True)
        assert judged.status == status
        assert ("sensitivity" in named(judged)) == isinstance(moves, float)

    def test_a_limit_of_0_asks_for_equal_maps_whatever_rounding_does(self) -> None:
        found = amounts(0.5, sensitivity=lambda: 0.9)
        assert judge_maps(found, limits(maps_atol=0.4), defers=True).status == "not judgeable"
        assert judge_maps(found, limits(maps_atol=0.0), defers=True).status == "different"

    def test_what_breaks_another_limit_too_is_different(self) -> None:
        given = limits(maps_mean_atol=0.25)
        judged = judge_maps(
            amounts(0.02, mean=0.3, automatic=self.automatic(0.01), sensitivity=lambda: 0.008), given, defers=True
        )
        assert judged.status == "different"

    @pytest.mark.parametrize(("lies", "status"), [(0.02, "same"), (0.03, "different")])
    def test_a_fused_copy_has_to_keep_its_limit_too(self, lies: float, status: str) -> None:
        def never() -> None:
            raise AssertionError

        extra = Measure("fusion", lies, 0.02, "rule")
        found = amounts(0.02, automatic=self.automatic(0.05, extra), share=lambda limit: 1.0, sensitivity=never)
        judged = judge_maps(found, FP32, defers=True)
        assert judged.status == status
        assert judged.measures[-1] == extra
        assert named(judged)["max_share"].value == 0.0  # the copy explains the pixels beyond the limit


@pytest.mark.parametrize("limit", [0.01, 0.0101])
@pytest.mark.parametrize("largest", [0.0288, 0.0289])
def test_both_edges_of_what_is_within_rounding(limit: float, largest: float) -> None:
    moves = 0.0072  # 1.4 times it is 0.01008, 4 times it 0.0288
    assert is_within_rounding(largest, limit, moves) == (limit == 0.01 and largest == 0.0288)


def test_rounding_that_just_keeps_the_limit_is_judged() -> None:
    assert not is_within_rounding(0.02, 1.4 * 0.01, 0.01)


def box_limits(**fields: Any) -> BoxLimits:
    given = {
        "min_iou": Limit("auto", ""),
        "max_shift": 1.0,
        "map_px": 2.0,
        "max_score_difference": 0.1,
        "is_poly": False,
    }
    return BoxLimits(**{**given, **fields})


class TestBoxes:
    @pytest.mark.parametrize(("shift", "amount"), [(0.5, 0.0), (1.0, 0.0), (2.0, 0.5), (5.0, 2.0)])
    def test_one_source_px_is_free_and_the_rest_is_in_map_px(self, shift: float, amount: float) -> None:
        assert box_limits().in_map_px(shift) == amount
        assert box_limits(max_shift=0).in_map_px(shift) == shift / 2
        assert box_limits(max_shift=None).in_map_px(shift) == amount

    def test_the_iou_that_a_pair_needs(self) -> None:
        assert box_limits().iou is None
        assert box_limits(is_poly=True).iou == 0.9
        assert box_limits(max_shift=None).iou == 0.9
        assert box_limits(min_iou=Limit(0.4, ""), is_poly=True).iou == 0.4

    def kind(self, limits: BoxLimits, **fields: Any) -> str | None:
        return finding_kind_of(BoxFinding("paired", (0, 0), 0, 0, **fields), limits)

    @pytest.mark.parametrize(("iou", "kind"), [(0.9, None), (0.89, "moved"), (math.nan, "moved"), (None, None)])
    def test_iou(self, iou: float | None, kind: str | None) -> None:
        assert self.kind(box_limits(is_poly=True), iou=iou) == kind
        assert self.kind(box_limits(), iou=iou) is None

    @pytest.mark.parametrize(("shift", "kind"), [(3.0, None), (3.1, "moved"), (math.nan, "moved"), (None, None)])
    def test_shift(self, shift: float | None, kind: str | None) -> None:
        expected = kind if shift is None or not math.isnan(shift) else None
        assert self.kind(box_limits(), shift=shift) == expected
        assert self.kind(box_limits(max_shift=0), shift=shift) == (None if shift is None else "moved")
        assert self.kind(box_limits(max_shift=None, min_iou=Limit(0.5, "")), shift=shift) is None

    @pytest.mark.parametrize(
        ("gap", "kind"), [(0.1, None), (0.11, "score"), (math.inf, "score"), (math.nan, "score"), (None, None)]
    )
    def test_score(self, gap: float | None, kind: str | None) -> None:
        assert self.kind(box_limits(), score_difference=gap) == kind
        off = box_limits(max_score_difference=None)
        assert self.kind(off, score_difference=gap) == ("score" if gap is not None and math.isnan(gap) else None)

    def test_where_the_right_score_is_known_its_error_is_judged(self) -> None:
        exact = box_limits(exact_score=1e-5)
        assert self.kind(exact, score_difference=0.5, score_error=1e-5) is None
        assert self.kind(exact, score_difference=0.0, score_error=1.1e-5) == "score"

    @pytest.mark.parametrize("per_run", [True, False])
    @pytest.mark.parametrize("defers", [True, False])
    @pytest.mark.parametrize("origin", ["marker", "keyword"])
    def test_shares(self, per_run: bool, defers: bool, origin: str) -> None:
        given = limits(origin, boxes_per_run=per_run, boxes_max_unmatched=0.25, boxes_max_borderline=0.5)
        counts = {"boxes": 8, "different": 2, "borderline": 4}
        unmatched, borderline = judge_shares(counts, given, defers=defers)
        is_asked = origin == "keyword"
        assert unmatched == Measure(
            "detections.max_unmatched", 0.25, 0.25, origin, decides=not (per_run and defers) or is_asked
        )
        assert borderline == Measure("detections.max_borderline", 0.5, 0.5, origin, decides=is_asked)

    def test_a_lone_box_is_all_of_them(self) -> None:
        unmatched, borderline = judge_shares({"boxes": 1, "different": 1, "borderline": 1}, FP32, defers=True)
        assert unmatched.value == borderline.value == 1

    def test_without_a_measured_share_boxes_that_agree_are_the_same(self) -> None:
        counts = {"reference": 1, "candidate": 1, "boxes": 1, "different": 0, "borderline": 0}
        assert judge_boxes(counts, (), FP32) == "same"
        within = Measure("detections.max_unmatched", 0.0, 0.0, "")
        beyond = Measure("detections.max_unmatched", 0.5, 0.0, "", decides=False)
        assert judge_boxes(counts, (within, beyond), FP32) == "left to the run"

    def test_without_a_box_the_shares_are_zero(self) -> None:
        for each in judge_shares({"boxes": 0, "different": 0, "borderline": 0}, FP32, defers=True):
            assert each.value == 0

    def judged(self, counts: Mapping[str, int], given: Mapping[str, Limit], *, defers: bool = True, **more: Any) -> str:
        whole = {"reference": 4, "candidate": 4, "boxes": 4, "different": 0, "borderline": 0, **counts}
        return judge_boxes(whole, judge_shares(whole, given, defers=defers), given, **more)

    @pytest.mark.parametrize(
        ("counts", "status"),
        [
            ({"reference": 0, "candidate": 0, "boxes": 0}, "empty"),
            ({"reference": 0, "different": 4}, "different"),
            ({"candidate": 0, "different": 4}, "different"),
            ({"different": 1}, "different"),
            ({"borderline": 4}, "same"),
            ({}, "same"),
        ],
    )
    def test_single_boxes_decide(self, counts: Mapping[str, int], status: str) -> None:
        assert self.judged(counts, FP32) == status
        allowed = self.judged(counts, limits(boxes_allow_empty=True))
        assert allowed == ("empty, as allowed" if status == "empty" else status)

    @pytest.mark.parametrize(("different", "status"), [(0, "same"), (1, "same"), (2, "different")])
    def test_a_share_of_boxes_may_differ(self, different: int, status: str) -> None:
        some = limits(boxes_max_unmatched=0.25)
        assert self.judged({"different": different}, some) == status
        over_run = {**some, "detections.per_run": Limit(True, "marker")}
        left = "left to the run" if status == "different" else status
        assert self.judged({"different": different}, over_run) == left
        assert self.judged({"different": different}, over_run, defers=False) == status

    def test_more_boxes_than_are_counted(self) -> None:
        some = limits(boxes_max_unmatched=0.25)
        assert self.judged({}, FP32, is_more=True) == "different"
        assert self.judged({}, some, is_more=True) == "undecided"
        assert self.judged({}, FP32, is_more=NOT_KNOWN) == "undecided"
        assert self.judged({"different": 1}, FP32, is_more=NOT_KNOWN) == "different"
        assert self.judged({"different": 2}, some, is_more=True) == "different"  # a larger share would as well


class TestMapsOfWhichTheRuleIsNotKnown:
    """As of recorded ones: what it permits at least, and at most, decides."""

    @pytest.mark.parametrize("stored", [0.0, 1e-5])
    @pytest.mark.parametrize(
        ("largest", "status"),
        [(MAP_LEAST, "same"), (1.01 * MAP_LEAST, "undecided"), (2 * MAP_MOST, "undecided"), (0.03, "different")],
    )
    def test_its_edges(self, largest: float, status: str, stored: float) -> None:
        largest += stored if largest < 1e-3 else 2 * stored
        assert judge_maps(amounts(largest, stored=stored), FP32, defers=True).status == status

    def test_where_a_share_may_differ_the_largest_decides_nothing(self) -> None:
        some = limits(maps_max_share=0.5)
        assert judge_maps(amounts(0.03, share=lambda limit: NOT_KNOWN), some, defers=True).status == "undecided"


def line(**fields: Any) -> TextAmounts:
    given: dict[str, Any] = {"edits": 0, "characters": 10, "is_borderline": False, "score": None, "exact_score": None}
    return TextAmounts(**{**given, **fields})


class TestText:
    def test_equal_texts(self) -> None:
        judged = judge_text(line(), FP32, defers=True)
        assert judged.status == "same"
        assert {name: (each.value, each.limit) for name, each in named(judged).items()} == {
            **{"max_cer": (0.0, 0.0), "max_changed": (0.0, 0.0), "max_borderline": (0.0, 0.02)}
        }

    @pytest.mark.parametrize(("edits", "characters", "cer"), [(1, 10, 0.1), (3, 2, 1.5), (2, 0, 2.0), (0, 0, 0.0)])
    def test_edits_by_characters(self, edits: int, characters: int, cer: float) -> None:
        judged = judge_text(line(edits=edits, characters=characters), FP32, defers=True)
        assert (named(judged)["max_cer"].value, judged.status) == (cer, "different" if edits else "same")
        assert not named(judged)["max_cer"].decides

    @pytest.mark.parametrize(("edits", "status"), [(1, "same"), (2, "different")])
    def test_a_line_may_differ_by_a_share_of_its_characters(self, edits: int, status: str) -> None:
        assert judge_text(line(edits=edits), limits(text_max_cer=0.1), defers=True).status == status
        over_run = limits(text_max_cer=0.1, text_per_run=True)  # then the run takes all lines together
        assert judge_text(line(edits=edits), over_run, defers=True).status == "different"
        assert judge_text(line(edits=1), limits(text_max_cer="off"), defers=True).status == "different"

    @pytest.mark.parametrize("defers", [True, False])
    def test_where_some_lines_may_be_read_otherwise_the_run_decides(self, defers: bool) -> None:
        judged = judge_text(line(edits=1), limits(text_max_changed=0.5), defers=defers)
        assert judged.status == ("left to the run" if defers else "different")
        assert judge_text(line(edits=1), FP32, defers=defers).status == "different"

    def test_a_borderline_line_is_not_read_otherwise(self) -> None:
        judged = judge_text(line(edits=5, is_borderline=True), FP32, defers=True)
        assert judged.status == "same"
        assert (named(judged)["max_cer"].value, named(judged)["max_borderline"].value) == (0.0, 1.0)

    @pytest.mark.parametrize(
        ("origin", "most", "status"),
        [("keyword", 0.0, "different"), ("keyword", 0.5, "same"), ("marker", 0.0, "same")],
    )
    def test_that_no_line_may_be_borderline_is_judged_where_this_call_asks_it(
        self, origin: str, most: float, status: str
    ) -> None:
        given = limits(origin, text_max_borderline=most)
        assert judge_text(line(edits=5, is_borderline=True), given, defers=True).status == status

    @pytest.mark.parametrize(
        ("score", "exact", "limit", "status"),
        [
            *((0.05, None, "auto", "same"), (0.051, None, "auto", "different")),
            *((0.2, 0.2, "auto", "same"), (0.2, 0.19, "auto", "different"), (math.nan, 0.2, "auto", "different")),
            *((0.3, 0.1, 0.3, "same"), (0.31, 0.5, 0.3, "different"), (9.0, None, "off", "same")),
        ],
    )
    def test_scores(self, score: float, exact: float | None, limit: Any, status: str) -> None:
        given = limits("x", text_max_score_difference=limit)
        judged = judge_text(line(score=score, exact_score=exact), given, defers=True)
        assert judged.status == status
        found = named(judged)["max_score_difference"]
        assert found.limit == {"auto": 0.05 if exact is None else exact, "off": None}.get(limit, limit)
        if limit == "auto":
            why = (
                ": no maps that pair say by how much they may differ"
                if exact is None
                else ": as far as the maps differ"
            )
            assert found.origin == f"x{why}"

    def test_lines_without_text(self) -> None:
        assert judge_empty_texts(FP32) == "empty"
        assert judge_empty_texts(limits(text_allow_empty=True)) == "empty, as allowed"


def test_the_helper_replaces_what_it_names() -> None:
    assert limits(maps_atol=0.5)["probability_maps.atol"] == Limit(0.5, "marker")
    assert isinstance(BUILT_IN, Tolerance) and limits() == FP32


@pytest.mark.parametrize(
    "known", [Judged("same", ()), TensorAmounts(0.0, None, lambda: NOT_KNOWN), amounts(), box_limits(), line()]
)
def test_what_was_measured_cannot_be_changed(known: Any) -> None:
    (first, *_) = dataclasses.fields(known)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(known, first.name, None)
    assert hasattr(known, "__dict__") != isinstance(known, BoxLimits)  # of which each image makes one
