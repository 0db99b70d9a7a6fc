"""What a run found, in one JSON document: `results.json`, described by `results.schema.json`.

Works on the plain records that tests leave, so that it can run in another process than they did.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pytest_ocrparity.errors import ReportError

if TYPE_CHECKING:
    pass


SCHEMA_VERSION: Final = 2
SCHEMA: Final = Path(__file__).parent.parent / "results.schema.json"

_LONGEST_INTEGER: Final = 300
"""Letters of an integer that any float can hold."""


def finite(value: Any) -> Any:
    """Return a JSON value in which numbers that JSON lacks are the texts "NaN", "Infinity" and "-Infinity"."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def without_thumbs(results: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document without the thumbnails, which are the page's."""

    def full(comparison: Mapping[str, Any]) -> dict[str, Any]:
        kept = [{key: value for key, value in each.items() if key != "thumb"} for each in comparison["pictures"]]
        return {**comparison, "pictures": kept}

    return {**results, "comparisons": [full(each) for each in results["comparisons"]]}


def as_text(results: Mapping[str, Any]) -> str:
    """Return the document as it is written."""
    return json.dumps(results, indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def _integer(text: str) -> int:
    if len(text) > _LONGEST_INTEGER:
        raise ValueError(f"a number of {len(text)} digits")
    return int(text)


def read(path: Path) -> dict[str, Any]:
    """Return a document that keeps the schema.

    Raises:
        ReportError: the file is missing or unreadable, no JSON, of a newer schema, or does not keep it.
    """
    try:
        document: Any = json.loads(path.read_bytes(), parse_int=_integer)
        _check(path, document)
    except OSError as error:
        raise ReportError(f"{path}: cannot read these results: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise ReportError(f"{path} is no JSON: {error}") from error
    result: dict[str, Any] = document
    return result


def _check(path: Path, document: Any) -> None:
    import jsonschema

    version = document.get("schema_version") if isinstance(document, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise ReportError(
            f"{path} has schema_version {version}; this version of pytest-ocrparity reads up to {SCHEMA_VERSION}"
        )
    try:
        jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    except jsonschema.ValidationError as error:
        place = "/".join(map(str, error.absolute_path)) or "the whole"
        raise ReportError(f"{path} is no results.json of pytest-ocrparity: {place}: {error.message[:200]}") from error
