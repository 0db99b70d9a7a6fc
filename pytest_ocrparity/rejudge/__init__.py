"""Judge recorded comparisons again under other limits, without running a model, as far as their measures allow.

What the measures do not determine is "undecided", which does not pass. Limits that are not given stay as they were.
`compare.judge` judges, as in the run; this module gives it the recorded amounts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeAlias

from msgspec import structs

from pytest_ocrparity.compare.judge import (
    NOT_KNOWN,
    BoxLimits,
    Judged,
    Limits,
    MapAmounts,
    NotKnown,
    TensorAmounts,
    TextAmounts,
    finding_kind_of,
    judge_boxes,
    judge_channel_order,
    judge_empty_texts,
    judge_maps,
    judge_shares,
    judge_tensor,
    judge_text,
)
from pytest_ocrparity.compare.page_verdict import BLANK, NO_BOXES
from pytest_ocrparity.comparison import (
    DIFFERENT,
    EMPTY,
    MATCHES,
    NOT_JUDGEABLE,
    RECORDED,
    SAME,
    UNDECIDED,
    BoxFinding,
    Difference,
    Measure,
)
from pytest_ocrparity.rejudge.recorded_page import judge_recorded_page
from pytest_ocrparity.report.document import RecordedComparison
from pytest_ocrparity.stages import DETECTIONS, PAGE, PREPROCESSING, PROBABILITY_MAPS, PRODUCTS, TEXT
from pytest_ocrparity.tolerance import AUTO, AUTOMATIC_SCORE, OFF, POLYGON_IOU, Tolerance

Maps: TypeAlias = "tuple[RecordedComparison, RecordedComparison]"
"""The comparison of the maps as it was, and as it is judged now."""

LONE: Final = ("missing", "extra", "split", "merged", "invalid")
"""Findings that no limit of a pair could permit."""

TEXT_SCORE: Final = "text.max_score_difference"
IOU, SHIFT, SCORE = (f"detections.{name}" for name in ("min_iou", "max_shift", "max_score_difference"))


def limits_to_rejudge_by(given: Sequence[Mapping[str, Any]]) -> Limits:
    """Return the limits that parsed `--tolerance` words set, by name; a preset sets all of them.

    Raises:
        SettingsError: a preset, limit or value means nothing.
    """
    tolerance = Tolerance({})
    for values in sorted(given, key=lambda values: "preset" not in values):
        tolerance = tolerance.override(values, "--tolerance")
    return tolerance.limits


def rejudge_comparisons(
    comparisons: Sequence[RecordedComparison], wanted: Limits, *, defers: bool = True
) -> list[RecordedComparison]:
    """Return the comparisons with the `status`, `limits`, judged `measures` and `counts` that these limits give.

    Without `defers`, nobody judges the limits of a whole run.
    """
    maps: dict[tuple[str, str, str], list[Maps]] = defaultdict(list)
    judged: dict[int, RecordedComparison] = {}
    for place, each in sorted(enumerate(comparisons), key=lambda pair: pair[1].kind in PRODUCTS):
        sides = each.image, each.reference, each.candidate
        judged[place] = found = _judge_one(_Recorded(each, wanted, _maps_under(each, maps[sides]), defers=defers))
        if each.kind == PROBABILITY_MAPS:
            maps[sides].append((each, found))
    return [judged[place] for place in range(len(comparisons))]


def _maps_under(boxes: RecordedComparison, recorded: Sequence[Maps]) -> Maps | None:
    """Return the comparison of maps that these boxes were judged by, or None where it is not known.

    That is the one of their own test. Where their test compared no maps, as in the gate, it is the one that all other
    tests recorded; tests that recorded several may have run under other limits, or made other maps.
    """
    of_test = [maps for maps in recorded if maps[0].test == boxes.test]
    found = of_test or recorded
    is_unanimous = all(_judged_content(maps[0]) == _judged_content(found[0][0]) for maps in found[1:])
    return found[0] if found and is_unanimous else None


def _judged_content(maps: RecordedComparison) -> tuple[Any, ...]:
    """Return what was measured of maps and what judged it, whichever test and setting it came from."""
    limits = {name: limit.value for name, limit in maps.limits.items()}
    measures = [(each.name, each.value, each.limit) for each in maps.measures]
    return maps.status, limits, measures, maps.differences


class _Recorded:
    """One comparison with its limits as they were and as they are now.

    Attributes:
        was: the comparison.
        limits: by name, what judges now; whatever is not wanted otherwise is as it was.
        wanted: what was asked for, of every kind.
        maps: of boxes, the comparison of their maps, where it is known.
        measures: by name.
        defers: whether somebody judges the limits of a whole run.
    """

    def __init__(self, was: RecordedComparison, wanted: Limits, maps: Maps | None, *, defers: bool) -> None:
        self.was, self.maps, self.defers = was, maps, defers
        self.wanted = wanted = Tolerance(wanted).for_task(was.task).limits
        self.limits = {
            name: limit if name not in wanted or wanted[name].value == limit.value else wanted[name]
            for name, limit in was.limits.items()
        }
        self.measures = {each.name: each for each in was.measures}

    def is_old(self, *names: str) -> bool:
        """Return whether these limits are what they were."""
        return all(self.was.limits[name].value == self.limits[name].value for name in names)

    @property
    def rests_on_other_maps(self) -> bool:
        """Return whether boxes may be judged otherwise because their maps are."""
        if self.was.kind not in PRODUCTS:
            return False
        if self.maps is None:  # no test asserted the maps, but the boxes' comparison made theirs
            return any(name.startswith("probability_maps.") for name in self.wanted)
        return self.maps[0].limits != self.maps[1].limits

    def value(self, name: str) -> float:
        """Return a measured amount."""
        return self.measures[name].value


def _judge_one(again: _Recorded) -> RecordedComparison:
    was = again.was
    if was.kind not in _JUDGES:  # of a newer version: what is not known does not pass
        return structs.replace(was, status=UNDECIDED)
    if was.status == RECORDED or (again.is_old(*was.limits) and not again.rests_on_other_maps):
        return structs.replace(was, limits=again.limits)
    return _JUDGES[was.kind](again)


def _differs_in_kind(again: _Recorded, *judged_anew: str) -> bool:
    """Return whether something differs in kind, which no limit permits, aside from what is judged anew."""
    return any(each.fails and each.kind not in judged_anew for each in again.was.differences)


def _judge_tensor_again(again: _Recorded) -> RecordedComparison:
    was, name = again.was, "preprocessing.atol"
    if _differs_in_kind(again, "channel_order"):
        return structs.replace(was, limits=again.limits)
    before = again.measures[name]

    # An automatic limit was not what judged: limits that are as they were are not judged again.
    amounts = TensorAmounts(again.value("largest"), before.at, lambda: NOT_KNOWN)
    found = judge_tensor(amounts, again.limits)
    return _with_judgement(again, found, judge_channel_order(was.differences, found))


def _judge_maps_again(again: _Recorded) -> RecordedComparison:
    was, names = again.was, ("probability_maps.atol", "probability_maps.max_share")
    if _differs_in_kind(again, "not_judged"):
        return structs.replace(was, limits=again.limits)
    atol, fusion = again.measures[names[0]], again.measures.get("fusion")

    def automatic() -> tuple[Measure, Measure | None] | NotKnown:
        """Return what the rule found then; where a share was permitted, its limit was not recorded."""
        is_known = again.is_old(names[0]) and (atol.limit is not None or again.limits[names[1]].value)
        return (atol, fusion) if is_known else NOT_KNOWN

    def share(limit: float | None) -> float | NotKnown:
        measure = again.measures.get(names[1])
        is_known = measure is not None and again.is_old(names[0]) and measure.value == measure.value
        return measure.value if is_known and measure is not None else NOT_KNOWN

    def sensitivity() -> float | NotKnown | None:
        if "sensitivity" in again.measures:
            return again.value("sensitivity")
        # It was asked for where a limit was broken, and could not be had.
        return None if any(each.fails for each in was.measures) else NOT_KNOWN

    crossings = again.measures.get("probability_maps.max_crossings")
    changed = was.counts.get("changed", None if crossings is None else crossings.value)
    amounts = MapAmounts(
        largest=again.value("largest"),
        at=atol.at,
        mean=again.value("probability_maps.mean_atol"),
        stored=again.value("stored"),
        crossings=changed,
        automatic=automatic,
        share=share,
        sensitivity=sensitivity,
        timesteps=was.counts.get("timesteps"),
    )
    return _with_judgement(again, judge_maps(amounts, again.limits, defers=again.defers), was.differences)


def _judge_boxes_again(again: _Recorded) -> RecordedComparison:
    was, counts = again.was, dict(again.was.counts)
    is_named = SCORE not in again.wanted or not again.wanted[SCORE].is_preset
    asks_for_scores = again.limits[SCORE].value not in (AUTO, OFF) and is_named
    # A finding per box says what "score_order" says, and is judged.
    if _differs_in_kind(again, "empty", "score_order", *["no_scores"] * (not asks_for_scores)):
        return structs.replace(was, limits=again.limits)
    if not counts["reference"] and not counts["candidate"]:
        return _with_judgement(again, Judged(_status_of_empty_sides(again), was.measures), was.differences)
    limits = _recorded_box_limits(again)
    if limits is None:
        return _with_judgement(again, Judged(UNDECIDED, was.measures), was.differences)
    statuses = [_status_of_box(again, box, limits) for box in was.boxes]
    if UNDECIDED in statuses:
        return _with_judgement(again, Judged(UNDECIDED, was.measures), was.differences)
    measures = _pair_measures(again, limits)
    is_more = _do_more_pairs_differ(again, measures, limits)
    counts |= {"different": statuses.count(DIFFERENT), "borderline": statuses.count("borderline")}
    of_all = judge_shares(counts, again.limits, defers=again.defers)
    status = judge_boxes(counts, of_all, again.limits, is_more=is_more)
    if any(each.kind == "score_order" for each in was.differences) and status != DIFFERENT:
        still = [
            box for box, found in zip(was.boxes, statuses, strict=True) if found == DIFFERENT and box.kind == "score"
        ]
        status = UNDECIDED if still else status  # no share of the boxes permits that
    if status == DIFFERENT and again.maps is not None and again.maps[1].status == NOT_JUDGEABLE:
        status = UNDECIDED  # boxes that follow such maps are not judgeable either
    if is_more is not False:  # how many is not known
        del counts["different"]
    shown = {each.name: each for each in of_all}
    measures = tuple(shown.get(each.name, each) for each in measures)
    return _with_judgement(again, Judged(status, measures), was.differences, counts)


def _judge_text_again(again: _Recorded) -> RecordedComparison:
    was, found = again.was, again.was.texts
    is_named = again.limits[TEXT_SCORE].value not in (AUTO, OFF) and not again.limits[TEXT_SCORE].is_preset
    if found is None or _differs_in_kind(again, "empty_text", *["no_scores"] * (not is_named)):
        return structs.replace(was, limits=again.limits)
    allowed = _maps_allow(again, 1)
    # Maps that agree only now might explain the texts: only the decoders show it.
    is_known = not found.edits or allowed is False
    is_known = is_known or (allowed is True and (found.is_borderline or not again.rests_on_other_maps))
    score, exact = (again.measures.get(name) for name in ("score", "exact_score"))
    if score is None and not found.edits and again.limits[TEXT_SCORE].value not in (AUTO, OFF) and is_named:
        is_known = False  # a side has no score, of which a limit by name asks
    amounts = TextAmounts(
        edits=found.edits,
        characters=len(found.reference),
        is_borderline=found.is_borderline and bool(allowed),
        score=None if score is None else score.value,
        exact_score=None if exact is None else exact.value,
    )
    judged = judge_text(amounts, again.limits, defers=True)
    if judged.status == DIFFERENT and again.maps is not None and again.maps[1].status == NOT_JUDGEABLE:
        is_known = False  # texts that follow such maps are not judgeable either
    reported = tuple(again.measures[name] for name in ("cer", "score", "exact_score") if name in again.measures)
    status = judged.status if is_known else UNDECIDED
    if not found.reference and not found.candidate and status == SAME:
        status = _status_of_empty_lines(again)
    changed = next(measure.value for measure in judged.measures if measure.name == "text.max_changed")
    counts = {
        **was.counts,
        "different": int(changed),
        "borderline": int(amounts.is_borderline),
        "edits": 0 if amounts.is_borderline else found.edits,
    }
    return _with_judgement(again, Judged(status, (*judged.measures, *reported)), was.differences, counts)


def _judge_page_again(again: _Recorded) -> RecordedComparison:
    was, limits = again.was, again.limits
    after = {each.kind: each for each in rejudge_comparisons(was.of_detectors, again.wanted, defers=False)}
    if _differs_in_kind(again, "order", BLANK, NO_BOXES):
        return structs.replace(was, limits=limits)
    if DETECTIONS not in after:
        return structs.replace(was, limits=limits, status=UNDECIDED)
    return judge_recorded_page(was, after, limits)


_JUDGES: Mapping[str, Callable[[_Recorded], RecordedComparison]] = {
    PREPROCESSING: _judge_tensor_again,
    PROBABILITY_MAPS: _judge_maps_again,
    DETECTIONS: _judge_boxes_again,
    TEXT: _judge_text_again,
    PAGE: _judge_page_again,
}


def _with_judgement(
    again: _Recorded, judged: Judged, differences: Sequence[Difference], counts: Mapping[str, int] | None = None
) -> RecordedComparison:
    """Return the comparison as judged; of an amount that was left out now, what was recorded stays."""
    measures = {each.name: each for each in judged.measures}
    kept = () if judged.status != UNDECIDED else tuple(each for each in again.was.measures if each.name not in measures)
    return structs.replace(
        again.was,
        status=judged.status,
        limits=again.limits,
        measures=(*judged.measures, *kept),
        differences=tuple(differences),
        counts=dict(counts if counts is not None else again.was.counts),
    )


def _status_of_empty_lines(again: _Recorded) -> str:
    """Return the status of a line in which neither side reads anything, of which only the maps tell more."""
    status = judge_empty_texts(again.limits)
    if status == EMPTY and (again.was.status != EMPTY or again.rests_on_other_maps):
        maps = None if again.maps is None else again.maps[1].status
        return EMPTY if maps == SAME else UNDECIDED if maps in (None, UNDECIDED) else DIFFERENT
    return status


def _status_of_empty_sides(again: _Recorded) -> str:
    """Return the status of two empty sides: they pass when allowed, or when their maps were compared and agree."""
    status = judge_boxes(again.was.counts, (), again.limits)
    if status != EMPTY:
        return status
    if again.maps is None:
        return EMPTY if again.was.status == EMPTY and not again.rests_on_other_maps else UNDECIDED
    maps = again.maps[1].status
    return EMPTY if maps == SAME else UNDECIDED if maps == UNDECIDED else DIFFERENT


def _recorded_box_limits(again: _Recorded) -> BoxLimits | None:
    """Return what judges the pairs now, or None where a rule's inputs were not recorded."""
    limits, iou, score = again.limits, again.measures.get(IOU), again.measures.get(SCORE)
    asks_for_kind = limits[IOU].value == AUTO and limits[SHIFT].value != OFF and iou is not None
    if asks_for_kind and (not again.is_old(IOU) or again.was.limits[SHIFT].value == OFF):
        return None  # only what the rule did shows whether they are polygons
    is_poly = iou is not None and iou.limit == POLYGON_IOU
    wanted, most, exact = limits[SCORE].value, None, None
    if again.is_old(SCORE):
        most = None if score is None else score.limit
        if wanted == AUTO and "score_error" in again.measures:
            most, exact = AUTOMATIC_SCORE, most
    elif wanted == AUTO and score is not None:
        return None
    elif wanted not in (AUTO, OFF):
        if score is None and again.was.counts["paired"] and not limits[SCORE].is_preset:
            return None  # a side has no scores, of which a limit by name asks
        most = float(wanted)
    map_px = again.value("map_px") if "map_px" in again.measures else 1.0
    shift = None if limits[SHIFT].value == OFF else float(limits[SHIFT].value)
    return BoxLimits(limits[IOU], shift, map_px, most, is_poly, exact)


