"""The JSON schema of `results.json`, made of the types in `report.document`.

`python -m pytest_ocrparity.report.schema` writes it to the file that comes with the package.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Final, get_args, get_origin, get_type_hints

import msgspec

from pytest_ocrparity import diagnosis
from pytest_ocrparity.evaluate import counts, verdict
from pytest_ocrparity.report import document

SCHEMA: Final = Path(__file__).parent.parent / "results.schema.json"

_TEMPLATE: Final = "#/definitions/{name}"
_DESCRIPTION: Final = (
    "What one run compared. Numbers that JSON lacks are the texts NaN, Infinity and -Infinity. Within one "
    "schema_version keys are only added, so readers ignore those that they do not know. From version 2 on the words "
    "of an enumeration may grow as well: a reader treats a status or an outcome that it does not know as failed."
)


def schema_text() -> str:
    """Return the schema as it is written."""
    _, types = msgspec.json.schema_components((document.Results,), ref_template=_TEMPLATE)
    definitions = {name: _type_schema(name, types[name]) for name in sorted(types)}
    head = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": "pytest-ocrparity/results.schema.json",
        "title": "results.json of pytest-ocrparity",
        "description": _DESCRIPTION,
    }
    number = {"anyOf": [{"type": "number"}, {"enum": ["NaN", "Infinity", "-Infinity"]}]}
    whole = {**definitions.pop("Results"), **head}
    whole["definitions"] = {**definitions, "number": number}
    return json.dumps({**head, **whole}, indent=1) + "\n"


def _type_schema(name: str, found: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of one type: with its descriptions, and every key required that version 1 had."""
    types = {**vars(diagnosis), **vars(counts), **vars(verdict), **vars(document)}
    hints = get_type_hints(types[name], include_extras=True)
    keys = {
        key: {**_as_draft7(each), **_field_description(hints.get(key))} for key, each in found["properties"].items()
    }
    required = [key for key in keys if (name, key) not in document.NEWER]
    return {"type": "object", "description": _type_summary(found), "required": required, "properties": keys}


def _type_summary(found: dict[str, Any]) -> str:
    return str(found["description"]).partition("\n")[0]


def _field_description(hint: Any) -> dict[str, str]:
    texts = [each for each in get_args(hint)[1:] if isinstance(each, str)] if get_origin(hint) is Annotated else []
    return {"description": texts[0]} if texts else {}


def _as_draft7(found: Any) -> Any:
    """Return a part of a schema as draft 7 has it, with the numbers that JSON lacks, and without defaults."""
    if isinstance(found, list):
        return [_as_draft7(each) for each in found]
    if not isinstance(found, dict):
        return found
    if found.get("type") == "number":
        return {"$ref": _TEMPLATE.format(name="number")}
    result = {key: _as_draft7(each) for key, each in found.items() if key != "default"}
    if "prefixItems" in result:  # of one type, as a place is
        result["items"] = result.pop("prefixItems")[0]
    return result


if __name__ == "__main__":
    SCHEMA.write_text(schema_text())
