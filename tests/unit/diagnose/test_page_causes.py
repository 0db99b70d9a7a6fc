"""Steps of a page that belong to no model, on sides of a few numbers: what is stated, and what is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from pytest_ocrparity import DifferenceError, Recognition, Trace, assert_same_page
from pytest_ocrparity.contract.page_readers import BATCH, ORDER, SCORES, TURN, LineOfPage
from pytest_ocrparity.diagnosis import Fix
from pytest_ocrparity.errors import StageError
from pytest_ocrparity.trace import Detections


@dataclass
class Reader:
    """Reads the grey level of a line."""

    name: str

    def trace(self, line: Any) -> Trace:
        return Trace(pipeline=self.name, image="line", recognition=Recognition(str(int(line[0, 0, 0])), 0.9))


@dataclass
class Side:
    """Reads lines of a page; each field but the first two is a step that errs."""

    name: str
    greys: tuple[int, ...] = (10, 20, 30)
    turned: int | None = None
    batch: int = 0
    """What is added to what a line reads in its batch."""
    left_out: int | None = None
    order: tuple[int, ...] = (0, 1, 2)
    detector: Any = None
    recogniser: Any = field(init=False)

    def __post_init__(self) -> None:
        self.recogniser = Reader(self.name)

    def trace(self, image: Any = None) -> Trace:
        polygons, texts, lines = [], list[Recognition | None](), []
        for place in self.order:
            cut = np.full((8, 8, 3), self.greys[place], np.uint8)
            given = cut + 100 if place == self.turned else cut
            read = Recognition(str(int(given[0, 0, 0]) + self.batch), 0.9)
            top = 40.0 * place
            polygons.append(np.array([[0, top], [90, top], [90, top + 20], [0, top + 20]]))
            texts.append(None if place == self.left_out else read)
            lines.append(LineOfPage(cut, given, read))
        found = Detections(tuple(polygons))
        trace = Trace(pipeline=self.name, image="p.png", detections=found, texts=tuple(texts), source=self)
        trace.memo["lines"] = lines
        return trace

    def lines(self, trace: Trace) -> Sequence[LineOfPage]:
        found: Sequence[LineOfPage] = trace.memo["lines"]
        return found

    def with_step(self, trace: Trace, step: str) -> Trace:
        right: dict[str, Any] = {TURN: {"turned": None}, BATCH: {"batch": 0}, SCORES: {"left_out": None}}
        right[ORDER] = {"order": tuple(sorted(self.order))}
        made = replace(self, **right.get(step, {})).trace()
        made.memo["lines"] = made.memo["lines"]
        return replace_source(made, self)

    def step_fix(self, step: str) -> Fix:
        return Fix(f"mend {step}")

    @property
    def steps(self) -> dict[str, Any]:
        return {"text_rec_score_thresh": 0.95}


def replace_source(trace: Trace, source: object) -> Trace:
    made = replace(trace, source=source)
    made.memo.update(trace.memo)
    return made


def said(candidate: Side, reference: Any = None) -> list[tuple[str, str, str]]:
    with pytest.raises(DifferenceError) as caught:
        assert_same_page((reference or Side("train")).trace(), candidate.trace())
    print(caught.value)
    return [(each.model, each.stage, each.cause) for each in caught.value.diagnoses]


@pytest.mark.parametrize(
    ("fault", "stage", "cause"),
    [
        ({"turned": 1}, "crop", "pipeline.textline_orientation"),
        ({"batch": 5}, "resize", "resize.batch_padding"),
        ({"left_out": 2}, "page", "pipeline.score_thresh"),
        ({"order": (2, 0, 1)}, "page", "pipeline.order"),
    ],
)
def test_a_step_is_named_where_the_page_reads_right_without_it(fault: dict[str, Any], stage: str, cause: str) -> None:
    assert said(Side("page", **fault)) == [("pipeline", stage, cause)]


def test_two_steps_are_both_named() -> None:
    found = said(Side("page", left_out=0, order=(2, 0, 1)))
    assert [cause for _, _, cause in found] == ["pipeline.score_thresh", "pipeline.order"]


def test_a_step_that_mends_nothing_is_not_named() -> None:
    class Stubborn(Side):
        def with_step(self, trace: Trace, step: str) -> Trace:
            return trace

    assert said(Stubborn("page", turned=1))[0][2] == "unknown"
    assert said(Stubborn("page", left_out=2))[0][2] == "unknown"


def test_a_step_that_raises_is_not_named() -> None:
    class Lost(Side):
        def with_step(self, trace: Trace, step: str) -> Trace:
            raise RuntimeError("no more")

    with pytest.raises(DifferenceError, match="no more") as caught:
        assert_same_page(Side("train").trace(), Lost("page", order=(2, 0, 1)).trace())
    assert [each.cause for each in caught.value.diagnoses] == ["unknown"]


@pytest.mark.parametrize(
    ("stage", "text"),
    [
        ("crop", "page stops where it cuts lines out: boom, at"),
        ("text", "page stops, and no line stops its recogniser alone: boom, at"),
    ],
)
def test_a_step_that_stops_is_told_on_one_line(stage: str, text: str) -> None:
    stopped = replace(Side("page").trace(), detections=None, texts=None, error=StageError(stage, "boom,\nat"))
    with pytest.raises(DifferenceError) as caught:
        assert_same_page(Side("train").trace(), stopped)
    assert [each.summary for each in caught.value.diagnoses] == [text]


def test_against_a_baseline_steps_are_named_and_recognisers_are_not() -> None:
    recorded = replace(Side("baseline (train)").trace(), source=None)

    class Recorded:
        def trace(self) -> Trace:
            return recorded

    assert said(Side("page", turned=1), Recorded()) == [("pipeline", "crop", "pipeline.textline_orientation")]
    with pytest.raises(DifferenceError, match="and baseline \\(train\\) gives none"):
        assert_same_page(recorded, Side("page", greys=(10, 21, 30)).trace())
