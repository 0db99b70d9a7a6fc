"""Experiments with common parameter values: the reference's post-process runs with them on the candidate's map.

They can find the cause in a candidate that does not report its values, or can't be run with others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from pytest_ocrparity.compare.parameter_differences import is_close
from pytest_ocrparity.contract import PostprocessesWith, offered
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.postprocessing.small_boxes import PROBE, drawn_map
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.geometry import match
from pytest_ocrparity.stages import DETECTIONS
from pytest_ocrparity.trace import Detections, Shape, Trace

VALUES: Final[Mapping[str, tuple[Any, ...]]] = {
    "thresh": (0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7),
    "box_thresh": (0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.9),
    "unclip_ratio": (1.0, 1.2, 1.4, 1.5, 1.6, 1.7, 1.8, 2.0, 2.2, 2.5, 3.0),
    "max_candidates": (3, 5, 10, 20, 50, 100, 200, 1000, 3000),
    "use_dilation": (True, False),
    "score_mode": ("fast", "slow"),
    "box_type": ("quad", "poly"),
}
"""Values that releases, configurations and ports of PaddleOCR's DB post-process use."""


def by_known_values(lab: Laboratory) -> list[Diagnosis]:
    """Return the one parameter of the post-process that explains the candidate's boxes by another value.

    The reference's post-process with this value must make the candidate's boxes of the candidate's own map. Where the
    candidate's post-process can be run, the two must also agree on the reference's map and on a drawn one. Where
    several parameters explain the boxes, none is named.
    """
    found: dict[str, list[Any]] = {}
    for name, value in _values_to_try(lab):
        make = _postprocess_with(lab, {name: value})
        if make is not None and _makes_candidate_boxes(lab, make):
            found.setdefault(name, []).append(value)
    reference, candidate = lab.names
    if len(found) != 1:
        lab.tried += [
            f"postprocess.{name}: {_values_text(name, values)} gives {candidate}'s boxes"
            for name, values in found.items()
        ]
        return []
    ((name, values),) = found.items()
    own = lab.reference.parameters[DETECTIONS][name]
    proof = f"{reference}'s own post-process, run with {_values_text(name, values)} in place of {own}, "
    proof += f"makes {candidate}'s boxes: on {candidate}'s map"
    proof += f", on {reference}'s, and on a test map that is drawn" if lab.run_postprocess() is not None else ""
    chosen = {name: values[0]}
    lab.adopt_patch(DETECTIONS, f"postprocess.{name}", replace(lab.patched, reference_values=chosen))
    said = lab.candidate.parameters.get(DETECTIONS, {}).get(name)
    summary = f"{candidate}'s boxes are those of {_values_text(name, values)}; {reference} has {own}"
    if said is not None and not any(is_close(said, each) for each in values):
        summary += f", and {candidate} says {said}"
    fix = f"give {candidate} {reference}'s {name} = {own}"
    return [lab.proven_cause(DETECTIONS, f"postprocess.{name}", summary, [proof], fix)]


def values_explain_boxes(lab: Laboratory, values: Mapping[str, Any]) -> bool:
    """Return whether the reference's post-process with these values makes the candidate's boxes on this image too."""
    make = _postprocess_with(lab, values)
    return make is not None and _makes_candidate_boxes(lab, make)


def _values_to_try(lab: Laboratory) -> Iterator[tuple[str, Any]]:
    """Yield the values to try, also those that the candidate reports otherwise, as its report may be wrong."""
    own = lab.reference.parameters.get(DETECTIONS, {})
    for name, values in VALUES.items():
        if name in own:
            yield from ((name, value) for value in values if value != own[name] and not is_close(value, own[name]))


def _values_text(name: str, values: list[Any]) -> str:
    return f"{name} {' or '.join(str(value) for value in values)}"


def _postprocess_with(lab: Laboratory, values: Mapping[str, Any]) -> Callable[[Any, Shape], Detections] | None:
    """Return the reference's post-process with other values, or None where it offers none."""
    source = offered(lab.reference.source, PostprocessesWith)
    if source is None:
        return None
    key = f"postprocess with {dict(values)}"
    if key not in lab.memo:  # this release of PaddleOCR may refuse them
        lab.memo[key] = lab.attempt(lambda: source.postprocess_with(values))
    made: Callable[[Any, Shape], Detections] | None = lab.memo[key]
    return made


def _makes_candidate_boxes(lab: Laboratory, make: Callable[[Any, Shape], Detections]) -> bool:
    lab.budget.check()
    candidate = lab.candidate
    own_map = candidate if candidate.probability_map is not None and candidate.shape is not None else None
    by_itself = lab.run_postprocess()
    if candidate.detections is None or (own_map is None and by_itself is None):
        return False
    if own_map is not None and not _makes_boxes_of(lab, make, own_map, candidate.detections):
        return False
    if by_itself is None:
        return not _is_subset(lab, candidate.detections)
    return _makes_boxes_of(lab, make, lab.reference, by_itself) and _agrees_on_drawn_map(lab, make)


def _is_subset(lab: Laboratory, found: Detections) -> bool:
    """Return whether boxes are a part of the reference's; then any of many rules may have dropped the others."""
    right = lab.reference.detections
    if right is None or len(found) >= len(right):
        return False
    return len(match(right.polygons, found.polygons, min_iou=0.9).pairs) == len(found)


def _agrees_on_drawn_map(lab: Laboratory, make: Callable[[Any, Shape], Detections]) -> bool:
    """Return whether both agree on a drawn map, where rules that do the same on this image do different things."""
    drawn, side = drawn_map(weakest=0.35), PROBE / 4
    trace = replace(lab.reference, probability_map=drawn, shape=(side, side, 4.0, 4.0))
    found = lab.run_postprocess(trace=trace)
    return found is not None and len(found) > 0 and _makes_boxes_of(lab, make, trace, found)


def _makes_boxes_of(lab: Laboratory, make: Callable[[Any, Shape], Detections], of: Trace, found: Detections) -> bool:
    """Return whether the reference's post-process makes these boxes of a trace's map."""
    probability_map, shape = of.probability_map, of.shape
    assert probability_map is not None and shape is not None
    right = lab.attempt(lambda: make(probability_map, shape))
    if right is None:
        return False
    map_of: dict[str, Any] = {"probability_map": of.probability_map, "shape": of.shape, "source": None, "error": None}
    reference = replace(lab.reference, detections=right, **map_of)
    # With equal maps, boxes and scores are judged as strictly as two results of one post-process.
    return lab.is_same(DETECTIONS, replace(lab.candidate, detections=found, **map_of), reference)
