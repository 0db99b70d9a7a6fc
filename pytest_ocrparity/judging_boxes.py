"""Judge recorded boxes again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from pytest_ocrparity.compare.box_pairs import AUTOMATIC_SCORE, POLYGON_IOU
from pytest_ocrparity.comparison import ALLOWED_EMPTY, DIFFERENT, EMPTY, LEFT_TO_RUN, MATCHES, SAME
from pytest_ocrparity.judging_judge import UNDECIDED, Judge
from pytest_ocrparity.tolerance import AUTO, OFF

__all__ = ["BoxJudge"]

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
        return bool(self.maps[0]["limits"] != self.maps[1]["limits"])

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
        found = [self._again(box, limits) for box in self.was["boxes"]]
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
        self.measures[unmatched]["decides"] = not self.new["detections.per_run"]
        if self.keeps(unmatched):
            return [SAME]
        return [LEFT_TO_RUN if self.new["detections.per_run"] else DIFFERENT]

    def _measure_shift(self, limit: Any) -> None:
        """Convert the worst shift into map px as `BoxLimits.in_map_px` does: a source px is free except under 0."""
        if "shift" in self.measures and "detections.max_shift" in self.measures:
            self.measures["detections.max_shift"]["value"] = self._in_map_px(self.value("shift"), limit)

    def _measure_score(self) -> None:
        """Put the difference itself in the place of how far scores miss what they must be: numbers judge that."""
        if not self.is_old(SCORE) and SCORE in self.measures and "score" in self.measures:
            self.measures[SCORE]["value"] = self.value("score")
            self.measures.pop("score_error", None)

    def _in_map_px(self, shift: float, limit: float | None) -> float:
        return (shift if limit == 0 else max(0.0, shift - 1.0)) / self.value("map_px")

    def _is_more(self, limits: Mapping[str, Any]) -> bool | str:
        """Tell whether pairs that kept the old limits break these: known by the worst of them, if that is one."""
        if all(map(self.keeps, (f"detections.{name}" for name in limits))):
            return False
        if not any(box["kind"] in ("moved", "score", "invalid") for box in self.was["boxes"]):
            # Maps that differ within their limit might explain them.
            return UNDECIDED if self._maps_allow(1) is not False and not self._are_maps_equal() else True
        return UNDECIDED if any(self._is_stricter(name, limit) for name, limit in limits.items()) else False

    def _is_stricter(self, name: str, limit: float | None) -> bool:
        before = self._limit_before(name)
        if limit is None or before is None:
            return limit is not None
        return limit > before if name == "min_iou" else limit < before

    def _limit_before(self, name: str) -> float | None:
        return next((each["limit"] for each in self.was["measures"] if each["name"] == f"detections.{name}"), None)

    def _no_box(self) -> list[str]:
        """Two empty sides pass when that is allowed, or when their maps were compared and agree."""
        if self.new["detections.allow_empty"]:
            return [SAME]
        if self.maps is None:
            is_known = self.was["status"] == EMPTY and not self.rests_on_other_maps()
            return [SAME if is_known else UNDECIDED]
        maps = self.maps[1]["status"]
        return [maps if maps in (SAME, UNDECIDED) else DIFFERENT]

    def _pair_limit(self, name: str) -> float | str | None:
        """Return the number by which pairs are judged, None for none, or UNDECIDED where a rule's inputs are gone."""
        key = f"detections.{name}"
        value = self.new[key]
        measure = self.measures.get(key)
        if name == "min_iou" and value == AUTO:
            return self._automatic_iou(measure)
        if self.is_old(key):
            return None if measure is None or measure["limit"] is None else float(measure["limit"])
        if value == OFF or (value == AUTO and measure is None):
            return None
        if measure is None and self.counts["paired"] and "preset" not in self.wanted[key].origin:
            return UNDECIDED  # a side has no scores, of which a limit by name asks
        return UNDECIDED if value == AUTO else float(value)

    def _automatic_iou(self, measure: Mapping[str, Any] | None) -> float | str | None:
        """Return the rule's limit: 0.9 for polygons, and for quads where nothing judges their shift."""
        shift = "detections.max_shift"
        if self.new[shift] == OFF:
            return POLYGON_IOU
        if self.is_old("detections.min_iou") and self.old[shift] != OFF and measure is not None:
            return None if measure["limit"] is None else float(measure["limit"])
        return None if measure is None else UNDECIDED

    def _again(self, box: Mapping[str, Any], limits: Mapping[str, Any]) -> str:
        """Return what a finding is under other limits: DIFFERENT, BORDERLINE, SAME, or UNDECIDED."""
        if box["kind"] not in LONE and not self._is_beyond(box, limits):
            return SAME
        allowed = self._maps_allow(1)
        if box["is_borderline"]:
            return BORDERLINE if allowed else DIFFERENT if allowed is False else UNDECIDED
        # Maps that agree only now might explain the box: telling takes an experiment.
        return UNDECIDED if allowed is None or (allowed and not self._maps_allow(0)) else DIFFERENT

    def _are_maps_equal(self) -> bool:
        """Tell whether the maps are known to be equal to within their stored steps, which explains nothing."""
        measured = {each["name"]: float(each["value"]) for each in self.maps[1]["measures"]} if self.maps else {}
        return "largest" in measured and measured["largest"] <= measured["stored"]

    def _maps_allow(self, when: int) -> bool | None:
        """Tell whether the maps keep a limit, and so may explain a box: then (0) or now (1); None where not known."""
        if self.maps is None:
            return None if self.rests_on_other_maps() else True
        maps = self.maps[when]
        if maps["status"] == UNDECIDED:
            return None
        limit = next((each["limit"] for each in maps["measures"] if each["name"] == "probability_maps.atol"), None)
        return maps["status"] in MATCHES and limit is not None

    def _is_beyond(self, box: Mapping[str, Any], limits: Mapping[str, Any]) -> bool:
        iou, shift, score = (
            None if box[key] is None else float(box[key]) for key in ("iou", "shift", "score_difference")
        )
        if limits["min_iou"] is not None and iou is not None and not iou >= limits["min_iou"]:
            return True
        most_shift = limits["max_shift"]
        if most_shift is not None and shift is not None and not self._in_map_px(shift, most_shift) <= most_shift:
            return True
        most = limits["max_score_difference"]
        if self.is_old(SCORE) and self.old[SCORE] == AUTO and "score_error" in self.measures:
            error = box.get("score_error")  # version 1 of results.json has none
            score, most = (score, AUTOMATIC_SCORE) if error is None else (float(error), most)
        return score is not None and not score <= (float("inf") if most is None else most)
