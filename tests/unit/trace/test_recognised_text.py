"""A text with its score: equal by content, and nothing else is one."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from pytest_ocrparity import Recognition


def test_equal_by_content() -> None:
    assert Recognition("a b", 0.5) == Recognition("a b", 0.5)
    assert Recognition("a b") != Recognition("a b", 0.5) != Recognition("ab", 0.5)
    assert Recognition("a", math.nan) == Recognition("a", float("nan"))
    assert Recognition("a", math.nan) != Recognition("a", 0.0) and Recognition("a") != "a"
    assert len({Recognition("a", 0.5), Recognition("a", 0.5), Recognition("b", 0.5)}) == 2


def test_it_stays_as_it_is() -> None:
    with pytest.raises(FrozenInstanceError):
        Recognition("a").text = "b"  # type: ignore[misc]


def test_a_score_of_any_number_is_a_float() -> None:
    score = Recognition("a", np.float32(0.5)).score  # type: ignore[arg-type]
    assert type(score) is float and score == 0.5


@pytest.mark.parametrize(
    ("values", "message"),
    [((None,), "is a str, not None"), ((b"a",), "is a str, not b'a'"), (("a", "high"), "or None, not 'high'")],
)
def test_what_is_no_text_or_no_score_is_refused(values: tuple[object, ...], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        Recognition(*values)  # type: ignore[arg-type]


def test_an_array_of_one_score_is_a_score() -> None:
    assert Recognition("a", np.array(0.5, np.float32)).score == 0.5  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="is a number or None"):
        Recognition("a", np.array([0.5]))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="is a number or None"):
        Recognition("a", np.bool_(True))  # type: ignore[arg-type]
