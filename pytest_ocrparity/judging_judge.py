"""What judging again has in common for all kinds of comparisons: limits before and now, measures, answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Final, TypeAlias

from pytest_ocrparity.comparison import DIFFERENT, LEFT_TO_RUN, NOT_JUDGEABLE, RECORDED, SAME
from pytest_ocrparity.tolerance import OFF, Limit, Value

__all__ = ["UNDECIDED", "Judge", "Limits"]

UNDECIDED: Final = "undecided"
Limits: TypeAlias = "Mapping[str, Limit]"


class Judge(ABC):
    """One comparison with its limits as they were and as they are wanted. Each kind has a class of its own."""

    JUDGED: ClassVar[tuple[str, ...]] = ()
    """The differences in kind that are no more than limits judged."""

    def __init__(
        self, was: Mapping[str, Any], wanted: Limits, maps: tuple[Mapping[str, Any], Mapping[str, Any]] | None
    ) -> None:
        """Take a comparison and, for boxes, that of its maps as it was and as it is judged now."""
        self.was, self.wanted, self.maps = was, wanted, maps
        self.old: dict[str, Value] = {name: limit["value"] for name, limit in was["limits"].items()}
        self.new = {name: wanted[name].value if name in wanted else value for name, value in self.old.items()}
        self.measures: dict[str, dict[str, Any]] = {each["name"]: dict(each) for each in was["measures"]}
        self.counts: dict[str, int] = dict(was["counts"])

    def comparison(self) -> dict[str, Any]:
        """Return the comparison as judged."""
        status = self._status()
        limits = {
            name: self.was["limits"][name]
            if self.is_old(name)
            else {"value": value, "origin": self.wanted[name].origin}
            for name, value in self.new.items()
        }
        measures = list(self.measures.values())
        return {**self.was, "status": status, "limits": limits, "measures": measures, "counts": self.counts}

    def _status(self) -> str:
        was: str = self.was["status"]
        if was == RECORDED or (self.old == self.new and not self.rests_on_other_maps()):
            return was
        failing = [difference["kind"] for difference in self.was["differences"] if difference["fails"]]
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
        return float(self.measures[name]["value"])

    def keeps(self, name: str) -> bool:
        """Tell whether a measure keeps the limit that stands beside it; one that was not taken keeps any."""
        measure = self.measures.get(name)
        if measure is None or measure["limit"] is None:
            return True
        value, limit = self.value(name), float(measure["limit"])
        return value >= limit if measure["smallest"] else value <= limit

    def set(self, name: str, value: Value | None, limit: float | None) -> None:
        """Put another limit beside a measure, and another amount where one is given."""
        if name in self.measures:
            self.measures[name] |= {"limit": limit, "origin": "" if limit is None else "--tolerance"}
            self.measures[name] |= {} if value is None else {"value": value}

    def simple(self, name: str) -> str:
        """Judge an amount by a number; none can be asked of one that was not taken."""
        limit = self.new[name]
        if not self.is_old(name):
            self.set(name, None, None if limit == OFF else float(limit))
        if limit != OFF and name not in self.measures:
            return UNDECIDED
        return SAME if self.keeps(name) else DIFFERENT
