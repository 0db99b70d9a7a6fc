"""Judge recorded comparisons again under other limits, without running a model, as far as their measures allow.

What they do not allow is "undecided", which is no pass. Limits that are not given stay what they were.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Final, TypeAlias

from msgspec import structs

from pytest_ocrparity.compare.judge import is_within_rounding
from pytest_ocrparity.comparison import (
    ALLOWED_EMPTY,
    DIFFERENT,
    EMPTY,
    LEFT_TO_RUN,
    MATCHES,
    NOT_JUDGEABLE,
    RECORDED,
    SAME,
    UNDECIDED,
    BoxFinding,
    Measure,
)
from pytest_ocrparity.report.document import RecordedComparison
from pytest_ocrparity.stages import DETECTIONS, PREPROCESSING, PROBABILITY_MAPS
from pytest_ocrparity.tolerance import AUTO, AUTOMATIC_SCORE, OFF, POLYGON_IOU, Limit, Tolerance, Value


Limits: TypeAlias = "Mapping[str, Limit]"
Maps: TypeAlias = "tuple[RecordedComparison, RecordedComparison]"
"""The comparison of the maps as it was, and as it is judged now."""


class Judge(ABC):
    """One comparison with its limits as they were and as they are wanted. Each kind has a class of its own."""

    JUDGED: ClassVar[tuple[str, ...]] = ()
    """The differences in kind that are no more than limits judged."""

    def __init__(self, was: RecordedComparison, wanted: Limits, maps: Maps | None) -> None:
        """Take a comparison and, for boxes, that of its maps."""
        self.was, self.wanted, self.maps = was, wanted, maps
        self.old: dict[str, Value] = {name: limit.value for name, limit in was.limits.items()}
        self.new = {name: wanted[name].value if name in wanted else value for name, value in self.old.items()}
        self.measures = {each.name: each for each in was.measures}
        self.counts = dict(was.counts)

    def comparison(self) -> RecordedComparison:
        """Return the comparison as judged."""
        status = self._status()
        limits = {
            name: self.was.limits[name] if self.is_old(name) else Limit(value, self.wanted[name].origin)
            for name, value in self.new.items()
        }
        measures = tuple(self.measures.values())
        return structs.replace(self.was, status=status, limits=limits, measures=measures, counts=self.counts)

    def _status(self) -> str:
        was = self.was.status
        if was == RECORDED or (self.old == self.new and not self.rests_on_other_maps()):
            return was
        failing = [difference.kind for difference in self.was.differences if difference.fails]
        answers = [answer for answer in map(self._difference, failing) if answer]
        if DIFFERENT in answers:
            return was
        answers += self.answers()
        worst = next(
            (status for status in (DIFFERENT, UNDECIDED, NOT_JUDGEABLE, LEFT_TO_RUN) if status in answers), None
        )
        return worst or self.matching()

    @abstractmethod
    def answers(self) -> list[str]:
        """Return what each limit says of its measure: SAME, DIFFERENT, LEFT_TO_RUN or UNDECIDED."""

    def rests_on_other_maps(self) -> bool:
        """Tell whether this may be judged otherwise because the maps are."""
        return False

    def matching(self) -> str:
        """Return the word for a comparison in which nothing differs."""
        return SAME

    def _difference(self, kind: str) -> str | None:
        """Return what becomes of a difference in kind: most stay whatever the limits are, some are judged as limits."""
        return None if kind in self.JUDGED else DIFFERENT

    def is_old(self, *names: str) -> bool:
        """Tell whether these limits are what they were."""
        return all(self.old[name] == self.new[name] for name in names)

    def value(self, name: str) -> float:
        """Return a measured amount."""
        return self.measures[name].value

    def keeps(self, name: str) -> bool:
        """Tell whether a measure keeps the limit that stands beside it; one that was not taken keeps any."""
        measure = self.measures.get(name)
        return measure is None or measure.is_within

    def set(self, name: str, value: float | None, limit: float | None) -> None:
        """Put another limit beside a measure, and another amount where one is given."""
        if name in self.measures:
            self.change(name, limit=limit, origin="" if limit is None else "--tolerance")
            self.change(name, **({} if value is None else {"value": value}))

    def change(self, name: str, **values: Any) -> None:
        """Put other values into a measure. Raises KeyError where it was not taken."""
        self.measures[name] = replace(self.measures[name], **values)

    def simple(self, name: str) -> str:
        """Judge an amount by a number; none can be asked of one that was not taken."""
        limit = self.new[name]
        if not self.is_old(name):
            self.set(name, None, None if limit == OFF else float(limit))
        if limit != OFF and name not in self.measures:
            return UNDECIDED
        return SAME if self.keeps(name) else DIFFERENT


TENSOR_LEAST: Final = 2e-6
"""The automatic tensor limit is never smaller."""


MAP_LEAST, MAP_MOST = 1e-4, 2e-2
"""What the automatic map limit always and never permits: it lies in 1e-4 to 1e-2, and a fused copy adds up to 1e-2."""


class TensorJudge(Judge):
    """Preprocessing."""

    def answers(self) -> list[str]:
        """Judge the largest difference; the automatic limit is known only where it is smallest."""
        name, limit = "preprocessing.atol", self.new["preprocessing.atol"]
        if limit == AUTO:
            return [SAME if self.value("largest") <= TENSOR_LEAST else UNDECIDED]
        self.set(name, self.value("largest"), float(limit))
        return [SAME if self.keeps(name) else DIFFERENT]


class MapJudge(Judge):
    """Probability maps."""

    JUDGED: ClassVar = ("not_judged",)

    def answers(self) -> list[str]:
        """Judge the largest difference with the share of pixels beyond it, the mean one, and the crossings."""
        atol, mean, share, crossings, per_run = (
            f"probability_maps.{name}" for name in ("atol", "mean_atol", "max_share", "max_crossings", "per_run")
        )
        if self.new[atol] == self.new[mean] == self.new[crossings] == OFF and not self.new[share]:
            return [DIFFERENT]  # nothing would be judged
        answer = self.simple(mean)
        self.change(mean, decides=not self.new[per_run])
        others = [LEFT_TO_RUN if answer == DIFFERENT and self.new[per_run] else answer, self.simple(crossings)]
        largest = self._map_atol(atol, share)
        if largest == DIFFERENT and DIFFERENT not in others:
            largest = self._beyond(atol)
        return [largest, *others]

    def _beyond(self, atol: str) -> str:
        """Return what maps are whose largest difference alone breaks its limit: rounding may be all that it is."""
        limit = self.measures[atol].limit
        if not limit:
            return DIFFERENT
        if "sensitivity" not in self.measures:
            return UNDECIDED
        is_rounding = is_within_rounding(self.value(atol), limit, self.value("sensitivity"))
        return NOT_JUDGEABLE if is_rounding else DIFFERENT

    def _map_atol(self, atol: str, share: str) -> str:
        """Judge the largest difference, and the share of pixels that may exceed its limit."""
        if self.is_old(atol, share):
            return SAME if all(map(self.keeps, (atol, share, "fusion"))) else DIFFERENT
        largest, stored, limit, allowed = self.value("largest"), self.value("stored"), self.new[atol], self.new[share]
        if limit == OFF:
            self.set(atol, None, None)
            return DIFFERENT if allowed else SAME  # a share of what exceeds nothing can't be judged
        if limit == AUTO:
            if largest <= MAP_LEAST + stored:
                self.set(atol, None, None if allowed else MAP_LEAST + stored)
                return SAME
            return DIFFERENT if largest > MAP_MOST + 2 * stored and not allowed else UNDECIDED
        self.measures.pop("fusion", None)  # a flat limit takes the place of the rule that needed it
        self.set(atol, largest, None if allowed else float(limit) + stored)
        if largest <= float(limit) + stored:
            return SAME
        if not allowed:
            return DIFFERENT
        if not self.is_old(atol):
            return UNDECIDED  # the share was counted under another limit
        self.set(share, None, float(allowed))
        return SAME if self.keeps(share) else DIFFERENT


BORDERLINE: Final = "borderline"


LONE: Final = ("missing", "extra", "split", "merged", "invalid")
"""Findings that no limit of a pair could permit."""


SCORE: Final = "detections.max_score_difference"


class BoxJudge(Judge):
    """Detections."""

    JUDGED: ClassVar = ("empty",)

    def _difference(self, kind: str) -> str | None:
        """Return None also for missing scores that no limit asks for any more."""
        is_named = SCORE not in self.wanted or "preset" not in self.wanted[SCORE].origin
        if kind == "no_scores" and (self.new[SCORE] in (AUTO, OFF) or not is_named):
            return None
        if kind == "score_order":  # a finding per box says the same, and is judged
            return None
        return super()._difference(kind)

    def matching(self) -> str:
        """Return the word for a comparison in which nothing differs."""
        if self.counts["reference"] or self.counts["candidate"]:
            return SAME
        return ALLOWED_EMPTY if self.new["detections.allow_empty"] else EMPTY

    def rests_on_other_maps(self) -> bool:
        """Tell whether boxes may be judged otherwise because their maps are."""
        if self.maps is None:  # no test asserted the maps, but the boxes' comparison made theirs
            return any(name.startswith("probability_maps.") for name in self.wanted)
        return self.maps[0].limits != self.maps[1].limits

    def answers(self) -> list[str]:
        """Judge every finding again, and the pairs that were none by the worst of them."""
        if not self.counts["reference"] and not self.counts["candidate"]:
            return self._no_box()
        limits = {name: self._pair_limit(name) for name in ("min_iou", "max_shift", "max_score_difference")}
        if UNDECIDED in limits.values():
            return [UNDECIDED]
        self._measure_shift(limits["max_shift"])
        self._measure_score()
        for name, limit in limits.items():
            if limit != self._limit_before(name):
                self.set(f"detections.{name}", None, limit)  # type: ignore[arg-type]  # no longer UNDECIDED
        found = [self._again(box, limits) for box in self.was.boxes]
        if UNDECIDED in found:
            return [UNDECIDED]
        different, is_more = found.count(DIFFERENT), self._is_more(limits)
        unmatched, borderline = "detections.max_unmatched", "detections.max_borderline"
        self.counts |= {"different": different, "borderline": found.count(BORDERLINE)}
        boxes = max(self.counts["boxes"], 1)
        self.set(unmatched, different / boxes, float(self.new[unmatched]))
        self.set(borderline, self.counts["borderline"] / boxes, float(self.new[borderline]))
        if not different and not is_more:
            return [SAME]
        if is_more:  # how many is not known
            del self.counts["different"]
        if not self.new[unmatched] and (different or is_more is True):
            return [DIFFERENT]
        if is_more:
            return [UNDECIDED]
        self.change(unmatched, decides=not self.new["detections.per_run"])
        if self.keeps(unmatched):
            return [SAME]
        return [LEFT_TO_RUN if self.new["detections.per_run"] else DIFFERENT]

    def _measure_shift(self, limit: Any) -> None:
        """Convert the worst shift into map px as `BoxLimits.in_map_px` does: a source px is free except under 0."""
        if "shift" in self.measures and "detections.max_shift" in self.measures:
            self.change("detections.max_shift", value=self._in_map_px(self.value("shift"), limit))

    def _measure_score(self) -> None:
        """Put the difference itself in the place of how far scores miss what they must be: numbers judge that."""
        if not self.is_old(SCORE) and SCORE in self.measures and "score" in self.measures:
            self.change(SCORE, value=self.value("score"))
            self.measures.pop("score_error", None)

    def _in_map_px(self, shift: float, limit: float | None) -> float:
        return (shift if limit == 0 else max(0.0, shift - 1.0)) / self.value("map_px")

    def _is_more(self, limits: Mapping[str, Any]) -> bool | str:
        """Tell whether pairs that kept the old limits break these: known by the worst of them, if that is one."""
        if all(map(self.keeps, (f"detections.{name}" for name in limits))):
            return False
        if not any(box.kind in ("moved", "score", "invalid") for box in self.was.boxes):
            # Maps that differ within their limit might explain them.
            return UNDECIDED if self._maps_allow(1) is not False and not self._are_maps_equal() else True
        return UNDECIDED if any(self._is_stricter(name, limit) for name, limit in limits.items()) else False

    def _is_stricter(self, name: str, limit: float | None) -> bool:
        before = self._limit_before(name)
        if limit is None or before is None:
            return limit is not None
        return limit > before if name == "min_iou" else limit < before

    def _limit_before(self, name: str) -> float | None:
        return next((each.limit for each in self.was.measures if each.name == f"detections.{name}"), None)

    def _no_box(self) -> list[str]:
        """Two empty sides pass when that is allowed, or when their maps were compared and agree."""
        if self.new["detections.allow_empty"]:
            return [SAME]
        if self.maps is None:
            is_known = self.was.status == EMPTY and not self.rests_on_other_maps()
            return [SAME if is_known else UNDECIDED]
        maps = self.maps[1].status
        return [maps if maps in (SAME, UNDECIDED) else DIFFERENT]

    def _pair_limit(self, name: str) -> float | str | None:
        """Return the number by which pairs are judged, None for none, or UNDECIDED where a rule's inputs are gone."""
        key = f"detections.{name}"
        value = self.new[key]
        measure = self.measures.get(key)
        if name == "min_iou" and value == AUTO:
            return self._automatic_iou(measure)
        if self.is_old(key):
            return None if measure is None else measure.limit
        if value == OFF or (value == AUTO and measure is None):
            return None
        if measure is None and self.counts["paired"] and "preset" not in self.wanted[key].origin:
            return UNDECIDED  # a side has no scores, of which a limit by name asks
        return UNDECIDED if value == AUTO else float(value)

    def _automatic_iou(self, measure: Measure | None) -> float | str | None:
        """Return the rule's limit: 0.9 for polygons, and for quads where nothing judges their shift."""
        shift = "detections.max_shift"
        if self.new[shift] == OFF:
            return POLYGON_IOU
        if self.is_old("detections.min_iou") and self.old[shift] != OFF and measure is not None:
            return measure.limit
        return None if measure is None else UNDECIDED

    def _again(self, box: BoxFinding, limits: Mapping[str, Any]) -> str:
        """Return what a finding is under other limits: DIFFERENT, BORDERLINE, SAME, or UNDECIDED."""
        if box.kind not in LONE and not self._is_beyond(box, limits):
            return SAME
        allowed = self._maps_allow(1)
        if box.is_borderline:
            return BORDERLINE if allowed else DIFFERENT if allowed is False else UNDECIDED
        # Maps that agree only now might explain the box: telling takes an experiment.
        return UNDECIDED if allowed is None or (allowed and not self._maps_allow(0)) else DIFFERENT

    def _are_maps_equal(self) -> bool:
        """Tell whether the maps are known to be equal to within their stored steps, which explains nothing."""
        measured = {each.name: each.value for each in self.maps[1].measures} if self.maps else {}
        return "largest" in measured and measured["largest"] <= measured["stored"]

    def _maps_allow(self, when: int) -> bool | None:
        """Tell whether the maps keep a limit, and so may explain a box: then (0) or now (1); None where not known."""
        if self.maps is None:
            return None if self.rests_on_other_maps() else True
        maps = self.maps[when]
        if maps.status == UNDECIDED:
            return None
        limit = next((each.limit for each in maps.measures if each.name == "probability_maps.atol"), None)
        return maps.status in MATCHES and limit is not None

    def _is_beyond(self, box: BoxFinding, limits: Mapping[str, Any]) -> bool:
        if limits["min_iou"] is not None and box.iou is not None and not box.iou >= limits["min_iou"]:
            return True
        most = limits["max_shift"]
        if most is not None and box.shift is not None and not self._in_map_px(box.shift, most) <= most:
            return True
        score, most = box.score_difference, limits["max_score_difference"]
        if self.is_old(SCORE) and self.old[SCORE] == AUTO and "score_error" in self.measures:
            error = box.score_error  # version 1 of results.json has none
            score, most = (score, AUTOMATIC_SCORE) if error is None else (error, most)
        return score is not None and not score <= (float("inf") if most is None else most)