def _status_of_box(again: _Recorded, box: BoxFinding, limits: BoxLimits) -> str:
    """Return the status of a finding under other limits: DIFFERENT, "borderline", SAME, or UNDECIDED."""
    if limits.exact_score is None:
        box = replace(box, score_error=None)
    if box.kind not in LONE and finding_kind_of(box, limits) is None:
        return SAME
    allowed = _maps_allow(again, 1)
    if box.is_borderline:
        return "borderline" if allowed else DIFFERENT if allowed is False else UNDECIDED
    # Maps that agree only now might explain the box: only an experiment shows it.
    return UNDECIDED if allowed is None or (allowed and not _maps_allow(again, 0)) else DIFFERENT


def _pair_measures(again: _Recorded, limits: BoxLimits) -> tuple[Measure, ...]:
    """Return the measures with the worst pair's amounts beside the limits that judge pairs now."""
    measures = dict(again.measures)

    def put(name: str, limit: float | None, value: float | None = None) -> None:
        if name in measures:
            before = measures[name]
            is_new = limit != before.limit
            measures[name] = replace(
                before,
                value=before.value if value is None else value,
                limit=limit,
                origin=before.origin if not is_new else "" if limit is None else again.limits[name].origin,
            )

    put(IOU, limits.iou)
    put(SHIFT, limits.max_shift, limits.in_map_px(measures["shift"].value) if "shift" in measures else None)
    if not again.is_old(SCORE):  # a number judges the difference itself, and not what scores miss
        put(SCORE, limits.max_score_difference, measures["score"].value if "score" in measures else None)
        measures.pop("score_error", None)
    return tuple(measures.values())


