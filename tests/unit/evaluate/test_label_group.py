"""How documents are found: what is no expression of one group, and what is."""

from __future__ import annotations

import re
from typing import Any

import pytest

from pytest_ocrparity.evaluate.label_group import group_mistake


@pytest.mark.parametrize(
    ("group", "message"),
    [
        ("(", "labels.group = '(' is no regular expression: "),
        ("(" * 5000 + ")" * 5000, "...' is no regular expression: "),
        ("(a{99999999999999999999})", "is no regular expression: "),
        (5, "labels.group = 5 is no regular expression: "),
        ("a", "labels.group = 'a' has 0 groups, not one: put the part of the path"),
        (re.compile("(a)(b)"), "has 2 groups, not one: "),
    ],
)
def test_what_is_no_expression_with_one_group_is_said_in_a_line(group: Any, message: str) -> None:
    found = group_mistake("labels.group", group)
    assert message in found
    assert len(found) < 250


@pytest.mark.parametrize("group", ["(a)", "(?:b)(a)", re.compile("(a)"), "(a{99})", lambda path: path])
def test_an_expression_with_one_group_and_a_function_are_right(group: Any) -> None:
    assert group_mistake("labels.group", group) == ""
