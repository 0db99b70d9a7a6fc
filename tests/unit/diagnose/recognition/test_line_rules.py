"""Which rule predicts what becomes of lines, and how one rule is not another on a line."""

from __future__ import annotations

import pytest

from pytest_ocrparity.diagnose.recognition.line_rules import (
    AS_WIDE,
    PROBES,
    SQUEEZED,
    STRETCHED,
    LineRule,
    fitting_line_rules,
    line_rule_departures,
    line_rule_of_parameters,
    line_rule_size,
    put_right,
)

EVALUATED = LineRule(SQUEEZED, 48, 320)
DEPLOYED = LineRule(AS_WIDE, 48, 320)
RULES = (
    EVALUATED,
    DEPLOYED,
    LineRule(STRETCHED, 48, 320),
    LineRule(AS_WIDE, 32, 100),
    LineRule(AS_WIDE, 48, 0),
    DEPLOYED._replace(rounding="up"),
    DEPLOYED._replace(rounding="down"),
    DEPLOYED._replace(rounding="to the nearest"),
    EVALUATED._replace(rounding="down"),
    DEPLOYED._replace(multiple=32),
    DEPLOYED._replace(most=3200),
    DEPLOYED._replace(most=1600),
)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_found_by_the_probes_alone(rule: LineRule) -> None:
    found = fitting_line_rules({line: rule.size(line) for line in PROBES})
    assert found[0] == rule


def test_what_follows_no_rule_has_none() -> None:
    sizes = {line: DEPLOYED.size(line) for line in PROBES}
    sizes[PROBES[3]] = (48, 100, 333)
    assert fitting_line_rules(sizes) == []
    sizes[PROBES[3]] = (32, 320, 320)
    assert fitting_line_rules(sizes) == [] == fitting_line_rules({})


@pytest.mark.parametrize(
    ("right", "own", "line", "causes"),
    [
        (EVALUATED, DEPLOYED, (40, 600), ["resize.width"]),
        (EVALUATED, DEPLOYED, (40, 100), []),
        (DEPLOYED, EVALUATED, (40, 600), ["resize.width"]),
        (EVALUATED, DEPLOYED._replace(base=640), (40, 100), ["resize.width"]),
        (EVALUATED, LineRule(STRETCHED, 48, 320), (40, 100), ["resize.stretch"]),
        (EVALUATED, LineRule(STRETCHED, 48, 320), (40, 600), []),
        (DEPLOYED, DEPLOYED._replace(height=32), (40, 100), ["resize.height"]),
        (DEPLOYED, DEPLOYED._replace(rounding="down"), (37, 99), ["resize.rounding"]),
        (DEPLOYED, DEPLOYED._replace(rounding="down"), (48, 99), []),
        (DEPLOYED, DEPLOYED._replace(multiple=64), (48, 500), ["resize.padding"]),
        (DEPLOYED, DEPLOYED._replace(most=3200), (10, 700), ["resize.max_width"]),
        (DEPLOYED, DEPLOYED._replace(most=3200), (10, 600), []),
        (DEPLOYED, DEPLOYED._replace(most=3200, height=32), (20, 900), ["resize.height"]),
        (DEPLOYED, DEPLOYED._replace(multiple=64, height=32), (32, 500), ["resize.height", "resize.padding"]),
    ],
)
def test_only_what_shows_on_this_line_is_a_departure(
    right: LineRule, own: LineRule, line: tuple[int, int], causes: list[str]
) -> None:
    found = line_rule_departures(right, own, line, is_given=False)
    assert [each.cause for each in found] == causes
    assert put_right(right, own, found).size(line) == right.size(line)


def test_an_option_that_stretches_is_called_by_its_name() -> None:
    found = line_rule_departures(EVALUATED, LineRule(STRETCHED, 48, 320), (40, 100), is_given=True)
    assert [each.cause for each in found] == ["resize.input_shape"]


def test_what_a_side_states() -> None:
    stated = {"rule": AS_WIDE, "image_shape": [3, 48, 320], "max_width": 3200}
    assert line_rule_of_parameters(stated) == DEPLOYED._replace(most=3200)
    assert line_rule_of_parameters({**stated, "input_shape": [3, 32, 100], "rule": STRETCHED}) == LineRule(
        STRETCHED, 32, 100, most=3200
    )
    assert line_rule_of_parameters({"rule": "my own", "image_shape": [3, 48, 320]}) is None
    assert line_rule_of_parameters({"rule": AS_WIDE, "image_shape": "48"}) is None
    assert line_rule_size({"height": 48, "content_width": 100, "width": 320}) == (48, 100, 320)
    assert line_rule_size({"height": 48, "width": 320}) is None
