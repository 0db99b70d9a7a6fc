"""Writes reference/results_json.md: the keys of results.json, from the schema that comes with the package."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

SCHEMA: Final = Path(__file__).parents[1] / "pytest_ocrparity" / "results.schema.json"
HEAD: Final = """\
<!-- `make docs` writes this page from pytest_ocrparity/results.schema.json. -->

# results.json

`--ocr-report=DIR` writes `DIR/results.json`: everything that a run found, in numbers, by a
[schema](../../pytest_ocrparity/results.schema.json) that comes with the package. Within one `schema_version` keys are
only added, so a reader passes over those that it does not know. The words of an enumeration may grow as well: a reader
treats a status that it does not know as failed. Numbers that JSON lacks are the texts `NaN`, `Infinity` and
`-Infinity`. `schema_version` 1 is still judged.

`python -m pytest_ocrparity judge` [judges it again](../howto/report.md#judge-it-again) under other limits.
"""


def page(schema: Mapping[str, Any]) -> str:
    """Return the page, as Markdown: a table of the document, and one of each record in it."""
    parts = [HEAD, f"## The document\n\n{table(schema)}"]
    for name, record in sorted(schema["definitions"].items()):
        if "properties" in record:
            said = f"{sentence(record['description'])}\n\n" if record.get("description") else ""
            parts.append(f"## {name}\n\n{said}{table(record)}")
    return "\n".join(parts)


def table(record: Mapping[str, Any]) -> str:
    """Return the keys of a record."""
    lines = ["| key | value | meaning |", "| --- | --- | --- |"]
    for key, value in record["properties"].items():
        missing = "" if key in record.get("required", ()) else "may be missing; "
        meaning = f"{missing}{value.get('description', '')}".removesuffix("; ")
        lines.append(f"| `{key}` | {kind(value)} | {escaped(meaning)} |")
    return "\n".join(lines) + "\n"


def kind(value: Mapping[str, Any]) -> str:
    """Return what a value may be, in words."""
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        return "number" if name == "number" else f"[{name}](#{name.lower()})"
    if "enum" in value:
        return ", ".join(f"`{json.dumps(each)}`" for each in value["enum"])
    for several in ("anyOf", "oneOf"):
        if several in value:
            return " or ".join(dict.fromkeys(map(kind, value[several])))
    names = value.get("type", "any")
    if isinstance(names, list):
        return " or ".join(kind({**value, "type": name}) for name in names)
    if names == "array":
        items = value.get("items", {})
        return "list" if isinstance(items, list) else f"list of {kind(items)}"
    if names == "object" and isinstance(value.get("additionalProperties"), Mapping):
        return f"object of {kind(value['additionalProperties'])}"
    return str(names)


def sentence(text: str) -> str:
    """Return a description as a line of its own."""
    return escaped(text[:1].upper() + text[1:]).removesuffix(".") + "."


def escaped(text: str) -> str:
    """Return a text of which Markdown makes nothing else: a bar would end the cell of a table."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


if __name__ == "__main__":
    sys.stdout.write(page(json.loads(SCHEMA.read_text())))
