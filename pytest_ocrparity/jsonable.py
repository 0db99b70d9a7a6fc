"""Any value as what JSON has, so that it crosses process borders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

_PLAIN = (str, float, int, bool, type(None))


def jsonable(value: Any) -> Any:
    """Turn a value into what JSON has, so that results cross process borders; what has no such form into text."""
    if type(value) in _PLAIN:  # almost every value, and numpy's float64 is a float as well
        return value
    if is_dataclass(value):
        return {field.name: jsonable(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        fields_of = getattr(value, "_asdict", None)  # a NamedTuple
        return [jsonable(item) for item in value] if fields_of is None else jsonable(fields_of())
    to_list = getattr(value, "tolist", None)  # numpy's arrays and scalars
    if callable(to_list):
        return jsonable(to_list())
    try:
        return value if isinstance(value, (str, bool, int, float)) else str(value)
    except Exception:  # a parameter of the user's, which is information: what it can't say must not fail a comparison
        return f"<{type(value).__name__}>"
