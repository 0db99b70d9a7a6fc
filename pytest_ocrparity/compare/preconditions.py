"""What two traces must have to be compared: two objects of one image, computed twice, with the needed stages.

Only assertions ask whether something was computed twice: an experiment puts arrays of one side into the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pytest_ocrparity.compare.parameter_differences import parameter_differences
from pytest_ocrparity.comparison import Comparison, Difference, DifferenceError
from pytest_ocrparity.contract import HasIdentity, HasSettingsTable, offered
from pytest_ocrparity.jsonable import jsonable
from pytest_ocrparity.stages import (
    DETECTION,
    DETECTIONS,
    PAGE,
    PAGES,
    PROBABILITY_MAP,
    PRODUCTS,
    RECOGNITION,
    TENSOR,
    TEXT,
    Task,
    task_of,
)
from pytest_ocrparity.tolerance import AUTO, OFF, Tolerance
from pytest_ocrparity.trace import Trace
from pytest_ocrparity.wording import printable

_JUDGED = {"preprocessing": TENSOR, "probability_maps": PROBABILITY_MAP}
"""The array that an assertion judges; sides may share what it does not, such as the tensor of an engine without its own
preprocessing. Boxes are several arrays."""


def refuse_one_side_twice(kind: str, reference: Trace, candidate: Trace) -> None:
    """Raise DifferenceError where what is judged was computed once, or twice by the same model in the same way."""
    names = printable(reference.pipeline), printable(candidate.pipeline)
    what = {DETECTIONS: "boxes", TEXT: "texts", PAGE: "texts"}.get(kind) or _JUDGED[kind].replace("_", " ")
    if _share_judged_arrays(kind, reference, candidate):
        same = "object" if kind == TEXT else "arrays"
        raise DifferenceError(
            f"{candidate.label}: the {what} of {names[1]} and of {names[0]} are the same {same} in memory: nothing was "
            f"compared; let {names[1]} compute its own, and compare what it returns"
        )
    source = reference.source
    if source is not None and source is candidate.source and _have_equal_judged_arrays(kind, reference, candidate):
        raise DifferenceError(
            f"{candidate.label}: the {what} of {names[0]} and of {names[1]} come from the same pipeline object: "
            "nothing was compared; a Trace's source is the pipeline that made it"
        )
    reference_identity, candidate_identity = _stated_identity(reference), _stated_identity(candidate)
    if reference_identity and reference_identity == candidate_identity:
        raise DifferenceError(
            f"{candidate.label}: {names[0]} and {names[1]} are one model, loaded from the same files with the same "
            f"options ({_describe_identity(reference_identity)}): nothing was compared; compare with the trained "
            "model, a baseline, or the same files under another engine or other options"
        )


def have_same_files(reference: Trace, candidate: Trace) -> bool:
    """Return whether both sides were made by files of the same content, as far as they say."""
    reference_files, candidate_files = _model_files(reference), _model_files(candidate)
    return bool(reference_files) and reference_files == candidate_files


def _share_judged_arrays(kind: str, reference: Trace, candidate: Trace) -> bool:
    if kind == TEXT:
        return reference.recognition is not None and reference.recognition is candidate.recognition
    if kind == PAGE and bool(reference.texts) and reference.texts is candidate.texts:
        return True
    if kind in PRODUCTS:
        places, found = _polygon_addresses(reference), _polygon_addresses(candidate)
        return bool(found) and found <= places
    right, own = getattr(reference, _JUDGED[kind]), getattr(candidate, _JUDGED[kind])
    return right is not None and own is not None and np.may_share_memory(right, own)


def _have_equal_judged_arrays(kind: str, reference: Trace, candidate: Trace) -> bool:
    """Return whether what is judged is equal in every bit: what one pipeline object made twice, and nobody changed."""
    if kind in PRODUCTS:
        return reference.value_of(kind) is not None and reference.value_of(kind) == candidate.value_of(kind)
    right, own = getattr(reference, _JUDGED[kind]), getattr(candidate, _JUDGED[kind])
    return right is not None and own is not None and np.array_equal(right, own, equal_nan=True)


def _polygon_addresses(trace: Trace) -> set[int]:
    """Return where in memory the boxes of a trace begin."""
    polygons = () if trace.detections is None else trace.detections.polygons
    return {polygon.__array_interface__["data"][0] for polygon in polygons if polygon.size}


def _stated_identity(trace: Trace) -> Mapping[str, Any]:
    """Return the identity that a live side's pipeline states, empty where it states none."""
    side = offered(trace.source, HasIdentity)
    return jsonable(side.identity) if side is not None and isinstance(side.identity, Mapping) else {}