def _do_more_pairs_differ(again: _Recorded, measures: Sequence[Measure], limits: BoxLimits) -> bool | NotKnown:
    """Return whether pairs that kept the old limits break these, as far as the worst pair shows it."""
    judged = [each for each in measures if each.name in (IOU, SHIFT, SCORE)]
    if all(each.is_within for each in judged):
        return False
    if not any(box.kind in ("moved", "score", "invalid") for box in again.was.boxes):
        # Maps that differ within their limit might explain them.
        return NOT_KNOWN if _maps_allow(again, 1) is not False and not _are_maps_equal(again) else True
    if "score_error" in again.measures and not again.is_old(SCORE):
        return NOT_KNOWN  # what scores miss was judged, and what they differ by is asked
    return NOT_KNOWN if any(_has_stricter_limit(each, again.measures[each.name]) for each in judged) else False


def _has_stricter_limit(now: Measure, then: Measure) -> bool:
    if now.limit is None or then.limit is None:
        return now.limit is not None
    return now.limit > then.limit if now.smallest else now.limit < then.limit


def _are_maps_equal(again: _Recorded) -> bool:
    """Return whether the maps are known to be equal to within their stored steps, which explains nothing."""
    measured = {each.name: each.value for each in again.maps[1].measures} if again.maps else {}
    return "largest" in measured and measured["largest"] <= measured["stored"]


def _maps_allow(again: _Recorded, when: int) -> bool | None:
    """Return whether the maps keep a limit, and so may explain a box: then (0) or now (1); None where not known."""
    if again.maps is None:
        return None if again.rests_on_other_maps else True
    maps = again.maps[when]
    if maps.status == UNDECIDED:
        return None
    limit = next((each.limit for each in maps.measures if each.name == "probability_maps.atol"), None)
    return maps.status in MATCHES and limit is not None
