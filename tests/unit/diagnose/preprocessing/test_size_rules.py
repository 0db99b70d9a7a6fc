"""Rules of sizes: which predict a page's, and which are told apart."""

from __future__ import annotations

import pytest

from pytest_ocrparity.diagnose.preprocessing.size_rules import (
    PADDLEOCR,
    PROBES,
    ROUNDINGS,
    SizeRule,
    fitting_size_rules,
    simplest_size_rules,
    size_rules_text,
)

REFERENCE = (736, "min")


@pytest.mark.parametrize(
    "rule",
    [
        SizeRule(960, "max"),
        SizeRule(64, "min"),
        SizeRule(640, "resize_long"),
        SizeRule(736, "min", "(n / 32 - 1) * 32"),
        SizeRule(736, "min", "round half up"),
        SizeRule(736, "min", "round to 128"),
        SizeRule(736, "min", "ceil to 64"),
        SizeRule(960, "max", "floor to 32"),
        SizeRule(1500, "max"),
    ],
)
def test_the_probes_tell_a_rule_from_all_others(rule: SizeRule) -> None:
    fitting = simplest_size_rules(fitting_size_rules({page: rule.size(page) for page in PROBES}, REFERENCE))
    assert rule in fitting
    assert {(each.kind, each.rounding) for each in fitting} == {(rule.kind, rule.rounding)}
    assert max(each.side for each in fitting) - min(each.side for each in fitting) <= 64


def test_one_page_does_not_tell() -> None:
    page = (800, 600)
    fitting = simplest_size_rules(fitting_size_rules({page: (800, 608)}, REFERENCE))
    assert {SizeRule(64, "min"), SizeRule(1280, "max"), SizeRule(4000, "max"), SizeRule(800, "resize_long")} <= {
        *fitting
    }
    assert size_rules_text(fitting) == "32 to 608/min, or 800 to 4096/max, or 800/resize_long"


def test_sizes_of_no_rule_fit_none() -> None:
    assert fitting_size_rules({page: (page[0] * 3 // 4, page[1] * 3 // 4) for page in PROBES}, REFERENCE) == []


def test_the_references_own_limits_explain_no_difference() -> None:
    own = SizeRule(*REFERENCE)
    assert own not in fitting_size_rules({page: own.size(page) for page in PROBES}, REFERENCE)


@pytest.mark.parametrize(("side", "is_among"), [(730, True), (None, False)])
def test_the_references_own_limits_are_among_the_rules_whatever_their_length(side: int | None, is_among: bool) -> None:
    rounds_down = SizeRule(730, "min", "floor to 32")
    sizes = {page: rounds_down.size(page) for page in PROBES}
    assert (rounds_down in fitting_size_rules(sizes, (side, "min"))) is is_among


def test_paddleocrs_rounding_comes_first() -> None:
    assert next(iter(ROUNDINGS)) == PADDLEOCR
    assert SizeRule(736, "min").size((720, 1280)) == (736, 1312)
