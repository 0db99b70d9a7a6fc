"""The schema of `results.json` is made of the types."""

from __future__ import annotations

from pytest_ocrparity.report.schema import SCHEMA, schema_text


def test_the_schema_in_the_package_is_made_of_the_types() -> None:
    assert SCHEMA.read_text() == schema_text(), "run: python -m pytest_ocrparity.report.schema"
