"""The rules of a decoder, found by what it reads in maps that are certain of one class."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from recognisers import Port

from pytest_ocrparity import Recognition
from pytest_ocrparity.diagnose.recognition.ctc_rules import (
    ACROSS,
    DROPPED,
    KEPT,
    PLAIN_ORDERS,
    REVERSED,
    SCORES,
    Rule,
    best_ctc_classes,
    ctc_map,
    ctc_probes,
    fitting_ctc_scores,
    kept_ctc_steps,
    measure_ctc_decoder,
    predicted_ctc_text,
)

BEST = [0, 1, 1, 0, 1, 2, 2, 0]
CHARACTERS = {1: "a", 2: "b"}


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (Rule(), "aab"),
        (Rule(repeats=KEPT), "aaabb"),
        (Rule(repeats=ACROSS), "ab"),
        (Rule(order=REVERSED), "baa"),
        (Rule(blank=1), None),
        (Rule(blank=None), None),
    ],
)
def test_what_a_rule_reads(rule: Rule, text: str | None) -> None:
    assert predicted_ctc_text(BEST, rule, CHARACTERS, PLAIN_ORDERS) == text
    assert best_ctc_classes(ctc_map(BEST, 4)) == BEST


def test_probes_tell_the_rules_apart() -> None:
    rules = [Rule(repeats=repeats, order=order) for repeats in (DROPPED, KEPT, ACROSS) for order in PLAIN_ORDERS]
    read = {
        tuple(predicted_ctc_text(each, rule, CHARACTERS, PLAIN_ORDERS) for each in ctc_probes([0, 1, 2, 1])): rule
        for rule in rules
    }
    assert len(read) == len(rules)
    assert ctc_probes([0, 0]) == []


@pytest.mark.parametrize(
    ("port", "blank", "refused"),
    [
        (Port(), 0, ()),
        (Port(blank=5), 5, ()),
        (Port(blank=None, letters="#abcd "), None, ()),
        (Port(letters="abc"), 0, (4, 5)),
    ],
)
def test_a_decoder_is_measured(port: Port, blank: int | None, refused: tuple[int, ...]) -> None:
    def read(given: Any) -> Recognition | None:
        try:
            return port.read_map(given)
        except IndexError:
            return None

    found = measure_ctc_decoder(read, [1, 2, 4], 6)
    assert (found.blank, found.refused, found.is_steady) == (blank, frozenset(refused), True)
    assert found.characters[1] == ("b" if blank == 5 else "a")


def test_a_class_that_is_read_otherwise_between_others_is_not_steady() -> None:
    assert not measure_ctc_decoder(Port(after=str.strip).read_map, [1, 5], 6).is_steady
    assert not measure_ctc_decoder(Port(after=lambda text: text[:2]).read_map, [1, 2], 6).is_steady
    assert measure_ctc_decoder(Port(after=str.upper).read_map, [1, 5], 6).is_steady


def test_each_formula_is_told_from_the_others() -> None:
    drawn = np.random.default_rng(2)
    maps = []
    for _ in range(3):
        made = np.full((1, 8, 4), 0.01)
        made[0, np.arange(8), BEST] = drawn.uniform(0.5, 0.97, 8)
        maps.append(made)
    steps = kept_ctc_steps(BEST, Rule())
    for score in SCORES:
        found = [(each, score.of(each[0].max(-1), BEST, steps)) for each in maps]
        assert fitting_ctc_scores(found) == [score]
        assert fitting_ctc_scores([(each, value * 0.99) for each, value in found]) == []