def _model_files(trace: Trace) -> Any:
    return jsonable(trace.files) or _stated_identity(trace).get("files")


def _describe_identity(identity: Mapping[str, Any]) -> str:
    """Return the files of an identity by name and the start of their digest, else all of it."""
    files = identity.get("files")
    if not isinstance(files, Mapping):
        return ", ".join(f"{key} {value}" for key, value in identity.items())
    return ", ".join(f"{name} {str(digest)[:8]}" for name, digest in files.items())


def refuse_same_object(reference: object, candidate: object) -> None:
    """Raise DifferenceError where both sides are one object, or come from one, or are of two images."""
    __tracebackhide__ = True
    if reference is candidate:
        raise DifferenceError("reference and candidate are the same object: nothing was compared; trace two models")
    digests = {getattr(trace, "image_sha256", None) for trace in (reference, candidate)} - {None}
    if len(digests) > 1 and len(labels := {getattr(trace, "label", "") for trace in (reference, candidate)}) > 1:
        raise DifferenceError(f"the traces are of two images, {' and '.join(sorted(labels))}: nothing was compared")
    sources = [getattr(trace, "source", None) for trace in (reference, candidate)]
    names = {getattr(trace, "pipeline", None) for trace in (reference, candidate)}
    if sources[0] is not None and sources[0] is sources[1] and len(names) == 1:
        raise DifferenceError(f"both traces come from the same pipeline object, {names.pop()}: nothing was compared")


def task_of_sides(reference: Trace, candidate: Trace) -> Task:
    """Return what the models of two traces do; one that stopped early may not show it."""
    return RECOGNITION if RECOGNITION in (reference.task, candidate.task) else DETECTION


def comparison_of(kind: str, reference: Trace, candidate: Trace, tolerance: Tolerance, **values: Any) -> Comparison:
    """Return a Comparison of these two traces under a tolerance; `values` are its remaining fields."""
    task = task_of(kind) or task_of_sides(reference, candidate)
    values.setdefault("limits", tolerance.of(kind, task.name) if task != PAGES else {})
    return Comparison(
        kind=kind,
        image=candidate.label,
        reference=printable(reference.pipeline),
        candidate=printable(candidate.pipeline),
        parameters=parameter_differences(reference, candidate),
        task=task.name,
        table="" if (side := offered(candidate.source, HasSettingsTable)) is None else side.table,
        **values,
    )


def missing_preconditions(reference: Trace, candidate: Trace, needed: tuple[str, ...]) -> list[Difference]:
    """Return a Difference for each needed stage that a side lacks, or for what stopped a side before it."""
    lacking = [[stage for stage in needed if trace.value_of(stage) is None] for trace in (reference, candidate)]
    if not any(lacking):
        return []
    for index, trace in enumerate((reference, candidate)):
        if trace.error is not None and lacking[index]:
            errors: list[str | None] = [None, None]
            errors[index] = str(trace.error)
            return [Difference(trace.error.stage, "stopped", errors[0], errors[1])]
    return [
        Difference(stage, "not_recorded", stage not in lacking[0], stage not in lacking[1])
        for stage in needed
        if stage in lacking[0] or stage in lacking[1]
    ]


def empty_side_differences(stage: str, maps: Comparison | None, tolerance: Tolerance) -> list[Difference]:
    """Return why two sides that find nothing do not pass: they do when their maps agree, or when it is allowed.

    Args:
        stage: what neither finds, `DETECTIONS` or `TEXT`.
        maps: the comparison of their maps, where both have one.
        tolerance: what judges.
    """
    agree = maps is not None and maps.is_match and all(measure.is_within for measure in maps.measures)
    if agree or tolerance[f"{stage}.allow_empty"].value:
        return []
    compared = maps is not None and bool(maps.measures)
    return [Difference(stage, "empty_text" if stage == TEXT else "empty", compared, compared)]


def missing_score_differences(stage: str, reference: Any, candidate: Any, tolerance: Tolerance) -> list[Difference]:
    """Return the side without scores where a limit was set for them by name: one that can't be judged can't be kept.

    `reference` and `candidate` are the scores of the stage, None where a side has none.
    """
    limit = tolerance[f"{stage}.max_score_difference"]
    present = reference is not None, candidate is not None
    if all(present) or limit.value in (AUTO, OFF) or limit.is_preset:
        return []
    return [Difference(stage, "no_scores", *present)]
