"""Judge recorded tensors and probability maps again."""

from __future__ import annotations

from typing import ClassVar, Final

from pytest_ocrparity.compare.probability_maps import is_within_rounding
from pytest_ocrparity.comparison import DIFFERENT, LEFT_TO_RUN, NOT_JUDGEABLE, SAME
from pytest_ocrparity.judging_judge import UNDECIDED, Judge
from pytest_ocrparity.tolerance import AUTO, OFF

__all__ = ["MapJudge", "TensorJudge"]

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
        self.set(name, self.measures["largest"]["value"], float(limit))
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
        self.measures[mean]["decides"] = not self.new[per_run]
        others = [LEFT_TO_RUN if answer == DIFFERENT and self.new[per_run] else answer, self.simple(crossings)]
        largest = self._map_atol(atol, share)
        if largest == DIFFERENT and DIFFERENT not in others:
            largest = self._beyond(atol)
        return [largest, *others]

    def _beyond(self, atol: str) -> str:
        """Return what maps are whose largest difference alone breaks its limit: rounding may be all that it is."""
        limit = self.measures[atol]["limit"]
        if not limit:
            return DIFFERENT
        if "sensitivity" not in self.measures:
            return UNDECIDED
        is_rounding = is_within_rounding(self.value(atol), float(limit), self.value("sensitivity"))
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
        self.set(atol, self.measures["largest"]["value"], None if allowed else float(limit) + stored)
        if largest <= float(limit) + stored:
            return SAME
        if not allowed:
            return DIFFERENT
        if not self.is_old(atol):
            return UNDECIDED  # the share was counted under another limit
        self.set(share, None, float(allowed))
        return SAME if self.keeps(share) else DIFFERENT