_JUDGES: Mapping[str, Callable[..., Judge]] = {
    PREPROCESSING: TensorJudge,
    PROBABILITY_MAPS: MapJudge,
    DETECTIONS: BoxJudge,
}


def wanted_limits(given: Sequence[Mapping[str, Any]]) -> Limits:
    """Return the limits that parsed `--tolerance` words set, by name; a preset sets all of them.

    Raises:
        SettingsError: a preset, limit or value means nothing.
    """
    tolerance = Tolerance({})
    for values in sorted(given, key=lambda values: "preset" not in values):
        tolerance = tolerance.override(values, "--tolerance")
    return tolerance.limits


def judge_again(comparisons: Sequence[RecordedComparison], wanted: Limits) -> list[RecordedComparison]:
    """Return the comparisons with the `status`, `limits`, judged `measures` and `counts` that these limits give."""
    maps: dict[tuple[str, str, str], Maps] = {}
    judged: dict[int, RecordedComparison] = {}
    for place, each in sorted(enumerate(comparisons), key=lambda pair: pair[1].kind == DETECTIONS):
        sides = each.image, each.reference, each.candidate
        if each.kind not in _JUDGES:  # of a newer version: what is not known does not pass
            judged[place] = structs.replace(each, status=UNDECIDED)
            continue
        judged[place] = found = _JUDGES[each.kind](each, wanted, maps.get(sides)).comparison()
        if each.kind == PROBABILITY_MAPS:
            maps[sides] = each, found
    return [judged[place] for place in range(len(comparisons))]
