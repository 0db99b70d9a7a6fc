"""Which lines of a page are explained by what limits permit: sides of a few numbers stand for both models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from pytest_ocrparity import Recognition, Trace
from pytest_ocrparity.compare.page_borderline import do_boxes_explain_order, with_borderline_lines
from pytest_ocrparity.compare.whole_page import PageComparisons
from pytest_ocrparity.comparison import LineFinding
from pytest_ocrparity.contract.page_readers import CUT, ORDER, LineOfPage
from pytest_ocrparity.diagnosis import Fix
from pytest_ocrparity.tolerance import BUILT_IN
from pytest_ocrparity.trace import Detections


def crop(grey: int) -> Any:
    return np.full((8, 8, 3), grey, np.uint8)


@dataclass
class Reader:
    """Reads the grey level of a line; one below `confuses`, and those that it `misreads`, as another."""

    name: str
    confuses: int = 0
    misreads: tuple[int, ...] = ()

    def trace(self, line: Any) -> Trace:
        grey = int(line[0, 0, 0])
        text = "0" if grey < self.confuses or grey in self.misreads else str(grey // 10)
        return Trace(pipeline=self.name, image="line", recognition=Recognition(text, 0.9))


@dataclass
class Side:
    """Reads one line of a page, whose box and crop are given."""

    name: str
    box: float
    grey: int
    recogniser: Reader
    detector: Any = None
    cuts_otherwise: int = 0
    """How much lighter its own rule makes a crop."""
    turns: bool = False
    remembers: str | None = None
    """What its trace says that was read in the crop, unless that is what was read."""
    reads: str | None = None
    """What is read with the other lines of the page."""
    plain_box: float | None = None
    """Where its box is once paddlex's own rule cuts."""

    def page(self, grey: int, box: float | None = None) -> Trace:
        left = self.box if box is None else box
        polygon = np.array([[left, 0.0], [100, 0], [100, 20], [left, 20]])
        cut = crop(grey)
        given = crop(grey + 10) if self.turns else cut
        read = self.recogniser.trace(given).recognition if self.reads is None else Recognition(self.reads, 0.9)
        trace = Trace(
            pipeline=self.name, image="page.png", image_sha256="1", detections=Detections((polygon,)), texts=(read,),
            source=self,
        )  # fmt: skip
        known = read if self.remembers is None else Recognition(self.remembers, 0.9)
        trace.memo["lines"] = [LineOfPage(cut, given, known)]
        return trace

    def trace(self, image: Any = None) -> Trace:
        return self.page(self.grey + self.cuts_otherwise)

    def lines(self, trace: Trace) -> Sequence[LineOfPage]:
        assert trace.pipeline == self.name, "of the other side"
        found: Sequence[LineOfPage] = trace.memo["lines"]
        return found

    def with_step(self, trace: Trace, step: str) -> Trace:
        return self.page(self.grey, self.plain_box) if step == CUT else self.trace()

    def step_fix(self, step: str) -> Fix:
        return Fix("leave it")

    @property
    def steps(self) -> dict[str, Any]:
        return {}


def sides(**candidate: Any) -> tuple[Side, Side]:
    """Return two sides whose boxes are a pixel apart, so that the candidate's crop is a bit lighter."""
    reference = Side("train", 10.0, 108, Reader("train"))
    return reference, replace(Side("page", 11.0, 112, Reader("page")), **candidate)


def line(reference: Side, candidate: Side, **limits: Any) -> tuple[str, bool]:
    made = PageComparisons(reference.trace(), candidate.trace(), BUILT_IN.override(limits, "test")).page
    (only,) = made.lines
    return made.status, only.is_borderline


def test_a_box_that_moved_within_its_limits_explains_a_text() -> None:
    assert line(*sides()) == ("same", True)


def test_a_limit_of_none_permits_none() -> None:
    assert line(*sides(), text={"max_borderline": 0.0}) == ("different", True)


def test_a_rule_of_its_own_explains_nothing() -> None:
    assert line(*sides(grey=108, cuts_otherwise=4)) == ("different", False)


def test_a_turned_line_explains_nothing() -> None:
    assert line(*sides(turns=True)) == ("different", False)


def test_a_recogniser_that_reads_the_same_crop_otherwise_explains_nothing() -> None:
    assert line(*sides(recogniser=Reader("page", confuses=200))) == ("different", False)


def test_a_recogniser_of_the_reference_that_reads_the_candidates_crop_otherwise_explains_nothing() -> None:
    reference, candidate = sides()
    assert line(replace(reference, recogniser=Reader("train", misreads=(112,))), candidate) == ("different", False)


def test_a_recogniser_that_reads_the_references_crop_otherwise_explains_nothing() -> None:
    assert line(*sides(recogniser=Reader("page", misreads=(108,)))) == ("different", False)


def test_a_text_that_was_changed_after_it_was_read_explains_nothing() -> None:
    assert line(*sides(remembers="99")) == ("different", False)
    assert line(*sides(remembers="11")) == ("same", True)


def test_a_text_that_the_other_lines_of_its_batch_changed_is_not_explained() -> None:
    assert line(*sides(reads="99")) == ("different", False)


