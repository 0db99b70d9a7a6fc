"""What the fields of a stored trace may be: a file that others may have written must not break a comparison later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_ocrparity.stages import DETECTIONS, TENSOR


def wrong_stored_fields(fields: Mapping[str, Any]) -> list[str]:
    """Return the names of the fields that are of another kind than a trace's.

    Args:
        fields: "image", "image_sha256", "parameters", "decode" as [shape, dtype, channel order, digest], "shape",
            "map_error", and how far the map moves under either of its names; all as JSON has them.
    """
    decode, shape, parameters, map_error = (fields[name] for name in ("decode", "shape", "parameters", "map_error"))
    moves = "floor" if "floor" in fields else "map_sensitivity"
    right = {
        "image": isinstance(fields["image"], str),
        "image_sha256": isinstance(fields["image_sha256"], str | None),
        "parameters": isinstance(parameters, dict) and all(isinstance(part, dict) for part in parameters.values()),
        "decode": decode is None
        or (len(decode) == 4 and _are_of_kinds(decode[0], int) and _are_of_kinds(decode[1:], str)),
        "shape": shape is None
        or (_are_of_kinds(shape, int, float) and len(shape) == 4 and all(0 <= each < 2**31 for each in shape)),
        moves: fields[moves] is None or (_are_of_kinds([fields[moves]], int, float) and 0 <= fields[moves] <= 1),
        "map_error": _are_of_kinds([map_error], int, float) and 0 <= map_error <= 1,
    }
    if right["parameters"]:
        right |= dict.fromkeys(wrong_stored_parameters(parameters), False)
    return [name for name, is_right in right.items() if not is_right]


def wrong_stored_parameters(parameters: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the names of the parameters with which a comparison computes, and can't as they are."""
    tensor, detections = parameters.get(TENSOR, {}), parameters.get(DETECTIONS, {})
    thresh = detections.get("thresh")
    right = {name: _are_numbers(tensor.get(name), 1e-9) for name in ("mean", "std")}
    right["thresh"] = not isinstance(thresh, list) and _are_numbers(thresh, 0)
    right["box_type"] = isinstance(detections.get("box_type"), str | None)
    return [name for name, is_right in right.items() if not is_right]


def _are_numbers(value: object, least: float) -> bool:
    """Return whether a comparison can compute with a parameter: no, one or several numbers, 0 or of a usual size."""
    values: Any = value if isinstance(value, list) else [] if value is None else [value]
    return _are_of_kinds(values, int, float) and all(each == 0 or least <= abs(each) <= 1e9 for each in values)


def _are_of_kinds(values: object, *kinds: type) -> bool:
    return isinstance(values, list) and all(type(value) in kinds for value in values)
