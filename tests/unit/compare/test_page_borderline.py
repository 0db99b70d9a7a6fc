"""Which lines of a page are explained by what limits permit: sides of a few numbers stand for both models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from pytest_ocrparity import Recognition, Trace
from pytest_ocrparity.compare.whole_page import PageComparisons
from pytest_ocrparity.contract.page_readers import CUT, LineOfPage
from pytest_ocrparity.diagnosis import Fix
from pytest_ocrparity.tolerance import BUILT_IN
from pytest_ocrparity.trace import Detections


def crop(grey: int) -> Any:
    return np.full((8, 8, 3), grey, np.uint8)


@dataclass
class Reader:
    """Reads the grey level of a line; one below `confuses` as another."""

    name: str
    confuses: int = 0

    def trace(self, line: Any) -> Trace:
        grey = int(line[0, 0, 0])
        text = "0" if grey < self.confuses else str(grey // 10)
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

    def page(self, grey: int) -> Trace:
        polygon = np.array([[self.box, 0.0], [100, 0], [100, 20], [self.box, 20]])
        cut = crop(grey)
        given = crop(grey + 10) if self.turns else cut
        read = self.recogniser.trace(given).recognition
        trace = Trace(
            pipeline=self.name, image="page.png", image_sha256="1", detections=Detections((polygon,)), texts=(read,),
            source=self,
        )  # fmt: skip
        trace.memo["lines"] = [LineOfPage(cut, given, read)]
        return trace

    def trace(self, image: Any = None) -> Trace:
        return self.page(self.grey + self.cuts_otherwise)

    def lines(self, trace: Trace) -> Sequence[LineOfPage]:
        found: Sequence[LineOfPage] = trace.memo["lines"]
        return found

    def with_step(self, trace: Trace, step: str) -> Trace:
        return self.page(self.grey if step == CUT else self.grey + self.cuts_otherwise)

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