@dataclass
class Prepared:
    """A recogniser that returns the same map of any line."""

    name: str
    moved: float
    text: str

    def trace(self, line: Any) -> Trace:
        rows = np.full((1, 3, 6), 0.02, np.float32)
        rows[0, 0, 1:3] = 0.45995 + self.moved / 2, 0.46005 - self.moved / 2
        return Trace(
            pipeline=self.name, image="line", recognition=Recognition(self.text, 0.9), probability_map=rows, source=self
        )

    def read_map(self, values: Any) -> Recognition:
        return Recognition("bd" if values[0, 0, 2] > values[0, 0, 1] else "ad", 0.9)


@pytest.mark.parametrize(("moved", "grey", "is_explained"), [(2e-4, 108, True), (0.1, 108, False), (2e-4, 112, False)])
def test_maps_of_one_crop_that_differ_within_their_limit_explain_a_text(
    moved: float, grey: int, is_explained: bool
) -> None:
    reference = Side("train", 10.0, 108, Prepared("train", 0.0, "bd"))  # type: ignore[arg-type]
    candidate = Side("page", 10.0, grey, Prepared("page", moved, "ad"))  # type: ignore[arg-type]
    assert line(reference, candidate) == ("same" if is_explained else "different", is_explained)


def test_a_rule_that_moves_boxes_explains_nothing() -> None:
    assert line(*sides(plain_box=12.0)) == ("different", False)
    assert line(*sides(plain_box=11.0)) == ("same", True)


@pytest.mark.parametrize(("count", "explained"), [(1, 1), (8, 8), (9, 0)])
def test_no_more_lines_are_looked_at_than_a_few(count: int, explained: int) -> None:
    reference, candidate = (each.trace() for each in sides())
    assert reference.texts is not None and candidate.texts is not None
    told = reference.texts[0], candidate.texts[0]
    assert told[0] is not None and told[1] is not None
    differing = LineFinding("text", (0, 0), told[0].text, told[1].text, 0, 0, 1)
    lines = [*[differing] * count, replace(differing, kind="same"), differing]
    found = with_borderline_lines(reference, candidate, lines, range(count + 1), BUILT_IN)
    assert [each.is_borderline for each in found] == [True] * explained + [False] * (count + 2 - explained)
    assert [replace(each, is_borderline=False) for each in found] == lines


def test_a_box_beyond_its_limits_explains_nothing() -> None:
    assert line(*sides(box=30.0)) == ("different", False)


def test_a_side_that_only_traces_explains_nothing() -> None:
    reference, candidate = sides()
    traces = reference.trace(), replace(candidate.trace(), source=None)
    (only,) = PageComparisons(*traces, BUILT_IN).page.lines
    assert not only.is_borderline


@pytest.mark.parametrize("step", ["lines", "with_step"])
def test_a_side_that_raises_explains_nothing(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> Any:
        raise RuntimeError("lost")

    reference, candidate = sides()
    monkeypatch.setattr(candidate, step, fails, raising=False)
    assert line(reference, candidate) == ("different", False)


PLACES = (0.0, 40.0, 80.0)


@dataclass
class Ordering:
    """Holds three lines in an order, and says in which its own rule has them; what it holds can be shown."""

    name: str
    own: Any = (0, 1, 2)

    def trace(self, image: Any = None, order: Sequence[int] = (0, 1, 2)) -> Trace:
        boxes = tuple(np.array([[0.0, PLACES[y]], [90, PLACES[y]], [90, PLACES[y] + 20]]) for y in order)
        texts = tuple(Recognition(f"LINE {y}", 0.9) for y in order)
        return Trace(pipeline=self.name, image="page.png", detections=Detections(boxes), texts=texts, source=self)

    def lines(self, trace: Trace) -> Sequence[LineOfPage]:
        return ()

    def with_step(self, trace: Trace, step: str) -> Trace:
        assert step == ORDER
        if self.own is None:
            raise ValueError("no such step")
        return self.trace(order=self.own)

    def step_fix(self, step: str) -> Fix:
        return Fix("leave it")

    @property
    def steps(self) -> dict[str, Any]:
        return {}


@pytest.mark.parametrize(
    ("own", "explains"), [((0, 2, 1), True), ((0, 1, 2), False), ((2, 1, 0), False), (None, False)]
)
def test_an_order_is_explained_where_paddlexs_own_rule_makes_it_of_these_boxes(own: Any, explains: bool) -> None:
    reference, candidate = Ordering("train").trace(), Ordering("page", own).trace(order=(0, 2, 1))
    assert do_boxes_explain_order(reference, candidate) == explains
    made = PageComparisons(reference, candidate, BUILT_IN).page
    assert (made.status, made.counts["moved"]) == (("same", 0) if explains else ("different", 1))
    assert not do_boxes_explain_order(replace(reference, source=None), candidate)
    assert not do_boxes_explain_order(reference, replace(candidate, source=None))
    assert not do_boxes_explain_order(reference, replace(candidate, detections=None, texts=None))


def test_a_page_in_order_needs_no_explanation() -> None:
    made = PageComparisons(Ordering("train").trace(), Ordering("page", None).trace(), BUILT_IN).page
    assert (made.status, made.counts["moved"], made.differences) == ("same", 0, ())
