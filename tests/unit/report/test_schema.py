"""The schema of `results.json` is made of the types."""

from __future__ import annotations

import json
from typing import Any

from pytest_ocrparity.report.schema import SCHEMA, schema_text


def in_one_order(value: dict[str, Any]) -> dict[str, Any]:
    """Return an object of a schema with its alternatives sorted: msgspec 0.19 writes `null` first, a later one last."""
    return {key: sorted(each, key=repr) if key == "anyOf" else each for key, each in value.items()}


def test_the_schema_in_the_package_is_made_of_the_types() -> None:
    ours, made = (json.loads(text, object_hook=in_one_order) for text in (SCHEMA.read_text(), schema_text()))
    assert ours == made, "run: python -m pytest_ocrparity.report.schema"
