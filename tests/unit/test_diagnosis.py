"""A diagnosis is plain JSON; a fix says what to do, and is a change that a program can make."""

from __future__ import annotations

import json
from typing import Any

import pytest
from diagnosing import Varied, only, seen
from toy import Toy

from pytest_ocrparity.diagnosis import Change, Fix


class TestTheWhole:
    def test_a_diagnosis_is_plain_json(self) -> None:
        diagnosis = only(seen(Toy()), seen(Varied(name="port", mean=0.4)))
        told = json.loads(json.dumps(diagnosis.as_json()))
        assert (told["stage"], told["cause"], told["not_tried"]) == ("tensor", "normalize.mean_std", [])
        assert told["fix"] == {"text": "give port train's mean = [0.5, 0.5, 0.5]", "changes": []}


@pytest.mark.parametrize("text", ["", " ", "\n"])
def test_a_fix_says_something(text: str) -> None:
    with pytest.raises(ValueError, match="a fix says what to do"):
        Fix(text)


@pytest.mark.parametrize(
    "arguments", [("inference.options", {}), ("inference.yml", {}, "PostProcess"), ("delete", {}), ("", {"a": 1})]
)
def test_a_change_changes_something(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match="changes nothing"):
        Change(*arguments)


def test_a_change_needs_values_only_where_it_has_some() -> None:
    assert Change("export").values == {}
    assert Change("delete", key="inference.json").key == "inference.json"
